//! [`Simulation`]: a run that is stepped, read and changed by the program that holds it. Synchronous; no runtime, no global
//! state.

mod builder;
mod core;
mod engine;
mod error;
mod snapshot;
mod views;

pub use self::builder::SimulationBuilder;
pub use self::core::{Finished, Simulation, StepSink};
pub use self::error::{SimulationError, SnapshotError};
pub use self::snapshot::Snapshot;
pub use self::views::{DetectorKind, DetectorReading, EdgeView, LaneView, SignalView, VehicleView};
