//! The actor around [`Core`], and the links that it sends over.

use std::sync::Arc;

use actix::prelude::*;

use super::core::{Core, Effect, Event};
use crate::actors::ExitStatus;
use crate::actors::partition::{PeerFrame, PeerGone};
use crate::protocol::{Frame, Generation, PeerMessage};

/// A connection to the handler on the other side. It belongs to one handler and is moved, never shared (I3).
pub trait Link: Send {
    /// Hands over a message, without waiting.
    ///
    /// # Errors
    /// The connection is closed or does not take more; it is of no use any more.
    fn send(&mut self, message: PeerMessage) -> Result<(), LinkError>;
}

/// A connection that is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkError(pub String);

/// A connection within the process.
pub struct InProcess {
    pub peer: Addr<NeighborHandler>,
    pub generation: Generation,
}

impl Link for InProcess {
    fn send(&mut self, message: PeerMessage) -> Result<(), LinkError> {
        let message = FromPeer { generation: self.generation, message };
        self.peer.try_send(message).map_err(|error| LinkError(error.to_string()))
    }
}

/// One side of the link between two partitions.
pub struct NeighborHandler {
    core: Core,
    peer: u16,
    link: Option<Box<dyn Link>>,
    /// Which neighbour of the own partition this is.
    neighbour: usize,
    frames: Recipient<PeerFrame>,
    gone: Recipient<PeerGone>,
    effects: Vec<Effect>,
}

impl NeighborHandler {
    /// A handler without connection that delivers to the partition as its `neighbour`-th.
    pub fn new(
        core: Core,
        peer: u16,
        neighbour: usize,
        frames: Recipient<PeerFrame>,
        gone: Recipient<PeerGone>,
    ) -> Self {
        Self { core, peer, link: None, neighbour, frames, gone, effects: Vec::new() }
    }

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(event, &mut effects);
        for effect in effects.drain(..) {
            let done = match effect {
                Effect::Send(message) => match &mut self.link {
                    Some(link) => link.send(message).map_err(|error| error.to_string()),
                    None => Ok(()),
                },
                Effect::Deliver(frame) => match self.frames.try_send(PeerFrame { neighbour: self.neighbour, frame }) {
                    // The partition has ended, which is no news to its parent; the neighbour may go on meanwhile.
                    Ok(()) | Err(SendError::Closed(_)) => Ok(()),
                    Err(SendError::Full(_)) => Err("the own partition does not take frames".to_owned()),
                },
                Effect::Fail(reason) => Err(reason),
            };
            if let Err(reason) = done {
                self.give_up(reason, ctx);
            }
        }
        self.effects = effects;
    }

    /// Tells the partition, which is the parent, and ends.
    fn give_up(&mut self, reason: String, ctx: &mut Context<Self>) {
        let status = ExitStatus::PeerLost { peer: self.peer, reason };
        if self.gone.try_send(PeerGone { status }).is_err() {
            tracing::debug!(peer = self.peer, "partition ended before its neighbour handler");
        }
        ctx.stop();
    }
}

impl Actor for NeighborHandler {
    // The default mailbox is large enough: both sides are never more than one step apart.
    type Context = Context<Self>;
}

/// Asks the handler to connect to one in the same process.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Dial {
    pub peer: Addr<NeighborHandler>,
    pub generation: Generation,
}

impl Handler<Dial> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: Dial, ctx: &mut Self::Context) {
        let Dial { peer, generation } = message;
        let back = InProcess { peer: ctx.address(), generation };
        // The peer has its end of the link before anything comes over it: messages of one sender keep their order.
        if let Err(error) = peer.try_send(Attach { link: Box::new(back), generation }) {
            return self.give_up(error.to_string(), ctx);
        }
        self.link = Some(Box::new(InProcess { peer, generation }));
        self.feed(Event::Attached(generation), ctx);
    }
}

/// A new connection for the handler.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attach {
    pub link: Box<dyn Link>,
    pub generation: Generation,
}

impl Handler<Attach> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: Attach, ctx: &mut Self::Context) {
        self.link = Some(message.link);
        self.feed(Event::Attached(message.generation), ctx);
    }
}

/// A frame of the own partition for the neighbour.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Outgoing(pub Arc<Frame>);

impl Handler<Outgoing> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: Outgoing, ctx: &mut Self::Context) {
        self.feed(Event::Outgoing(message.0), ctx);
    }
}

/// Something that came over a connection.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromPeer {
    pub generation: Generation,
    pub message: PeerMessage,
}

impl Handler<FromPeer> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: FromPeer, ctx: &mut Self::Context) {
        self.feed(Event::Incoming(message.generation, message.message), ctx);
    }
}
