//! Runs over many processes, with the real program: whatever happens to them, the result is that of an undisturbed run.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod bad_peers;
mod commands;
mod driven;
mod edits;
mod faults;
mod policies;
mod process;
mod reconnects;
#[allow(dead_code, reason = "shared with the tests of the stores, which use more of it")]
#[path = "../stores/redis_server.rs"]
mod redis_server;
mod regions;
mod relay;
mod results;
mod resume;
mod run;
mod sixty;
