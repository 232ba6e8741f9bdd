//! Traces for an OpenTelemetry collector (docs/traces.md): what the log tells of runs, recoveries, commits and commands, as spans.
//! The log is the one source, so whoever acts knows nothing of traces. Only in programs that are built with the feature `otel`.

#[cfg(feature = "otel")]
mod exporter;
#[cfg(feature = "otel")]
mod http_client;
#[cfg(feature = "otel")]
mod layer;
#[cfg(feature = "otel")]
mod span;
#[cfg(feature = "otel")]
mod story;

use tracing::Subscriber;
#[cfg(feature = "otel")]
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::logging::Lines;
use crate::diagnostics::InputError;
use crate::observe::Role;
use crate::settings::OtelSettings;

/// The process that traces come from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub role: Role,
    /// The one that it says with `--name`.
    pub name: String,
}

/// Sends what waits to the collector when it is dropped.
#[must_use]
pub struct TracesGuard {
    #[cfg(feature = "otel")]
    exporter: std::sync::Arc<exporter::Exporter>,
}

#[cfg(feature = "otel")]
impl Drop for TracesGuard {
    fn drop(&mut self) {
        // The log has the exporter, too, and never ends.
        self.exporter.finish();
    }
}

/// A layer of the log that makes spans of its lines. `None`: nobody asks for traces.
///
/// # Errors
/// The settings ask for traces, and this program was built without, or its threads cannot be started.
pub fn traces<S>(settings: &OtelSettings, origin: &Origin) -> Result<Option<(Lines<S>, TracesGuard)>, InputError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if settings.endpoint.is_empty() {
        return Ok(None);
    }
    start(&settings.endpoint, origin).map(Some).map_err(|what| InputError::file("otel.endpoint", what))
}

#[cfg(feature = "otel")]
fn start<S>(endpoint: &str, origin: &Origin) -> Result<(Lines<S>, TracesGuard), String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let exporter = exporter::Exporter::start(endpoint, origin).map_err(|error| error.to_string())?;
    let exporter = std::sync::Arc::new(exporter);
    let layer = layer::TraceLayer::new(std::sync::Arc::clone(&exporter));
    // Not that of the log: who logs less must not be told less of.
    let lines = tracing_subscriber::filter::Targets::new().with_target("tessds", tracing::Level::DEBUG);
    Ok((layer.with_filter(lines).boxed(), TracesGuard { exporter }))
}

#[cfg(not(feature = "otel"))]
fn start<S>(endpoint: &str, _: &Origin) -> Result<(Lines<S>, TracesGuard), String> {
    Err(format!("this program was built without traces, so nothing goes to {endpoint}; build it with --features otel"))
}
