//! One partition of the network: its state and its step loop, on a thread of its own.

mod actor;
mod core;
mod region;

pub use self::actor::{Begin, FromPartition, Outlets, Partition, PartitionNotice, Snapshot};
pub use self::core::{Core, Effect, Event, Kernel, Place};
pub use self::region::{Neighbourhood, Region};
