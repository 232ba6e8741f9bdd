//! Every key and file name, built in this one place.

use std::path::{Path, PathBuf};

use super::{ContentHash, PartId, RunName};
use crate::persist::Epoch;

/// Name of a part, the same in every store: `STEP-EPOCH-PART-ATTEMPT`, for example `000000000400-2-p7-1`.
pub(super) fn part_name(id: &PartId) -> String {
    format!("{:012}-{}-{}-{}", id.step, id.epoch.0, id.part, id.attempt)
}

/// The part of that name; `None` for anything that [`part_name`] does not write.
pub(super) fn parse_part_name(name: &str) -> Option<PartId> {
    let mut fields = name.split('-');
    let step = fields.next()?.parse().ok()?;
    let epoch = Epoch(fields.next()?.parse().ok()?);
    let part = fields.next()?.parse().ok()?;
    let attempt = fields.next()?.parse().ok()?;
    let id = PartId { step, epoch, part, attempt };
    (part_name(&id) == name).then_some(id)
}

/// Keys of one run in Redis. The braces make it one hash tag, so that a cluster keeps them in one slot.
pub(super) struct RedisKeys {
    prefix: String,
}

impl RedisKeys {
    /// The set of the names of all runs; the only key outside of a run's slot.
    pub const RUNS: &str = "tessds:runs";

    pub fn new(run: &RunName) -> Self {
        Self { prefix: format!("tessds:{{{run}}}:") }
    }
    fn of(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
    /// Hash: `epoch`, `committed`.
    pub fn state(&self) -> String {
        self.of("state")
    }
    /// String: the holder; expires with the lease.
    pub fn lease(&self) -> String {
        self.of("lease")
    }
    /// Hash: step to manifest.
    pub fn commits(&self) -> String {
        self.of("commits")
    }
    /// Hash: name to bytes.
    pub fn records(&self) -> String {
        self.of("records")
    }
    /// List.
    pub fn log(&self) -> String {
        self.of("log")
    }
    /// Sorted set: names of parts by step.
    pub fn parts(&self) -> String {
        self.of("parts")
    }
    /// Set: hashes of blobs.
    pub fn blobs(&self) -> String {
        self.of("blobs")
    }
    /// Hash: `meta` (`LENGTH:HASH`) and the chunks under their numbers.
    pub fn part(&self, name: &str) -> String {
        format!("{}part:{name}", self.prefix)
    }
    /// As [`part`](Self::part).
    pub fn blob(&self, hash: &str) -> String {
        format!("{}blob:{hash}", self.prefix)
    }
}

/// Files of one run in a directory.
#[derive(Clone)]
pub(super) struct RunFiles {
    root: PathBuf,
    run: RunName,
}

impl RunFiles {
    pub fn new(root: &Path, run: &RunName) -> Self {
        Self { root: root.to_owned(), run: run.clone() }
    }
    /// The folder that holds one folder per run.
    pub fn all_runs(root: &Path) -> PathBuf {
        root.join("runs")
    }
    /// Outside of the run's folder, so that removing the run leaves the lock to those who wait for it.
    pub fn lock(&self) -> PathBuf {
        self.root.join("locks").join(self.run.as_str())
    }
    pub fn folder(&self) -> PathBuf {
        Self::all_runs(&self.root).join(self.run.as_str())
    }
    /// Where the folder goes before it is emptied. No run can have such a name.
    pub fn removed(&self, tag: u128) -> PathBuf {
        Self::all_runs(&self.root).join(format!("{}{}-{tag}", Self::REMOVED, self.run))
    }
    pub const REMOVED: &str = ".removed-";
    pub fn state(&self) -> PathBuf {
        self.folder().join("state")
    }
    /// Files that are being written.
    pub fn unfinished(&self) -> PathBuf {
        self.folder().join("tmp")
    }
    pub fn record(&self, name: &str) -> PathBuf {
        self.folder().join("records").join(name)
    }
    pub fn commits(&self) -> PathBuf {
        self.folder().join("commits")
    }
    pub fn commit(&self, step: u64) -> PathBuf {
        self.commits().join(format!("{step:012}"))
    }
    pub fn parse_commit(name: &str) -> Option<u64> {
        let step: u64 = name.parse().ok()?;
        (format!("{step:012}") == name).then_some(step)
    }
    pub fn parts(&self) -> PathBuf {
        self.folder().join("parts")
    }
    pub fn part(&self, id: &PartId) -> PathBuf {
        self.parts().join(part_name(id))
    }
    pub fn blob(&self, hash: ContentHash) -> PathBuf {
        self.folder().join("blobs").join(hash.to_string())
    }
    pub fn log_entry(&self, seq: u64) -> PathBuf {
        self.folder().join("log").join(format!("{seq:012}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::PartName;

    #[test]
    fn names_of_parts_read_back_and_nothing_else_does() {
        for part in [PartName::Partition(0), PartName::Partition(65535), PartName::Recorder, PartName::Master] {
            for step in [0, 7, 123_456_789_012_345] {
                let id = PartId { step, epoch: Epoch(3), part, attempt: 2 };
                assert_eq!(parse_part_name(&part_name(&id)), Some(id));
            }
        }
        for other in [
            "",
            "7-1-p1-0",
            "000000000007-01-p1-0",
            "000000000007-1-p01-0",
            "000000000007-1-p1",
            "000000000007-1-p1-0-0",
            "000000000007-1-p99999-0",
            "+00000000007-1-p1-0",
        ] {
            assert_eq!(parse_part_name(other), None, "{other}");
        }
    }

    #[test]
    fn all_keys_of_a_run_share_one_hash_tag() {
        let keys = RedisKeys::new(&RunName::new("rush-hour").unwrap());
        for key in [
            keys.state(),
            keys.lease(),
            keys.commits(),
            keys.records(),
            keys.log(),
            keys.parts(),
            keys.blobs(),
            keys.part("x"),
            keys.blob("y"),
        ] {
            assert!(key.starts_with("tessds:{rush-hour}:"), "{key}");
        }
    }
}
