//! Which snapshots are complete. A commit never removes what a recovering partition still needs (I5): what a lost partition
//! had stored does not count any more, so no newer snapshot is committed before the partition has got there again.

use std::collections::BTreeMap;

use crate::persist::PartRef;
use crate::planted::planted;

/// Parts of snapshots by step, until they are committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Commits {
    /// By part: where its state is in the last commit; `None` before the first.
    last: Option<Vec<PartRef>>,
    /// Steps that are committed.
    committed: u64,
    collecting: BTreeMap<u64, Collected>,
    /// Handed to the store, and no answer yet.
    pending: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Collected {
    parts: Vec<Option<PartRef>>,
    recorder: Option<PartRef>,
}

/// All parts of one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Complete {
    pub step: u64,
    pub parts: Vec<PartRef>,
    pub recorder: PartRef,
}

impl Commits {
    /// After the commit of `committed` steps, whose parts are `last`.
    pub fn new(committed: u64, last: Option<Vec<PartRef>>) -> Self {
        Self { last, committed, collecting: BTreeMap::new(), pending: None }
    }

    /// Steps that are committed.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Where a partition goes on from; `None`: from its beginning.
    pub fn part(&self, part: u16) -> Option<PartRef> {
        self.last.as_ref()?.get(usize::from(part)).copied()
    }

    /// A partition's state is in the store. There are `parts` of them.
    pub fn stored(&mut self, part: u16, parts: usize, reference: PartRef) {
        if let Some(collected) = self.at(reference.id.step, parts)
            && let Some(place) = collected.parts.get_mut(usize::from(part))
        {
            *place = Some(reference);
        }
    }

    /// The recorder's state is in the store.
    pub fn recorder_stored(&mut self, parts: usize, reference: PartRef) {
        if let Some(collected) = self.at(reference.id.step, parts) {
            collected.recorder = Some(reference);
        }
    }

    fn at(&mut self, step: u64, parts: usize) -> Option<&mut Collected> {
        let empty = Collected { parts: vec![None; parts], recorder: None };
        (step > self.committed).then(|| self.collecting.entry(step).or_insert(empty))
    }

    /// A partition is lost: it will compute and store again what is not committed.
    pub fn lost(&mut self, part: u16) {
        if planted("commit-early") {
            return;
        }
        for (_, collected) in self.collecting.iter_mut().filter(|(step, _)| Some(**step) != self.pending) {
            if let Some(place) = collected.parts.get_mut(usize::from(part)) {
                *place = None;
            }
        }
    }

    /// The newest complete snapshot, to be committed; one at a time.
    pub fn take_next(&mut self) -> Option<Complete> {
        if self.pending.is_some() {
            return None;
        }
        let complete = self.collecting.iter().rev().find_map(|(step, collected)| {
            let parts: Option<Vec<PartRef>> = collected.parts.iter().copied().collect();
            Some(Complete { step: *step, parts: parts?, recorder: collected.recorder? })
        })?;
        self.pending = Some(complete.step);
        Some(complete)
    }

    /// The store has committed what [`take_next`](Self::take_next) gave.
    pub fn done(&mut self) {
        let Some(step) = self.pending.take() else { return };
        let Some(collected) = self.collecting.remove(&step) else { return };
        self.committed = step;
        self.last = Some(collected.parts.into_iter().flatten().collect());
        self.collecting = self.collecting.split_off(&step);
    }

    /// The store has not committed it and never will.
    pub fn failed(&mut self) {
        if let Some(step) = self.pending.take() {
            self.collecting.remove(&step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::{PartId, PartName};
    use crate::protocol::Epoch;

    fn reference(part: PartName, step: u64) -> PartRef {
        PartRef::new(PartId { step, epoch: Epoch(1), part, attempt: 0 }, b"state")
    }

    fn stored(commits: &mut Commits, part: u16, step: u64) {
        commits.stored(part, 2, reference(PartName::Partition(part), step));
    }

    fn recorded(commits: &mut Commits, step: u64) {
        commits.recorder_stored(2, reference(PartName::Recorder, step));
    }

    fn next(commits: &mut Commits) -> Option<u64> {
        commits.take_next().map(|complete| complete.step)
    }

    #[test]
    fn a_snapshot_is_complete_with_all_partitions_and_the_recorder() {
        let mut commits = Commits::new(0, None);
        stored(&mut commits, 0, 10);
        recorded(&mut commits, 10);
        assert_eq!((next(&mut commits), commits.part(1)), (None, None));
        stored(&mut commits, 1, 10);
        assert_eq!(next(&mut commits), Some(10));
        // One at a time, and it counts when the store has said so.
        assert_eq!((next(&mut commits), commits.committed()), (None, 0));
        commits.done();
        assert_eq!(commits.committed(), 10);
        assert_eq!(commits.part(1), Some(reference(PartName::Partition(1), 10)));
    }

    #[test]
    fn the_newest_complete_snapshot_makes_older_ones_unnecessary() {
        let mut commits = Commits::new(0, None);
        for step in [10, 20] {
            (0..2).for_each(|part| stored(&mut commits, part, step));
            recorded(&mut commits, step);
        }
        assert_eq!(next(&mut commits), Some(20));
        commits.done();
        assert_eq!(next(&mut commits), None);
        stored(&mut commits, 0, 10);
        assert!(commits.collecting.is_empty(), "nothing is kept of what is behind a commit");
    }

    #[test]
    fn a_commit_waits_while_a_partition_is_recovering() {
        let mut commits = Commits::new(10, None);
        (0..2).for_each(|part| stored(&mut commits, part, 20));
        commits.lost(1);
        recorded(&mut commits, 20);
        assert_eq!(next(&mut commits), None);
        stored(&mut commits, 1, 20);
        assert_eq!(next(&mut commits), Some(20));
    }

    #[test]
    fn a_commit_that_failed_leaves_the_last_one_and_the_next_can_follow() {
        let mut commits = Commits::new(10, None);
        for step in [20, 30] {
            (0..2).for_each(|part| stored(&mut commits, part, step));
        }
        recorded(&mut commits, 20);
        assert_eq!(next(&mut commits), Some(20));
        commits.failed();
        assert_eq!((commits.committed(), next(&mut commits)), (10, None));
        recorded(&mut commits, 30);
        assert_eq!(next(&mut commits), Some(30));
    }
}
