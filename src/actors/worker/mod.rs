//! A worker: hosts partitions, each on a thread of its own, and connects them with their neighbours, their master and the
//! store.

mod actor;
mod backlog;
mod core;
mod depot;
mod lodging;
mod master_link;
mod master_watch;
mod planned_panic;
mod report_log;

pub use self::actor::{Setup, Terminate, Worker};
pub use self::core::{Core, Effect, Event, Identity};
pub use self::depot::OpenStore;
pub use self::planned_panic::PlannedPanic;
