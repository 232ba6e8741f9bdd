//! What can be read of a partition between two steps.

use crate::graph::Aspect;
use crate::ids::{LaneId, SignalId};

use super::partition::Partition;
use super::vehicle::Vehicle;

impl Partition {
    /// Own vehicles that are on a lane, by lane; on a lane the foremost first.
    pub fn vehicles(&self) -> impl Iterator<Item = (LaneId, &Vehicle)> {
        self.scope.own_lanes.iter().flat_map(|&lane| self.lanes.on(lane).iter().map(move |vehicle| (lane, vehicle)))
    }

    /// The vehicles of an own lane, the foremost first.
    pub fn vehicles_on(&self, lane: LaneId) -> &[Vehicle] {
        self.lanes.on(lane)
    }

    /// Indices of program and phase of an own signal.
    pub fn program_and_phase(&self, signal: SignalId) -> (u32, u32) {
        let state = &self.signals.states[signal.index()];
        (state.program, state.phase)
    }

    /// What an own signal shows, by link index.
    pub fn shown(&self, signal: SignalId) -> &[Aspect] {
        self.signals.shown(signal)
    }

    /// An order says what an own signal shows, and no program.
    pub fn is_fixed(&self, signal: SignalId) -> bool {
        self.signals.fixed.contains_key(&signal)
    }
}
