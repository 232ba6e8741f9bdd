//! How an actor came to its end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The closed set of ends. A parent decides by it what to do with the child's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// Did all that there was to do.
    Finished,
    /// Was told to stop before that.
    Stopped,
    /// The neighbouring partition cannot be reached.
    PeerLost { peer: u16, reason: String },
    /// Met something that it cannot go on with.
    Failed { reason: String },
    /// The kernel panicked while it computed `step`.
    Panicked { step: u64, message: String },
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Stopped => f.write_str("stopped"),
            Self::PeerLost { peer, reason } => write!(f, "lost partition {peer}: {reason}"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
            Self::Panicked { step, message } => write!(f, "panicked in step {step}: {message}"),
        }
    }
}
