//! What a process is in a run. Wiring only: each role starts actors and connects them.

pub mod cutting;
mod edit_run;
pub mod given;
pub mod launch;
pub mod master;
mod newest_snapshot;
pub mod partition;
mod recut;
pub mod rest;
pub mod saved_options;
pub mod scenarios;
pub mod snapshots;
pub mod standalone;
mod timed_check;
pub mod whole_run;
pub mod worker;
