//! Why a network cannot be changed as asked.

/// An edit that cannot be made. Objects are named as in the files; a list of edits is made whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("there is no {kind} '{name}'")]
    NoSuchObject { kind: &'static str, name: String },
    #[error("{kind} '{name}' is there already; choose another id, or remove it first")]
    Exists { kind: &'static str, name: String },
    #[error("edge '{edge}' has no lane {lane}; it has {count}, counted from 0 at the right")]
    NoSuchLane { edge: String, lane: u32, count: u32 },
    #[error("'{0}' is the only lane of its edge; remove the edge")]
    OnlyLane(String),
    #[error("no connection leads from {from} to {to}")]
    NoConnection { from: String, to: String },
    #[error("a connection leads from lane '{from}' to lane '{to}' already")]
    Connected { from: String, to: String },
    #[error(
        "edge '{from}' ends at junction '{ends}', and edge '{to}' begins at '{begins}'; a connection joins edges at one junction"
    )]
    Apart { from: String, to: String, ends: String, begins: String },
    #[error("no vehicle class may use both lane '{from}' and lane '{to}'; change what one of them allows")]
    NobodyMay { from: String, to: String },
    #[error(
        "signal '{signal}' has no link index {index}: its programs show {shown}; set programs with longer states first"
    )]
    LinkIndex { signal: String, index: u32, shown: usize },
    #[error("junction '{0}' has a signal, and no movement is like the new one; give signal and index")]
    Movement(String),
    /// A number that makes no sense.
    #[error("{object}: {message}")]
    Value { object: String, message: String },
}

impl EditError {
    pub(super) fn no_such(kind: &'static str, name: &str) -> Self {
        Self::NoSuchObject { kind, name: name.to_owned() }
    }

    pub(super) fn value(object: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Value { object: object.into(), message: message.into() }
    }
}
