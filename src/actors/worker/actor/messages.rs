//! What a worker is told.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::{LEAVE_TIMEOUT, Worker};
use crate::actors::neighbor_handler::PeerSilent;
use crate::actors::partition::{FromPartition, Neighbourhood, PartitionNotice};
use crate::actors::recorder::ReportBatch;
use crate::actors::worker::core::Event;
use crate::protocol::{Epoch, Purpose, Stored, Stream, ToWorker};
use crate::sim::{PartitionState, Scope, World};

/// Network and partition scopes of a run.
pub type LoadedWorld = (Arc<World>, Arc<Vec<Scope>>);

/// What a worker is told by its connections, by the threads that build partitions, and by the process.
#[derive(Message)]
#[rtype(result = "()")]
pub enum WorkerMessage {
    /// A connection to a master stands.
    LinkUp,
    /// The connection to the master is lost.
    LinkDown,
    FromMaster(ToWorker),
    /// The scenario is known, or cannot be read.
    Prepared(Result<LoadedWorld, String>),
    /// The state that a partition goes on from.
    Loaded {
        part: u16,
        epoch: Epoch,
        state: Box<PartitionState>,
    },
    NotLoaded {
        part: u16,
        epoch: Epoch,
        reason: String,
    },
    Built {
        part: u16,
        epoch: Epoch,
        built: Result<Box<Neighbourhood>, String>,
    },
    /// `took`: since the state was copied.
    SnapshotStored {
        stored: Stored,
        took: Duration,
    },
    SnapshotNotStored {
        part: u16,
        step: u64,
        reason: String,
    },
    /// The store says that the run is finished.
    RunIsOver,
    /// Another worker's partition calls, and has not been answered.
    PeerCalls {
        purpose: Purpose,
        stream: Box<dyn Stream>,
    },
    /// The process is to end: hand over what is here first.
    Terminate,
}

impl Handler<WorkerMessage> for Worker {
    type Result = ();

    fn handle(&mut self, message: WorkerMessage, ctx: &mut Self::Context) {
        match message {
            WorkerMessage::LinkUp => self.link_up(ctx),
            WorkerMessage::LinkDown => self.link_down(ctx),
            WorkerMessage::FromMaster(message) => self.feed(Event::FromMaster(message), ctx),
            WorkerMessage::Prepared(prepared) => self.prepared(prepared, ctx),
            WorkerMessage::Loaded { part, epoch, state } => self.start_building(part, epoch, Some(state), ctx),
            WorkerMessage::Built { part, epoch, built: Ok(built) } => self.start_partition(part, epoch, *built, ctx),
            WorkerMessage::NotLoaded { part, epoch, reason }
            | WorkerMessage::Built { part, epoch, built: Err(reason) } => self.not_built(part, epoch, reason, ctx),
            WorkerMessage::SnapshotStored { stored, took } => self.snapshot_stored(stored, took, ctx),
            WorkerMessage::SnapshotNotStored { part, step, reason } => {
                self.feed(Event::NotStored { part, step, reason }, ctx);
            }
            WorkerMessage::RunIsOver => self.run_is_over(ctx),
            WorkerMessage::PeerCalls { purpose, stream } => self.peer_calls(purpose, stream, ctx),
            WorkerMessage::Terminate => {
                self.feed(Event::Terminate, ctx);
                ctx.run_later(LEAVE_TIMEOUT, |worker, ctx| worker.end(Ok(()), ctx));
            }
        }
    }
}

impl Handler<FromPartition> for Worker {
    type Result = ();

    fn handle(&mut self, message: FromPartition, ctx: &mut Self::Context) {
        let FromPartition { part, epoch, notice } = message;
        let event = match notice {
            PartitionNotice::Seen(seen) => Event::Seen(seen),
            PartitionNotice::Closed(closing) => Event::Closed { part, epoch, closing },
            PartitionNotice::Exited(status) => {
                self.stop_partition(part, epoch);
                Event::Exited { part, epoch, status }
            }
        };
        self.feed(event, ctx);
    }
}

impl Handler<ReportBatch> for Worker {
    type Result = ();

    fn handle(&mut self, batch: ReportBatch, ctx: &mut Self::Context) {
        self.feed(Event::Reported(batch), ctx);
    }
}

impl Handler<PeerSilent> for Worker {
    type Result = ();

    fn handle(&mut self, message: PeerSilent, ctx: &mut Self::Context) {
        let PeerSilent { part, peer, peer_epoch } = message;
        self.feed(Event::PeerSilent { part, peer, peer_epoch }, ctx);
    }
}
