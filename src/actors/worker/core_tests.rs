//! A worker whose masters, connections and partitions do whatever they like.

use proptest::prelude::*;

use super::*;
use crate::persist::{ContentHash, PartId, PartName, RunName};
use crate::protocol::{FencingToken, Policy};
use crate::sim::ReportOptions;

const RUN: RunId = RunId(7);
const PARTS: u16 = 3;

fn policy(fault_tolerance: bool) -> Policy {
    Policy {
        snapshot_interval: fault_tolerance.then_some(4),
        uncommitted_steps: fault_tolerance.then_some(32),
        outlive_store: false,
        heartbeat_ms: None,
        timeout_ms: 1000,
        report: ReportOptions::default(),
    }
}

/// A partition as the worker's process has it.
#[derive(Clone, Copy, Debug)]
struct Placement {
    epoch: Epoch,
    is_built: bool,
    steps: u64,
    horizon: u64,
}

/// A worker, and what its core has told it to do.
struct Process {
    core: Core,
    connected: bool,
    welcome: bool,
    placements: BTreeMap<u16, Placement>,
    /// The newest placement that the worker was ever told to host.
    newest: BTreeMap<u16, Epoch>,
    epoch: u64,
    granted: u64,
    committed: u64,
    /// Placements that it hosted once.
    former: Vec<(u16, Epoch)>,
    ended: Option<Result<(), String>>,
}

impl Process {
    fn new() -> Self {
        let identity = Identity { name: "w".to_owned(), incarnation: 1, address: "w:1".to_owned() };
        Self {
            core: Core::new(identity),
            connected: false,
            welcome: false,
            placements: BTreeMap::new(),
            newest: BTreeMap::new(),
            epoch: 1,
            granted: 0,
            committed: 0,
            former: Vec::new(),
            ended: None,
        }
    }

    fn feed(&mut self, event: Event) -> Vec<Effect> {
        if self.ended.is_some() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        self.core.handle(event, &mut effects);
        for effect in &effects {
            self.carry_out(effect);
        }
        self.check();
        effects
    }

    fn carry_out(&mut self, effect: &Effect) {
        match effect {
            Effect::SendToMaster(message) => self.hear(message),
            Effect::Build { part, epoch, from } => {
                let steps = from.map_or(0, |from| from.id.step);
                let placement = Placement { epoch: *epoch, is_built: false, steps, horizon: 0 };
                let before = self.placements.insert(*part, placement);
                assert!(before.is_none(), "two placements of a partition live at once: {before:?} and {placement:?}");
                assert_eq!(self.newest.get(part), Some(epoch), "an older placement is built");
            }
            Effect::Drop { part, epoch } => {
                let placement = self.placements.remove(part).expect("what is dropped is there");
                assert_eq!(placement.epoch, *epoch);
                self.former.push((*part, *epoch));
            }
            Effect::Grant { part, horizon } => {
                assert!(*horizon <= self.granted, "more is granted than the present master has granted");
                for (number, placement) in &mut self.placements {
                    if part.is_none_or(|part| part == *number) && placement.is_built {
                        placement.horizon = placement.horizon.max(*horizon);
                    }
                }
            }
            Effect::End(result) => self.ended = Some(result.clone()),
            Effect::Prepare(_)
            | Effect::Routes { .. }
            | Effect::Orders { .. }
            | Effect::Look(_)
            | Effect::Finish { .. }
            | Effect::Committed { .. }
            | Effect::Link(_) => {}
        }
    }

    /// What the master hears.
    fn hear(&self, message: &ToMaster) {
        assert!(self.connected, "said to nobody: {message:?}");
        let is_present =
            |part: &u16, epoch: &Epoch| self.placements.get(part).is_some_and(|placement| placement.epoch == *epoch);
        match message {
            ToMaster::Reports { part, epoch, .. } => {
                assert!(self.welcome, "reports before it is known what the master has");
                assert!(is_present(part, epoch), "reports of a former placement: {message:?}");
            }
            ToMaster::Ready { part, epoch, .. } | ToMaster::Closed { part, epoch, .. } => {
                assert!(is_present(part, epoch), "of a former placement: {message:?}");
            }
            ToMaster::Stored(stored) => assert!(is_present(&stored.part, &stored.epoch), "{message:?}"),
            ToMaster::Join { hosted, stored, horizon, .. } => {
                assert!(
                    self.placements.values().all(|placement| placement.horizon <= *horizon),
                    "a partition may be beyond {horizon}"
                );
                let here: Vec<(u16, Epoch)> = self.placements.iter().map(|(part, l)| (*part, l.epoch)).collect();
                assert_eq!(hosted.iter().map(|h| (h.part, h.epoch)).collect::<Vec<_>>(), here);
                assert!(stored.iter().all(|stored| is_present(&stored.part, &stored.epoch)));
            }
            _ => {}
        }
    }

    /// What is kept is bounded by what is not committed, and by who is here (I7).
    fn check(&self) {
        if self.ended.is_some() {
            return;
        }
        assert_eq!(
            self.core.slots.iter().map(|(part, slot)| (*part, slot.epoch)).collect::<Vec<_>>(),
            self.placements.iter().map(|(part, placement)| (*part, placement.epoch)).collect::<Vec<_>>(),
        );
        assert!(self.core.stored.iter().all(|stored| stored.reference.id.step > self.core.committed));
        assert!(self.core.notices.iter().all(|notice| notice.at_step >= self.core.committed));
        for reports in self.core.reports.since(0) {
            let ToMaster::Reports { part, epoch, until, .. } = &**reports else { panic!("{reports:?}") };
            assert!(*until > self.core.committed && self.placements.get(part).is_some_and(|l| l.epoch == *epoch));
        }
    }

    fn connect(&mut self) {
        (self.connected, self.welcome) = (true, false);
        let steps = self.placements.iter().map(|(part, placement)| (*part, placement.steps)).collect();
        self.feed(Event::Connected(steps));
    }

    fn disconnect(&mut self) {
        (self.connected, self.welcome) = (false, false);
        self.feed(Event::Disconnected);
    }

    fn message(&mut self, message: ToWorker) {
        if self.connected && self.welcome {
            self.feed(Event::FromMaster(message));
        }
    }

    /// A master, perhaps a new one that grants less.
    fn welcome(&mut self, is_new: bool, fault_tolerance: bool) {
        if !self.connected || self.welcome {
            return;
        }
        self.welcome = true;
        if is_new {
            self.epoch += 1;
            self.granted = self.committed;
        }
        // Steps that an earlier master granted may have been committed since.
        self.granted = self.granted.max(self.committed);
        let welcome = Welcome {
            run: RUN,
            name: RunName::new("rush-hour").expect("a name"),
            epoch: Epoch(self.epoch),
            scenario: ContentHash(1),
            policy: policy(fault_tolerance),
            committed: self.committed,
            recorded: self.committed,
            horizon: self.committed,
        };
        self.feed(Event::FromMaster(ToWorker::Welcome(Box::new(welcome))));
    }

    fn host(&mut self, part: u16, epoch: Epoch) {
        if self.connected && self.welcome {
            let newest = self.newest.entry(part).or_insert(epoch);
            // A partition that is not here may be placed here in any epoch that is newer than the last.
            if !self.placements.contains_key(&part) && epoch <= *newest && self.former.contains(&(part, *newest)) {
                return;
            }
            *newest = (*newest).max(epoch);
            let id = PartId { step: self.committed, epoch, part: PartName::Partition(part), attempt: 0 };
            let from = (self.committed > 0).then(|| PartRef::new(id, b""));
            self.message(ToWorker::Host { part, epoch, from });
        }
    }

    fn step(&mut self, part: u16, steps: u64) {
        let Some(placement) = self.placements.get_mut(&part).filter(|placement| placement.is_built) else { return };
        let until = (placement.steps + steps).min(placement.horizon);
        // One that was restored may stand where a new master has not granted anything yet.
        if until <= placement.steps {
            return;
        }
        placement.steps = until;
        let token = FencingToken { run: RUN, epoch: placement.epoch };
        self.feed(Event::Reported(ReportBatch { token, part, until, reports: Vec::new() }));
    }

    fn store(&mut self, part: u16, epoch: Epoch, step: u64) {
        let id = PartId { step, epoch, part: PartName::Partition(part), attempt: 0 };
        self.feed(Event::Stored(Stored { part, epoch, reference: PartRef::new(id, b"") }));
    }

    fn commit(&mut self) {
        // All that there is has stored it.
        if let Some(step) = self.placements.values().map(|placement| placement.steps).min()
            && step > self.committed
            && self.connected
            && self.welcome
        {
            self.committed = step;
            self.message(ToWorker::Committed { step });
        }
    }

    /// While nobody was connected, a new master has found that the last commits are damaged.
    fn take_back(&mut self, steps: u64) {
        if !self.connected {
            self.committed = self.committed.saturating_sub(steps);
        }
    }

    fn exit(&mut self, part: u16, epoch: Epoch) {
        if self.placements.get(&part).is_some_and(|placement| placement.epoch == epoch) {
            self.placements.remove(&part);
            self.former.push((part, epoch));
        }
        self.feed(Event::Exited { part, epoch, status: ExitStatus::Failed { reason: "a test".to_owned() } });
    }
}

proptest! {
    #[test]
    fn one_placement_lives_at_a_time_and_nothing_is_said_of_a_former_one(
        fault_tolerance in any::<bool>(),
        actions in prop::collection::vec((0..23u8, 0..PARTS, 0..12u64), 0..300),
    ) {
        let mut process = Process::new();
        for (action, part, number) in actions {
            let present = process.placements.get(&part).copied();
            let former = process.former.get(number as usize).copied();
            match action {
                0 => process.disconnect(),
                1 | 2 if !process.connected => process.connect(),
                3 | 4 => process.welcome(number == 0, fault_tolerance),
                5 | 6 => {
                    process.epoch += u64::from(number % 2 == 0);
                    process.host(part, Epoch(process.epoch));
                }
                7 => process.host(part, Epoch(process.epoch.saturating_sub(number))),
                8 => process.message(ToWorker::Drop { part, epoch: present.map_or(Epoch(number), |placement| placement.epoch) }),
                9 | 10 => if let Some(placement) = process.placements.get_mut(&part) {
                    placement.is_built = true;
                    let Placement { epoch, steps, .. } = *placement;
                    process.feed(Event::Built { part, epoch, steps });
                },
                11 => if let Some((part, epoch)) = former {
                    process.feed(Event::Built { part, epoch, steps: number });
                    process.exit(part, epoch);
                    process.store(part, epoch, process.committed + number);
                    process.feed(Event::Closed { part, epoch, closing: Box::default() });
                    let token = FencingToken { run: RUN, epoch };
                    process.feed(Event::Reported(ReportBatch { token, part, until: number, reports: Vec::new() }));
                },
                12 => if let Some(placement) = present {
                    process.exit(part, placement.epoch);
                },
                13..16 => process.step(part, number),
                16 => if let Some(placement) = present {
                    process.store(part, placement.epoch, placement.steps);
                },
                17 => process.commit(),
                18 | 19 if process.connected && process.welcome => {
                    process.granted += number;
                    let (horizon, recorded) = (process.granted, process.committed);
                    process.message(ToWorker::Grant { horizon, recorded });
                }
                20 => {
                    let (token, at_step) = (FencingToken { run: RUN, epoch: Epoch(1) }, process.granted.max(process.committed));
                    process.message(ToWorker::Routes(RouteNotice { token, at_step, cause: crate::sim::report::RouteCause::Traffic, updates: Vec::new() }));
                }
                21 => process.take_back(number),
                22 if number == 0 && part == 0 => drop(process.feed(Event::Terminate)),
                _ => {}
            }
        }
    }
}

#[test]
fn a_worker_that_cannot_hand_over_ends_at_once_when_it_is_told_to() {
    for fault_tolerance in [true, false] {
        let mut process = Process::new();
        process.connect();
        process.welcome(true, fault_tolerance);
        process.host(0, Epoch(2));
        process.feed(Event::Terminate);
        assert_eq!(process.ended.is_some(), !fault_tolerance);
        assert!(process.ended.is_none_or(|ended| ended.is_err_and(|reason| reason.contains("cannot be moved"))));
    }
}

/// The run stood still for ever: what the worker had reported before the commit was gone with it, and so was the commit.
#[test]
fn a_worker_whose_commit_was_taken_back_gives_up_what_it_hosts() {
    let mut process = Process::new();
    process.connect();
    process.welcome(true, true);
    for (part, epoch) in [(0, Epoch(2)), (1, Epoch(2))] {
        process.host(part, epoch);
        process.placements.get_mut(&part).expect("it is hosted").is_built = true;
        process.feed(Event::Built { part, epoch, steps: 0 });
    }
    process.granted = 60;
    process.message(ToWorker::Grant { horizon: 60, recorded: 0 });
    (0..2).for_each(|part| process.step(part, 20));
    process.commit();
    assert_eq!(process.committed, 20);
    process.disconnect();
    process.take_back(10);
    process.connect();
    process.welcome(true, true);
    assert!(process.placements.is_empty() && process.former == [(0, Epoch(2)), (1, Epoch(2))]);
    // What is stored from there on is told again.
    process.host(0, Epoch(3));
    let id = PartId { step: 15, epoch: Epoch(3), part: PartName::Partition(0), attempt: 0 };
    let stored = Stored { part: 0, epoch: Epoch(3), reference: PartRef::new(id, b"") };
    let effects = process.feed(Event::Stored(stored));
    assert_eq!(effects, [Effect::SendToMaster(Arc::new(ToMaster::Stored(stored)))]);
}

#[test]
fn a_partition_that_is_built_after_a_master_was_replaced_gets_the_horizon_of_the_new_one() {
    let mut process = Process::new();
    process.connect();
    process.welcome(true, true);
    process.granted = 60;
    process.message(ToWorker::Grant { horizon: 60, recorded: 0 });
    process.disconnect();
    process.connect();
    process.welcome(true, true);
    process.host(1, Epoch(9));
    let effects = process.feed(Event::Built { part: 1, epoch: Epoch(9), steps: 0 });
    assert!(effects.contains(&Effect::Grant { part: Some(1), horizon: 0 }), "{effects:?}");
}
