//! The link protocol of one side, without any connection.
//!
//! On every connection both sides first say which frame they need next, and go on from there out of the log of what they
//! sent; so a lost connection costs nothing. A frame is sent when the neighbour has done the step before the last one: as
//! far as neighbours can be apart. A neighbour that was restored from a snapshot therefore gets the frames that it missed at
//! the pace at which it computes.

use std::sync::Arc;
use std::time::Duration;

use super::sent_log::SentLog;
use crate::planted::planted;
use crate::protocol::{Epoch, Frame, Generation, Hello, PeerMessage, RunId, Scene};

/// Without recovery a neighbour is never more than one step behind and never asks for an older frame.
const UNREAD_FRAMES: usize = 4;
/// Wait before a connection is tried again: doubled each time, up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(10);
const LONGEST_RETRY: Duration = Duration::from_millis(160);

/// One end of a link: a partition, and the epoch in which it was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    pub part: u16,
    pub epoch: Epoch,
}

/// How long sent frames are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retention {
    /// Until the neighbour has read them: nothing is recovered.
    UntilRead,
    /// Until a snapshot of a later step is committed; at most so many. `forget`: then the oldest are given up, and with them
    /// what needs them; otherwise more is a failure.
    UntilCommitted { frames: usize, forget: bool },
}

#[derive(Debug)]
pub enum Event {
    /// A new connection stands.
    Attached(Generation),
    /// A connection is of no use any more, or did not come about.
    Detached(Generation),
    /// The own partition has a frame for the neighbour.
    Outgoing(Arc<Frame>),
    /// Something came over the connection of a generation.
    Incoming(Generation, PeerMessage),
    /// The neighbour was placed anew.
    PeerPlaced(Epoch),
    /// Nobody goes back to a step before this one any more.
    Committed(u64),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Over the connection.
    Send(PeerMessage),
    /// To the own partition; frames come in the order of their steps, each once.
    Deliver(Arc<Frame>),
    /// Let go of the connection.
    Disconnect,
    /// Make a connection of this generation, after a while.
    Dial { generation: Generation, after: Duration },
    /// The link cannot go on.
    Fail(String),
}

/// One side of a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Core {
    run: RunId,
    own: End,
    peer: End,
    retention: Retention,
    sent: SentLog,
    /// The newest connection; there is none before the first.
    generation: Option<Generation>,
    /// Connections made by this side, and how many of them since the last that worked.
    dialled: u32,
    failures: u32,
    /// Steps that the own partition has done.
    at: u64,
    /// The same as it was said when the connection came about.
    said_at: u64,
    /// The step of the next frame to deliver.
    next_step: u64,
    /// What the neighbour has said on this connection.
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Told {
    /// Steps that it has done.
    at: u64,
    /// The next frame to send.
    next: u64,
}

impl Core {
    /// A side whose partition stands after `at` steps.
    pub fn new(run: RunId, own: End, peer: End, retention: Retention, at: u64) -> Self {
        let sent = match retention {
            Retention::UntilRead => SentLog::new(UNREAD_FRAMES, false),
            Retention::UntilCommitted { frames, forget } => SentLog::new(frames, forget),
        };
        let (generation, told) = (None, None);
        Self {
            run,
            own,
            peer,
            retention,
            sent,
            generation,
            dialled: 0,
            failures: 0,
            at,
            said_at: at,
            next_step: at,
            told,
        }
    }

    /// This side makes the connections, the other one waits for them.
    pub fn is_dialler(&self) -> bool {
        self.own.part < self.peer.part
    }

    pub fn own(&self) -> End {
        self.own
    }

    pub fn peer(&self) -> End {
        self.peer
    }

    /// Sent frames that the neighbour may ask for again.
    pub fn kept_frames(&self) -> usize {
        self.sent.kept()
    }

    /// The first connection, when this side makes them.
    pub fn dial(&mut self, effects: &mut Vec<Effect>) {
        if self.is_dialler() {
            let after = retry_delay(self.failures, self.own.part ^ self.peer.part);
            self.dialled += 1;
            effects.push(Effect::Dial { generation: Generation::new(self.own.epoch, self.dialled), after });
        }
    }

    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Attached(generation) => self.attached(generation, effects),
            Event::Detached(generation) => self.detached(generation, effects),
            Event::Outgoing(frame) => self.outgoing(frame, effects),
            // What is left of an older connection is dropped here (I3).
            Event::Incoming(generation, _) if Some(generation) != self.generation => {}
            Event::Incoming(_, message) => self.incoming(message, effects),
            Event::PeerPlaced(epoch) => self.peer_placed(epoch, effects),
            Event::Committed(step) => self.sent.cut_before(step),
        }
    }

    fn attached(&mut self, generation: Generation, effects: &mut Vec<Effect>) {
        if self.generation.is_some_and(|g| g >= generation) {
            return;
        }
        self.generation = Some(generation);
        self.told = None;
        self.said_at = self.at;
        let Self { at, next_step, .. } = *self;
        let hello = Hello { scene: self.scene(), generation, from: self.own.part, at, next_step };
        effects.push(Effect::Send(PeerMessage::Hello(hello)));
    }

    fn detached(&mut self, generation: Generation, effects: &mut Vec<Effect>) {
        let is_current = self.generation == Some(generation);
        let is_attempt = generation == Generation::new(self.own.epoch, self.dialled);
        if is_current {
            self.told = None;
        }
        if is_current || is_attempt {
            self.failures += 1;
            self.dial(effects);
        }
    }

    fn peer_placed(&mut self, epoch: Epoch, effects: &mut Vec<Effect>) {
        if epoch <= self.peer.epoch {
            return;
        }
        self.peer.epoch = epoch;
        self.told = None;
        self.failures = 0;
        effects.push(Effect::Disconnect);
        self.dial(effects);
    }

    fn outgoing(&mut self, frame: Arc<Frame>, effects: &mut Vec<Effect>) {
        self.at = frame.step;
        if let Err(full) = self.sent.push(Arc::clone(&frame)) {
            return effects.push(Effect::Fail(full.to_string()));
        }
        match self.told {
            Some(told) if frame.step < told.next => {
                self.say_at(effects);
            }
            _ => self.send_on(effects),
        }
    }

    /// Instead of the frame of the present step, which the neighbour has.
    fn say_at(&self, effects: &mut Vec<Effect>) {
        let (scene, from, step) = (self.scene(), self.own.part, self.at);
        effects.push(Effect::Send(PeerMessage::At { scene, from, step }));
    }

    fn incoming(&mut self, message: PeerMessage, effects: &mut Vec<Effect>) {
        match message {
            PeerMessage::Hello(hello) if self.is_peer(hello.scene, hello.from) => self.hello(&hello, effects),
            PeerMessage::Frame(frame) if self.is_peer(frame.scene, frame.from) => self.frame(frame, effects),
            PeerMessage::At { scene, from, step } if self.is_peer(scene, from) => self.peer_at(step, effects),
            PeerMessage::Ping => effects.push(Effect::Send(PeerMessage::Pong)),
            // A pong says no more than that something came; all else is of another run, partition or epoch (I4).
            _ => {}
        }
    }

    fn hello(&mut self, hello: &Hello, effects: &mut Vec<Effect>) {
        self.failures = 0;
        if self.sent.first_step().is_some_and(|first| hello.next_step < first) {
            return effects.push(Effect::Fail(format!(
                "partition {} asks for the frame of step {}, which is not kept any more",
                self.peer.part, hello.next_step
            )));
        }
        self.told = Some(Told { at: hello.at, next: hello.next_step });
        // Steps that were done while it was not known which frames the neighbour has; no frame will tell it of them.
        if self.at > self.said_at && self.at < hello.next_step {
            self.say_at(effects);
        }
        self.send_on(effects);
    }

    fn frame(&mut self, frame: Arc<Frame>, effects: &mut Vec<Effect>) {
        if frame.step > self.next_step {
            return effects.push(Effect::Fail(format!(
                "partition {} sent the frame of step {} before that of step {}",
                self.peer.part, frame.step, self.next_step
            )));
        }
        let step = frame.step;
        if step == self.next_step {
            self.next_step += 1;
            effects.push(Effect::Deliver(frame));
        }
        self.peer_at(step, effects);
    }

    /// The neighbour shows state(step), so it has read our frames of all steps before.
    fn peer_at(&mut self, step: u64, effects: &mut Vec<Effect>) {
        if self.retention == Retention::UntilRead || planted("keep-no-log") {
            self.sent.cut_before(step);
        }
        if let Some(told) = &mut self.told {
            told.at = told.at.max(step);
            self.send_on(effects);
        }
    }

    /// Sends what is there, as far as the neighbour can use it.
    fn send_on(&mut self, effects: &mut Vec<Effect>) {
        let Some(told) = &mut self.told else { return };
        while told.next <= told.at + 1
            && let Some(frame) = self.sent.get(told.next)
        {
            effects.push(Effect::Send(PeerMessage::Frame(Arc::clone(frame))));
            told.next += 1;
        }
    }

    fn is_peer(&self, scene: Scene, from: u16) -> bool {
        scene == Scene { run: self.run, epoch: self.peer.epoch } && from == self.peer.part
    }

    fn scene(&self) -> Scene {
        Scene { run: self.run, epoch: self.own.epoch }
    }
}

/// Doubles with every failure; neighbours of one lost worker do not all come at once.
fn retry_delay(failures: u32, spread: u16) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let delay = FIRST_RETRY.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_RETRY);
    delay + delay.mul_f64(f64::from(spread % 16) / 32.0)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const RUN: RunId = RunId(7);
    const KEEPING: Retention = Retention::UntilCommitted { frames: 64, forget: false };

    fn end(part: u16, epoch: u64) -> End {
        End { part, epoch: Epoch(epoch) }
    }

    fn core(retention: Retention, at: u64) -> Core {
        Core::new(RUN, end(0, 1), end(1, 1), retention, at)
    }

    fn scene(epoch: u64) -> Scene {
        Scene { run: RUN, epoch: Epoch(epoch) }
    }

    fn frame_of(from: End, step: u64) -> Arc<Frame> {
        let scene = Scene { run: RUN, epoch: from.epoch };
        Arc::new(Frame { scene, from: from.part, step, bytes: vec![from.part as u8, step as u8] })
    }

    fn hello(from: u16, generation: Generation, at: u64, next_step: u64) -> PeerMessage {
        PeerMessage::Hello(Hello { scene: scene(1), generation, from, at, next_step })
    }

    fn generation(count: u32) -> Generation {
        Generation::new(Epoch(1), count)
    }

    fn handle(core: &mut Core, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        core.handle(event, &mut effects);
        effects
    }

    fn incoming(count: u32, message: PeerMessage) -> Event {
        Event::Incoming(generation(count), message)
    }

    fn sent(frame: Arc<Frame>) -> Effect {
        Effect::Send(PeerMessage::Frame(frame))
    }

    #[test]
    fn frames_wait_until_the_neighbour_has_said_what_it_needs() {
        let mut core = core(Retention::UntilRead, 0);
        assert_eq!(handle(&mut core, Event::Outgoing(frame_of(end(0, 1), 0))), []);
        let hello_out = Effect::Send(hello(0, generation(1), 0, 0));
        assert_eq!(handle(&mut core, Event::Attached(generation(1))), [hello_out]);
        let first = handle(&mut core, incoming(1, hello(1, generation(1), 0, 0)));
        assert_eq!(first, [sent(frame_of(end(0, 1), 0))]);
        assert_eq!(handle(&mut core, Event::Outgoing(frame_of(end(0, 1), 1))), [sent(frame_of(end(0, 1), 1))]);
    }

    #[test]
    fn a_new_connection_goes_on_where_the_old_one_broke() {
        let mut core = core(Retention::UntilRead, 0);
        handle(&mut core, Event::Attached(generation(1)));
        handle(&mut core, incoming(1, hello(1, generation(1), 0, 0)));
        handle(&mut core, Event::Outgoing(frame_of(end(0, 1), 0)));
        let peer = |step| PeerMessage::Frame(frame_of(end(1, 1), step));
        assert_eq!(handle(&mut core, incoming(1, peer(0))), [Effect::Deliver(frame_of(end(1, 1), 0))]);
        handle(&mut core, Event::Outgoing(frame_of(end(0, 1), 1)));
        let again = handle(&mut core, Event::Attached(generation(2)));
        assert_eq!(again, [Effect::Send(hello(0, generation(2), 1, 1))]);
        // The old connection is not listened to any more.
        assert_eq!(handle(&mut core, incoming(1, peer(1))), []);
        let resent = handle(&mut core, incoming(2, hello(1, generation(2), 0, 1)));
        assert_eq!(resent, [sent(frame_of(end(0, 1), 1))]);
        // A frame that came twice is delivered once.
        assert_eq!(handle(&mut core, incoming(2, peer(0))), []);
    }

    #[test]
    fn frames_of_another_epoch_or_run_change_nothing() {
        let mut core = core(Retention::UntilRead, 0);
        handle(&mut core, Event::Attached(generation(1)));
        for strange in [Scene { run: RUN, epoch: Epoch(0) }, Scene { run: RunId(8), epoch: Epoch(1) }] {
            let frame = Frame { scene: strange, ..(*frame_of(end(1, 1), 0)).clone() };
            assert_eq!(handle(&mut core, incoming(1, PeerMessage::Frame(Arc::new(frame)))), []);
        }
    }

    #[test]
    fn a_restored_neighbour_gets_what_it_missed_at_its_own_pace() {
        let mut core = core(KEEPING, 0);
        for step in 0..6 {
            handle(&mut core, Event::Outgoing(frame_of(end(0, 1), step)));
        }
        handle(&mut core, Event::Attached(generation(1)));
        let mut message =
            PeerMessage::Hello(Hello { scene: scene(1), generation: generation(1), from: 1, at: 2, next_step: 2 });
        for steps in [&[2, 3][..], &[4], &[5], &[]] {
            let effects = handle(&mut core, incoming(1, message));
            let at = steps.first().map_or(6, |first| first + 1);
            assert_eq!(effects, steps.iter().map(|s| sent(frame_of(end(0, 1), *s))).collect::<Vec<_>>());
            message = PeerMessage::At { scene: scene(1), from: 1, step: at.max(3) };
        }
    }

    /// A partition that was restored had frames for two steps when its connection broke, and did them after it had said on the
    /// next one where it stood, but before its neighbour had said what it needs. It never said that it had got on, and the
    /// neighbour kept the next frame back for ever (simulated seed 1487).
    #[test]
    fn steps_done_between_the_two_hellos_of_a_connection_are_told() {
        let mut core = core(KEEPING, 0);
        handle(&mut core, Event::Outgoing(frame_of(end(0, 1), 0)));
        handle(&mut core, Event::Attached(generation(1)));
        for step in [1, 2] {
            assert_eq!(handle(&mut core, Event::Outgoing(frame_of(end(0, 1), step))), []);
        }
        let ahead = Hello { scene: scene(1), generation: generation(1), from: 1, at: 3, next_step: 3 };
        let at = PeerMessage::At { scene: scene(1), from: 0, step: 2 };
        assert_eq!(handle(&mut core, incoming(1, PeerMessage::Hello(ahead))), [Effect::Send(at)]);
    }

    #[test]
    fn a_gap_between_frames_is_a_failure() {
        let mut core = core(Retention::UntilRead, 0);
        handle(&mut core, Event::Attached(generation(1)));
        let effects = handle(&mut core, incoming(1, PeerMessage::Frame(frame_of(end(1, 1), 1))));
        assert!(matches!(&effects[..], [Effect::Fail(reason)] if reason.contains("step 1 before that of step 0")));
    }

    #[test]
    fn a_log_that_is_full_is_a_failure_and_takes_no_more() {
        let mut core = core(Retention::UntilRead, 0);
        for step in 0..UNREAD_FRAMES as u64 {
            assert_eq!(handle(&mut core, Event::Outgoing(frame_of(end(0, 1), step))), []);
        }
        let effects = handle(&mut core, Event::Outgoing(frame_of(end(0, 1), UNREAD_FRAMES as u64)));
        assert!(matches!(&effects[..], [Effect::Fail(_)]));
    }

    #[test]
    fn a_lost_connection_is_made_again_later_and_later_by_one_side_only() {
        let mut core = core(KEEPING, 0);
        let mut effects = Vec::new();
        core.dial(&mut effects);
        assert_eq!(effects, [Effect::Dial { generation: generation(1), after: Duration::ZERO }]);
        let mut last = Duration::ZERO;
        for count in 1..6 {
            let effects = handle(&mut core, Event::Detached(generation(count)));
            let [Effect::Dial { generation: next, after }] = effects[..] else { panic!("{effects:?}") };
            assert!(next == generation(count + 1) && after > last && after < 2 * LONGEST_RETRY);
            last = after;
        }
        // News of an older connection changes nothing.
        assert_eq!(handle(&mut core, Event::Detached(generation(2))), []);
        let mut other = Core::new(RUN, end(1, 1), end(0, 1), KEEPING, 0);
        assert_eq!(handle(&mut other, Event::Detached(generation(1))), []);
    }

    /// Two partitions that compute nothing but exchange frames, and what is between them.
    struct Pair {
        cores: [Core; 2],
        /// Steps done and frames at hand, by side.
        at: [u64; 2],
        inbox: [VecDeque<u64>; 2],
        /// Messages to each side over the present connection.
        wires: [VecDeque<PeerMessage>; 2],
        generation: u32,
        committed: u64,
    }

    impl Pair {
        fn new() -> Self {
            let cores = [core(KEEPING, 0), Core::new(RUN, end(1, 1), end(0, 1), KEEPING, 0)];
            let (at, inbox, wires) = ([0; 2], Default::default(), Default::default());
            let mut pair = Self { cores, at, inbox, wires, generation: 0, committed: 0 };
            (0..2).for_each(|side| pair.show(side));
            pair
        }

        fn feed(&mut self, side: usize, event: Event) {
            for effect in handle(&mut self.cores[side], event) {
                match effect {
                    Effect::Send(message) => self.wires[1 - side].push_back(message),
                    Effect::Deliver(frame) => {
                        assert_eq!(frame.step, self.at[side] + self.inbox[side].len() as u64, "in order, each once");
                        self.inbox[side].push_back(frame.step);
                        assert!(self.inbox[side].len() <= 2, "no more frames than a partition takes");
                    }
                    Effect::Disconnect => self.wires.iter_mut().for_each(VecDeque::clear),
                    Effect::Dial { .. } => {}
                    Effect::Fail(reason) => panic!("{reason}"),
                }
            }
        }

        fn show(&mut self, side: usize) {
            let frame = frame_of(self.cores[side].own(), self.at[side]);
            self.feed(side, Event::Outgoing(frame));
        }

        fn connect(&mut self) {
            self.wires.iter_mut().for_each(VecDeque::clear);
            self.generation += 1;
            let generation = Generation::new(Epoch(9), self.generation);
            (0..2).for_each(|side| self.feed(side, Event::Attached(generation)));
        }

        fn receive(&mut self, side: usize) {
            let generation = Generation::new(Epoch(9), self.generation);
            if let Some(message) = self.wires[side].pop_front() {
                self.feed(side, Event::Incoming(generation, message));
            }
        }

        fn step(&mut self, side: usize) {
            if self.inbox[side].pop_front().is_some() {
                self.at[side] += 1;
                self.show(side);
            }
        }

        /// Both sides have stored a step that they have done.
        fn commit(&mut self) {
            self.committed = self.at[0].min(self.at[1]).max(self.committed);
            (0..2).for_each(|side| self.feed(side, Event::Committed(self.committed)));
        }

        /// One side is lost and placed anew.
        fn restore(&mut self, side: usize) {
            let epoch = self.cores[0].own().epoch.0.max(self.cores[1].own().epoch.0) + 1;
            let other = self.cores[1 - side].own();
            self.cores[side] = Core::new(RUN, end(side as u16, epoch), other, KEEPING, self.committed);
            (self.at[side], self.inbox[side]) = (self.committed, VecDeque::new());
            self.feed(1 - side, Event::PeerPlaced(Epoch(epoch)));
            self.wires.iter_mut().for_each(VecDeque::clear);
            self.show(side);
        }
    }

    proptest! {
        #[test]
        fn frames_come_once_and_in_order_whatever_breaks(actions in prop::collection::vec((0..20u8, 0..2usize), 0..400)) {
            let mut pair = Pair::new();
            for (action, side) in actions {
                match action {
                    0 => pair.connect(),
                    1 if pair.at[0].max(pair.at[1]) < pair.committed + 60 => pair.commit(),
                    2 => pair.restore(side),
                    3..12 => pair.receive(side),
                    _ if pair.at[side] < pair.committed + 60 => pair.step(side),
                    _ => pair.commit(),
                }
            }
            // Then all is well, and both get on.
            pair.connect();
            pair.commit();
            let goal = pair.at[0].max(pair.at[1]) + 10;
            for _ in 0..2000 {
                (0..2).for_each(|side| pair.receive(side));
                (0..2).filter(|side| pair.at[*side] < goal).collect::<Vec<_>>().into_iter().for_each(|side| pair.step(side));
            }
            prop_assert_eq!(pair.at, [goal; 2]);
        }
    }
}
