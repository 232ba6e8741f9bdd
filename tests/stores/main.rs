//! The stores: one conformance suite for all of them, and what only one of them can suffer.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod bench;
mod blackhole;
mod conformance;
mod directory;
mod program;
mod redis_faults;
mod redis_server;
mod support;
mod throughput;
