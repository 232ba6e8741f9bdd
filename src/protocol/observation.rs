//! Looks at roads: which are wanted, and what they showed.

use serde::{Deserialize, Serialize};

use crate::sim::{Observation, Watch};

/// A look at some roads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservationRequest {
    pub number: u64,
    /// Steps that are to be done then.
    pub at_step: u64,
    pub watch: Watch,
}

/// What a look has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    pub number: u64,
    pub part: u16,
    /// Steps that were done when the look came.
    pub came_at: u64,
    /// `None`: the look came too late, its step was past.
    pub observation: Option<Observation>,
}
