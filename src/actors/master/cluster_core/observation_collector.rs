//! Looks at the roads for who watches a run: all partitions show one step, and a recent one. A look names a step that nobody
//! should have got to yet. Who has answers so at once, and the look is taken again farther ahead. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::{ObservationRequest, Observed};
use crate::sim::{Observation, Watch};

/// A look that takes longer is given up: a partition is lost, or far behind.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Steps by which a look is taken ahead at most. What is not granted nobody has got to, so it seldom comes to that.
const MOST_AHEAD: u64 = 1024;

/// How far a run may be.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub now: Instant,
    /// The first step that nobody may have done.
    pub free: u64,
    /// What a step takes, if that is known.
    pub step: Option<Duration>,
}

/// A look that not all partitions have answered.
#[derive(Debug)]
struct Looking {
    number: u64,
    since: Instant,
    step: u64,
    watch: Watch,
    missing: BTreeSet<u16>,
    observation: Observation,
    /// Steps that the partition which needed the most time had left when it heard of the look.
    spare: u64,
}

/// What an answer to a look came to.
#[derive(Debug, PartialEq)]
pub enum Glance {
    /// There is more to come, or nobody asked.
    Waits,
    /// The step was past: to all partitions.
    Again(ObservationRequest),
    /// What all partitions show.
    Whole { step: u64, observation: Observation },
}

/// Where a run is looked at.
#[derive(Debug)]
pub struct ObservationCollector {
    /// Of the last look.
    number: u64,
    looking: Option<Looking>,
    /// Steps that a look is taken ahead of where the farthest partition is thought to be, so that it gets there in time.
    margin: u64,
    /// Steps that were done by the farthest partition when it was last heard of.
    farthest: u64,
    heard: Option<Instant>,
}

impl Default for ObservationCollector {
    fn default() -> Self {
        Self { number: 0, looking: None, margin: 1, farthest: 0, heard: None }
    }
}

impl ObservationCollector {
    /// Somebody has done so many steps.
    pub fn stands(&mut self, steps: u64, now: Instant) {
        if self.heard.is_none() || steps > self.farthest {
            (self.farthest, self.heard) = (steps, Some(now));
        }
    }

    /// Whether a look is under way.
    pub fn is_looking(&self, now: Instant) -> bool {
        self.looking.as_ref().is_some_and(|looking| now - looking.since < TIMEOUT)
    }

    /// A partition that has lost the look is there again, and who looks has to ask anew.
    pub fn give_up(&mut self) {
        self.looking = None;
    }

    /// Looks at these roads: to all partitions. `None`: a look is under way.
    pub fn look(&mut self, watch: Watch, partitions: u16, standing: Standing) -> Option<ObservationRequest> {
        if self.is_looking(standing.now) {
            return None;
        }
        let missing = (0..partitions).collect();
        let observation = Observation::default();
        let (number, since, step) = (0, standing.now, 0);
        self.looking = Some(Looking { number, since, step, watch, missing, observation, spare: u64::MAX });
        self.ask(partitions, standing)
    }

    /// A partition has answered.
    pub fn seen(&mut self, seen: Observed, partitions: u16, standing: Standing) -> Glance {
        self.stands(seen.came_at, standing.now);
        let Some(looking) = self.looking.as_mut().filter(|looking| looking.number == seen.number) else {
            return Glance::Waits;
        };
        if !looking.missing.remove(&seen.part) {
            return Glance::Waits;
        }
        let Some(observation) = seen.observation else {
            self.margin = (2 * self.margin).min(MOST_AHEAD);
            return self.ask(partitions, standing).map_or(Glance::Waits, Glance::Again);
        };
        looking.observation.append(observation);
        looking.spare = looking.spare.min(looking.step.saturating_sub(seen.came_at));
        if !looking.missing.is_empty() {
            return Glance::Waits;
        }
        match self.looking.take() {
            Some(Looking { step, observation, spare, .. }) => {
                if spare > 1 {
                    self.margin = self.margin.saturating_sub((spare / 4).max(1)).max(1);
                }
                Glance::Whole { step, observation }
            }
            None => Glance::Waits,
        }
    }

    /// Asks all partitions, a little ahead of where they should be by now.
    fn ask(&mut self, partitions: u16, Standing { now, free, step }: Standing) -> Option<ObservationRequest> {
        let since = self.heard.map_or(Duration::ZERO, |heard| now - heard);
        let steps = step.map_or(0.0, |step| since.as_secs_f64() / step.as_secs_f64().max(1e-9)) as u64;
        let at_step = self.farthest.saturating_add(steps).saturating_add(self.margin).min(free).max(self.farthest);
        self.number += 1;
        let looking = self.looking.as_mut()?;
        (looking.number, looking.step, looking.spare) = (self.number, at_step, u64::MAX);
        looking.missing = (0..partitions).collect();
        looking.observation = Observation::default();
        Some(ObservationRequest { number: self.number, at_step, watch: looking.watch.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: u16 = 2;

    /// A run of which all partitions are equally far.
    struct Run {
        observations: ObservationCollector,
        begun: Instant,
        now: Instant,
        step: Duration,
        /// What a message takes.
        way: Duration,
        /// Steps that are granted ahead.
        ahead: u64,
        /// Whether the master knows how long a step takes.
        knows_pace: bool,
    }

    impl Run {
        fn new(step_us: u64, ahead: u64, knows_pace: bool) -> Self {
            let now = Instant::now();
            let (step, way) = (Duration::from_micros(step_us), Duration::from_micros(200));
            Self { observations: ObservationCollector::default(), begun: now, now, step, way, ahead, knows_pace }
        }

        fn done(&self, at: Instant) -> u64 {
            ((at - self.begun).as_nanos() / self.step.as_nanos()) as u64
        }

        fn standing(&self) -> Standing {
            // What is recorded is known in pieces.
            let recorded = self.done(self.now) / 16 * 16;
            let step = self.knows_pace.then_some(self.step);
            Standing { now: self.now, free: recorded + self.ahead, step }
        }

        /// Answers of all partitions, when they are there.
        fn answer(&mut self, look: &ObservationRequest) -> Glance {
            // A partition hears between two steps.
            let came = self.now + self.way;
            let came_at = self.done(came) + 1;
            let is_past = came_at > look.at_step;
            let waits = (look.at_step.max(came_at) - self.done(self.now)) as u32 * self.step;
            self.now += 2 * self.way + waits;
            let observation = (!is_past).then(Observation::default);
            let mut glance = Glance::Waits;
            for part in 0..PARTS {
                if matches!(glance, Glance::Again(_)) {
                    break;
                }
                let seen = Observed { number: look.number, part, came_at, observation: observation.clone() };
                let standing = self.standing();
                glance = self.observations.seen(seen, PARTS, standing);
            }
            glance
        }

        /// How many times the partitions were asked for one view.
        fn view(&mut self) -> (u32, u64) {
            let recorded = self.done(self.now) / 16 * 16;
            self.observations.stands(recorded, self.now);
            let standing = self.standing();
            let mut look =
                self.observations.look(Watch::default(), PARTS, standing).expect("no observation is under way");
            for asked in 1..20 {
                match self.answer(&look) {
                    Glance::Again(again) => look = again,
                    Glance::Whole { step, .. } => return (asked, step),
                    Glance::Waits => panic!("all have answered"),
                }
            }
            panic!("asked for ever");
        }

        fn views_within(&mut self, time: Duration) -> (u32, u32) {
            let (until, mut views, mut asked, mut last) = (self.now + time, 0, 0, 0);
            while self.now < until {
                let (times, step) = self.view();
                assert!(step >= last, "views are of later and later steps");
                (views, asked, last) = (views + 1, asked + times, step);
            }
            (views, asked)
        }
    }

    #[test]
    fn where_a_step_takes_long_there_is_a_view_every_two_or_three_steps_however_far_is_granted() {
        for knows_pace in [true, false] {
            let mut run = Run::new(40_000, 128, knows_pace);
            let (views, asked) = run.views_within(Duration::from_secs(10));
            assert!(views >= 83, "{views} views in 250 steps, the pace is known: {knows_pace}");
            assert!(asked <= 2 * views, "{asked} for {views}");
        }
    }

    #[test]
    fn where_steps_are_short_few_looks_come_too_late() {
        for step_us in [5, 50, 500, 5000] {
            let mut run = Run::new(step_us, 128.max(200_000 / step_us), true);
            run.views_within(Duration::from_secs(1));
            let (views, asked) = run.views_within(Duration::from_secs(10));
            assert!(10 * asked <= 15 * views, "{asked} for {views} with {step_us} us a step");
        }
    }

    #[test]
    fn what_is_not_granted_nobody_has_got_to() {
        let (mut observations, now) = (ObservationCollector::default(), Instant::now());
        observations.stands(10, now);
        let at = |observations: &mut ObservationCollector, seconds, free| {
            let standing =
                Standing { now: now + Duration::from_secs(seconds), free, step: Some(Duration::from_millis(1)) };
            observations.look(Watch::default(), PARTS, standing).map(|look| look.at_step)
        };
        assert_eq!(at(&mut observations, 5, 12), Some(12), "it stands there, however long it takes");
        assert_eq!(at(&mut observations, 6, 12), None, "a look is under way");
        assert_eq!(at(&mut observations, 7, 12), Some(12), "it took too long");
    }

    #[test]
    fn an_answer_to_a_look_that_was_given_up_counts_no_more() {
        let (mut observations, now) = (ObservationCollector::default(), Instant::now());
        let standing = Standing { now, free: 9, step: None };
        let seen = |number, part| Observed { number, part, came_at: 0, observation: Some(Observation::default()) };
        let first = observations.look(Watch::default(), PARTS, standing).expect("a look");
        observations.give_up();
        let second = observations.look(Watch::default(), PARTS, standing).expect("another");
        for (number, part) in [(first.number, 0), (first.number, 1), (second.number, 0), (second.number, 0)] {
            assert_eq!(observations.seen(seen(number, part), PARTS, standing), Glance::Waits);
        }
        assert!(matches!(observations.seen(seen(second.number, 1), PARTS, standing), Glance::Whole { step: 1, .. }));
    }
}
