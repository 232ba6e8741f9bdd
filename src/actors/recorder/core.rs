//! Which steps count, when a run without an end time is over, and what of orders concerns all partitions together.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::RecorderState;
use crate::output::{Alerts, MergedStep, OutputError, Outputs, TripTotals};
use crate::protocol::{FencingToken, OrderNotice, RouteNotice};
use crate::sim::report::{Counts, StepReport};
use crate::sim::{Closing, Order, RouteGuidance, RunRules};

/// Reports of consecutive steps of one partition.
#[derive(Clone, Debug, PartialEq, actix::Message)]
#[rtype(result = "()")]
pub struct ReportBatch {
    pub token: FencingToken,
    pub part: u16,
    /// Steps that the partition had done with the last of them.
    pub until: u64,
    pub reports: Vec<StepReport>,
}

/// What the outputs hold of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    pub steps: u64,
    pub end_ms: i64,
    pub counts: Counts,
    pub trips: TripTotals,
    pub digest: u128,
    /// Orders whose vehicle or signal could not do what they said any more.
    pub orders_missed: u64,
    /// From the first grant to the last step.
    pub wall: Duration,
}

#[derive(Debug)]
pub enum Event {
    Reported(ReportBatch),
    /// Orders of a step that is not recorded yet. Repeated ones change nothing.
    Ordered(OrderNotice),
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
    /// To who keeps checkpoints: what recording needs to go on after this many steps ([`RecorderState`]). All that these
    /// steps wrote is on disk.
    Checkpoint { step: u64, state: Vec<u8> },
    /// To the user.
    Alert(String),
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
    token: FencingToken,
    rules: RunRules,
    outputs: Outputs,
    guidance: RouteGuidance,
    /// Routes that were given out for steps that are not recorded yet.
    notices: Vec<RouteNotice>,
    /// Steps from one checkpoint to the next; `None`: there are none.
    interval: Option<NonZeroU64>,
    /// Steps after which one is wanted besides.
    asked: BTreeSet<u64>,
    /// `None`: the user is not told of anything.
    alerts: Option<Alerts>,
    /// Step of the last one.
    kept: u64,
    over: bool,
    failed: bool,
}

impl Core {
    pub fn new(token: FencingToken, rules: RunRules, outputs: Outputs, guidance: RouteGuidance) -> Self {
        Self::resumed(token, rules, outputs, guidance, Vec::new())
    }

    /// Goes on from a [`RecorderState`], of which `outputs` and `guidance` are restored. Who calls this gives
    /// [`notices`](Self::notices) to the partitions before they step: they may not have got them.
    pub fn resumed(
        token: FencingToken,
        rules: RunRules,
        mut outputs: Outputs,
        guidance: RouteGuidance,
        mut notices: Vec<RouteNotice>,
    ) -> Self {
        notices.iter_mut().for_each(|notice| notice.token = token);
        guidance.added().for_each(|new| outputs.admit(new));
        let (asked, kept) = (BTreeSet::new(), outputs.steps());
        Self {
            token,
            rules,
            outputs,
            guidance,
            notices,
            interval: None,
            asked,
            alerts: None,
            kept,
            over: false,
            failed: false,
        }
    }

    /// Makes a checkpoint every so many steps. `outputs` have to be opened for it.
    #[must_use]
    pub fn with_checkpoints(self, interval: NonZeroU64) -> Self {
        Self { interval: Some(interval), ..self }
    }

    /// Tells the user what happens to vehicles that cannot go on.
    #[must_use]
    pub fn with_alerts(self, mut alerts: Alerts) -> Self {
        self.guidance.added().for_each(|new| alerts.admit(new));
        Self { alerts: Some(alerts), ..self }
    }

    /// Routes that hold from steps on that are not recorded yet, in the order in which they were found.
    pub fn notices(&self) -> &[RouteNotice] {
        &self.notices
    }

    /// The first step that has to wait: for routes that are not found yet, or because the run may end before it.
    pub fn hold(&self) -> Option<u64> {
        let for_routes = self.guidance.hold_ms().map(|ms| self.rules.step_of(ms));
        [for_routes, self.end_of_standstill()].into_iter().flatten().min()
    }

    fn end_of_standstill(&self) -> Option<u64> {
        self.alerts.as_ref().and_then(Alerts::end)
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
            // Not the epoch: reports of a step are equal whoever computes it and whenever.
            Event::Reported(batch) if batch.token.run != self.token.run => Ok(()),
            Event::Reported(batch) => self.record(batch, effects),
            Event::Ordered(notice) => self.take_orders(notice, effects),
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
            self.outputs.add(usize::from(batch.part), report)?;
            // What is reported of steps after the last stays where it is until the end: it holds measuring intervals that
            // the end of the run cuts short.
            while !self.over
                && let Some(step) = self.outputs.write_next()?
            {
                self.recorded(&step, effects)?;
            }
        }
        if self.outputs.steps() > before {
            self.tell(effects);
        }
        Ok(())
    }

    fn tell(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Recorded { steps: self.outputs.steps(), over: self.over, hold: self.hold() });
    }

    /// The outputs learn of new vehicles before these can do anything, and nobody goes beyond the step after which new ways
    /// have to be found.
    fn take_orders(&mut self, notice: OrderNotice, effects: &mut Vec<Effect>) -> Result<(), OutputError> {
        let is_past = self.over || notice.at_step < self.outputs.steps();
        if is_past || notice.token.run != self.token.run {
            return Ok(());
        }
        if notice.snapshot && notice.at_step == self.outputs.steps() {
            self.checkpoint(effects)?;
        } else if notice.snapshot {
            self.asked.insert(notice.at_step);
        }
        let added = notice.orders.iter().filter_map(|order| match order {
            Order::AddVehicle(new) => Some((**new).clone()),
            _ => None,
        });
        let added: Vec<_> = added.collect();
        if self.guidance.order(self.rules.ms_of(notice.at_step), notice.number, notice.orders) {
            for new in &added {
                self.outputs.admit(new);
                self.alerts.iter_mut().for_each(|alerts| alerts.admit(new));
            }
            self.tell(effects);
        }
        Ok(())
    }

    /// What follows from a step, before the next is looked at.
    fn recorded(&mut self, step: &MergedStep, effects: &mut Vec<Effect>) -> Result<(), OutputError> {
        let steps = self.outputs.steps();
        self.notices.retain(|notice| notice.at_step >= steps);
        self.guidance.observe(step);
        while let Some(orders) = self.guidance.take_orders() {
            let at_step = self.rules.step_of(orders.at_ms);
            let notice = RouteNotice { token: self.token, at_step, cause: orders.cause, updates: orders.updates };
            if self.interval.is_some() {
                self.notices.push(notice.clone());
            }
            effects.push(Effect::Routes(notice));
        }
        if let Some(alerts) = &mut self.alerts {
            alerts.observe(steps, step, |message| effects.push(Effect::Alert(message)));
        }
        let added = self.guidance.added().count() as u64;
        self.over = self.rules.is_over(steps, self.outputs.counts(), added)
            || self.end_of_standstill().is_some_and(|end| steps >= end);
        if self.interval.is_some_and(|interval| steps.is_multiple_of(interval.get())) || self.asked.remove(&steps) {
            self.checkpoint(effects)?;
        }
        Ok(())
    }

    /// One for each step at most.
    fn checkpoint(&mut self, effects: &mut Vec<Effect>) -> Result<(), OutputError> {
        let step = self.outputs.steps();
        if self.interval.is_some() && !self.over && self.kept < step {
            self.kept = step;
            let outputs = self.outputs.checkpoint()?;
            let still_since = self.alerts.as_ref().and_then(Alerts::still_since);
            let state = RecorderState::encode(&outputs, self.guidance.state(), &self.notices, still_since);
            effects.push(Effect::Checkpoint { step, state });
        }
        Ok(())
    }

    fn close(&mut self, closings: Vec<Closing>, wall: Duration, effects: &mut Vec<Effect>) -> Result<(), OutputError> {
        let end_ms = self.rules.begin_ms + self.outputs.steps() as i64 * self.rules.step_ms;
        let digest = self.outputs.close(closings, end_ms)?;
        effects.push(Effect::Closed(Box::new(Recording {
            steps: self.outputs.steps(),
            end_ms,
            counts: *self.outputs.counts(),
            trips: *self.outputs.trips(),
            digest,
            orders_missed: self.guidance.orders_missed(),
            wall,
        })));
        Ok(())
    }
}
