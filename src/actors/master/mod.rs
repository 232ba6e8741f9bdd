//! The master: how far a run may go, when it is over, and how it ended.

mod actor;
mod core;

pub use self::actor::{Begin, Exited, Master, PartitionClosed, Recorded, RecorderDone, RecorderFailed, RoutesFound};
pub use self::core::{Core, Effect, Event, Horizon, Outcome};
