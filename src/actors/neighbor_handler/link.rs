//! What a neighbour handler sends over.

use actix::Addr;

use super::actor::{LinkMessage, NeighborHandler};
use crate::protocol::{Connection, Generation, PeerMessage, encode};

/// A connection to the handler on the other side. It belongs to one handler and is moved, never shared (I3).
pub trait Link {
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
        let message = LinkMessage::FromPeer { generation: self.generation, message };
        self.peer.try_send(message).map_err(|error| LinkError(error.to_string()))
    }
}

/// As a socket does: who lets go of it is noticed on the other side, which may have to make a new one. A side that hears late that
/// the other was placed anew lets go of a link that the other has just made.
impl Drop for InProcess {
    fn drop(&mut self) {
        let reason = "closed by the peer".to_owned();
        // Who has ended needs no word, and who is flooded hears that nothing comes.
        let _ = self.peer.try_send(LinkMessage::Ended { generation: self.generation, reason });
    }
}

/// A connection to another process.
impl Link for Connection {
    fn send(&mut self, message: PeerMessage) -> Result<(), LinkError> {
        let bytes = encode(&message).map_err(|error| LinkError(error.to_string()))?;
        Self::send(self, bytes).map_err(|error| LinkError(error.to_string()))
    }
}
