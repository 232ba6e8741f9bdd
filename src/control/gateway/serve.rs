//! The thread of the gateway: takes connections and serves each in a task of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use super::auth::Access;
use super::http::{probe_router, router};
use super::hub::Hub;
use super::limits::GatewayLimits;
use super::probes::Probes;
use super::tls::{TlsError, TlsFiles};
use crate::control::Asked;
use crate::control::live::LiveIn;
use crate::observe::Instruments;

/// Connections beyond those of clients: probes and commands, which come and go.
const PASSING: usize = 256;
/// Pause after the system gave no connection, for example because there are too many open files.
const BREATH: Duration = Duration::from_millis(100);

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
        let (listener, bound) = listen(&address)?;
        let is_protected = access.needs_token() || tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if !bound.ip().is_loopback() && !is_protected {
            return Err(GatewayError::Open { address });
        }
        let router = router(Hub::new(limits, access, front, live, instruments));
        let gateway = Self::serve(listener, bound, tls.as_ref(), router, limits)?;
        tracing::info!(address = %bound, tls = tls.is_some(), "commands are taken here");
        Ok(gateway)
    }

    /// Opens one for probes alone. They change nothing, so it may be open to other machines.
    ///
    /// # Errors
    /// The address is taken; certificates cannot be used.
    pub fn open_for_probes(setup: ProbeSetup) -> Result<Self, GatewayError> {
        let ProbeSetup { address, tls, limits, live, instruments } = setup;
        let (listener, bound) = listen(&address)?;
        let gateway = Self::serve(listener, bound, tls.as_ref(), probe_router(Probes { instruments, live }), limits)?;
        tracing::info!(address = %bound, tls = tls.is_some(), "health and metrics are shown here");
        Ok(gateway)
    }

    fn serve(
        listener: std::net::TcpListener,
        address: SocketAddr,
        tls: Option<&TlsFiles>,
        router: Router,
        limits: GatewayLimits,
    ) -> Result<Self, GatewayError> {
        let acceptor = tls.map(TlsFiles::acceptor).transpose()?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(GatewayError::Thread)?;
        let (close, closed) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async move {
                let listener = match TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, "the gateway cannot listen"),
                };
                tokio::select! {
                    () = accept(listener, acceptor, router, limits) => {}
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

fn listen(address: &str) -> Result<(std::net::TcpListener, SocketAddr), GatewayError> {
    let failed = |error| GatewayError::Listen { address: address.to_owned(), error };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, router: Router, limits: GatewayLimits) {
    let places = Arc::new(Semaphore::new(limits.clients + PASSING));
    loop {
        // Callers wait outside while there is no room.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a client could not be let in");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (acceptor, router, timeout) = (acceptor.clone(), router.clone(), limits.opening_timeout);
        tokio::spawn(async move {
            // Updates are small and should come at once.
            let _ = stream.set_nodelay(true);
            match acceptor {
                None => converse(stream, router, timeout).await,
                Some(acceptor) => match tokio::time::timeout(timeout, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, router, timeout).await,
                    Ok(Err(error)) => tracing::warn!(%from, %error, "client refused: no TLS connection with it"),
                    Err(_) => tracing::warn!(%from, "client refused: it does not go on with the TLS handshake"),
                },
            }
            drop(place);
        });
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
