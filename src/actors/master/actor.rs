//! The actor around [`Core`].

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::core::{Core, Effect, Event, Outcome};
use crate::actors::ExitStatus;
use crate::actors::partition::{self, FromPartition, Partition, PartitionNotice};
use crate::actors::recorder::{FromRecorder, Recorder, RecorderMessage};

/// The master of a run whose partitions are in this process.
pub struct Master {
    core: Core,
    /// By part.
    partitions: Vec<Addr<Partition>>,
    recorder: Addr<Recorder>,
    /// Takes the outcome of the run.
    outcome: Option<oneshot::Sender<Outcome>>,
    effects: Vec<Effect>,
}

impl Master {
    /// A master that waits for [`Begin`].
    pub fn new(core: Core, recorder: Addr<Recorder>, outcome: oneshot::Sender<Outcome>) -> Self {
        Self { core, partitions: Vec::new(), recorder, outcome: Some(outcome), effects: Vec::new() }
    }

    /// Mailbox that holds all that can be under way to the master: two messages of each partition, and what the recorder
    /// says of each window.
    pub fn mailbox(partitions: usize, steps: u64) -> usize {
        16 + 2 * partitions + steps as usize
    }

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(event, Instant::now(), &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Grant { horizon } => self.tell_all(|| partition::Event::Granted { horizon }),
                Effect::Announce(notice) => {
                    let notice = Arc::new(notice);
                    self.tell_all(|| partition::Event::RoutesCame(Arc::clone(&notice)));
                }
                Effect::Finish { steps } => self.tell_all(|| partition::Event::Finish { steps }),
                Effect::Stop => self.tell_all(|| partition::Event::Ended(ExitStatus::Stopped)),
                Effect::Close { closings, wall } => {
                    if self.recorder.try_send(RecorderMessage::Close { closings, wall }).is_err() {
                        self.end(Outcome::Failed("the recorder actor ended before the run".to_owned()));
                    }
                }
                Effect::End(outcome) => {
                    self.end(outcome);
                    ctx.stop();
                }
            }
        }
        self.effects = effects;
    }

    /// A partition that does not take a message has ended, and says so itself.
    fn tell_all(&self, event: impl Fn() -> partition::Event) {
        for (part, partition) in self.partitions.iter().enumerate() {
            if partition.try_send(event()).is_err() {
                tracing::debug!(partition = part, "the partition's mailbox is full or closed");
            }
        }
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(sender) = self.outcome.take() {
            // Nobody waits any more only when the program is ending.
            let _ = sender.send(outcome);
        }
    }
}

impl Actor for Master {
    type Context = Context<Self>;
}

/// All partitions, by part; starts the run.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Begin {
    pub partitions: Vec<Addr<Partition>>,
}

impl Handler<Begin> for Master {
    type Result = ();

    fn handle(&mut self, message: Begin, ctx: &mut Self::Context) {
        self.partitions = message.partitions;
        self.feed(Event::Ready, ctx);
    }
}

impl Handler<FromPartition> for Master {
    type Result = ();

    fn handle(&mut self, message: FromPartition, ctx: &mut Self::Context) {
        let FromPartition { part, notice, .. } = message;
        match notice {
            PartitionNotice::Closed(closing) => self.feed(Event::PartitionClosed { part, closing }, ctx),
            PartitionNotice::Exited(status) => {
                tracing::debug!(partition = part, %status, "partition ended");
                self.feed(Event::PartitionExited { part, status }, ctx);
            }
            // Only a run with workers is observed while it goes on.
            PartitionNotice::Seen(_) => {}
        }
    }
}

impl Handler<FromRecorder> for Master {
    type Result = ();

    fn handle(&mut self, message: FromRecorder, ctx: &mut Self::Context) {
        let event = match message {
            FromRecorder::Recorded { steps, over, hold, .. } => Event::Recorded { steps, over, hold },
            FromRecorder::RoutesFound(notice) => Event::RoutesFound(notice),
            FromRecorder::Done(recording) => Event::RecorderDone(recording),
            FromRecorder::Failed(reason) => Event::RecorderFailed(reason),
            // A run in one process is not resumed.
            FromRecorder::Checkpointed(_) => return,
        };
        self.feed(event, ctx);
    }
}
