//! Edits the network of a run that has got to a step: what was committed there becomes a commit of the edited run.

use std::sync::Arc;

use super::launch::get;
use super::newest_snapshot::Snapshot;
use super::recut::replace_commit;
use super::standalone::RunError;
use crate::actors::master::{PLACES, PlacedPart, Tenure};
use crate::actors::recorder::RecorderState;
use crate::demand::keep_places;
use crate::graph::edit::{Edit, EditedNetwork};
use crate::graph::{Network, join_actuated_signals};
use crate::ids::SignalId;
use crate::persist::SnapshotStore;
use crate::scenario::{CompiledScenario, Revision};
use crate::sim::{Carried, EditedWorld, PartitionState, World};

/// Stores the scenario with the edited network, and the states of its partitions as the newest commit. Whoever does it again,
/// from the commit before, gets the same.
pub(super) async fn edit_run(
    store: &mut dyn SnapshotStore,
    tenure: &mut Tenure,
    compiled: CompiledScenario,
    snapshot: Option<Snapshot>,
    edits: &[Edit],
) -> Result<(CompiledScenario, Option<Snapshot>), RunError> {
    let impossible = |error: String| {
        RunError::Failed(format!("the edits of the command log cannot be applied to the network: {error}"))
    };
    let mut edited = EditedNetwork::new(&compiled.network);
    edited.apply(edits).map_err(|error| impossible(error.to_string()))?;
    let after = edited_scenario(&compiled, edited, tenure.epoch.0).map_err(impossible)?;
    let (after, lanes) = after;
    let (bytes, run, epoch) = (after.encode(), tenure.run.clone(), tenure.epoch);
    tenure.scenario = get(async || store.put_blob(&run, &bytes).await).await?;
    // What workers have of the run is of another network, and must not be adopted.
    let nowhere: Vec<Option<PlacedPart>> = Vec::new();
    let nowhere = rmp_serde::to_vec(&nowhere).expect("an empty list can always be written");
    get(async || store.put_record(&run, epoch, PLACES, &nowhere).await).await?;
    let Some(snapshot) = snapshot else { return Ok((after, None)) };
    let step = snapshot.manifest.step;
    let (states, recorder) = carried(&compiled, &after, &lanes, &signals_of(edits, &after.network), &snapshot)
        .map_err(|error| RunError::Failed(format!("snapshot of step {step}: {error}")))?;
    let snapshot = replace_commit(store, tenure, snapshot.manifest, states, recorder).await?;
    Ok((after, Some(snapshot)))
}

/// The scenario with another network, and where its lanes are now.
pub(super) fn edited_scenario(
    compiled: &CompiledScenario,
    edited: EditedNetwork,
    epoch: u64,
) -> Result<(CompiledScenario, Vec<crate::ids::LaneId>), String> {
    let EditedNetwork { network, lanes } = edited;
    let mut requests = compiled.requests.clone();
    requests.follow(&network, &lanes)?;
    let mut demand = (*compiled.demand).clone();
    keep_places(&mut demand, &compiled.network, &network, &lanes);
    let mut cut = compiled.cut.clone();
    cut.grow(&network);
    join_actuated_signals(&network, &mut cut);
    let revision = Revision { edits: compiled.revision.edits + 1, epoch };
    let (network, demand, settings) = (Arc::new(network), Arc::new(demand), compiled.settings.clone());
    Ok((CompiledScenario { network, demand, settings, requests, cut, revision }, lanes))
}

/// The states of all partitions and of the recorder, in the edited network.
fn carried(
    before: &CompiledScenario,
    after: &CompiledScenario,
    lanes: &[crate::ids::LaneId],
    signals: &[SignalId],
    snapshot: &Snapshot,
) -> Result<(Vec<Vec<u8>>, Vec<u8>), String> {
    let states: Result<Vec<PartitionState>, _> =
        snapshot.parts.iter().map(|(_, state)| rmp_serde::from_slice(state)).collect();
    let states = states.map_err(|error| error.to_string())?;
    let RecorderState { outputs, guidance, mut notices, .. } =
        RecorderState::decode(&snapshot.recorder).map_err(|error| error.to_string())?;
    let worlds = [before, after].map(|scenario| {
        let CompiledScenario { network, demand, settings, requests, .. } = scenario;
        Arc::new(World::new(Arc::clone(network), Arc::clone(demand), settings.clone(), requests.clone()))
    });
    let edited = EditedWorld {
        before: &worlds[0],
        after: &worlds[1],
        lanes,
        signals,
        parts_before: &before.cut.part_of_edge,
        parts_after: &after.cut.part_of_edge,
    };
    let Carried { states, guidance, tally } = edited.carry(&states, guidance).map_err(|error| error.to_string())?;
    notices.iter_mut().for_each(|notice| edited.keep(&mut notice.updates));
    tracing::info!(
        step = snapshot.manifest.step,
        discarded = tally.discarded,
        rerouted = tally.rerouted,
        "network edited"
    );
    let encode = |state: &PartitionState| rmp_serde::to_vec(state).expect("numbers and bytes can always be written");
    let recorder = RecorderState::encode(&outputs, guidance.as_ref(), &notices, None);
    Ok((states.iter().map(encode).collect(), recorder))
}

/// Signals whose programs are set.
fn signals_of(edits: &[Edit], network: &Network) -> Vec<SignalId> {
    let named = edits.iter().filter_map(|edit| match edit {
        Edit::SetProgram(program) => network.signals.iter().position(|signal| *signal.name == *program.signal),
        _ => None,
    });
    named.map(SignalId::new).collect()
}
