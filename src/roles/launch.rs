//! Brings a run to where a master can drive it: compiles and stores a new one, or finds where an interrupted one stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::standalone::RunError;
use crate::actors::master::{OUTCOME, PLACES, PlacedPart, Tenure};
use crate::actors::recorder::RecorderState;
use crate::diagnostics::InputError;
use crate::graph::join_actuated_signals;
use crate::graph::partition::Cut;
use crate::output::add_whole_run_requests;
use crate::persist::{ContentHash, Envelope, Manifest, PartName, PartRef, RunName, SnapshotStore, StoreError};
use crate::scenario::{CompiledScenario, OutputPaths, Scenario};

/// Under this name it is stored what a run is about.
const RUN: &str = "run";
/// Largest state of a recorder, bytes.
const STATE_LIMIT: u64 = 16 << 30;
/// Pause before the store, or the lease, is tried again.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a run is about, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RunRecord {
    scenario: ContentHash,
    partitions: u16,
    outputs: OutputPaths,
}

/// A scenario that was read, how it is cut, and what is to be written of it.
pub struct Given {
    pub scenario: Scenario,
    pub cut: Cut,
    pub outputs: OutputPaths,
}

/// Which run, and by whose right.
#[derive(Clone, Debug)]
pub struct Claim {
    pub run: RunName,
    /// A process of the same name takes the lease over at once, another one when it has lapsed.
    pub holder: String,
    pub lease: Duration,
}

/// Where an interrupted run stands.
pub struct Standing {
    pub step: u64,
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
    pub standing: Option<Standing>,
    /// Where an earlier master has left the partitions.
    pub placed: Vec<Option<PlacedPart>>,
}

/// Takes the lease of the run and makes it ready. `None`: it was finished before.
///
/// # Errors
/// [`RunError::Input`] when the store holds another run of this name, or none and nothing is `given`; [`RunError::Failed`] when
/// the store cannot be used.
pub async fn launch(
    store: &mut dyn SnapshotStore,
    claim: Claim,
    given: Option<Given>,
) -> Result<Option<Launch>, RunError> {
    let run = &claim.run;
    let epoch = acquire(store, &claim).await?;
    let record = read_record(store, run).await?;
    let is_finished = get(async || store.get_record(run, OUTCOME).await).await?.is_some();
    let (record, compiled) = match (record, given) {
        (None, None) => {
            return Err(InputError::file(
                run.as_str(),
                "the store holds no run of this name; see 'tessds snapshot ls'",
            )
            .into());
        }
        (None, Some(given)) => {
            let (compiled, outputs) = compile(given);
            let bytes = compiled.encode();
            let scenario = get(async || store.put_blob(run, &bytes).await).await?;
            let record = RunRecord { scenario, partitions: compiled.cut.parts as u16, outputs };
            let bytes = rmp_serde::to_vec(&record).map_err(|e| InputError::file("outputs", e.to_string()))?;
            get(async || store.put_record(run, epoch, RUN, &bytes).await).await?;
            (record, compiled)
        }
        (Some(record), Some(given)) => {
            let (compiled, outputs) = compile(given);
            if ContentHash::of(&compiled.encode()) != record.scenario || outputs != record.outputs {
                let what = "the store holds a run of this name with another scenario, seed, number of partitions or other \
                            outputs; choose another --run-id, or remove the old run with 'tessds snapshot rm'";
                return Err(InputError::file(run.as_str(), what).into());
            }
            (record, compiled)
        }
        (Some(record), None) => {
            let bytes = get(async || store.get_blob(run, record.scenario).await).await?;
            let compiled =
                CompiledScenario::decode(&bytes).map_err(|e| InputError::file(run.as_str(), e.to_string()))?;
            (record, compiled)
        }
    };
    let tenure = Tenure { run: run.clone(), holder: claim.holder, epoch, ttl: claim.lease, scenario: record.scenario };
    if is_finished {
        get(async || store.release(run, epoch).await).await?;
        return Ok(None);
    }
    let standing = standing(store, &tenure, record.partitions).await?;
    let placed = match get(async || store.get_record(run, PLACES).await).await? {
        Some(bytes) => rmp_serde::from_slice(&bytes).unwrap_or_default(),
        None => Vec::new(),
    };
    Ok(Some(Launch { tenure, compiled, outputs: record.outputs, standing, placed }))
}

async fn acquire(store: &mut dyn SnapshotStore, claim: &Claim) -> Result<crate::protocol::Epoch, RunError> {
    loop {
        match store.acquire(&claim.run, &claim.holder, claim.lease).await {
            Ok(lease) => return Ok(lease.epoch),
            Err(error) if error.is_transient() => tracing::warn!(%error, "waiting for the store"),
            Err(error @ StoreError::Held { .. }) => tracing::warn!(%error, "waiting for the lease of the run"),
            Err(error) => return Err(failed(&error)),
        }
        sleep(PATIENCE).await;
    }
}

async fn read_record(store: &mut dyn SnapshotStore, run: &RunName) -> Result<Option<RunRecord>, RunError> {
    let Some(bytes) = get(async || store.get_record(run, RUN).await).await? else { return Ok(None) };
    let record = rmp_serde::from_slice(&bytes)
        .map_err(|e| RunError::Failed(format!("what the store holds of run '{run}' cannot be read: {e}")))?;
    Ok(Some(record))
}

fn compile(given: Given) -> (CompiledScenario, OutputPaths) {
    let Given { scenario, mut cut, outputs } = given;
    let Scenario { network, demand, settings, mut requests } = scenario;
    add_whole_run_requests(&outputs, &mut requests);
    join_actuated_signals(&network, &mut cut);
    let compiled = CompiledScenario { network: network.into(), demand: demand.into(), settings, requests, cut };
    (compiled, outputs)
}

/// The newest commit all of whose parts can be read. Damaged ones are taken back.
async fn standing(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    partitions: u16,
) -> Result<Option<Standing>, RunError> {
    let run = &tenure.run;
    for commit in get(async || store.commits(run).await).await? {
        match read_commit(store, tenure, &commit, partitions).await {
            Ok(standing) => return Ok(Some(standing)),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Missing { .. })) => {
                tracing::error!(step = commit.step, %error, "snapshot is damaged; the one before counts");
                get(async || store.withdraw(run, tenure.epoch, commit.step).await).await?;
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(None)
}

async fn read_commit(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    commit: &Manifest,
    partitions: u16,
) -> Result<Standing, StoreError> {
    let damaged = |what: String| StoreError::Damaged { what };
    let mut parts: Vec<Option<PartRef>> = vec![None; usize::from(partitions)];
    let mut recorder = None;
    for part in &commit.parts {
        let sealed = persist_read(store, &tenure.run, part).await?;
        let (scenario, step, epoch) = (tenure.scenario, commit.step, part.id.epoch);
        let state = Envelope { scenario, step, epoch, part: part.id.part }.open_expecting(&sealed, STATE_LIMIT)?;
        match part.id.part {
            PartName::Partition(number) => {
                let place = parts.get_mut(usize::from(number));
                *place.ok_or_else(|| damaged(format!("there is no partition {number}")))? = Some(*part);
            }
            PartName::Recorder => {
                recorder = Some(RecorderState::decode(&state).map_err(|error| damaged(error.to_string()))?);
            }
            PartName::Master => {}
        }
    }
    let parts: Option<Vec<PartRef>> = parts.into_iter().collect();
    let parts = parts.ok_or_else(|| damaged("a partition's state is not in the commit".to_owned()))?;
    let recorder = recorder.ok_or_else(|| damaged("the recorder's state is not in the commit".to_owned()))?;
    Ok(Standing { step: commit.step, parts, recorder })
}

async fn persist_read(store: &mut dyn SnapshotStore, run: &RunName, part: &PartRef) -> Result<Vec<u8>, StoreError> {
    loop {
        match store.get_part(run, part).await {
            Err(error) if error.is_transient() => tracing::warn!(%error, "waiting for the store"),
            done => return done,
        }
        sleep(PATIENCE).await;
    }
}

/// Calls the store until it answers; a master without a store has nothing to do meanwhile.
async fn get<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, RunError> {
    loop {
        match call().await {
            Err(error) if error.is_outage() => tracing::warn!(%error, "waiting for the store"),
            done => return done.map_err(|error| failed(&error)),
        }
        sleep(PATIENCE).await;
    }
}

fn failed(error: &StoreError) -> RunError {
    match error {
        StoreError::Config { what } => InputError::file("store", what.as_str()).into(),
        error => RunError::Failed(format!("store: {error}")),
    }
}
