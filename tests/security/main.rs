//! Who is let in: connections between processes and to the gateway, with certificates that the tests make.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod certificates;
mod clusters;
mod documents;
mod gateway;
mod peers;
#[allow(dead_code, reason = "shared with the tests of clusters, which use more of it")]
#[path = "../cluster/process.rs"]
mod process;
#[allow(dead_code, reason = "shared with the tests of control, which use more of it")]
#[path = "../control/program.rs"]
mod program;
mod rotation;
#[allow(dead_code, reason = "shared with the tests of clusters, which use more of it")]
#[path = "../cluster/run.rs"]
mod run;
