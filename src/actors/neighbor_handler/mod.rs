//! One side of the link between two neighbouring partitions: keeps what was sent until it is not needed again, and
//! brings what comes in into order.

mod actor;
mod core;
mod link;
mod sent_log;
#[cfg(test)]
mod tests;

pub use self::actor::{Accepted, LinkMessage, NeighborHandler, Network, PeerAddress, PeerSilent};
pub use self::core::{Core, Effect, End, Event, Retention};
pub use self::link::{InProcess, Link, LinkError};
pub use self::sent_log::SentLog;
