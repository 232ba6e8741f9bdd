//! Which steps count, and when a run without an end time is over.

use std::time::Duration;

use crate::actors::partition::Closing;
use crate::output::{MergedStep, OutputError, Outputs, RunEnd, TripTotals};
use crate::protocol::{RouteNotice, Scene};
use crate::sim::RouteGuidance;
use crate::sim::report::{Counts, StepReport};

/// Reports of consecutive steps of one partition.
#[derive(Clone, Debug, PartialEq, actix::Message)]
#[rtype(result = "()")]
pub struct ReportBatch {
    pub scene: Scene,
    pub part: u16,
    pub reports: Vec<StepReport>,
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRules {
    pub begin_ms: i64,
    pub step_ms: i64,
    /// Number of steps, when there is an end time.
    pub steps: Option<u64>,
    /// Vehicles that can depart at all; without an end time the run is over when all of them have left.
    pub departures: u64,
}

impl RunRules {
    /// The step that computes a time.
    pub fn step_of(&self, time_ms: i64) -> u64 {
        let since_ms = (time_ms - self.begin_ms).max(0);
        (since_ms / self.step_ms) as u64 + u64::from(since_ms % self.step_ms > 0)
    }

    /// Whether the run is over with a step that left these counts.
    fn is_over(&self, steps: u64, counts: &Counts) -> bool {
        match self.steps {
            Some(last) => steps >= last,
            None => counts.loaded >= self.departures && counts.running == 0 && counts.waiting == 0,
        }
    }
}

/// What the outputs hold of a finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    pub steps: u64,
    pub end_ms: i64,
    pub counts: Counts,
    pub trips: TripTotals,
    pub digest: u128,
    /// From the first grant to the last step.
    pub wall: Duration,
}

#[derive(Debug)]
pub enum Event {
    Reported(ReportBatch),
    /// All partitions have ended and said what they had left.
    Close {
        closings: Vec<Closing>,
        wall: Duration,
    },
}

#[derive(Debug)]
pub enum Effect {
    /// To the master: routes that hold from a step on that is not granted yet.
    Routes(RouteNotice),
    /// To the master: this many steps are written; `over` when the last of them ended the run. Steps from `hold` on wait for
    /// routes.
    Recorded { steps: u64, over: bool, hold: Option<u64> },
    /// To the master: the files are complete.
    Closed(Box<Recording>),
    /// To the master: a file is incomplete, or a report made no sense.
    Fail(String),
}

/// Feeds the outputs, and routes by the traffic that it sees.
///
/// Partitions run ahead of what is recorded, so without an end time they may do empty steps after the last. These steps
/// change no vehicle and no digest; here they are kept out of the outputs.
pub struct Core {
    scene: Scene,
    rules: RunRules,
    outputs: Outputs,
    guidance: Option<RouteGuidance>,
    over: bool,
    /// Reports of steps after the last: they hold measuring intervals that the end of the run cuts short.
    beyond: Vec<StepReport>,
    failed: bool,
}

impl Core {
    pub fn new(scene: Scene, rules: RunRules, outputs: Outputs, guidance: Option<RouteGuidance>) -> Self {
        Self { scene, rules, outputs, guidance, over: false, beyond: Vec::new(), failed: false }
    }

    /// Counts after the last recorded step, for the progress bar.
    pub fn progress(&self) -> (u64, i64, &Counts) {
        (self.outputs.steps(), self.outputs.next_ms(), self.outputs.counts())
    }

    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) {
        if self.failed {
            return;
        }
        let done = match event {
            Event::Reported(batch) if batch.scene != self.scene => Ok(()),
            Event::Reported(batch) => self.record(batch, effects),
            Event::Close { closings, wall } => self.close(closings, wall, effects),
        };
        if let Err(error) = done {
            self.failed = true;
            effects.push(Effect::Fail(error.to_string()));
        }
    }

    fn record(&mut self, batch: ReportBatch, effects: &mut Vec<Effect>) -> Result<(), OutputError> {
        let before = self.outputs.steps();
        for report in batch.reports {
            if self.over {
                self.beyond.push(report);
                continue;
            }
            let Self { outputs, guidance, .. } = self;
            outputs.add_and(usize::from(batch.part), report, |step| {
                if let Some(guidance) = guidance {
                    guidance.observe(step);
                }
            })?;
            if let Some(orders) = self.guidance.as_mut().and_then(RouteGuidance::take_orders) {
                let at_step = self.rules.step_of(orders.at_ms);
                effects.push(Effect::Routes(RouteNotice { scene: self.scene, at_step, updates: orders.updates }));
            }
            if self.outputs.steps() > 0 && self.rules.is_over(self.outputs.steps(), self.outputs.counts()) {
                self.over = true;
                self.beyond.extend(self.outputs.take_pending());
            }
        }
        if self.outputs.steps() > before {
            let hold = self.guidance.as_ref().and_then(RouteGuidance::hold_ms).map(|ms| self.rules.step_of(ms));
            effects.push(Effect::Recorded { steps: self.outputs.steps(), over: self.over, hold });
        }
        Ok(())
    }

    fn close(&mut self, closings: Vec<Closing>, wall: Duration, effects: &mut Vec<Effect>) -> Result<(), OutputError> {
        let end_ms = self.rules.begin_ms + self.outputs.steps() as i64 * self.rules.step_ms;
        let mut tails: Vec<StepReport> = std::mem::take(&mut self.beyond);
        let mut end = RunEnd { end_ms, ..RunEnd::default() };
        let mut digest = 0u128;
        for closing in closings {
            digest = digest.wrapping_add(closing.digest);
            end.waiting_delay_ms += closing.waiting_delay_ms;
            end.unfinished.extend(closing.unfinished);
            let Closing { intervals, detectors, .. } = closing;
            tails.push(StepReport { intervals, detectors, ..StepReport::default() });
        }
        for tail in &mut tails {
            cut_short(tail, end_ms);
        }
        end.unfinished.sort_unstable_by_key(|trip| trip.vehicle);
        end.tail = MergedStep::of(tails).with_counts(*self.outputs.counts());
        self.outputs.finish(&end)?;
        effects.push(Effect::Closed(Box::new(Recording {
            steps: self.outputs.steps(),
            end_ms,
            counts: *self.outputs.counts(),
            trips: *self.outputs.trips(),
            digest,
            wall,
        })));
        Ok(())
    }
}

/// Keeps of a report what was measured until `end_ms`. Nothing happens after the end, so an interval that was measured
/// longer holds the values that it had then.
fn cut_short(report: &mut StepReport, end_ms: i64) {
    report.intervals.retain(|i| i.begin_ms < end_ms);
    report.detectors.retain(|d| d.begin_ms < end_ms);
    report.intervals.iter_mut().for_each(|i| i.end_ms = i.end_ms.min(end_ms));
    report.detectors.iter_mut().for_each(|d| d.end_ms = d.end_ms.min(end_ms));
}
