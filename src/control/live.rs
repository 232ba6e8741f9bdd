//! What streams carry: the newest state, and who wants to see what. Only the newest counts, so nothing queues up (I7).

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use super::command::{Subscription, Topic};
use crate::graph::Network;
pub use crate::observe::{PartitionStatus, RunStatus, VehicleCounts, WorkerStatus};

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
