//! Which commits and parts may go. Pure.

use std::collections::BTreeSet;

use super::{Manifest, PartId, Swept};

/// Most parts that one sweep deletes, so that it never holds up the writer for long.
pub const SWEEP_PARTS: usize = 512;

/// What a sweep deletes: first the commits, then the parts, so that no commit ever names a part that was swept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SweepPlan {
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
pub(super) fn plan_sweep(commits: &[Manifest], parts: impl IntoIterator<Item = PartId>, keep: usize) -> SweepPlan {
    let Some(newest) = commits.first() else { return SweepPlan::default() };
    let (kept, dropped) = commits.split_at(keep.max(1).min(commits.len()));
    let needed: BTreeSet<PartId> = kept.iter().flat_map(|commit| &commit.parts).map(|part| part.id).collect();
    let mut garbage = parts.into_iter().filter(|id| id.step <= newest.step && !needed.contains(id));
    let parts: Vec<PartId> = garbage.by_ref().take(SWEEP_PARTS).collect();
    let more = garbage.next().is_some();
    SweepPlan { commits: dropped.iter().rev().map(|commit| commit.step).collect(), parts, more }
}
