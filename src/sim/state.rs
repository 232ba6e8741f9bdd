//! The complete own state of a partition between two steps, as a snapshot keeps it. A partition of the same cut goes on
//! from its own state; one of another cut picks what it owns out of the states of all.

mod renumbering;

use serde::{Deserialize, Serialize};

use crate::ids::{EdgeId, LaneId, SignalId};

use super::departures::SavedDepartures;
use super::digest::Digest;
use super::edge_speeds::EdgeSpeeds;
use super::halo::{HaloError, Reader, Writer};
use super::measures::SavedMeasures;
use super::orders::{Ordered, Standing};
use super::partition::Partition;
use super::report::Counts;
use super::routes::Routes;
use super::signals::SignalState;

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
    signals: Vec<(SignalId, SignalState)>,
    /// Static signals of others, which only this partition goes on from: others may know of them what it does not.
    other_signals: Vec<(SignalId, SignalState)>,
    /// Orders that last.
    standing: Standing,
    departures: SavedDepartures,
    /// Of all partitions, appended in the same order by each.
    routes: Routes,
    measures: SavedMeasures,
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
    #[error("saved roads do not fit the network: {0}")]
    Roads(#[from] HaloError),
    #[error("saved states are of different steps ({0} and {1})")]
    Steps(u64, u64),
    #[error("the state that was read has digest {found:032x}, the one that was saved {saved:032x}")]
    Digest { saved: u128, found: u128 },
}

impl Partition {
    /// Copies the own state. To be called between two steps.
    pub fn save(&self) -> PartitionState {
        let (mut lanes, mut edges) = (Vec::new(), Vec::new());
        let (mut vehicles, mut transfers) = (Writer::default(), Writer::default());
        for &lane in self.scope.own_lanes.iter().filter(|lane| !self.lanes.on(**lane).is_empty()) {
            lanes.push(lane);
            vehicles.vehicles(self.lanes.on(lane));
        }
        for &edge in self.busy_transfers.iter().filter(|edge| !self.transfers[edge.index()].is_empty()) {
            edges.push(edge);
            transfers.transfers(&self.transfers[edge.index()]);
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
            vehicles: vehicles.bytes,
            transfers: transfers.bytes,
            signals: states(own),
            other_signals: states(others),
            standing: self.world.overlay.standing.clone(),
            departures: self.departures.save(),
            routes: self.plans.routes.clone(),
            measures: self.measures.save(),
            edge_speeds: self.edge_speeds.clone(),
            counts: self.counts,
            past: self.past.0,
            ordered: self.ordered.clone(),
        }
    }

    /// Goes on from the state that this partition saved. The partition must be new.
    ///
    /// # Errors
    /// The state is not one of this partition, network and demand.
    pub fn restore(&mut self, state: &PartitionState) -> Result<(), StateError> {
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
    /// The states are not of one step, or not of this network and demand.
    pub fn restore_share(&mut self, states: &[PartitionState]) -> Result<(), StateError> {
        let Some(first) = states.first() else { return Ok(()) };
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
        let mut reader = Reader::new(&state.vehicles);
        let mut vehicles = Vec::new();
        for &lane in &state.lanes {
            reader.vehicles(lane, &mut vehicles)?;
            if wants(lane) {
                self.settle(lane, &mut vehicles);
                self.lanes.vehicles.replace(lane, &vehicles);
            }
        }
        reader.finish()?;
        let mut reader = Reader::new(&state.transfers);
        let mut transfers = Vec::new();
        for &edge in &state.edges {
            reader.transfers(&mut transfers)?;
            if wants_edge(edge) {
                transfers.iter_mut().for_each(|t| self.plan_for(&mut t.vehicle));
                std::mem::swap(&mut self.transfers[edge.index()], &mut transfers);
                self.busy_transfers.push(edge);
            }
        }
        reader.finish()?;
        for (signal, saved) in &state.signals {
            self.signals.states[signal.index()].clone_from(saved);
        }
        self.departures.take(&state.departures, &wants_edge);
        self.measures.take(&state.measures, wants);
        Ok(())
    }

    /// Makes what is derived.
    fn finish_restoring(&mut self) {
        self.busy_transfers.sort_unstable();
        self.signals.restored(&self.world.network);
        let last_ms = (self.steps > 0).then(|| self.now_ms() - self.world.settings.step_ms);
        self.departures.restored(&self.world, last_ms);
    }
}
