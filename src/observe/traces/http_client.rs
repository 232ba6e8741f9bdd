//! How spans get to the collector: HTTP without TLS, from a thread that does nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::{Builder, Runtime};

/// Waits for each answer: the exporter's thread has nothing else to do, and no loop of its own that hyper could run on.
#[derive(Debug)]
pub struct WaitingClient {
    runtime: Runtime,
    client: HyperClient,
    /// The collector did not take the last spans.
    failing: AtomicBool,
}

impl WaitingClient {
    /// # Errors
    /// There is no file descriptor left for its loop.
    pub fn new(timeout: Duration) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            runtime,
            client: HyperClient::with_default_connector(timeout, None),
            failing: AtomicBool::new(false),
        })
    }

    /// Says when it becomes worse or better, not every time.
    fn note(&self, error: Option<String>) {
        let was_failing = self.failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_failing => {
                tracing::warn!(error, "the collector does not accept traces; traces are dropped until it does");
            }
            None if was_failing => tracing::info!("the collector accepts traces again"),
            _ => {}
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for WaitingClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.runtime.block_on(self.client.send_bytes(request));
        self.note(match &answer {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the answer is {}", response.status())),
            Err(error) => Some(error.to_string()),
        });
        answer
    }
}
