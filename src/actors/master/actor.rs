//! The actor around [`Core`].

use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::core::{Core, Effect, Event, Outcome};
use crate::actors::ExitStatus;
use crate::actors::partition::{Finish, Grant, NewRoutes, Partition, Stop};
use crate::actors::recorder::{Close, Recorder, Recording};
use crate::protocol::{Epoch, RouteNotice};
use crate::sim::Closing;
use crate::sim::report::Counts;

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
                Effect::Grant { horizon } => self.tell_all(|p| p.try_send(Grant { horizon }).is_ok()),
                Effect::Announce(notice) => {
                    let notice = Arc::new(notice);
                    self.tell_all(|p| p.try_send(NewRoutes { notice: Arc::clone(&notice) }).is_ok());
                }
                Effect::Finish { steps } => self.tell_all(|p| p.try_send(Finish { steps }).is_ok()),
                Effect::Stop => self.tell_all(|p| p.try_send(Stop).is_ok()),
                Effect::Close { closings, wall } => {
                    if self.recorder.try_send(Close { closings, wall }).is_err() {
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
    fn tell_all(&self, tell: impl Fn(&Addr<Partition>) -> bool) {
        for (part, partition) in self.partitions.iter().enumerate() {
            if !tell(partition) {
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

/// The recorder has written this many steps.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Recorded {
    pub steps: u64,
    /// The last of them ended the run.
    pub over: bool,
    /// Steps from here on wait for routes.
    pub hold: Option<u64>,
    /// After the last of them.
    pub counts: Counts,
}

impl Handler<Recorded> for Master {
    type Result = ();

    fn handle(&mut self, message: Recorded, ctx: &mut Self::Context) {
        let Recorded { steps, over, hold, .. } = message;
        self.feed(Event::Recorded { steps, over, hold }, ctx);
    }
}

/// Routes were found for vehicles of any partition.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RoutesFound {
    pub notice: RouteNotice,
}

impl Handler<RoutesFound> for Master {
    type Result = ();

    fn handle(&mut self, message: RoutesFound, ctx: &mut Self::Context) {
        self.feed(Event::RoutesFound(message.notice), ctx);
    }
}

/// What a partition has left to say at the end of the run.
#[derive(Message)]
#[rtype(result = "()")]
pub struct PartitionClosed {
    pub part: u16,
    /// In which the partition was placed.
    pub epoch: Epoch,
    pub closing: Box<Closing>,
}

impl Handler<PartitionClosed> for Master {
    type Result = ();

    fn handle(&mut self, message: PartitionClosed, ctx: &mut Self::Context) {
        let PartitionClosed { part, closing, .. } = message;
        self.feed(Event::PartitionClosed { part, closing }, ctx);
    }
}

/// A partition has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Exited {
    pub part: u16,
    /// In which the partition was placed.
    pub epoch: Epoch,
    pub status: ExitStatus,
}

impl Handler<Exited> for Master {
    type Result = ();

    fn handle(&mut self, message: Exited, ctx: &mut Self::Context) {
        let Exited { part, status, .. } = message;
        tracing::debug!(partition = part, %status, "partition ended");
        self.feed(Event::PartitionExited { part, status }, ctx);
    }
}

/// All files are complete.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RecorderDone {
    pub recording: Box<Recording>,
}

impl Handler<RecorderDone> for Master {
    type Result = ();

    fn handle(&mut self, message: RecorderDone, ctx: &mut Self::Context) {
        self.feed(Event::RecorderDone(message.recording), ctx);
    }
}

/// The outputs cannot be written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RecorderFailed {
    pub reason: String,
}

impl Handler<RecorderFailed> for Master {
    type Result = ();

    fn handle(&mut self, message: RecorderFailed, ctx: &mut Self::Context) {
        self.feed(Event::RecorderFailed(message.reason), ctx);
    }
}
