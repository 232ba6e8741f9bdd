//! The stores: one conformance suite for all of them, and what only one of them can suffer.

mod bench;
mod blackhole;
mod conformance;
mod directory;
mod program;
mod redis_faults;
pub mod redis_server;
mod support;
mod throughput;
