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
use crate::protocol::{Epoch, FencingToken, Frame, Generation, Hello, PeerMessage, RunId};

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
        let hello = Hello { token: self.token(), generation, from: self.own.part, at, next_step };
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
        let (token, from, step) = (self.token(), self.own.part, self.at);
        effects.push(Effect::Send(PeerMessage::At { token, from, step }));
    }

    fn incoming(&mut self, message: PeerMessage, effects: &mut Vec<Effect>) {
        match message {
            PeerMessage::Hello(hello) if self.is_peer(hello.token, hello.from) => self.hello(&hello, effects),
            PeerMessage::Frame(frame) if self.is_peer(frame.token, frame.from) => self.frame(frame, effects),
            PeerMessage::At { token, from, step } if self.is_peer(token, from) => self.peer_at(step, effects),
            PeerMessage::Ping => effects.push(Effect::Send(PeerMessage::Pong)),
            // A pong says no more than that something came; all else is of another run, partition or epoch (I4).
            _ => {}
        }
    }

    fn hello(&mut self, hello: &Hello, effects: &mut Vec<Effect>) {
        self.failures = 0;
        if self.sent.first_step().is_some_and(|first| hello.next_step < first) {
            return effects.push(Effect::Fail(format!(
                "partition {} asks for the frame of step {}, which is no longer in the log of sent frames",
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
                "partition {} sent the frame of step {} out of order; step {} was expected",
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

    fn is_peer(&self, token: FencingToken, from: u16) -> bool {
        token == FencingToken { run: self.run, epoch: self.peer.epoch } && from == self.peer.part
    }

    fn token(&self) -> FencingToken {
        FencingToken { run: self.run, epoch: self.own.epoch }
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
mod tests;
