//! The worker's side of the store: puts snapshots in and takes scenario and snapshots out, on a thread of its own, so that
//! no step waits for it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use prometheus::IntGauge;

use super::actor::{Worker, WorkerMessage};
use super::backlog::{Backlog, Packed};
use crate::actors::master::{OUTCOME, TRIES, persist_within};
use crate::actors::partition::Snapshot;
use crate::persist::{ContentHash, Envelope, PartId, PartName, PartRef, RunName, SnapshotStore, StoreError};
use crate::protocol::{Epoch, Stored};
use crate::scenario::CompiledScenario;
use crate::sim::{PartitionState, Scope, World};

/// Pause before the store is asked again for what a partition cannot go on without.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often snapshots that could not be stored are tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Opens a connection to the store, on the thread that is going to use it.
pub type OpenStore = Arc<dyn Fn() -> Result<Box<dyn SnapshotStore>, StoreError> + Send + Sync>;

/// Owns the worker's connection to the store (I3).
pub struct SnapshotUploader {
    /// Away while it is used; messages wait meanwhile.
    store: Option<Box<dyn SnapshotStore>>,
    run: Option<(RunName, ContentHash)>,
    /// What the store did not take, and what came meanwhile.
    backlog: Backlog,
    worker: Addr<Worker>,
    /// Shows the length of the backlog; `None`: nobody asks.
    waiting: Option<IntGauge>,
}

impl SnapshotUploader {
    pub fn new(store: Box<dyn SnapshotStore>, worker: Addr<Worker>, waiting: Option<IntGauge>) -> Self {
        Self { store: Some(store), run: None, backlog: Backlog::default(), worker, waiting }
    }

    /// Snapshots that wait for the store, before each partition keeps its newest one itself.
    pub const MAILBOX: usize = 64;

    /// Uses the store; nothing else is done before the answer is there.
    fn with_store<T: 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        work: impl AsyncFnOnce(&mut dyn SnapshotStore) -> T + 'static,
        then: impl FnOnce(T, &mut Self, &mut Context<Self>) + 'static,
    ) {
        let Some(mut store) = self.store.take() else { return };
        let working = async move {
            let done = work(&mut *store).await;
            (store, done)
        };
        ctx.wait(working.into_actor(self).map(move |(store, done), uploader, ctx| {
            uploader.store = Some(store);
            then(done, uploader, ctx);
        }));
    }

    /// Tries up to `tries` times. What the store does not take is kept: a run whose logs are full waits for a commit, and that
    /// for the earliest of its parts, which therefore has to come one day (I7).
    fn upload(&mut self, mut packed: Packed, tries: u32, ctx: &mut Context<Self>) {
        let Some((run, _)) = self.run.clone() else { return };
        let work = async move |store: &mut dyn SnapshotStore| {
            let stored = persist_within(tries, async || {
                let id = PartId { attempt: packed.attempt, ..packed.id() };
                packed.attempt += 1;
                store.put_part(&run, id, &packed.sealed).await
            })
            .await;
            (stored, packed)
        };
        self.with_store(ctx, work, move |(stored, packed), uploader, ctx| match stored {
            Ok(reference) => {
                let stored = Stored { part: packed.part, epoch: packed.epoch, reference };
                uploader.tell(WorkerMessage::SnapshotStored { stored, took: packed.taken.elapsed() });
                if !uploader.backlog.is_empty() {
                    ctx.notify(UploaderMessage::Retry);
                }
            }
            Err(error) if error.is_outage() => {
                if uploader.backlog.put_back(packed) {
                    tracing::warn!(%error, "snapshots are waiting for the store");
                }
            }
            Err(error) => uploader.not_stored(packed.part, packed.step, error.to_string()),
        });
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.store.is_some()
            && let Some(packed) = self.backlog.pop()
        {
            self.upload(packed, 1, ctx);
        }
    }

    fn not_stored(&self, part: u16, step: u64, reason: String) {
        self.tell(WorkerMessage::SnapshotNotStored { part, step, reason });
    }

    fn prepare(&mut self, run: RunName, scenario: ContentHash, ctx: &mut Context<Self>) {
        self.run = Some((run.clone(), scenario));
        let work = async move |store: &mut dyn SnapshotStore| {
            let bytes = until_there(async || store.get_blob(&run, scenario).await).await.map_err(|e| e.to_string())?;
            let compiled = CompiledScenario::decode(&bytes).map_err(|e| e.to_string())?;
            let CompiledScenario { network, demand, settings, requests, cut, .. } = compiled;
            let world = Arc::new(World::new(network, demand, settings, requests));
            let scopes = (0..cut.parts as u16).map(|part| Scope::new(&world, part, &cut.part_of_edge)).collect();
            Ok::<_, String>((world, Arc::new(scopes)))
        };
        self.with_store(ctx, work, |prepared, uploader, _| uploader.tell(WorkerMessage::Prepared(prepared)));
    }

    fn load(&mut self, part: u16, epoch: Epoch, from: PartRef, ctx: &mut Context<Self>) {
        let Some((run, scenario)) = self.run.clone() else { return };
        let work = async move |store: &mut dyn SnapshotStore| {
            let sealed = until_there(async || store.get_part(&run, &from).await).await.map_err(|e| e.to_string())?;
            let expected = Envelope { scenario, step: from.id.step, epoch: from.id.epoch, part: from.id.part };
            let bytes = expected.open_expecting(&sealed).map_err(|e| e.to_string())?;
            rmp_serde::from_slice::<PartitionState>(&bytes).map_err(|e| e.to_string())
        };
        self.with_store(ctx, work, move |loaded, uploader, _| match loaded {
            Ok(state) => uploader.tell(WorkerMessage::Loaded { part, epoch, state: Box::new(state) }),
            Err(reason) => uploader.tell(WorkerMessage::NotLoaded { part, epoch, reason }),
        });
    }

    fn ask_outcome(&mut self, ctx: &mut Context<Self>) {
        let Some((run, _)) = self.run.clone() else { return };
        let work = async move |store: &mut dyn SnapshotStore| store.get_record(&run, OUTCOME).await;
        self.with_store(ctx, work, |outcome, uploader, _| match outcome {
            Ok(Some(_)) => uploader.tell(WorkerMessage::RunIsOver),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the store did not answer whether the run has ended"),
        });
    }

    fn tell(&self, message: WorkerMessage) {
        if self.worker.try_send(message).is_err() {
            tracing::error!("the worker's mailbox is full; a message from its store connection is lost");
        }
    }
}

impl Actor for SnapshotUploader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(RETRY, |uploader, ctx| {
            uploader.waiting.iter().for_each(|gauge| gauge.set(uploader.backlog.len() as i64));
            uploader.go_on(ctx);
        });
    }
}

/// What the uploader is told by its worker.
#[derive(Message)]
#[rtype(result = "()")]
pub enum UploaderMessage {
    /// Learn the scenario of a run.
    Prepare { run: RunName, scenario: ContentHash },
    /// Get a partition's state, for a placement of it.
    Load { part: u16, epoch: Epoch, from: PartRef },
    /// Snapshots up to this step are not needed any more.
    Superseded { step: u64 },
    /// Ask whether the run is finished, for a worker that hears nothing of its master.
    AskOutcome,
    /// The store took something that it had refused before; go on with the next.
    Retry,
}

impl Handler<UploaderMessage> for SnapshotUploader {
    type Result = ();

    fn handle(&mut self, message: UploaderMessage, ctx: &mut Self::Context) {
        match message {
            UploaderMessage::Prepare { run, scenario } => self.prepare(run, scenario, ctx),
            UploaderMessage::Load { part, epoch, from } => self.load(part, epoch, from, ctx),
            UploaderMessage::Superseded { step } => self.backlog.cut_up_to(step),
            UploaderMessage::AskOutcome => self.ask_outcome(ctx),
            UploaderMessage::Retry => self.go_on(ctx),
        }
    }
}

impl Handler<Snapshot> for SnapshotUploader {
    type Result = ();

    fn handle(&mut self, message: Snapshot, ctx: &mut Self::Context) {
        let Some((_, scenario)) = self.run else { return };
        let Snapshot { epoch, state, taken } = message;
        let (part, step) = (state.part, state.steps);
        let bytes = rmp_serde::to_vec(&*state).expect("numbers and bytes can always be written");
        let sealed = Envelope { scenario, step, epoch, part: PartName::Partition(part) }.seal(&bytes);
        let packed = Packed { part, step, epoch, sealed, attempt: 0, taken };
        if self.backlog.is_empty() {
            self.upload(packed, TRIES, ctx);
        } else if let Some(Packed { part, step, .. }) = self.backlog.push(packed) {
            self.not_stored(part, step, "skipped: store outage, the backlog is full".to_owned());
        }
    }
}

/// Reads what must be read, for as long as the store may come back.
async fn until_there<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    loop {
        match call().await {
            Err(error) if error.is_outage() => tracing::warn!(%error, "waiting for the store"),
            done => return done,
        }
        tokio::time::sleep(PATIENCE).await;
    }
}
