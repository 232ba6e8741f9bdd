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
    let Some(Effect::Exit(ExitStatus::Panicked { step: 3, message })) = effects.last() else { panic!("{effects:?}") };
    assert!(message.contains("planted"));
    assert_eq!(run(&mut core, Event::Granted { horizon: 20 }), []);
}

#[test]
fn a_panic_in_the_import_of_a_frame_ends_the_partition_with_step_and_message() {
    let mut core = Core::new(PLACE, Counter { chokes_on: Some(1), ..Counter::default() }, 1, None);
    run(&mut core, Event::Granted { horizon: 9 });
    run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 0) });
    let effects = run(&mut core, Event::FrameArrived { neighbour: 0, frame: frame(1, 1) });
    let Some(Effect::Exit(ExitStatus::Panicked { step: 1, message })) = effects.last() else { panic!("{effects:?}") };
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
    Event::OrdersCame(vec![Arc::new(OrderNotice { token: PLACE.token, number, at_step, orders, snapshot })])
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
    let look = |number, at_step| Event::Look(Arc::new(ObservationRequest { number, at_step, watch: Watch::default() }));
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
