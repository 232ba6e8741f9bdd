//! Collects what the partitions report and writes the outputs, off the threads that step.

mod actor;
mod core;

pub use self::actor::{Close, Open, Recorder};
pub use self::core::{Core, Effect, Event, Recording, ReportBatch, RunRules};
