//! The trait that everything stored of a run goes through.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use super::{ContentHash, Manifest, PartId, PartRef, RunName, StoreError};
use crate::persist::Epoch;

/// Not `Send`: a store connection lives in one actor on one thread (I3).
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + 'a>>;

/// The right to drive a run, until it expires or somebody takes it over. The epoch is the fencing token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub epoch: Epoch,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunStatus {
    pub epoch: Epoch,
    /// Step of the newest commit.
    pub committed: Option<u64>,
    /// Who drives it, if anybody does.
    pub holder: Option<Holder>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub name: String,
    /// The lease ends by then unless it is renewed.
    pub for_ms: u64,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub commits: usize,
    pub parts: usize,
    /// There is more to delete; sweep again.
    pub more: bool,
}

/// Everything that is stored of runs: immutable objects, and one mutable pointer per run that is written last.
///
/// **Consistency that a store gives.** Calls that take an epoch are linearisable per run: each compares the epoch and makes its
/// change in one indivisible operation, so of two holders only the newer one can change anything; the older gets
/// [`StoreError::Fenced`]. An object is either absent, or whole, or found damaged when it is read; never silently wrong.
/// Writes are durable as far as the store promises it (`docs/stores.md`).
///
/// **Ambiguous answers.** After [`StoreError::Ambiguous`] the same call may simply be made again, with one exception: after
/// `acquire` or `raise_epoch` the holder calls `acquire` again under its name. What was given up may still happen, but never
/// undoes what was called later. A dropped future counts as ambiguous.
///
/// **Owner.** `&mut self`: one store value is one connection and has one owner. Others open their own.
pub trait SnapshotStore {
    /// Stores bytes under their hash. Idempotent. Blobs live as long as their run.
    fn put_blob<'a>(&'a mut self, run: &'a RunName, bytes: &'a [u8]) -> StoreFuture<'a, ContentHash>;

    /// The bytes, verified. `Missing`, `Damaged`.
    fn get_blob<'a>(&'a mut self, run: &'a RunName, hash: ContentHash) -> StoreFuture<'a, Vec<u8>>;

    /// Takes the lease and raises the run's epoch, in one operation; makes the run if there is none. `Held` while the lease of
    /// another holder is alive. A holder that takes its own living lease fences off its former self, so a restarted process
    /// need not wait; one that was fenced off must not acquire again.
    fn acquire<'a>(&'a mut self, run: &'a RunName, holder: &'a str, ttl: Duration) -> StoreFuture<'a, Lease>;

    /// Prolongs the lease to `ttl` from now, also an expired one that nobody else took.
    fn renew<'a>(&'a mut self, run: &'a RunName, holder: &'a str, epoch: Epoch, ttl: Duration) -> StoreFuture<'a, ()>;

    /// Gives the lease up. The epoch stays.
    fn release<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, ()>;

    /// Starts a new epoch under the same lease, for a recovery.
    fn raise_epoch<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, Epoch>;

    /// Where the run stands; `None` when there is no such run.
    fn status<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Option<RunStatus>>;

    /// Writes a small named document of the run, over the one before. Fenced.
    fn put_record<'a>(
        &'a mut self,
        run: &'a RunName,
        epoch: Epoch,
        name: &'a str,
        bytes: &'a [u8],
    ) -> StoreFuture<'a, ()>;

    fn get_record<'a>(&'a mut self, run: &'a RunName, name: &'a str) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// Uploads a part. Not fenced, for it changes nothing before it is committed. Other bytes under the same id are a
    /// `Conflict`.
    fn put_part<'a>(&'a mut self, run: &'a RunName, id: PartId, bytes: &'a [u8]) -> StoreFuture<'a, PartRef>;

    /// The part, with length and checksum verified. `Missing`, `Damaged`.
    fn get_part<'a>(&'a mut self, run: &'a RunName, part: &'a PartRef) -> StoreFuture<'a, Vec<u8>>;

    /// Moves the commit pointer, if `manifest.epoch` is the current one, the step is newer than the last committed and all parts
    /// are stored (`Missing` otherwise: a store may have lost what it acknowledged). The same manifest again succeeds.
    fn commit<'a>(&'a mut self, run: &'a RunName, manifest: &'a Manifest) -> StoreFuture<'a, ()>;

    /// Commits `manifest` in the place of `old`, the newest commit, which is of the same step: one of the two counts at any time.
    /// For states that were carried over into another cut or another network; to be called under an epoch in which nothing was
    /// swept yet. As [`commit`](Self::commit) otherwise.
    fn replace<'a>(&'a mut self, run: &'a RunName, old: &'a Manifest, manifest: &'a Manifest) -> StoreFuture<'a, ()>;

    /// Takes back the newest commit, which must be of `step`, because it turned out to be damaged; the one before counts again.
    fn withdraw<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, step: u64) -> StoreFuture<'a, ()>;

    /// What is committed, newest first. A commit that cannot be read is left out, with a warning in the log: then
    /// `status.committed` names a step that is not in the list.
    fn commits<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Vec<Manifest>>;

    /// Commits that stay while a new snapshot comes in; the snapshot makes it one more. With two there is always one to fall back
    /// to when the newest turns out to be damaged. A store whose room is dear says one.
    fn kept_commits(&self) -> usize {
        2
    }

    /// Deletes the commits beyond the newest `keep`, and parts up to the newest commit that none of the kept ones names. Never
    /// parts of newer steps. Fenced. Bounded work.
    fn sweep<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, keep: usize) -> StoreFuture<'a, Swept>;

    /// Appends to the command log. Entries are numbered from 0 without gaps; the same entry again succeeds, others are a
    /// `Conflict`. Fenced.
    fn append_log<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, seq: u64, bytes: &'a [u8]) -> StoreFuture<'a, ()>;

    /// A page of the command log from number `from` on; empty at the end.
    fn read_log<'a>(&'a mut self, run: &'a RunName, from: u64) -> StoreFuture<'a, Vec<(u64, Vec<u8>)>>;

    /// All runs, in order of their names.
    fn runs(&mut self) -> StoreFuture<'_, Vec<RunName>>;

    /// Deletes all of a run. `Held` while its lease is alive, unless `force`d. No such run: success.
    fn remove_run<'a>(&'a mut self, run: &'a RunName, force: bool) -> StoreFuture<'a, ()>;
}

/// All of a run's command log, in order.
pub async fn read_log(store: &mut dyn SnapshotStore, run: &RunName) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut log = Vec::new();
    loop {
        let page = store.read_log(run, log.len() as u64).await?;
        if page.is_empty() {
            return Ok(log);
        }
        log.extend(page.into_iter().map(|(_, bytes)| bytes));
    }
}
