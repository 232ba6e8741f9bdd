//! How streams come about. The rest of the program does not know what network it runs on: TCP, the memory of one process,
//! or a simulated one.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A connection to another process. It has one owner at a time (I3).
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The same connection, served by the thread that calls this. A stream wakes the thread on which it was made, so
    /// whoever takes it over to another thread spares itself a detour with every message.
    ///
    /// # Errors
    /// The operating system refuses; the connection is lost.
    fn rehomed(self: Box<Self>) -> io::Result<Box<dyn Stream>>;
}

pub type NetworkFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Something that accepts connections.
pub trait Listener: Send {
    /// Where others reach it, `HOST:PORT`.
    fn address(&self) -> String;
    /// The next connection and where it comes from.
    fn accept(&mut self) -> NetworkFuture<'_, (Box<dyn Stream>, String)>;
}

/// Makes connections and listeners.
pub trait Networking: Send + Sync {
    fn connect<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Stream>>;
    fn listen<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Listener>>;
}

/// TCP without delays. A peer that has gone without a word is noticed within about a minute, also when neither side has anything
/// to say; heartbeats notice it sooner.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpNetwork;

/// A connection over which nothing came for so long is probed,
const PROBED_AFTER: Duration = Duration::from_secs(20);
/// so often,
const PROBES: u32 = 3;
/// with such pauses, and then given up.
const PROBED_EVERY: Duration = Duration::from_secs(10);
/// The same for one on which bytes wait to be acknowledged: probes are sent on idle connections only.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(PROBED_AFTER).with_interval(PROBED_EVERY).with_retries(PROBES);
    socket.set_tcp_keepalive(&probes)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

impl Stream for TcpStream {
    fn rehomed(self: Box<Self>) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(Self::from_std(self.into_std()?)?))
    }
}

impl Listener for TcpListener {
    fn address(&self) -> String {
        self.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
    }
    fn accept(&mut self) -> NetworkFuture<'_, (Box<dyn Stream>, String)> {
        Box::pin(async move {
            let (stream, from) = Self::accept(self).await?;
            prepare(&stream)?;
            Ok((Box::new(stream) as Box<dyn Stream>, from.to_string()))
        })
    }
}

impl Networking for TcpNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Stream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            prepare(&stream)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
    fn listen<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Listener>> {
        Box::pin(async move { Ok(Box::new(TcpListener::bind(address).await?) as Box<dyn Listener>) })
    }
}

/// Bytes that a connection within the process holds before the writer waits.
const LOCAL_BUFFER: usize = 256 * 1024;
/// Connections that wait to be accepted.
const LOCAL_BACKLOG: usize = 128;

/// Connections within one process. Clones share the listeners, which are only looked up here; no connection is shared.
#[derive(Clone, Default)]
pub struct LocalNetwork {
    listeners: Arc<Mutex<BTreeMap<String, mpsc::Sender<DuplexStream>>>>,
}

impl Stream for DuplexStream {
    fn rehomed(self: Box<Self>) -> io::Result<Box<dyn Stream>> {
        Ok(self)
    }
}

struct LocalListener {
    address: String,
    incoming: mpsc::Receiver<DuplexStream>,
}

impl Listener for LocalListener {
    fn address(&self) -> String {
        self.address.clone()
    }
    fn accept(&mut self) -> NetworkFuture<'_, (Box<dyn Stream>, String)> {
        Box::pin(async move {
            let stream = self.incoming.recv().await.ok_or(io::ErrorKind::NotConnected)?;
            Ok((Box::new(stream) as Box<dyn Stream>, "this process".to_owned()))
        })
    }
}

impl Networking for LocalNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Stream>> {
        let listener = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned();
        Box::pin(async move {
            let (here, there) = tokio::io::duplex(LOCAL_BUFFER);
            let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
            listener.send(there).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(here) as Box<dyn Stream>)
        })
    }
    fn listen<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Listener>> {
        Box::pin(async move {
            let (sender, incoming) = mpsc::channel(LOCAL_BACKLOG);
            let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            // A port of 0 asks for a free one, as in TCP.
            let address = match address.strip_suffix(":0") {
                Some(host) => format!("{host}:{}", listeners.len() + 1),
                None => address.to_owned(),
            };
            listeners.insert(address.clone(), sender);
            Ok(Box::new(LocalListener { address, incoming }) as Box<dyn Listener>)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without heartbeats nobody looked after a connection whose other side had lost power.
    #[tokio::test]
    async fn a_peer_that_goes_without_a_word_is_looked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(
            (socket.tcp_keepalive_time().unwrap(), socket.tcp_user_timeout().unwrap()),
            (PROBED_AFTER, Some(UNACKNOWLEDGED))
        );
    }
}
