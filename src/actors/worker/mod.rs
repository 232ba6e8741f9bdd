//! A worker: hosts partitions, each on a thread of its own, and connects them with their neighbours, their master and the
//! store.

mod actor;
mod backlog;
mod core;
mod hosted_partition;
mod master_link;
mod master_watch;
mod planned_panic;
mod report_log;
mod snapshot_uploader;

pub use self::actor::{Setup, Worker, WorkerMessage};
pub use self::core::{Core, Effect, Event, Identity};
pub use self::planned_panic::PlannedPanic;
pub use self::snapshot_uploader::OpenStore;
