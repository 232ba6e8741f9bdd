//! What operators see of a process: its log, its metrics, its health, its traces.

mod health;
mod log_file;
mod logging;
pub mod metrics;
mod traces;

pub use health::{Health, Pulse, Readiness};
pub use log_file::RotatingFile;
pub use logging::{LogGuard, start_logging, warn_all};
pub use metrics::Instruments;
pub use traces::Origin;
