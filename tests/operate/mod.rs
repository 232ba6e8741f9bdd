//! What operators see of real processes: metrics, health, and log files.

mod finished;
mod health;
mod log_file;
mod metrics;
mod scrape;
mod site;

use crate::cluster::process;
