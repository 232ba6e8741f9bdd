//! What processes and partitions say to each other. Every message says where it belongs: run, epoch and step (I4).

mod peer;
mod routes;

pub use peer::{Frame, Hello, PeerMessage};
pub use routes::RouteNotice;

use serde::{Deserialize, Serialize};

/// One run of a scenario; not its scenario, seed or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// Counts the times that partitions were placed anew. What carries an older epoch changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// Counts the connections of one link. Frames that come over an older one are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u64);

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    pub run: RunId,
    pub epoch: Epoch,
}
