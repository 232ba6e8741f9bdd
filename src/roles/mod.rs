//! What a process is in a run. Wiring only: each role starts actors and connects them.

pub mod snapshots;
pub mod standalone;
