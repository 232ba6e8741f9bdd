//! The stores: one conformance suite for all of them, and what only one of them can suffer.

mod blackhole;
mod conformance;
mod directory;
mod program;
mod redis_faults;
mod redis_server;
mod support;
mod throughput;
