//! The actor around [`Core`], on an Arbiter of its own: writing files does not hold up the partitions.

use std::time::Duration;

use actix::prelude::*;

use super::core::{Core, Effect, Event, Recording, ReportBatch};
use crate::observe::Progress;
use crate::observe::metrics::RecorderMeter;
use crate::protocol::{OrderNotice, RouteNotice};
use crate::sim::Closing;
use crate::sim::report::Counts;

/// Writes the outputs of a run.
pub struct Recorder {
    core: Core,
    progress: Progress,
    master: Option<Recipient<FromRecorder>>,
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
        let counts = *counts;
        self.progress.update(steps, time_ms, &counts);
        if let Some(meter) = &mut self.meter {
            meter.recorded(steps, counts.vehicle_updates);
        }
        for effect in effects.drain(..) {
            let Some(master) = &self.master else { continue };
            let message = match effect {
                Effect::Routes(notice) => FromRecorder::RoutesFound(notice),
                Effect::Recorded { steps, over, hold } => FromRecorder::Recorded { steps, over, hold, counts },
                Effect::Checkpoint { step, state } => FromRecorder::Checkpointed(Checkpoint { step, state }),
                Effect::Closed(recording) => {
                    self.progress.finish();
                    FromRecorder::Done(recording)
                }
                Effect::Alert(message) => {
                    tracing::warn!("{message}");
                    continue;
                }
                Effect::Fail(reason) => FromRecorder::Failed(reason),
            };
            if master.try_send(message).is_err() {
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

/// What the recorder is told by the parent of the run.
#[derive(Message)]
#[rtype(result = "()")]
pub enum RecorderMessage {
    /// Whom to tell.
    Open(Recipient<FromRecorder>),
    /// Orders that partitions will be given; comes before the reports of their step.
    Orders(OrderNotice),
    /// All partitions have ended; their closings, by partition.
    Close { closings: Vec<Closing>, wall: Duration },
}

impl Handler<RecorderMessage> for Recorder {
    type Result = ();

    fn handle(&mut self, message: RecorderMessage, ctx: &mut Self::Context) {
        match message {
            RecorderMessage::Open(master) => self.master = Some(master),
            RecorderMessage::Orders(notice) => self.feed(Event::Ordered(notice), ctx),
            RecorderMessage::Close { closings, wall } => self.feed(Event::Close { closings, wall }, ctx),
        }
    }
}

/// What the recorder tells the master.
#[derive(Message)]
#[rtype(result = "()")]
pub enum FromRecorder {
    /// This many steps are written.
    Recorded {
        steps: u64,
        /// The last of them ended the run.
        over: bool,
        /// Steps from here on wait for routes.
        hold: Option<u64>,
        /// After the last of them.
        counts: Counts,
    },
    /// Routes were found for vehicles of any partition.
    RoutesFound(RouteNotice),
    /// What recording needs to go on after a step.
    Checkpointed(Checkpoint),
    /// All files are complete.
    Done(Box<Recording>),
    /// The outputs cannot be written.
    Failed(String),
}

/// What recording needs to go on after `step` steps.
pub struct Checkpoint {
    pub step: u64,
    /// To be read by [`RecorderState::decode`](super::RecorderState::decode).
    pub state: Vec<u8>,
}
