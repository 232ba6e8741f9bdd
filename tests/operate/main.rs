//! What operators see of real processes: metrics, health, and log files.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod finished;
mod health;
mod log_file;
mod metrics;
#[allow(dead_code, reason = "shared with the tests of clusters, which use more of it")]
#[path = "../cluster/process.rs"]
mod process;
mod scrape;
mod site;
