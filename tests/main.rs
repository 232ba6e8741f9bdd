//! All integration tests but `tests/allocations.rs`, in one program: it is linked once. `cargo nextest run -E 'test(cluster::)'` runs
//! those of one module.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod architecture;
mod bad_input;
mod cluster;
mod common;
mod compiled;
mod control;
mod cutting;
mod editing;
mod fuzz;
mod layers;
mod library;
mod loading;
mod models;
mod one_result;
mod operate;
mod orders;
mod recorder;
mod routing;
mod saved_forms;
mod security;
mod simulate;
mod stores;
#[cfg(feature = "otel")]
mod traces;
mod traffic;
