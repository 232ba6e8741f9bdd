//! The link protocol of one side, without any connection.

use std::sync::Arc;

use super::sent_log::SentLog;
use crate::protocol::{Frame, Generation, Hello, PeerMessage, Scene};

/// Without recovery a neighbour is never more than one step behind and never asks for an older frame.
const LOG_CAPACITY: usize = 4;

#[derive(Debug)]
pub enum Event {
    /// A new connection stands.
    Attached(Generation),
    /// The own partition has a frame for the neighbour.
    Outgoing(Arc<Frame>),
    /// Something came over the connection of a generation.
    Incoming(Generation, PeerMessage),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Over the connection.
    Send(PeerMessage),
    /// To the own partition; frames come in the order of their steps, each once.
    Deliver(Arc<Frame>),
    /// The link cannot go on.
    Fail(String),
}

/// One side of a link.
#[derive(Debug)]
pub struct Core {
    scene: Scene,
    own: u16,
    peer: u16,
    sent: SentLog,
    /// The newest connection; there is none before the first.
    generation: Option<Generation>,
    /// The neighbour has said on this connection what it needs.
    greeted: bool,
    /// The step of the next frame to deliver.
    next_step: u64,
}

impl Core {
    /// Both partitions stand after `next_step` steps.
    pub fn new(scene: Scene, own: u16, peer: u16, next_step: u64) -> Self {
        Self { scene, own, peer, sent: SentLog::new(LOG_CAPACITY), generation: None, greeted: false, next_step }
    }

    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Attached(generation) => self.attached(generation, effects),
            Event::Outgoing(frame) => self.outgoing(frame, effects),
            // What is left of an older connection is dropped here (I3).
            Event::Incoming(generation, _) if Some(generation) != self.generation => {}
            Event::Incoming(_, PeerMessage::Hello(hello)) => self.hello(hello, effects),
            Event::Incoming(_, PeerMessage::Frame(frame)) => self.frame(frame, effects),
        }
    }

    fn attached(&mut self, generation: Generation, effects: &mut Vec<Effect>) {
        if self.generation.is_some_and(|g| g >= generation) {
            return;
        }
        self.generation = Some(generation);
        self.greeted = false;
        let hello = Hello { scene: self.scene, generation, from: self.own, next_step: self.next_step };
        effects.push(Effect::Send(PeerMessage::Hello(hello)));
    }

    fn outgoing(&mut self, frame: Arc<Frame>, effects: &mut Vec<Effect>) {
        if let Err(full) = self.sent.push(Arc::clone(&frame)) {
            effects.push(Effect::Fail(full.to_string()));
        } else if self.greeted {
            effects.push(Effect::Send(PeerMessage::Frame(frame)));
        }
    }

    fn hello(&mut self, hello: Hello, effects: &mut Vec<Effect>) {
        if hello.scene != self.scene || hello.from != self.peer {
            return;
        }
        self.greeted = true;
        match self.sent.since(hello.next_step) {
            Some(frames) => effects.extend(frames.map(|f| Effect::Send(PeerMessage::Frame(Arc::clone(f))))),
            None => effects.push(Effect::Fail(format!(
                "partition {} asks for the frame of step {}, which is not kept any more",
                self.peer, hello.next_step
            ))),
        }
    }

    fn frame(&mut self, frame: Arc<Frame>, effects: &mut Vec<Effect>) {
        if frame.scene != self.scene || frame.from != self.peer || frame.step < self.next_step {
            return;
        }
        if frame.step > self.next_step {
            effects.push(Effect::Fail(format!(
                "partition {} sent the frame of step {} before that of step {}",
                self.peer, frame.step, self.next_step
            )));
            return;
        }
        self.next_step += 1;
        // Who shows state(n) has read our frames of all steps before n.
        self.sent.cut_before(frame.step);
        effects.push(Effect::Deliver(frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Epoch, RunId};

    const SCENE: Scene = Scene { run: RunId(7), epoch: Epoch(1) };

    fn frame_of(from: u16, step: u64) -> Arc<Frame> {
        Arc::new(Frame { scene: SCENE, from, step, bytes: vec![step as u8] })
    }

    fn hello(from: u16, generation: u64, next_step: u64) -> PeerMessage {
        PeerMessage::Hello(Hello { scene: SCENE, generation: Generation(generation), from, next_step })
    }

    fn handle(core: &mut Core, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        core.handle(event, &mut effects);
        effects
    }

    fn incoming(generation: u64, message: PeerMessage) -> Event {
        Event::Incoming(Generation(generation), message)
    }

    #[test]
    fn frames_wait_until_the_neighbour_has_said_what_it_needs() {
        let mut core = Core::new(SCENE, 0, 1, 0);
        assert_eq!(handle(&mut core, Event::Outgoing(frame_of(0, 0))), []);
        assert_eq!(handle(&mut core, Event::Attached(Generation(1))), [Effect::Send(hello(0, 1, 0))]);
        let resent = handle(&mut core, incoming(1, hello(1, 1, 0)));
        assert_eq!(resent, [Effect::Send(PeerMessage::Frame(frame_of(0, 0)))]);
        let sent = handle(&mut core, Event::Outgoing(frame_of(0, 1)));
        assert_eq!(sent, [Effect::Send(PeerMessage::Frame(frame_of(0, 1)))]);
    }

    #[test]
    fn a_new_connection_goes_on_where_the_old_one_broke() {
        let mut core = Core::new(SCENE, 0, 1, 0);
        handle(&mut core, Event::Attached(Generation(1)));
        handle(&mut core, incoming(1, hello(1, 1, 0)));
        handle(&mut core, Event::Outgoing(frame_of(0, 0)));
        let delivered = handle(&mut core, incoming(1, PeerMessage::Frame(frame_of(1, 0))));
        assert_eq!(delivered, [Effect::Deliver(frame_of(1, 0))]);
        handle(&mut core, Event::Outgoing(frame_of(0, 1)));
        assert_eq!(handle(&mut core, Event::Attached(Generation(2))), [Effect::Send(hello(0, 2, 1))]);
        // The old connection is not listened to any more.
        assert_eq!(handle(&mut core, incoming(1, PeerMessage::Frame(frame_of(1, 1)))), []);
        let resent = handle(&mut core, incoming(2, hello(1, 2, 1)));
        assert_eq!(resent, [Effect::Send(PeerMessage::Frame(frame_of(0, 1)))]);
        // A frame that came twice is delivered once.
        assert_eq!(handle(&mut core, incoming(2, PeerMessage::Frame(frame_of(1, 0)))), []);
    }

    #[test]
    fn frames_of_another_epoch_or_run_change_nothing() {
        let mut core = Core::new(SCENE, 0, 1, 0);
        handle(&mut core, Event::Attached(Generation(1)));
        let mut stale = (*frame_of(1, 0)).clone();
        stale.scene.epoch = Epoch(0);
        assert_eq!(handle(&mut core, incoming(1, PeerMessage::Frame(Arc::new(stale)))), []);
        let mut foreign = (*frame_of(1, 0)).clone();
        foreign.scene.run = RunId(8);
        assert_eq!(handle(&mut core, incoming(1, PeerMessage::Frame(Arc::new(foreign)))), []);
    }

    #[test]
    fn a_gap_between_frames_is_a_failure() {
        let mut core = Core::new(SCENE, 0, 1, 0);
        handle(&mut core, Event::Attached(Generation(1)));
        let effects = handle(&mut core, incoming(1, PeerMessage::Frame(frame_of(1, 1))));
        assert!(matches!(&effects[..], [Effect::Fail(reason)] if reason.contains("step 1 before that of step 0")));
    }

    #[test]
    fn a_neighbour_that_never_answers_fills_the_log_and_no_more() {
        let mut core = Core::new(SCENE, 0, 1, 0);
        for step in 0..LOG_CAPACITY as u64 {
            assert_eq!(handle(&mut core, Event::Outgoing(frame_of(0, step))), []);
        }
        let effects = handle(&mut core, Event::Outgoing(frame_of(0, LOG_CAPACITY as u64)));
        assert!(matches!(&effects[..], [Effect::Fail(_)]));
    }
}
