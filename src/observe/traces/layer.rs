//! The log as a source of spans.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tracing::field::{Field as Key, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::exporter::Exporter;
use super::span::Field;
use super::story::{Line, Story};

/// Hears all lines of the log, and hands on what they make. Lines are rare: nothing on the way of a step logs.
pub struct TraceLayer {
    story: Mutex<Story>,
    exporter: Arc<Exporter>,
}

impl TraceLayer {
    pub fn new(exporter: Arc<Exporter>) -> Self {
        Self { story: Mutex::default(), exporter }
    }
}

impl<S: Subscriber> Layer<S> for TraceLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut reader = Reader::default();
        event.record(&mut reader);
        let line = Line { at: SystemTime::now(), message: reader.message, fields: reader.fields };
        let mut spans = Vec::new();
        // A panic of another thread leaves a story with a gap.
        self.story.lock().unwrap_or_else(PoisonError::into_inner).hear(&line, &mut spans);
        spans.into_iter().for_each(|span| self.exporter.send(span));
    }
}

/// Takes a line apart.
#[derive(Default)]
struct Reader {
    message: String,
    fields: BTreeMap<&'static str, Field>,
}

impl Reader {
    fn take(&mut self, key: &Key, text: String) {
        if key.name() == "message" {
            self.message = text;
        } else {
            self.fields.insert(key.name(), Field::Text(text));
        }
    }
}

impl Visit for Reader {
    fn record_i64(&mut self, key: &Key, value: i64) {
        self.fields.insert(key.name(), Field::Number(value));
    }

    fn record_u64(&mut self, key: &Key, value: u64) {
        self.record_i64(key, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_str(&mut self, key: &Key, value: &str) {
        self.take(key, value.to_owned());
    }

    fn record_debug(&mut self, key: &Key, value: &dyn Debug) {
        self.take(key, format!("{value:?}"));
    }
}
