//! A simulation between two steps, as a value and as bytes.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::error::SnapshotError;
use crate::graph::partition::Cut;
use crate::output::TripTotals;
use crate::scenario::sealed::Seal;
use crate::sim::report::Counts;
use crate::sim::{GuidanceState, Order, PartitionState, RouteOrders, World};

/// The format is to be raised whenever a type of the body changes.
const SEAL: Seal = Seal { magic: b"TessDSsn", format: 1 };

/// All that a run's future depends on, beside network, demand and settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunState {
    pub steps: u64,
    pub cut: Cut,
    /// By partition.
    pub partitions: Vec<PartitionState>,
    pub guidance: Option<GuidanceState>,
    /// Given out for steps to come.
    pub routes: Vec<RouteOrders>,
    /// For steps to come, by time and number.
    pub orders: Vec<ScheduledOrder>,
    /// Orders that were given so far.
    pub numbered: u64,
    /// Of the last step.
    pub counts: Counts,
    pub trips: TripTotals,
    /// Step since which nothing moves.
    pub still_since: Option<u64>,
}

/// An order and the step before which it is applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ScheduledOrder {
    /// Time that the step computes, ms.
    pub at_ms: i64,
    /// Place among all orders of the run.
    pub number: u64,
    pub order: Order,
}

/// A simulation between two steps ([`Simulation::save`](super::Simulation::save)). It can be taken over by a simulation of the
/// same network, demand, settings and measurements, whatever its number of partitions is.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) scenario: u128,
    pub(super) run: RunState,
}

impl Snapshot {
    /// Steps that were done.
    pub fn steps(&self) -> u64 {
        self.run.steps
    }

    /// The snapshot as bytes; equal snapshots give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        SEAL.close(&(self.scenario, &self.run))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Bytes have to be from a source that is trusted: a checksum finds damage, not
    /// intent.
    ///
    /// # Errors
    /// The bytes are something else, of another version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let body = SEAL.open(bytes)?;
        let (scenario, run) = rmp_serde::from_slice(body).map_err(|error| SnapshotError::Damaged(error.to_string()))?;
        Ok(Self { scenario, run })
    }
}

/// Names network, demand, settings and measurements.
pub(super) fn fingerprint(world: &World) -> u128 {
    let parts = (&*world.network, &*world.demand, &world.settings, &world.measures);
    xxh3_128(&rmp_serde::to_vec(&parts).expect("the types have nothing that MessagePack cannot hold"))
}
