//! What a process is in a run.

/// What a process is in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
pub enum Role {
    /// Run all partitions in this process.
    #[default]
    Standalone,
    /// Coordinate the workers of a run and write its outputs.
    Master,
    /// Host partitions for a master.
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
