//! `<WAUT>`: plans that switch signal programs by the time of day.

use std::io::BufRead;

use super::builder::NetworkBuilder;
use super::draft::{PlanUse, SignalDraft, SwitchPlan};
use crate::attributes::Attributes;
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::{Actuation, Program, ProgramKind, Switch};
use crate::xml::{Element, Node, XmlReader, shorten};

/// Most switches of one WAUT; every signal that follows it holds a copy.
const MAX_SWITCHES: usize = 1000;

/// What the plans say about one signal.
#[derive(Clone, Default)]
pub(super) struct Switching {
    /// The program at the start, when a plan sets it.
    pub initial: Option<u32>,
    pub switches: Vec<Switch>,
}

impl NetworkBuilder {
    /// Reads a `<WAUT>` whose start tag was just read, with its `<wautSwitch>` children. Times of switches count from
    /// `refTime`.
    pub fn read_waut<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let place = self.place(xml, element);
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        let name: Box<str> = attributes.name("id")?.into();
        if let Some(known) = self.plans.get(&name) {
            return Err(attributes.error(known.place.is_taken()));
        }
        let reference_ms = attributes.time_ms("refTime")?.unwrap_or(0);
        let start_program = Some(attributes.name("startProg")?.into());
        let mut switches = Vec::new();
        while let Some(Node::Start(child)) = xml.next()? {
            if switches.len() == MAX_SWITCHES {
                return Err(xml.error(&child, format!("the WAUT has more than {MAX_SWITCHES} switches")));
            }
            if child.name == "wautSwitch" {
                let attributes = Attributes::new(xml.file(), &child);
                let time_ms = attributes.required_time_ms("time")?;
                switches.push((reference_ms.saturating_add(time_ms), attributes.name("to")?.into()));
            } else {
                check_left_out(&child, "WAUT", xml.at(&child), warnings);
            }
            xml.skip()?;
        }
        switches.sort_by_key(|(time_ms, _)| *time_ms);
        self.plans.insert(name, SwitchPlan { start_program, switches, place });
        Ok(())
    }

    /// Reads a `<wautJunction>` whose start tag was just read: the signal that follows a plan.
    pub fn read_waut_junction<R: BufRead>(
        &mut self,
        xml: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let place = self.place(xml, element);
        let attributes = Attributes::new(xml.file(), element);
        check_attributes(attributes, warnings);
        let [plan, signal] = [attributes.name("wautID")?.into(), attributes.name("junctionID")?.into()];
        if let Some(procedure) = attributes.text("procedure").filter(|p| !p.is_empty() && *p != "immediate") {
            let kind = format!("WAUT procedure '{}' is not simulated", shorten(procedure));
            warnings.add(kind, xml.at(element), "programs are switched at once");
        }
        self.plan_uses.push(PlanUse { plan, signal, place });
        xml.skip()
    }

    /// What each signal shows when.
    pub(super) fn resolve_plans(&mut self) -> Result<Vec<Switching>, InputError> {
        let mut by_signal: Vec<Option<Switching>> = vec![None; self.signals.len()];
        let plans = std::mem::take(&mut self.plans);
        for used in std::mem::take(&mut self.plan_uses) {
            let fail = |builder: &Self, message: String| {
                InputError::new(builder.at(used.place, format!("wautJunction '{}'", shorten(&used.signal))), message)
            };
            let Some(plan) = plans.get(&used.plan) else {
                return Err(fail(self, format!("names the unknown WAUT '{}'", shorten(&used.plan))));
            };
            let Some(&signal) = self.signal_ids.get(&used.signal) else {
                return Err(fail(self, "names an unknown signal".to_owned()));
            };
            if by_signal[signal.index()].is_some() {
                return Err(fail(self, "the signal follows a WAUT already".to_owned()));
            }
            let mut switching = Switching::default();
            let steps = plan.start_program.iter().map(|name| (None, name));
            for (time_ms, name) in steps.chain(plan.switches.iter().map(|(time_ms, name)| (Some(*time_ms), name))) {
                let Some(program) = program_index(&mut self.signals[signal.index()], name) else {
                    return Err(fail(self, format!("the signal has no program '{}' of its WAUT", shorten(name))));
                };
                match time_ms {
                    Some(time_ms) => switching.switches.push(Switch { time_ms, program }),
                    None => switching.initial = Some(program),
                }
            }
            by_signal[signal.index()] = Some(switching);
        }
        Ok(by_signal.into_iter().map(Option::unwrap_or_default).collect())
    }
}

/// Index of a program by name. Every signal can be switched to `off`.
fn program_index(signal: &mut SignalDraft, name: &str) -> Option<u32> {
    if let Some(known) = signal.programs.iter().position(|program| &*program.name == name) {
        return Some(known as u32);
    }
    (name == "off").then(|| {
        signal.programs.push(Program {
            name: name.into(),
            kind: ProgramKind::Off,
            offset_ms: 0,
            phases: Box::default(),
            actuation: Actuation::default(),
        });
        (signal.programs.len() - 1) as u32
    })
}
