//! The orders, with all names resolved to ids.

use serde::{Deserialize, Serialize};

use crate::demand::{ArrivalPos, DepartLane, DepartPos, DepartSpeed};
use crate::graph::{Aspect, Network};
use crate::ids::{EdgeId, LaneId, SignalId, TypeId, VehicleId};
use crate::sim::scope::Scope;

/// A change of the simulated world, made before a step. What it is about may be gone by then: such an order changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// m/s; `None`: as in the network again.
    LimitSpeed {
        lanes: Vec<LaneId>,
        mps: Option<f64>,
    },
    /// Nobody enters these lanes; who is on one drives on. Whose way leads over a road that is closed as a whole looks for
    /// another one.
    Close {
        lanes: Vec<LaneId>,
    },
    Open {
        lanes: Vec<LaneId>,
    },
    /// A phase of the present program, for its own duration or for `hold_ms`; the program goes on from there.
    ShowPhase {
        signal: SignalId,
        phase: u32,
        hold_ms: Option<i64>,
    },
    /// Index of the program, which is shown as if it had run since the beginning.
    RunProgram {
        signal: SignalId,
        program: u32,
    },
    /// Fixed aspects, one per link index, until a program is set again.
    ShowAspects {
        signal: SignalId,
        aspects: Vec<Aspect>,
    },
    AddVehicle(Box<NewVehicle>),
    /// Wherever it is: on the road, beside it, waiting or yet to come. Counts as discarded.
    RemoveVehicle {
        vehicle: VehicleId,
    },
    /// The way that it takes from now on; has to lead over the edge that it is on (or departs from).
    Reroute {
        vehicle: VehicleId,
        edges: Vec<EdgeId>,
    },
    /// Greatest speed of a vehicle, m/s; `None`: that of its type again.
    LimitVehicle {
        vehicle: VehicleId,
        mps: Option<f64>,
    },
    /// An incident: before `until_ms` nobody passes this section of a lane. A lane has one such section at a time.
    Block {
        lane: LaneId,
        from_m: f64,
        to_m: f64,
        until_ms: i64,
    },
    Unblock {
        lane: LaneId,
    },
}

/// A vehicle that the demand does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewVehicle {
    /// The next free id, for checking: the number of vehicles in the demand and of those added before.
    pub vehicle: VehicleId,
    /// As in the outputs.
    pub name: Box<str>,
    pub vtype: TypeId,
    /// Its way, from where it departs to where it arrives.
    pub edges: Vec<EdgeId>,
    /// Simulated time; `None`, or a time that is past: in the step of the order.
    pub depart_ms: Option<i64>,
    /// Multiplies speed limits.
    pub speed_factor: f32,
    pub depart_lane: DepartLane,
    pub depart_pos: DepartPos,
    pub depart_speed: DepartSpeed,
    pub arrival_pos: ArrivalPos,
}

impl NewVehicle {
    /// Departs at once, with what SUMO takes where nothing is said.
    pub fn new(vehicle: VehicleId, name: &str, vtype: TypeId, edges: Vec<EdgeId>) -> Self {
        Self {
            vehicle,
            name: name.into(),
            vtype,
            edges,
            depart_ms: None,
            speed_factor: 1.0,
            depart_lane: DepartLane::BestProb,
            depart_pos: DepartPos::Base,
            depart_speed: DepartSpeed::Avg,
            arrival_pos: ArrivalPos::Max,
        }
    }
}

impl Order {
    /// What of the order a partition with this scope takes over: of lanes that it does not know it will not learn either when
    /// they are as before.
    pub fn part_for(&self, network: &Network, scope: &Scope) -> Option<Self> {
        if !self.concerns(network, scope) {
            return None;
        }
        let mut part = self.clone();
        if let Self::LimitSpeed { lanes, .. } = &mut part {
            lanes.retain(|lane| scope.knows(network, *lane));
        }
        Some(part)
    }

    /// Whether a partition with this scope needs the order: it knows a lane or signal of it. Those about vehicles go to all,
    /// and so do closures: which lanes are best, and who looks for another way, depends on the whole route.
    pub fn concerns(&self, network: &Network, scope: &Scope) -> bool {
        let knows = |lane: &LaneId| scope.knows(network, *lane);
        match self {
            Self::LimitSpeed { lanes, .. } => lanes.iter().any(knows),
            Self::Block { lane, .. } | Self::Unblock { lane } => knows(lane),
            Self::ShowPhase { signal, .. } | Self::RunProgram { signal, .. } | Self::ShowAspects { signal, .. } => {
                scope.sees_signal(network, *signal)
            }
            Self::Close { .. }
            | Self::Open { .. }
            | Self::AddVehicle(_)
            | Self::RemoveVehicle { .. }
            | Self::Reroute { .. }
            | Self::LimitVehicle { .. } => true,
        }
    }
}
