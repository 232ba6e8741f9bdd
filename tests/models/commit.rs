//! Snapshots, commits and recovery: the program's own [`Commits`], [`RunState`] and sweep; partitions that step together, are
//! lost and come back; a store connection that does one thing after the other and may not say that it did. Every step is a
//! snapshot here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stateright::{Checker, Model, Property};
use tessds::actors::master::{Commits, Complete};
use tessds::persist::{CommitDecision, ContentHash, Manifest, PartId, PartName, PartRef, RunState, plan_sweep};
use tessds::protocol::Epoch;

use super::{Explored, explore};

const PARTS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// What a lost partition had stored goes on counting.
    LossForgotten,
    /// A commit of which it is not known whether it was made counts as not made.
    DoubtfulCommitDropped,
    /// A part that the store did not take is not tried again.
    PartDropped,
    /// Commits are made under the present epoch, not under the one in which they were decided.
    Unfenced,
}

/// How much may happen.
struct Commitment {
    goal: u64,
    losses: u8,
    /// Calls that the store does not answer.
    failures: u8,
    /// Another master may take the lease; the first one does not hear of it before it is refused.
    takeover: bool,
    bug: Bug,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Lost,
    Loading(Option<PartRef>),
    At(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Part {
    epoch: Epoch,
    stage: Stage,
    /// Frames of steps before this one it cannot send any more.
    floor: u64,
    /// Most steps that it ever had done.
    shown: u64,
    /// Steps whose state is to be stored, and the epochs in which they were done.
    uploads: VecDeque<(Epoch, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Order {
    SaveRecorder(Epoch, u64),
    Commit(Epoch, Complete),
    Raise(Epoch),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Answer {
    RecorderStored(PartRef),
    Committed,
    NotCommitted,
    Raised(Epoch),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    store: RunState,
    manifests: BTreeMap<u64, Manifest>,
    objects: BTreeSet<PartId>,
    commits: Commits,
    epoch: Epoch,
    raising: bool,
    /// Steps that are recorded.
    recorded: u64,
    parts: [Part; PARTS],
    orders: VecDeque<Order>,
    answers: VecDeque<Answer>,
    /// On their way to the master, in any order.
    stored: BTreeSet<PartRef>,
    losses: u8,
    failures: u8,
    /// The epoch of a second master, and whether the first one has ended.
    other: Option<Epoch>,
    is_fenced: bool,
    /// A partition replays while a commit comes that was decided before it was lost.
    overtaken: bool,
    fault: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Step(usize),
    Load(usize),
    Upload(usize),
    UploadFails(usize),
    HearStored(PartRef),
    /// The store does the first order.
    Keep,
    /// It does it, and nobody hears of it.
    KeepUnheard,
    HearAnswer,
    /// A partition hears of the newest commit, and cuts its logs.
    TellCommit(usize),
    Lose(usize),
    TakeOver,
}

impl World {
    /// What the master does after every event.
    fn settle(&mut self) {
        if !self.raising
            && let Some(complete) = self.commits.take_next()
        {
            self.orders.push_back(Order::Commit(self.epoch, complete));
        }
        if !self.raising && self.parts.iter().any(|part| part.stage == Stage::Lost) {
            self.raising = true;
            self.orders.push_back(Order::Raise(self.epoch));
        }
    }

    fn part_number(reference: &PartRef) -> Option<usize> {
        match reference.id.part {
            PartName::Partition(part) => Some(usize::from(part)),
            PartName::Recorder | PartName::Master => None,
        }
    }

    fn put(&mut self, part: PartName, epoch: Epoch, step: u64) -> PartRef {
        let id = PartId { step, epoch, part, attempt: 0 };
        self.objects.insert(id);
        PartRef::new(id, b"")
    }

    /// A store of which the newest commit alone is kept: the least that is promised.
    fn sweep(&mut self) {
        let manifests: Vec<Manifest> = self.manifests.values().rev().cloned().collect();
        let plan = plan_sweep(&manifests, self.objects.iter().copied(), 1);
        self.manifests.retain(|step, _| !plan.commits.contains(step));
        for id in &plan.parts {
            self.objects.remove(id);
        }
    }
}

impl Commitment {
    /// Gives what the store answers; `None`: it refuses, for another master has taken over.
    fn keep(&self, world: &mut World, order: &Order) -> Option<Answer> {
        match order {
            Order::SaveRecorder(epoch, step) => {
                if world.store.fence(*epoch).is_ok() {
                    world.sweep();
                }
                Some(Answer::RecorderStored(world.put(PartName::Recorder, *epoch, *step)))
            }
            Order::Commit(epoch, complete) => {
                let epoch = if self.bug == Bug::Unfenced { world.store.epoch } else { *epoch };
                let mut parts = complete.parts.clone();
                parts.push(complete.recorder);
                let manifest = Manifest { step: complete.step, epoch, scenario: ContentHash(0), parts, created_ms: 0 };
                match world.store.commit(&manifest, None, world.manifests.get(&manifest.step)) {
                    Ok(CommitDecision::Already) => {}
                    Ok(CommitDecision::Advance(after)) => {
                        if manifest.parts.iter().any(|part| !world.objects.contains(&part.id)) {
                            world.fault = Some("a commit names a part that is not there");
                        }
                        world.store = after;
                        world.manifests.insert(manifest.step, manifest);
                        if world.other.is_some() {
                            world.fault = Some("a master that was replaced has committed");
                        }
                    }
                    Err(_) => return None,
                }
                Some(Answer::Committed)
            }
            Order::Raise(epoch) => {
                world.store = world.store.raise_epoch(*epoch).ok()?;
                Some(Answer::Raised(world.store.epoch))
            }
        }
    }

    fn hear(&self, world: &mut World, answer: Answer) {
        match answer {
            Answer::RecorderStored(reference) => world.commits.recorder_stored(PARTS, reference),
            Answer::Committed => {
                world.overtaken |= world.parts.iter().any(|part| !matches!(part.stage, Stage::At(_)));
                world.commits.done();
            }
            Answer::NotCommitted => world.commits.failed(),
            Answer::Raised(epoch) => {
                (world.epoch, world.raising) = (epoch, false);
                for (number, part) in world.parts.iter_mut().enumerate() {
                    if part.stage == Stage::Lost {
                        part.epoch = epoch;
                        part.stage = Stage::Loading(world.commits.part(number as u16));
                    }
                }
            }
        }
        world.settle();
    }

    fn load(&self, world: &mut World, number: usize) {
        let Stage::Loading(from) = world.parts[number].stage else { return };
        if let Some(from) = from {
            if !world.objects.contains(&from.id) {
                world.fault = Some("what a recovering partition goes on from is gone");
            }
            if !world.manifests.values().any(|manifest| manifest.parts.contains(&from)) {
                world.fault = Some("what is not committed was read");
            }
        }
        let step = from.map_or(0, |from| from.id.step);
        world.parts[number].stage = Stage::At(step);
        world.parts[number].floor = step;
    }
}

impl Model for Commitment {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let epoch = Epoch(1);
        let part = Part { epoch, stage: Stage::At(1), floor: 1, shown: 1, uploads: VecDeque::new() };
        // One step is committed, so there is something to lose.
        let id = |part| PartId { step: 1, epoch, part, attempt: 0 };
        let objects: Vec<PartId> =
            (0..PARTS as u16).map(PartName::Partition).chain([PartName::Recorder]).map(id).collect();
        let parts: Vec<PartRef> = objects.iter().map(|id| PartRef::new(*id, b"")).collect();
        let manifest = Manifest { step: 1, epoch, scenario: ContentHash(0), parts: parts.clone(), created_ms: 0 };
        vec![World {
            store: RunState { epoch, committed: Some(1), lease: None },
            manifests: BTreeMap::from([(1, manifest)]),
            objects: objects.into_iter().collect(),
            commits: Commits::new(1, Some(parts[..PARTS].to_vec())),
            epoch,
            raising: false,
            recorded: 1,
            parts: [part.clone(), part],
            orders: VecDeque::new(),
            answers: VecDeque::new(),
            stored: BTreeSet::new(),
            losses: self.losses,
            failures: self.failures,
            other: None,
            is_fenced: false,
            overtaken: false,
            fault: None,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.fault.is_some() || world.is_fenced {
            return;
        }
        for (number, part) in world.parts.iter().enumerate() {
            match part.stage {
                Stage::At(at) => {
                    let has_frames = world.parts.iter().all(|other| other.shown >= at);
                    if at < self.goal && has_frames {
                        actions.push(Action::Step(number));
                    }
                }
                Stage::Loading(_) => actions.push(Action::Load(number)),
                Stage::Lost => {}
            }
            if !part.uploads.is_empty() {
                actions.push(Action::Upload(number));
                if world.failures > 0 && self.bug == Bug::PartDropped {
                    actions.push(Action::UploadFails(number));
                }
            }
            if part.floor < world.commits.committed() && matches!(part.stage, Stage::At(_)) {
                actions.push(Action::TellCommit(number));
            }
            if world.losses > 0 && part.stage != Stage::Lost {
                actions.push(Action::Lose(number));
            }
        }
        // What one partition says comes in order.
        for number in 0..PARTS {
            let first = world.stored.iter().filter(|stored| World::part_number(stored) == Some(number));
            actions
                .extend(first.min_by_key(|stored| (stored.id.epoch, stored.id.step)).map(|s| Action::HearStored(*s)));
        }
        if let Some(order) = world.orders.front() {
            actions.push(Action::Keep);
            if world.failures > 0 && matches!(order, Order::Commit(..)) {
                actions.push(Action::KeepUnheard);
            }
        }
        if !world.answers.is_empty() {
            actions.push(Action::HearAnswer);
        }
        if self.takeover && world.other.is_none() {
            actions.push(Action::TakeOver);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Step(number) => {
                let part = &mut next.parts[number];
                let Stage::At(at) = &mut part.stage else { return None };
                *at += 1;
                part.shown = part.shown.max(*at);
                part.uploads.push_back((part.epoch, *at));
                if next.parts.iter().all(|part| part.shown > next.recorded) {
                    next.recorded += 1;
                    next.orders.push_back(Order::SaveRecorder(next.epoch, next.recorded));
                }
            }
            Action::Load(number) => self.load(&mut next, number),
            Action::Upload(number) => {
                let (epoch, step) = next.parts[number].uploads.pop_front()?;
                let reference = next.put(PartName::Partition(number as u16), epoch, step);
                next.stored.insert(reference);
            }
            Action::UploadFails(number) => {
                next.failures -= 1;
                next.parts[number].uploads.pop_front()?;
            }
            Action::HearStored(reference) => {
                next.stored.remove(&reference);
                let number = World::part_number(&reference)?;
                let part = &next.parts[number];
                if part.epoch == reference.id.epoch && part.stage != Stage::Lost {
                    next.commits.stored(number as u16, PARTS, reference);
                }
                next.settle();
            }
            Action::Keep => {
                let order = next.orders.pop_front()?;
                match self.keep(&mut next, &order) {
                    Some(answer) => next.answers.push_back(answer),
                    None => next.is_fenced = true,
                }
            }
            Action::KeepUnheard => {
                next.failures -= 1;
                let order = next.orders.front()?.clone();
                next.is_fenced = self.keep(&mut next, &order).is_none();
                // The call is made again until it is known what came of it.
                if self.bug == Bug::DoubtfulCommitDropped {
                    next.orders.pop_front();
                    next.answers.push_back(Answer::NotCommitted);
                }
            }
            Action::HearAnswer => {
                let answer = next.answers.pop_front()?;
                self.hear(&mut next, answer);
            }
            Action::TellCommit(number) => next.parts[number].floor = next.commits.committed(),
            Action::Lose(number) => {
                next.losses -= 1;
                next.parts[number].stage = Stage::Lost;
                if self.bug != Bug::LossForgotten {
                    next.commits.lost(number as u16);
                }
                next.settle();
            }
            Action::TakeOver => {
                next.store.epoch = Epoch(next.store.epoch.0 + 1);
                next.other = Some(next.store.epoch);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("only what is committed is read, and it is there", |_, world: &World| {
                world.fault.is_none()
            }),
            Property::always("neighbours keep what a recovering partition has to be sent", |_, world: &World| {
                let needs = |part: &Part| match part.stage {
                    Stage::At(at) => Some(at),
                    Stage::Loading(from) => Some(from.map_or(0, |from| from.id.step)),
                    Stage::Lost => None,
                };
                let lowest = world.parts.iter().filter_map(needs).min().unwrap_or(u64::MAX);
                world.parts.iter().all(|part| part.stage == Stage::Lost || part.floor <= lowest)
            }),
            // Everything that happens uses something up, so there are no cycles and this is sound.
            Property::eventually(
                "the last snapshot is committed, or another master drives the run",
                |model: &Self, world: &World| world.store.committed == Some(model.goal) || world.other.is_some(),
            ),
            Property::sometimes("a commit comes while a partition is not back", |_, world: &World| world.overtaken),
            Property::sometimes("a partition goes on from a commit", |_, world: &World| {
                world.parts.iter().any(|part| matches!(part.stage, Stage::Loading(Some(_))))
            }),
            Property::sometimes("a master that was replaced is refused", |_, world: &World| world.is_fenced),
        ]
    }
}

const LOSSES: Commitment = Commitment { goal: 3, losses: 2, failures: 0, takeover: false, bug: Bug::None };
const FAILURES: Commitment = Commitment { goal: 3, losses: 1, failures: 1, takeover: false, bug: Bug::None };
const TAKEOVER: Commitment = Commitment { goal: 2, losses: 1, failures: 1, takeover: true, bug: Bug::None };

#[test]
fn a_commit_never_takes_what_a_recovering_partition_needs() {
    for (name, model) in [("commit, losses", LOSSES), ("commit, failures", FAILURES)] {
        let Explored { missing, broken, paths } = explore(name, model);
        assert_eq!(missing, ["a master that was replaced is refused"], "nobody takes over here");
        assert_eq!(broken, [""; 0], "{paths}");
    }
}

#[test]
fn a_master_that_was_replaced_commits_nothing() {
    let Explored { missing, broken, paths } = explore("commit, takeover", TAKEOVER);
    assert_eq!((missing, broken), (vec![], vec![]), "{paths}");
}

#[test]
fn planted_bugs_of_commits_are_found() {
    let read = "only what is committed is read, and it is there";
    let kept = "neighbours keep what a recovering partition has to be sent";
    let end = "the last snapshot is committed, or another master drives the run";
    for (bug, model, property) in [
        (Bug::LossForgotten, LOSSES, kept),
        (Bug::DoubtfulCommitDropped, FAILURES, read),
        (Bug::PartDropped, FAILURES, end),
        (Bug::Unfenced, TAKEOVER, read),
    ] {
        let checker = Commitment { bug, ..model }.checker().spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "{bug:?} is not found");
    }
}
