//! The lifecycle of a run.

use std::time::{Duration, Instant};

use super::lead::Lead;
use crate::actors::ExitStatus;
use crate::actors::recorder::Recording;
use crate::protocol::RouteNotice;
use crate::sim::Closing;

/// How far partitions may run ahead of what is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Steps by which the horizon is moved at least, except at the end.
    pub window: u64,
    /// Steps of the run, when there is an end time.
    pub end: Option<u64>,
    /// Commands may come, and should hold soon: less is granted where steps take long ([`Lead`]).
    pub is_driven: bool,
}

impl Horizon {
    /// Steps that can be granted and not yet recorded.
    pub fn ahead(self) -> u64 {
        2 * self.window
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Finished(Box<Recording>),
    /// The run has got to a step before which its network is edited, and goes on in another world.
    Edited,
    /// What failed, lower case, no full stop.
    Failed(String),
}

#[derive(Debug)]
pub enum Event {
    /// All actors are there.
    Ready,
    /// This many steps are recorded; `over` when the last of them ended the run. Steps from `hold` on wait for routes.
    Recorded {
        steps: u64,
        over: bool,
        hold: Option<u64>,
    },
    /// Routes for steps that are not granted yet.
    RoutesFound(RouteNotice),
    /// Nobody goes back beyond a committed snapshot: steps up to this one may be granted.
    Recoverable {
        steps: u64,
    },
    /// Nothing else keeps steps up to this one from being granted.
    Limited {
        steps: u64,
    },
    /// The run is to end after this many steps, or after those that are done.
    StopAt {
        steps: u64,
    },
    /// A partition has nothing more to say.
    PartitionClosed {
        part: u16,
        closing: Box<Closing>,
    },
    PartitionExited {
        part: u16,
        status: ExitStatus,
    },
    RecorderDone(Box<Recording>),
    RecorderFailed(String),
}

#[derive(Debug, PartialEq)]
pub enum Effect {
    /// To all partitions: steps below the horizon may be done.
    Grant { horizon: u64 },
    /// To all partitions, before the grant of the step that it names.
    Announce(RouteNotice),
    /// To all partitions: the run is over after this many steps, close.
    Finish { steps: u64 },
    /// To all partitions: end.
    Stop,
    /// To the recorder: what the partitions had left, by partition.
    Close { closings: Vec<Closing>, wall: Duration },
    /// The run has ended; nothing follows.
    End(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Building,
    Running,
    /// The last step is recorded; partitions and recorder close.
    Closing,
    Ended,
}

/// Grants steps to the partitions and brings the run to its end.
#[derive(Debug)]
pub struct Core {
    phase: Phase,
    horizon: Horizon,
    granted: u64,
    recorded: u64,
    /// `None`: as far ahead as the horizon lets it.
    lead: Option<Lead>,
    /// Steps from here on are not granted before routes for them have come.
    hold: Option<u64>,
    /// Steps from here on are not granted before a newer snapshot is committed: the logs of what was sent are bounded (I7).
    recoverable: u64,
    /// Steps from here on wait for who drives the run.
    limit: u64,
    /// The run ends after so many steps, before its time.
    stop_at: Option<u64>,
    is_closed: bool,
    closings: Vec<Option<Closing>>,
    started: Option<Instant>,
}

impl Core {
    pub fn new(partitions: usize, horizon: Horizon, hold: Option<u64>) -> Self {
        Self {
            phase: Phase::Building,
            horizon,
            granted: 0,
            recorded: 0,
            lead: horizon.is_driven.then(|| Lead::new(horizon.ahead())),
            hold,
            recoverable: u64::MAX,
            limit: u64::MAX,
            stop_at: None,
            is_closed: false,
            closings: vec![None; partitions],
            started: None,
        }
    }

    /// A run that goes on after `recorded` steps.
    pub fn resumed(partitions: usize, horizon: Horizon, hold: Option<u64>, recorded: u64) -> Self {
        Self { recorded, granted: recorded, ..Self::new(partitions, horizon, hold) }
    }

    /// Steps below this one may be done.
    pub fn granted(&self) -> u64 {
        self.granted
    }

    /// Steps whose outputs are written.
    pub fn recorded(&self) -> u64 {
        self.recorded
    }

    /// What a step takes at present, about; `None`: nobody knows, or it is of no interest.
    pub fn step_time(&self) -> Option<Duration> {
        self.lead.as_ref()?.step()
    }

    /// The number of steps of the run, when all of them are recorded.
    pub fn finished_at(&self) -> Option<u64> {
        (self.phase == Phase::Closing).then_some(self.recorded)
    }

    pub fn handle(&mut self, event: Event, now: Instant, effects: &mut Vec<Effect>) {
        match (self.phase, event) {
            (Phase::Building, Event::Ready) => {
                self.phase = Phase::Running;
                self.started = Some(now);
                if self.horizon.end == Some(0) {
                    self.finish(0, effects);
                } else {
                    self.grant(now, effects);
                    self.stop(effects);
                }
            }
            // Also while partitions are built: those that an earlier master has left behind go on to the horizon that it gave.
            (Phase::Building | Phase::Running, Event::Recorded { steps, over, hold }) => {
                (self.recorded, self.hold) = (steps, hold);
                self.lead.iter_mut().for_each(|lead| lead.recorded(steps, self.granted, now));
                if over {
                    self.finish(steps, effects);
                } else if self.phase == Phase::Running {
                    self.grant(now, effects);
                    self.stop(effects);
                }
            }
            (Phase::Building, Event::Recoverable { steps }) => self.recoverable = steps,
            (Phase::Running, Event::Recoverable { steps }) => {
                self.recoverable = steps;
                self.grant(now, effects);
            }
            (Phase::Building, Event::Limited { steps }) => self.limit = steps,
            (Phase::Running, Event::Limited { steps }) => {
                self.limit = steps;
                self.grant(now, effects);
            }
            (Phase::Building, Event::StopAt { steps }) => self.stop_at = Some(steps),
            (Phase::Running, Event::StopAt { steps }) => {
                self.stop_at = Some(steps);
                self.stop(effects);
            }
            (Phase::Building | Phase::Running, Event::RoutesFound(notice)) => effects.push(Effect::Announce(notice)),
            (Phase::Closing, Event::PartitionClosed { part, closing }) => self.closed(part, *closing, now, effects),
            (Phase::Closing, Event::PartitionExited { status: ExitStatus::Finished, .. }) => {}
            (Phase::Building | Phase::Running | Phase::Closing, Event::PartitionExited { part, status }) => {
                self.fail(format!("partition {part} {status}"), effects);
            }
            (Phase::Closing, Event::RecorderDone(recording)) => {
                effects.push(Effect::Stop);
                self.end(Outcome::Finished(recording), effects);
            }
            (Phase::Building | Phase::Running | Phase::Closing, Event::RecorderFailed(reason)) => {
                self.fail(reason, effects);
            }
            // What comes late, or twice, changes nothing.
            _ => {}
        }
    }

    /// Moves the horizon in windows, so that it is seldom moved and never waited for.
    fn grant(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let end = self.horizon.end.unwrap_or(u64::MAX);
        let told = self.limit.min(self.stop_at.unwrap_or(u64::MAX));
        let bound = end.min(self.hold.unwrap_or(u64::MAX)).min(self.recoverable).min(told);
        let ahead = self.lead.as_ref().map_or(self.horizon.ahead(), Lead::steps);
        let farthest = (self.recorded + ahead).min(bound);
        let worth_it = farthest >= self.granted + ahead.div_ceil(2) || farthest == bound;
        if farthest > self.granted && worth_it {
            self.granted = farthest;
            self.lead.iter_mut().for_each(|lead| lead.granted(self.recorded, now));
            effects.push(Effect::Grant { horizon: farthest });
        }
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Running && self.stop_at.is_some_and(|steps| self.recorded >= steps) {
            self.finish(self.recorded, effects);
        }
    }

    fn finish(&mut self, steps: u64, effects: &mut Vec<Effect>) {
        self.phase = Phase::Closing;
        // Partitions that an earlier master has left behind may have come to the end; one that is lost now has to get there, too.
        if steps > self.granted {
            self.granted = steps;
            effects.push(Effect::Grant { horizon: steps });
        }
        effects.push(Effect::Finish { steps });
    }

    fn closed(&mut self, part: u16, closing: Closing, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(place) = self.closings.get_mut(usize::from(part)) {
            *place = Some(closing);
        }
        if !self.is_closed && self.closings.iter().all(Option::is_some) {
            self.is_closed = true;
            let closings = self.closings.iter_mut().filter_map(Option::take).collect();
            let wall = self.started.map_or(Duration::ZERO, |started| now - started);
            effects.push(Effect::Close { closings, wall });
        }
    }

    fn fail(&mut self, reason: String, effects: &mut Vec<Effect>) {
        effects.push(Effect::Stop);
        self.end(Outcome::Failed(reason), effects);
    }

    fn end(&mut self, outcome: Outcome, effects: &mut Vec<Effect>) {
        self.phase = Phase::Ended;
        effects.push(Effect::End(outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Epoch, FencingToken, RunId};
    use crate::sim::report::RouteCause;

    fn handle(core: &mut Core, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        core.handle(event, Instant::now(), &mut effects);
        effects
    }

    fn running(partitions: usize, end: Option<u64>) -> Core {
        let mut core = Core::new(partitions, Horizon { window: 10, end, is_driven: false }, None);
        handle(&mut core, Event::Ready);
        core
    }

    fn recorded(steps: u64, over: bool) -> Event {
        Event::Recorded { steps, over, hold: None }
    }

    #[test]
    fn the_horizon_moves_in_windows_and_stops_at_the_end() {
        let mut core = Core::new(2, Horizon { window: 10, end: Some(45), is_driven: false }, None);
        assert_eq!(handle(&mut core, Event::Ready), [Effect::Grant { horizon: 20 }]);
        assert_eq!(handle(&mut core, recorded(9, false)), []);
        assert_eq!(handle(&mut core, recorded(12, false)), [Effect::Grant { horizon: 32 }]);
        assert_eq!(handle(&mut core, recorded(29, false)), [Effect::Grant { horizon: 45 }]);
        assert_eq!(handle(&mut core, recorded(40, false)), []);
        assert_eq!(handle(&mut core, recorded(45, true)), [Effect::Finish { steps: 45 }]);
    }

    #[test]
    fn where_commands_may_come_slow_steps_are_not_granted_far_ahead() {
        let mut core = Core::new(1, Horizon { window: 64, end: None, is_driven: true }, None);
        let (mut effects, mut now) = (Vec::new(), Instant::now());
        core.handle(Event::Ready, now, &mut effects);
        assert_eq!(effects, [Effect::Grant { horizon: 4 }], "the pace is not known");
        for steps in 1..=100 {
            now += Duration::from_millis(if steps < 50 { 25 } else { 1 });
            core.handle(recorded(steps, false), now, &mut effects);
            assert!(core.granted() > steps, "nobody waits");
            assert!(steps >= 50 || core.granted() <= steps + 10, "{steps}: {}", core.granted());
        }
        assert!(core.granted() > 140, "fast steps are: {}", core.granted());
    }

    #[test]
    fn nothing_is_granted_beyond_the_limit_of_who_drives_the_run() {
        let mut core = Core::new(2, Horizon { window: 10, end: Some(45), is_driven: false }, None);
        assert_eq!(handle(&mut core, Event::Limited { steps: 3 }), []);
        assert_eq!(handle(&mut core, Event::Ready), [Effect::Grant { horizon: 3 }]);
        assert_eq!(handle(&mut core, recorded(3, false)), []);
        assert_eq!(handle(&mut core, Event::Limited { steps: 4 }), [Effect::Grant { horizon: 4 }]);
        assert_eq!(handle(&mut core, Event::Limited { steps: 1 }), [], "what is granted stays granted");
        assert_eq!(handle(&mut core, Event::Limited { steps: u64::MAX }), [Effect::Grant { horizon: 23 }]);
    }

    #[test]
    fn a_run_that_is_stopped_ends_after_the_steps_that_are_granted() {
        let mut core = running(2, Some(45));
        assert_eq!(handle(&mut core, Event::StopAt { steps: 20 }), []);
        assert_eq!(handle(&mut core, recorded(15, false)), []);
        assert_eq!(handle(&mut core, recorded(20, false)), [Effect::Finish { steps: 20 }]);
        let mut core = Core::new(2, Horizon { window: 10, end: None, is_driven: false }, None);
        assert_eq!(handle(&mut core, Event::StopAt { steps: 0 }), []);
        assert_eq!(handle(&mut core, Event::Ready), [Effect::Finish { steps: 0 }], "before the first step, too");
    }

    #[test]
    fn steps_that_wait_for_routes_are_granted_after_them() {
        let held = |steps, hold| Event::Recorded { steps, over: false, hold: Some(hold) };
        let mut core = Core::new(2, Horizon { window: 10, end: Some(45), is_driven: false }, Some(4));
        assert_eq!(handle(&mut core, Event::Ready), [Effect::Grant { horizon: 4 }]);
        assert_eq!(handle(&mut core, held(3, 4)), []);
        let token = FencingToken { run: RunId(1), epoch: Epoch(1) };
        let notice = RouteNotice { token, at_step: 4, cause: RouteCause::Traffic, updates: Vec::new() };
        assert_eq!(handle(&mut core, Event::RoutesFound(notice.clone())), [Effect::Announce(notice)]);
        assert_eq!(handle(&mut core, held(4, 8)), [Effect::Grant { horizon: 8 }]);
    }

    /// A master was replaced. Partitions that it had left behind went on to the horizon that it had given, and were recorded,
    /// before the new master had all partitions together. The routes found by then were dropped, nobody waited for them, and the
    /// run had another result (simulated seed 1080).
    #[test]
    fn routes_that_are_found_while_partitions_are_built_are_announced() {
        let mut core = Core::resumed(2, Horizon { window: 10, end: Some(45), is_driven: false }, Some(20), 10);
        let token = FencingToken { run: RunId(1), epoch: Epoch(3) };
        let notice = RouteNotice { token, at_step: 20, cause: RouteCause::Traffic, updates: Vec::new() };
        assert_eq!(handle(&mut core, Event::RoutesFound(notice.clone())), [Effect::Announce(notice)]);
        assert_eq!(handle(&mut core, Event::Recorded { steps: 16, over: false, hold: Some(30) }), []);
        assert_eq!(handle(&mut core, Event::Ready), [Effect::Grant { horizon: 30 }]);
    }

    /// The same, with the last step.
    #[test]
    fn a_run_whose_last_step_is_recorded_while_partitions_are_built_finishes() {
        let mut core = Core::resumed(2, Horizon { window: 10, end: Some(45), is_driven: false }, None, 40);
        let effects = handle(&mut core, recorded(45, true));
        assert_eq!(effects, [Effect::Grant { horizon: 45 }, Effect::Finish { steps: 45 }]);
        assert_eq!(handle(&mut core, Event::Ready), []);
        assert_eq!(core.finished_at(), Some(45));
    }

    #[test]
    fn the_recorder_closes_after_all_partitions() {
        let mut core = running(2, None);
        assert_eq!(handle(&mut core, recorded(3, true)), [Effect::Finish { steps: 3 }]);
        let closed = |part| Event::PartitionClosed { part, closing: Box::default() };
        let exited = |part| Event::PartitionExited { part, status: ExitStatus::Finished };
        assert_eq!(handle(&mut core, closed(1)), []);
        assert_eq!(handle(&mut core, exited(1)), []);
        let effects = handle(&mut core, closed(0));
        assert!(matches!(&effects[..], [Effect::Close { closings, .. }] if closings.len() == 2));
        assert_eq!(handle(&mut core, exited(0)), []);
    }

    #[test]
    fn a_run_of_no_steps_closes_at_once() {
        let mut core = Core::new(1, Horizon { window: 10, end: Some(0), is_driven: false }, None);
        assert_eq!(handle(&mut core, Event::Ready), [Effect::Finish { steps: 0 }]);
    }

    #[test]
    fn a_partition_that_ends_early_fails_the_run_once() {
        let mut core = running(2, None);
        let status = ExitStatus::Panicked { step: 7, message: "planted".to_owned() };
        let effects = handle(&mut core, Event::PartitionExited { part: 1, status });
        let reason = "partition 1 panicked in step 7: planted".to_owned();
        assert_eq!(effects, [Effect::Stop, Effect::End(Outcome::Failed(reason))]);
        let late = Event::PartitionExited { part: 0, status: ExitStatus::Stopped };
        assert_eq!(handle(&mut core, late), []);
    }

    #[test]
    fn a_recorder_that_cannot_write_fails_the_run() {
        let mut core = running(1, None);
        let effects = handle(&mut core, Event::RecorderFailed("disk full".to_owned()));
        assert_eq!(effects, [Effect::Stop, Effect::End(Outcome::Failed("disk full".to_owned()))]);
    }
}
