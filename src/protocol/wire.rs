//! Messages as bytes: MessagePack behind a length.

use serde::Serialize;
use serde::de::DeserializeOwned;
/// Bounds of what one connection may carry (I7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Greatest length of one message, bytes.
    pub frame_bytes: u32,
    /// Messages that wait to be written; a connection that has more is given up.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes: 256 << 20, queue: 4096 }
    }
}

/// Bytes that are no message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("message cannot be encoded: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error("malformed message: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
}

/// # Errors
/// The message holds what MessagePack cannot express.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, WireError> {
    Ok(rmp_serde::to_vec(message)?)
}

/// # Errors
/// The bytes are not such a message.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, WireError> {
    Ok(rmp_serde::from_slice(bytes)?)
}
