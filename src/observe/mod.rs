//! What operators see of a process: its log, its metrics, its health, its traces.

mod health;
#[cfg(feature = "program")]
mod log_file;
#[cfg(feature = "program")]
mod logging;
#[cfg(feature = "program")]
mod messages;
pub mod metrics;
mod progress;
mod role;
mod run_status;
mod tallies;
#[cfg(feature = "program")]
mod traces;
mod warnings;

pub use health::{Health, Pulse, Readiness};
#[cfg(feature = "program")]
pub use log_file::RotatingFile;
#[cfg(feature = "program")]
pub use logging::{LogGuard, start_logging};
#[cfg(feature = "program")]
pub use messages::{Severity, report, report_as, tell_files};
pub use metrics::Instruments;
pub use progress::Progress;
pub use role::Role;
pub use run_status::{PartitionStatus, RunState, RunStatus, VehicleCounts, WorkerStatus};
pub use tallies::{Cause, Tallies};
#[cfg(feature = "program")]
pub use traces::Origin;
pub use warnings::warn_all;
