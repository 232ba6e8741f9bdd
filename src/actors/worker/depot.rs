//! The worker's side of the store: puts snapshots in and takes scenario and snapshots out, on a thread of its own, so that
//! no step waits for it.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::actor::{Loaded, NotLoaded, Prepared, RunIsOver, SnapshotNotStored, SnapshotStored, Worker};
use crate::actors::master::{OUTCOME, persist};
use crate::actors::partition::Snapshot;
use crate::persist::{ContentHash, Envelope, PartId, PartName, PartRef, RunName, SnapshotStore, StoreError};
use crate::protocol::{Epoch, Stored};
use crate::scenario::CompiledScenario;
use crate::sim::{PartitionState, Scope, World};

/// Largest state of a partition, bytes.
const STATE_LIMIT: u64 = 16 << 30;
/// Pause before the store is asked again for what a partition cannot go on without.
const PATIENCE: Duration = Duration::from_millis(200);

/// Opens a connection to the store, on the thread that is going to use it.
pub type OpenStore = Arc<dyn Fn() -> Result<Box<dyn SnapshotStore>, StoreError> + Send + Sync>;

/// Owns the worker's connection to the store (I3).
pub struct Depot {
    /// Away while it is used; messages wait meanwhile.
    store: Option<Box<dyn SnapshotStore>>,
    run: Option<(RunName, ContentHash)>,
    worker: Addr<Worker>,
}

impl Depot {
    pub fn new(store: Box<dyn SnapshotStore>, worker: Addr<Worker>) -> Self {
        Self { store: Some(store), run: None, worker }
    }

    /// Snapshots that wait for the store. More are left out.
    pub const MAILBOX: usize = 64;

    /// Uses the store; nothing else is done before the answer is there.
    fn with_store<T: 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        work: impl AsyncFnOnce(&mut dyn SnapshotStore) -> T + 'static,
        then: impl FnOnce(T, &mut Self) + 'static,
    ) {
        let Some(mut store) = self.store.take() else { return };
        let working = async move {
            let done = work(&mut *store).await;
            (store, done)
        };
        ctx.wait(working.into_actor(self).map(move |(store, done), depot, _| {
            depot.store = Some(store);
            then(done, depot);
        }));
    }

    fn tell<M>(&self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        Worker: Handler<M>,
    {
        if self.worker.try_send(message).is_err() {
            tracing::error!("the worker does not take what its store says");
        }
    }
}

impl Actor for Depot {
    type Context = Context<Self>;
}

impl Handler<Snapshot> for Depot {
    type Result = ();

    fn handle(&mut self, message: Snapshot, ctx: &mut Self::Context) {
        let Some((run, scenario)) = self.run.clone() else { return };
        let Snapshot { epoch, state } = message;
        let (part, step) = (state.part, state.steps);
        let work = async move |store: &mut dyn SnapshotStore| {
            let name = PartName::Partition(part);
            let bytes = rmp_serde::to_vec(&*state).expect("numbers and bytes can always be written");
            let sealed = Envelope { scenario, step, epoch, part: name }.seal(&bytes);
            let mut attempt = 0;
            persist(async || {
                let id = PartId { step, epoch, part: name, attempt };
                attempt += 1;
                store.put_part(&run, id, &sealed).await
            })
            .await
        };
        self.with_store(ctx, work, move |stored, depot| match stored {
            Ok(reference) => depot.tell(SnapshotStored(Stored { part, epoch, reference })),
            Err(error) => depot.tell(SnapshotNotStored { part, step, reason: error.to_string() }),
        });
    }
}

/// Learn the scenario of a run that is cut into `partitions`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Prepare {
    pub run: RunName,
    pub scenario: ContentHash,
}

impl Handler<Prepare> for Depot {
    type Result = ();

    fn handle(&mut self, message: Prepare, ctx: &mut Self::Context) {
        let Prepare { run, scenario } = message;
        self.run = Some((run.clone(), scenario));
        let work = async move |store: &mut dyn SnapshotStore| {
            let bytes = until_there(async || store.get_blob(&run, scenario).await).await.map_err(|e| e.to_string())?;
            let compiled = CompiledScenario::decode(&bytes).map_err(|e| e.to_string())?;
            let CompiledScenario { network, demand, settings, requests, cut } = compiled;
            let world = Arc::new(World::new(network, demand, settings, requests));
            let scopes = (0..cut.parts as u16).map(|part| Scope::new(&world, part, &cut.part_of_edge)).collect();
            Ok::<_, String>((world, Arc::new(scopes)))
        };
        self.with_store(ctx, work, |prepared, depot| depot.tell(Prepared(prepared)));
    }
}

/// Get a partition's state, for a placement of it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Load {
    pub part: u16,
    pub epoch: Epoch,
    pub from: PartRef,
}

impl Handler<Load> for Depot {
    type Result = ();

    fn handle(&mut self, message: Load, ctx: &mut Self::Context) {
        let Some((run, scenario)) = self.run.clone() else { return };
        let Load { part, epoch, from } = message;
        let work = async move |store: &mut dyn SnapshotStore| {
            let sealed = until_there(async || store.get_part(&run, &from).await).await.map_err(|e| e.to_string())?;
            let expected = Envelope { scenario, step: from.id.step, epoch: from.id.epoch, part: from.id.part };
            let bytes = expected.open_expecting(&sealed, STATE_LIMIT).map_err(|e| e.to_string())?;
            rmp_serde::from_slice::<PartitionState>(&bytes).map_err(|e| e.to_string())
        };
        self.with_store(ctx, work, move |loaded, depot| match loaded {
            Ok(state) => depot.tell(Loaded { part, epoch, state: Box::new(state) }),
            Err(reason) => depot.tell(NotLoaded { part, epoch, reason }),
        });
    }
}

/// Ask whether the run is finished, for a worker that hears nothing of its master.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AskOutcome;

impl Handler<AskOutcome> for Depot {
    type Result = ();

    fn handle(&mut self, _: AskOutcome, ctx: &mut Self::Context) {
        let Some((run, _)) = self.run.clone() else { return };
        let work = async move |store: &mut dyn SnapshotStore| store.get_record(&run, OUTCOME).await;
        self.with_store(ctx, work, |outcome, depot| match outcome {
            Ok(Some(_)) => depot.tell(RunIsOver),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the store does not say whether the run is over"),
        });
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
