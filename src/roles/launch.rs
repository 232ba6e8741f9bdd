//! Brings a run to where a master can drive it: compiles and stores a new one, or finds where an interrupted one stands.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::edit_run::edit_run;
use super::master::Finished;
use super::newest_snapshot::{Snapshot, newest_snapshot};
use super::recut::recut;
use super::standalone::RunError;
use crate::actors::master::{
    LoggedAction, LoggedCommand, OUTCOME, PACE, PLACES, PlacedPart, RunResult, StoredPace, TALLIES, Tallies, Tenure,
    fenced_off,
};
use crate::actors::recorder::RecorderState;
use crate::diagnostics::InputError;
use crate::graph::edit::Edit;
use crate::graph::join_actuated_signals;
use crate::graph::partition::Cut;
use crate::output::add_whole_run_requests;
use crate::persist::{ContentHash, PartRef, RunName, SnapshotStore, StoreError, read_log};
use crate::scenario::{CompiledScenario, OutputPaths, Revision, Scenario};

/// Under this name it is stored what a run is about.
const RUN: &str = "run";
/// Pause before the store, or the lease, is tried again.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a run is about, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RunRecord {
    /// As it was started.
    scenario: ContentHash,
    outputs: OutputPaths,
}

/// A scenario that was read, how it is cut, and what is to be written of it.
pub struct LoadedScenario {
    pub scenario: Scenario,
    pub cut: Cut,
    pub outputs: OutputPaths,
}

/// Which run, and by whose right.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    pub run: RunName,
    /// A process of the same name takes the lease over at once, another one when it has lapsed.
    pub holder: String,
    pub lease: Duration,
}

/// Where an interrupted run stands.
pub struct ResumePoint {
    pub step: u64,
    pub committed_at: SystemTime,
    /// By part.
    pub parts: Vec<PartRef>,
    pub recorder: RecorderState,
}

/// A run that can be driven.
pub struct Launch {
    pub tenure: Tenure,
    pub compiled: CompiledScenario,
    pub outputs: OutputPaths,
    /// `None`: from the beginning.
    pub standing: Option<ResumePoint>,
    /// Where an earlier master has left the partitions.
    pub placed: Vec<Option<PlacedPart>>,
    /// What was recovered under earlier masters.
    pub tallies: Tallies,
    /// It was cut anew: what an earlier master has left behind is of no use.
    pub recut: bool,
    /// The whole command log.
    pub log: Vec<LoggedCommand>,
    /// How it was driven; `None`: as it was started.
    pub pace: Option<StoredPace>,
}

/// What there is to do about a run.
pub enum Launched {
    /// Drive it.
    Ready(Box<Launch>),
    /// Nothing: it was finished before.
    Finished(Box<Finished>),
}

/// Takes the lease of the run and makes it ready; an interrupted run is cut into `partitions` if that is said, and goes on in
/// as many as before otherwise.
///
/// # Errors
/// [`RunError::Input`] when the store holds another run of this name, or none and nothing is `given`; [`RunError::Failed`] when
/// the store cannot be used.
pub async fn launch(
    store: &mut dyn SnapshotStore,
    claim: LeaseRequest,
    given: Option<LoadedScenario>,
    partitions: Option<u32>,
) -> Result<Launched, RunError> {
    let run = &claim.run;
    if given.is_none() && get(async || store.status(run).await).await?.is_none() {
        let what = "the store holds no run of this name; see 'tessds snapshot ls'";
        return Err(InputError::file(run.as_str(), what).into());
    }
    let epoch = acquire(store, &claim).await?;
    let mut tenure =
        Tenure { run: run.clone(), holder: claim.holder.clone(), epoch, ttl: claim.lease, scenario: ContentHash(0) };
    let prepared = prepare(store, &mut tenure, given, partitions).await;
    if !matches!(prepared, Ok(Prepared::Ready(_))) {
        // Nobody should have to wait for the lease of a run that is not driven.
        get(async || store.release(run, epoch).await).await?;
    }
    Ok(match prepared? {
        Prepared::Ready(ready) => {
            still_ours(store, &tenure).await?;
            let Ready { compiled, outputs, standing, placed, tallies, recut, log, pace } = *ready;
            Launched::Ready(Box::new(Launch { tenure, compiled, outputs, standing, placed, tallies, recut, log, pace }))
        }
        Prepared::Finished(finished) => Launched::Finished(finished),
    })
}

/// Files cannot be fenced off as the store can: who waited for the store so long that another master has taken the run over must not cut
/// back its outputs, for they are written by the other one.
async fn still_ours(store: &mut dyn SnapshotStore, tenure: &Tenure) -> Result<(), RunError> {
    let Tenure { run, holder, epoch, ttl, .. } = tenure;
    answer(async || store.renew(run, holder, *epoch, *ttl).await).await.map_err(|error| match error {
        StoreError::Fenced { .. } => RunError::Failed(fenced_off(run, &error)),
        error => failed(&error),
    })
}

struct Ready {
    compiled: CompiledScenario,
    outputs: OutputPaths,
    standing: Option<ResumePoint>,
    placed: Vec<Option<PlacedPart>>,
    tallies: Tallies,
    recut: bool,
    log: Vec<LoggedCommand>,
    pace: Option<StoredPace>,
}

enum Prepared {
    Ready(Box<Ready>),
    Finished(Box<Finished>),
}

async fn prepare(
    store: &mut dyn SnapshotStore,
    tenure: &mut Tenure,
    given: Option<LoadedScenario>,
    partitions: Option<u32>,
) -> Result<Prepared, RunError> {
    let (run, epoch) = (tenure.run.clone(), tenure.epoch);
    let record = read_record(store, &run).await?;
    let given = given.map(compile);
    let record = match (record, &given) {
        (Some(record), Some((compiled, outputs))) => {
            if ContentHash::of(&compiled.encode()) != record.scenario || *outputs != record.outputs {
                let what = "the store holds a run of this name with another scenario, seed, number of partitions or other \
                            outputs; choose another --run-id, or remove the old run with 'tessds snapshot rm'";
                return Err(InputError::file(run.as_str(), what).into());
            }
            record
        }
        (Some(record), None) => record,
        (None, Some((compiled, outputs))) => {
            let bytes = compiled.encode();
            let scenario = get(async || store.put_blob(&run, &bytes).await).await?;
            let record = RunRecord { scenario, outputs: outputs.clone() };
            let bytes = rmp_serde::to_vec(&record).map_err(|e| InputError::file("outputs", e.to_string()))?;
            get(async || store.put_record(&run, epoch, RUN, &bytes).await).await?;
            record
        }
        (None, None) => {
            let what =
                "the run was interrupted before its scenario was stored; restart it with its original command line";
            return Err(InputError::file(run.as_str(), what).into());
        }
    };
    if let Some(bytes) = get(async || store.get_record(&run, OUTCOME).await).await? {
        return Ok(Prepared::Finished(Box::new(finished(store, &run, &record, &bytes).await?)));
    }
    let mut snapshot = newest_snapshot(store, &run, epoch).await?;
    // A run that was cut anew has another compiled scenario than it was started with.
    tenure.scenario = snapshot.as_ref().map_or(record.scenario, |snapshot| snapshot.manifest.scenario);
    let mut compiled = match given {
        Some((compiled, _)) if tenure.scenario == record.scenario => compiled,
        _ => {
            let scenario = tenure.scenario;
            let bytes = get(async || store.get_blob(&run, scenario).await).await?;
            CompiledScenario::decode(&bytes).map_err(|e| InputError::file(run.as_str(), e.to_string()))?
        }
    };
    let placed = get(async || store.get_record(&run, PLACES).await).await?;
    let placed = placed.and_then(|bytes| rmp_serde::from_slice(&bytes).ok()).unwrap_or_default();
    let tallies = get(async || store.get_record(&run, TALLIES).await).await?;
    let tallies = tallies.and_then(|bytes| rmp_serde::from_slice(&bytes).ok()).unwrap_or_default();
    let other = partitions.filter(|partitions| *partitions != compiled.cut.parts);
    if let Some(partitions) = other {
        (compiled, snapshot) = recut(store, tenure, compiled, snapshot, partitions).await?;
    }
    let log = command_log(store, &run).await?;
    let mut recut = other.is_some();
    let step = snapshot.as_ref().map_or(0, |snapshot| snapshot.manifest.step);
    while let Some(edits) = pending_edit(&log, compiled.revision.edits, step) {
        (compiled, snapshot) = edit_run(store, tenure, compiled, snapshot, edits).await?;
        recut = true;
    }
    let standing = snapshot.map(Snapshot::standing).transpose()?;
    let pace = get(async || store.get_record(&run, PACE).await).await?;
    let pace = pace.map(|bytes| StoredPace::decode(&bytes)).transpose();
    let pace =
        pace.map_err(|error| RunError::Failed(format!("the stored pace of run '{run}' cannot be read: {error}")))?;
    let outputs = record.outputs;
    Ok(Prepared::Ready(Box::new(Ready { compiled, outputs, standing, placed, tallies, recut, log, pace })))
}

/// The next edit of the command log, when the run has got to its step; `made` are in the network already.
fn pending_edit(log: &[LoggedCommand], made: u32, step: u64) -> Option<&[Edit]> {
    let edits = log.iter().filter_map(|entry| match &entry.act {
        LoggedAction::Edit(edits) => Some((entry.at_step, &edits[..])),
        _ => None,
    });
    edits.skip(made as usize).map_while(|(at_step, edits)| (at_step <= step).then_some(edits)).next()
}

/// What a run has come to that was finished before.
async fn finished(
    store: &mut dyn SnapshotStore,
    run: &RunName,
    record: &RunRecord,
    result: &[u8],
) -> Result<Finished, RunError> {
    let unreadable = |what: String| RunError::Failed(format!("the stored data of run '{run}' cannot be read: {what}"));
    let RunResult { recording, partitions, recoveries, replayed_steps } =
        RunResult::decode(result).map_err(|error| unreadable(error.to_string()))?;
    let bytes = get(async || store.get_blob(run, record.scenario).await).await?;
    let settings = CompiledScenario::decode(&bytes).map_err(|error| unreadable(error.to_string()))?.settings;
    Ok(Finished { recording, settings, partitions: usize::from(partitions), recoveries, replayed_steps })
}

async fn acquire(store: &mut dyn SnapshotStore, claim: &LeaseRequest) -> Result<crate::protocol::Epoch, RunError> {
    loop {
        match store.acquire(&claim.run, &claim.holder, claim.lease).await {
            Ok(lease) => return Ok(lease.epoch),
            Err(error) if will_pass(&error) => tracing::warn!(%error, "waiting for the store"),
            Err(error @ StoreError::Held { .. }) => tracing::warn!(%error, "waiting for the lease of the run"),
            Err(error) => return Err(failed(&error)),
        }
        sleep(PATIENCE).await;
    }
}

/// The scenario that a run was started with; `None`: the run has not come that far.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn scenario_of(
    store: &mut dyn SnapshotStore,
    run: &RunName,
) -> Result<Option<ContentHash>, StoreError> {
    let Some(bytes) = store.get_record(run, RUN).await? else { return Ok(None) };
    let record = rmp_serde::from_slice::<RunRecord>(&bytes);
    Ok(Some(record.map_err(|error| StoreError::damaged(format!("the record of run '{run}': {error}")))?.scenario))
}

async fn read_record(store: &mut dyn SnapshotStore, run: &RunName) -> Result<Option<RunRecord>, RunError> {
    let Some(bytes) = get(async || store.get_record(run, RUN).await).await? else { return Ok(None) };
    let record = rmp_serde::from_slice(&bytes)
        .map_err(|e| RunError::Failed(format!("the stored data of run '{run}' cannot be read: {e}")))?;
    Ok(Some(record))
}

/// Makes of a scenario what is stored of it.
pub(super) fn compile(given: LoadedScenario) -> (CompiledScenario, OutputPaths) {
    let LoadedScenario { scenario, mut cut, outputs } = given;
    let Scenario { network, demand, settings, mut requests } = scenario;
    add_whole_run_requests(&outputs, &mut requests);
    join_actuated_signals(&network, &mut cut);
    let revision = Revision::default();
    let compiled =
        CompiledScenario { network: network.into(), demand: demand.into(), settings, requests, cut, revision };
    (compiled, outputs)
}

/// Calls the store until it answers; a master without a store has nothing to do meanwhile.
pub(super) async fn answer<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    loop {
        match call().await {
            Err(error) if will_pass(&error) => tracing::warn!(%error, "waiting for the store"),
            done => return done,
        }
        sleep(PATIENCE).await;
    }
}

/// The same where any other answer ends the run.
pub(super) async fn get<T>(call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, RunError> {
    answer(call).await.map_err(|error| failed(&error))
}

fn will_pass(error: &StoreError) -> bool {
    error.is_outage() && !matches!(error, StoreError::Denied { .. })
}

pub(super) fn failed(error: &StoreError) -> RunError {
    match error {
        StoreError::Config { what } | StoreError::OtherVersion { what } => {
            InputError::file("store", what.as_str()).into()
        }
        error => RunError::Failed(format!("store: {error}")),
    }
}

/// All commands that were given to the run, in their order. Nobody else appends while the lease is held.
async fn command_log(store: &mut dyn SnapshotStore, run: &RunName) -> Result<Vec<LoggedCommand>, RunError> {
    let log = get(async || read_log(store, run).await).await?;
    let entry = |(number, bytes): (usize, Vec<u8>)| {
        LoggedCommand::decode(&bytes).map_err(|error| {
            RunError::Failed(format!("entry {number} of the command log of '{run}' cannot be read: {error}"))
        })
    };
    log.into_iter().enumerate().map(entry).collect()
}
