//! What is to be measured, as the kernel needs it: values without names, files and formats.

use serde::{Deserialize, Serialize};

use crate::ids::{LaneId, SignalId, TypeId};

/// What partitions measure and record beside what every step reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasureSpec {
    /// Sums per lane; [`IntervalReport::request`](crate::sim::report::IntervalReport::request) is an index into them.
    pub mean_data: Vec<MeanDataSpec>,
    /// Stretches of lanes on which single vehicles are followed, metres from the lane's start; some more than once.
    pub stretches: Vec<(LaneId, [f64; 2])>,
    /// What these show is recorded; some more than once.
    pub signals: Vec<SignalId>,
    pub events: RecordedEvents,
}

/// Which vehicles are summed up, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanDataSpec {
    /// Length of an interval; `None`: one interval from begin to end.
    pub period_ms: Option<i64>,
    /// `None`: the begin of the run.
    pub begin_ms: Option<i64>,
    /// `None`: the end of the run.
    pub end_ms: Option<i64>,
    /// Below this speed a vehicle counts as waiting, m/s.
    pub waiting_speed_mps: f64,
    /// Only vehicles of these types count; empty: all.
    pub vtypes: Box<[TypeId]>,
}

/// Events that outputs of a run need, beside what is always reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEvents {
    /// Routes of trips, and routes that were replaced under way.
    pub routes: bool,
    /// When vehicles leave the edges of their routes.
    pub exit_times: bool,
    pub lane_changes: bool,
    pub collisions: bool,
}
