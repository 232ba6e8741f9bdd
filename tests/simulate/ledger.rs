//! What the store has promised, held against the invariants.

use std::collections::{BTreeMap, BTreeSet};

use tessds::persist::{Manifest, PartId};
use tessds::protocol::Epoch;

use super::judge::Judge;

#[derive(Default)]
pub struct Ledger {
    pub epoch: u64,
    /// The process that acquired last.
    pub owner: Option<u64>,
    /// Commits that were not taken back: step and epoch.
    commits: BTreeMap<u64, u64>,
    /// The newest that ever was.
    farthest: Option<u64>,
    /// Parts that a fault has damaged.
    damaged: BTreeSet<PartId>,
}

impl Ledger {
    /// The newest commit, if there is one.
    pub fn committed(&self) -> Option<u64> {
        self.commits.keys().next_back().copied()
    }

    /// The newest commit that this process may speak of: what it has made or found, also when another one has taken it back since.
    pub fn known_to(&self, process: u64) -> Option<u64> {
        if self.owner == Some(process) { self.committed() } else { self.farthest }
    }

    fn names_damage(&self, manifest: &Manifest) -> bool {
        manifest.parts.iter().any(|part| self.damaged.contains(&part.id))
    }
}

impl Judge {
    pub fn acquired(&mut self, by: u64, epoch: Epoch) {
        if epoch.0 <= self.store.epoch {
            self.accuse(format!("I4: epoch {} was given out after {}", epoch.0, self.store.epoch));
        }
        if self.store.owner.replace(by).is_some_and(|before| before != by) {
            self.count("changes of the master");
        }
        self.store.epoch = epoch.0;
    }

    pub fn raised(&mut self, by: u64, epoch: Epoch) {
        self.changed(by, Epoch(self.store.epoch), "raise_epoch");
        if epoch.0 != self.store.epoch + 1 {
            self.accuse(format!("I4: epoch {} was raised to {}", self.store.epoch, epoch.0));
        }
        self.store.epoch = epoch.0;
    }

    /// A call that is fenced has succeeded.
    pub fn changed(&mut self, by: u64, epoch: Epoch, what: &str) {
        if self.store.owner != Some(by) || epoch.0 != self.store.epoch {
            let (owner, current) = (self.store.owner, self.store.epoch);
            self.accuse(format!(
                "I4: {what} by process {by} in epoch {} while process {owner:?} drives the run in epoch {current}",
                epoch.0
            ));
        }
    }

    /// `over`: the commit that it replaces; `unreadable`: the first of its parts that is.
    pub fn commit(
        &mut self,
        by: u64,
        manifest: &Manifest,
        over: Option<&Manifest>,
        unreadable: Option<(PartId, String)>,
    ) {
        let Manifest { step, epoch, .. } = *manifest;
        self.count("commits");
        self.changed(by, epoch, "commit");
        let last = self.store.committed();
        match over {
            None if last == Some(step) => return self.count("repeated commits"),
            Some(old) if last != Some(old.step) || step != old.step => {
                self.accuse(format!("I5: commit of step {step} replaces that of {} after {last:?}", old.step));
            }
            _ => {}
        }
        let last_epoch = last.and_then(|step| self.store.commits.get(&step)).copied().unwrap_or(0);
        if last > Some(step) || epoch.0 < last_epoch {
            self.accuse(format!("I5: commit of step {step} after {last:?}"));
        }
        let parts = manifest.parts.len();
        if parts != usize::from(self.partitions) + 1 {
            self.accuse(format!("I5: the commit of step {step} has {parts} parts"));
        }
        match unreadable {
            // It was stored well, and is in a commit again because that one was taken back for it.
            Some((part, _)) if self.store.damaged.contains(&part) => self.count("commits of a damaged part"),
            Some((_, error)) => self.accuse(format!("I5: the commit of step {step} cannot be read: {error}")),
            None => {}
        }
        self.store.commits.insert(step, epoch.0);
        self.store.farthest = self.store.farthest.max(Some(step));
    }

    /// A fault has damaged a part of a commit.
    pub fn damaged(&mut self, part: PartId) {
        self.store.damaged.insert(part);
    }

    /// A commit is taken back; `manifest`: what it was, `None`: it had been taken back before, `left`: the newest that is there now.
    pub fn withdrawn(&mut self, by: u64, epoch: Epoch, step: u64, manifest: Option<&Manifest>, left: Option<u64>) {
        self.changed(by, epoch, "withdraw");
        self.count("withdrawals");
        if manifest.is_some_and(|manifest| !self.store.names_damage(manifest)) {
            self.accuse(format!("I5: step {step} is withdrawn, and nothing was damaged"));
        }
        self.store.commits.remove(&step);
        if self.store.committed() != left {
            let last = self.store.committed();
            self.accuse(format!("I5: step {step} is withdrawn, and the newest commit is {left:?} and not {last:?}"));
        }
    }
}
