//! What operators see of a process.

mod logging;

pub use logging::{start_logging, warn_all};
