//! Cuts an interrupted run into another number of partitions.

use std::sync::Arc;

use super::launch::get;
use super::newest_snapshot::Snapshot;
use super::standalone::RunError;
use crate::actors::master::Tenure;
use crate::graph::join_actuated_signals;
use crate::persist::{Envelope, Manifest, PartId, PartName, PartRef, SnapshotStore};
use crate::scenario::cut_by_traffic;
use crate::scenario::{CompiledScenario, Revision};
use crate::sim::{Partition, PartitionState, Scope, World};

/// Stores the scenario with a new cut, and the states of its partitions as the newest commit.
pub(super) async fn recut(
    store: &mut dyn SnapshotStore,
    tenure: &mut Tenure,
    compiled: CompiledScenario,
    snapshot: Option<Snapshot>,
    partitions: u32,
) -> Result<(CompiledScenario, Option<Snapshot>), RunError> {
    let CompiledScenario { network, demand, settings, .. } = &compiled;
    let mut cut = cut_by_traffic(network, demand, settings.seed, partitions)?;
    join_actuated_signals(network, &mut cut);
    let revision = Revision { epoch: tenure.epoch.0, ..compiled.revision };
    let compiled = CompiledScenario { cut, revision, ..compiled };
    let (bytes, run) = (compiled.encode(), tenure.run.clone());
    tenure.scenario = get(async || store.put_blob(&run, &bytes).await).await?;
    let Some(snapshot) = snapshot else { return Ok((compiled, None)) };
    let states = shares(&compiled, &snapshot)?;
    tracing::info!(partitions, step = snapshot.manifest.step, "repartitioning the run");
    let Snapshot { manifest, recorder, .. } = snapshot;
    let snapshot = replace_commit(store, tenure, manifest, states, recorder).await?;
    Ok((compiled, Some(snapshot)))
}

/// Commits other states for the step of a commit, under the scenario of the tenure.
pub(super) async fn replace_commit(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    manifest: Manifest,
    states: Vec<Vec<u8>>,
    recorder: Vec<u8>,
) -> Result<Snapshot, RunError> {
    let run = &tenure.run;
    let mut parts = Vec::with_capacity(states.len());
    for (number, state) in states.into_iter().enumerate() {
        let part = put(store, tenure, manifest.step, PartName::Partition(number as u16), &state).await?;
        parts.push((part, state));
    }
    let recorder_part = put(store, tenure, manifest.step, PartName::Recorder, &recorder).await?;
    let old = manifest;
    let manifest = Manifest {
        epoch: tenure.epoch,
        scenario: tenure.scenario,
        parts: parts.iter().map(|(part, _)| *part).chain([recorder_part]).collect(),
        ..old.clone()
    };
    get(async || store.replace(run, &old, &manifest).await).await?;
    Ok(Snapshot { manifest, parts, recorder })
}

/// The states of the new partitions, each put together from those of the old ones.
fn shares(compiled: &CompiledScenario, snapshot: &Snapshot) -> Result<Vec<Vec<u8>>, RunError> {
    let failed = |error: String| RunError::Failed(format!("snapshot of step {}: {error}", snapshot.manifest.step));
    let old: Result<Vec<PartitionState>, _> =
        snapshot.parts.iter().map(|(_, state)| rmp_serde::from_slice(state)).collect();
    let old = old.map_err(|error| failed(error.to_string()))?;
    let CompiledScenario { network, demand, settings, requests, cut, .. } = compiled;
    let world = Arc::new(World::new(Arc::clone(network), Arc::clone(demand), settings.clone(), requests.clone()));
    let (mut states, mut digest) = (Vec::new(), 0u128);
    for part in 0..cut.parts as u16 {
        let mut partition = Partition::new(Arc::clone(&world), Scope::new(&world, part, &cut.part_of_edge));
        partition.restore_share(&old).map_err(|error| failed(error.to_string()))?;
        let state = partition.save();
        digest = digest.wrapping_add(state.digest);
        states.push(rmp_serde::to_vec(&state).expect("numbers and bytes can always be written"));
    }
    let expected = old.iter().fold(0u128, |sum, state| sum.wrapping_add(state.digest));
    if digest != expected {
        return Err(failed(format!("digest {digest:032x} after repartitioning, {expected:032x} before")));
    }
    Ok(states)
}

async fn put(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    step: u64,
    part: PartName,
    state: &[u8],
) -> Result<PartRef, RunError> {
    let (scenario, epoch) = (tenure.scenario, tenure.epoch);
    let sealed = Envelope { scenario, step, epoch, part }.seal(state);
    let mut attempt = 0;
    get(async || {
        let id = PartId { step, epoch, part, attempt };
        attempt += 1;
        store.put_part(&tenure.run, id, &sealed).await
    })
    .await
}
