//! What a trace is made of.

use std::time::SystemTime;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// A value of a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Number(i64),
    Text(String),
}

/// The trace that a span belongs to. It follows from what the span is about, so that master and workers, and masters before and
/// after a restart, find the same one without telling each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub u128);

impl TraceId {
    pub fn of(run: &str, subject: &str, number: i64) -> Self {
        // Zero means none to collectors.
        Self(xxh3_128(format!("{run}\n{subject}\n{number}").as_bytes()).max(1))
    }

    /// The span of this trace that others can name.
    pub fn span(self, name: &str, number: i64) -> SpanId {
        SpanId(xxh3_64(format!("{}\n{name}\n{number}", self.0).as_bytes()).max(1))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub u64);

/// Something that began and has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace: TraceId,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub name: &'static str,
    pub began: SystemTime,
    pub ended: SystemTime,
    /// Named as in the log (docs/logging.md).
    pub attributes: Vec<(&'static str, Field)>,
    /// Why it came to nothing; `None`: it did not.
    pub failed: Option<String>,
}
