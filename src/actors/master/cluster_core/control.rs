//! How a run is driven from outside: commands get their step, pauses and speed limit what is granted, and who looks on sees
//! all partitions at one step.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::observation_collector::{Glance, Standing};
use super::*;
use crate::control::RunState;
use crate::control::live::{PartitionStatus, RunStatus, VehicleCounts, WorkerStatus};
use crate::protocol::Observed;

/// Bytes of a command that are logged; all of it is in the command log.
const LOGGED_BYTES: usize = 512;

impl ClusterCore {
    pub(super) fn instructed(
        &mut self,
        ticket: Ticket,
        instruction: Instruction,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let done = match instruction {
            Instruction::Logged { act, parts, text, timed } => {
                let entry = LoggedCommand { at_step: self.first_free_step(), act, text, timed };
                self.log_in_time(entry, parts, ticket, effects)
            }
            Instruction::Drive(drive) => self.drive(ticket, drive, now).map(|()| None),
            Instruction::Move { part, worker } => self.move_to(part, &worker).map(Some),
            Instruction::Status => Ok(Some(json!(self.status()))),
        };
        // Otherwise it is answered when it is durable.
        if let Some(outcome) = done.transpose() {
            effects.push(Effect::Answer { ticket, outcome });
        }
    }

    /// Holds at once.
    fn drive(&mut self, ticket: Ticket, drive: Drive, now: Instant) -> Result<(), CommandError> {
        if self.pace_keeping.is_full() {
            return Err(CommandError::Busy("too many commands are waiting for the store; retry later".to_owned()));
        }
        let granted = self.first_free_step();
        let answer = match drive {
            Drive::Pause => {
                self.pace.pause(granted);
                json!({"step": granted})
            }
            Drive::Resume => {
                self.pace.resume();
                json!({"step": granted})
            }
            Drive::Step(steps) => json!({"until": self.pace.advance(steps, granted)}),
            Drive::Speed(factor) => {
                self.pace.keep_to(factor);
                json!({"factor": factor})
            }
        };
        self.pace_keeping.changed(ticket, answer, now);
        Ok(())
    }

    pub(super) fn answer_all(&self, told: Vec<(Ticket, Value)>, effects: &mut Vec<Effect>) {
        effects.extend(told.into_iter().map(|(ticket, answer)| Effect::Answer { ticket, outcome: Ok(answer) }));
    }

    /// The first step that nobody may have done.
    pub fn first_free_step(&self) -> u64 {
        self.lifecycle.granted().max(self.floor)
    }

    /// Time that a step computes, ms.
    pub fn time_ms(&self, step: u64) -> i64 {
        self.plan.begin_ms + step as i64 * self.plan.step_ms
    }

    /// A timed command that cannot be given holds nobody up: in the edited network it comes again.
    fn log_in_time(
        &mut self,
        entry: LoggedCommand,
        parts: Vec<u16>,
        ticket: Ticket,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<Value>, CommandError> {
        let (step, is_timed) = (entry.at_step, entry.timed.is_some());
        let logged = self.log(entry, parts, ticket, effects);
        if let Err(error) = &logged
            && is_timed
            && !self.schedule.is_editing()
        {
            tracing::error!(step, %error, "timed command skipped");
            self.schedule.given();
        }
        logged.map(|()| None)
    }

    fn log(
        &mut self,
        entry: LoggedCommand,
        parts: Vec<u16>,
        ticket: Ticket,
        effects: &mut Vec<Effect>,
    ) -> Result<(), CommandError> {
        if entry.act == LoggedAction::Snapshot && self.plan.policy.snapshot_interval.is_none() {
            let text = "snapshots are off in this run; start it with cluster.fault_tolerance = true".to_owned();
            return Err(CommandError::Conflict(text));
        }
        if matches!(entry.act, LoggedAction::Edit(_)) && self.plan.policy.snapshot_interval.is_none() {
            let text = "editing a running network needs snapshots, which are off in this run; start it with --fault-tolerance true";
            return Err(CommandError::Conflict(text.to_owned()));
        }
        if self.schedule.is_editing() {
            return Err(CommandError::being_edited());
        }
        let Some(told) = self.schedule.take(entry, parts, ticket) else {
            return Err(CommandError::Busy("too many commands are waiting for the store; retry later".to_owned()));
        };
        effects.push(Effect::Log { number: told.number, entry: told.entry.clone() });
        Ok(())
    }

    /// It will be in every replay from now on.
    pub(super) fn logged(&mut self, number: u64, now: Instant, effects: &mut Vec<Effect>) {
        let Some(told) = self.schedule.logged(number) else { return };
        match told.notice(self.plan.run, self.epoch) {
            Some(notice) => effects.push(Effect::NotifyRecorder(notice)),
            None => {
                let steps = told.entry.at_step;
                self.told(number, effects);
                self.live(LifeEvent::StopAt { steps }, now, effects);
            }
        }
    }

    /// The recorder knows of it, so partitions may, too.
    pub(super) fn told(&mut self, number: u64, effects: &mut Vec<Effect>) {
        let Some((told, ticket)) = self.schedule.known(number) else { return };
        let ScheduledCommand { entry, parts, .. } = &told;
        tracing::info!(
            number,
            step = entry.at_step,
            partitions = parts.len(),
            command = beginning(&entry.text),
            "command executed"
        );
        if let Some(notice) = told.notice(self.plan.run, self.epoch) {
            self.schedule.sent(parts, notice.orders.len());
            for session in self.hosts_of(parts) {
                let message = ToWorker::Orders { parts: parts.clone(), notice: notice.clone() };
                effects.push(Effect::SendToWorker { session, message });
            }
        }
        let outcome = Ok(json!({"number": number, "step": entry.at_step, "partitions": parts}));
        effects.push(Effect::Answer { ticket, outcome });
    }

    /// Workers that host one of these partitions, each once.
    fn hosts_of(&self, parts: &[u16]) -> Vec<SessionId> {
        let hosts: BTreeSet<Incarnation> =
            parts.iter().filter_map(|part| self.parts.get(usize::from(*part))?.host).collect();
        hosts.into_iter().filter_map(|host| self.workers.session(host)).collect()
    }

    fn move_to(&mut self, part: u16, worker: &str) -> Result<Value, CommandError> {
        if self.plan.policy.snapshot_interval.is_none() {
            let text = "moving a partition needs snapshots, which are off in this run; start it with cluster.fault_tolerance = true";
            return Err(CommandError::Conflict(text.to_owned()));
        }
        let Some(known) = self.parts.get(usize::from(part)) else {
            return Err(CommandError::NoSuchObject { kind: "partition", name: part.to_string() });
        };
        let found = self.workers.available().find(|incarnation| self.name(*incarnation) == worker);
        let Some(target) = found else {
            return Err(CommandError::NoSuchObject { kind: "connected worker", name: worker.to_owned() });
        };
        if known.host == Some(target) {
            return Err(CommandError::Conflict(format!("worker '{worker}' already hosts partition {part}")));
        }
        self.moves.retain(|(other, _)| *other != part);
        self.moves.push((part, target));
        Ok(json!({"partition": part, "worker": worker, "when": "at the next snapshot"}))
    }

    /// Right after a commit nothing has to be computed again.
    pub(super) fn move_parts(&mut self, now: Instant) {
        for (part, target) in std::mem::take(&mut self.moves) {
            let is_there = self.workers.session(target).is_some();
            let known = &mut self.parts[usize::from(part)];
            if let Some(host) = known.host.filter(|host| is_there && *host != target) {
                (known.host, known.stage, known.lost_at, known.wanted) = (None, Stage::Lost, now, Some(target));
                known.cause = Cause::Move;
                self.commits.lost(part);
                tracing::info!(partition = part, from = self.name(host), to = self.name(target), "partition moves");
            }
        }
    }

    /// Tells the lifecycle how far commands and pace let it go.
    pub(super) fn limit_steps(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let pace = self.pace.limit(now, self.first_free_step());
        let steps = self.schedule.limit(self.lifecycle.recorded()).min(pace);
        if steps != self.limit {
            self.limit = steps;
            self.live(LifeEvent::Limited { steps }, now, effects);
        }
        if self.begun
            && let Some(place) = self.schedule.due(self.first_free_step())
        {
            effects.push(Effect::Due { place });
        }
    }

    // Looking on.

    /// Whether a view is under way.
    pub fn is_looking(&self, now: Instant) -> bool {
        self.observations.is_looking(now)
    }

    pub(super) fn look_at(&mut self, watch: Watch, now: Instant, effects: &mut Vec<Effect>) {
        if !self.begun || self.outcome.is_some() {
            return;
        }
        if let Some(look) = self.observations.look(watch, self.plan.partitions, self.standing(now)) {
            self.tell_all(&ToWorker::Look(look), effects);
        }
    }

    pub(super) fn seen(&mut self, seen: Observed, now: Instant, effects: &mut Vec<Effect>) {
        match self.observations.seen(seen, self.plan.partitions, self.standing(now)) {
            Glance::Waits => {}
            Glance::Again(look) => self.tell_all(&ToWorker::Look(look), effects),
            Glance::Whole { step, observation } => effects.push(Effect::Show { step, observation }),
        }
    }

    fn standing(&self, now: Instant) -> Standing {
        Standing { now, free: self.first_free_step(), step: self.lifecycle.step_time() }
    }

    /// Show the state of the run.
    pub fn status(&self) -> RunStatus {
        // That it is over, and how, tells who drives it, when its outputs are in place.
        let state = if !self.begun {
            RunState::Building
        } else if self.pace.is_paused() {
            RunState::Paused
        } else {
            RunState::Running
        };
        let hosted = |incarnation: Incarnation| {
            let is_there = |(_, part): &(usize, &Part)| part.host == Some(incarnation);
            self.parts.iter().enumerate().filter(is_there).map(|(i, _)| i as u16).collect()
        };
        let workers = self.workers.all().map(|(incarnation, worker)| WorkerStatus {
            name: worker.name.clone(),
            address: worker.address.clone(),
            connected: worker.session.is_some(),
            partitions: hosted(incarnation),
        });
        let partitions = self.parts.iter().enumerate().map(|(i, part)| PartitionStatus {
            partition: i as u16,
            worker: part.host.map(|host| self.name(host).to_owned()),
            epoch: part.epoch.0,
            stage: match part.stage {
                Stage::Lost => "lost",
                Stage::Loading => "loading",
                Stage::Running => "running",
            },
            step: part.steps.max(self.lifecycle.recorded()),
            orders: self.schedule.sent_to(i as u16),
        });
        let Plan { begin_ms, step_ms, horizon, .. } = &self.plan;
        let counts = &self.counts;
        RunStatus {
            state,
            reason: None,
            run: Some(self.plan.name.to_string()),
            step: self.lifecycle.recorded(),
            granted: self.lifecycle.granted(),
            time: (begin_ms + self.lifecycle.recorded() as i64 * step_ms) as f64 / 1000.0,
            end_step: horizon.end,
            epoch: self.epoch.0,
            committed: self.commits.committed(),
            vehicles: VehicleCounts {
                loaded: counts.loaded,
                waiting: counts.waiting,
                running: counts.running,
                arrived: counts.arrived,
                discarded: counts.discarded,
                teleports: counts.teleports(),
            },
            real_time_factor: 0.0,
            speed: self.pace.factor(),
            recoveries: self.tallies.recoveries(),
            replayed_steps: self.tallies.replayed_steps,
            commands: self.schedule.done(),
            workers: workers.collect(),
            lost_workers: self.lost_workers.iter().cloned().collect(),
            partitions: partitions.collect(),
            digest: None,
        }
    }
}

/// As much of a text as is logged of it.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(LOGGED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
