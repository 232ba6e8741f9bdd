//! Sends spans to a collector, by OTLP over HTTP.

use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor};

use super::Origin;
use super::http_client::WaitingClient;
use super::span::{Field, Span};

/// For the collector to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A process that ends waits so long for its last spans to be taken.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum ExporterError {
    #[error("the connection thread cannot be started: {0}")]
    Loop(#[from] std::io::Error),
    #[error("spans cannot be sent to this endpoint: {0}")]
    Build(#[from] ExporterBuildError),
}

/// Collects spans on a thread of its own. Those that come faster than the collector takes them are left out (I7).
pub struct Exporter {
    spans: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Exporter {
    /// # Errors
    /// The address is none, or the thread cannot be started.
    pub fn start(endpoint: &str, origin: &Origin) -> Result<Self, ExporterError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(WaitingClient::new(TIMEOUT)?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .build()?;
        let mut spans = BatchSpanProcessor::builder(exporter).build();
        // OTEL_RESOURCE_ATTRIBUTES adds to these.
        let resource = Resource::builder()
            .with_service_name("tessds")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", origin.name.clone()),
                KeyValue::new("tessds.role", origin.role.name()),
            ])
            .build();
        spans.set_resource(&resource);
        Ok(Self { spans, scope: InstrumentationScope::builder("tessds").build() })
    }

    /// Hands a span over; never waits.
    pub fn send(&self, span: Span) {
        let Span { trace, id, parent, name, began, ended, attributes, failed } = span;
        let trace = TraceId::from_bytes(trace.0.to_be_bytes());
        let id = SpanId::from_bytes(id.0.to_be_bytes());
        let value = |field| match field {
            Field::Number(number) => Value::I64(number),
            Field::Text(text) => Value::String(text.into()),
        };
        self.spans.on_end(SpanData {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.0.to_be_bytes())),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: began,
            end_time: ended,
            attributes: attributes.into_iter().map(|(key, field)| KeyValue::new(key, value(field))).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: failed.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        });
    }

    /// Sends what waits; what comes later is left out.
    pub fn finish(&self) {
        if let Err(error) = self.spans.shutdown_with_timeout(LAST_SPANS) {
            tracing::debug!(%error, "the last traces were dropped");
        }
    }
}
