//! How a run is driven from outside: the JSON protocol, its commands, the life of a run, and the gateway for clients.
//!
//! A message becomes a [`Request`](message::Request), the [`registry`] says which command it is and whether it may be given
//! now, [`Command`] holds its arguments in types, and names are looked up when it becomes orders for the kernel.

mod arguments;
pub mod command;
pub mod documentation;
pub mod edits;
mod error;
#[cfg(feature = "control")]
pub mod gateway;
mod lifecycle;
pub mod lines;
pub mod live;
pub mod message;
mod name_resolver;
pub mod registry;
pub mod timed;

use serde_json::Value;
use tokio::sync::oneshot;

pub use command::Command;
pub use error::CommandError;
pub use lifecycle::{NotAllowed, RunState, Turn};
pub use name_resolver::NameResolver;

/// A request of a client, and where its answer goes. Who drops it without one has answered that the run is gone.
#[derive(Debug)]
pub struct Asked {
    pub request: message::Request,
    pub reply: oneshot::Sender<Result<Value, CommandError>>,
}
