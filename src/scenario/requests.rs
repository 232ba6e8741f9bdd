//! What the user asked to have measured and written: detectors and mean-data files from additional files, and the
//! output files of a configuration. Only says what is wanted; the writing is done elsewhere.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::diagnostics::{Location, Warnings};
use crate::ids::{EdgeId, LaneId, TypeId};

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
    /// `output-prefix`: goes before the file name of every output, also of those in additional files.
    pub prefix: String,
}

impl OutputPaths {
    /// A file is not written step by step.
    pub fn writes_parquet(&self) -> bool {
        self.fcd.as_ref().and_then(|path| path.extension()).is_some_and(|extension| extension == "parquet")
    }
}

/// The measurements that additional files ask for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputRequests {
    pub detectors: Vec<DetectorRequest>,
    pub mean_data: Vec<MeanDataRequest>,
    /// Who comes into a region and goes through it.
    pub crossings: Option<CrossingsRequest>,
}

impl OutputRequests {
    /// What can be measured in a network made of the one before. `lane` and `edge` say what has become of one: NONE where it is
    /// gone. There is one warning for the detectors that are left out, of the first kind of `gone`, and one for the mean data.
    pub(super) fn moved(
        self,
        lane: impl Fn(LaneId) -> LaneId,
        edge: impl Fn(EdgeId) -> EdgeId,
        gone: [&str; 2],
        at: &Location,
        warnings: &mut Warnings,
    ) -> Self {
        let moved = |edges: &[EdgeId]| -> Box<[EdgeId]> {
            edges.iter().map(|id| edge(*id)).filter(|id| id.is_some()).collect()
        };
        let mut kept = Self::default();
        for detector in self.detectors {
            let lane = lane(detector.lane);
            if lane.is_some() {
                kept.detectors.push(DetectorRequest { lane, ..detector });
            } else {
                let message = format!("'{}' and others like it are left out", detector.name);
                warnings.add(gone[0], at.clone(), message);
            }
        }
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
