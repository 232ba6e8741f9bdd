//! Vehicles that are beside the road: teleported ones on their way to a free place, and parked ones.

use bytemuck::{Pod, Zeroable};

use super::vehicle::Vehicle;

/// A vehicle beside the lanes of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Transfer {
    pub vehicle: Vehicle,
    /// Teleporting: when it goes on to the next edge if it found no place. Parked: when it wants to drive on. ms.
    pub ready_ms: i64,
    /// Fills the record up to whole cache lines.
    spare: [u64; 7],
}

impl Transfer {
    pub fn new(vehicle: Vehicle, ready_ms: i64) -> Self {
        Self { vehicle, ready_ms, spare: [0; 7] }
    }
}
