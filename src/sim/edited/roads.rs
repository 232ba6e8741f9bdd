//! Where lanes and signals have gone.

use crate::graph::{Network, ProgramKind};
use crate::ids::{LaneId, SignalId};
use crate::sim::models::signals::actuation;
use crate::sim::models::signals::{SignalState, enter_program, links_of, unused_loops};
use crate::sim::phases::detection::SignalLoops;
use crate::sim::report::TripRecord;
use crate::sim::vehicle::Vehicle;

/// How saved states name what is in another place now.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Renumbering<'a> {
    pub before: &'a Network,
    pub after: &'a Network,
    pub lanes: &'a [LaneId],
    pub signals: &'a [SignalId],
    pub loops_before: &'a SignalLoops,
    pub loops_after: &'a SignalLoops,
}

impl Renumbering<'_> {
    /// NONE: it was taken out.
    pub fn lane(&self, lane: LaneId) -> LaneId {
        if lane.is_none() { lane } else { self.lanes[lane.index()] }
    }

    /// The lane, or one beside it where it was taken out: for records of what was.
    pub fn lane_or_beside(&self, lane: LaneId) -> LaneId {
        let moved = self.lane(lane);
        if moved.is_some() || lane.is_none() {
            return moved;
        }
        let old = self.before.lane(lane);
        let edge = self.after.edge(old.edge);
        LaneId(edge.first_lane.0 + old.index.min(edge.lane_count - 1))
    }

    pub fn vehicle(&self, vehicle: &mut Vehicle) {
        vehicle.came_from = self.lane(vehicle.came_from);
        vehicle.depart_lane = self.lane_or_beside(vehicle.depart_lane);
    }

    pub fn trip(&self, trip: &mut TripRecord) {
        trip.depart_lane = self.lane_or_beside(trip.depart_lane);
        trip.arrival_lane = self.lane_or_beside(trip.arrival_lane);
    }

    /// A signal whose programs were edited shows its newest program, as if it had run since the beginning. Loops that are
    /// where they were keep their state.
    pub fn signal(&self, id: SignalId, state: &mut SignalState, now_ms: i64) {
        let signal = self.after.signal(id);
        if self.signals.contains(&id) {
            enter_program(signal, state, signal.initial, now_ms);
            if signal.programs[signal.initial as usize].kind == ProgramKind::Actuated {
                actuation::begin(signal, state, now_ms);
            }
        }
        let (before, after) = (self.loops_before.of(id), self.loops_after.of(id));
        let mut loops = unused_loops(after, now_ms);
        for (detector, felt) in after.iter().flat_map(|after| &after.loops).zip(&mut loops) {
            let known = before.iter().flat_map(|before| &before.loops).zip(&state.loops);
            let mut same = known.filter(|(old, _)| {
                self.lane(old.lane) == detector.lane && (old.pos_m, old.length_m) == (detector.pos_m, detector.length_m)
            });
            if let Some((_, known)) = same.next() {
                *felt = *known;
            }
        }
        state.loops = loops;
    }

    /// Letters that a signal shows at once.
    pub fn links_of(&self, id: SignalId) -> usize {
        links_of(self.after.signal(id))
    }
}
