//! The simulated network behind the program's traits, with a tap for the judge.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tessds::protocol::{
    Handshake, Listener, NetworkFuture, Networking, PeerMessage, Purpose, Stream, ToMaster, ToWorker, decode,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use super::hub::{Hub, now_ms};

/// One end of a connection, as the faults see it.
pub struct Wire {
    pub local: String,
    pub remote: String,
    severed: AtomicBool,
    wakers: Mutex<[Option<Waker>; 2]>,
}

impl Wire {
    pub fn sever(&self) {
        self.severed.store(true, Ordering::Relaxed);
        let wakers = std::mem::take(&mut *self.wakers.lock().expect("no panic"));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn check(&self, direction: usize, cx: &Context<'_>) -> io::Result<()> {
        if self.severed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.wakers.lock().expect("no panic")[direction] = Some(cx.waker().clone());
        Ok(())
    }
}

/// Looks at what one end writes.
struct Tap {
    hub: Arc<Hub>,
    dialled: bool,
    /// Address of the end that dialled.
    caller: std::net::SocketAddr,
    is_opened: bool,
    bytes: Vec<u8>,
}

impl Tap {
    fn written(&mut self, bytes: &[u8], wire: &Wire) {
        self.bytes.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = self.bytes.get(at..at + 4) {
            let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
            let Some(message) = self.bytes.get(at + 4..at + 4 + length) else { break };
            let opened = std::mem::replace(&mut self.is_opened, true);
            self.message(message, opened, wire);
            at += 4 + length;
        }
        self.bytes.drain(..at);
    }

    fn message(&self, bytes: &[u8], opened: bool, wire: &Wire) {
        self.hub.judge().note(now_ms(), &wire.local, &wire.remote, bytes);
        if !opened {
            if self.dialled {
                let opening: Handshake = decode(bytes).expect("an opening");
                self.hub.people().purposes.insert(self.caller, opening.purpose);
            }
            return;
        }
        let purpose = self.hub.people().purposes.get(&self.caller).cloned().expect("a known caller");
        let (local, remote) = (&wire.local, &wire.remote);
        match purpose {
            Purpose::Neighbour { from, to, .. } => {
                let (from, to) = if self.dialled { (from, to) } else { (to, from) };
                let message: PeerMessage = decode(bytes).expect("a message of a neighbour");
                tracing::trace!(local, remote, from, to, message = short(&message), "MESSAGE");
                self.hub.judge().peer(from, to, &message);
            }
            Purpose::Work if self.dialled => {
                let message: ToMaster = decode(bytes).expect("a message to the master");
                tracing::trace!(local, remote, message = short(&message), "MESSAGE");
                self.hub.judge().hear_worker(&message);
            }
            Purpose::Work => {
                let message: ToWorker = decode(bytes).expect("a message to a worker");
                tracing::trace!(local, remote, message = short(&message), "MESSAGE");
                let (from, to) = (self.hub.process_on(local), self.hub.process_on(remote));
                self.hub.judge().hear_master(from, to, self.caller, &message);
            }
        }
    }
}

/// For the log.
fn short(message: &impl std::fmt::Debug) -> String {
    let mut text = format!("{message:?}");
    if let Some((end, _)) = text.char_indices().nth(240) {
        text.truncate(end);
    }
    text
}

struct SimStream {
    inner: TcpStream,
    wire: Arc<Wire>,
    tap: Tap,
}

impl SimStream {
    fn new(hub: &Arc<Hub>, inner: TcpStream, local: &str, remote: String, dialled: bool) -> io::Result<Self> {
        let wire = Wire { local: local.to_owned(), remote, severed: AtomicBool::new(false), wakers: Mutex::default() };
        let wire = Arc::new(wire);
        hub.people().wires.push(Arc::clone(&wire));
        let caller = if dialled { inner.local_addr()? } else { inner.peer_addr()? };
        let tap = Tap { hub: Arc::clone(hub), dialled, caller, is_opened: false, bytes: Vec::new() };
        Ok(Self { inner, wire, tap })
    }
}

impl Stream for SimStream {
    fn rehomed(self: Box<Self>) -> io::Result<Box<dyn Stream>> {
        Ok(self)
    }
}

impl AsyncRead for SimStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.wire.check(0, cx)?;
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.wire.check(1, cx)?;
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = written {
            let this = &mut *self;
            this.tap.written(&buf[..count], &this.wire);
        }
        written
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.check(1, cx)?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The network as one host sees it. `master` is a name that moves from host to host.
#[derive(Clone)]
pub struct SimNetwork {
    pub hub: Arc<Hub>,
    pub host: String,
}

struct SimListener {
    network: SimNetwork,
    inner: TcpListener,
    address: String,
}

impl Networking for SimNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Stream>> {
        Box::pin(async move {
            let (name, port) = address.split_once(':').ok_or(io::ErrorKind::InvalidInput)?;
            let host = if name == "master" { self.hub.people().master.clone() } else { name.to_owned() };
            let port: u16 = port.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            Ok(Box::new(SimStream::new(&self.hub, stream, &self.host, host, true)?) as Box<dyn Stream>)
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Listener>> {
        Box::pin(async move {
            let (_, port) = address.split_once(':').ok_or(io::ErrorKind::InvalidInput)?;
            let inner = TcpListener::bind(format!("0.0.0.0:{port}")).await?;
            let address = format!("{}:{port}", self.host);
            Ok(Box::new(SimListener { network: self.clone(), inner, address }) as Box<dyn Listener>)
        })
    }
}

impl Listener for SimListener {
    fn address(&self) -> String {
        self.address.clone()
    }
    fn accept(&mut self) -> NetworkFuture<'_, (Box<dyn Stream>, String)> {
        Box::pin(async move {
            let (stream, from) = self.inner.accept().await?;
            let remote = turmoil::reverse_lookup(from.ip()).unwrap_or_else(|| from.to_string());
            let SimNetwork { hub, host } = &self.network;
            let stream = SimStream::new(hub, stream, host, remote.clone(), false)?;
            Ok((Box::new(stream) as Box<dyn Stream>, remote))
        })
    }
}
