//! What a process is in a run.

/// What a process is in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
pub enum Role {
    /// The whole run.
    #[default]
    Standalone,
    /// Drives a run whose partitions are in workers, and writes its outputs.
    Master,
    /// Hosts partitions for a master.
    Worker,
}

impl Role {
    /// As on the command line, in metrics and in traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Master => "master",
            Self::Worker => "worker",
        }
    }
}
