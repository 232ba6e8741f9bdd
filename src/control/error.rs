//! Why a command is not carried out.

use super::lifecycle::RunState;
use crate::graph::edit::EditError;

/// Each kind has a code that front ends tell apart, as HTTP uses them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Not a message of the protocol.
    #[error("{0}")]
    Malformed(String),
    #[error("unknown command '{0}'; 'commands' lists all commands")]
    Unknown(String),
    /// An argument is missing, of the wrong type or out of range.
    #[error("{command}: {message}")]
    Argument { command: &'static str, message: String },
    /// No such edge, lane, signal, vehicle, partition or worker.
    #[error("there is no {kind} '{name}'")]
    NoSuchObject { kind: &'static str, name: String },
    #[error("'{command}' is not possible while the run is {state}; it needs a run that is {allowed}")]
    WrongState { command: &'static str, state: RunState, allowed: String },
    /// It contradicts how things are.
    #[error("{0}")]
    Conflict(String),
    /// What is loaded cannot be simulated.
    #[error("{0}")]
    Input(String),
    /// Try again later.
    #[error("{0}")]
    Busy(String),
    /// The run ended, or the program is ending, before it was carried out.
    #[error("{0}")]
    Gone(String),
}

impl From<EditError> for CommandError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::NoSuchObject { kind, name } => Self::NoSuchObject { kind, name },
            EditError::Exists { .. } | EditError::Connected { .. } | EditError::OnlyLane(_) => {
                Self::Conflict(error.to_string())
            }
            error => Self::Malformed(error.to_string()),
        }
    }
}

impl CommandError {
    /// Code of the reply.
    pub fn code(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Argument { .. } => 400,
            Self::Unknown(_) | Self::NoSuchObject { .. } => 404,
            Self::WrongState { .. } | Self::Conflict(_) => 409,
            Self::Input(_) => 422,
            Self::Busy(_) => 503,
            Self::Gone(_) => 410,
        }
    }

    /// Nothing is taken in from the command to edit a network until that is done.
    pub fn being_edited() -> Self {
        Self::Busy("the network is being edited; retry later".to_owned())
    }

    pub fn argument(command: &'static str, message: impl Into<String>) -> Self {
        Self::Argument { command, message: message.into() }
    }
}
