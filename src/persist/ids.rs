//! Names of what is stored.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

use super::StoreError;

/// Names become file names and parts of Redis keys, so only letters, digits and `. _ -` are allowed, and no dot in front.
pub(super) fn check_name(kind: &str, name: &str) -> Result<(), StoreError> {
    const LONGEST: usize = 64;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if name.is_empty() || name.len() > LONGEST || !plain || name.starts_with('.') {
        return Err(StoreError::config(format!(
            "'{}' cannot be the name of a {kind}: use 1 to {LONGEST} letters, digits, '.', '_', '-', not beginning with a dot",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// Counts the times that partitions were placed anew. What carries an older epoch changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// The name under which a run is stored and resumed; not its id, which messages carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunName(String);

impl RunName {
    pub fn new(name: impl Into<String>) -> Result<Self, StoreError> {
        let name = name.into();
        check_name("run", &name)?;
        Ok(Self(name))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RunName {
    type Error = StoreError;
    fn try_from(name: String) -> Result<Self, StoreError> {
        Self::new(name)
    }
}

impl From<RunName> for String {
    fn from(name: RunName) -> Self {
        name.0
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// XXH3-128 of some bytes: it finds damage, not malice. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub u128);

impl ContentHash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for ContentHash {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or_else(|| {
            StoreError::config(format!("'{}' is not a hash of 32 hexadecimal digits", text.escape_debug()))
        })
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whose state a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PartName {
    Partition(u16),
    Recorder,
    Master,
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(number) => write!(f, "p{number}"),
            Self::Recorder => f.write_str("recorder"),
            Self::Master => f.write_str("master"),
        }
    }
}

impl FromStr for PartName {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let number = |digits: &str| digits.parse().ok().filter(|n: &u16| n.to_string() == digits);
        match text {
            "recorder" => Ok(Self::Recorder),
            "master" => Ok(Self::Master),
            _ => text
                .strip_prefix('p')
                .and_then(number)
                .map(Self::Partition)
                .ok_or_else(|| StoreError::config(format!("'{}' is not the name of a part", text.escape_debug()))),
        }
    }
}

/// One upload of one part. The epoch is the one in which its writer was placed, which may be older than the current one:
/// only partitions that were lost are placed anew. A writer that does not know whether an upload succeeded tries again with
/// the next `attempt`, so no two uploads ever share an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartId {
    /// Steps done: the part holds state(step).
    pub step: u64,
    pub epoch: Epoch,
    pub part: PartName,
    pub attempt: u32,
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part {} of step {} (epoch {}, attempt {})", self.part, self.step, self.epoch.0, self.attempt)
    }
}
