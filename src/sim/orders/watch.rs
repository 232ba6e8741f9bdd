//! What is seen on some roads, for those who look on.

use serde::{Deserialize, Serialize};

use crate::graph::Aspect;
use crate::ids::{EdgeId, LaneId, SignalId, VehicleId};

/// Roads and signals that somebody looks at; all lists ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Their vehicles are told one by one.
    pub lanes: Vec<LaneId>,
    /// Their vehicles are counted.
    pub edges: Vec<EdgeId>,
    pub signals: Vec<SignalId>,
}

/// What a partition sees of its own on watched roads; those of several partitions are appended to each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    pub vehicles: Vec<SeenVehicle>,
    pub edges: Vec<SeenEdge>,
    pub signals: Vec<SeenSignal>,
}

/// A vehicle on a watched lane.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenVehicle {
    pub vehicle: VehicleId,
    pub lane: LaneId,
    /// Front along the lane.
    pub pos_m: f64,
    pub speed_mps: f64,
    /// Time since it last moved; 0 at a stop.
    pub waiting_ms: u32,
}

/// The traffic on a watched edge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenEdge {
    pub edge: EdgeId,
    pub vehicles: u32,
    /// `None` without vehicles.
    pub mean_speed_mps: Option<f64>,
    /// Vehicles below 0.1 m/s, stops excluded.
    pub halting: u32,
}

/// A watched signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSignal {
    pub signal: SignalId,
    /// Indices of program and phase; both stand still while fixed aspects are shown.
    pub program: u32,
    pub phase: u32,
    /// By link index.
    pub aspects: Vec<Aspect>,
    /// Shows what an order fixed, and no program.
    pub is_fixed: bool,
}

impl Observation {
    /// Adds what another partition sees.
    pub fn append(&mut self, mut other: Self) {
        self.vehicles.append(&mut other.vehicles);
        self.edges.append(&mut other.edges);
        self.signals.append(&mut other.signals);
    }
}
