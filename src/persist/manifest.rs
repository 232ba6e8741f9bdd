//! A commit: what belongs together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::seal::{seal, unseal};
use super::{ContentHash, PartId, StoreError, chunks};
use crate::persist::Epoch;

/// An uploaded part, with what it takes to notice damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartRef {
    pub id: PartId,
    pub bytes: u64,
    /// Number of chunks of [`chunks::CHUNK_BYTES`], the last one shorter.
    pub chunks: u32,
    pub hash: ContentHash,
}

impl PartRef {
    pub fn new(id: PartId, bytes: &[u8]) -> Self {
        let length = bytes.len() as u64;
        Self { id, bytes: length, chunks: chunks::count(length), hash: ContentHash::of(bytes) }
    }

    /// A reference may come from a damaged commit, so its sizes are checked before memory is taken for it.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.bytes > chunks::MAX_VALUE_BYTES || self.chunks != chunks::count(self.bytes) {
            return Err(StoreError::damaged(format!(
                "{self} cannot have {} bytes in {} chunks",
                self.bytes, self.chunks
            )));
        }
        Ok(())
    }

    /// Whether these are the bytes that were put.
    pub(super) fn verify(&self, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() as u64 != self.bytes {
            return Err(StoreError::damaged(format!("{self} has {} bytes instead of {}", bytes.len(), self.bytes)));
        }
        if ContentHash::of(bytes) != self.hash {
            return Err(StoreError::damaged(format!("{self} does not match its stored checksum")));
        }
        Ok(())
    }

    pub(super) fn missing(&self) -> StoreError {
        StoreError::missing(self.to_string())
    }
}

impl fmt::Display for PartRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// All parts of one step. It is a snapshot once it is committed, and nothing before (I5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Manifest {
    /// Steps done.
    pub step: u64,
    /// The epoch under which it is committed; it must be the current one.
    pub epoch: Epoch,
    /// The compiled scenario, a blob of the run.
    pub scenario: ContentHash,
    /// Of the same step, each part once.
    pub parts: Vec<PartRef>,
    /// Milliseconds since 1970 by the committer's clock; shown to people, decides nothing.
    pub created_ms: u64,
}

impl Manifest {
    /// Sum over the parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
    }

    /// Refuses what could never be read back as one state.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let mut names: Vec<_> = self.parts.iter().map(|part| part.id.part).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(StoreError::conflict(format!("the commit of step {} names part {} twice", self.step, pair[0])));
        }
        if let Some(part) = self.parts.iter().find(|part| part.id.step != self.step) {
            return Err(StoreError::conflict(format!(
                "the commit of step {} names part {} of step {}",
                self.step, part.id.part, part.id.step
            )));
        }
        Ok(())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        seal(&rmp_serde::to_vec(self).expect("numbers and strings in memory can always be written"))
    }

    /// The commit that was stored under `step`.
    pub(super) fn decode(step: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let what = format!("the commit of step {step}");
        let manifest: Self = rmp_serde::from_slice(unseal(&what, bytes)?)
            .map_err(|error| StoreError::damaged(format!("{what}: {error}")))?;
        if manifest.step != step {
            return Err(StoreError::damaged(format!("{what} has the step number {} inside", manifest.step)));
        }
        Ok(manifest)
    }
}
