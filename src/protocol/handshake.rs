//! The first message on every connection: who calls, and what for. Whoever does not say so in time, or belongs to another
//! version or run, is turned away with the reason before anything else is read.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Epoch, Generation, RunId, Stream, VERSION, WireError, decode, encode};

/// Stands first, so that a stranger is recognised by its first bytes.
const MAGIC: &str = "TESSDS";
/// Longest handshake message, bytes.
const MAX_HANDSHAKE: u32 = 4096;
/// An handshake, and the answer to it, takes no longer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// A worker connects to its master.
    Work,
    /// A partition links up with its neighbour: numbers, and the epochs in which both were placed, as the caller knows them.
    Neighbour { run: RunId, from: u16, from_epoch: Epoch, to: u16, to_epoch: Epoch, generation: Generation },
}

/// The first message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    magic: String,
    pub version: u32,
    pub purpose: Purpose,
}

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no handshake within {} s", HANDSHAKE_TIMEOUT.as_secs())]
    TimedOut,
    #[error("handshake of {0} bytes; the limit is {MAX_HANDSHAKE}")]
    TooLong(u32),
    #[error("the peer uses TLS, and this process does not; set [tls] for all processes of a run, or for none")]
    Encrypted,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the peer is not a TessDS process")]
    Stranger,
    #[error("the peer uses protocol version {theirs}, this process {VERSION}; run the same release everywhere")]
    Version { theirs: u32 },
    /// The other side said no.
    #[error("refused: {0}")]
    Refused(String),
}

/// Connects: says what for, and waits for the answer.
///
/// # Errors
/// [`HandshakeError::Refused`] with the other side's reason, or whatever went wrong on the way.
pub async fn open(stream: &mut dyn Stream, purpose: Purpose) -> Result<(), HandshakeError> {
    let handshake = Handshake { magic: MAGIC.to_owned(), version: VERSION, purpose };
    within(async {
        write(stream, &handshake).await?;
        let answer: Result<(), String> = read(stream).await?;
        answer.map_err(HandshakeError::Refused)
    })
    .await
}

/// Reads what a caller wants. Whoever accepts the connection owes it an [`answer`].
///
/// # Errors
/// The caller is not one of ours, or too slow; it has been told where that makes sense.
pub async fn accept(stream: &mut dyn Stream) -> Result<Purpose, HandshakeError> {
    within(async {
        let handshake: Handshake = read(stream).await?;
        if handshake.magic != MAGIC {
            return Err(HandshakeError::Stranger);
        }
        if handshake.version != VERSION {
            let error = HandshakeError::Version { theirs: VERSION };
            write(stream, &Err::<(), String>(error.to_string())).await?;
            return Err(HandshakeError::Version { theirs: handshake.version });
        }
        Ok(handshake.purpose)
    })
    .await
}

/// Says yes, or no and why.
///
/// # Errors
/// The caller has gone.
pub async fn answer(stream: &mut dyn Stream, verdict: Result<(), String>) -> Result<(), HandshakeError> {
    within(write(stream, &verdict)).await
}

async fn within<T>(work: impl Future<Output = Result<T, HandshakeError>>) -> Result<T, HandshakeError> {
    timeout(HANDSHAKE_TIMEOUT, work).await.unwrap_or(Err(HandshakeError::TimedOut))
}

async fn write(stream: &mut dyn Stream, message: &impl Serialize) -> Result<(), HandshakeError> {
    let bytes = encode(message)?;
    stream.write_u32_le(bytes.len() as u32).await?;
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// Reads no byte more than the message, for what follows is read by somebody else.
async fn read<M: serde::de::DeserializeOwned>(stream: &mut dyn Stream) -> Result<M, HandshakeError> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let length = u32::from_le_bytes(head);
    if length > MAX_HANDSHAKE {
        // Read as TLS: a greeting, or an alert, of any version.
        let is_tls = matches!(head, [0x15 | 0x16, 3, ..]);
        return Err(if is_tls { HandshakeError::Encrypted } else { HandshakeError::TooLong(length) });
    }
    let mut bytes = vec![0; length as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(decode(&bytes)?)
}
