//! A store in the memory of the process: for runs that need not survive it, for tests, and for simulated clusters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ids::check_name;
use super::retention::plan_sweep;
use super::run_state::{CommitDecision, RunState};
use super::{
    ContentHash, Lease, Manifest, PartId, PartRef, RunName, RunStatus, SnapshotStore, StoreError, StoreFuture, Swept,
    chunks,
};
use crate::persist::Epoch;

#[derive(Default)]
struct Run {
    state: RunState,
    blobs: BTreeMap<ContentHash, Arc<[u8]>>,
    records: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<PartId, Arc<[u8]>>,
    commits: BTreeMap<u64, Manifest>,
    log: Vec<Vec<u8>>,
}

impl Run {
    fn commit(&mut self, manifest: &Manifest, over: Option<&Manifest>) -> Result<(), StoreError> {
        let stored = self.commits.get(&manifest.step);
        if let CommitDecision::Advance(state) = self.state.commit(manifest, over, stored)? {
            if let Some(lost) = manifest.parts.iter().find(|part| !self.parts.contains_key(&part.id)) {
                return Err(lost.missing());
            }
            self.commits.insert(manifest.step, manifest.clone());
            self.state = state;
        }
        Ok(())
    }
}

struct Shared {
    runs: Mutex<BTreeMap<RunName, Run>>,
    /// Milliseconds since some moment; leases end by it.
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// One handle of a store in memory. Clones share what is stored, as connections to one server do.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        let started = Instant::now();
        Self::with_clock(move || started.elapsed().as_millis() as u64)
    }

    /// An empty store whose leases end by a clock that tells milliseconds: a simulated cluster has one time for all processes.
    pub fn with_clock(clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { runs: Mutex::default(), clock: Box::new(clock) }) }
    }

    /// Bytes of all parts of a run, committed or not.
    pub fn part_bytes(&self, run: &RunName) -> usize {
        self.map().get(run).map_or(0, |run| run.parts.values().map(|part| part.len()).sum())
    }

    /// Changes the bytes of a stored part, as bad hardware would.
    pub fn damage_part(&self, run: &RunName, id: PartId, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut runs = self.map();
        let Some(part) = runs.get_mut(run).and_then(|run| run.parts.get_mut(&id)) else { return false };
        let mut bytes = part.to_vec();
        change(&mut bytes);
        *part = bytes.into();
        true
    }

    /// The map is whole after every call, so a panic elsewhere does not spoil it.
    fn map(&self) -> MutexGuard<'_, BTreeMap<RunName, Run>> {
        self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        (self.shared.clock)()
    }

    /// The call is done at once, but only when it is awaited.
    fn call<'a, T: 'a>(
        &'a mut self,
        run: &'a RunName,
        work: impl FnOnce(&mut Run, u64) -> Result<T, StoreError> + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let now_ms = self.now_ms();
            match self.map().get_mut(run) {
                Some(run) => work(run, now_ms),
                None => work(&mut Run::default(), now_ms),
            }
        })
    }
}

impl SnapshotStore for MemoryStore {
    fn put_blob<'a>(&'a mut self, run: &'a RunName, bytes: &'a [u8]) -> StoreFuture<'a, ContentHash> {
        Box::pin(async move {
            chunks::check_value("a blob", bytes.len() as u64)?;
            let hash = ContentHash::of(bytes);
            self.map().entry(run.clone()).or_default().blobs.entry(hash).or_insert_with(|| bytes.into());
            Ok(hash)
        })
    }

    fn get_blob<'a>(&'a mut self, run: &'a RunName, hash: ContentHash) -> StoreFuture<'a, Vec<u8>> {
        self.call(run, move |run, _| {
            let bytes = run.blobs.get(&hash).ok_or_else(|| StoreError::missing(format!("blob {hash}")))?;
            Ok(bytes.to_vec())
        })
    }

    fn acquire<'a>(&'a mut self, run: &'a RunName, holder: &'a str, ttl: Duration) -> StoreFuture<'a, Lease> {
        Box::pin(async move {
            check_name("holder", holder)?;
            let now_ms = self.now_ms();
            let mut runs = self.map();
            let run = runs.entry(run.clone()).or_default();
            run.state = run.state.acquire(holder, now_ms, ttl)?;
            Ok(Lease { epoch: run.state.epoch })
        })
    }

    fn renew<'a>(&'a mut self, run: &'a RunName, holder: &'a str, epoch: Epoch, ttl: Duration) -> StoreFuture<'a, ()> {
        self.call(run, move |run, now_ms| {
            run.state = run.state.renew(holder, epoch, now_ms, ttl)?;
            Ok(())
        })
    }

    fn release<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, ()> {
        self.call(run, move |run, _| {
            run.state = run.state.release(epoch)?;
            Ok(())
        })
    }

    fn raise_epoch<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, Epoch> {
        self.call(run, move |run, _| {
            run.state = run.state.raise_epoch(epoch)?;
            Ok(run.state.epoch)
        })
    }

    fn status<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Option<RunStatus>> {
        self.call(run, |run, now_ms| Ok(run.state.status(now_ms)))
    }

    fn put_record<'a>(
        &'a mut self,
        run: &'a RunName,
        epoch: Epoch,
        name: &'a str,
        bytes: &'a [u8],
    ) -> StoreFuture<'a, ()> {
        self.call(run, move |run, _| {
            check_name("record", name)?;
            chunks::check_document("a record", bytes)?;
            run.state.fence(epoch)?;
            run.records.insert(name.to_owned(), bytes.to_vec());
            Ok(())
        })
    }

    fn get_record<'a>(&'a mut self, run: &'a RunName, name: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.call(run, move |run, _| Ok(run.records.get(name).cloned()))
    }

    fn put_part<'a>(&'a mut self, run: &'a RunName, id: PartId, bytes: &'a [u8]) -> StoreFuture<'a, PartRef> {
        Box::pin(async move {
            chunks::check_value("a part", bytes.len() as u64)?;
            let mut runs = self.map();
            let stored = runs.entry(run.clone()).or_default().parts.entry(id).or_insert_with(|| bytes.into());
            if stored[..] == *bytes { Ok(PartRef::new(id, bytes)) } else { Err(StoreError::other_part(&id)) }
        })
    }

    fn get_part<'a>(&'a mut self, run: &'a RunName, part: &'a PartRef) -> StoreFuture<'a, Vec<u8>> {
        self.call(run, move |run, _| {
            let bytes = run.parts.get(&part.id).ok_or_else(|| part.missing())?;
            part.verify(bytes)?;
            Ok(bytes.to_vec())
        })
    }

    fn commit<'a>(&'a mut self, run: &'a RunName, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        self.call(run, move |run, _| run.commit(manifest, None))
    }

    fn replace<'a>(&'a mut self, run: &'a RunName, old: &'a Manifest, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        self.call(run, move |run, _| run.commit(manifest, Some(old)))
    }

    fn withdraw<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, step: u64) -> StoreFuture<'a, ()> {
        self.call(run, move |run, _| {
            let before = run.commits.range(..step).next_back().map(|(step, _)| *step);
            run.state = run.state.withdraw(epoch, step, before)?;
            run.commits.remove(&step);
            Ok(())
        })
    }

    fn commits<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Vec<Manifest>> {
        self.call(run, |run, _| Ok(run.commits.values().rev().cloned().collect()))
    }

    fn sweep<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, keep: usize) -> StoreFuture<'a, Swept> {
        self.call(run, move |run, _| {
            run.state.fence(epoch)?;
            let commits: Vec<Manifest> = run.commits.values().rev().cloned().collect();
            let plan = plan_sweep(&commits, run.parts.keys().copied(), keep);
            run.commits.retain(|step, _| !plan.commits.contains(step));
            for id in &plan.parts {
                run.parts.remove(id);
            }
            Ok(plan.swept())
        })
    }

    fn append_log<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, seq: u64, bytes: &'a [u8]) -> StoreFuture<'a, ()> {
        self.call(run, move |run, _| {
            chunks::check_document("a log entry", bytes)?;
            run.state.fence(epoch)?;
            let stored = usize::try_from(seq).ok().and_then(|seq| run.log.get(seq));
            if stored.is_some_and(|stored| stored == bytes) {
                return Ok(());
            }
            if stored.is_some() || seq != run.log.len() as u64 {
                return Err(StoreError::log(seq, run.log.len() as u64));
            }
            chunks::check_log(seq)?;
            run.log.push(bytes.to_vec());
            Ok(())
        })
    }

    fn read_log<'a>(&'a mut self, run: &'a RunName, from: u64) -> StoreFuture<'a, Vec<(u64, Vec<u8>)>> {
        self.call(run, move |run, _| {
            let mut page = chunks::LogPage::default();
            for (seq, entry) in (from..).zip(run.log.iter().skip(from as usize)) {
                if !page.push(seq, entry.clone()) {
                    break;
                }
            }
            Ok(page.entries)
        })
    }

    fn runs(&mut self) -> StoreFuture<'_, Vec<RunName>> {
        Box::pin(async move {
            let runs = self.map();
            Ok(runs.iter().filter(|(_, run)| run.state.is_run()).map(|(name, _)| name.clone()).collect())
        })
    }

    fn remove_run<'a>(&'a mut self, name: &'a RunName, force: bool) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let now_ms = self.now_ms();
            let mut runs = self.map();
            if let Some(run) = runs.get(name) {
                run.state.may_remove(now_ms, force)?;
                runs.remove(name);
            }
            Ok(())
        })
    }
}
