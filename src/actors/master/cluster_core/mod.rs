//! A run over many processes: who hosts which partition, what happens when one is lost, and when a snapshot is committed.
//! The run's lifecycle itself is [`super::Core`]'s.

mod control;
mod observation_collector;
mod placement;
mod worker_messages;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::observation_collector::ObservationCollector;
use super::commits::{Commits, Complete};
use super::core::{Core as Lifecycle, Effect as LifeEffect, Event as LifeEvent, Horizon, Outcome};
use super::instruction::{Drive, Instruction, Pace, StoredPace, Ticket};
use super::pace_keeping::PaceKeeping;
use super::run_result::RunResult;
use super::schedule::{LoggedAction, LoggedCommand, Schedule, ScheduledCommand};
use super::workers::{Incarnation, SessionId, Workers};
use crate::actors::ExitStatus;
use crate::actors::recorder::Recording;
use crate::control::CommandError;
use crate::observe::{Cause, Tallies};
use crate::persist::{ContentHash, PartRef, RunName};
use crate::protocol::{
    Epoch, Hosted, OrderNotice, Place, Policy, RouteNotice, RunId, Stored, ToMaster, ToWorker, Welcome,
};
use crate::sim::Closing;
use crate::sim::report::Counts;
use crate::sim::{Observation, Watch};

/// A partition that fails so often without a new snapshot in between is broken.
const MAX_FAILURES: u32 = 5;
/// The same for one that loses its worker: that says little about the partition, so much more is borne.
const MAX_LOSSES: u32 = 100;
/// Names of lost workers that are remembered; more are as good as these.
const MAX_LOST: usize = 256;
/// First pause before a partition that failed is started again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What does not change while a master lives.
#[derive(Clone, Debug)]
pub struct Plan {
    pub run: RunId,
    pub name: RunName,
    pub scenario: ContentHash,
    pub partitions: u16,
    /// By partition: the name of the worker that hosts it if it is there; may be shorter or empty.
    pub preferred: Vec<Option<Box<str>>>,
    /// Start when so many workers have come.
    pub workers: usize,
    /// Start with fewer when those that have not come by then; `None`: never.
    pub gather: Option<Duration>,
    pub policy: Policy,
    /// How long a worker whose connection is lost may take to come back before it is replaced.
    pub grace: Duration,
    /// The same for workers that an earlier master has left behind.
    pub adoption_grace: Duration,
    pub horizon: Horizon,
    pub pace: Pace,
    /// Of the first step, and of each.
    pub begin_ms: i64,
    pub step_ms: i64,
}

/// Where a partition is, as a master leaves it to the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedPart {
    pub epoch: Epoch,
    pub incarnation: u64,
    pub worker: String,
    pub address: String,
}

/// What a run is resumed from.
#[derive(Clone, Debug, Default)]
pub struct Resumed {
    /// Steps that are committed, and recorded.
    pub steps: u64,
    /// By part; `None` before the first commit.
    pub parts: Option<Vec<PartRef>>,
    /// Where the partitions were, if they may still be there.
    pub placed: Vec<Option<PlacedPart>>,
    /// Routes that were found before the commit for steps after it.
    pub notices: Vec<RouteNotice>,
    pub hold: Option<u64>,
    /// The run was cut anew, or its network edited: what workers have of it is of no use.
    pub recut: bool,
    /// Partitions that were placed before this epoch are of another scenario.
    pub since: u64,
    /// Edits of the command log that the network holds.
    pub edits: u32,
    /// The whole command log.
    pub log: Vec<ScheduledCommand>,
    /// Steps of the timed commands.
    pub timed: Vec<u64>,
    /// What was recovered under earlier masters.
    pub tallies: Tallies,
}

#[derive(Debug)]
pub enum Event {
    /// A session has begun and sent [`ToMaster::Join`] or anything else.
    Message {
        session: SessionId,
        message: ToMaster,
    },
    SessionEnded {
        session: SessionId,
        reason: String,
    },
    /// Some time has passed.
    Tick,
    Recorded {
        steps: u64,
        over: bool,
        hold: Option<u64>,
        counts: Counts,
    },
    RoutesFound(RouteNotice),
    /// Somebody wants something of the run.
    Instructed {
        ticket: Ticket,
        instruction: Instruction,
    },
    /// The timed command that was due cannot be given.
    NotGiven,
    /// An entry is in the command log.
    Logged(u64),
    /// It is stored how the run is driven, or it cannot be.
    PaceKept(bool),
    /// The recorder knows of an entry.
    RecorderKnows(u64),
    /// Somebody wants to see these roads.
    LookAt(Watch),
    /// The recorder's part of a snapshot is in the store.
    RecorderStored(PartRef),
    RecorderDone(Box<Recording>),
    RecorderFailed(String),
    EpochRaised(Epoch),
    Committed,
    CommitFailed(String),
    /// Another master has taken over.
    Fenced(String),
    /// It is stored how the run ended.
    Concluded,
}

#[derive(Debug, PartialEq)]
pub enum Effect {
    SendToWorker {
        session: SessionId,
        message: ToWorker,
    },
    Hangup {
        session: SessionId,
    },
    /// To the store, in this order.
    RaiseEpoch {
        epoch: Epoch,
    },
    Commit {
        epoch: Epoch,
        complete: Complete,
    },
    SavePlaces {
        epoch: Epoch,
        places: Vec<Option<PlacedPart>>,
        tallies: Tallies,
    },
    /// It is over; with a result when it must not be resumed.
    Conclude {
        epoch: Epoch,
        result: Option<Box<RunResult>>,
    },
    /// To the command log.
    Log {
        number: u64,
        entry: LoggedCommand,
    },
    /// To the store: how the run is driven.
    SavePace {
        epoch: Epoch,
        pace: StoredPace,
    },
    /// To the recorder, which says [`Event::RecorderKnows`] then.
    NotifyRecorder(OrderNotice),
    Answer {
        ticket: Ticket,
        outcome: Result<serde_json::Value, CommandError>,
    },
    /// A timed command is to be given now: this one of the file.
    Due {
        place: u32,
    },
    /// To who looks on: what all partitions saw.
    Show {
        step: u64,
        observation: Observation,
    },
    /// To the recorder.
    Close {
        closings: Vec<Closing>,
        wall: Duration,
    },
    /// The run has ended; nothing follows.
    End(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody hosts it.
    Lost,
    /// A worker builds it.
    Loading,
    Running,
}

#[derive(Debug)]
struct Part {
    /// In which it was placed last.
    epoch: Epoch,
    host: Option<Incarnation>,
    stage: Stage,
    /// Steps done when it was last heard of.
    steps: u64,
    /// How often it failed, and how often it lost its worker, since the last commit.
    failures: u32,
    losses: u32,
    not_before: Instant,
    lost_at: Instant,
    /// Why it was lost.
    cause: Cause,
    /// It has to compute again the steps up to this one.
    behind: Option<u64>,
    /// Where it is to go when it is placed next.
    wanted: Option<Incarnation>,
}

/// The master of a cluster.
#[derive(Debug)]
pub struct ClusterCore {
    plan: Plan,
    epoch: Epoch,
    lifecycle: Lifecycle,
    parts: Vec<Part>,
    workers: Workers,
    commits: Commits,
    /// Route notices that a partition may need which goes back to the last commit.
    notices: VecDeque<RouteNotice>,
    /// The partitions have been placed once.
    placed: bool,
    raising: bool,
    begun: bool,
    /// Partitions that an earlier master has placed can go on.
    adopts: bool,
    /// Workers of an earlier master are given until then.
    adopting_until: Option<Instant>,
    /// From then on it does with the workers that are there.
    gathered_at: Option<Instant>,
    outcome: Option<Outcome>,
    tallies: Tallies,
    /// Workers that were lost, until one of that name is there again.
    lost_workers: BTreeSet<String>,
    /// By step: when the first part of a snapshot was stored that is not committed.
    snapshots_since: BTreeMap<u64, Instant>,
    schedule: Schedule,
    pace: Pace,
    pace_keeping: PaceKeeping,
    /// Steps that are granted at most, as the lifecycle was told last.
    limit: u64,
    /// Steps that an earlier master has granted to workers that are still there.
    floor: u64,
    counts: Counts,
    observations: ObservationCollector,
    /// Partitions and where they are to go at the next commit.
    moves: Vec<(u16, Incarnation)>,
}

impl ClusterCore {
    pub fn new(plan: Plan, epoch: Epoch, resumed: Resumed, now: Instant) -> Self {
        let Resumed { steps, parts: last, mut placed, notices, hold, recut, since, edits, log, timed, tallies } =
            resumed;
        // Without fault tolerance workers keep no reports for another master, which therefore has to begin again.
        let adopts = plan.policy.snapshot_interval.is_some() && !recut;
        if !adopts {
            placed.clear();
        }
        let count = usize::from(plan.partitions);
        let mut workers = Workers::default();
        let mut parts = Vec::with_capacity(count);
        for part in 0..count {
            let before = placed.get(part).and_then(Option::as_ref);
            if let Some(place) = before {
                let incarnation = Incarnation(place.incarnation);
                workers.expect(incarnation, place.worker.clone(), place.address.clone(), now);
            }
            parts.push(Part {
                epoch: before.map_or(Epoch(since.saturating_sub(1)), |place| place.epoch),
                host: before.map(|place| Incarnation(place.incarnation)),
                stage: if before.is_some() { Stage::Loading } else { Stage::Lost },
                steps,
                failures: 0,
                losses: 0,
                not_before: now,
                lost_at: now,
                cause: Cause::Worker,
                behind: None,
                wanted: None,
            });
        }
        let was_placed = placed.iter().any(Option::is_some);
        let mut lifecycle = Lifecycle::resumed(count, plan.horizon, hold, steps);
        if let Some(uncommitted) = plan.policy.bound() {
            lifecycle.handle(LifeEvent::Recoverable { steps: steps + uncommitted }, now.into_std(), &mut Vec::new());
        }
        let stop = log.iter().find(|told| told.entry.act == LoggedAction::Stop).map(|told| told.entry.at_step);
        if let Some(steps) = stop {
            lifecycle.handle(LifeEvent::StopAt { steps }, now.into_std(), &mut Vec::new());
        }
        Self {
            schedule: Schedule::resumed(log, edits, steps, &timed),
            pace: plan.pace,
            pace_keeping: PaceKeeping::default(),
            limit: u64::MAX,
            floor: 0,
            counts: Counts::default(),
            observations: ObservationCollector::default(),
            moves: Vec::new(),
            adopts,
            adopting_until: was_placed.then(|| now + plan.adoption_grace),
            gathered_at: plan.gather.map(|gather| now + gather),
            plan,
            epoch,
            lifecycle,
            parts,
            workers,
            commits: Commits::new(steps, last),
            notices: notices.into(),
            placed: was_placed,
            raising: false,
            begun: false,
            outcome: None,
            tallies,
            lost_workers: BTreeSet::new(),
            snapshots_since: BTreeMap::new(),
        }
    }

    /// Workers that are connected.
    pub fn connected(&self) -> usize {
        self.workers.sessions().count()
    }

    /// How the run is driven now, for who goes on with it.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Partitions that were lost and placed anew, and the steps that had to be computed again.
    pub fn tallies(&self) -> Tallies {
        self.tallies
    }

    pub fn handle(&mut self, event: Event, now: Instant, effects: &mut Vec<Effect>) {
        match event {
            Event::Message { session, message } => self.message(session, message, now, effects),
            Event::SessionEnded { session, reason } => {
                if let Some(incarnation) = self.workers.disconnect(session, now) {
                    let worker = self.name(incarnation);
                    tracing::warn!(worker, reason, "connection to worker lost");
                } else {
                    tracing::warn!(session = session.0, error = reason, "connection refused: no worker joined over it");
                }
            }
            Event::Tick => {
                let told = self.pace_keeping.late(now);
                self.answer_all(told, effects);
                self.watch(now, effects);
            }
            Event::Recorded { steps, over, hold, counts } => {
                self.counts = counts;
                self.observations.stands(steps, now);
                self.live(LifeEvent::Recorded { steps, over, hold }, now, effects);
            }
            Event::Instructed { ticket, instruction } => self.instructed(ticket, instruction, now, effects),
            Event::NotGiven => self.schedule.given(),
            Event::Logged(number) => self.logged(number, now, effects),
            Event::PaceKept(is_stored) => {
                let told = self.pace_keeping.done(is_stored);
                self.answer_all(told, effects);
            }
            Event::RecorderKnows(number) => self.told(number, effects),
            Event::LookAt(watch) => self.look_at(watch, now, effects),
            Event::RoutesFound(notice) => self.live(LifeEvent::RoutesFound(notice), now, effects),
            Event::RecorderStored(reference) => {
                self.snapshot_began(reference.id.step, now);
                self.commits.recorder_stored(self.parts.len(), reference);
            }
            Event::RecorderDone(recording) => self.live(LifeEvent::RecorderDone(recording), now, effects),
            Event::RecorderFailed(reason) => self.live(LifeEvent::RecorderFailed(reason), now, effects),
            Event::EpochRaised(epoch) => {
                self.epoch = epoch;
                self.raising = false;
                self.place_all(now, effects);
            }
            Event::Committed => self.committed(now, effects),
            Event::CommitFailed(reason) => {
                tracing::error!(
                    reason,
                    committed = self.commits.committed(),
                    "snapshot not committed; the previous commit remains valid"
                );
                self.commits.failed();
            }
            Event::Fenced(reason) => self.fenced(reason, effects),
            Event::Concluded => {
                let failure = match &self.outcome {
                    Some(Outcome::Failed(reason)) => Some(reason.clone()),
                    _ => None,
                };
                self.tell_all(&ToWorker::End { failure }, effects);
                effects.extend(self.outcome.take().map(Effect::End));
            }
        }
        self.settle(now, effects);
    }

    /// Every event ends here: what is complete is committed, and who is lost is placed anew.
    fn settle(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.outcome.is_some() {
            return;
        }
        // Under an epoch that is being raised the store would take it for a commit of another master.
        if !self.raising
            && let Some(complete) = self.commits.take_next()
        {
            effects.push(Effect::Commit { epoch: self.epoch, complete });
        }
        if self.pace_keeping.is_due() {
            effects.push(Effect::SavePace { epoch: self.epoch, pace: self.pace.kept() });
        }
        if self.schedule.edit_is_due(self.commits.committed()) && self.pace_keeping.is_idle() {
            // Workers are told nothing: they look for the master, and find it with another scenario.
            self.outcome = Some(Outcome::Edited);
            return effects.push(Effect::End(Outcome::Edited));
        }
        self.recover(now, effects);
        self.limit_steps(now, effects);
        if !self.begun && self.parts.iter().all(|part| part.stage == Stage::Running) {
            self.begun = true;
            self.live(LifeEvent::Ready, now, effects);
        }
    }

    // Commits and the end.

    fn committed(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.commits.done();
        let step = self.commits.committed();
        let since = self.snapshots_since.get(&step).copied().unwrap_or(now);
        let took_ms = (now - since).as_millis() as u64;
        tracing::info!(step, epoch = self.epoch.0, took_ms, "snapshot committed");
        self.snapshots_since = self.snapshots_since.split_off(&(step + 1));
        self.notices.retain(|notice| notice.at_step >= step);
        self.schedule.committed(step);
        self.parts.iter_mut().for_each(|part| (part.failures, part.losses) = (0, 0));
        self.tell_all(&ToWorker::Committed { step }, effects);
        if let Some(uncommitted) = self.plan.policy.bound() {
            self.live(LifeEvent::Recoverable { steps: step + uncommitted }, now, effects);
        }
        self.release(now, effects);
        self.move_parts(now);
    }

    fn live(&mut self, event: LifeEvent, now: Instant, effects: &mut Vec<Effect>) {
        let mut outcomes = Vec::new();
        self.lifecycle.handle(event, now.into_std(), &mut outcomes);
        for effect in outcomes {
            match effect {
                LifeEffect::Grant { horizon } => {
                    let recorded = self.lifecycle.recorded();
                    self.tell_all(&ToWorker::Grant { horizon, recorded }, effects);
                }
                LifeEffect::Announce(notice) => {
                    self.tell_all(&ToWorker::Routes(notice.clone()), effects);
                    self.notices.push_back(notice);
                }
                LifeEffect::Finish { steps } => self.tell_all(&ToWorker::Finish { steps }, effects),
                LifeEffect::Close { closings, wall } => effects.push(Effect::Close { closings, wall }),
                // Workers are told when it is stored how the run ended.
                LifeEffect::Stop => {}
                LifeEffect::End(outcome) => {
                    let result = match &outcome {
                        Outcome::Finished(recording) => Some(Box::new(RunResult {
                            recording: (**recording).clone(),
                            partitions: self.plan.partitions,
                            recoveries: self.tallies.recoveries(),
                            replayed_steps: self.tallies.replayed_steps,
                        })),
                        Outcome::Failed(_) | Outcome::Edited => None,
                    };
                    self.outcome = Some(outcome);
                    effects.push(Effect::Conclude { epoch: self.epoch, result });
                }
            }
        }
    }

    /// Another master drives the run. Its workers are told nothing: they are the other one's now, and look for it (I4).
    fn fenced(&mut self, reason: String, effects: &mut Vec<Effect>) {
        let outcome = Outcome::Failed(reason);
        self.outcome = Some(outcome.clone());
        effects.push(Effect::End(outcome));
    }

    /// Ends the run without a result. What is committed stays, and the run can be resumed.
    fn fail(&mut self, reason: String, effects: &mut Vec<Effect>) {
        if self.outcome.is_none() {
            self.tell_all(&ToWorker::End { failure: Some(reason.clone()) }, effects);
            effects.push(Effect::End(Outcome::Failed(reason.clone())));
            self.outcome = Some(Outcome::Failed(reason));
        }
    }

    fn tell_all(&self, message: &ToWorker, effects: &mut Vec<Effect>) {
        effects
            .extend(self.workers.sessions().map(|session| Effect::SendToWorker { session, message: message.clone() }));
    }

    fn name(&self, incarnation: Incarnation) -> &str {
        self.workers.get(incarnation).map_or("?", |worker| &worker.name)
    }
}

#[cfg(test)]
mod tests;
