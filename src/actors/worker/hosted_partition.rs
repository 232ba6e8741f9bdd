//! One partition that a worker hosts: its thread, its actors, and what they know of their neighbours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;
use tokio::time::Instant;

use crate::actors::ExitStatus;
use crate::actors::neighbor_handler::{
    self, Accepted, End, LinkMessage, NeighborHandler, Network, PeerAddress, Retention,
};
use crate::actors::partition::{self, Begin, Event, Neighbourhood, Outlets, Partition, Place};
use crate::actors::threads::Thread;
use crate::observe::Instruments;
use crate::protocol::{Epoch, FencingToken, ObservationRequest, OrderNotice, RouteNotice};

/// The neighbour as it was last announced to its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KnownPeer {
    epoch: Epoch,
    local: bool,
}

struct Neighbour {
    handler: Addr<NeighborHandler>,
    known: Option<KnownPeer>,
}

/// Settings and connections of the actors of a hosted partition.
pub struct HostedPartitionConfig {
    pub network: Network,
    pub outlets: Outlets,
    pub retention: Retention,
    pub snapshot_interval: Option<u64>,
    pub instruments: Option<Instruments>,
}

/// A partition that this worker hosts. Dropping it ends its actors and its thread.
pub struct HostedPartition {
    pub epoch: Epoch,
    pub thread: Thread,
    /// When it began to be built.
    pub since: Instant,
    pub progress: Arc<AtomicU64>,
    partition: Option<Addr<Partition>>,
    /// By partition.
    neighbours: BTreeMap<u16, Neighbour>,
}

impl HostedPartition {
    /// A partition that is still being built.
    pub fn new(epoch: Epoch, thread: Thread) -> Self {
        Self {
            epoch,
            thread,
            since: Instant::now(),
            progress: Arc::default(),
            partition: None,
            neighbours: BTreeMap::new(),
        }
    }

    /// Starts the actors of a partition that was built.
    pub fn start(&mut self, part: u16, built: Neighbourhood, config: HostedPartitionConfig) {
        let Neighbourhood { region, neighbours } = built;
        let HostedPartitionConfig { network, outlets, retention, snapshot_interval, instruments } = config;
        let token = FencingToken { run: network.run, epoch: self.epoch };
        let core = partition::Core::new(Place { token, part }, region, neighbours.len(), snapshot_interval);
        let (steps, degree) = (core.steps(), neighbours.len());
        // Told the master before the actor has come to life on its thread.
        self.progress.store(steps, Ordering::Relaxed);
        let (thread, progress) = (&self.thread, Arc::clone(&self.progress));
        let meter = instruments.as_ref().map(|instruments| instruments.partition(part, &neighbours));
        let partition = thread.start(move |ctx: &mut Context<Partition>| {
            ctx.set_mailbox_capacity(Partition::mailbox(degree) + 64);
            Partition::new(core, outlets, progress).with_meter(meter)
        });
        let start = |(neighbour, peer): (usize, u16)| {
            let recipient = partition.clone().recipient();
            // The epoch in which the neighbour was placed is told together with its address.
            let (own, other) = (End { part, epoch: token.epoch }, End { part: peer, epoch: Epoch(0) });
            let core = neighbor_handler::Core::new(token.run, own, other, retention, steps);
            let network = network.clone();
            let meter = instruments.as_ref().map(|instruments| instruments.link(part, peer));
            let handler = thread
                .start(move |_| NeighborHandler::new(core, neighbour, Some(network), recipient).with_meter(meter));
            (peer, Neighbour { handler, known: None })
        };
        self.neighbours = neighbours.into_iter().enumerate().map(start).collect();
        let handlers = self.neighbours.values().map(|neighbour| neighbour.handler.clone()).collect();
        if partition.try_send(Begin { handlers }).is_err() {
            tracing::error!(partition = part, "partition ended before its start");
        }
        self.partition = Some(partition);
    }

    pub fn steps(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    pub fn neighbours(&self) -> Vec<u16> {
        self.neighbours.keys().copied().collect()
    }

    /// The handler of the link to a neighbour.
    pub fn handler(&self, peer: u16) -> Option<Addr<NeighborHandler>> {
        self.neighbours.get(&peer).map(|neighbour| neighbour.handler.clone())
    }

    /// Tells a handler where its neighbour is, if that is news.
    pub fn link(&mut self, peer: u16, epoch: Epoch, address: PeerAddress) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        let known = KnownPeer { epoch, local: matches!(address, PeerAddress::Local(_)) };
        if neighbour.known == Some(known) || neighbour.known.is_some_and(|known| known.epoch > epoch) {
            return;
        }
        match neighbour.handler.try_send(LinkMessage::PeerAt { epoch, address }) {
            Ok(()) => neighbour.known = Some(known),
            Err(error) => {
                tracing::warn!(peer, %error, "address update to a link dropped: its mailbox is full or closed")
            }
        }
    }

    /// Hands over a connection that a neighbour has made.
    pub fn accept(&self, peer: u16, call: Accepted) -> Result<(), Accepted> {
        match self.neighbours.get(&peer) {
            Some(neighbour) => neighbour.handler.try_send(call).map_err(|error| error.into_inner()),
            None => Err(call),
        }
    }

    pub fn grant(&self, horizon: u64) {
        self.order(Event::Granted { horizon });
    }

    pub fn routes(&self, notice: Arc<RouteNotice>) {
        self.order(Event::RoutesCame(notice));
    }

    /// `false`: the partition cannot take them, and must not go on without.
    pub fn orders(&self, notices: Vec<Arc<OrderNotice>>) -> bool {
        self.partition.as_ref().is_some_and(|partition| partition.try_send(Event::OrdersCame(notices)).is_ok())
    }

    /// A partition that is too busy is not looked at.
    pub fn look(&self, look: Arc<ObservationRequest>) {
        if let Some(partition) = &self.partition
            && partition.try_send(Event::Look(look)).is_err()
        {
            tracing::debug!("observation request dropped: the partition's mailbox is full or closed");
        }
    }

    pub fn finish(&self, steps: u64) {
        self.order(Event::Finish { steps });
    }

    pub fn committed(&self, step: u64) {
        for (peer, neighbour) in &self.neighbours {
            if let Err(error) = neighbour.handler.try_send(LinkMessage::Committed { step }) {
                tracing::debug!(peer, %error, "commit notice to a link dropped; the next one replaces it");
            }
        }
    }

    fn order(&self, message: Event) {
        if let Some(partition) = &self.partition
            && let Err(error) = partition.try_send(message)
        {
            // A partition that is gone has said so; one that is full is as good as gone, and will be missed.
            tracing::warn!(%error, "order not delivered: the partition's mailbox is full or closed");
        }
    }
}

impl Drop for HostedPartition {
    fn drop(&mut self) {
        for neighbour in self.neighbours.values() {
            if neighbour.handler.try_send(LinkMessage::Retire).is_err() {
                tracing::debug!("link ended before its stop message");
            }
        }
        if let Some(partition) = &self.partition
            && partition.try_send(Event::Ended(ExitStatus::Stopped)).is_err()
        {
            tracing::debug!("partition ended before its stop message");
        }
    }
}
