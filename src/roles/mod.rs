//! What a process is in a run. Wiring only: each role starts actors and connects them.

pub mod launch;
pub mod master;
mod newest_snapshot;
mod recut;
pub mod snapshots;
pub mod standalone;
pub mod worker;
