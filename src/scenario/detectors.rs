//! Reads the measurements that additional files ask for: detectors, `edgeData` and `laneData`, and what is recorded of signals.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::{
    AreaRequest, DetectorRequest, EmptyEdges, EntryExitRequest, HaltThresholds, InstantRequest, MeanDataLevel,
    MeanDataRequest, OutputRequests, SignalRecord, SignalRequest,
};
use crate::attributes::Attributes;
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::Network;
use crate::graph::sumo::NetworkIndex;
use crate::ids::{LaneId, SignalId, TypeId};
use crate::xml::{Element, Node, XmlReader, shorten};

/// Lanes inside one junction in a row; two are usual.
const MAX_INTERNAL_LANES: usize = 10;

/// Collects requests. The types that they count may be defined later, so those are looked up at the end.
#[derive(Default)]
pub(super) struct DetectorReader {
    requests: OutputRequests,
    /// Per request with `vTypes`: where the list goes and what it says.
    types: Vec<(Place, String, Location)>,
}

#[derive(Clone, Copy)]
enum Place {
    Detector(usize),
    MeanData(usize),
    Area(usize),
    EntryExit(usize),
    Instant(usize),
}

impl DetectorReader {
    /// Takes an element to its end tag if it asks for a measurement; returns whether it does.
    pub fn read<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<bool, InputError> {
        let attributes = Attributes::new(reader.file(), element);
        match element.name.as_str() {
            "inductionLoop" | "e1Detector" => self.read_induction_loop(attributes, network, index, warnings)?,
            "laneAreaDetector" | "e2Detector" => self.read_area(attributes, network, index, warnings)?,
            "entryExitDetector" | "e3Detector" => {
                self.read_entry_exit(reader, element, network, index, warnings)?;
                return Ok(true);
            }
            "instantInductionLoop" => self.read_instant_loop(attributes, network, index, warnings)?,
            "timedEvent" => self.read_timed_event(attributes, network, index, warnings)?,
            "edgeData" => self.read_mean_data(attributes, MeanDataLevel::Edge, index, warnings)?,
            "laneData" => self.read_mean_data(attributes, MeanDataLevel::Lane, index, warnings)?,
            _ => return Ok(false),
        }
        reader.skip()?;
        Ok(true)
    }

    /// Takes an `inductionLoop`.
    fn read_induction_loop(
        &mut self,
        attributes: Attributes<'_>,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(attributes, warnings);
        let (lane, pos_m) = point(attributes, network, index)?;
        self.note_types(attributes, Place::Detector(self.requests.detectors.len()));
        self.requests.detectors.push(DetectorRequest {
            name: attributes.id()?.into(),
            lane,
            pos_m,
            period_ms: period(attributes)?,
            file: file(attributes)?,
            vtypes: Box::default(),
        });
        Ok(())
    }

    /// Takes an `instantInductionLoop`.
    fn read_instant_loop(
        &mut self,
        attributes: Attributes<'_>,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(attributes, warnings);
        let (lane, pos_m) = point(attributes, network, index)?;
        self.note_types(attributes, Place::Instant(self.requests.instants.len()));
        let (name, file) = (attributes.id()?.into(), file(attributes)?);
        self.requests.instants.push(InstantRequest { name, lane, pos_m, file, vtypes: Box::default() });
        Ok(())
    }

    /// Takes a `laneAreaDetector`.
    fn read_area(
        &mut self,
        attributes: Attributes<'_>,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(attributes, warnings);
        let (lanes, from_m, to_m) = area_place(attributes, network, index)?;
        self.note_types(attributes, Place::Area(self.requests.areas.len()));
        self.requests.areas.push(AreaRequest {
            name: attributes.id()?.into(),
            lanes: lanes.into(),
            from_m,
            to_m,
            period_ms: period(attributes)?,
            file: file(attributes)?,
            vtypes: Box::default(),
            halt: halt_thresholds(attributes)?,
        });
        Ok(())
    }

    /// Takes an `entryExitDetector` with its entries and exits, to its end tag.
    fn read_entry_exit<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let file_name = reader.file().to_owned();
        let attributes = Attributes::new(&file_name, element);
        check_attributes(attributes, warnings);
        let (mut entries, mut exits) = (Vec::new(), Vec::new());
        while let Some(Node::Start(child)) = reader.next()? {
            let gate = Attributes::new(&file_name, &child);
            match child.name.as_str() {
                "detEntry" => entries.push(point(gate, network, index)?),
                "detExit" => exits.push(point(gate, network, index)?),
                "param" => {}
                _ => check_left_out(&child, "entryExitDetector", gate.at(), warnings),
            }
            reader.skip()?;
        }
        self.note_types(attributes, Place::EntryExit(self.requests.entry_exits.len()));
        self.requests.entry_exits.push(EntryExitRequest {
            name: attributes.id()?.into(),
            entries: entries.into(),
            exits: exits.into(),
            period_ms: period(attributes)?,
            file: file(attributes)?,
            vtypes: Box::default(),
            halt: halt_thresholds(attributes)?,
            expect_arrival: attributes.boolean("expectArrival")?.unwrap_or(false),
        });
        Ok(())
    }

    /// Takes a `timedEvent`.
    fn read_timed_event(
        &mut self,
        attributes: Attributes<'_>,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(attributes, warnings);
        let record = match attributes.text("type").unwrap_or_default() {
            "SaveTLSStates" => SignalRecord::States,
            "SaveTLSSwitchTimes" => SignalRecord::SwitchTimes,
            "SaveTLSSwitchStates" => SignalRecord::SwitchStates,
            "SaveTLSProgram" => SignalRecord::Program,
            other => {
                let kind = format!("timedEvent of type '{}' is not supported", shorten(other));
                warnings.add(kind, attributes.at(), "it is left out");
                return Ok(());
            }
        };
        let base = Path::new(attributes.file()).parent().unwrap_or(Path::new(""));
        let file = base.join(attributes.required("dest")?.trim());
        // Without a source all signals are recorded, as in SUMO.
        let Some(name) = attributes.text("source") else {
            let all = network.signals.iter().enumerate();
            self.requests.signals.extend(all.map(|(at, signal)| SignalRequest {
                name: signal.name.clone(),
                signal: SignalId::new(at),
                record,
                file: file.clone(),
            }));
            return Ok(());
        };
        let name = name.trim();
        let signal =
            index.signal(name).ok_or_else(|| attributes.error(format!("signal '{name}' is not in the network")))?;
        self.requests.signals.push(SignalRequest { name: name.into(), signal, record, file });
        Ok(())
    }

    /// Takes an `edgeData` or `laneData`.
    fn read_mean_data(
        &mut self,
        attributes: Attributes<'_>,
        level: MeanDataLevel,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let name = &attributes.element().name;
        if let Some(kind) = attributes.text("type").filter(|t| !matches!(*t, "" | "traffic" | "performance")) {
            warnings.add(
                format!("{name} of type '{}' is not supported", shorten(kind)),
                attributes.at(),
                "it is not written",
            );
            return Ok(());
        }
        check_attributes(attributes, warnings);
        let empty = match attributes.text("excludeEmpty") {
            Some("defaults") => EmptyEdges::Defaults,
            _ if attributes.boolean("excludeEmpty")?.unwrap_or(false) => EmptyEdges::Exclude,
            _ => EmptyEdges::Include,
        };
        let mut edges = Vec::new();
        for edge in attributes.text("edges").unwrap_or_default().split_whitespace() {
            let found = index.edge(edge);
            edges.push(
                found.ok_or_else(|| attributes.error(format!("edge '{}' is not in the network", shorten(edge))))?,
            );
        }
        self.note_types(attributes, Place::MeanData(self.requests.mean_data.len()));
        let max_travel_time_s = attributes.positive("maxTraveltime")?.or(attributes.positive("maxTravelTime")?);
        let plain = MeanDataRequest::new(attributes.id()?, level, file(attributes)?);
        self.requests.mean_data.push(MeanDataRequest {
            period_ms: period(attributes)?,
            begin_ms: attributes.time_ms("begin")?.filter(|t| *t >= 0),
            end_ms: attributes.time_ms("end")?.filter(|t| *t >= 0),
            empty,
            with_internal: attributes.boolean("withInternal")?.unwrap_or(plain.with_internal),
            track_vehicles: attributes.boolean("trackVehicles")?.unwrap_or(plain.track_vehicles),
            min_samples_s: attributes.non_negative("minSamples")?.unwrap_or(plain.min_samples_s),
            max_travel_time_s: max_travel_time_s.unwrap_or(plain.max_travel_time_s),
            waiting_speed_mps: attributes.non_negative("speedThreshold")?.unwrap_or(plain.waiting_speed_mps),
            edges: edges.into(),
            ..plain
        });
        Ok(())
    }

    fn note_types(&mut self, attributes: Attributes<'_>, place: Place) {
        if let Some(names) = attributes.text("vTypes").filter(|names| !names.trim().is_empty()) {
            self.types.push((place, names.to_owned(), attributes.at()));
        }
    }

    /// `types_named` knows all types of the scenario.
    pub fn finish(
        mut self,
        types_named: impl Fn(&str) -> Option<Vec<TypeId>>,
        warnings: &mut Warnings,
    ) -> Result<OutputRequests, InputError> {
        for (place, names, at) in self.types {
            let mut vtypes = Vec::new();
            for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
                // As in SUMO, which compares names only: no vehicle is of this type.
                vtypes.extend(types_named(name).unwrap_or_else(|| {
                    let kind = format!("vehicle type '{}' is not known", shorten(name));
                    warnings.add(kind, at.clone(), "no vehicle of this type is measured");
                    vec![TypeId::NONE]
                }));
            }
            match place {
                Place::Detector(n) => self.requests.detectors[n].vtypes = vtypes.into(),
                Place::MeanData(n) => self.requests.mean_data[n].vtypes = vtypes.into(),
                Place::Area(n) => self.requests.areas[n].vtypes = vtypes.into(),
                Place::EntryExit(n) => self.requests.entry_exits[n].vtypes = vtypes.into(),
                Place::Instant(n) => self.requests.instants[n].vtypes = vtypes.into(),
            }
        }
        separate_files(&mut self.requests, warnings);
        Ok(self.requests)
    }
}

/// Detectors of different kinds that name one file get a file for each kind: SUMO mixes them into one, which no tool reads.
fn separate_files(requests: &mut OutputRequests, warnings: &mut Warnings) {
    let mut taken: BTreeSet<PathBuf> = requests.mean_data.iter().map(|request| request.file.clone()).collect();
    let mut separate = |kind: &str, files: Vec<&mut PathBuf>| {
        let mut own = BTreeSet::new();
        for file in files {
            let is_nowhere = file.ends_with("NUL") || file.ends_with("stdout") || *file == Path::new("/dev/null");
            if taken.contains(file.as_path()) && !is_nowhere {
                let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let name = format!("{kind}_{name}");
                let message = format!("those of kind {kind} are written to '{name}'");
                warnings.add(
                    "detectors of several kinds name one file",
                    Location::file(file.to_string_lossy()),
                    message,
                );
                file.set_file_name(name);
            }
            own.insert(file.clone());
        }
        taken.extend(own);
    };
    separate("e1", requests.detectors.iter_mut().map(|request| &mut request.file).collect());
    separate("e2", requests.areas.iter_mut().map(|request| &mut request.file).collect());
    separate("e3", requests.entry_exits.iter_mut().map(|request| &mut request.file).collect());
    separate("instant", requests.instants.iter_mut().map(|request| &mut request.file).collect());
}

fn lane_named(attributes: Attributes<'_>, name: &str, index: &NetworkIndex) -> Result<LaneId, InputError> {
    index.lane(name).ok_or_else(|| attributes.error(format!("lane '{}' is not in the network", shorten(name))))
}

/// `lane` and `pos`.
fn point(attributes: Attributes<'_>, network: &Network, index: &NetworkIndex) -> Result<(LaneId, f64), InputError> {
    let lane = lane_named(attributes, attributes.required("lane")?.trim(), index)?;
    let given_m = attributes.number("pos")?.ok_or_else(|| attributes.error("attribute 'pos' is missing"))?;
    Ok((lane, place_on(attributes, "pos", given_m, network.lane(lane).length_m)?))
}

/// A position on a lane; a negative one counts from its end.
fn place_on(attributes: Attributes<'_>, key: &str, given_m: f64, length_m: f64) -> Result<f64, InputError> {
    let pos_m = if given_m < 0.0 { given_m + length_m } else { given_m };
    if (0.0..=length_m).contains(&pos_m) {
        return Ok(pos_m);
    }
    if !attributes.boolean("friendlyPos")?.unwrap_or(false) {
        let message = format!("{key}={given_m} is not on the lane ({length_m} m); correct it or set friendlyPos");
        return Err(attributes.error(message));
    }
    Ok(pos_m.clamp(0.0, length_m))
}

fn halt_thresholds(attributes: Attributes<'_>) -> Result<HaltThresholds, InputError> {
    Ok(HaltThresholds {
        time_ms: attributes.time_ms("timeThreshold")?.unwrap_or(1000).max(0),
        speed_mps: attributes.non_negative("speedThreshold")?.unwrap_or(5.0 / 3.6),
    })
}

/// The lanes of an area, with those inside junctions, and where it begins on the first and ends on the last.
fn area_place(
    attributes: Attributes<'_>,
    network: &Network,
    index: &NetworkIndex,
) -> Result<(Vec<LaneId>, f64, f64), InputError> {
    let length = |lane: LaneId| network.lane(lane).length_m;
    let on = |key: &str, lane: LaneId| -> Result<Option<f64>, InputError> {
        let given_m = attributes.number(key)?;
        given_m.map(|given_m| place_on(attributes, key, given_m, length(lane))).transpose()
    };
    if let Some(names) = attributes.text("lanes").filter(|names| !names.trim().is_empty()) {
        let mut lanes: Vec<LaneId> = Vec::new();
        for name in names.split_whitespace() {
            let lane = lane_named(attributes, name, index)?;
            if let Some(before) = lanes.last() {
                let between = way_between(network, *before, lane).ok_or_else(|| {
                    attributes.error(format!("lane '{}' does not follow the one before it", shorten(name)))
                })?;
                lanes.extend(between);
            }
            lanes.push(lane);
        }
        let (first, last) = (lanes[0], lanes[lanes.len() - 1]);
        let (from_m, to_m) = (on("pos", first)?.unwrap_or(0.0), on("endPos", last)?.unwrap_or(length(last)));
        return Ok((lanes, from_m, to_m));
    }
    let lane = lane_named(attributes, attributes.required("lane")?.trim(), index)?;
    let mut lanes = vec![lane];
    let (from_m, to_m, length_m) = (on("pos", lane)?, on("endPos", lane)?, attributes.positive("length")?);
    let (mut from_m, mut to_m) = match (from_m, to_m, length_m) {
        (Some(from_m), None, Some(length_m)) => (from_m, from_m + length_m),
        (None, Some(to_m), Some(length_m)) => (to_m - length_m, to_m),
        (from_m, to_m, _) => (from_m.unwrap_or(0.0), to_m.unwrap_or(length(lane))),
    };
    // Beyond the ends of the lane it goes on along the first way.
    while from_m < 0.0 {
        let Some(link) = network.incoming[network.lane(lanes[0]).incoming.range()].first() else {
            from_m = 0.0;
            break;
        };
        let before = network.link(*link).from;
        from_m += length(before);
        lanes.insert(0, before);
    }
    while to_m > length(lanes[lanes.len() - 1]) {
        let last = lanes[lanes.len() - 1];
        let Some(link) = network.links_of(last).next() else {
            to_m = length(last);
            break;
        };
        to_m -= length(last);
        lanes.push(network.link(link).next);
    }
    if lanes.len() == 1 && from_m >= to_m {
        return Err(attributes.error("the detector has no length; correct 'pos', 'endPos' or 'length'"));
    }
    Ok((lanes, from_m, to_m))
}

/// The lanes inside a junction from one lane to another.
fn way_between(network: &Network, from: LaneId, to: LaneId) -> Option<Vec<LaneId>> {
    if network.links_of(from).any(|link| network.link(link).next == to) {
        return Some(Vec::new());
    }
    let mut at = network.links_of(from).map(|link| network.link(link)).find(|link| link.to == to)?.next;
    let mut way = Vec::new();
    while at != to && way.len() < MAX_INTERNAL_LANES {
        way.push(at);
        at = network.links_of(at).next().map(|link| network.link(link).next)?;
    }
    (at == to).then_some(way)
}

/// `period`, in old files `freq`; `None`: one interval.
fn period(attributes: Attributes<'_>) -> Result<Option<i64>, InputError> {
    let key = if attributes.has("period") { "period" } else { "freq" };
    Ok(attributes.time_ms(key)?.filter(|ms| *ms > 0))
}

/// Relative to the directory of the file that names it.
fn file(attributes: Attributes<'_>) -> Result<PathBuf, InputError> {
    let base = Path::new(attributes.file()).parent().unwrap_or(Path::new(""));
    Ok(base.join(attributes.required("file")?.trim()))
}
