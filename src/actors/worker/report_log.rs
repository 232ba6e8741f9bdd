//! What partitions have reported since the last commit. A master that was restarted goes on from the commit and asks for
//! all of it again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::ToMaster;

/// Reports of one partition that travelled together.
#[derive(Clone, Debug)]
struct Batch {
    /// Steps done with the last of them.
    until: u64,
    message: Arc<ToMaster>,
}

/// Sent reports by partition, the oldest first. Bounded by the horizon, which no master moves far beyond a commit (I7).
#[derive(Debug, Default)]
pub struct ReportLog {
    batches: BTreeMap<u16, VecDeque<Batch>>,
    /// By partition: reports of the steps before this one were given up.
    given_up: BTreeMap<u16, u64>,
}

impl ReportLog {
    /// Batches that are kept.
    pub fn kept(&self) -> usize {
        self.batches.values().map(VecDeque::len).sum()
    }

    /// Keeps reports of the steps before `until`.
    pub fn push(&mut self, part: u16, until: u64, message: Arc<ToMaster>) {
        self.batches.entry(part).or_default().push_back(Batch { until, message });
    }

    /// Forgets reports of the steps before `step`: they are committed.
    pub fn cut_before(&mut self, step: u64) {
        for batches in self.batches.values_mut() {
            while batches.front().is_some_and(|batch| batch.until <= step) {
                batches.pop_front();
            }
        }
    }

    /// Forgets reports of the steps before `step` of one partition, though they are not committed.
    pub fn give_up_before(&mut self, part: u16, step: u64) {
        let Some(batches) = self.batches.get_mut(&part) else { return };
        while let Some(until) = batches.front().map(|batch| batch.until).filter(|until| *until <= step) {
            batches.pop_front();
            self.given_up.insert(part, until);
        }
    }

    /// Partitions whose reports of `step` and later steps are not all here.
    pub fn lacking(&self, step: u64) -> Vec<u16> {
        self.given_up.iter().filter(|(_, until)| **until > step).map(|(part, _)| *part).collect()
    }

    /// A partition is here no more, or computes again what it reported.
    pub fn forget(&mut self, part: u16) {
        self.batches.remove(&part);
        self.given_up.remove(&part);
    }

    /// All reports of `step` and later steps, in the order in which they were made.
    pub fn since(&self, step: u64) -> impl Iterator<Item = &Arc<ToMaster>> {
        self.batches.values().flatten().filter(move |batch| batch.until > step).map(|batch| &batch.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Epoch;

    #[test]
    fn reports_are_kept_until_they_are_committed() {
        let mut log = ReportLog::default();
        let message = |part| Arc::new(ToMaster::Reports { part, epoch: Epoch(1), until: 0, reports: Vec::new() });
        for (part, until) in [(0, 16), (1, 10), (0, 32), (1, 20)] {
            log.push(part, until, message(part));
        }
        assert_eq!((log.since(0).count(), log.since(10).count(), log.since(16).count()), (4, 3, 2));
        log.cut_before(20);
        assert_eq!(log.since(0).count(), 1);
        log.give_up_before(0, 32);
        assert_eq!((log.lacking(31), log.lacking(32)), (vec![0], vec![]));
        log.forget(0);
        assert_eq!((log.since(0).count(), log.lacking(0)), (0, vec![]));
    }
}
