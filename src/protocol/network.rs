//! How streams come about. The rest of the program does not know what network it runs on: TCP, the memory of one process,
//! or a simulated one.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

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

/// TCP without delays.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpNetwork;

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
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as Box<dyn Stream>, from.to_string()))
        })
    }
}

impl Networking for TcpNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Stream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
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
