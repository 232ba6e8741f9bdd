//! What of the orders lasts. Its size is bounded by what there is in the world, not by how many orders were given.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::NewVehicle;
use crate::graph::{Aspect, Network};
use crate::ids::{LaneId, SignalId, VehicleId};
use crate::sim::digest::Digest;
use crate::sim::edited::Renumbering;
use crate::sim::scope::Scope;

/// A section of a lane that nobody passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    pub from_m: f64,
    pub to_m: f64,
    pub until_ms: i64,
}

/// Everything in which the world differs from network and demand. Partitions that know an object agree about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// m/s.
    pub limits: BTreeMap<LaneId, f64>,
    pub closed: BTreeSet<LaneId>,
    pub blocks: BTreeMap<LaneId, Section>,
    /// Signals whose state is not that of the network's schedule any more.
    pub steered: BTreeSet<SignalId>,
    /// Signals that show the same until a program is set.
    pub fixed: BTreeMap<SignalId, Vec<Aspect>>,
    /// Greatest speeds of vehicles, m/s. Nobody knows of all vehicles whether they are still there, so these stay.
    pub paces: BTreeMap<VehicleId, f64>,
    /// In the order of their ids; all with a departure time.
    pub added: Vec<NewVehicle>,
}

impl Standing {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over what another partition knows.
    pub fn join(&mut self, other: &Self) {
        self.limits.extend(&other.limits);
        self.closed.extend(&other.closed);
        self.blocks.extend(&other.blocks);
        self.steered.extend(&other.steered);
        self.fixed.extend(other.fixed.iter().map(|(signal, aspects)| (*signal, aspects.clone())));
        self.paces.extend(&other.paces);
        if self.added.len() < other.added.len() {
            self.added.clone_from(&other.added);
        }
    }

    /// Names lanes and signals as in another network; what was about lanes that were taken out is gone.
    pub(in crate::sim) fn renumber(&mut self, to: &Renumbering<'_>) {
        fn kept<T>(list: &mut BTreeMap<LaneId, T>, to: &Renumbering<'_>) {
            let old = std::mem::take(list);
            list.extend(old.into_iter().map(|(lane, value)| (to.lane(lane), value)).filter(|(lane, _)| lane.is_some()));
        }
        kept(&mut self.limits, to);
        kept(&mut self.blocks, to);
        let closed = self.closed.iter().map(|lane| to.lane(*lane));
        self.closed = closed.filter(|lane| lane.is_some()).collect();
        for (signal, aspects) in &mut self.fixed {
            aspects.resize(to.links_of(*signal), Aspect::Red);
        }
    }

    /// What is about roads and signals that a partition knows, and about vehicles and closures.
    pub fn known_to(&self, network: &Network, scope: &Scope) -> Self {
        let mut known = self.clone();
        known.limits.retain(|lane, _| scope.knows(network, *lane));
        known.blocks.retain(|lane, _| scope.knows(network, *lane));
        known.steered.retain(|signal| scope.sees_signal(network, *signal));
        known.fixed.retain(|signal, _| scope.sees_signal(network, *signal));
        known
    }

    /// Adds what belongs to the roads of a partition; what is about vehicles belongs to the first one. Signals are added
    /// by who has their states.
    pub fn digest(&self, scope: &Scope, digest: &mut Digest) {
        let owns = |lane: &LaneId| scope.owned[lane.index()];
        for (lane, mps) in self.limits.iter().filter(|(lane, _)| owns(lane)) {
            digest.order(0, lane.0, &[mps.to_bits()]);
        }
        for lane in self.closed.iter().filter(|lane| owns(lane)) {
            digest.order(1, lane.0, &[]);
        }
        for (lane, section) in self.blocks.iter().filter(|(lane, _)| owns(lane)) {
            digest.order(2, lane.0, &[section.from_m.to_bits(), section.to_m.to_bits(), section.until_ms as u64]);
        }
        if scope.part != 0 {
            return;
        }
        for (vehicle, mps) in &self.paces {
            digest.order(3, vehicle.0, &[mps.to_bits()]);
        }
        for new in &self.added {
            digest.order(4, new.vehicle.0, &[new.depart_ms.unwrap_or_default() as u64, u64::from(new.vtype.0)]);
        }
    }
}
