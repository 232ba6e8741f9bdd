//! What a neighbour handler is told.

use std::sync::Arc;

use actix::prelude::*;
use tokio::time::Instant;

use super::{NeighborHandler, PeerAddress};
use crate::actors::neighbor_handler::core::Event;
use crate::actors::neighbor_handler::link::InProcess;
use crate::protocol::{Epoch, Frame, Generation, PeerMessage, Stream, answer};

/// Where the neighbour is, or is now that it was placed anew.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct PeerAt {
    pub epoch: Epoch,
    pub address: PeerAddress,
}

impl Handler<PeerAt> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: PeerAt, ctx: &mut Self::Context) {
        let is_new = self.address.is_none();
        let is_placed_anew = message.epoch > self.core.peer().epoch;
        self.address = Some(message.address);
        self.heard = Instant::now();
        if is_placed_anew {
            self.feed(Event::PeerPlaced(message.epoch), ctx);
        } else if is_new {
            let mut effects = std::mem::take(&mut self.effects);
            self.core.dial(&mut effects);
            self.carry_out(&mut effects, ctx);
            self.effects = effects;
        }
    }
}

/// A new connection within the process.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attach {
    pub link: Box<InProcess>,
    pub generation: Generation,
}

impl Handler<Attach> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: Attach, ctx: &mut Self::Context) {
        self.attach(message.link, message.generation, ctx);
    }
}

/// A connection that the neighbour has made, and the epochs of both ends as it knows them. It has not been answered.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Accepted {
    pub stream: Box<dyn Stream>,
    pub from_epoch: Epoch,
    pub to_epoch: Epoch,
    pub generation: Generation,
}

impl Handler<Accepted> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: Accepted, ctx: &mut Self::Context) {
        let Accepted { stream, from_epoch, to_epoch, generation } = message;
        // Who was placed anew may call before the news of it are here; it will call again (I4).
        let verdict = if (from_epoch, to_epoch) == (self.core.peer().epoch, self.core.own().epoch) {
            Ok(())
        } else {
            Err(format!(
                "link of epochs {} and {}, expected {} and {}",
                from_epoch.0,
                to_epoch.0,
                self.core.peer().epoch.0,
                self.core.own().epoch.0
            ))
        };
        if let Err(error) = &verdict {
            let (partition, peer) = (self.core.own().part, self.core.peer().part);
            tracing::info!(partition, peer, error, "connection refused");
        }
        let welcome = verdict.is_ok();
        let answering = async move {
            let mut stream = stream.rehomed().map_err(|error| error.to_string())?;
            answer(&mut *stream, verdict).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(stream)
        };
        ctx.spawn(answering.into_actor(self).map(move |answered, handler, ctx| match answered {
            Ok(stream) if welcome => handler.attach_stream(stream, generation, ctx),
            Ok(_) => {}
            Err(reason) => tracing::debug!(reason, "neighbour disconnected before the response"),
        }));
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
        self.heard = Instant::now();
        self.feed(Event::Incoming(message.generation, message.message), ctx);
    }
}

/// A connection has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ended {
    pub generation: Generation,
    pub reason: String,
}

impl Handler<Ended> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: Ended, ctx: &mut Self::Context) {
        self.detach(message.generation, &message.reason, ctx);
    }
}

/// Nobody goes back to a step before this one any more.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Commit {
    pub step: u64,
}

impl Handler<Commit> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: Commit, ctx: &mut Self::Context) {
        self.feed(Event::Committed(message.step), ctx);
    }
}

/// A second opinion for the master: a neighbour has not been heard of for too long.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PeerSilent {
    pub part: u16,
    pub peer: u16,
    pub peer_epoch: Epoch,
}

/// Ask the handler to end.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Retire;

impl Handler<Retire> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        self.link = None;
        ctx.stop();
    }
}
