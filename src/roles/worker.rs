//! Hosts partitions for a master.

use actix::prelude::*;
use tokio::sync::oneshot;

use super::standalone::RunError;
pub use crate::actors::worker::Setup as WorkerSetup;
use crate::actors::worker::{Worker, WorkerMessage};

/// Works until the run is over, or until `terminate` says so: then it hands over what it hosts first. To be called in an
/// actix system.
///
/// # Errors
/// The run failed, or the master refuses this worker.
pub async fn work(setup: WorkerSetup, terminate: impl Future<Output = ()>) -> Result<(), RunError> {
    let WorkerSetup { name, master, listener, .. } = &setup;
    tracing::info!(worker = name, address = listener.address(), master, "worker connects to its master");
    let (end, ended) = oneshot::channel();
    let worker = Worker::create(move |ctx| {
        ctx.set_mailbox_capacity(Worker::MAILBOX);
        Worker::new(setup, end)
    });
    let mut ended = std::pin::pin!(ended);
    let result = tokio::select! {
        biased;
        result = &mut ended => result,
        () = terminate => {
            if worker.try_send(WorkerMessage::Terminate).is_err() {
                tracing::debug!("the worker actor ended before the shutdown request");
            }
            ended.await
        }
    };
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err(RunError::Failed(reason)),
        Err(_) => Err(RunError::Failed("the worker actor ended without a result".to_owned())),
    }
}
