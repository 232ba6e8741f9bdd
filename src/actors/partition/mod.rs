//! One partition of the network: its state and its step loop, on a thread of its own.

mod actor;
mod core;
mod region;

pub use self::actor::{Begin, Finish, Grant, NewRoutes, Partition, PeerFrame, PeerGone, Stop};
pub use self::core::{Core, Effect, Event, Kernel, Place};
pub use self::region::{Closing, Region};
