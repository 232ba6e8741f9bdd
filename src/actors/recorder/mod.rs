//! Collects what the partitions report and writes the outputs, off the threads that step.

mod actor;
mod core;
mod state;

pub use self::actor::{Checkpoint, FromRecorder, Recorder, RecorderMessage};
pub use self::core::{Core, Effect, Event, Recording, ReportBatch};
pub use self::state::{RecorderState, StateError};
