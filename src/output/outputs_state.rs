//! Where all outputs of a run are after a step: enough to go on from there as if nothing had happened since.

use serde::{Deserialize, Serialize};

use super::sinks::TripTotals;
use crate::diagnostics::InputError;
use crate::sim::report::Counts;

/// Made by [`Outputs::checkpoint`](super::Outputs::checkpoint).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputsState {
    pub(super) files: Vec<FileState>,
    pub(super) counts: Counts,
    pub(super) trips: TripTotals,
    pub(super) digest: u128,
    pub(super) steps: u64,
    /// Time of the first step that is not written.
    pub(super) next_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FileState {
    /// To compare and to show; what is not Unicode in it is replaced.
    pub path: String,
    /// Bytes of text written, which are on disk.
    pub position: u64,
    /// What its sink remembers.
    pub sink: Vec<u8>,
}

impl OutputsState {
    /// Steps written.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Checks that the files of the state are those that are asked for now.
    pub(super) fn check_files(&self, asked: &[String]) -> Result<(), InputError> {
        const ADVICE: &str = "ask for the outputs that the run began with, or start it anew";
        let begun: Vec<&String> = self.files.iter().map(|file| &file.path).collect();
        if let Some(gone) = begun.iter().find(|path| !asked.contains(path)) {
            let message =
                format!("the run to be resumed writes this output, which is not asked for any more; {ADVICE}");
            return Err(InputError::file(gone.as_str(), message));
        }
        if let Some(new) = asked.iter().find(|path| !begun.contains(path)) {
            let message = format!("the run to be resumed does not write this output; {ADVICE}");
            return Err(InputError::file(new.as_str(), message));
        }
        if !begun.iter().copied().eq(asked) {
            return Err(InputError::file("outputs", format!("the run to be resumed writes others; {ADVICE}")));
        }
        Ok(())
    }
}
