//! Runs over many processes, with the real program: whatever happens to them, the result is that of an undisturbed run.

mod bad_peers;
mod commands;
mod driven;
mod edits;
mod faults;
mod policies;
pub mod process;
mod reconnects;
mod regions;
mod relay;
mod results;
mod resume;
pub mod run;
mod sixty;

use crate::stores::redis_server;
