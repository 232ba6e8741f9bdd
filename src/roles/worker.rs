//! Hosts partitions for a master.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::standalone::RunError;
use crate::actors::threads::Threads;
use crate::actors::worker::{OpenStore, PlannedPanic, Setup, Terminate, Worker};
use crate::protocol::{Limits, Listener, Networking};

/// Where and how a worker works.
pub struct WorkerSetup {
    pub name: String,
    /// Drawn anew by every process.
    pub incarnation: u64,
    /// `HOST:PORT` of the master.
    pub master: String,
    /// Where other workers reach this one, if not where it listens.
    pub advertised: Option<String>,
    pub listener: Box<dyn Listener>,
    pub networking: Arc<dyn Networking>,
    pub limits: Limits,
    pub open_store: OpenStore,
    pub threads: Threads,
    /// For tests.
    pub planned_panic: Option<PlannedPanic>,
}

/// Works until the run is over, or until `terminate` says so: then it hands over what it hosts first. To be called in an
/// actix system.
///
/// # Errors
/// The run failed, or the master refuses this worker.
pub async fn work(setup: WorkerSetup, terminate: impl Future<Output = ()>) -> Result<(), RunError> {
    let WorkerSetup {
        name,
        incarnation,
        master,
        advertised,
        listener,
        networking,
        limits,
        open_store,
        threads,
        planned_panic,
    } = setup;
    tracing::info!(worker = name, address = listener.address(), master, "worker looks for its master");
    let (end, ended) = oneshot::channel();
    let setup = Setup {
        name,
        incarnation,
        master,
        advertised,
        listener,
        networking,
        limits,
        open_store,
        threads,
        planned_panic,
        end,
    };
    let worker = Worker::create(move |ctx| {
        ctx.set_mailbox_capacity(Worker::MAILBOX);
        Worker::new(setup)
    });
    let mut ended = std::pin::pin!(ended);
    let result = tokio::select! {
        biased;
        result = &mut ended => result,
        () = terminate => {
            if worker.try_send(Terminate).is_err() {
                tracing::debug!("the worker had ended before it was told to");
            }
            ended.await
        }
    };
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err(RunError::Failed(reason)),
        Err(_) => Err(RunError::Failed("the worker ended without a word".to_owned())),
    }
}
