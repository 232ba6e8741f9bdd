//! Between two neighbouring partitions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FencingToken, Generation};

/// The roads of one partition that another one mirrors, after `step` steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frame {
    pub token: FencingToken,
    /// The partition whose roads these are.
    pub from: u16,
    /// Steps that the sender has done: the frame shows state(step) and is read by step number `step`.
    pub step: u64,
    /// As [`crate::sim::Partition::export`] writes them.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Opens every connection of a link, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hello {
    pub token: FencingToken,
    pub generation: Generation,
    pub from: u16,
    /// Steps that the sender's partition has done.
    pub at: u64,
    /// The first frame that the sender does not have.
    pub next_step: u64,
}

/// All that goes over a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PeerMessage {
    Hello(Hello),
    /// Shared, because the sender keeps it to send it again.
    Frame(Arc<Frame>),
    /// The sender's partition has done this many steps; instead of a frame that the receiver has already.
    At {
        token: FencingToken,
        from: u16,
        step: u64,
    },
    /// Asks for a sign of life.
    Ping,
    Pong,
}
