//! What a recorder needs to go on after a step.

use serde::Deserialize;

use crate::output::OutputsState;
use crate::protocol::RouteNotice;
use crate::sim::GuidanceState;

/// The content of a checkpoint. Belongs to one run; not to an epoch, nor to a number of partitions.
#[derive(Debug, Deserialize)]
pub struct RecorderState {
    pub outputs: OutputsState,
    /// `None`: no vehicle of the run needs guidance, and nobody gave orders.
    pub guidance: Option<GuidanceState>,
    /// Routes that were given out already for steps that are still to come.
    pub notices: Vec<RouteNotice>,
    /// Since which step no vehicle has moved.
    pub still_since: Option<u64>,
}

/// Bytes are not a checkpoint.
#[derive(Debug, thiserror::Error)]
#[error(
    "the recorder's checkpoint cannot be read ({0}); resume from another one, or restart the run from the beginning"
)]
pub struct StateError(#[from] rmp_serde::decode::Error);

impl RecorderState {
    /// Without a copy of the state of the guidance, which can be large.
    pub fn encode(
        outputs: &OutputsState,
        guidance: Option<&GuidanceState>,
        notices: &[RouteNotice],
        still_since: Option<u64>,
    ) -> Vec<u8> {
        let state = (outputs, guidance, notices, still_since);
        rmp_serde::to_vec(&state).expect("a byte buffer takes all, and nothing in it is unknown")
    }

    /// # Errors
    /// The bytes are damaged, or of another version of the program.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        Ok(rmp_serde::from_slice(bytes)?)
    }
}
