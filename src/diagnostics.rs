//! What the readers say about bad input: errors that end the load, and warnings that are given once per kind (I9).

use std::collections::BTreeMap;
use std::fmt;

/// Where in the input something was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// File name as the user gave it; empty when the input is not a file.
    pub file: String,
    /// One-based; 0 when the line is not known.
    pub line: u64,
    /// The element, for example `vehicle 'bus_3'`; may be empty.
    pub element: String,
}

impl Location {
    /// A whole file.
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// A line of a file; they count from 1.
    pub fn line(file: impl Into<String>, line: u64) -> Self {
        Self { line, ..Self::file(file) }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.element.is_empty() {
            write!(f, ": {}", self.element)?;
        }
        Ok(())
    }
}

/// Input that cannot be simulated. The program ends with exit code 2.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{at}: {message}")]
pub struct InputError {
    pub at: Location,
    /// What is wrong and what to do about it, lower case, no full stop.
    pub message: String,
}

impl InputError {
    pub fn new(at: Location, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
    /// An error about a whole file.
    pub fn file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Location::file(file), message)
    }
}

/// Collects warnings: the first of each kind in full, the others counted.
#[derive(Debug, Default)]
pub struct Warnings {
    by_kind: BTreeMap<String, (Location, String, u64)>,
}

impl Warnings {
    /// `kind` groups warnings ("element 'person' is not simulated"); `message` says what was done instead.
    pub fn add(&mut self, kind: impl Into<String>, at: Location, message: impl Into<String>) {
        self.by_kind.entry(kind.into()).or_insert_with(|| (at, message.into(), 0)).2 += 1;
    }
    pub fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }
    /// `(kind, first location, message, how often)` in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Location, &str, u64)> {
        self.by_kind.iter().map(|(k, (at, m, n))| (k.as_str(), at, m.as_str(), *n))
    }
}
