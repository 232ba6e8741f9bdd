//! Hands connections of workers and requests of clients to the master, until the run is over.

use actix::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;

use crate::actors::accept_from;
use crate::actors::master::{ClusterMaster, SubmitRequest, WorkerCalls};
use crate::protocol::{Listener, Purpose, Stream, answer};

/// Accepts connections until `is_over`, and gives the listener back.
pub(super) async fn accept_until(
    mut listener: Box<dyn Listener>,
    master: Addr<ClusterMaster>,
    mut is_over: watch::Receiver<()>,
) -> Box<dyn Listener> {
    tokio::select! {
        // Not by lot, so that a simulated run is deterministic.
        biased;
        _ = is_over.changed() => {}
        () = accept_from(&mut *listener, move |purpose, stream| serve(&master, purpose, stream)) => {}
    }
    listener
}

/// Forwards requests one at a time; a request that cannot be forwarded is answered with the error that the run is gone.
/// Gives those that are still to come back when it `is_over`.
pub(super) async fn hand_on(
    mut requests: mpsc::Receiver<SubmitRequest>,
    master: Addr<ClusterMaster>,
    mut is_over: watch::Receiver<()>,
) -> mpsc::Receiver<SubmitRequest> {
    loop {
        let request = tokio::select! {
            biased;
            _ = is_over.changed() => return requests,
            request = requests.recv() => request,
        };
        let Some(request) = request else { return requests };
        if master.send(request).await.is_err() {
            return requests;
        }
    }
}

fn serve(master: &Addr<ClusterMaster>, purpose: Purpose, mut stream: Box<dyn Stream>) {
    match purpose {
        Purpose::Work => {
            if master.try_send(WorkerCalls { stream }).is_err() {
                tracing::warn!("too many workers connect at once; they will retry");
            }
        }
        Purpose::Neighbour { .. } => {
            let reason = "this is a master, not a worker";
            tracing::warn!(error = reason, "connection refused");
            spawn_local(async move {
                // Whoever hangs up before needs no answer.
                let _ = answer(&mut *stream, Err(reason.to_owned())).await;
            });
        }
    }
}
