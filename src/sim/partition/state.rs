//! The complete own state of a partition between two steps, as a snapshot keeps it. A partition of the same cut goes on
//! from its own state; one of another cut picks what it owns out of the states of all.

mod checks;
mod renumbering;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{EdgeId, LaneId, SignalId};

use crate::sim::departures::SavedDepartures;
use crate::sim::digest::Digest;
use crate::sim::edge_speeds::EdgeSpeeds;
use crate::sim::halo::{HaloError, Reader, Writer};
use crate::sim::models::signals::SignalState;
use crate::sim::orders::{Ordered, Standing};
use crate::sim::partition::Partition;
use crate::sim::probes::SavedProbes;
use crate::sim::report::Counts;
use crate::sim::routes::Routes;
use crate::sim::transfer::Transfer;
use crate::sim::validation::Validator;
use crate::sim::vehicle::Vehicle;
pub use checks::check_routes;
pub(in crate::sim) use checks::{check_standing, holds};

/// State of one partition after `steps` steps. Holds nothing that is derived: lane plans and marks are made anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionState {
    pub part: u16,
    pub steps: u64,
    /// Digest of this state; who restores it compares.
    pub digest: u128,
    /// Own lanes with vehicles, in the order of `vehicles`.
    lanes: Vec<LaneId>,
    /// Own edges with transfers, in the order of `transfers`.
    edges: Vec<EdgeId>,
    /// Counts and records, as in a halo frame.
    #[serde(with = "serde_bytes")]
    vehicles: Vec<u8>,
    #[serde(with = "serde_bytes")]
    transfers: Vec<u8>,
    /// Own lanes of which something was taken at the end of the last step, and decimetres; orders since then do not count.
    taken_dm: Vec<(LaneId, u16)>,
    signals: Vec<(SignalId, SignalState)>,
    /// Static signals of others, which only this partition goes on from: others may know of them what it does not.
    other_signals: Vec<(SignalId, SignalState)>,
    /// Orders that last.
    standing: Standing,
    departures: SavedDepartures,
    /// Of all partitions, appended in the same order by each.
    routes: Routes,
    probes: SavedProbes,
    edge_speeds: EdgeSpeeds,
    counts: Counts,
    /// Sum over finished trips.
    past: u128,
    /// What is to be reported with the next step.
    ordered: Ordered,
}

/// A state that cannot be gone on from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("the saved roads do not fit network and demand: {0}")]
    Roads(#[from] HaloError),
    #[error("the saved {0} do not fit network and demand")]
    Content(&'static str),
    #[error("the saved state is of partition {saved}, not of partition {expected}")]
    Part { saved: u16, expected: u16 },
    #[error("saved states are of different steps ({0} and {1})")]
    Steps(u64, u64),
    #[error("the state that was read has digest {found:032x}, the one that was saved {saved:032x}")]
    Digest { saved: u128, found: u128 },
}

impl Partition {
    /// Copies the own state. To be called between two steps.
    pub fn save(&self) -> PartitionState {
        let (mut lanes, mut edges) = (Vec::new(), Vec::new());
        let (mut vehicles, mut transfers) = (Vec::new(), Vec::new());
        let (mut on_lanes, mut beside) = (Writer::new(&mut vehicles), Writer::new(&mut transfers));
        for &lane in self.scope.own_lanes.iter().filter(|lane| !self.lanes.on(**lane).is_empty()) {
            lanes.push(lane);
            on_lanes.vehicles(self.lanes.on(lane));
        }
        for &edge in self.busy_transfers.iter().filter(|edge| !self.transfers[edge.index()].is_empty()) {
            edges.push(edge);
            beside.transfers(&self.transfers[edge.index()]);
        }
        let is_own = |s: &SignalId| self.scope.owns_signal(&self.world.network, *s);
        let (own, others): (Vec<_>, Vec<_>) = (0..self.signals.states.len()).map(SignalId::new).partition(is_own);
        let states = |signals: Vec<SignalId>| -> Vec<_> {
            signals.into_iter().map(|s| (s, self.signals.states[s.index()].clone())).collect()
        };
        let others = others.into_iter().filter(|s| !self.world.network.signal(*s).is_actuated()).collect();
        PartitionState {
            part: self.scope.part,
            steps: self.steps,
            digest: self.digest().0,
            lanes,
            edges,
            vehicles,
            transfers,
            taken_dm: self.lanes.taken_of(&self.scope.own_lanes),
            signals: states(own),
            other_signals: states(others),
            standing: self.world.overlay.standing.clone(),
            departures: self.departures.save(),
            routes: self.plans.routes.clone(),
            probes: self.probes.save(),
            edge_speeds: self.edge_speeds.clone(),
            counts: self.counts,
            past: self.past.0,
            ordered: self.ordered.clone(),
        }
    }

    /// Goes on from the state that this partition saved. The partition must be new.
    ///
    /// # Errors
    /// The state is not one of this partition, network and demand. The partition must not be stepped then.
    pub fn restore(&mut self, state: &PartitionState) -> Result<(), StateError> {
        state.check_ownership(self)?;
        state.check_base(&self.world)?;
        self.plans.routes = state.routes.clone();
        self.steps = state.steps;
        self.lay_over(&state.standing);
        self.take(state, |_| true, |_| true)?;
        for (signal, saved) in &state.other_signals {
            self.signals.states[signal.index()].clone_from(saved);
        }
        self.counts = state.counts;
        self.past = Digest(state.past);
        self.edge_speeds = state.edge_speeds.clone();
        self.ordered = state.ordered.clone();
        self.finish_restoring();
        match self.digest().0 {
            found if found != state.digest => Err(StateError::Digest { saved: state.digest, found }),
            _ => Ok(()),
        }
    }

    /// Goes on from the states that all partitions of another cut saved after the same step. Sums that belong to no place
    /// go to the first partition.
    ///
    /// # Errors
    /// The states are not of one step, or not of this network and demand. The partition must not be stepped then.
    pub fn restore_share(&mut self, states: &[PartitionState]) -> Result<(), StateError> {
        let Some(first) = states.first() else { return Ok(()) };
        states.iter().try_for_each(|state| state.check_base(&self.world))?;
        self.plans.routes = first.routes.clone();
        self.steps = first.steps;
        let mut standing = Standing::default();
        states.iter().for_each(|state| standing.join(&state.standing));
        self.lay_over(&standing);
        let owned = self.scope.owned.clone();
        let first_lane: Vec<LaneId> = self.world.network.edges.iter().map(|e| e.first_lane).collect();
        let owns_edge = |edge: EdgeId| owned[first_lane[edge.index()].index()];
        for state in states {
            if state.steps != first.steps {
                return Err(StateError::Steps(first.steps, state.steps));
            }
            self.take(state, |lane| owned[lane.index()], owns_edge)?;
            self.edge_speeds.add(&state.edge_speeds, owns_edge);
            // What nobody gave orders about is the same for all who know it.
            for (signal, saved) in state.other_signals.iter().filter(|(s, _)| !standing.steered.contains(s)) {
                self.signals.states[signal.index()].clone_from(saved);
            }
            if self.scope.part == 0 {
                self.counts += state.counts;
                self.past += Digest(state.past);
                self.ordered.join(&state.ordered);
            }
        }
        self.finish_restoring();
        Ok(())
    }

    /// Takes over what lies on the lanes and edges that are wanted.
    fn take(
        &mut self,
        state: &PartitionState,
        wants: impl Fn(LaneId) -> bool,
        wants_edge: impl Fn(EdgeId) -> bool,
    ) -> Result<(), StateError> {
        let world = Arc::clone(&self.world);
        let validator = Validator::new(&world, self.now_ms());
        state.check_content(self, &validator)?;
        let mut reader = Reader::new(&state.vehicles);
        for &lane in &state.lanes {
            let records = reader.records::<Vehicle>()?;
            if wants(lane) {
                self.take_vehicles(&validator, lane, records)?;
            }
        }
        reader.finish()?;
        let mut reader = Reader::new(&state.transfers);
        for &edge in &state.edges {
            let records = reader.records::<Transfer>()?;
            if wants_edge(edge) {
                self.take_transfers(&validator, edge, records)?;
                self.busy_transfers.push(edge);
            }
        }
        reader.finish()?;
        for (lane, taken_dm) in state.taken_dm.iter().filter(|(lane, _)| wants(*lane)) {
            self.lanes.taken_dm[lane.index()] = *taken_dm;
        }
        for (signal, saved) in &state.signals {
            self.signals.states[signal.index()].clone_from(saved);
        }
        self.departures.take(&state.departures, &wants_edge);
        self.probes.take(&state.probes, wants);
        Ok(())
    }

    /// Makes what is derived.
    fn finish_restoring(&mut self) {
        self.busy_transfers.sort_unstable();
        self.signals.restored(&self.world.network);
        self.departures.restored(&self.world, self.last_ms());
    }

    /// Time of the last step done; `None` before the first one.
    fn last_ms(&self) -> Option<i64> {
        (self.steps > 0).then(|| self.now_ms() - self.world.settings.step_ms)
    }
}
