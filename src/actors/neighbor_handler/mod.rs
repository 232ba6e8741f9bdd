//! One side of the link between two neighbouring partitions: keeps what was sent until it is not needed again, and
//! brings what comes in into order.

mod actor;
mod core;
mod sent_log;

pub use self::actor::{Attach, Dial, FromPeer, InProcess, Link, LinkError, NeighborHandler, Outgoing};
pub use self::core::{Core, Effect, Event};
pub use self::sent_log::SentLog;
