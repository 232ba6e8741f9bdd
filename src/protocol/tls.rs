//! TLS over any network: both sides show a certificate of one authority, or there is no connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::{AlertDescription, Error};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Empty, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Listener, NetworkFuture, Networking, Stream};
use crate::tls::{Credentials, LOOK, Reloaded, TlsError, TlsFiles, server_name};

/// What is read at most of a caller that was refused, so that it hears why.
const LAST_WORDS: u64 = 64 * 1024;

/// A network whose connections are encrypted, and whose two ends know that the other is one of ours. Certificates are read again
/// when their files change; connections that stand stay with those they were made with.
pub struct TlsNetwork {
    over: Arc<dyn Networking>,
    credentials: Arc<Reloaded<Credentials>>,
}

impl TlsNetwork {
    /// # Errors
    /// The files cannot be used.
    pub fn new(over: Arc<dyn Networking>, files: TlsFiles) -> Result<Self, TlsError> {
        let credentials = Reloaded::new(files.paths(), move || files.credentials())?;
        Ok(Self { over, credentials: Arc::new(credentials) })
    }
}

impl Networking for TlsNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Stream>> {
        Box::pin(async move {
            let name = server_name(address).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let stream = self.over.connect(address).await?;
            let connector = TlsConnector::from(self.credentials.present().client);
            let stream = connector.connect(name, stream).await.map_err(called)?;
            Ok(Box::new(TlsStream { state: State::Up(Box::new(stream.into())) }) as Box<dyn Stream>)
        })
    }

    fn listen<'a>(&'a self, address: &'a str) -> NetworkFuture<'a, Box<dyn Listener>> {
        Box::pin(async move {
            let over = self.over.listen(address).await?;
            let credentials = Arc::clone(&self.credentials);
            Ok(Box::new(TlsListener { over, credentials }) as Box<dyn Listener>)
        })
    }
}

struct TlsListener {
    over: Box<dyn Listener>,
    credentials: Arc<Reloaded<Credentials>>,
}

impl Listener for TlsListener {
    fn address(&self) -> String {
        self.over.address()
    }

    /// A caller that has not shaken hands yet: that is done while its first message is read, within the time and the number of
    /// callers that are allowed for that, so nobody waits for it.
    fn accept(&mut self) -> NetworkFuture<'_, (Box<dyn Stream>, String)> {
        Box::pin(async move {
            let (stream, from) = loop {
                tokio::select! {
                    biased;
                    accepted = self.over.accept() => break accepted?,
                    () = tokio::time::sleep(LOOK) => drop(self.credentials.present()),
                }
            };
            let acceptor = TlsAcceptor::from(self.credentials.present().server);
            let shaking = Box::pin(shake_hands(acceptor, stream));
            Ok((Box::new(TlsStream { state: State::ShakingHands(shaking) }) as Box<dyn Stream>, from))
        })
    }
}

async fn shake_hands(acceptor: TlsAcceptor, stream: Box<dyn Stream>) -> io::Result<Secured> {
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => Ok(stream.into()),
        Err((error, stream)) => {
            hear_out(stream).await;
            Err(calling(error))
        }
    }
}

/// Closes, and reads what is on its way: a socket that is closed with something unread resets the connection, and the caller never
/// reads why it was refused.
async fn hear_out(mut stream: Box<dyn Stream>) {
    if stream.shutdown().await.is_ok() {
        // Whatever comes of it, the caller has been told.
        let _ = tokio::io::copy(&mut stream.take(LAST_WORDS), &mut tokio::io::sink()).await;
    }
}

type Secured = tokio_rustls::TlsStream<Box<dyn Stream>>;

/// A connection over TLS.
struct TlsStream {
    state: State,
}

enum State {
    /// Goes on when somebody reads or writes.
    ShakingHands(Pin<Box<dyn Future<Output = io::Result<Secured>> + Send>>),
    Up(Box<Secured>),
    Refused,
}

impl TlsStream {
    /// The stream, when hands have been shaken.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut Secured>>> {
        if let State::ShakingHands(shaking) = &mut self.state {
            match ready!(shaking.as_mut().poll(cx)) {
                Ok(stream) => self.state = State::Up(Box::new(stream)),
                Err(error) => {
                    self.state = State::Refused;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match &mut self.state {
            State::Up(stream) => Ok(Pin::new(&mut **stream)),
            State::ShakingHands(_) | State::Refused => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_up(cx))?;
        stream.poll_read(cx, buffer).map_err(heard)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_up(cx))?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_up(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_up(cx))?.poll_shutdown(cx)
    }
}

impl Stream for TlsStream {
    /// Keys and counters of TLS belong to no thread; only the socket beneath, which the thread's reactor knows, has to move.
    /// While hands are being shaken it stays, and works with a detour.
    fn rehomed(mut self: Box<Self>) -> io::Result<Box<dyn Stream>> {
        if let State::Up(stream) = &mut self.state {
            let (socket, _) = stream.get_mut();
            *socket = std::mem::replace(socket, Box::new(tokio::io::empty())).rehomed()?;
        }
        Ok(self)
    }
}

/// Stands where a stream was that is being moved.
impl Stream for Empty {
    fn rehomed(self: Box<Self>) -> io::Result<Box<dyn Stream>> {
        Ok(self)
    }
}

/// Why a caller was refused, for the log.
fn calling(error: io::Error) -> io::Error {
    let text = match reason(&error) {
        Some(Error::InvalidMessage(_)) => {
            format!("the client does not use TLS ({error}); set [tls] there, too")
        }
        Some(Error::NoCertificatesPresented) => "the client presents no certificate".to_owned(),
        Some(Error::InvalidCertificate(why)) => format!("the certificate of the client is not accepted: {why}"),
        Some(Error::AlertReceived(alert)) => refusal(*alert),
        _ if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the client disconnected before the TLS handshake was complete".to_owned()
        }
        _ => return error,
    };
    io::Error::new(error.kind(), text)
}

/// Why nothing came of a call, for the log.
fn called(error: io::Error) -> io::Error {
    let text = match reason(&error) {
        Some(Error::InvalidMessage(_)) => format!("the server does not use TLS ({error}); set [tls] there, too"),
        Some(Error::InvalidCertificate(why)) => format!("the certificate of the server is not accepted: {why}"),
        Some(Error::AlertReceived(alert)) => refusal(*alert),
        _ if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            "the server disconnected before the TLS handshake was complete; if it does not use TLS, set [tls] there, too".to_owned()
        }
        _ => return error,
    };
    io::Error::new(error.kind(), text)
}

/// With TLS 1.3 a caller learns only from what it reads first that it was refused.
fn heard(error: io::Error) -> io::Error {
    match reason(&error) {
        Some(Error::AlertReceived(alert)) => io::Error::new(error.kind(), refusal(*alert)),
        _ => error,
    }
}

fn refusal(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::DecodeError | AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            format!("the peer does not support this TLS version or cipher: {alert:?}")
        }
        _ => format!("the peer does not accept the certificate of this process: {alert:?}"),
    }
}

fn reason(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
