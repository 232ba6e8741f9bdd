//! SUMO's options about what a run tells of itself.

use std::path::PathBuf;

/// Without influence on the traffic; messages and the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `verbose`.
    pub verbose: bool,
    /// `no-warnings`: none on the console; in `error-log` they stay.
    pub no_warnings: bool,
    /// `no-step-log`: no progress.
    pub no_step_log: bool,
    /// `duration-log.disable`: nothing about the speed of computation.
    pub no_performance: bool,
    /// `duration-log.statistics`: means over all trips.
    pub statistics: bool,
    /// `print-options`.
    pub print_options: bool,
    /// `log`, `message-log`, `error-log`.
    pub log: Option<PathBuf>,
    pub message_log: Option<PathBuf>,
    pub error_log: Option<PathBuf>,
    /// `log.timestamps`, `log.processid`: what goes before each message in these files.
    pub timestamps: bool,
    pub process_id: bool,
    /// `save-configuration`, `save-template`: only this file is written.
    pub save_configuration: Option<PathBuf>,
    pub save_template: Option<PathBuf>,
}
