//! The lease with its fencing token: the program's own [`RunState`], and masters that pause, give calls up that happen all the
//! same later, and go on after another one has taken over.

use std::collections::BTreeMap;
use std::time::Duration;

use stateright::{Checker, Model, Property};
use tessds::persist::{CommitDecision, ContentHash, Manifest, RunState};
use tessds::protocol::Epoch;

use super::{Explored, explore};

/// Clock ticks for which a lease is given.
const TTL: u64 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// The store does not look at the epoch of a commit.
    UnfencedCommit,
    /// Who takes the lease gets the epoch of the one before.
    TokenNotRaised,
    /// The store gives a lease out that is alive.
    LeaseNotKept,
}

/// How much may happen.
struct Leases {
    ticks: u64,
    /// Calls that each master makes.
    calls: u8,
    bug: Bug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Call {
    Acquire,
    Renew(Epoch),
    Raise(Epoch),
    Commit(Epoch, u64),
    Release(Epoch),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Master {
    /// The epoch that it believes in; after a raise that was given up it does not know.
    epoch: Option<Epoch>,
    /// The step that it takes for the last committed one.
    committed: u64,
    /// A call that it waits for.
    waiting: Option<Call>,
    /// Calls that it has given up, and which may still happen.
    given_up: Vec<Call>,
    calls: u8,
    /// It was fenced off, and ends.
    has_ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    now: u64,
    store: RunState,
    masters: [Master; 2],
    /// Who was given each epoch.
    owners: BTreeMap<Epoch, usize>,
    /// Commits, and the epochs in which they were made.
    commits: Vec<(u64, Epoch)>,
    refused: bool,
    late: bool,
    fault: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// Time passes for all; a master that does nothing meanwhile is one that was stopped.
    Tick,
    Make(usize, Call),
    /// The store does what it was asked for, and the master hears of it.
    Happen(usize),
    /// No answer in time.
    GiveUp(usize),
    HappenLate(usize, usize),
}

impl Leases {
    /// Does a call in the store. `None`: it is refused.
    fn happen(&self, world: &mut World, who: usize, call: Call) -> Option<Epoch> {
        let (ttl, holder) = (Duration::from_millis(TTL), ["north", "south"][who]);
        let before = world.store.clone();
        let done = match call {
            Call::Acquire => {
                let mut asked = before.clone();
                if self.bug == Bug::LeaseNotKept {
                    asked.lease = None;
                }
                asked.acquire(holder, world.now, ttl).map(|after| match self.bug {
                    Bug::TokenNotRaised if before.epoch > Epoch(0) => RunState { epoch: before.epoch, ..after },
                    _ => after,
                })
            }
            Call::Renew(epoch) => before.renew(holder, epoch, world.now, ttl),
            Call::Raise(epoch) => before.raise_epoch(epoch),
            Call::Release(epoch) => before.release(epoch),
            Call::Commit(epoch, step) => {
                let epoch = if self.bug == Bug::UnfencedCommit { before.epoch } else { epoch };
                let manifest = Manifest { step, epoch, scenario: ContentHash(0), parts: Vec::new(), created_ms: 0 };
                before.commit(&manifest, None, None).map(|decision| match decision {
                    CommitDecision::Advance(after) => after,
                    CommitDecision::Already => before.clone(),
                })
            }
        };
        let Ok(after) = done else {
            world.refused |= !matches!(call, Call::Acquire);
            return None;
        };
        let owner = world.owners.get(&before.epoch).copied();
        match call {
            Call::Acquire => {
                if before.alive(world.now).is_some_and(|(by, _)| by != holder) {
                    world.fault = Some("a lease was taken that is alive");
                }
            }
            _ if owner != Some(who) => world.fault = Some("who does not drive the run changed it"),
            Call::Renew(epoch) | Call::Raise(epoch) | Call::Release(epoch) | Call::Commit(epoch, _) => {
                if epoch != before.epoch {
                    world.fault = Some("a stale epoch changed the run");
                }
            }
        }
        if after.epoch != before.epoch || call == Call::Acquire {
            let had = world.owners.insert(after.epoch, who);
            if had.is_some() {
                world.fault = Some("an epoch was given out twice");
            }
        }
        if after.committed != before.committed
            && let Call::Commit(epoch, step) = call
        {
            if world.commits.last().is_some_and(|(last, by)| *last >= step || *by > epoch) {
                world.fault = Some("commits do not advance");
            }
            world.commits.push((step, epoch));
        }
        world.store = after;
        Some(world.store.epoch)
    }
}

impl Model for Leases {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let master = Master {
            epoch: None,
            committed: 0,
            waiting: None,
            given_up: Vec::new(),
            calls: self.calls,
            has_ended: false,
        };
        vec![World {
            now: 0,
            store: RunState::default(),
            masters: [master.clone(), master],
            owners: BTreeMap::new(),
            commits: Vec::new(),
            refused: false,
            late: false,
            fault: None,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.fault.is_some() {
            return;
        }
        if world.now < self.ticks {
            actions.push(Action::Tick);
        }
        for (who, master) in world.masters.iter().enumerate() {
            actions.extend((0..master.given_up.len()).map(|call| Action::HappenLate(who, call)));
            if master.waiting.is_some() {
                actions.extend([Action::Happen(who), Action::GiveUp(who)]);
            } else if master.calls > 0 && !master.has_ended {
                match master.epoch {
                    None => actions.push(Action::Make(who, Call::Acquire)),
                    Some(epoch) => actions.extend(
                        [
                            Call::Renew(epoch),
                            Call::Raise(epoch),
                            Call::Commit(epoch, master.committed + 1),
                            Call::Release(epoch),
                        ]
                        .map(|call| Action::Make(who, call)),
                    ),
                }
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Tick => next.now += 1,
            Action::Make(who, call) => {
                next.masters[who].waiting = Some(call);
                next.masters[who].calls -= 1;
            }
            Action::Happen(who) => {
                let call = next.masters[who].waiting.take()?;
                let epoch = self.happen(&mut next, who, call);
                let committed = next.store.committed.unwrap_or(0);
                let master = &mut next.masters[who];
                match (call, epoch) {
                    // It reads where the run stands.
                    (Call::Acquire, Some(epoch)) => (master.epoch, master.committed) = (Some(epoch), committed),
                    (Call::Acquire, None) => {}
                    (Call::Release(_), Some(_)) | (_, None) => master.has_ended = true,
                    (Call::Commit(_, step), Some(_)) => master.committed = step,
                    (Call::Renew(_) | Call::Raise(_), Some(epoch)) => master.epoch = Some(epoch),
                }
            }
            Action::GiveUp(who) => {
                let master = &mut next.masters[who];
                let call = master.waiting.take()?;
                master.given_up.push(call);
                master.given_up.sort();
                // Taking the own lease again raises the epoch for certain.
                if matches!(call, Call::Raise(_)) {
                    master.epoch = None;
                }
            }
            Action::HappenLate(who, call) => {
                let call = next.masters[who].given_up.remove(call);
                next.late |= self.happen(&mut next, who, call).is_some() && matches!(call, Call::Commit(..));
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("only who has the newest epoch changes anything", |_, world: &World| {
                world.fault.is_none()
            }),
            Property::sometimes("a stale writer is refused", |_, world: &World| world.refused),
            Property::sometimes("a commit that was given up is made later", |_, world: &World| world.late),
            Property::sometimes("both masters commit, one after the other", |_, world: &World| {
                let by = |epoch: &Epoch| world.owners.get(epoch).copied();
                world.commits.windows(2).any(|two| by(&two[0].1) != by(&two[1].1))
            }),
            Property::sometimes("a master acts on after another one has taken over", |_, world: &World| {
                world.masters.iter().all(|master| master.epoch.is_some() && master.waiting.is_some())
            }),
        ]
    }
}

const BOUNDS: Leases = Leases { ticks: 3, calls: 3, bug: Bug::None };

#[test]
fn a_master_that_was_replaced_changes_nothing_however_late_its_calls_come() {
    let Explored { missing, broken, paths } = explore("lease", BOUNDS);
    assert_eq!((missing, broken), (vec![], vec![]), "{paths}");
}

#[test]
fn planted_bugs_of_the_lease_are_found() {
    for bug in [Bug::UnfencedCommit, Bug::TokenNotRaised, Bug::LeaseNotKept] {
        let checker = Leases { bug, ..BOUNDS }.checker().spawn_bfs().join();
        assert!(checker.discovery("only who has the newest epoch changes anything").is_some(), "{bug:?} is not found");
    }
}
