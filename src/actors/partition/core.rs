//! When a partition steps, and what it tells whom.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::actors::ExitStatus;
use crate::actors::recorder::ReportBatch;
use crate::control::live::MAX_VEHICLES;
use crate::protocol::{FencingToken, Frame, ObservationRequest, Observed, OrderNotice, RouteNotice};
use crate::sim::report::{RouteUpdate, StepReport};
use crate::sim::{Closing, HaloError, Observation, Order, PartitionState, Watch};

/// Steps whose reports travel together.
const REPORT_BATCH: usize = 16;
/// Neighbours are never more than one step ahead.
const FRAMES_AHEAD: usize = 2;
/// Frames to a neighbour whose buffers are used again: it may not have read the last ones.
const FRAMES_KEPT: usize = FRAMES_AHEAD + 1;
/// Vehicles that a look shows at most: one more than anybody is shown (I7).
const SEEN_VEHICLES: usize = MAX_VEHICLES + 1;

/// What computes the steps: [`super::Region`], or something simpler in tests.
pub trait Kernel {
    /// Steps done.
    fn steps(&self) -> u64;
    /// Computes the next step from the own roads and those imported from all neighbours.
    fn step(&mut self) -> StepReport;
    /// Writes the own roads that a neighbour mirrors into a buffer, instead of what it holds.
    fn export(&self, neighbour: usize, bytes: &mut Vec<u8>);
    /// Takes over the roads of a neighbour.
    ///
    /// # Errors
    /// The bytes are not what the neighbour's export makes. The state must not be used any more then.
    fn import(&mut self, neighbour: usize, bytes: &[u8]) -> Result<(), HaloError>;
    /// Takes over new routes, when all roads show the state before the next step.
    fn apply_routes(&mut self, updates: &[RouteUpdate]);
    /// Changes the world, when all roads show the state before the next step; before routes that come with the same step.
    fn apply_orders(&mut self, orders: &[Order]);
    /// What is seen on the own ones of some roads.
    fn observe(&self, watch: &Watch) -> Observation;
    /// Copies the own state, for a snapshot.
    fn save(&self) -> PartitionState;
    /// Ends all measuring.
    fn close(&mut self) -> Closing;
}

/// Which partition of which run this is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub token: FencingToken,
    pub part: u16,
}

/// What a partition is told.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub enum Event {
    /// All neighbours can be sent to.
    Begun,
    /// Steps below the horizon may be done.
    Granted { horizon: u64 },
    /// New routes; comes before the grant of their step.
    RoutesCame(Arc<RouteNotice>),
    /// Orders; come before the grant of their step. All in one message, for there may be many after a recovery.
    OrdersCame(Vec<Arc<OrderNotice>>),
    /// Somebody wants to see these roads after so many steps. Who looks again has given the look before up.
    Look(Arc<ObservationRequest>),
    /// The next frame of a neighbour.
    FrameArrived { neighbour: usize, frame: Arc<Frame> },
    /// It is time for the step that was asked for by [`Effect::StepLater`].
    StepDue,
    /// The run is over after this many steps.
    Finish { steps: u64 },
    /// Something outside ended the partition.
    Ended(ExitStatus),
}

#[derive(Debug, PartialEq)]
pub enum Effect {
    /// To the handler of a neighbour.
    Send { neighbour: usize, frame: Arc<Frame> },
    /// To the recorder.
    Report(ReportBatch),
    /// Feed [`Event::StepDue`] when what waits for the thread has been served.
    StepLater,
    /// To the store: the state after a step at which a snapshot is due.
    Save(Box<PartitionState>),
    /// To who looks on.
    Seen(Box<Observed>),
    /// To the master, after all reports.
    Close(Box<Closing>),
    /// To the master; nothing follows.
    Exit(ExitStatus),
}

/// The step loop of one partition.
#[derive(Debug)]
pub struct Core<K> {
    place: Place,
    kernel: K,
    /// Frames not yet read, by neighbour; the first is for the next step.
    inbox: Vec<VecDeque<Arc<Frame>>>,
    /// The last frames to each neighbour, the oldest first: the buffer of one that nobody else keeps is used again.
    outbox: Vec<VecDeque<Arc<Frame>>>,
    horizon: u64,
    /// The horizon that was told last. A master that has replaced another one begins with a lower one.
    told_horizon: u64,
    /// Routes whose step has not come yet, by step and cause.
    routes: VecDeque<Arc<RouteNotice>>,
    /// Orders whose step has not come yet, by step and number.
    orders: VecDeque<Arc<OrderNotice>>,
    /// With the steps that were done when it came.
    look: Option<(Arc<ObservationRequest>, u64)>,
    /// Steps after which the last snapshot was taken.
    saved_at: u64,
    /// Reports not yet sent.
    reports: Vec<StepReport>,
    /// Steps between two snapshots.
    snapshot_interval: Option<u64>,
    step_asked: bool,
    /// The run is over after this many steps.
    finish_at: Option<u64>,
    /// What was left when the run was over. A partition that has closed stays, for the master may ask again.
    closing: Option<Box<Closing>>,
    over: bool,
}

impl<K: Kernel> Core<K> {
    pub fn new(place: Place, kernel: K, neighbours: usize, snapshot_interval: Option<u64>) -> Self {
        Self {
            place,
            saved_at: kernel.steps(),
            kernel,
            inbox: vec![VecDeque::new(); neighbours],
            outbox: vec![VecDeque::new(); neighbours],
            horizon: 0,
            told_horizon: 0,
            routes: VecDeque::new(),
            orders: VecDeque::new(),
            look: None,
            reports: Vec::new(),
            snapshot_interval,
            step_asked: false,
            finish_at: None,
            closing: None,
            over: false,
        }
    }

    pub fn place(&self) -> Place {
        self.place
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.kernel.steps()
    }

    /// Steps that may be done and are not.
    pub fn lag(&self) -> u64 {
        self.horizon.saturating_sub(self.kernel.steps())
    }

    /// Whether the next step may be done, and the frame of this neighbour for it has not come.
    pub fn lacks(&self, neighbour: usize) -> bool {
        let step = self.kernel.steps();
        let is_here = |frames: &VecDeque<Arc<Frame>>| frames.front().is_some_and(|frame| frame.step == step);
        step < self.horizon
            && self.closing.is_none()
            && self.inbox.get(neighbour).is_some_and(|frames| !is_here(frames))
    }

    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) {
        if self.over {
            return;
        }
        match event {
            Event::Begun => self.export(effects),
            Event::Granted { horizon } => {
                self.horizon = self.horizon.max(horizon);
                self.told_horizon = horizon;
            }
            Event::RoutesCame(notice) => {
                // Ways round a closed road hold sooner than routes by the traffic that were found before.
                let key = |notice: &RouteNotice| (notice.at_step, notice.cause);
                let is_past = notice.at_step < self.kernel.steps();
                if let Err(at) = self.routes.binary_search_by_key(&key(&notice), |other| key(other))
                    && notice.token.run == self.place.token.run
                    && !is_past
                {
                    self.routes.insert(at, notice);
                }
            }
            Event::OrdersCame(notices) => notices.into_iter().for_each(|notice| self.take_orders(notice)),
            Event::Look(look) => self.look = Some((look, self.kernel.steps())),
            Event::FrameArrived { neighbour, frame } => self.take_in(neighbour, frame, effects),
            Event::StepDue => {
                self.step_asked = false;
                if self.can_step() {
                    self.step(effects);
                }
            }
            Event::Finish { steps } => {
                self.finish_at = Some(steps);
                if let Some(closing) = &self.closing {
                    effects.push(Effect::Close(closing.clone()));
                }
            }
            Event::Ended(ExitStatus::Stopped) if self.closing.is_some() => self.exit(ExitStatus::Finished, effects),
            Event::Ended(status) => self.exit(status, effects),
        }
        self.settle(effects);
    }

    /// Every event ends here: whoever can step will step, and who has to wait at the horizon keeps no report back. Nor does
    /// who is beyond it, for its neighbours wait there: the horizon may wait for routes, and these for the report.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        if self.over {
            return;
        }
        self.look(effects);
        if self.closing.is_some() {
            return;
        }
        let steps = self.kernel.steps();
        if self.orders.iter().any(|notice| notice.snapshot && notice.at_step == steps) {
            self.save(effects);
        }
        if self.finish_at.is_some_and(|steps| self.kernel.steps() >= steps) {
            return self.finish(effects);
        }
        if !self.step_asked && self.can_step() {
            self.step_asked = true;
            effects.push(Effect::StepLater);
        }
        let is_awaited = |report: &StepReport| !report.edge_speeds.is_empty() || !report.route_requests.is_empty();
        // Half way to the horizon at the latest: the next grant has to come before all is done.
        let left = self.told_horizon.saturating_sub(steps);
        if self.reports.len() >= REPORT_BATCH
            || self.reports.last().is_some_and(is_awaited)
            || self.reports.len() as u64 >= left
        {
            self.flush(effects);
        }
    }

    fn take_orders(&mut self, notice: Arc<OrderNotice>) {
        let key = |notice: &OrderNotice| (notice.at_step, notice.number);
        let is_past = notice.at_step < self.kernel.steps();
        if notice.token.run != self.place.token.run || is_past {
            return;
        }
        if let Err(at) = self.orders.binary_search_by_key(&key(&notice), |other| key(other)) {
            self.orders.insert(at, notice);
        }
    }

    fn look(&mut self, effects: &mut Vec<Effect>) {
        let step = self.kernel.steps();
        if let Some((look, came_at)) = self.look.take_if(|(look, _)| look.at_step <= step) {
            let observation = (look.at_step == step).then(|| {
                let mut seen = self.kernel.observe(&look.watch);
                seen.vehicles.truncate(SEEN_VEHICLES);
                seen
            });
            let (number, part) = (look.number, self.place.part);
            effects.push(Effect::Seen(Box::new(Observed { number, part, came_at, observation })));
        }
    }

    /// All that the outputs hold of the steps before goes out first.
    fn save(&mut self, effects: &mut Vec<Effect>) {
        if self.snapshot_interval.is_some() && self.saved_at < self.kernel.steps() {
            self.saved_at = self.kernel.steps();
            self.flush(effects);
            effects.push(Effect::Save(Box::new(self.kernel.save())));
        }
    }

    fn can_step(&self) -> bool {
        let step = self.kernel.steps();
        step < self.horizon
            && self.closing.is_none()
            && self.inbox.iter().all(|frames| frames.front().is_some_and(|f| f.step == step))
    }

    fn take_in(&mut self, neighbour: usize, frame: Arc<Frame>, effects: &mut Vec<Effect>) {
        let frames = &mut self.inbox[neighbour];
        let expected = self.kernel.steps() + frames.len() as u64;
        if frame.step != expected || frames.len() >= FRAMES_AHEAD {
            let reason =
                format!("partition {} sent the frame of step {} instead of step {expected}", frame.from, frame.step);
            return self.exit(ExitStatus::Failed { reason }, effects);
        }
        frames.push_back(frame);
    }

    fn step(&mut self, effects: &mut Vec<Effect>) {
        let step = self.kernel.steps();
        let due = self.orders.partition_point(|notice| notice.at_step <= step);
        let orders: Vec<_> = self.orders.drain(..due).collect();
        let due = self.routes.partition_point(|notice| notice.at_step <= step);
        let routes: Vec<_> = self.routes.drain(..due).collect();
        let Self { kernel, inbox, .. } = self;
        let compute = || {
            for (neighbour, frames) in inbox.iter_mut().enumerate() {
                let Some(frame) = frames.pop_front() else { continue };
                let bad = |error| format!("frame of partition {} for step {}: {error}", frame.from, frame.step);
                kernel.import(neighbour, &frame.bytes).map_err(bad)?;
            }
            orders.iter().for_each(|notice| kernel.apply_orders(&notice.orders));
            routes.iter().for_each(|notice| kernel.apply_routes(&notice.updates));
            Ok(kernel.step())
        };
        // After a panic or a bad frame the state is never used again, so nobody sees it broken.
        match catch_unwind(AssertUnwindSafe(compute)) {
            Ok(Ok(report)) => {
                self.reports.push(report);
                self.export(effects);
                if self.snapshot_interval.is_some_and(|interval| (step + 1).is_multiple_of(interval)) {
                    self.save(effects);
                }
            }
            Ok(Err(reason)) => self.exit(ExitStatus::Failed { reason }, effects),
            Err(panic) => self.exit(ExitStatus::Panicked { step, message: message_of(&*panic) }, effects),
        }
    }

    /// Sends the own roads, as they are now, to all neighbours.
    fn export(&mut self, effects: &mut Vec<Effect>) {
        for neighbour in 0..self.outbox.len() {
            let frame = self.next_frame(neighbour);
            effects.push(Effect::Send { neighbour, frame });
        }
    }

    /// The frame for a neighbour, in the memory of an older one where the link and the neighbour are done with that.
    fn next_frame(&mut self, neighbour: usize) -> Arc<Frame> {
        let Place { token, part } = self.place;
        let (step, sent) = (self.kernel.steps(), &mut self.outbox[neighbour]);
        let oldest = if sent.len() < FRAMES_KEPT { None } else { sent.pop_front() };
        let mut frame = oldest.unwrap_or_else(|| Arc::new(Frame { token, from: part, step, bytes: Vec::new() }));
        if let Some(again) = Arc::get_mut(&mut frame) {
            again.step = step;
            self.kernel.export(neighbour, &mut again.bytes);
        } else {
            // It is still needed: a frame of about that size takes its place.
            let mut bytes = Vec::with_capacity(frame.bytes.len());
            self.kernel.export(neighbour, &mut bytes);
            frame = Arc::new(Frame { token, from: part, step, bytes });
        }
        sent.push_back(Arc::clone(&frame));
        frame
    }

    fn flush(&mut self, effects: &mut Vec<Effect>) {
        if !self.reports.is_empty() {
            let Place { token, part } = self.place;
            let reports = std::mem::take(&mut self.reports);
            effects.push(Effect::Report(ReportBatch { token, part, until: self.kernel.steps(), reports }));
        }
    }

    fn finish(&mut self, effects: &mut Vec<Effect>) {
        self.flush(effects);
        let step = self.kernel.steps();
        match catch_unwind(AssertUnwindSafe(|| self.kernel.close())) {
            Ok(closing) => {
                let closing = Box::new(closing);
                self.closing = Some(closing.clone());
                effects.push(Effect::Close(closing));
            }
            Err(panic) => self.exit(ExitStatus::Panicked { step, message: message_of(&*panic) }, effects),
        }
    }

    fn exit(&mut self, status: ExitStatus, effects: &mut Vec<Effect>) {
        self.over = true;
        effects.push(Effect::Exit(status));
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
