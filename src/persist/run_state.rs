//! The mutable state of a run, and the decisions about it. Pure: the time is passed in, and a store makes them atomic.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Holder, Manifest, RunStatus, StoreError};
use crate::persist::Epoch;

/// All that ever changes of a run: everything else is written once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunState {
    /// Only ever rises.
    pub epoch: Epoch,
    /// Step of the newest commit.
    pub committed: Option<u64>,
    pub lease: Option<HeldLease>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldLease {
    pub holder: String,
    /// By the clock of whoever decides: the store's own, or the wall clock of processes that share a directory.
    pub expires_ms: u64,
}

/// The epoch of a run that was never acquired. Nobody has it.
const NO_RUN: Epoch = Epoch(0);

/// What is to be done about a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitDecision {
    /// It was committed before; the answer was lost.
    Already,
    Advance(RunState),
}

impl Default for RunState {
    fn default() -> Self {
        Self { epoch: NO_RUN, committed: None, lease: None }
    }
}

impl RunState {
    /// The lease, if it is alive, and how long.
    pub fn alive(&self, now_ms: u64) -> Option<(&str, u64)> {
        let lease = self.lease.as_ref()?;
        (lease.expires_ms > now_ms).then(|| (lease.holder.as_str(), lease.expires_ms - now_ms))
    }

    /// Any epoch but the current one is refused, also a higher one: a store that lost its data must not be written to as if it
    /// still had it.
    pub fn fence(&self, epoch: Epoch) -> Result<(), StoreError> {
        if epoch == self.epoch && epoch != NO_RUN { Ok(()) } else { Err(StoreError::Fenced { current: self.epoch }) }
    }

    pub fn acquire(&self, holder: &str, now_ms: u64, ttl: Duration) -> Result<Self, StoreError> {
        match self.alive(now_ms) {
            Some((by, for_ms)) if by != holder => Err(StoreError::Held { by: by.to_owned(), for_ms }),
            _ => Ok(Self { epoch: Epoch(self.epoch.0 + 1), ..self.leased(holder, now_ms, ttl) }),
        }
    }

    /// An expired lease may be renewed as long as nobody else has taken it: then the epoch would be higher.
    pub fn renew(&self, holder: &str, epoch: Epoch, now_ms: u64, ttl: Duration) -> Result<Self, StoreError> {
        self.fence(epoch)?;
        Ok(self.leased(holder, now_ms, ttl))
    }

    pub fn release(&self, epoch: Epoch) -> Result<Self, StoreError> {
        self.fence(epoch)?;
        Ok(Self { lease: None, ..self.clone() })
    }

    pub fn raise_epoch(&self, epoch: Epoch) -> Result<Self, StoreError> {
        self.fence(epoch)?;
        Ok(Self { epoch: Epoch(epoch.0 + 1), ..self.clone() })
    }

    /// `stored` is the commit of the same step, if there is one; `over` the one that may be replaced.
    pub fn commit(
        &self,
        manifest: &Manifest,
        over: Option<&Manifest>,
        stored: Option<&Manifest>,
    ) -> Result<CommitDecision, StoreError> {
        self.fence(manifest.epoch)?;
        manifest.check()?;
        match self.committed {
            Some(last) if manifest.step == last && stored == Some(manifest) => Ok(CommitDecision::Already),
            Some(last) if manifest.step == last && stored.is_some() && stored == over => {
                Ok(CommitDecision::Advance(self.clone()))
            }
            Some(last) if manifest.step <= last => Err(StoreError::older_commit(manifest.step, last)),
            _ => Ok(CommitDecision::Advance(Self { committed: Some(manifest.step), ..self.clone() })),
        }
    }

    /// `before` is the step of the commit before it, if there is one.
    pub(super) fn withdraw(&self, epoch: Epoch, step: u64, before: Option<u64>) -> Result<Self, StoreError> {
        self.fence(epoch)?;
        match self.committed {
            Some(last) if last == step => Ok(Self { committed: before, ..self.clone() }),
            // It was withdrawn before; the answer was lost.
            last if last < Some(step) => Ok(self.clone()),
            _ => Err(StoreError::not_newest(step)),
        }
    }

    pub(super) fn may_remove(&self, now_ms: u64, force: bool) -> Result<(), StoreError> {
        match self.alive(now_ms) {
            Some((by, for_ms)) if !force => Err(StoreError::Held { by: by.to_owned(), for_ms }),
            _ => Ok(()),
        }
    }

    pub(super) fn is_run(&self) -> bool {
        self.epoch != NO_RUN
    }

    pub(super) fn status(&self, now_ms: u64) -> Option<RunStatus> {
        self.is_run().then(|| RunStatus {
            epoch: self.epoch,
            committed: self.committed,
            holder: self.alive(now_ms).map(|(name, for_ms)| Holder { name: name.to_owned(), for_ms }),
        })
    }

    fn leased(&self, holder: &str, now_ms: u64, ttl: Duration) -> Self {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let lease = HeldLease { holder: holder.to_owned(), expires_ms: now_ms.saturating_add(ttl_ms) };
        Self { lease: Some(lease), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::ContentHash;
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_millis(100);

    #[derive(Clone, Debug)]
    enum Call {
        Wait(u64),
        Acquire,
        Renew,
        Release,
        RaiseEpoch,
        Commit(u64),
    }

    fn call() -> impl Strategy<Value = (usize, Call)> {
        let call = prop_oneof![
            (0..150u64).prop_map(Call::Wait),
            Just(Call::Acquire),
            Just(Call::Renew),
            Just(Call::Release),
            Just(Call::RaiseEpoch),
            (0..30u64).prop_map(Call::Commit),
        ];
        (0..3usize, call)
    }

    proptest! {
        /// I4: whatever three processes do, each believing in the epoch that it got last, only the one with the newest changes
        /// anything, and nobody takes a lease that is alive.
        #[test]
        fn only_the_newest_epoch_changes_anything(calls in prop::collection::vec(call(), 0..60)) {
            let (mut state, mut now_ms) = (RunState::default(), 0);
            let mut believed = [NO_RUN; 3];
            for (who, call) in calls {
                let (epoch, holder) = (believed[who], format!("holder-{who}"));
                let before = state.clone();
                let after = match call {
                    Call::Wait(ms) => { now_ms += ms; continue }
                    Call::Acquire => {
                        let result = state.acquire(&holder, now_ms, TTL);
                        let free = before.alive(now_ms).is_none_or(|(by, _)| by == holder);
                        prop_assert_eq!(result.is_ok(), free);
                        result
                    }
                    Call::Renew => state.renew(&holder, epoch, now_ms, TTL),
                    Call::Release => state.release(epoch),
                    Call::RaiseEpoch => state.raise_epoch(epoch),
                    Call::Commit(step) => {
                        let manifest = Manifest { step, epoch, scenario: ContentHash(0), parts: vec![], created_ms: 0 };
                        state.commit(&manifest, None, None).map(|decision| match decision {
                            CommitDecision::Advance(state) => state,
                            CommitDecision::Already => before.clone(),
                        })
                    }
                };
                match after {
                    Ok(after) => {
                        prop_assert!(matches!(call, Call::Acquire) || epoch == before.epoch, "{:?} in {:?}", call, epoch);
                        prop_assert!(after.epoch >= before.epoch && after.committed >= before.committed);
                        if after.epoch > before.epoch {
                            prop_assert!(!believed.contains(&after.epoch), "an epoch belongs to one holder");
                            believed[who] = after.epoch;
                        }
                        state = after;
                    }
                    Err(StoreError::Fenced { current }) => prop_assert!(current == state.epoch && (epoch < current || epoch == NO_RUN)),
                    Err(_) => {}
                }
            }
        }
    }
}
