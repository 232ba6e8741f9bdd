//! The actor around [`Core`]. It lives on the thread of its partition.

mod messages;

pub use messages::{Accepted, LinkMessage, PeerSilent};

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::core::{Core, Effect, Event};
use super::link::{InProcess, Link};
use crate::actors::ExitStatus;
use crate::actors::partition;
use crate::observe::metrics::LinkMeter;
use crate::protocol::{Connection, Generation, Limits, Networking, PeerMessage, Purpose, RunId, Stream, decode, open};

/// Where the neighbour can be reached.
#[derive(Clone)]
pub enum PeerAddress {
    /// In this process.
    Local(Addr<NeighborHandler>),
    /// `HOST:PORT` of its worker.
    Remote(String),
}

/// What a handler needs to make connections to other processes.
#[derive(Clone)]
pub struct Network {
    pub run: RunId,
    pub networking: Arc<dyn Networking>,
    pub limits: Limits,
    /// How long nothing may be heard of a neighbour before the connection is given up and `silent` told; `None`: for ever.
    pub timeout: Option<Duration>,
    pub silent: Recipient<PeerSilent>,
}

/// One side of the link between two partitions.
pub struct NeighborHandler {
    core: Core,
    link: Option<(Generation, Box<dyn Link>)>,
    address: Option<PeerAddress>,
    network: Option<Network>,
    /// Which neighbour of the own partition this is.
    neighbour: usize,
    partition: Recipient<partition::Event>,
    heard: Instant,
    /// `None`: nobody asks.
    meter: Option<LinkMeter>,
    effects: Vec<Effect>,
}

impl NeighborHandler {
    /// A handler without connection that delivers to the partition as its `neighbour`-th. Without `network` the neighbour
    /// has to be in the same process.
    pub fn new(core: Core, neighbour: usize, network: Option<Network>, partition: Recipient<partition::Event>) -> Self {
        let (link, address, heard, meter, effects) = (None, None, Instant::now(), None, Vec::new());
        Self { core, link, address, network, neighbour, partition, heard, meter, effects }
    }

    /// Counts what goes over the link.
    #[must_use]
    pub fn with_meter(self, meter: Option<LinkMeter>) -> Self {
        Self { meter, ..self }
    }

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(event, &mut effects);
        if let Some(meter) = &mut self.meter {
            meter.keeps(self.core.kept_frames());
        }
        self.carry_out(&mut effects, ctx);
        self.effects = effects;
    }

    fn count(&self, effect: &Effect) {
        match (&self.meter, effect) {
            (Some(meter), Effect::Send(PeerMessage::Frame(frame))) => meter.sent(frame.bytes.len()),
            (Some(meter), Effect::Deliver(frame)) => meter.received(frame.bytes.len()),
            _ => {}
        }
    }

    fn carry_out(&mut self, effects: &mut Vec<Effect>, ctx: &mut Context<Self>) {
        let mut broken = None;
        for effect in effects.drain(..) {
            self.count(&effect);
            let done = match effect {
                Effect::Send(message) => {
                    if let Some((generation, link)) = &mut self.link
                        && let Err(error) = link.send(message)
                    {
                        broken = Some((*generation, error));
                    }
                    Ok(())
                }
                Effect::Deliver(frame) => {
                    let arrived = partition::Event::FrameArrived { neighbour: self.neighbour, frame };
                    match self.partition.try_send(arrived) {
                        // The partition has ended, which is no news to its parent; the neighbour may go on meanwhile.
                        Ok(()) | Err(SendError::Closed(_)) => Ok(()),
                        Err(SendError::Full(_)) => Err("the mailbox of the own partition is full".to_owned()),
                    }
                }
                Effect::Disconnect => {
                    self.link = None;
                    Ok(())
                }
                Effect::Dial { generation, after } => {
                    self.dial(generation, after, ctx);
                    Ok(())
                }
                Effect::Fail(reason) => Err(reason),
            };
            if let Err(reason) = done {
                return self.give_up(reason, ctx);
            }
        }
        if let Some((generation, error)) = broken {
            self.detach(generation, &error.to_string(), ctx);
        }
    }

    fn dial(&mut self, generation: Generation, after: Duration, ctx: &mut Context<Self>) {
        // Without an address: as soon as it is known.
        match (&self.address, &self.network) {
            (Some(PeerAddress::Local(peer)), _) => {
                let peer = peer.clone();
                ctx.run_later(after, move |handler, ctx| handler.link_up(peer, generation, ctx));
            }
            (Some(PeerAddress::Remote(address)), Some(network)) => {
                let (own, peer) = (self.core.own(), self.core.peer());
                let purpose = Purpose::Neighbour {
                    run: network.run,
                    from: own.part,
                    from_epoch: own.epoch,
                    to: peer.part,
                    to_epoch: peer.epoch,
                    generation,
                };
                let dialling = dial(Arc::clone(&network.networking), address.clone(), purpose, after);
                ctx.spawn(dialling.into_actor(self).map(move |dialled, handler, ctx| match dialled {
                    Ok(stream) => handler.attach_stream(stream, generation, ctx),
                    Err(reason) => handler.detach(generation, &reason, ctx),
                }));
            }
            _ => {}
        }
    }

    fn link_up(&mut self, peer: Addr<Self>, generation: Generation, ctx: &mut Context<Self>) {
        let back = Box::new(InProcess { peer: ctx.address(), generation });
        // The peer has its end of the link before anything comes over it: messages of one sender keep their order.
        match peer.try_send(LinkMessage::Attach { link: back, generation }) {
            Ok(()) => self.attach(Box::new(InProcess { peer, generation }), generation, ctx),
            Err(error) => self.detach(generation, &error.to_string(), ctx),
        }
    }

    fn attach_stream(&mut self, stream: Box<dyn Stream>, generation: Generation, ctx: &mut Context<Self>) {
        let (deliver_to, ended_for) = (ctx.address(), ctx.address());
        let limits = self.network.as_ref().map_or_else(Limits::default, |network| network.limits);
        let deliver = move |bytes: Vec<u8>| {
            let handler = deliver_to.clone();
            async move {
                match decode(&bytes) {
                    Ok(message) => handler.send(LinkMessage::FromPeer { generation, message }).await.is_ok(),
                    Err(error) => {
                        tracing::warn!(%error, "malformed message from neighbour");
                        false
                    }
                }
            }
        };
        let ended = move |reason: String| {
            if ended_for.try_send(LinkMessage::Ended { generation, reason }).is_err() {
                tracing::debug!("connection open after its neighbour handler ended");
            }
        };
        let connection = Connection::start(stream, limits, deliver, ended);
        self.attach(Box::new(connection), generation, ctx);
    }

    fn attach(&mut self, link: Box<dyn Link>, generation: Generation, ctx: &mut Context<Self>) {
        if self.link.as_ref().is_some_and(|(newest, _)| *newest >= generation) {
            return;
        }
        self.link = Some((generation, link));
        self.heard = Instant::now();
        self.feed(Event::Attached(generation), ctx);
    }

    fn detach(&mut self, generation: Generation, reason: &str, ctx: &mut Context<Self>) {
        let (own, peer) = (self.core.own().part, self.core.peer().part);
        tracing::debug!(partition = own, peer, generation = generation.0, reason, "link to neighbour lost");
        if self.link.as_ref().is_some_and(|(newest, _)| *newest == generation) {
            self.link = None;
        }
        self.feed(Event::Detached(generation), ctx);
    }

    /// Looks after a neighbour that has not been heard of.
    fn watch(&mut self, timeout: Duration, ctx: &mut Context<Self>) {
        let silent_for = self.heard.elapsed();
        if silent_for >= timeout {
            let (own, peer) = (self.core.own().part, self.core.peer());
            let opinion = PeerSilent { part: own, peer: peer.part, peer_epoch: peer.epoch };
            if let Some(network) = &self.network
                && network.silent.try_send(opinion).is_err()
            {
                tracing::debug!(partition = own, "the worker's mailbox is full or closed");
            }
            self.heard = Instant::now();
            if let Some((generation, _)) = self.link {
                self.detach(generation, "no data within the time-out", ctx);
            }
        } else if silent_for >= timeout / 3
            && let Some((generation, link)) = &mut self.link
        {
            let generation = *generation;
            if let Err(error) = link.send(PeerMessage::Ping) {
                self.detach(generation, &error.to_string(), ctx);
            }
        }
    }

    /// Tells the partition, which is the parent, and ends.
    fn give_up(&mut self, reason: String, ctx: &mut Context<Self>) {
        let peer = self.core.peer().part;
        let status = ExitStatus::PeerLost { peer, reason };
        if self.partition.try_send(partition::Event::Ended(status)).is_err() {
            tracing::debug!(peer, "the partition actor ended before its neighbour handler");
        }
        self.link = None;
        ctx.stop();
    }
}

/// Waits, connects, says what for, and hears that it is welcome.
async fn dial(
    networking: Arc<dyn Networking>,
    address: String,
    purpose: Purpose,
    after: Duration,
) -> Result<Box<dyn Stream>, String> {
    tokio::time::sleep(after).await;
    let connecting = tokio::time::timeout(Duration::from_secs(2), networking.connect(&address));
    let mut stream = connecting.await.map_err(|_| format!("{address} does not answer"))?.map_err(|e| e.to_string())?;
    open(&mut *stream, purpose).await.map_err(|error| error.to_string())?;
    Ok(stream)
}

impl Actor for NeighborHandler {
    // The default mailbox is large enough: both sides are never more than one step apart.
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(timeout) = self.network.as_ref().and_then(|network| network.timeout) {
            ctx.run_interval(timeout / 4, move |handler, ctx| handler.watch(timeout, ctx));
        }
    }
}
