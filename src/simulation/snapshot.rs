//! A simulation between two steps, as a value and as bytes.
//!
//! ```text
//! magic (8) | format (u32) | length of the program's version (u8), the version | xxh3 of the body (u64) | body
//! ```
//! Numbers are little-endian; the body is MessagePack.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::error::SnapshotError;
use crate::graph::partition::Cut;
use crate::output::TripTotals;
use crate::sim::report::Counts;
use crate::sim::{GuidanceState, Order, PartitionState, RouteOrders, World};

const MAGIC: &[u8; 8] = b"TessDSsn";
/// To be raised whenever a type of the body changes.
const FORMAT: u32 = 1;
/// The same state may go on differently in another version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

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
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.push(VERSION.len() as u8);
        bytes.extend(VERSION.as_bytes());
        let checksum_at = bytes.len();
        bytes.extend([0; size_of::<u64>()]);
        let body = bytes.len();
        rmp_serde::encode::write(&mut bytes, &(self.scenario, &self.run))
            .expect("the types have nothing that MessagePack cannot hold, and a byte buffer takes all");
        let checksum = xxh3_64(&bytes[body..]);
        bytes[checksum_at..body].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Bytes have to be from a source that is trusted: a checksum finds damage, not
    /// intent.
    ///
    /// # Errors
    /// The bytes are something else, of another version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::NotASnapshot)?;
        let cut_off = || SnapshotError::Damaged("it is cut off".to_owned());
        let (format, rest) = rest.split_first_chunk().ok_or_else(cut_off)?;
        let (&length, rest) = rest.split_first().ok_or_else(cut_off)?;
        let (version, rest) = rest.split_at_checked(usize::from(length)).ok_or_else(cut_off)?;
        let format = u32::from_le_bytes(*format);
        if format != FORMAT || version != VERSION.as_bytes() {
            return Err(SnapshotError::OtherVersion { version: String::from_utf8_lossy(version).into_owned(), format });
        }
        let (checksum, body) = rest.split_first_chunk().ok_or_else(cut_off)?;
        if xxh3_64(body) != u64::from_le_bytes(*checksum) {
            return Err(SnapshotError::Damaged("its checksum is wrong".to_owned()));
        }
        let (scenario, run) = rmp_serde::from_slice(body).map_err(|error| SnapshotError::Damaged(error.to_string()))?;
        Ok(Self { scenario, run })
    }
}

/// Names network, demand, settings and measurements.
pub(super) fn fingerprint(world: &World) -> u128 {
    let parts = (&*world.network, &*world.demand, &world.settings, &world.measures);
    xxh3_128(&rmp_serde::to_vec(&parts).expect("the types have nothing that MessagePack cannot hold"))
}
