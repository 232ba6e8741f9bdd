//! The actors of a run. Each is a synchronous core, a state machine that turns an event into effects without I/O or clock,
//! and a thin actix shell that feeds it events and carries out its effects.

mod acceptor;
pub mod master;
pub mod neighbor_handler;
mod oldest_and_newest;
pub mod partition;
pub mod recorder;
pub mod session_manager;
pub mod threads;
pub mod worker;

pub use crate::protocol::ExitStatus;
pub use acceptor::{accept_all, accept_from};
