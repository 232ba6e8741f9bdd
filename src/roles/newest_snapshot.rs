//! Reads what a run can go on from.

use std::time::{Duration, SystemTime};

use super::launch::{ResumePoint, answer, failed, get};
use super::standalone::RunError;
use crate::actors::recorder::RecorderState;
use crate::persist::{Envelope, Manifest, PartName, PartRef, RunName, SnapshotStore, StoreError};
use crate::protocol::Epoch;

/// A commit that was read, with all that it holds.
pub(super) struct Snapshot {
    pub manifest: Manifest,
    /// By partition: where it is, and the state.
    pub parts: Vec<(PartRef, Vec<u8>)>,
    pub recorder: Vec<u8>,
}

impl Snapshot {
    /// Show the state of the run.
    pub fn standing(self) -> Result<ResumePoint, RunError> {
        let recorder = RecorderState::decode(&self.recorder).map_err(|error| RunError::Failed(error.to_string()))?;
        let parts = self.parts.into_iter().map(|(part, _)| part).collect();
        let committed_at = SystemTime::UNIX_EPOCH + Duration::from_millis(self.manifest.created_ms);
        Ok(ResumePoint { step: self.manifest.step, committed_at, parts, recorder })
    }
}

/// The newest commit all of whose parts can be read. Damaged ones are taken back.
pub(super) async fn newest_snapshot(
    store: &mut dyn SnapshotStore,
    run: &RunName,
    epoch: Epoch,
) -> Result<Option<Snapshot>, RunError> {
    for commit in get(async || store.commits(run).await).await? {
        let step = commit.step;
        match read(store, run, commit).await {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Missing { .. })) => {
                tracing::error!(step, %error, "damaged snapshot; using the previous one");
                get(async || store.withdraw(run, epoch, step).await).await?;
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(None)
}

async fn read(store: &mut dyn SnapshotStore, run: &RunName, manifest: Manifest) -> Result<Snapshot, StoreError> {
    let damaged = |what: &str| StoreError::Damaged { what: format!("snapshot of step {}: {what}", manifest.step) };
    let (mut parts, mut recorder) = (Vec::new(), None);
    for part in &manifest.parts {
        let sealed = answer(async || store.get_part(run, part).await).await?;
        let expected =
            Envelope { scenario: manifest.scenario, step: manifest.step, epoch: part.id.epoch, part: part.id.part };
        let state = expected.open_expecting(&sealed)?;
        match part.id.part {
            PartName::Partition(number) => parts.push((number, *part, state)),
            PartName::Recorder => recorder = Some(state),
            PartName::Master => {}
        }
    }
    parts.sort_unstable_by_key(|(number, ..)| *number);
    let is_complete = parts.iter().enumerate().all(|(i, (number, ..))| i == usize::from(*number));
    if parts.is_empty() || !is_complete {
        return Err(damaged("a partition is missing"));
    }
    let recorder = recorder.ok_or_else(|| damaged("the recorder's state is missing"))?;
    let parts = parts.into_iter().map(|(_, part, state)| (part, state)).collect();
    Ok(Snapshot { manifest, parts, recorder })
}
