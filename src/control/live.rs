//! What streams carry: the newest state, and who wants to see what. Only the newest counts, so nothing queues up (I7).

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use super::command::{Subscription, Topic};
use super::lifecycle::RunState;
use crate::graph::Network;

/// Vehicles that one view tells at most (I7).
pub const MAX_VEHICLES: usize = 50_000;

/// What all streams together ask of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interest {
    /// Areas whose vehicles are watched, as x0, y0, x1, y1 in metres of the network; `None` among them: everywhere.
    pub vehicles: Vec<Option<[f64; 4]>>,
    pub edges: bool,
    pub signals: bool,
    /// Greatest number of updates a second that anybody wants.
    pub rate_hz: f64,
}

impl Interest {
    /// Of all subscriptions.
    pub fn of<'a>(subscriptions: impl Iterator<Item = &'a Subscription>) -> Self {
        let mut interest = Self::default();
        for subscription in subscriptions {
            match subscription.topic {
                Topic::Vehicles => {
                    if !interest.vehicles.contains(&subscription.area) {
                        interest.vehicles.push(subscription.area);
                    }
                }
                Topic::Edges => interest.edges = true,
                Topic::Signals => interest.signals = true,
                // They are told anyway.
                Topic::Partitions | Topic::Health => continue,
            }
            interest.rate_hz = interest.rate_hz.max(subscription.rate_hz);
        }
        interest
    }

    /// Nobody watches the roads.
    pub fn is_empty(&self) -> bool {
        self.rate_hz <= 0.0
    }
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

/// The roads at one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct View {
    pub step: u64,
    /// Simulated time, s.
    pub time: f64,
    pub vehicles: Vec<VehicleView>,
    /// There are more vehicles than are told.
    pub truncated: bool,
    pub edges: Vec<EdgeView>,
    pub signals: Vec<SignalView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VehicleView {
    pub id: Arc<str>,
    pub lane: Arc<str>,
    /// Metres from the start of the lane.
    pub pos: f32,
    /// Metres of the network.
    pub x: f32,
    pub y: f32,
    /// Degrees clockwise from north.
    pub angle: f32,
    /// m/s.
    pub speed: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdgeView {
    pub id: Arc<str>,
    pub vehicles: u32,
    /// m/s; `None` on an empty edge.
    pub speed: Option<f32>,
    pub halting: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalView {
    pub id: Arc<str>,
    pub program: Arc<str>,
    pub phase: u32,
    /// A letter for each link.
    pub state: String,
}

/// The run's ends of the channels to who looks at it.
#[derive(Clone, Debug)]
pub struct LiveOut {
    pub status: watch::Sender<Arc<RunStatus>>,
    pub view: watch::Sender<Arc<View>>,
    /// That of the run, when there is one.
    pub network: watch::Sender<Option<Arc<Network>>>,
    pub interest: watch::Receiver<Arc<Interest>>,
}

/// The other ends.
#[derive(Clone, Debug)]
pub struct LiveIn {
    pub status: watch::Receiver<Arc<RunStatus>>,
    pub view: watch::Receiver<Arc<View>>,
    pub interest: watch::Sender<Arc<Interest>>,
}

/// Channels that hold the newest value only.
pub fn live() -> (LiveOut, LiveIn) {
    let (status, status_in) = watch::channel(Arc::default());
    let (view, view_in) = watch::channel(Arc::default());
    let (interest, interest_in) = watch::channel(Arc::default());
    let (network, _) = watch::channel(None);
    (LiveOut { status, view, network, interest: interest_in }, LiveIn { status: status_in, view: view_in, interest })
}
