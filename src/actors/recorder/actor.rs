//! The actor around [`Core`], on an Arbiter of its own: writing files does not hold up the partitions.

use std::time::Duration;

use actix::prelude::*;

use super::core::{Core, Effect, Event, ReportBatch};
use crate::actors::master::{Recorded, RecorderDone, RecorderFailed, RoutesFound};
use crate::observe::Progress;
use crate::observe::metrics::RecorderMeter;
use crate::protocol::OrderNotice;
use crate::sim::Closing;

/// Writes the outputs of a run.
pub struct Recorder {
    core: Core,
    progress: Progress,
    master: Option<Open>,
    /// `None`: nobody asks.
    meter: Option<RecorderMeter>,
    effects: Vec<Effect>,
}

impl Recorder {
    pub fn new(core: Core, progress: Progress) -> Self {
        Self { core, progress, master: None, meter: None, effects: Vec::new() }
    }

    /// Counts what is recorded.
    #[must_use]
    pub fn with_meter(self, meter: Option<RecorderMeter>) -> Self {
        Self { meter, ..self }
    }

    /// Mailbox that holds all reports that `partitions` can make within `steps` that are granted and not yet recorded: in
    /// the worst case each of them travels alone.
    pub fn mailbox(partitions: usize, steps: u64) -> usize {
        16 + partitions * (steps as usize + 1)
    }

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(event, &mut effects);
        let (steps, time_ms, counts) = self.core.progress();
        self.progress.update(steps, time_ms, counts);
        if let Some(meter) = &mut self.meter {
            meter.recorded(steps, counts.vehicle_updates);
        }
        for effect in effects.drain(..) {
            let Some(master) = &self.master else { continue };
            let sent = match effect {
                Effect::Routes(notice) => master.routes.try_send(RoutesFound { notice }).is_ok(),
                Effect::Recorded { steps, over, hold } => {
                    master.recorded.try_send(Recorded { steps, over, hold, counts: *self.core.progress().2 }).is_ok()
                }
                Effect::Checkpoint { step, state } => match &master.checkpoints {
                    Some(writer) => writer.try_send(Checkpointed { step, state }).is_ok(),
                    None => true,
                },
                Effect::Closed(recording) => {
                    self.progress.finish();
                    master.done.try_send(RecorderDone { recording }).is_ok()
                }
                Effect::Alert(message) => {
                    tracing::warn!("{message}");
                    true
                }
                Effect::Fail(reason) => master.failed.try_send(RecorderFailed { reason }).is_ok(),
            };
            if !sent {
                tracing::debug!("the master actor ended before the recorder");
                ctx.stop();
            }
        }
        self.effects = effects;
    }
}

impl Actor for Recorder {
    type Context = Context<Self>;
}

impl Handler<ReportBatch> for Recorder {
    type Result = ();

    fn handle(&mut self, batch: ReportBatch, ctx: &mut Self::Context) {
        self.feed(Event::Reported(batch), ctx);
    }
}

/// Whom to tell.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Open {
    pub recorded: Recipient<Recorded>,
    pub routes: Recipient<RoutesFound>,
    pub done: Recipient<RecorderDone>,
    pub failed: Recipient<RecorderFailed>,
    /// Who keeps checkpoints; `None`: nobody does.
    pub checkpoints: Option<Recipient<Checkpointed>>,
}

/// What recording needs to go on after `step` steps.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Checkpointed {
    pub step: u64,
    /// To be read by [`RecorderState::decode`](super::RecorderState::decode).
    pub state: Vec<u8>,
}

impl Handler<Open> for Recorder {
    type Result = ();

    fn handle(&mut self, message: Open, _: &mut Self::Context) {
        self.master = Some(message);
    }
}

/// Orders that partitions will be given; comes before the reports of their step.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Orders {
    pub notice: OrderNotice,
}

impl Handler<Orders> for Recorder {
    type Result = ();

    fn handle(&mut self, message: Orders, ctx: &mut Self::Context) {
        self.feed(Event::Ordered(message.notice), ctx);
    }
}

/// All partitions have ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Close {
    /// By partition.
    pub closings: Vec<Closing>,
    pub wall: Duration,
}

impl Handler<Close> for Recorder {
    type Result = ();

    fn handle(&mut self, message: Close, ctx: &mut Self::Context) {
        let Close { closings, wall } = message;
        self.feed(Event::Close { closings, wall }, ctx);
    }
}
