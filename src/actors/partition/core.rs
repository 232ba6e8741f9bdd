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

#[derive(Debug)]
pub enum Event {
    /// All neighbours can be sent to.
    Begun,
    /// Steps below the horizon may be done.
    Granted { horizon: u64 },
    /// New routes; comes before the grant of their step.
    RoutesCame(Arc<RouteNotice>),
    /// Orders; come before the grant of their step.
    OrdersCame(Arc<OrderNotice>),
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
            Event::OrdersCame(notice) => self.take_orders(notice),
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
mod tests {
    use super::*;
    use crate::protocol::{Epoch, RunId};
    use crate::sim::report::RouteCause;

    const PLACE: Place = Place { token: FencingToken { run: RunId(1), epoch: Epoch(1) }, part: 0 };

    /// Counts its steps and panics in one of them.
    #[derive(Debug, Default)]
    struct Counter {
        steps: u64,
        imported: Vec<u8>,
        /// Steps before which routes were taken over.
        routed: Vec<u64>,
        /// Steps before which orders were applied, and how many.
        ordered: Vec<(u64, usize)>,
        panics_in: Option<u64>,
        /// The frame at which the import panics.
        chokes_on: Option<u64>,
    }

    impl Kernel for Counter {
        fn steps(&self) -> u64 {
            self.steps
        }
        fn step(&mut self) -> StepReport {
            assert_ne!(Some(self.steps), self.panics_in, "planted");
            self.steps += 1;
            StepReport { time_ms: self.steps as i64, ..StepReport::default() }
        }
        fn export(&self, _: usize, bytes: &mut Vec<u8>) {
            bytes.clear();
            bytes.push(self.steps as u8);
        }
        fn import(&mut self, _: usize, bytes: &[u8]) -> Result<(), HaloError> {
            let [byte] = bytes else { return Err(HaloError::TooLong(bytes.len() - 1)) };
            assert_ne!(Some(u64::from(*byte)), self.chokes_on, "planted");
            self.imported.push(*byte);
            Ok(())
        }
        fn apply_routes(&mut self, _: &[RouteUpdate]) {
            self.routed.push(self.steps);
        }
        fn apply_orders(&mut self, orders: &[Order]) {
            self.ordered.push((self.steps, orders.len()));
        }
        fn observe(&self, _: &Watch) -> Observation {
            Observation::default()
        }
        fn save(&self) -> PartitionState {
            let mut state = PartitionState::default();
            state.steps = self.steps;
            state
        }
        fn close(&mut self) -> Closing {
            Closing { digest: self.steps.into(), ..Closing::default() }
        }
    }

    fn frame(from: u16, step: u64) -> Arc<Frame> {
        Arc::new(Frame { token: PLACE.token, from, step, bytes: vec![step as u8] })
    }

    fn handle(core: &mut Core<Counter>, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        core.handle(event, &mut effects);
        effects
    }

    /// Feeds the event and then steps as often as the core wants to.
    fn run(core: &mut Core<Counter>, event: Event) -> Vec<Effect> {
        let mut effects = handle(core, event);
        while let Some(at) = effects.iter().position(|e| *e == Effect::StepLater) {
            effects.remove(at);
            effects.extend(handle(core, Event::StepDue));
        }
        effects
    }

    fn reported(effects: &[Effect]) -> usize {
        effects.iter().map(|e| if let Effect::Report(batch) = e { batch.reports.len() } else { 0 }).sum()
    }

    #[test]
    fn a_partition_alone_runs_to_its_horizon_and_reports_all_steps() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        assert_eq!(handle(&mut core, Event::Begun), []);
        let effects = run(&mut core, Event::Granted { horizon: 40 });
        assert_eq!((core.kernel.steps, reported(&effects)), (40, 40));
        // A horizon never shrinks.
        assert_eq!(run(&mut core, Event::Granted { horizon: 10 }), []);
    }

    /// A partition that was built with the horizon of a former master waited for its neighbours, which waited for the horizon of
    /// the present one, which waited for routes, and they for the reports that the first kept back (simulated seed 483).
    #[test]
    fn a_partition_beyond_what_a_new_master_has_granted_keeps_no_report_back() {
        let mut core = Core::new(PLACE, Counter::default(), 1, None);
        run(&mut core, Event::Granted { horizon: 40 });
        let effects = run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 0) });
        assert_eq!((core.kernel.steps, reported(&effects)), (1, 0), "more may follow");
        assert_eq!(reported(&run(&mut core, Event::Granted { horizon: 1 })), 1);
        let effects = run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 1) });
        assert_eq!((core.kernel.steps, reported(&effects)), (2, 1), "it was granted the step before");
    }

    #[test]
    fn a_step_waits_for_the_frames_of_all_neighbours() {
        let mut core = Core::new(PLACE, Counter::default(), 2, None);
        let effects = run(&mut core, Event::Begun);
        assert_eq!(effects, [0, 1].map(|neighbour| Effect::Send { neighbour, frame: frame(0, 0) }));
        assert_eq!(run(&mut core, Event::Granted { horizon: 9 }), []);
        assert_eq!(run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 0) }), []);
        assert_eq!(run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 1) }), []);
        let effects = run(&mut core, Event::FrameArrived { neighbour: 1, frame: frame(2, 0) });
        assert_eq!(effects, [0, 1].map(|neighbour| Effect::Send { neighbour, frame: frame(0, 1) }));
        assert_eq!((core.kernel.steps, &core.kernel.imported[..]), (1, &[0, 0][..]));
        run(&mut core, Event::FrameArrived { neighbour: 1, frame: frame(2, 1) });
        assert_eq!((core.kernel.steps, &core.kernel.imported[..]), (2, &[0, 0, 1, 1][..]));
    }

    #[test]
    fn routes_are_taken_over_right_before_their_step() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        for at_step in [3, 5] {
            let notice = RouteNotice { token: PLACE.token, at_step, cause: RouteCause::Traffic, updates: Vec::new() };
            assert_eq!(handle(&mut core, Event::RoutesCame(Arc::new(notice))), []);
        }
        run(&mut core, Event::Granted { horizon: 9 });
        assert_eq!(core.kernel.routed, [3, 5]);
    }

    #[test]
    fn frames_out_of_order_end_the_partition() {
        let mut core = Core::new(PLACE, Counter::default(), 1, None);
        let effects = run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 3) });
        assert!(matches!(&effects[..], [Effect::Exit(ExitStatus::Failed { reason })] if reason.contains("step 3")));
    }

    #[test]
    fn a_frame_that_does_not_fit_ends_the_partition() {
        let mut core = Core::new(PLACE, Counter::default(), 1, None);
        run(&mut core, Event::Granted { horizon: 9 });
        let long = Arc::new(Frame { bytes: vec![0; 3], ..(*frame(1, 0)).clone() });
        let effects = run(&mut core, Event::FrameArrived { neighbour: 0, frame: long });
        assert!(matches!(&effects[..], [Effect::Exit(ExitStatus::Failed { .. })]));
    }

    #[test]
    fn a_panic_in_the_kernel_ends_the_partition_with_step_and_message() {
        let mut core = Core::new(PLACE, Counter { panics_in: Some(3), ..Counter::default() }, 0, None);
        let effects = run(&mut core, Event::Granted { horizon: 9 });
        let Some(Effect::Exit(ExitStatus::Panicked { step: 3, message })) = effects.last() else {
            panic!("{effects:?}")
        };
        assert!(message.contains("planted"));
        assert_eq!(run(&mut core, Event::Granted { horizon: 20 }), []);
    }

    #[test]
    fn a_panic_in_the_import_of_a_frame_ends_the_partition_with_step_and_message() {
        let mut core = Core::new(PLACE, Counter { chokes_on: Some(1), ..Counter::default() }, 1, None);
        run(&mut core, Event::Granted { horizon: 9 });
        run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 0) });
        let effects = run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 1) });
        let Some(Effect::Exit(ExitStatus::Panicked { step: 1, message })) = effects.last() else {
            panic!("{effects:?}")
        };
        assert!(message.contains("planted"));
    }

    /// Frames that the link still keeps are never written over.
    #[test]
    fn buffers_of_frames_are_used_again_when_nobody_else_has_them() {
        let mut core = Core::new(PLACE, Counter::default(), 1, None);
        run(&mut core, Event::Granted { horizon: 50 });
        let next = |core: &mut Core<Counter>, step| {
            let effects = run(core, Event::FrameArrived { neighbour: 0, frame: frame(1, step) });
            let sent =
                effects.into_iter().find_map(|e| if let Effect::Send { frame, .. } = e { Some(frame) } else { None });
            sent.expect("a frame for every step")
        };
        let kept: Vec<Arc<Frame>> = (0..10).map(|step| next(&mut core, step)).collect();
        for (step, kept) in (1..).zip(&kept) {
            assert_eq!((kept.step, &kept.bytes[..]), (step, &[step as u8][..]));
        }
        drop(kept);
        let places: Vec<usize> = (10..20).map(|step| next(&mut core, step).bytes.as_ptr() as usize).collect();
        assert_eq!(places[..3], places[3..6]);
        assert_eq!(places[..3], places[6..9]);
    }

    #[test]
    fn at_the_end_all_reports_go_out_before_the_closing() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        handle(&mut core, Event::Granted { horizon: 9 });
        handle(&mut core, Event::StepDue);
        let effects = handle(&mut core, Event::Finish { steps: 1 });
        let [Effect::Report(batch), Effect::Close(closing)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!((batch.reports.len(), closing.digest), (1, 1));
        // A master that was restarted asks again.
        assert!(matches!(&handle(&mut core, Event::Finish { steps: 1 })[..], [Effect::Close(_)]));
        let effects = handle(&mut core, Event::Ended(ExitStatus::Stopped));
        assert_eq!(effects, [Effect::Exit(ExitStatus::Finished)]);
    }

    #[test]
    fn a_partition_that_lags_behind_closes_when_it_gets_to_the_end() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        assert_eq!(run(&mut core, Event::Finish { steps: 5 }), []);
        let effects = run(&mut core, Event::Granted { horizon: 9 });
        assert!(matches!(&effects[..], [Effect::Report(batch), Effect::Close(_)] if batch.reports.len() == 5));
        assert_eq!(core.kernel.steps, 5);
    }

    #[test]
    fn a_snapshot_is_saved_at_every_multiple_of_the_interval() {
        let mut core = Core::new(PLACE, Counter::default(), 0, Some(4));
        let effects = run(&mut core, Event::Granted { horizon: 9 });
        let saved = effects.iter().filter_map(|e| if let Effect::Save(state) = e { Some(state.steps) } else { None });
        assert_eq!(saved.collect::<Vec<_>>(), [4, 8]);
        assert_eq!(reported(&effects), 9);
    }

    fn orders(number: u64, at_step: u64, snapshot: bool) -> Event {
        let orders = vec![Order::Open { lanes: Vec::new() }; number as usize];
        Event::OrdersCame(Arc::new(OrderNotice { token: PLACE.token, number, at_step, orders, snapshot }))
    }

    #[test]
    fn orders_are_applied_once_at_their_step_and_in_the_order_of_the_log() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        for (number, at_step) in [(2, 7), (1, 7), (3, 4), (1, 7), (3, 4)] {
            handle(&mut core, orders(number, at_step, false));
        }
        run(&mut core, Event::Granted { horizon: 9 });
        assert_eq!(core.kernel.ordered, [(4, 3), (7, 1), (7, 2)]);
        handle(&mut core, orders(3, 4, false));
        run(&mut core, Event::Granted { horizon: 12 });
        assert_eq!(core.kernel.ordered.len(), 3);
    }

    #[test]
    fn a_snapshot_that_is_asked_for_holds_the_state_before_the_orders_of_its_step() {
        let mut core = Core::new(PLACE, Counter::default(), 0, Some(4));
        let mut effects = handle(&mut core, orders(0, 6, true));
        effects.extend(run(&mut core, Event::Granted { horizon: 6 }));
        // Also when the step has been reached; and once.
        effects.extend(handle(&mut core, orders(1, 6, true)));
        effects.extend(run(&mut core, Event::Granted { horizon: 8 }));
        effects.extend(handle(&mut core, orders(2, 8, true)));
        let saved = effects.iter().filter_map(|e| if let Effect::Save(state) = e { Some(state.steps) } else { None });
        assert_eq!(saved.collect::<Vec<_>>(), [4, 6, 8]);
        assert_eq!(core.kernel.ordered, [(6, 0), (6, 1)]);
    }

    #[test]
    fn who_looks_sees_the_step_that_was_asked_for_or_is_told_that_it_is_past() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        let look =
            |number, at_step| Event::Look(Arc::new(ObservationRequest { number, at_step, watch: Watch::default() }));
        // The first was given up by who looked again.
        assert_eq!(handle(&mut core, look(1, 2)), []);
        assert_eq!(handle(&mut core, look(2, 3)), []);
        let mut effects = run(&mut core, Event::Granted { horizon: 5 });
        effects.extend(handle(&mut core, look(3, 3)));
        effects.extend(handle(&mut core, look(4, 5)));
        let seen = effects.iter().filter_map(|e| match e {
            Effect::Seen(seen) => Some((seen.number, seen.came_at, seen.observation.is_some())),
            _ => None,
        });
        assert_eq!(seen.collect::<Vec<_>>(), [(2, 0, true), (3, 5, false), (4, 5, true)]);
    }

    #[test]
    fn who_is_half_way_to_the_horizon_reports_so_that_the_next_grant_comes_in_time() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        let mut effects = handle(&mut core, Event::Granted { horizon: 6 });
        for step in 1..=6 {
            assert_eq!(effects.first(), Some(&Effect::StepLater));
            effects = handle(&mut core, Event::StepDue);
            assert_eq!(reported(&effects), [0, 0, 3, 0, 2, 1][step - 1], "after step {step}");
        }
    }

    #[test]
    fn routes_that_are_announced_again_are_taken_over_once() {
        let mut core = Core::new(PLACE, Counter::default(), 0, None);
        let notice = |at_step| {
            Event::RoutesCame(Arc::new(RouteNotice {
                token: PLACE.token,
                at_step,
                cause: RouteCause::Traffic,
                updates: Vec::new(),
            }))
        };
        handle(&mut core, notice(3));
        handle(&mut core, notice(3));
        run(&mut core, Event::Granted { horizon: 6 });
        handle(&mut core, notice(3));
        handle(&mut core, notice(8));
        run(&mut core, Event::Granted { horizon: 9 });
        assert_eq!(core.kernel.routed, [3, 8]);
    }
}
