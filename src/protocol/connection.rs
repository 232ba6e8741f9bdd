//! A stream in use: messages out of a bounded queue, messages in to whoever owns it.

use std::future::Future;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};

use super::{Limits, Stream};

/// Small messages that have gathered are written together, up to about so many bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// One side of a connection. Belongs to one actor (I3); when it is dropped, the connection is closed and nothing more comes
/// from it.
#[derive(Debug)]
pub struct Connection {
    /// Closed when the connection is to finish.
    outgoing: Option<mpsc::Sender<Vec<u8>>>,
    reading: AbortHandle,
    writing: Option<AbortHandle>,
}

/// A message that the connection does not take; the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the connection is closed")]
    Closed,
    #[error("the peer reads too slowly")]
    Full,
}

/// Why nothing more comes over a connection, for the log.
pub type ConnectionEnd = String;

impl Connection {
    /// Serves the stream on this thread. `deliver` gets message after message, each when it is done with the one before, so
    /// a slow owner slows down the sender; `ended` is called once, unless the connection is dropped before.
    pub fn start<F>(
        stream: Box<dyn Stream>,
        limits: Limits,
        deliver: impl FnMut(Vec<u8>) -> F + 'static,
        ended: impl FnOnce(ConnectionEnd) + 'static,
    ) -> Self
    where
        F: Future<Output = bool> + 'static,
    {
        let (incoming, outgoing) = split(stream);
        let (sender, queue) = mpsc::channel(limits.queue);
        let (failed, failure) = tokio::sync::oneshot::channel();
        let writing = spawn_local(async move {
            if let Err(error) = write(outgoing, queue).await {
                // The reading side may have ended before.
                let _ = failed.send(error);
            }
        });
        let reading = spawn_local(async move {
            // In this order and not by lot, so that a simulated run is deterministic.
            let end = tokio::select! {
                biased;
                Ok(error) = failure => error.to_string(),
                end = read(incoming, limits.frame_bytes, deliver) => end,
            };
            ended(end);
        });
        Self { outgoing: Some(sender), reading: reading.abort_handle(), writing: Some(writing.abort_handle()) }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// The connection has ended, or its queue is full; either way it should be dropped.
    pub fn send(&self, message: Vec<u8>) -> Result<(), SendError> {
        let outgoing = self.outgoing.as_ref().ok_or(SendError::Closed)?;
        outgoing.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }

    /// Reads nothing more, and closes the connection when all that is queued is written. The other side, or the end of this
    /// process, bounds how long that may take.
    pub fn finish(mut self) {
        self.outgoing = None;
        self.writing = None;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reading.abort();
        if let Some(writing) = &self.writing {
            writing.abort();
        }
    }
}

async fn write(mut stream: WriteHalf<Box<dyn Stream>>, mut queue: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut batch = Vec::new();
    while let Some(message) = queue.recv().await {
        batch.clear();
        append(&mut batch, &message);
        while batch.len() < BATCH_BYTES
            && let Ok(message) = queue.try_recv()
        {
            append(&mut batch, &message);
        }
        stream.write_all(&batch).await?;
        stream.flush().await?;
    }
    stream.shutdown().await
}

fn append(batch: &mut Vec<u8>, message: &[u8]) {
    batch.extend_from_slice(&(message.len() as u32).to_le_bytes());
    batch.extend_from_slice(message);
}

async fn read<F: Future<Output = bool>>(
    stream: ReadHalf<Box<dyn Stream>>,
    limit: u32,
    mut deliver: impl FnMut(Vec<u8>) -> F,
) -> ConnectionEnd {
    let mut stream = BufReader::new(stream);
    loop {
        match message(&mut stream, limit).await {
            Ok(message) => {
                if !deliver(message).await {
                    return "a message from the peer was refused".to_owned();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return "closed by the peer".to_owned();
            }
            Err(error) => return error.to_string(),
        }
    }
}

/// The next message. Memory is taken as its bytes come in, not for what its length says.
async fn message(stream: &mut BufReader<ReadHalf<Box<dyn Stream>>>, limit: u32) -> io::Result<Vec<u8>> {
    let length = stream.read_u32_le().await?;
    if length > limit {
        let text = format!("message of {length} bytes, at most {limit} are allowed");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut message = Vec::with_capacity(length.min(BATCH_BYTES as u32) as usize);
    stream.take(u64::from(length)).read_to_end(&mut message).await?;
    if message.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(message)
}
