//! `<tlLogic>`: signal programs, from the net or from additional files.

use std::io::BufRead;

use super::builder::NetworkBuilder;
use crate::attributes::{Attributes, parse_number};
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::{Actuation, Aspect, LaneParameter, Phase, Program, ProgramKind};
use crate::xml::{Element, Node, XmlReader, shorten};

/// Bound of green when `minDur` is given without `maxDur` (manual, "Traffic Lights", actuated).
const UNBOUNDED_MS: i64 = 2_147_483_000;

/// Most programs of one signal.
const MAX_PROGRAMS: usize = 100;

impl NetworkBuilder {
    /// Reads a `<tlLogic>` whose start tag, `element`, was just read, up to its end. The program read last for a signal
    /// is the one shown at the start. A definition without phases moves the offset of a known program.
    pub fn read_tl_logic<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let place = self.place(xml, element);
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        attributes.name("id")?;
        let name = element.get("id").unwrap_or_default();
        let program_name = element.get("programID").unwrap_or("0");
        let kind_name = element.get("type").unwrap_or("static");
        let rail = matches!(kind_name, "rail_signal" | "rail_crossing");
        let kind = match kind_name {
            _ if program_name == "off" || rail => ProgramKind::Off,
            "static" => ProgramKind::Static,
            "actuated" => ProgramKind::Actuated,
            "off" => ProgramKind::Off,
            other => {
                let kind = format!("signal type '{}' is not simulated", shorten(other));
                warnings.add(kind, xml.at(element), "its phases run with their given durations");
                ProgramKind::Static
            }
        };
        let offset_ms = match attributes.text("offset") {
            Some("begin") => self.begin_ms,
            _ => attributes.time_ms("offset")?.unwrap_or(0),
        };
        let (phases, actuation) = read_phases(xml, element, warnings)?;
        let signal = self.signal_named(name, place);
        let draft = &mut self.signals[signal.index()];
        draft.place = place;
        draft.rail |= rail;
        let known = draft.programs.iter_mut().find(|program| &*program.name == program_name);
        if let Some(known) = known {
            if !phases.is_empty() || rail {
                let message = format!("program '{}' of this signal was already defined", shorten(program_name));
                return Err(xml.error(element, message));
            }
            known.offset_ms = offset_ms;
            return Ok(());
        }
        if draft.programs.len() == MAX_PROGRAMS {
            return Err(xml.error(element, format!("has more than {MAX_PROGRAMS} programs")));
        }
        if phases.is_empty() && kind != ProgramKind::Off {
            return Err(xml.error(element, "has no phases"));
        }
        let phases = phases.into();
        draft.programs.push(Program { name: program_name.into(), kind, offset_ms, phases, actuation });
        Ok(())
    }
}

/// The phases and parameters inside a `<tlLogic>`.
fn read_phases<R: BufRead>(
    xml: &mut XmlReader<R>,
    element: &Element,
    warnings: &mut Warnings,
) -> Result<(Vec<Phase>, Actuation), InputError> {
    let mut phases = Vec::new();
    let mut parameters = Parameters::default();
    while let Some(Node::Start(child)) = xml.next()? {
        match child.name.as_str() {
            "phase" => phases.push(read_phase(xml, &child, warnings)?),
            "param" => parameters.read(xml, &child, warnings)?,
            _ => check_left_out(&child, "tlLogic", xml.at(&child), warnings),
        }
        xml.skip()?;
    }
    if let Some(first) = phases.first() {
        let width = first.aspects.len();
        if let Some(at) = phases.iter().position(|phase| phase.aspects.len() != width) {
            let other = phases[at].aspects.len();
            return Err(xml.error(element, format!("state has {other} letters in phase {at}, but {width} in phase 0")));
        }
    }
    let count = phases.len();
    for (at, phase) in phases.iter().enumerate() {
        if let Some(next) = phase.next.iter().find(|&&next| next as usize >= count) {
            return Err(xml.error(element, format!("phase {at} leads to phase {next}, but there are only {count}")));
        }
    }
    let actuation = parameters.finish(&phases);
    Ok((phases, actuation))
}

fn read_phase<R: BufRead>(xml: &XmlReader<R>, element: &Element, warnings: &mut Warnings) -> Result<Phase, InputError> {
    let attributes = Attributes::new(xml.file(), element);
    let duration_ms = attributes.required_time_ms("duration")?;
    if duration_ms <= 0 {
        return Err(attributes.error("duration must be positive"));
    }
    let min_duration_ms = attributes.time_ms("minDur")?;
    let longest_ms = if min_duration_ms.is_some() { UNBOUNDED_MS } else { duration_ms };
    let max_duration_ms = attributes.time_ms("maxDur")?.unwrap_or(longest_ms);
    let min_duration_ms = min_duration_ms.unwrap_or(duration_ms.min(max_duration_ms));
    if min_duration_ms <= 0 || max_duration_ms < min_duration_ms {
        return Err(attributes.error("minDur must be positive and at most maxDur"));
    }
    check_attributes(attributes, warnings);
    let aspects = attributes.name("state")?.chars().map(|letter| {
        Aspect::of_letter(letter).ok_or_else(|| attributes.error(format!("state holds the unknown letter '{letter}'")))
    });
    let next = attributes.text("next").unwrap_or_default().split_ascii_whitespace().map(|text| {
        text.parse().map_err(|_| attributes.error(format!("next=\"{}\" is not a list of phases", shorten(text))))
    });
    Ok(Phase {
        duration_ms,
        min_duration_ms,
        max_duration_ms,
        aspects: aspects.collect::<Result<_, _>>()?,
        next: next.collect::<Result<_, _>>()?,
        earliest_end_ms: attributes.time_ms("earliestEnd")?.filter(|ms| *ms >= 0),
        latest_end_ms: attributes.time_ms("latestEnd")?.filter(|ms| *ms >= 0),
    })
}

/// Parameters of an actuated program as they are read.
#[derive(Default)]
struct Parameters {
    actuation: Actuation,
    coordinated: bool,
    cycle_ms: Option<i64>,
}

impl Parameters {
    fn finish(mut self, phases: &[Phase]) -> Actuation {
        let sum_ms = || phases.iter().map(|phase| phase.duration_ms).sum();
        self.actuation.coordinated_ms = self.coordinated.then(|| self.cycle_ms.unwrap_or_else(sum_ms));
        self.actuation
    }

    fn read<R: BufRead>(
        &mut self,
        xml: &XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let attributes = Attributes::new(xml.file(), element);
        let key = attributes.required("key")?;
        let value = attributes.text("value").unwrap_or_default();
        let seconds = || match parse_number(value) {
            Some(number) if number >= 0.0 => Ok(number),
            _ => Err(attributes.error(format!("{key} must be a number of seconds, not '{}'", shorten(value)))),
        };
        let any_number = || {
            let message = || attributes.error(format!("{key} must be a number, not '{}'", shorten(value)));
            parse_number(value).ok_or_else(message)
        };
        if let Some((parameter, lane)) = key.split_once(':').and_then(|(key, lane)| Some((of_lane(key)?, lane))) {
            let mut known = std::mem::take(&mut self.actuation.of_lanes).into_vec();
            known.push((parameter, lane.into(), any_number()?));
            self.actuation.of_lanes = known.into();
            return Ok(());
        }
        match key {
            "max-gap" => self.actuation.max_gap_s = seconds()?,
            "detector-gap" => self.actuation.detector_gap_s = seconds()?,
            "passing-time" => self.actuation.passing_time_s = seconds()?,
            "detector-length" => self.actuation.detector_length_m = seconds()?,
            "inactive-threshold" => self.actuation.inactive_threshold_s = seconds()?,
            "jam-threshold" => self.actuation.jam_threshold_s = Some(any_number()?),
            "vTypes" => self.actuation.vtypes = value.split_ascii_whitespace().map(Into::into).collect(),
            "coordinated" => self.coordinated = attributes.boolean("value")?.unwrap_or(false),
            "cycleTime" => self.cycle_ms = attributes.time_ms("value")?.filter(|ms| *ms > 0),
            _ if key.starts_with("linkMaxDur:") || key.starts_with("linkMinDur:") => {
                let kind = "signal parameters 'linkMaxDur' and 'linkMinDur' are not simulated";
                warnings.add(kind, xml.at(element), "left out");
            }
            _ if value == "NO_DETECTOR" => {
                warnings.add("signal parameter 'NO_DETECTOR' is not simulated", xml.at(element), "the lane has a loop");
            }
            // Looks and outputs of loops, or notes of other programs.
            _ => {}
        }
        Ok(())
    }
}

/// The parameters that can be given for one lane.
fn of_lane(key: &str) -> Option<LaneParameter> {
    Some(match key {
        "max-gap" => LaneParameter::MaxGap,
        "jam-threshold" => LaneParameter::JamThreshold,
        "detector-length" => LaneParameter::DetectorLength,
        _ => return None,
    })
}
