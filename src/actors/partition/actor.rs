//! The actor around [`Core`], on an Arbiter of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::core::{Core, Effect, Event, Place};
use super::region::Region;
use crate::actors::ExitStatus;
use crate::actors::neighbor_handler::{LinkMessage, NeighborHandler};
use crate::actors::oldest_and_newest::OldestAndNewest;
use crate::actors::recorder::ReportBatch;
use crate::observe::metrics::PartitionMeter;
use crate::protocol::{Epoch, Observed};
use crate::sim::{Closing, PartitionState};

/// How often a wait that goes on is counted.
const COUNT_WAITS: Duration = Duration::from_secs(1);
/// Pause before a snapshot is given to a store again that is behind.
const SAVE_AGAIN: Duration = Duration::from_millis(100);

/// Where a partition sends what it makes.
#[derive(Clone)]
pub struct Outlets {
    pub reports: Recipient<ReportBatch>,
    pub notices: Recipient<FromPartition>,
    /// `None`: no snapshots are taken.
    pub snapshots: Option<Recipient<Snapshot>>,
}

/// What a partition tells its parent: the master of its process, or its worker.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromPartition {
    pub part: u16,
    /// In which the partition was placed.
    pub epoch: Epoch,
    pub notice: PartitionNotice,
}

pub enum PartitionNotice {
    /// The answer to an observation request.
    Seen(Box<Observed>),
    /// What it has left to say at the end of the run.
    Closed(Box<Closing>),
    Exited(ExitStatus),
}

/// One partition of a run.
pub struct Partition {
    core: Core<Region>,
    /// By neighbour.
    handlers: Vec<Addr<NeighborHandler>>,
    outlets: Outlets,
    exit: ExitNotice,
    /// The newest snapshot, while the store is so far behind that it takes none.
    unsaved: OldestAndNewest<Snapshot>,
    /// Steps done, for whoever watches over the progress from another thread.
    progress: Arc<AtomicU64>,
    /// `None`: nobody asks.
    meter: Option<PartitionMeter>,
    effects: Vec<Effect>,
}

impl Partition {
    /// A partition that waits for [`Begin`].
    pub fn new(core: Core<Region>, outlets: Outlets, progress: Arc<AtomicU64>) -> Self {
        let Place { token, part } = core.place();
        let exit = ExitNotice { part, epoch: token.epoch, outlet: Some(outlets.notices.clone()) };
        progress.store(core.steps(), Ordering::Relaxed);
        let (handlers, effects) = (Vec::new(), Vec::new());
        Self { core, handlers, outlets, exit, unsaved: OldestAndNewest::new(1), progress, meter: None, effects }
    }

    /// Counts what it does.
    #[must_use]
    pub fn with_meter(self, meter: Option<PartitionMeter>) -> Self {
        Self { meter, ..self }
    }

    /// Mailbox that holds all that can be under way to a partition.
    pub fn mailbox(neighbours: usize) -> usize {
        16 + 3 * neighbours
    }

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.handle_and_count(event, &mut effects);
        self.progress.store(self.core.steps(), Ordering::Relaxed);
        let mut lost = None;
        for effect in effects.drain(..) {
            let done = match effect {
                Effect::Send { neighbour, frame } => self.handlers[neighbour]
                    .try_send(LinkMessage::Outgoing(frame))
                    .map_err(|e| format!("neighbour handler: {e}")),
                Effect::Report(batch) => self.outlets.reports.try_send(batch).map_err(|e| format!("recorder: {e}")),
                Effect::StepLater => {
                    self.step_later(ctx);
                    Ok(())
                }
                Effect::Close(closing) => {
                    self.notify(PartitionNotice::Closed(closing)).map_err(|e| format!("master: {e}"))
                }
                Effect::Save(state) => {
                    self.save(Snapshot::of(self.core.place().token.epoch, state), ctx);
                    Ok(())
                }
                Effect::Seen(seen) => {
                    // An observation is dropped rather than waited for.
                    if let Err(error) = self.notify(PartitionNotice::Seen(seen)) {
                        tracing::debug!(partition = self.core.place().part, %error, "observation dropped");
                    }
                    Ok(())
                }
                Effect::Exit(status) => {
                    self.exit.give(status);
                    ctx.stop();
                    Ok(())
                }
            };
            lost = lost.or(done.err());
        }
        self.effects = effects;
        // No mailbox is ever full in a correct run (each says why), so this is a fault and not a matter of waiting.
        if let Some(reason) = lost {
            self.exit.give(ExitStatus::Failed { reason });
            ctx.stop();
        }
    }

    fn notify(&self, notice: PartitionNotice) -> Result<(), SendError<FromPartition>> {
        let Place { token, part } = self.core.place();
        self.outlets.notices.try_send(FromPartition { part, epoch: token.epoch, notice })
    }

    /// A store that is slower than the snapshots come leaves some out, and stops nobody. The newest is never left out: nothing comes
    /// after it when the network is to be edited, and the edit waits for it.
    fn save(&mut self, snapshot: Snapshot, ctx: &mut Context<Self>) {
        let Some(snapshots) = &self.outlets.snapshots else { return };
        let left_out = match snapshots.try_send(snapshot) {
            Err(SendError::Full(snapshot)) => {
                ctx.run_later(SAVE_AGAIN, |partition, ctx| {
                    if let Some(snapshot) = partition.unsaved.pop() {
                        partition.save(snapshot, ctx);
                    }
                });
                self.unsaved.push(snapshot)
            }
            // Without its store the worker ends.
            Err(SendError::Closed(_)) | Ok(()) => self.unsaved.pop(),
        };
        if let Some(older) = left_out {
            let (partition, step) = (self.core.place().part, older.state.steps);
            tracing::warn!(partition, step, "snapshot skipped: the store is slow");
        }
    }

    fn handle_and_count(&mut self, event: Event, effects: &mut Vec<Effect>) {
        let Self { core, meter, .. } = self;
        let Some(meter) = meter else { return core.handle(event, effects) };
        let (before, begun) = (core.steps(), matches!(event, Event::StepDue).then(Instant::now));
        core.handle(event, effects);
        if let Some(begun) = begun.filter(|_| core.steps() > before) {
            meter.stepped(begun.elapsed());
        }
        meter.stands(core.lag(), |neighbour| core.lacks(neighbour));
    }

    /// Steps after the other actors of the thread and the mailbox had their turn.
    fn step_later(&self, ctx: &mut Context<Self>) {
        ctx.spawn(
            tokio::task::yield_now().into_actor(self).map(|(), partition, ctx| partition.feed(Event::StepDue, ctx)),
        );
    }
}

impl Actor for Partition {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.meter.is_some() {
            ctx.run_interval(COUNT_WAITS, |partition, _| {
                partition.meter.iter_mut().for_each(PartitionMeter::count_waits);
            });
        }
    }
}

/// Tells the master how the partition ended, also when nobody else can: a panic outside the kernel drops the actor.
struct ExitNotice {
    part: u16,
    epoch: Epoch,
    outlet: Option<Recipient<FromPartition>>,
}

impl ExitNotice {
    fn give(&mut self, status: ExitStatus) {
        let Some(outlet) = self.outlet.take() else { return };
        let notice = PartitionNotice::Exited(status);
        if outlet.try_send(FromPartition { part: self.part, epoch: self.epoch, notice }).is_err() {
            tracing::debug!(partition = self.part, "the master actor ended before the partition");
        }
    }
}

impl Drop for ExitNotice {
    fn drop(&mut self) {
        let status = if std::thread::panicking() {
            ExitStatus::Failed { reason: "the actor panicked outside the kernel".to_owned() }
        } else {
            ExitStatus::Stopped
        };
        self.give(status);
    }
}

/// The handlers of all neighbours; starts the exchange.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Begin {
    pub handlers: Vec<Addr<NeighborHandler>>,
}

impl Handler<Begin> for Partition {
    type Result = ();

    fn handle(&mut self, message: Begin, ctx: &mut Self::Context) {
        self.handlers = message.handlers;
        self.feed(Event::Begun, ctx);
    }
}

impl Handler<Event> for Partition {
    type Result = ();

    fn handle(&mut self, event: Event, ctx: &mut Self::Context) {
        self.feed(event, ctx);
    }
}

/// The state of a partition placed in `epoch`, to be stored.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Snapshot {
    pub epoch: Epoch,
    pub state: Box<PartitionState>,
    pub taken: tokio::time::Instant,
}

impl Snapshot {
    fn of(epoch: Epoch, state: Box<PartitionState>) -> Self {
        Self { epoch, state, taken: tokio::time::Instant::now() }
    }
}
