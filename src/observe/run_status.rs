//! Where a run stands.

use serde::{Deserialize, Serialize};

/// Where a run stands. `Idle → NetLoaded → Building → Running ⇄ Paused → Finished | Stopped | Failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// Nothing is loaded.
    #[default]
    Idle,
    /// A scenario is read; its network can be looked at and edited. No graph is built.
    NetLoaded,
    /// The graph is built, cut and placed.
    Building,
    Running,
    Paused,
    /// The last step was done.
    Finished,
    /// Somebody ended it before.
    Stopped,
    /// It could not go on. What is committed stays.
    Failed,
}

/// Where a run stands, for people and machines that look at it from outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    pub state: RunState,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub run: Option<String>,
    /// Steps whose outputs are written, and steps that may be done.
    pub step: u64,
    pub granted: u64,
    /// Simulated time, s.
    pub time: f64,
    /// The last step, when there is an end time.
    pub end_step: Option<u64>,
    pub epoch: u64,
    /// Step of the last committed snapshot.
    pub committed: u64,
    pub vehicles: VehicleCounts,
    /// Simulated seconds a second, over the last seconds.
    pub real_time_factor: f64,
    /// The factor that it is kept to; `None`: none.
    pub speed: Option<f64>,
    pub recoveries: u64,
    pub replayed_steps: u64,
    /// Commands that have been carried out.
    pub commands: u64,
    pub workers: Vec<WorkerStatus>,
    /// Names of workers that were lost, until one of that name has come.
    pub lost_workers: Vec<String>,
    pub partitions: Vec<PartitionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Vehicles of a run, by what has become of them. `loaded = waiting + running + arrived + discarded` (I2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VehicleCounts {
    pub loaded: u64,
    pub waiting: u64,
    pub running: u64,
    pub arrived: u64,
    pub discarded: u64,
    pub teleports: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    pub name: String,
    pub address: String,
    pub connected: bool,
    pub partitions: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionStatus {
    pub partition: u16,
    /// `None`: nobody hosts it at the moment.
    pub worker: Option<String>,
    pub epoch: u64,
    pub stage: &'static str,
    pub step: u64,
    /// Orders that it was sent.
    pub orders: u64,
}
