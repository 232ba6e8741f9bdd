//! Cutting by hand, simulating a part of a network, and compiled scenarios as input.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod assignments;
#[path = "../common/mod.rs"]
mod common;
mod compiled;
mod numbers;
mod program;
mod region_files;
mod regions;
