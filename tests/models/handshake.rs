//! The link between two neighbouring partitions: the program's own [`Core`]s, and all that connections and placements can do
//! to them. A connection keeps the order of what goes over it, as TCP does, but any number of them may be half alive at once,
//! break, and be noticed to be broken late; what is still under way over an old one comes after what comes over a new one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stateright::{Checker, Model, Property};
use tessds::actors::neighbor_handler::{Core, Effect, End, Event, Retention};
use tessds::protocol::{Epoch, FencingToken, Frame, Generation, PeerMessage, RunId};

use super::{Explored, explore};

const RUN: RunId = RunId(1);
/// Frames that a partition takes at most before it has read one.
const FRAMES_AHEAD: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// Sent frames are kept until they are read, although partitions are restored.
    NoLog,
    /// A snapshot counts when one of the partitions has stored it.
    CommitEarly,
    /// Nobody looks at epochs and generations.
    NoEpochs,
    /// Steps that were done between the two hellos of a connection are not told.
    NoWordAfterHello,
}

/// How much may happen.
struct Links {
    /// Steps that both partitions have to do.
    goal: u64,
    interval: u64,
    breaks: u8,
    crashes: u8,
    duplicates: u8,
    /// Much may happen before the caller hears that it is welcome.
    slow_answers: bool,
    bug: Bug,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Side {
    core: Core,
    /// Steps done, and the steps of the frames that are not read yet.
    at: u64,
    inbox: VecDeque<u64>,
    /// The connection that it sends over.
    link: Option<Generation>,
    /// The neighbour's placement, if it has not been told yet.
    news: Option<Epoch>,
    told_committed: u64,
}

/// A connection. Index 0: the end of the partition that dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Wire {
    /// What is under way to each end.
    queues: [VecDeque<PeerMessage>; 2],
    /// Who still has it.
    open: [bool; 2],
    /// The dialler has heard that it is welcome.
    is_answered: bool,
    is_broken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    sides: [Side; 2],
    wires: BTreeMap<Generation, Wire>,
    /// Calls under way, with the epochs that the caller believes in.
    calls: BTreeMap<Generation, [Epoch; 2]>,
    committed: u64,
    breaks: u8,
    crashes: u8,
    duplicates: u8,
    /// A frame went out again that had been sent before.
    resent: bool,
    fault: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Call(Generation),
    Answer(Generation),
    /// The first message that is under way to one side; `twice`: it comes again later.
    Receive {
        side: usize,
        over: Generation,
        twice: bool,
    },
    Break(Generation),
    /// One side notices that a connection has ended.
    Notice {
        side: usize,
        over: Generation,
    },
    Step(usize),
    Commit(u64),
    TellCommit(usize),
    /// A partition is lost, and placed anew at the last commit.
    Crash(usize),
    TellPlace(usize),
}

fn end(side: usize, epoch: Epoch) -> End {
    End { part: side as u16, epoch }
}

impl World {
    fn feed(&mut self, side: usize, event: Event) {
        let mut effects = Vec::new();
        self.sides[side].core.handle(event, &mut effects);
        for effect in effects {
            self.carry_out(side, effect);
        }
    }

    /// What the actor around the core does.
    fn carry_out(&mut self, side: usize, effect: Effect) {
        match effect {
            Effect::Send(message) => {
                let Some(wire) = self.sides[side].link.and_then(|link| self.wires.get_mut(&link)) else { return };
                if wire.open[1 - side] && !wire.is_broken {
                    wire.queues[1 - side].push_back(message);
                }
            }
            Effect::Deliver(frame) => {
                let this = &mut self.sides[side];
                let expected = this.at + this.inbox.len() as u64;
                if frame.step != expected {
                    self.fault = Some(format!("frame {} came instead of {expected}", frame.step));
                } else if frame.token.epoch != this.core.peer().epoch {
                    self.fault = Some(format!("frame {} of epoch {} counted", frame.step, frame.token.epoch.0));
                } else if this.inbox.len() >= FRAMES_AHEAD {
                    self.fault = Some(format!("frame {} came too early", frame.step));
                }
                this.inbox.push_back(frame.step);
            }
            Effect::Disconnect => self.let_go(side),
            Effect::Dial { generation, .. } => {
                let core = &self.sides[side].core;
                self.calls.insert(generation, [core.own().epoch, core.peer().epoch]);
            }
            Effect::Fail(reason) => self.fault = Some(reason),
        }
    }

    fn let_go(&mut self, side: usize) {
        if let Some(wire) = self.sides[side].link.take().and_then(|link| self.wires.get_mut(&link)) {
            wire.open[side] = false;
        }
    }

    fn attach(&mut self, side: usize, over: Generation) {
        if self.sides[side].link.is_some_and(|newest| newest >= over) {
            return self.wires.entry(over).or_default().open[side] = false;
        }
        self.let_go(side);
        self.sides[side].link = Some(over);
        self.feed(side, Event::Attached(over));
    }

    fn detach(&mut self, side: usize, over: Generation) {
        if self.sides[side].link == Some(over) {
            self.sides[side].link = None;
        }
        self.feed(side, Event::Detached(over));
    }

    fn show(&mut self, side: usize) {
        let Side { core, at, .. } = &self.sides[side];
        let End { part, epoch } = core.own();
        let frame = Frame { token: FencingToken { run: RUN, epoch }, from: part, step: *at, bytes: Vec::new() };
        self.feed(side, Event::Outgoing(Arc::new(frame)));
    }

    /// Connections that nobody has any more, and over which nothing comes any more, are forgotten.
    fn tidy(&mut self) {
        self.wires.retain(|_, wire| wire.open.contains(&true) || wire.queues.iter().any(|queue| !queue.is_empty()));
    }
}

impl Links {
    fn retention(&self) -> Retention {
        match self.bug {
            Bug::NoLog => Retention::UntilRead,
            _ => Retention::UntilCommitted { frames: 8, forget: false },
        }
    }

    fn side(&self, side: usize, epoch: Epoch, at: u64) -> Side {
        let core = Core::new(RUN, end(side, epoch), end(1 - side, Epoch(0)), self.retention(), at);
        Side { core, at, inbox: VecDeque::new(), link: None, news: None, told_committed: at }
    }

    fn can_commit(&self, world: &World, step: u64) -> bool {
        let stored = world.sides.iter().map(|side| side.at >= step);
        if self.bug == Bug::CommitEarly { stored.into_iter().any(|s| s) } else { stored.into_iter().all(|s| s) }
    }

    fn receive(&self, world: &mut World, side: usize, over: Generation, twice: bool) {
        let Some(queue) = world.wires.get_mut(&over).map(|wire| &mut wire.queues[side]) else { return };
        let message = if twice { queue.front().cloned() } else { queue.pop_front() };
        let Some(mut message) = message else { return };
        world.duplicates -= u8::from(twice);
        let mut over = over;
        let core = &world.sides[side].core;
        if self.bug == Bug::NoEpochs {
            let newest = core.peer().epoch;
            match &mut message {
                PeerMessage::Hello(hello) => hello.token.epoch = newest,
                PeerMessage::Frame(frame) => Arc::make_mut(frame).token.epoch = newest,
                PeerMessage::At { token, .. } => token.epoch = newest,
                PeerMessage::Ping | PeerMessage::Pong => {}
            }
            over = world.sides[side].link.unwrap_or(over);
        }
        if let PeerMessage::Frame(frame) = &message {
            world.resent |= frame.step < world.sides[side].at;
        }
        let is_hello = matches!(message, PeerMessage::Hello(_));
        let mut effects = Vec::new();
        world.sides[side].core.handle(Event::Incoming(over, message), &mut effects);
        if self.bug == Bug::NoWordAfterHello && is_hello {
            effects.retain(|effect| !matches!(effect, Effect::Send(PeerMessage::At { .. })));
        }
        effects.into_iter().for_each(|effect| world.carry_out(side, effect));
    }
}

impl Model for Links {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let sides = [0, 1].map(|side| self.side(side, Epoch(1), 0));
        let mut world = World {
            sides,
            wires: BTreeMap::new(),
            calls: BTreeMap::new(),
            committed: 0,
            breaks: self.breaks,
            crashes: self.crashes,
            duplicates: self.duplicates,
            resent: false,
            fault: None,
        };
        for side in 0..2 {
            world.feed(side, Event::PeerPlaced(Epoch(1)));
            world.show(side);
        }
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.fault.is_some() {
            return;
        }
        for (generation, [own, peer]) in &world.calls {
            // Who knows more or less than the one whom it calls is refused, and calls again until the news are there.
            let [caller, called] = [&world.sides[0].core, &world.sides[1].core];
            let is_welcome = [*own, *peer] == [called.peer().epoch, called.own().epoch];
            if is_welcome || [*own, *peer] != [caller.own().epoch, caller.peer().epoch] {
                actions.push(Action::Call(*generation));
            }
        }
        for (over, wire) in &world.wires {
            let over = *over;
            if !wire.is_answered && wire.open[0] {
                actions.push(Action::Answer(over));
            }
            if world.breaks > 0 && !wire.is_broken && wire.open == [true; 2] {
                actions.push(Action::Break(over));
            }
            for side in 0..2 {
                if side == 0 && !wire.is_answered {
                    continue;
                }
                if let Some(message) = wire.queues[side].front() {
                    actions.push(Action::Receive { side, over, twice: false });
                    if world.duplicates > 0 && !matches!(message, PeerMessage::Hello(_)) {
                        actions.push(Action::Receive { side, over, twice: true });
                    }
                } else if wire.open[side] && (wire.is_broken || !wire.open[1 - side]) {
                    actions.push(Action::Notice { side, over });
                }
            }
        }
        for (side, this) in world.sides.iter().enumerate() {
            if this.at < self.goal && !this.inbox.is_empty() {
                actions.push(Action::Step(side));
            }
            if this.told_committed < world.committed {
                actions.push(Action::TellCommit(side));
            }
            if this.news.is_some() {
                actions.push(Action::TellPlace(side));
            }
            if world.crashes > 0 {
                actions.push(Action::Crash(side));
            }
        }
        let next = world.committed + self.interval;
        if next <= self.goal && self.can_commit(world, next) {
            actions.push(Action::Commit(next));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Call(generation) => {
                let [own, peer] = next.calls.remove(&generation)?;
                let other = &next.sides[1].core;
                if (own, peer) == (other.peer().epoch, other.own().epoch) {
                    let wire = Wire { open: [true; 2], ..Wire::default() };
                    next.wires.insert(generation, wire);
                    next.attach(1, generation);
                    if !self.slow_answers {
                        next.wires.get_mut(&generation)?.is_answered = true;
                        next.attach(0, generation);
                    }
                } else {
                    next.detach(0, generation);
                }
            }
            Action::Answer(over) => {
                next.wires.get_mut(&over)?.is_answered = true;
                next.attach(0, over);
            }
            Action::Receive { side, over, twice } => self.receive(&mut next, side, over, twice),
            Action::Break(over) => {
                next.breaks -= 1;
                let wire = next.wires.get_mut(&over)?;
                wire.is_broken = true;
                wire.queues.iter_mut().for_each(VecDeque::clear);
            }
            Action::Notice { side, over } => {
                next.wires.get_mut(&over)?.open[side] = false;
                next.detach(side, over);
            }
            Action::Step(side) => {
                next.sides[side].inbox.pop_front()?;
                next.sides[side].at += 1;
                next.show(side);
            }
            Action::Commit(step) => next.committed = step,
            Action::TellCommit(side) => {
                next.sides[side].told_committed = next.committed;
                next.feed(side, Event::Committed(world.committed));
            }
            Action::Crash(side) => {
                next.crashes -= 1;
                let epochs = [0, 1].map(|side| next.sides[side].core.own().epoch);
                let epoch = Epoch(epochs[0].max(epochs[1]).0 + 1);
                for wire in next.wires.values_mut() {
                    // What is under way to it is lost; what it has sent may still come.
                    wire.open[side] = false;
                    wire.queues[side].clear();
                    wire.is_answered |= side == 0;
                }
                if side == 0 {
                    next.calls.clear();
                }
                next.sides[side] = Side { news: Some(epochs[1 - side]), ..self.side(side, epoch, next.committed) };
                next.sides[1 - side].news = Some(epoch);
                let known = next.sides[side].news.take()?;
                next.feed(side, Event::PeerPlaced(known));
                next.show(side);
            }
            Action::TellPlace(side) => {
                let epoch = next.sides[side].news.take()?;
                next.feed(side, Event::PeerPlaced(epoch));
            }
        }
        next.tidy();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SOUND, |_, world: &World| world.fault.is_none()),
            // Everything that happens uses something up, so there are no cycles and this is sound.
            Property::eventually(LIVE, |links: &Self, world: &World| {
                world.sides.iter().all(|side| side.at == links.goal)
            }),
            Property::sometimes("a frame is sent again", |_, world: &World| world.resent),
            Property::sometimes("a restored partition catches up", |links: &Self, world: &World| {
                links.crashes > 0 && world.crashes == 0 && world.sides.iter().all(|side| side.at == links.goal)
            }),
            Property::sometimes("two connections live at once", |_, world: &World| world.wires.len() > 1),
        ]
    }
}

const BREAKS: Links =
    Links { goal: 3, interval: 2, breaks: 2, crashes: 0, duplicates: 1, slow_answers: true, bug: Bug::None };
const CRASHES: Links =
    Links { goal: 4, interval: 2, breaks: 1, crashes: 1, duplicates: 0, slow_answers: false, bug: Bug::None };
const SOUND: &str = "frames come once and in order, and of the present placement";
const LIVE: &str = "both get to the end";

#[test]
fn whatever_connections_do_frames_come_once_and_in_order() {
    let explored = explore("handshake, breaks", BREAKS);
    let missing = ["a restored partition catches up", "two connections live at once"];
    assert_eq!(explored.missing, missing, "nobody crashes here");
    assert_eq!(explored.broken, [""; 0], "{}", explored.paths);
}

#[test]
fn a_restored_side_is_sent_what_it_missed() {
    let Explored { missing, broken, paths } = explore("handshake, crashes", CRASHES);
    assert_eq!((missing, broken), (vec![], vec![]), "{paths}");
}

#[test]
fn planted_bugs_of_the_link_are_found() {
    for (bug, property) in
        [(Bug::NoLog, SOUND), (Bug::CommitEarly, SOUND), (Bug::NoEpochs, SOUND), (Bug::NoWordAfterHello, LIVE)]
    {
        let checker = Links { bug, ..CRASHES }.checker().spawn_bfs().join();
        assert!(checker.discovery(property).is_some(), "{bug:?} is not found");
    }
}
