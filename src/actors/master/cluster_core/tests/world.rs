//! A master with workers and a store, as a test drives them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::persist::{PartId, PartName};
use crate::sim::ReportOptions;

pub(super) const RUN: RunId = RunId(7);
pub(super) const INTERVAL: u64 = 10;
pub(super) const GRACE: Duration = Duration::from_millis(500);
pub(super) const EPOCH: Epoch = Epoch(1);

pub(super) fn plan(partitions: u16, workers: usize, fault_tolerance: bool) -> Plan {
    let policy = Policy {
        snapshot_interval: fault_tolerance.then_some(INTERVAL),
        uncommitted_steps: fault_tolerance.then_some(8 * INTERVAL),
        outlive_store: false,
        heartbeat_ms: Some(100),
        timeout_ms: 5000,
        report: ReportOptions::default(),
    };
    Plan {
        pace: Pace::new(Duration::from_secs(1), None, None),
        begin_ms: 0,
        step_ms: 1000,
        run: RUN,
        name: RunName::new("rush-hour").expect("a name"),
        scenario: ContentHash(1),
        partitions,
        preferred: Vec::new(),
        workers,
        gather: None,
        policy,
        grace: GRACE,
        adoption_grace: 4 * GRACE,
        horizon: Horizon { window: 64, end: None, is_driven: false },
    }
}

pub(super) fn reference(part: PartName, step: u64, epoch: Epoch) -> PartRef {
    PartRef::new(PartId { step, epoch, part, attempt: 0 }, b"state")
}

/// A partition in a worker: in which epoch it was placed there, and its steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostedSlot {
    pub(super) epoch: Epoch,
    pub(super) steps: u64,
}

/// A worker as far as a master sees it.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) incarnation: u64,
    pub(super) session: Option<SessionId>,
    pub(super) slots: BTreeMap<u16, HostedSlot>,
    pub(super) stored: Vec<Stored>,
}

/// A master, its workers and its store.
pub(super) struct World {
    pub(super) core: ClusterCore,
    pub(super) now: Instant,
    pub(super) workers: Vec<Process>,
    pub(super) sessions: u64,
    pub(super) incarnations: u64,
    /// What the store was asked for and has not answered.
    pub(super) raising: Option<Epoch>,
    pub(super) committing: Option<u64>,
    pub(super) epoch: Epoch,
    pub(super) committed: u64,
    /// To whom each placement was given.
    pub(super) placements: BTreeMap<(u16, Epoch), u64>,
    pub(super) ended: Option<Outcome>,
}

impl World {
    pub(super) fn new(plan: Plan, workers: usize) -> Self {
        let now = Instant::now();
        let core = ClusterCore::new(plan, EPOCH, Resumed::default(), now);
        let mut world = Self {
            core,
            now,
            workers: Vec::new(),
            sessions: 0,
            incarnations: 0,
            raising: None,
            committing: None,
            epoch: EPOCH,
            committed: 0,
            placements: BTreeMap::new(),
            ended: None,
        };
        for _ in 0..workers {
            world.workers.push(Process::default());
            world.begin(world.workers.len() - 1);
        }
        world
    }

    /// A master and workers that host what there is, all of it up.
    pub(super) fn running(partitions: u16, workers: usize) -> Self {
        let mut world = Self::new(plan(partitions, workers, true), workers);
        for worker in 0..workers {
            world.join(worker);
        }
        (0..workers).for_each(|worker| world.ready(worker));
        assert!(world.core.parts.iter().all(|part| part.stage == Stage::Running));
        world
    }

    pub(super) fn begin(&mut self, worker: usize) {
        self.incarnations += 1;
        self.workers[worker] = Process { incarnation: self.incarnations, ..Process::default() };
    }

    pub(super) fn feed(&mut self, event: Event) -> Vec<Effect> {
        if self.ended.is_some() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        self.core.handle(event, self.now, &mut effects);
        for effect in &effects {
            self.carry_out(effect);
        }
        self.check();
        effects
    }

    pub(super) fn message(&mut self, worker: usize, message: ToMaster) -> Vec<Effect> {
        match self.workers[worker].session {
            Some(session) => self.feed(Event::Message { session, message }),
            None => Vec::new(),
        }
    }

    pub(super) fn carry_out(&mut self, effect: &Effect) {
        match effect {
            Effect::SendToWorker { session, message } => {
                let committed = self.committed;
                let Some(worker) = self.workers.iter_mut().find(|worker| worker.session == Some(*session)) else {
                    return;
                };
                match message {
                    ToWorker::Host { part, epoch, from } => {
                        let steps = from.map_or(0, |from| from.id.step);
                        assert_eq!(steps, committed, "a partition goes on from the last commit");
                        let known = &self.core.parts[usize::from(*part)];
                        assert_eq!((known.epoch, known.host), (*epoch, Some(Incarnation(worker.incarnation))));
                        let given = self.placements.insert((*part, *epoch), worker.incarnation);
                        assert_eq!(given, None, "an epoch is given to one placement of partition {part} only");
                        worker.slots.insert(*part, HostedSlot { epoch: *epoch, steps });
                        worker.stored.retain(|stored| stored.part != *part);
                    }
                    ToWorker::Drop { part, epoch }
                        if worker.slots.get(part).is_some_and(|slot| slot.epoch == *epoch) =>
                    {
                        worker.slots.remove(part);
                        worker.stored.retain(|stored| stored.part != *part);
                    }
                    ToWorker::End { .. } => *worker = Process::default(),
                    ToWorker::Committed { step } => worker.stored.retain(|stored| stored.reference.id.step > *step),
                    _ => {}
                }
            }
            Effect::Hangup { session } => {
                if let Some(worker) = self.workers.iter_mut().find(|worker| worker.session == Some(*session)) {
                    worker.session = None;
                }
            }
            Effect::RaiseEpoch { epoch } => {
                assert_eq!((self.raising, *epoch), (None, self.epoch), "one at a time");
                self.raising = Some(*epoch);
            }
            // Nobody drives the run here.
            Effect::Log { .. }
            | Effect::SavePace { .. }
            | Effect::NotifyRecorder(_)
            | Effect::Answer { .. }
            | Effect::Show { .. }
            | Effect::Due { .. } => {}
            Effect::Commit { epoch, complete } => {
                assert_eq!((self.committing, *epoch), (None, self.epoch), "one at a time");
                assert!(complete.step > self.committed, "commits go forward");
                assert_eq!(self.raising, None, "the store would take it for one of an older master");
                for (reference, known) in complete.parts.iter().zip(&self.core.parts) {
                    assert_ne!(known.stage, Stage::Lost, "nothing is committed while a partition is lost");
                    assert_eq!(reference.id.epoch, known.epoch, "what an older placement has stored does not count");
                }
                self.committing = Some(complete.step);
            }
            Effect::End(outcome) => self.ended = Some(outcome.clone()),
            Effect::SavePlaces { .. } | Effect::Conclude { .. } | Effect::Close { .. } => {}
        }
    }

    /// Every partition has exactly one host that may be alive, or is lost and waits for one.
    pub(super) fn check(&self) {
        for (number, part) in self.core.parts.iter().enumerate() {
            match part.stage {
                Stage::Lost => assert_eq!(part.host, None, "partition {number}"),
                Stage::Loading | Stage::Running => {
                    let host = part.host.expect("a host");
                    assert!(self.core.workers.get(host).is_some(), "the host of partition {number} is known");
                    assert!(part.epoch <= self.epoch);
                }
            }
        }
        assert_eq!(self.core.raising, self.raising.is_some());
    }

    // What may happen.

    pub(super) fn join(&mut self, worker: usize) -> Vec<Effect> {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        let process = &mut self.workers[worker];
        process.session = Some(session);
        let hosted = process.slots.iter().map(|(p, g)| Hosted { part: *p, epoch: g.epoch, steps: g.steps }).collect();
        let message = ToMaster::Join {
            name: format!("worker-{worker}"),
            incarnation: process.incarnation,
            address: format!("worker-{worker}:1"),
            run: Some(RUN),
            hosted,
            stored: process.stored.clone(),
            told: Vec::new(),
            horizon: 0,
        };
        self.feed(Event::Message { session, message })
    }

    pub(super) fn disconnect(&mut self, worker: usize) {
        if let Some(session) = self.workers[worker].session.take() {
            self.feed(Event::SessionEnded { session, reason: "cut".to_owned() });
        }
    }

    /// The process dies, and another one begins; it has not called yet.
    pub(super) fn kill(&mut self, worker: usize) {
        self.disconnect(worker);
        self.begin(worker);
    }

    pub(super) fn ready(&mut self, worker: usize) {
        for (part, slot) in self.workers[worker].slots.clone() {
            self.message(worker, ToMaster::Ready { part, epoch: slot.epoch, steps: slot.steps });
        }
    }

    /// All partitions of a worker come to their next snapshot, if the horizon lets them.
    pub(super) fn advance(&mut self, worker: usize) {
        let bound = self.committed + 8 * INTERVAL;
        let mut stored = Vec::new();
        for (part, slot) in &mut self.workers[worker].slots {
            if slot.steps + INTERVAL <= bound {
                slot.steps += INTERVAL;
                let reference = reference(PartName::Partition(*part), slot.steps, slot.epoch);
                stored.push(Stored { part: *part, epoch: slot.epoch, reference });
            }
        }
        self.workers[worker].stored.extend(stored.iter().copied());
        for stored in stored {
            self.message(worker, ToMaster::Stored(stored));
        }
        // The recorder has what all partitions have reported.
        let slots = || self.workers.iter().flat_map(|worker| &worker.slots);
        let parts: BTreeSet<u16> = slots().map(|(part, _)| *part).collect();
        let recorded = slots().map(|(_, slot)| slot.steps).min().filter(|_| parts.len() == self.core.parts.len());
        for step in (self.committed..=recorded.unwrap_or(0)).step_by(INTERVAL as usize).skip(1) {
            self.feed(Event::RecorderStored(reference(PartName::Recorder, step, self.epoch)));
        }
    }

    pub(super) fn fail(&mut self, worker: usize) {
        if let Some((part, slot)) = self.workers[worker].slots.pop_first() {
            self.workers[worker].stored.retain(|stored| stored.part != part);
            let status = ExitStatus::Panicked { step: slot.steps, message: "planted".to_owned() };
            self.message(worker, ToMaster::Exited { part, epoch: slot.epoch, status });
        }
    }

    /// The store answers in the order in which it was asked: a commit never comes after an epoch that was raised later.
    pub(super) fn store_answers(&mut self, well: bool) {
        if let Some(step) = self.committing.take() {
            if well {
                self.committed = step;
                self.feed(Event::Committed);
            } else {
                self.feed(Event::CommitFailed("no room".to_owned()));
            }
        } else if let Some(epoch) = self.raising.take() {
            self.epoch = Epoch(epoch.0 + 1);
            self.feed(Event::EpochRaised(self.epoch));
        }
    }

    pub(super) fn tick(&mut self, passed: Duration) {
        self.now += passed;
        // The connected ones give signs of life.
        for worker in 0..self.workers.len() {
            self.message(worker, ToMaster::Progress { steps: Vec::new() });
        }
        self.feed(Event::Tick);
    }

    pub(super) fn leave(&mut self, worker: usize) {
        self.message(worker, ToMaster::Leaving);
    }

    /// What a placement says that is over.
    pub(super) fn stale(&mut self, worker: usize, part: u16) {
        let part = part % self.core.plan.partitions;
        let present = self.core.parts[usize::from(part)].epoch;
        let Some(epoch) = present.0.checked_sub(1).map(Epoch) else { return };
        let look = |core: &ClusterCore| format!("{:?} {:?}", core.parts, core.commits);
        let before = look(&self.core);
        let reference = reference(PartName::Partition(part), self.committed + INTERVAL, epoch);
        let status = ExitStatus::Failed { reason: "long ago".to_owned() };
        for message in [
            ToMaster::Ready { part, epoch, steps: 3 },
            ToMaster::Stored(Stored { part, epoch, reference }),
            ToMaster::Exited { part, epoch, status },
            ToMaster::PeerSilent { part: 0, peer: part, peer_epoch: epoch },
            ToMaster::Closed { part, epoch, closing: Box::default() },
        ] {
            self.message(worker, message);
        }
        assert_eq!(look(&self.core), before, "what carries an older epoch changes nothing");
    }

    /// Faults are over: everybody connects, and the run gets on.
    pub(super) fn heal(&mut self) {
        let goal = self.committed + 3 * INTERVAL;
        // Who is about to leave ends, sooner or later.
        let leaving: BTreeSet<u64> = self.core.workers.leaving().map(|incarnation| incarnation.0).collect();
        for worker in 0..self.workers.len() {
            if leaving.contains(&self.workers[worker].incarnation) {
                self.kill(worker);
            }
        }
        for _ in 0..40 {
            for worker in 0..self.workers.len() {
                if self.workers[worker].incarnation == 0 {
                    self.begin(worker);
                }
                if self.workers[worker].session.is_none() {
                    self.join(worker);
                }
                self.ready(worker);
                self.advance(worker);
                self.store_answers(true);
            }
            self.tick(Duration::from_secs(4));
            if self.committed >= goal {
                return;
            }
        }
        panic!("the run does not get on: {:?}", self.core);
    }
}
