//! What processes and partitions say to each other. Every message says where it belongs: run, epoch and step (I4).

mod cluster;
mod connection;
mod exit_status;
mod handshake;
mod network;
mod observation;
mod orders;
mod peer;
mod routes;
mod tls;
mod wire;

pub use crate::persist::Epoch;
pub use cluster::{Hosted, Place, Policy, Stored, ToMaster, ToWorker, Welcome};
pub use connection::{Connection, ConnectionEnd, SendError};
pub use exit_status::ExitStatus;
pub use handshake::{Handshake, HandshakeError, Purpose, accept, answer, open};
pub use network::{Listener, LocalNetwork, NetworkFuture, Networking, Stream, TcpNetwork};
pub use observation::{ObservationRequest, Observed};
pub use orders::OrderNotice;
pub use peer::{Frame, Hello, PeerMessage};
pub use routes::RouteNotice;
pub use tls::TlsNetwork;
pub use wire::{Limits, WireError, decode, encode};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Raised with every change of a message.
pub const VERSION: u32 = 6;

/// One run of a scenario; not its scenario or seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl RunId {
    /// The id of the run with a name: the same in all processes and after every restart.
    pub fn of(name: &str) -> Self {
        Self(xxh3_64(name.as_bytes()))
    }
}

/// Counts the connections of one link. Frames that come over an older one are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u64);

impl Generation {
    /// The `count`-th connection that a partition placed in `epoch` makes: newer than all of a former placement.
    pub fn new(epoch: Epoch, count: u32) -> Self {
        Self(epoch.0 << 32 | u64::from(count))
    }
}

/// Where a message belongs. The epoch is that in which the partition it is about was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FencingToken {
    pub run: RunId,
    pub epoch: Epoch,
}
