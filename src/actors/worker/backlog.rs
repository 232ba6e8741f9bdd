//! Snapshots that the store did not take yet.

use tokio::time::Instant;

use crate::actors::oldest_and_newest::OldestAndNewest;
use crate::persist::{PartId, PartName};
use crate::protocol::Epoch;

/// Snapshots of one partition that wait at most: as many as there can be intervals beyond the last commit, and the newest.
const WAITING: usize = 9;

/// A partition's state after a step, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub part: u16,
    pub step: u64,
    /// In which the partition was placed.
    pub epoch: Epoch,
    pub sealed: Vec<u8>,
    /// Number of the next try: none is made twice under one name.
    pub attempt: u32,
    /// When the state was copied.
    pub taken: Instant,
}

impl Packed {
    pub fn id(&self) -> PartId {
        PartId { step: self.step, epoch: self.epoch, part: PartName::Partition(self.part), attempt: self.attempt }
    }
}

/// In the order in which they came. Bounded (I7).
#[derive(Debug)]
pub struct Backlog {
    waiting: OldestAndNewest<Packed>,
    /// Steps that are committed.
    committed: u64,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { waiting: OldestAndNewest::new(WAITING), committed: 0 }
    }
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The one that waits longest.
    pub fn pop(&mut self) -> Option<Packed> {
        self.waiting.pop()
    }

    /// Those of a former placement go. Gives the one that is left out when too many of this partition wait already.
    #[must_use]
    pub fn push(&mut self, packed: Packed) -> Option<Packed> {
        let part = packed.part;
        self.waiting.retain(|other| other.part != part || other.epoch >= packed.epoch);
        self.waiting.push_to_group(packed, |other| other.part == part)
    }

    /// It was tried, and is to be the next again. `false`: nobody needs it any more.
    pub fn put_back(&mut self, packed: Packed) -> bool {
        let is_needed = packed.step > self.committed
            && !self.waiting.iter().any(|other| other.part == packed.part && other.epoch > packed.epoch);
        if is_needed {
            self.waiting.put_back(packed);
        }
        is_needed
    }

    /// Forgets what is not newer than a commit.
    pub fn cut_up_to(&mut self, step: u64) {
        self.committed = self.committed.max(step);
        self.waiting.retain(|packed| packed.step > step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(part: u16, step: u64, epoch: u64) -> Packed {
        Packed { part, step, epoch: Epoch(epoch), sealed: Vec::new(), attempt: 0, taken: Instant::now() }
    }

    fn steps(backlog: &mut Backlog) -> Vec<(u16, u64)> {
        std::iter::from_fn(|| backlog.pop()).map(|packed| (packed.part, packed.step)).collect()
    }

    /// After an outage that was longer than the intervals up to the bound, some parts of every snapshot were missing for ever,
    /// and the run waited at the bound for a commit that could not come. The newest was left out, too, and an edit waited for it for
    /// ever (simulated seed 288).
    #[test]
    fn the_earliest_snapshots_and_the_newest_wait_until_the_store_takes_them() {
        let mut backlog = Backlog::default();
        for step in 1..=20 {
            for part in [0, 1] {
                let left_out = backlog.push(packed(part, step, 1)).map(|packed| packed.step);
                assert_eq!(left_out, (step > WAITING as u64).then(|| step - 1));
            }
        }
        let first = backlog.pop().unwrap();
        assert!(backlog.put_back(first));
        backlog.cut_up_to(6);
        assert_eq!(steps(&mut backlog), [(0, 7), (1, 7), (0, 8), (1, 8), (0, 20), (1, 20)]);
    }

    #[test]
    fn what_is_committed_or_of_a_former_placement_waits_no_more() {
        let mut backlog = Backlog::default();
        for (part, step, epoch) in [(0, 2, 1), (1, 2, 1), (0, 1, 2)] {
            assert_eq!(backlog.push(packed(part, step, epoch)), None);
        }
        assert!(!backlog.put_back(packed(0, 1, 1)));
        backlog.cut_up_to(1);
        assert!(!backlog.put_back(packed(1, 1, 1)));
        assert_eq!(steps(&mut backlog), [(1, 2)]);
    }
}
