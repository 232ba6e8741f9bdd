//! What a neighbour handler is told.

use std::sync::Arc;

use actix::prelude::*;
use tokio::time::Instant;

use super::{NeighborHandler, PeerAddress};
use crate::actors::neighbor_handler::core::Event;
use crate::actors::neighbor_handler::link::InProcess;
use crate::protocol::{Epoch, Frame, Generation, PeerMessage, Stream, answer};

/// What a handler is told by its parent, its partition, its link and the other side.
#[derive(Message)]
#[rtype(result = "()")]
pub enum LinkMessage {
    /// Where the neighbour is, or is now that it was placed anew.
    PeerAt { epoch: Epoch, address: PeerAddress },
    /// A new connection within the process.
    Attach { link: Box<InProcess>, generation: Generation },
    /// A frame of the own partition for the neighbour.
    Outgoing(Arc<Frame>),
    /// Something that came over a connection.
    FromPeer { generation: Generation, message: PeerMessage },
    /// A connection has ended.
    Ended { generation: Generation, reason: String },
    /// No placement goes back to a step before this one any more.
    Committed { step: u64 },
    /// End.
    Retire,
}

impl Handler<LinkMessage> for NeighborHandler {
    type Result = ();

    fn handle(&mut self, message: LinkMessage, ctx: &mut Self::Context) {
        match message {
            LinkMessage::PeerAt { epoch, address } => self.peer_at(epoch, address, ctx),
            LinkMessage::Attach { link, generation } => self.attach(link, generation, ctx),
            LinkMessage::Outgoing(frame) => self.feed(Event::Outgoing(frame), ctx),
            LinkMessage::FromPeer { generation, message } => {
                self.heard = Instant::now();
                self.feed(Event::Incoming(generation, message), ctx);
            }
            LinkMessage::Ended { generation, reason } => self.detach(generation, &reason, ctx),
            LinkMessage::Committed { step } => self.feed(Event::Committed(step), ctx),
            LinkMessage::Retire => {
                self.link = None;
                ctx.stop();
            }
        }
    }
}

impl NeighborHandler {
    fn peer_at(&mut self, epoch: Epoch, address: PeerAddress, ctx: &mut Context<Self>) {
        let is_new = self.address.is_none();
        let is_placed_anew = epoch > self.core.peer().epoch;
        self.address = Some(address);
        self.heard = Instant::now();
        if is_placed_anew {
            self.feed(Event::PeerPlaced(epoch), ctx);
        } else if is_new {
            let mut effects = std::mem::take(&mut self.effects);
            self.core.dial(&mut effects);
            self.carry_out(&mut effects, ctx);
            self.effects = effects;
        }
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

/// A second opinion for the master: a neighbour has not been heard of for too long.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PeerSilent {
    pub part: u16,
    pub peer: u16,
    pub peer_epoch: Epoch,
}
