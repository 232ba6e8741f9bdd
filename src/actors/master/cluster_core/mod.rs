//! A run over many processes: who hosts which partition, what happens when one is lost, and when a snapshot is committed.
//! The run's lifecycle itself is [`super::Core`]'s.

mod control;
mod observation_collector;

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
use super::schedule::{LogEntry, LoggedAction, Schedule, ScheduledCommand};
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
        entry: LogEntry,
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

    // Messages of workers.

    fn message(&mut self, session: SessionId, message: ToMaster, now: Instant, effects: &mut Vec<Effect>) {
        if let ToMaster::Join { name, incarnation, address, run, hosted, stored, told, horizon } = message {
            if run == Some(self.plan.run) {
                self.floor = self.floor.max(horizon);
            }
            let newest = hosted.iter().map(|hosted| hosted.epoch).max();
            if newest.is_some_and(|newest| newest > self.epoch) {
                // Another master has placed them, and this one will soon hear that it is fenced off (I4).
                tracing::warn!(
                    worker = name,
                    epoch = newest.map(|epoch| epoch.0),
                    "worker refused: it belongs to a newer master"
                );
                return effects.push(Effect::Hangup { session });
            }
            let replaced = if run.is_some_and(|run| run != self.plan.run) {
                let reason = format!(
                    "this master runs '{}'; stop the worker, which belongs to another run, and start it again",
                    self.plan.name
                );
                tracing::warn!(worker = name, error = reason, "worker refused");
                effects.push(Effect::SendToWorker { session, message: ToWorker::Refused { reason } });
                return effects.push(Effect::Hangup { session });
            } else {
                // An address is one process's at a time: who was there before is gone, although nobody said so.
                if let Some(former) = self.workers.other_at(&address, Incarnation(incarnation)) {
                    self.lose_worker(former, "another process has joined under its name", now, effects);
                }
                self.workers.join(session, Incarnation(incarnation), name.clone(), address, now)
            };
            effects.extend(replaced.map(|session| Effect::Hangup { session }));
            self.lost_workers.remove(&name);
            tracing::info!(worker = name, partitions = hosted.len(), "worker joined");
            self.joined(session, Incarnation(incarnation), &hosted, stored, now, effects);
            return self.outdate(&told, now, effects);
        }
        let Some(incarnation) = self.workers.heard(session, now) else { return };
        match message {
            ToMaster::Ready { part, epoch, steps } => {
                // It has not heard of the look that is under way.
                self.observations.give_up();
                if let Some(known) = self.present(part, epoch) {
                    known.stage = Stage::Running;
                    let took_ms = (now - known.lost_at).as_millis() as u64;
                    tracing::info!(partition = part, epoch = epoch.0, step = steps, took_ms, "partition started");
                }
            }
            ToMaster::Progress { steps } => {
                for (part, steps) in steps {
                    if let Some(known) = self.parts.get_mut(usize::from(part))
                        && known.host == Some(incarnation)
                    {
                        known.steps = known.steps.max(steps);
                        self.observations.stands(steps, now);
                        if known.behind.is_some_and(|behind| steps >= behind) {
                            known.behind = None;
                            let took_ms = (now - known.lost_at).as_millis() as u64;
                            let epoch = known.epoch.0;
                            tracing::info!(partition = part, epoch, step = steps, took_ms, "partition caught up");
                        }
                    }
                }
                // A sign of life of the master in return, by which the worker knows that it is not talking to nobody.
                let (horizon, recorded) = (self.lifecycle.granted(), self.lifecycle.recorded());
                effects.push(Effect::SendToWorker { session, message: ToWorker::Grant { horizon, recorded } });
            }
            ToMaster::Stored(stored) => self.stored(&stored, now),
            ToMaster::NotStored { part, step, reason } => {
                tracing::error!(
                    partition = part,
                    step,
                    reason,
                    "snapshot not stored; the previous commit remains valid"
                );
            }
            ToMaster::Closed { part, epoch, closing } => {
                if self.present(part, epoch).is_some() {
                    self.live(LifeEvent::PartitionClosed { part, closing }, now, effects);
                }
            }
            ToMaster::Exited { part, epoch, status } => self.exited(part, epoch, &status, now, effects),
            ToMaster::PeerSilent { part, peer, peer_epoch } => {
                self.second_opinion(part, peer, peer_epoch, now, effects)
            }
            ToMaster::Seen(seen) => self.seen(*seen, now, effects),
            ToMaster::Leaving => {
                tracing::info!(worker = self.name(incarnation), "worker asks to leave");
                self.workers.leave(incarnation);
                if !self.parts.iter().any(|part| part.host == Some(incarnation)) {
                    self.release(now, effects);
                }
            }
            // Handled above; reports go to the recorder.
            ToMaster::Join { .. } | ToMaster::Reports { .. } => {}
        }
    }

    fn joined(
        &mut self,
        session: SessionId,
        incarnation: Incarnation,
        hosted: &[Hosted],
        stored: Vec<Stored>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let mut tell = |message| effects.push(Effect::SendToWorker { session, message });
        // First of all, what was replaced has to go: it has missed routes, and would step on without them when it is granted
        // more steps.
        let mut outdone = Vec::new();
        for Hosted { part, epoch, steps } in hosted {
            let Some(known) = self.parts.get_mut(usize::from(*part)) else { continue };
            // An epoch is given to one placement only, so who has a newer one was placed by a master that could not say so.
            let is_newer = self.adopts && *epoch > known.epoch;
            if is_newer {
                outdone.push((*part, known.host, known.epoch));
            }
            if is_newer || (*epoch == known.epoch && known.host == Some(incarnation)) {
                (known.epoch, known.host, known.stage) = (*epoch, Some(incarnation), Stage::Running);
                known.steps = *steps;
            } else {
                tell(ToWorker::Drop { part: *part, epoch: *epoch });
            }
        }
        tell(ToWorker::Welcome(Box::new(Welcome {
            run: self.plan.run,
            name: self.plan.name.clone(),
            epoch: self.epoch,
            scenario: self.plan.scenario,
            policy: self.plan.policy,
            committed: self.commits.committed(),
            recorded: self.lifecycle.recorded(),
            // Not what is granted: partitions would go past the steps that the notices are for before these are here.
            horizon: self.commits.committed(),
        })));
        self.notices.iter().for_each(|notice| tell(ToWorker::Routes(notice.clone())));
        let (run, master_epoch) = (self.plan.run, self.epoch);
        for told in self.schedule.standing().filter(|told| hosted.iter().any(|h| told.parts.contains(&h.part))) {
            let parts = told.parts.clone();
            told.notice(run, master_epoch)
                .into_iter()
                .for_each(|notice| tell(ToWorker::Orders { parts: parts.clone(), notice }));
        }
        tell(ToWorker::Grant { horizon: self.lifecycle.granted(), recorded: self.lifecycle.recorded() });
        if let Some(steps) = self.lifecycle.finished_at() {
            tell(ToWorker::Finish { steps });
        }
        for (part, host, epoch) in &outdone {
            self.commits.lost(*part);
            if let Some(session) = host.and_then(|host| self.workers.session(host)) {
                effects.push(Effect::SendToWorker { session, message: ToWorker::Drop { part: *part, epoch: *epoch } });
            }
        }
        let missing = self.parts.iter().enumerate().filter(|(part, known)| {
            let is_there = hosted.iter().any(|h| usize::from(h.part) == *part && h.epoch == known.epoch);
            known.host == Some(incarnation) && !is_there
        });
        let missing: Vec<(u16, Epoch, Stage)> =
            missing.map(|(part, known)| (part as u16, known.epoch, known.stage)).collect();
        let places = ToWorker::Places(self.places());
        if outdone.is_empty() {
            effects.push(Effect::SendToWorker { session, message: places });
        } else {
            self.tell_all(&places, effects);
        }
        for (part, epoch, stage) in missing {
            if stage == Stage::Loading && self.plan.policy.snapshot_interval.is_none() {
                // It was under way to the worker when the connection broke, and nobody has heard of it.
                self.host(session, part, epoch, effects);
            } else {
                // The worker had it, or may have had it, and it ended while nobody heard of that. What it had stored must not
                // count any more, nor may its neighbours take the next one for it: that needs a new epoch.
                self.lose(part, "its worker reconnected without it", stage == Stage::Running, now, effects);
            }
        }
        stored.iter().for_each(|stored| self.stored(stored, now));
    }

    /// A master may tell where it places a partition and be gone before that is stored. Those who have heard of it wait for
    /// this placement and refuse the one that was adopted instead; so there has to be a newer one.
    fn outdate(&mut self, told: &[(u16, Epoch)], now: Instant, effects: &mut Vec<Effect>) {
        for &(part, epoch) in told {
            let Some(known) = self.parts.get(usize::from(part)).filter(|known| known.epoch < epoch) else { continue };
            if self.plan.policy.snapshot_interval.is_none() || known.stage == Stage::Lost {
                continue;
            }
            if let Some(session) = known.host.and_then(|host| self.workers.session(host)) {
                effects.push(Effect::SendToWorker { session, message: ToWorker::Drop { part, epoch: known.epoch } });
            }
            self.lose(part, "its worker does not host the newest placement", false, now, effects);
        }
    }

    fn stored(&mut self, stored: &Stored, now: Instant) {
        self.snapshot_began(stored.reference.id.step, now);
        let count = self.parts.len();
        if self.present(stored.part, stored.epoch).is_some() {
            self.commits.stored(stored.part, count, stored.reference);
        }
    }

    fn snapshot_began(&mut self, step: u64, now: Instant) {
        if step > self.commits.committed() {
            self.snapshots_since.entry(step).or_insert(now);
        }
    }

    /// The partition, if this is its present placement; what an older one says changes nothing (I4).
    fn present(&mut self, part: u16, epoch: Epoch) -> Option<&mut Part> {
        self.parts.get_mut(usize::from(part)).filter(|known| known.epoch == epoch && known.stage != Stage::Lost)
    }

    fn exited(&mut self, part: u16, epoch: Epoch, status: &ExitStatus, now: Instant, effects: &mut Vec<Effect>) {
        if self.present(part, epoch).is_none() || matches!(status, ExitStatus::Finished | ExitStatus::Stopped) {
            return;
        }
        tracing::error!(partition = part, epoch = epoch.0, %status, "partition ended");
        self.lose(part, &status.to_string(), true, now, effects);
    }

    // Losing and placing.

    fn watch(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        // Who is back is given no more time than others when it is lost again.
        if self.begun || self.adopting_until.is_some_and(|until| now >= until) {
            self.adopting_until = None;
        }
        let grace = if self.adopting_until.is_some() { self.plan.adoption_grace } else { self.plan.grace };
        let timeout = self.plan.policy.heartbeat_ms.map(|_| Duration::from_millis(self.plan.policy.timeout_ms));
        for (incarnation, reason) in self.workers.overdue(now, grace, timeout) {
            self.lose_worker(incarnation, reason, now, effects);
        }
    }

    fn lose_worker(&mut self, incarnation: Incarnation, reason: &str, now: Instant, effects: &mut Vec<Effect>) {
        let Some((worker, session)) = self.workers.remove(incarnation) else { return };
        effects.extend(session.map(|session| Effect::Hangup { session }));
        let hosted: Vec<u16> =
            (0..self.plan.partitions).filter(|p| self.parts[usize::from(*p)].host == Some(incarnation)).collect();
        tracing::warn!(worker = worker.name, partitions = hosted.len(), reason, "worker lost");
        if !worker.leaving && self.lost_workers.len() < MAX_LOST {
            self.lost_workers.insert(worker.name.clone());
        }
        for part in hosted {
            self.lose(part, &format!("worker '{}': {reason}", worker.name), false, now, effects);
        }
    }

    /// `itself`: the partition failed, not its worker; it is not started again at once.
    fn lose(&mut self, part: u16, reason: &str, itself: bool, now: Instant, effects: &mut Vec<Effect>) {
        if self.plan.policy.snapshot_interval.is_none() {
            let text =
                format!("partition {part} is lost ({reason}), and fault tolerance is off, so it cannot be recovered");
            return self.fail(text, effects);
        }
        self.commits.lost(part);
        let known = &mut self.parts[usize::from(part)];
        (known.host, known.stage, known.lost_at) = (None, Stage::Lost, now);
        if itself {
            known.failures += 1;
            known.cause = Cause::Partition;
            known.not_before = now + FIRST_PAUSE * 2u32.pow(known.failures.min(6) - 1);
        } else {
            known.losses += 1;
            known.cause = Cause::Worker;
        }
        if known.failures > MAX_FAILURES || known.losses > MAX_LOSSES {
            let (failures, losses, step) = (known.failures, known.losses, self.commits.committed());
            let text = format!(
                "partition {part} is broken: since the snapshot of step {step} it failed {failures} times and lost its worker \
                 {losses} times, last because of {reason}; look into the logs of its workers, then resume the run '{}'",
                self.plan.name
            );
            self.fail(text, effects);
        }
    }

    fn second_opinion(&mut self, part: u16, peer: u16, epoch: Epoch, now: Instant, effects: &mut Vec<Effect>) {
        let Some(host) = self.present(peer, epoch).and_then(|known| known.host) else { return };
        tracing::warn!(partition = part, peer, "no frames from neighbour partition");
        // The worker is away, and those who depend on it miss it: there is nothing to wait for.
        if self.adopting_until.is_none() && self.workers.get(host).is_some_and(|worker| worker.session.is_none()) {
            self.lose_worker(host, "its connection is lost, and its neighbours receive no frames either", now, effects);
        }
    }

    /// Places partitions that nobody hosts, as soon as the epoch is raised.
    fn recover(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let is_due = |part: &Part| part.stage == Stage::Lost && part.not_before <= now;
        let does_with_few = self.placed || self.gathered_at.is_some_and(|at| now >= at);
        let enough = if does_with_few { 1 } else { self.plan.workers.max(1) };
        if self.raising || !self.parts.iter().any(is_due) || self.workers.available().count() < enough {
            return;
        }
        if self.placed {
            self.raising = true;
            effects.push(Effect::RaiseEpoch { epoch: self.epoch });
        } else {
            self.place_all(now, effects);
        }
    }

    fn place_all(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let available: Vec<Incarnation> = self.workers.available().collect();
        if available.is_empty() {
            return;
        }
        let mut load: BTreeMap<Incarnation, usize> = available.iter().map(|worker| (*worker, 0)).collect();
        for host in self.parts.iter().filter_map(|part| part.host) {
            load.entry(host).and_modify(|count| *count += 1);
        }
        let (count, recorded) = (self.parts.len(), self.lifecycle.recorded());
        let mut moved: Vec<u16> = Vec::new();
        for (i, part) in self.parts.iter_mut().enumerate() {
            if part.stage != Stage::Lost || part.not_before > now {
                continue;
            }
            let wanted = part.wanted.take().filter(|wanted| available.contains(wanted));
            let preferred = self.plan.preferred.get(i).and_then(Option::as_deref);
            let is_preferred = |worker: &&Incarnation| {
                preferred.is_some() && self.workers.get(**worker).map(|worker| &*worker.name) == preferred
            };
            let host = if let Some(wanted) = wanted.or_else(|| available.iter().find(is_preferred).copied()) {
                wanted
            } else if self.placed {
                // A standby has no load.
                load.iter()
                    .min_by_key(|(worker, count)| (**count, **worker))
                    .map_or(available[0], |(worker, _)| *worker)
            } else {
                // Neighbouring numbers are often neighbours on the road.
                available[i * available.len() / count]
            };
            load.entry(host).and_modify(|count| *count += 1);
            (part.epoch, part.host, part.stage) = (self.epoch, Some(host), Stage::Loading);
            if self.placed {
                // What is recorded was done, although it may not have said so yet.
                part.steps = part.steps.max(recorded);
                self.tallies.recovered(part.cause, part.steps.saturating_sub(self.commits.committed()));
                part.behind = Some(part.steps);
            }
            moved.push(i as u16);
        }
        self.placed = true;
        self.save_places(effects);
        self.tell_all(&ToWorker::Places(self.places()), effects);
        for part in moved {
            let known = &self.parts[usize::from(part)];
            let Some(host) = known.host else { continue };
            let (worker, step) = (self.name(host), self.commits.committed());
            tracing::info!(partition = part, epoch = known.epoch.0, worker, step, "partition placed");
            if let Some(session) = self.workers.session(host) {
                self.host(session, part, known.epoch, effects);
            }
        }
    }

    /// The orders that it may have to be given again come first.
    fn host(&self, session: SessionId, part: u16, epoch: Epoch, effects: &mut Vec<Effect>) {
        for told in self.schedule.standing().filter(|told| told.parts.contains(&part)) {
            let parts = told.parts.clone();
            let notice = told.notice(self.plan.run, self.epoch);
            effects.extend(
                notice.map(|notice| Effect::SendToWorker { session, message: ToWorker::Orders { parts, notice } }),
            );
        }
        effects.push(Effect::SendToWorker {
            session,
            message: ToWorker::Host { part, epoch, from: self.commits.part(part) },
        });
    }

    /// Right after a commit: takes the partitions off workers that want to leave, when others are there to take them.
    fn release(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let leaving: Vec<Incarnation> = self.workers.leaving().collect();
        let can_move = self.workers.available().next().is_some() && self.plan.policy.snapshot_interval.is_some();
        for incarnation in leaving {
            let Some(session) = self.workers.session(incarnation) else { continue };
            if can_move {
                for (i, part) in self.parts.iter_mut().enumerate().filter(|(_, part)| part.host == Some(incarnation)) {
                    self.commits.lost(i as u16);
                    (part.host, part.stage, part.lost_at, part.cause) = (None, Stage::Lost, now, Cause::Leave);
                }
            }
            if !self.parts.iter().any(|part| part.host == Some(incarnation)) {
                effects.push(Effect::SendToWorker { session, message: ToWorker::End { failure: None } });
                self.workers.remove(incarnation);
            }
        }
    }

    fn save_places(&self, effects: &mut Vec<Effect>) {
        let place = |part: &Part| {
            let host = part.host?;
            let worker = self.workers.get(host)?;
            Some(PlacedPart {
                epoch: part.epoch,
                incarnation: host.0,
                worker: worker.name.clone(),
                address: worker.address.clone(),
            })
        };
        let places = self.parts.iter().map(place).collect();
        effects.push(Effect::SavePlaces { epoch: self.epoch, places, tallies: self.tallies });
    }

    fn places(&self) -> Vec<Place> {
        let place = |(i, part): (usize, &Part)| {
            let address = self.workers.get(part.host?)?.address.clone();
            Some(Place { part: i as u16, epoch: part.epoch, address })
        };
        self.parts.iter().enumerate().filter_map(place).collect()
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
