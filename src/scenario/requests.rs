//! What the user asked to have measured and written: detectors and mean-data files from additional files, and the
//! output files of a configuration. Only says what is wanted; the writing is done elsewhere.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::diagnostics::{Location, Warnings};
use crate::ids::{EdgeId, LaneId, SignalId, TypeId};
use crate::sim::{MeanDataSpec, MeasureSpec, RecordedEvents, ReportOptions};

/// The output files named in a configuration or on the command line; `None`: not wanted. Paths are resolved (relative
/// ones in a configuration are relative to its directory).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPaths {
    /// `tripinfo-output`: one element per finished trip.
    pub tripinfo: Option<PathBuf>,
    /// `tripinfo-output.write-unfinished`: also the trips that are under way at the end.
    pub tripinfo_unfinished: bool,
    /// `summary-output`: one element per step.
    pub summary: Option<PathBuf>,
    /// `summary-output.period`; 0: every step.
    pub summary_period_ms: i64,
    /// `edgedata-output`: one interval over the whole run.
    pub edgedata: Option<PathBuf>,
    /// `lanedata-output`: one interval over the whole run.
    pub lanedata: Option<PathBuf>,
    /// `fcd-output`: every vehicle in every step.
    pub fcd: Option<PathBuf>,
    /// `device.fcd.period`; 0: every step.
    pub fcd_period_ms: i64,
    /// `statistic-output`: totals of the run.
    pub statistic: Option<PathBuf>,
    /// `vehroute-output`: the routes of vehicles.
    pub vehroute: Option<PathBuf>,
    pub vehroute_options: VehrouteOptions,
    /// `lanechange-output`.
    pub lane_changes: Option<PathBuf>,
    /// `collision-output`.
    pub collisions: Option<PathBuf>,
    /// `stop-output`: the stops that vehicles made.
    pub stops: Option<PathBuf>,
    /// `queue-output`: queues at the ends of lanes.
    pub queues: Option<PathBuf>,
    pub queue_options: QueueOptions,
    /// `netstate-dump`: all vehicles by lane, each step.
    pub netstate: Option<PathBuf>,
    /// `netstate-dump.empty-edges`.
    pub netstate_empty_edges: bool,
    /// `netstate-dump.precision`.
    pub netstate_precision: Option<u8>,
    /// `output-prefix`: goes before the file name of every output, also of those in additional files.
    pub prefix: String,
    /// `output-suffix`: goes between name and ending.
    pub suffix: String,
    pub style: OutputStyle,
}

impl OutputPaths {
    /// The files that are written, and not those that additional files ask for.
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let Self { tripinfo, summary, edgedata, lanedata, fcd, statistic, vehroute, .. } = self;
        let Self { lane_changes, collisions, queues, netstate, stops, .. } = self;
        let known = [tripinfo, summary, edgedata, lanedata, fcd, statistic, vehroute];
        known.into_iter().chain([lane_changes, collisions, queues, netstate, stops]).flatten()
    }

    /// Every vehicle in every step has to be told.
    pub fn needs_every_vehicle(&self) -> bool {
        self.fcd.is_some() || self.queues.is_some() || self.netstate.is_some()
    }

    /// Trips under way at the end have to be told.
    pub fn needs_unfinished(&self) -> bool {
        (self.tripinfo.is_some() && self.tripinfo_unfinished)
            || (self.vehroute.is_some() && self.vehroute_options.write_unfinished)
    }

    /// What the outputs of a run need to be told, these and those of additional files.
    pub fn report_options(&self, requests: &OutputRequests) -> ReportOptions {
        ReportOptions {
            fcd: self.needs_every_vehicle() || requests.crossings.is_some() || !requests.entry_exits.is_empty(),
            digest: false,
            unfinished: self.needs_unfinished(),
        }
    }

    /// Events that the outputs need.
    pub fn events(&self) -> RecordedEvents {
        RecordedEvents {
            routes: self.vehroute.is_some(),
            exit_times: self.vehroute.is_some() && self.vehroute_options.exit_times,
            lane_changes: self.lane_changes.is_some(),
            collisions: self.collisions.is_some(),
        }
    }

    /// A file is Parquet, which is not written step by step.
    pub fn writes_parquet(&self, requests: &OutputRequests) -> bool {
        self.files().chain(requests.files()).any(|path| self.style.format_of(path) == OutputFormat::Parquet)
    }
}

/// `vehroute-output.…`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VehrouteOptions {
    pub exit_times: bool,
    /// Routes that were given up are left out.
    pub last_route: bool,
    /// Vehicles in the order of their departures.
    pub sorted: bool,
    pub write_unfinished: bool,
    pub cost: bool,
    pub route_length: bool,
    /// The departure time that was asked for, not that of the insertion.
    pub intended_depart: bool,
}

/// `queue-output.…`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueOptions {
    /// 0: every step.
    pub period_ms: i64,
    /// `speed-threshold`: below this speed a vehicle belongs to a queue, m/s.
    pub slow_mps: f64,
    /// Steps without a queue are left out.
    pub skip_empty: bool,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { period_ms: 0, slow_mps: 5.0 / 3.6, skip_empty: false }
    }
}

impl Eq for QueueOptions {}

/// How outputs are written, whatever is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputStyle {
    /// `output.format`, of files whose names end neither in `.csv` nor in `.parquet`.
    pub format: OutputFormat,
    /// `precision`: decimal places; `None`: two, or three where the step is no multiple of 10 ms.
    pub precision: Option<u8>,
    /// `human-readable-time`: times as HH:MM:SS.
    pub human_readable_time: bool,
    /// `output.column-header`.
    pub column_header: ColumnHeader,
    /// `output.column-separator`; `None`: a semicolon.
    pub column_separator: Option<String>,
}

impl OutputStyle {
    /// The format of a file, by its name if that tells it. An ending `.gz` is about compression, not about the format.
    pub fn format_of(&self, path: &Path) -> OutputFormat {
        let ending = |path: &Path| path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let ending = match ending(path) {
            Some(gz) if gz == "gz" => path.file_stem().and_then(|stem| ending(Path::new(stem))),
            other => other,
        };
        match ending.as_deref() {
            Some("csv") => OutputFormat::Csv,
            Some("parquet") => OutputFormat::Parquet,
            _ => self.format,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputFormat {
    #[default]
    Xml,
    Csv,
    Parquet,
}

/// How columns are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnHeader {
    /// There is no line with names.
    None,
    /// Element and attribute.
    Tag,
    /// As `Tag`.
    #[default]
    Auto,
    /// The attribute alone.
    Plain,
    /// All elements around the attribute, and the attribute.
    Full,
}

/// The measurements that additional files ask for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputRequests {
    pub detectors: Vec<DetectorRequest>,
    pub mean_data: Vec<MeanDataRequest>,
    /// Who comes into a region and goes through it.
    pub crossings: Option<CrossingsRequest>,
    pub areas: Vec<AreaRequest>,
    pub entry_exits: Vec<EntryExitRequest>,
    pub instants: Vec<InstantRequest>,
    pub signals: Vec<SignalRequest>,
    pub events: RecordedEvents,
}

impl OutputRequests {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let mean_data = self.mean_data.iter().map(|request| &request.file);
        let loops = self.detectors.iter().map(|request| &request.file);
        let areas = self.areas.iter().map(|request| &request.file);
        let entry_exits = self.entry_exits.iter().map(|request| &request.file);
        let instants = self.instants.iter().map(|request| &request.file);
        let signals = self.signals.iter().map(|request| &request.file);
        mean_data.chain(loops).chain(areas).chain(entry_exits).chain(instants).chain(signals)
    }

    /// Stretches of lanes on which detectors follow single vehicles, metres from the lane's start; some more than once.
    pub(super) fn watched_stretches(&self) -> impl Iterator<Item = (LaneId, [f64; 2])> + '_ {
        let whole = |lane: &LaneId| (*lane, [f64::NEG_INFINITY, f64::INFINITY]);
        let areas = self.areas.iter().flat_map(move |area| area.lanes.iter().map(whole));
        let gates = move |request: &'_ EntryExitRequest| -> Vec<_> {
            request.entries.iter().chain(&request.exits).map(|(lane, _)| whole(lane)).collect()
        };
        let loops = self.detectors.iter().map(|request| (request.lane, [request.pos_m; 2]));
        let instants = self.instants.iter().map(|request| (request.lane, [request.pos_m; 2]));
        areas.chain(self.entry_exits.iter().flat_map(gates)).chain(loops).chain(instants)
    }

    /// Types of vehicles that detectors count, and the lengths of their intervals.
    pub(super) fn counted_types(&self) -> impl Iterator<Item = (&[TypeId], Option<i64>)> {
        let loops = self.detectors.iter().map(|request| (&*request.vtypes, request.period_ms));
        let areas = self.areas.iter().map(|request| (&*request.vtypes, request.period_ms));
        let entry_exits = self.entry_exits.iter().map(|request| (&*request.vtypes, request.period_ms));
        let instants = self.instants.iter().map(|request| (&*request.vtypes, None));
        loops.chain(areas).chain(entry_exits).chain(instants)
    }

    /// A network was edited; `None`: the lane is gone. Detectors whose lanes are all there get their new numbers; the names of the
    /// others are returned.
    pub(super) fn renumber_detectors(&mut self, lane: impl Fn(LaneId) -> Option<LaneId>) -> Vec<Box<str>> {
        let mut gone = Vec::new();
        let mut keep = |name: &str, lanes: &mut dyn Iterator<Item = &mut LaneId>| {
            let mut all = true;
            for id in lanes {
                match lane(*id) {
                    Some(moved) => *id = moved,
                    None => all = false,
                }
            }
            if !all {
                gone.push(name.into());
            }
            all
        };
        self.detectors.retain_mut(|d| keep(&d.name, &mut std::iter::once(&mut d.lane)));
        self.areas.retain_mut(|d| keep(&d.name, &mut d.lanes.iter_mut()));
        self.instants.retain_mut(|d| keep(&d.name, &mut std::iter::once(&mut d.lane)));
        self.entry_exits
            .retain_mut(|d| keep(&d.name, &mut d.entries.iter_mut().chain(&mut d.exits).map(|(lane, _)| lane)));
        gone
    }

    /// What can be measured in a network made of the one before. `lane` and `edge` say what has become of one, NONE where it is
    /// gone; `signal` finds one by name. There is one warning for the detectors that are left out, of the first kind of `gone`, and one for the mean data.
    pub(super) fn moved(
        self,
        lane: impl Fn(LaneId) -> LaneId,
        edge: impl Fn(EdgeId) -> EdgeId,
        signal: impl Fn(&str) -> Option<SignalId>,
        gone: [&str; 2],
        at: &Location,
        warnings: &mut Warnings,
    ) -> Self {
        let moved = |edges: &[EdgeId]| -> Box<[EdgeId]> {
            edges.iter().map(|id| edge(*id)).filter(|id| id.is_some()).collect()
        };
        let mut kept = Self { mean_data: Vec::new(), crossings: None, ..self };
        for name in kept.renumber_detectors(|id| Some(lane(id)).filter(|lane| lane.is_some())) {
            warnings.add(gone[0], at.clone(), format!("'{name}' and others like it are left out"));
        }
        kept.signals.retain_mut(|request| {
            let found = signal(&request.name);
            request.signal = found.unwrap_or(request.signal);
            found.is_some()
        });
        for request in self.mean_data {
            let edges = moved(&request.edges);
            // No edges would mean all.
            if edges.is_empty() && !request.edges.is_empty() {
                warnings.add(gone[1], at.clone(), format!("'{}' is not written", request.name));
            } else {
                kept.mean_data.push(MeanDataRequest { edges, ..request });
            }
        }
        kept.crossings = self.crossings.map(|request| CrossingsRequest { edges: moved(&request.edges), ..request });
        kept
    }
}

/// What partitions measure for these outputs.
impl From<&OutputRequests> for MeasureSpec {
    fn from(requests: &OutputRequests) -> Self {
        let mean_data = requests.mean_data.iter().map(|request| MeanDataSpec {
            period_ms: request.period_ms,
            begin_ms: request.begin_ms,
            end_ms: request.end_ms,
            waiting_speed_mps: request.waiting_speed_mps,
            vtypes: request.vtypes.clone(),
        });
        Self {
            mean_data: mean_data.collect(),
            stretches: requests.watched_stretches().collect(),
            signals: requests.signals.iter().map(|request| request.signal).collect(),
            events: requests.events,
        }
    }
}

impl From<OutputRequests> for MeasureSpec {
    fn from(requests: OutputRequests) -> Self {
        Self::from(&requests)
    }
}

/// `--record-crossings`: the ways of vehicles through the surroundings of a region, for a later run of the region alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossingsRequest {
    #[serde(with = "super::path_bytes")]
    pub file: PathBuf,
    /// What such a run would simulate, by id.
    pub edges: Box<[EdgeId]>,
}

/// `inductionLoop` (old name `e1Detector`): counts what passes a point of a lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorRequest {
    pub name: Box<str>,
    pub lane: LaneId,
    /// Metres from the start of the lane, 0 ≤ `pos_m` ≤ lane length.
    pub pos_m: f64,
    /// Length of an interval (`period`, old name `freq`); `None`: one interval over the whole run.
    pub period_ms: Option<i64>,
    /// Where to write; several detectors may share a file.
    #[serde(with = "super::path_bytes")]
    pub file: PathBuf,
    /// Only vehicles of these types count (`vTypes`); empty: all.
    pub vtypes: Box<[TypeId]>,
}

/// When a detector takes a vehicle to stand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HaltThresholds {
    /// `timeThreshold`: after this time (ms) of driving slower than
    pub time_ms: i64,
    /// `speedThreshold`, m/s.
    pub speed_mps: f64,
}

/// `laneAreaDetector` (old name `e2Detector`): follows the vehicles on a part of one or several lanes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AreaRequest {
    pub name: Box<str>,
    /// One after the other in the direction of travel, with the lanes inside junctions.
    pub lanes: Box<[LaneId]>,
    /// Where it begins on the first lane and ends on the last one, metres from the lanes' starts.
    pub from_m: f64,
    pub to_m: f64,
    pub period_ms: Option<i64>,
    #[serde(with = "super::path_bytes")]
    pub file: PathBuf,
    pub vtypes: Box<[TypeId]>,
    pub halt: HaltThresholds,
}

/// `entryExitDetector` (old name `e3Detector`): measures vehicles on their way from one of its entries to one of its exits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryExitRequest {
    pub name: Box<str>,
    /// Lane and metres from its start.
    pub entries: Box<[(LaneId, f64)]>,
    pub exits: Box<[(LaneId, f64)]>,
    pub period_ms: Option<i64>,
    #[serde(with = "super::path_bytes")]
    pub file: PathBuf,
    pub vtypes: Box<[TypeId]>,
    pub halt: HaltThresholds,
    /// `expectArrival`: a vehicle that ends its trip inside has left.
    pub expect_arrival: bool,
}

/// `instantInductionLoop`: tells of each vehicle when it reaches and leaves a point of a lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstantRequest {
    pub name: Box<str>,
    pub lane: LaneId,
    pub pos_m: f64,
    #[serde(with = "super::path_bytes")]
    pub file: PathBuf,
    pub vtypes: Box<[TypeId]>,
}

/// What a `timedEvent` writes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignalRecord {
    /// `SaveTLSStates`: what it shows, each step.
    States,
    /// `SaveTLSSwitchTimes`: the green times of each link.
    SwitchTimes,
    /// `SaveTLSSwitchStates`: what it shows, when that changes.
    SwitchStates,
    /// `SaveTLSProgram`: the phases that it shows, as a program.
    Program,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalRequest {
    pub name: Box<str>,
    pub signal: SignalId,
    pub record: SignalRecord,
    #[serde(with = "super::path_bytes")]
    pub file: PathBuf,
}

/// Whether a mean-data file is about edges or lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeanDataLevel {
    /// `edgeData`.
    Edge,
    /// `laneData`.
    Lane,
}

/// `excludeEmpty`: what is written for an edge or lane that no vehicle used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmptyEdges {
    /// `true`: the element is left out.
    Exclude,
    /// `false` (SUMO's default): the element is written with its few known values.
    #[default]
    Include,
    /// `defaults`: the element is written with free-flow values.
    Defaults,
}

/// `edgeData` or `laneData`: traffic measures per edge or lane and interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanDataRequest {
    pub name: Box<str>,
    pub level: MeanDataLevel,
    /// Several requests may share a file.
    #[serde(with = "super::path_bytes")]
    pub file: PathBuf,
    /// Length of an interval (`period`, old name `freq`); `None`: one interval from `begin` to `end`.
    pub period_ms: Option<i64>,
    /// `None`: the begin of the run.
    pub begin_ms: Option<i64>,
    /// `None`: the end of the run.
    pub end_ms: Option<i64>,
    pub empty: EmptyEdges,
    /// `withInternal`: internal edges too.
    pub with_internal: bool,
    /// `trackVehicles`: a vehicle counts in the interval in which it entered the edge.
    pub track_vehicles: bool,
    /// `minSamples`: edges with fewer vehicle seconds count as empty.
    pub min_samples_s: f64,
    /// `maxTraveltime`: greatest travel time that is written, seconds.
    pub max_travel_time_s: f64,
    /// `speedThreshold`: below this speed (m/s) a vehicle counts as waiting.
    pub waiting_speed_mps: f64,
    /// Only vehicles of these types count (`vTypes`); empty: all.
    pub vtypes: Box<[TypeId]>,
    /// Only these edges are written (`edges`); empty: all.
    pub edges: Box<[EdgeId]>,
}

impl MeanDataRequest {
    /// One interval over the whole run, of all edges and vehicles: as in SUMO where nothing more is said.
    pub fn new(name: &str, level: MeanDataLevel, file: PathBuf) -> Self {
        Self {
            name: name.into(),
            level,
            file,
            period_ms: None,
            begin_ms: None,
            end_ms: None,
            empty: EmptyEdges::default(),
            with_internal: false,
            track_vehicles: false,
            min_samples_s: 0.0,
            max_travel_time_s: 100_000.0,
            waiting_speed_mps: 0.1,
            vtypes: Box::default(),
            edges: Box::default(),
        }
    }
}
