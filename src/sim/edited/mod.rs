//! A run goes on in a network that was edited (docs/editing.md): the states of all partitions after a step become those of
//! partitions of the new network. Vehicles whose road is gone are taken off it, those whose way led over it look for another
//! one, and all others notice nothing. A pure function of the states, so that the result does not depend on the cut (I1).

mod roads;
mod vehicles;

use std::sync::Arc;

use crate::graph::EdgeKind;
use crate::ids::{LaneId, SignalId};

use super::partition::Partition;
use super::partition::state::{PartitionState, StateError};
use super::report::RouteUpdate;
use super::route_guidance::GuidanceState;
use super::scope::Scope;
use super::world::World;
pub(super) use roads::Renumbering;
use vehicles::{Answer, Ways};

/// A network before and after edits, with everything that a partition has to know of both.
#[derive(Debug)]
pub struct EditedWorld<'a> {
    pub before: &'a Arc<World>,
    pub after: &'a Arc<World>,
    /// By lane before: where it is after; NONE: it was taken out.
    pub lanes: &'a [LaneId],
    /// Signals with another program.
    pub signals: &'a [SignalId],
    /// Which partition owns which edge; as many partitions as there were.
    pub parts_before: &'a [u16],
    pub parts_after: &'a [u16],
}

/// What the edit did to vehicles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EditTally {
    /// Their road is gone, or no way leads to where they want to go.
    pub discarded: u64,
    /// They take another way.
    pub rerouted: u64,
}

/// The run in the new network.
#[derive(Debug)]
pub struct Carried {
    /// By partition.
    pub states: Vec<PartitionState>,
    pub guidance: Option<GuidanceState>,
    pub tally: EditTally,
}

impl EditedWorld<'_> {
    /// Carries the states of all partitions over, which are those after one step, and what the guidance remembers.
    ///
    /// # Errors
    /// A state does not fit the network before.
    pub fn carry(&self, states: &[PartitionState], guidance: Option<GuidanceState>) -> Result<Carried, StateError> {
        let mut tally = EditTally::default();
        let mut moved = Vec::with_capacity(states.len());
        for state in states {
            let scope = Scope::new(self.before, state.part, self.parts_before);
            let mut partition = Partition::new(Arc::clone(self.before), scope);
            partition.restore(state)?;
            tally.discarded += partition.clear_roads(|lane| self.is_lost(lane));
            let mut state = partition.save();
            state.renumber(&self.renumbering(), partition.now_ms())?;
            moved.push(state);
        }
        let parts = 0..states.len() as u16;
        let mut partitions = Vec::with_capacity(states.len());
        for part in parts {
            let scope = Scope::new(self.after, part, self.parts_after);
            let mut partition = Partition::new(Arc::clone(self.after), scope);
            partition.restore_share(&moved)?;
            partitions.push(partition);
        }
        let with_closures = Arc::clone(partitions.first().map_or(self.after, Partition::world));
        let mut ways = self.ways(&with_closures);
        let mut answers: Vec<Answer> = partitions.iter().flat_map(|partition| partition.find_ways(&mut ways)).collect();
        answers.sort_unstable_by_key(|answer| answer.vehicle);
        for partition in &mut partitions {
            partition.take_ways(&answers);
        }
        let found = answers.iter().filter(|answer| answer.edges.is_some()).count() as u64;
        tally.rerouted += found;
        tally.discarded += answers.len() as u64 - found;
        let new_routes: Vec<_> = answers.iter().filter_map(|answer| answer.edges.as_deref()).collect();
        let guidance = GuidanceState::carried(guidance, self.after, &self.renumbering(), &new_routes, |update| {
            ways.leads_through(&update.edges, update.vehicle)
        });
        Ok(Carried { states: partitions.iter().map(Partition::save).collect(), guidance, tally })
    }

    /// Of routes that were found before the edit, and are to hold after it, leaves out those that do not lead through any more.
    pub fn keep(&self, updates: &mut Vec<RouteUpdate>) {
        let ways = self.ways(self.after);
        updates.retain(|update| ways.leads_through(&update.edges, update.vehicle));
    }

    fn ways<'w>(&'w self, after: &'w Arc<World>) -> Ways<'w> {
        Ways::new(self.before, after)
    }

    fn renumbering(&self) -> Renumbering<'_> {
        let (before, after) = (&*self.before.network, &*self.after.network);
        Renumbering {
            before,
            after,
            lanes: self.lanes,
            signals: self.signals,
            loops_before: &self.before.loops,
            loops_after: &self.after.loops,
        }
    }

    /// Nobody can be on this lane any more.
    fn is_lost(&self, lane: LaneId) -> bool {
        let moved = self.lanes[lane.index()];
        if moved.is_none() {
            return true;
        }
        let after = &self.after.network;
        let was_inside = self.before.network.lane(lane).internal;
        after.edge_of(moved).kind == EdgeKind::Removed || (was_inside && after.lane(moved).entry.is_none())
    }
}
