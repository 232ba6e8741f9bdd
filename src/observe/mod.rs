//! What operators see of a process: its log, its metrics, its health, its traces.

mod health;
mod log_file;
mod logging;
mod messages;
pub mod metrics;
mod traces;

pub use health::{Health, Pulse, Readiness};
pub use log_file::RotatingFile;
pub use logging::{LogGuard, start_logging, warn_all};
pub use messages::{Severity, report, report_as, tell_files};
pub use metrics::Instruments;
pub use traces::Origin;
