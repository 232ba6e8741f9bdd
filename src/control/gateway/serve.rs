//! The thread of the gateway: takes connections and serves each in a task of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::auth::Access;
use super::http::{probe_router, router};
use super::hub::{Hub, LetIn};
use super::limits::GatewayLimits;
use super::probes::Probes;
use crate::control::Asked;
use crate::control::live::LiveIn;
use crate::observe::Instruments;
use crate::tls::{LOOK, Reloaded, TlsError, TlsFiles};

/// Connections beyond those of clients: probes and commands, which come and go, and callers that are not let in yet.
const MAX_UNAUTHENTICATED: usize = 256;
/// Pause after the system gave no connection, for example because there are too many open files.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Where and for whom the gateway is open.
pub struct GatewaySetup {
    pub address: String,
    pub access: Access,
    pub tls: Option<TlsFiles>,
    pub limits: GatewayLimits,
    /// Commands of clients.
    pub front: mpsc::Sender<Asked>,
    pub live: LiveIn,
    pub instruments: Instruments,
}

/// Where a process that takes no commands shows its health and its metrics.
pub struct ProbeSetup {
    pub address: String,
    pub tls: Option<TlsFiles>,
    pub limits: GatewayLimits,
    /// `None`: there is no run to be seen from here.
    pub live: Option<LiveIn>,
    pub instruments: Instruments,
}

#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("cannot listen on {address}: {error}; choose another address with --http")]
    Listen { address: String, error: std::io::Error },
    #[error(
        "{address} can be reached from other machines, and nobody would need a token; set control.token_file or control.client_ca, \
         or listen on 127.0.0.1"
    )]
    Open { address: String },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the thread of the gateway cannot be started: {0}")]
    Thread(std::io::Error),
}

/// A gateway that is open; closes when it is dropped.
pub struct Gateway {
    pub address: SocketAddr,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Opens it.
    ///
    /// # Errors
    /// The address is taken, or open to others without any protection; certificates cannot be used.
    pub fn open(setup: GatewaySetup) -> Result<Self, GatewayError> {
        let GatewaySetup { address, access, tls, limits, front, live, instruments } = setup;
        let is_mutual = tls.as_ref().is_some_and(|tls| tls.ca.is_some());
        let certificates = certificates(tls)?;
        let has_tls = certificates.is_some();
        let (listener, bound) = listen(&address)?;
        let is_protected = access.needs_token() || is_mutual;
        if !bound.ip().is_loopback() && !is_protected {
            return Err(GatewayError::Open { address });
        }
        let hub = Hub::new(limits, access, front, live, instruments);
        let gateway = Self::serve(listener, bound, certificates, limits, move |let_in| router(hub.for_caller(let_in)))?;
        tracing::info!(address = %bound, tls = has_tls, "gateway listens for commands");
        Ok(gateway)
    }

    /// Opens one for probes alone. They change nothing, so it may be open to other machines.
    ///
    /// # Errors
    /// The address is taken; certificates cannot be used.
    pub fn open_for_probes(setup: ProbeSetup) -> Result<Self, GatewayError> {
        let ProbeSetup { address, tls, limits, live, instruments } = setup;
        let certificates = certificates(tls)?;
        let has_tls = certificates.is_some();
        let (listener, bound) = listen(&address)?;
        let router = probe_router(Probes { instruments, live });
        let gateway = Self::serve(listener, bound, certificates, limits, move |_| router.clone())?;
        tracing::info!(address = %bound, tls = has_tls, "gateway serves health and metrics");
        Ok(gateway)
    }

    fn serve(
        listener: std::net::TcpListener,
        address: SocketAddr,
        certificates: Option<Certificates>,
        limits: GatewayLimits,
        router_for: impl Fn(LetIn) -> Router + Send + 'static,
    ) -> Result<Self, GatewayError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(GatewayError::Thread)?;
        let (close, closed) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async move {
                let listener = match TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, "the gateway cannot listen"),
                };
                tokio::select! {
                    () = accept(listener, certificates, limits, router_for) => {}
                    // Also when the sender is dropped.
                    _ = closed => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("gateway".to_owned()).spawn(run).map_err(GatewayError::Thread)?;
        Ok(Self { address, close: Some(close), thread: Some(thread) })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.close.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the gateway panicked");
        }
    }
}

type Certificates = Reloaded<Arc<ServerConfig>>;

fn certificates(tls: Option<TlsFiles>) -> Result<Option<Certificates>, TlsError> {
    tls.map(|tls| Reloaded::new(tls.paths(), move || tls.gateway())).transpose()
}

fn listen(address: &str) -> Result<(std::net::TcpListener, SocketAddr), GatewayError> {
    let failed = |error| GatewayError::Listen { address: address.to_owned(), error };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn accept(
    listener: TcpListener,
    certificates: Option<Certificates>,
    limits: GatewayLimits,
    router_for: impl Fn(LetIn) -> Router,
) {
    let places = Arc::new(Semaphore::new(limits.clients + MAX_UNAUTHENTICATED));
    let mut unauthenticated = UnauthenticatedConnections::default();
    loop {
        // Callers wait outside while there is no room.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = loop {
            tokio::select! {
                biased;
                accepted = listener.accept() => break accepted,
                () = tokio::time::sleep(LOOK) => drop(certificates.as_ref().map(Reloaded::present)),
            }
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a client connection");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let acceptor = certificates.as_ref().map(|certificates| TlsAcceptor::from(certificates.present()));
        let (let_in, timeout) = (LetIn::default(), limits.opening_timeout);
        let router = router_for(let_in.clone());
        let serving = tokio::spawn(async move {
            // Updates are small and should come at once.
            let _ = stream.set_nodelay(true);
            match acceptor {
                None => converse(stream, router, timeout).await,
                Some(acceptor) => match tokio::time::timeout(timeout, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, router, timeout).await,
                    Ok(Err(error)) => tracing::warn!(%from, %error, "client refused: TLS handshake failed"),
                    Err(_) => tracing::warn!(%from, "client refused: TLS handshake timed out"),
                },
            }
            drop(place);
        });
        unauthenticated.come(from, let_in, serving.abort_handle());
    }
}

/// Callers that have not been let in yet. They take no place from others: when there are more than [`MAX_UNAUTHENTICATED`], the one that came
/// first has to go.
#[derive(Default)]
struct UnauthenticatedConnections(VecDeque<(SocketAddr, LetIn, AbortHandle)>);

impl UnauthenticatedConnections {
    fn come(&mut self, from: SocketAddr, let_in: LetIn, serving: AbortHandle) {
        self.0.retain(|(_, let_in, serving)| !let_in.is() && !serving.is_finished());
        self.0.push_back((from, let_in, serving));
        if self.0.len() >= MAX_UNAUTHENTICATED
            && let Some((from, _, oldest)) = self.0.pop_front()
        {
            oldest.abort();
            tracing::warn!(%from, "client refused: too many unauthenticated connections");
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, timeout: Duration) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection to a client ended");
    }
}
