//! Which commits and parts may go. Pure.

use std::collections::BTreeSet;

use super::{Manifest, PartId, Swept};

/// Most parts that one sweep deletes, so that it never holds up the writer for long.
pub const SWEEP_PARTS: usize = 512;

/// What a sweep deletes: first the commits, then the parts, so that no commit ever names a part that was swept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepPlan {
    /// Steps, oldest first.
    pub commits: Vec<u64>,
    pub parts: Vec<PartId>,
    pub more: bool,
}

impl SweepPlan {
    pub fn swept(&self) -> Swept {
        Swept { commits: self.commits.len(), parts: self.parts.len(), more: self.more }
    }
}

/// `commits` newest first, as committed; `parts` all that are stored. Parts newer than the newest commit are uploads under way
/// and stay. At least one commit is kept.
pub fn plan_sweep(commits: &[Manifest], parts: impl IntoIterator<Item = PartId>, keep: usize) -> SweepPlan {
    let Some(newest) = commits.first() else { return SweepPlan::default() };
    let (kept, dropped) = commits.split_at(keep.max(1).min(commits.len()));
    let needed: BTreeSet<PartId> = kept.iter().flat_map(|commit| &commit.parts).map(|part| part.id).collect();
    let mut garbage = parts.into_iter().filter(|id| id.step <= newest.step && !needed.contains(id));
    let parts: Vec<PartId> = garbage.by_ref().take(SWEEP_PARTS).collect();
    let more = garbage.next().is_some();
    SweepPlan { commits: dropped.iter().rev().map(|commit| commit.step).collect(), parts, more }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::Epoch;
    use crate::persist::{ContentHash, PartName, PartRef};
    use proptest::prelude::*;

    fn part(step: u64, number: u16, attempt: u32) -> PartId {
        PartId { step, epoch: Epoch(1), part: PartName::Partition(number), attempt }
    }

    fn commit(step: u64, attempt: u32) -> Manifest {
        let parts = (0..2).map(|number| PartRef::new(part(step, number, attempt), b"")).collect();
        Manifest { step, epoch: Epoch(1), scenario: ContentHash(0), parts, created_ms: 0 }
    }

    proptest! {
        #[test]
        fn a_sweep_never_takes_what_is_kept_or_under_way(
            committed in prop::collection::btree_map(0..20u64, 0..3u32, 0..8),
            stored in prop::collection::btree_set((0..25u64, 0..2u16, 0..3u32), 0..80),
            keep in 0..5usize,
        ) {
            let commits: Vec<Manifest> = committed.iter().rev().map(|(step, attempt)| commit(*step, *attempt)).collect();
            let stored: BTreeSet<PartId> = stored.into_iter().map(|(step, number, attempt)| part(step, number, attempt)).collect();
            let plan = plan_sweep(&commits, stored.iter().copied(), keep);
            let kept: Vec<&Manifest> = commits.iter().filter(|c| !plan.commits.contains(&c.step)).collect();
            prop_assert_eq!(kept.len(), keep.max(1).min(commits.len()));
            let newest = commits.first().map(|c| c.step);
            for id in &stored {
                let needed = kept.iter().any(|commit| commit.parts.iter().any(|part| part.id == *id));
                let under_way = Some(id.step) > newest;
                prop_assert_eq!(plan.parts.contains(id), !needed && !under_way, "{}", id);
            }
        }
    }

    #[test]
    fn a_sweep_is_bounded_and_says_so() {
        let stored = |count: u32| (0..count).map(|attempt| part(1, 0, attempt));
        let commits = [commit(2, 0)];
        let plan = plan_sweep(&commits, stored(SWEEP_PARTS as u32 + 1), 2);
        assert_eq!((plan.parts.len(), plan.more), (SWEEP_PARTS, true));
        let plan = plan_sweep(&commits, stored(SWEEP_PARTS as u32), 2);
        assert_eq!((plan.parts.len(), plan.more), (SWEEP_PARTS, false));
    }
}
