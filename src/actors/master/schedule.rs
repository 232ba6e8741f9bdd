//! Commands that change the run: each is given the first step that is not granted yet, goes into the command log, is told to
//! the recorder and to the partitions that it concerns, and is answered then (I6). Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::instruction::Ticket;
use crate::control::NameResolver;
use crate::graph::edit::Edit;
use crate::protocol::{Epoch, FencingToken, OrderNotice, RunId};
use crate::sim::Order;

/// Commands that may be under way to the log at once (I7).
pub const MAX_UNDER_WAY: usize = 32;

/// One entry of the command log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoggedCommand {
    /// The first step that is computed with it.
    pub at_step: u64,
    pub act: LoggedAction,
    /// The command as it was given, JSON.
    pub text: String,
    /// Its place in the file of timed commands.
    pub timed: Option<u32>,
}

impl LoggedCommand {
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("names and numbers can always be written")
    }

    /// # Errors
    /// The bytes are damaged, or of another version of the program.
    pub fn decode(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        rmp_serde::from_slice(bytes)
    }

    pub fn is_edit(&self) -> bool {
        matches!(self.act, LoggedAction::Edit(_))
    }

    /// Adds the names that it introduced to a resolver.
    pub fn learn(&self, names: &mut NameResolver) {
        if let LoggedAction::Change(orders) = &self.act {
            names.learn(orders);
        }
    }

    /// With the partitions that it concerns.
    pub fn told(self, number: u64, names: &NameResolver) -> ScheduledCommand {
        let parts = match &self.act {
            LoggedAction::Change(orders) => names.parts(orders),
            LoggedAction::Snapshot | LoggedAction::Edit(_) => names.all_parts(),
            LoggedAction::Stop => Vec::new(),
        };
        ScheduledCommand { number, entry: self, parts }
    }
}

/// What a logged command does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LoggedAction {
    Change(Vec<Order>),
    /// Ends the run before the step.
    Stop,
    /// Takes a snapshot before the step.
    Snapshot,
    /// Changes the structure of the network before the step: the run goes on from a snapshot of it in another world.
    Edit(Vec<Edit>),
}

/// An entry that is to be told, with the partitions that it concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledCommand {
    pub number: u64,
    pub entry: LoggedCommand,
    pub parts: Vec<u16>,
}

impl ScheduledCommand {
    /// What partitions and recorder are told of it; `None`: they need not know.
    pub fn notice(&self, run: RunId, epoch: Epoch) -> Option<OrderNotice> {
        let (orders, snapshot) = match &self.entry.act {
            LoggedAction::Change(orders) => (orders.clone(), false),
            LoggedAction::Snapshot | LoggedAction::Edit(_) => (Vec::new(), true),
            LoggedAction::Stop => return None,
        };
        let (token, number, at_step) = (FencingToken { run, epoch }, self.number, self.entry.at_step);
        Some(OrderNotice { token, number, at_step, orders, snapshot })
    }
}

#[derive(Debug)]
struct UnderWay {
    told: ScheduledCommand,
    ticket: Ticket,
    logged: bool,
}

/// All commands of a run that still matter.
#[derive(Debug, Default)]
pub struct Schedule {
    /// Number of the next entry.
    next: u64,
    /// On their way to log and recorder, oldest first.
    under_way: VecDeque<UnderWay>,
    /// Those that a partition needs which goes back to the last commit, by number.
    standing: BTreeMap<u64, ScheduledCommand>,
    /// Steps with commands: the step after is granted when they are recorded, for the recorder may find routes that hold from
    /// there on.
    awaited: BTreeSet<u64>,
    /// Orders that were sent, by partition.
    sent: BTreeMap<u16, u64>,
    done: u64,
    /// Steps of the timed commands that are not given yet, with their places in the file, ascending.
    timed: VecDeque<(u64, u32)>,
    /// The first of them is being given.
    giving: bool,
    /// Step before which the network is edited. Nothing else is taken in until then, for it would name what is not there any
    /// more, or not yet.
    edit: Option<u64>,
}

impl Schedule {
    /// Of a run that goes on after `committed` steps: all entries of its log, and the steps of all timed commands. `edits` of
    /// the entries are in the network already: what was logged before the last of them is past, and what was logged after the
    /// next one is for a network that is yet to be made.
    pub fn resumed(log: Vec<ScheduledCommand>, edits: u32, committed: u64, timed: &[u64]) -> Self {
        let given = |place: u32| log.iter().any(|told| told.entry.timed == Some(place));
        let mut left: Vec<(u64, u32)> = timed.iter().copied().zip(0..).filter(|(_, place)| !given(*place)).collect();
        left.sort_unstable();
        let mut schedule = Self { next: log.len() as u64, timed: left.into(), ..Self::default() };
        for told in of_network(log, edits).into_iter().filter(|told| told.entry.at_step >= committed) {
            if told.entry.is_edit() {
                schedule.edit = Some(told.entry.at_step);
            }
            schedule.awaited.insert(told.entry.at_step);
            schedule.standing.insert(told.number, told);
        }
        schedule
    }

    /// The timed command that is to be given now: all steps before it are granted, and none beyond.
    pub fn due(&mut self, granted: u64) -> Option<u32> {
        let (step, place) = *self.timed.front()?;
        if step > granted || self.giving || self.edit.is_some() {
            return None;
        }
        self.giving = true;
        Some(place)
    }

    /// A timed command is taken in, or cannot be given.
    pub fn given(&mut self) {
        self.giving = false;
        self.timed.pop_front();
    }

    /// Takes a command in, to be logged. `None`: too many are under way.
    pub fn take(&mut self, mut entry: LoggedCommand, parts: Vec<u16>, ticket: Ticket) -> Option<&ScheduledCommand> {
        if entry.timed.is_some() {
            entry.at_step = entry.at_step.max(self.timed.front().map_or(0, |(step, _)| *step));
            self.given();
        } else if self.under_way.len() >= MAX_UNDER_WAY {
            return None;
        }
        if entry.is_edit() {
            // What was ordered for a step is done with the network that was then.
            let standing = self.standing.values().chain(self.under_way.iter().map(|entry| &entry.told));
            let last = standing.filter(|told| !told.entry.is_edit()).map(|told| told.entry.at_step + 1).max();
            entry.at_step = entry.at_step.max(last.unwrap_or(0));
            self.edit = Some(entry.at_step);
        }
        let told = ScheduledCommand { number: self.next, entry, parts };
        self.next += 1;
        self.under_way.push_back(UnderWay { told, ticket, logged: false });
        self.under_way.back().map(|under_way| &under_way.told)
    }

    /// An entry is in the log: it is told to the recorder next.
    pub fn logged(&mut self, number: u64) -> Option<&ScheduledCommand> {
        let entry = self.under_way.iter_mut().find(|entry| entry.told.number == number && !entry.logged)?;
        entry.logged = true;
        Some(&entry.told)
    }

    /// The recorder knows of an entry: it holds, and is told to the partitions.
    pub fn known(&mut self, number: u64) -> Option<(ScheduledCommand, Ticket)> {
        let at = self.under_way.iter().position(|entry| entry.told.number == number && entry.logged)?;
        let UnderWay { told, ticket, .. } = self.under_way.remove(at)?;
        self.awaited.insert(told.entry.at_step);
        self.standing.insert(number, told.clone());
        self.done += 1;
        Some((told, ticket))
    }

    /// The network is going to be edited.
    pub fn is_editing(&self) -> bool {
        self.edit.is_some()
    }

    /// The run has got to the step at which the network is edited, and can go on from a commit of it.
    pub fn edit_is_due(&self, committed: u64) -> bool {
        let is_known = |step: u64| self.under_way.iter().all(|entry| entry.told.entry.at_step != step);
        self.edit.is_some_and(|step| committed >= step && is_known(step))
    }

    /// Counts what was sent.
    pub fn sent(&mut self, parts: &[u16], orders: usize) {
        parts.iter().for_each(|part| *self.sent.entry(*part).or_default() += orders as u64);
    }

    pub fn sent_to(&self, part: u16) -> u64 {
        self.sent.get(&part).copied().unwrap_or(0)
    }

    /// Commands that have been carried out.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Entries that matter to who goes back to the last commit.
    pub fn standing(&self) -> impl Iterator<Item = &ScheduledCommand> {
        self.standing.values()
    }

    pub fn committed(&mut self, step: u64) {
        self.standing.retain(|_, told| told.entry.at_step >= step);
    }

    /// Steps that may be granted, when `recorded` are recorded.
    pub fn limit(&mut self, recorded: u64) -> u64 {
        self.awaited.retain(|step| *step >= recorded);
        let awaited = self.awaited.first().map_or(u64::MAX, |step| step + 1);
        let under_way = self.under_way.iter().map(|entry| entry.told.entry.at_step).min();
        // The next timed command is for the edited network, and comes there, also when the edit had to give way to orders for its step.
        let next = self.edit.or(self.timed.front().map(|(step, _)| *step));
        awaited.min(under_way.unwrap_or(u64::MAX)).min(next.unwrap_or(u64::MAX))
    }
}

/// Entries that were logged for the network that holds so many edits of the log, and the edit that ends it.
pub fn of_network(log: Vec<ScheduledCommand>, edits: u32) -> Vec<ScheduledCommand> {
    let mut before = 0;
    let is_of_it = |told: &ScheduledCommand| {
        let is_here = before == edits;
        before += u32::from(told.entry.is_edit());
        is_here
    };
    log.into_iter().filter(is_of_it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(schedule: &mut Schedule, at_step: u64) -> u64 {
        let entry = LoggedCommand { at_step, act: LoggedAction::Snapshot, text: String::new(), timed: None };
        schedule.take(entry, vec![0], Ticket(7)).expect("room").number
    }

    #[test]
    fn a_timed_command_is_given_when_its_step_is_the_next_to_be_granted() {
        let mut schedule = Schedule::resumed(Vec::new(), 0, 0, &[30, 10]);
        assert_eq!((schedule.limit(0), schedule.due(9)), (10, None));
        assert_eq!((schedule.due(10), schedule.due(10)), (Some(1), None), "once");
        let entry = LoggedCommand { at_step: 10, act: LoggedAction::Stop, text: String::new(), timed: Some(1) };
        let number = schedule.take(entry, Vec::new(), Ticket(0)).expect("room").number;
        assert_eq!(schedule.limit(4), 10, "not logged");
        schedule.logged(number);
        schedule.known(number);
        assert_eq!((schedule.limit(10), schedule.limit(11), schedule.due(11)), (11, 30, None));
    }

    #[test]
    fn a_command_holds_its_step_until_log_and_recorder_have_it() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.limit(0), u64::MAX);
        let number = take(&mut schedule, 20);
        assert_eq!(schedule.limit(12), 20, "not logged");
        assert!(schedule.known(number).is_none(), "not logged, so nobody can know of it");
        assert!(schedule.logged(number).is_some() && schedule.logged(number).is_none());
        assert_eq!(schedule.limit(12), 20, "the recorder does not know");
        let (told, ticket) = schedule.known(number).expect("it is logged");
        assert_eq!((told.entry.at_step, ticket), (20, Ticket(7)));
        assert_eq!(schedule.limit(20), 21, "the step itself, and what it brings about");
        assert_eq!(schedule.limit(21), u64::MAX);
    }

    #[test]
    fn what_is_committed_is_not_told_again() {
        let mut schedule = Schedule::default();
        for at_step in [4, 9, 12] {
            let number = take(&mut schedule, at_step);
            schedule.logged(number);
            schedule.known(number);
        }
        schedule.committed(9);
        let left: Vec<u64> = schedule.standing().map(|told| told.entry.at_step).collect();
        assert_eq!(left, [9, 12], "orders for the step after a commit come after it");
        let log: Vec<ScheduledCommand> = (0..3)
            .map(|number| ScheduledCommand {
                number,
                entry: LoggedCommand { at_step: 5 * number, act: LoggedAction::Stop, text: String::new(), timed: None },
                parts: Vec::new(),
            })
            .collect();
        let mut resumed = Schedule::resumed(log, 0, 5, &[]);
        assert_eq!((resumed.next, resumed.limit(5)), (3, 6));
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let mut schedule = Schedule::default();
        for _ in 0..MAX_UNDER_WAY {
            take(&mut schedule, 1);
        }
        let entry = LoggedCommand { at_step: 1, act: LoggedAction::Stop, text: String::new(), timed: None };
        assert!(schedule.take(entry, Vec::new(), Ticket(1)).is_none());
    }

    fn edit(step: u64) -> LoggedCommand {
        LoggedCommand { at_step: step, act: LoggedAction::Edit(Vec::new()), text: String::new(), timed: None }
    }

    #[test]
    fn an_edit_comes_after_what_was_ordered_and_holds_the_run_until_its_step_is_committed() {
        let mut schedule = Schedule::default();
        let order = take(&mut schedule, 20);
        schedule.logged(order);
        schedule.known(order);
        let number = {
            let told = schedule.take(edit(20), vec![0], Ticket(8)).expect("room");
            assert_eq!(told.entry.at_step, 21, "the order of step 20 is of the old network");
            told.number
        };
        assert!(schedule.is_editing() && !schedule.edit_is_due(21), "it is not logged");
        schedule.logged(number);
        schedule.known(number);
        assert_eq!((schedule.limit(21), schedule.limit(30)), (21, 21), "nothing is granted beyond");
        assert!(!schedule.edit_is_due(20) && schedule.edit_is_due(21));
    }

    /// The run stood still for ever: the edit waited for its step to be done, and that for the command after it (simulated seed 374).
    #[test]
    fn an_edit_that_gives_way_to_an_order_of_its_step_does_not_wait_for_the_commands_after_it() {
        let mut schedule = Schedule::resumed(Vec::new(), 0, 0, &[20, 20, 20]);
        for (act, at_step) in [(LoggedAction::Snapshot, 20), (LoggedAction::Edit(Vec::new()), 21)] {
            let place = schedule.due(20);
            let entry = LoggedCommand { at_step: 20, act, text: String::new(), timed: place };
            let told = schedule.take(entry, vec![0], Ticket(1)).expect("room").clone();
            assert_eq!(told.entry.at_step, at_step);
            schedule.logged(told.number);
            schedule.known(told.number);
        }
        assert_eq!((schedule.limit(20), schedule.due(21)), (21, None), "the last one is for the edited network");
    }

    #[test]
    fn only_what_was_logged_for_the_present_network_is_told_again() {
        let acts = [
            (4, LoggedAction::Snapshot),
            (7, LoggedAction::Edit(Vec::new())),
            (7, LoggedAction::Snapshot),
            (9, LoggedAction::Edit(Vec::new())),
            (9, LoggedAction::Stop),
        ];
        let log: Vec<ScheduledCommand> = (0u64..)
            .zip(acts)
            .map(|(number, (at_step, act))| ScheduledCommand {
                number,
                entry: LoggedCommand { at_step, act, text: String::new(), timed: None },
                parts: Vec::new(),
            })
            .collect();
        let told = |edits, committed| {
            let schedule = Schedule::resumed(log.clone(), edits, committed, &[]);
            assert_eq!(schedule.next, 5);
            (schedule.standing().map(|told| told.number).collect::<Vec<_>>(), schedule.is_editing())
        };
        assert_eq!(told(0, 0), (vec![0, 1], true));
        assert_eq!(told(1, 7), (vec![2, 3], true));
        assert_eq!(told(2, 9), (vec![4], false));
    }
}
