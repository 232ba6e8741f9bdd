//! What a store may answer instead of a result.

use super::PartId;
use crate::persist::Epoch;

/// The closed set of failures. A caller decides by the variant; the text is for people. No text ever holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing happened: the store cannot be reached, or is busy starting.
    #[error("the store cannot be reached: {what}")]
    Unavailable { what: String },
    /// No answer in time: it may have happened or not. Every call of [`SnapshotStore`](super::SnapshotStore) says what to
    /// do then.
    #[error("the store did not answer in time; the outcome of the operation is unknown: {what}")]
    Ambiguous { what: String },
    /// No room. What was stored before stays valid and readable.
    #[error("the store is full: {what}")]
    Full { what: String },
    /// The store is there and takes no writes: a failed save of its own.
    #[error("the store refused the operation: {what}")]
    Refused { what: String },
    /// The store is there and does not let the caller do that: a missing right, a wrong password, a certificate.
    #[error("the store denies access: {what}")]
    Denied { what: String },
    /// The caller's epoch is not the current one. It has been replaced and must change nothing any more (I4).
    #[error("fenced off: the run is in epoch {}", current.0)]
    Fenced { current: Epoch },
    /// Somebody else holds the lease of the run.
    #[error("the run is held by '{by}' for another {for_ms} ms")]
    Held { by: String, for_ms: u64 },
    /// Stored, but not what was put there.
    #[error("damaged: {what}")]
    Damaged { what: String },
    #[error("missing: {what}")]
    Missing { what: String },
    /// Whole, but of another version of the program. It is not to be taken back: that program can read it.
    #[error("{what}")]
    OtherVersion { what: String },
    /// It contradicts what is stored already: an older step, a gap in the log, other bytes under the same name.
    #[error("conflict: {what}")]
    Conflict { what: String },
    /// A store, name or size that cannot be used, whatever the state of the store.
    #[error("{what}")]
    Config { what: String },
}

impl StoreError {
    /// The same call may well succeed in a moment, without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Ambiguous { .. })
    }

    /// The store does not take writes at present; the last commit stays valid. Worth another try at the next snapshot, and a
    /// message to the operator. Who has just begun ends on [`StoreError::Denied`] instead: waiting would only hide a mistake.
    pub fn is_outage(&self) -> bool {
        self.is_transient() || matches!(self, Self::Full { .. } | Self::Refused { .. } | Self::Denied { .. })
    }

    pub(crate) fn config(what: impl Into<String>) -> Self {
        Self::Config { what: what.into() }
    }
    pub(crate) fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict { what: what.into() }
    }
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
    /// `id` was uploaded before with another content.
    pub(super) fn other_part(id: &PartId) -> Self {
        Self::conflict(format!("{id} is already stored with different content; upload it as another attempt"))
    }
    pub(super) fn older_commit(step: u64, last: u64) -> Self {
        Self::conflict(format!("step {step} cannot be committed after step {last}"))
    }
    pub(super) fn not_newest(step: u64) -> Self {
        Self::conflict(format!("step {step} is not the newest commit and cannot be withdrawn"))
    }
    pub(super) fn log(seq: u64, next: u64) -> Self {
        Self::conflict(format!("entry {seq} does not fit into the command log, whose next entry is {next}"))
    }
    pub(crate) fn missing(what: impl Into<String>) -> Self {
        Self::Missing { what: what.into() }
    }
}
