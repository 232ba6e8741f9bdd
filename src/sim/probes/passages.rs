//! Single vehicles on stretches with detectors: what loops, areas and entry-exit detectors see.

use crate::ids::LaneId;
use crate::sim::report::{LanePassage, StepReport};
use crate::sim::world::World;

use super::{Passage, Probe};

/// By how much vehicles are followed farther than detectors look, metres: what they compute may be rounded.
const FOLLOW_MARGIN_M: f64 = 1.0;

/// Follows vehicles on all lanes with detectors: one on an own lane may reach back to a lane of another partition.
#[derive(Clone, Debug, Default)]
pub struct PassageProbe {
    /// By lane: where single vehicles are followed, metres from its start; empty when they are followed on no lane.
    watched: Vec<[f64; 2]>,
    /// Of the present step.
    passages: Vec<LanePassage>,
}

impl PassageProbe {
    pub fn new(world: &World) -> Self {
        let mut watched = Vec::new();
        for &(lane, [from_m, to_m]) in &world.measures.stretches {
            watched.resize(world.network.lanes.len(), [f64::INFINITY, f64::NEG_INFINITY]);
            let [first_m, last_m] = &mut watched[lane.index()];
            (*first_m, *last_m) = (first_m.min(from_m), last_m.max(to_m));
        }
        Self { watched, passages: Vec::new() }
    }

    /// Notes a vehicle that is on a lane, or whose rear is, if it is on a watched stretch at some time of the step; `to_m` is
    /// where its front is after the step.
    #[inline]
    fn follow(&mut self, lane: LaneId, p: &Passage, to_m: f64, dt: f64) {
        let Some([first_m, last_m]) = self.watched.get(lane.index()) else { return };
        let from_m = to_m - p.speed * dt;
        if to_m < first_m - FOLLOW_MARGIN_M || from_m - p.length_m > last_m + FOLLOW_MARGIN_M {
            return;
        }
        self.passages.push(LanePassage {
            lane,
            vehicle: p.vehicle,
            from_m,
            to_m,
            speed_mps: p.speed,
            allowed_mps: p.allowed,
        });
    }
}

impl Probe for PassageProbe {
    #[inline]
    fn is_idle(&self) -> bool {
        self.watched.is_empty()
    }

    fn pass(&mut self, world: &World, p: &Passage, _now_ms: i64) {
        self.follow(p.lane, p, p.to_m, world.dt);
    }

    fn overhang(&mut self, world: &World, lane: LaneId, p: &Passage, _now_ms: i64) {
        // A vehicle whose front was on the lane in this step has been seen there.
        if p.from_m >= 0.0 {
            self.follow(lane, p, p.to_m + world.network.lane(lane).length_m, world.dt);
        }
    }

    /// In exchange for the report's list, so that no step allocates.
    fn report(&mut self, _world: &World, _lanes: &[LaneId], _now_ms: i64, report: &mut StepReport) {
        std::mem::swap(&mut self.passages, &mut report.passages);
    }
}
