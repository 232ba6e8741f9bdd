//! Everything that is stored of a run: types, pure decisions about them, the trait [`SnapshotStore`] that says what
//! consistency it takes, and stores in memory, in a directory and in Redis. `docs/stores.md` is the guide for operators.
//!
//! Objects are immutable and written first; the commit pointer of a run is the one thing that moves, and moves last.

pub mod chunks;
mod dir;
mod envelope;
mod error;
mod ids;
mod keys;
mod manifest;
mod memory;
mod open;
mod redis;
mod retention;
mod run_state;
mod seal;
mod store;

pub use dir::DirStore;
pub use envelope::Envelope;
pub use error::StoreError;
pub use ids::{ContentHash, Epoch, PartId, PartName, RunName};
pub use manifest::{Manifest, PartRef};
pub use memory::MemoryStore;
pub use open::open;
pub use redis::RedisStore;
pub use retention::{SweepPlan, plan_sweep};
pub use run_state::{CommitDecision, HeldLease, RunState};
pub use store::{Holder, Lease, RunStatus, SnapshotStore, StoreFuture, Swept, read_log};
