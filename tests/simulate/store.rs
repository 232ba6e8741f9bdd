//! A store that fails, is slow, and does not say what it did, by the seed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tessds::persist::{
    ContentHash, Lease, Manifest, MemoryStore, PartId, PartRef, RunName, RunStatus, SnapshotStore, StoreError,
    StoreFuture, Swept,
};
use tessds::protocol::Epoch;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::hub::{Hub, now_ms};
use super::weather::{Fate, Weather};

/// A fault of the program that the harness has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    Nothing,
    /// The store does not look at the epoch of a commit.
    UnfencedCommit,
    /// The store acknowledges a commit that it does not make.
    ForgottenCommit,
    /// The store acknowledges a part of which it keeps nothing but the reference.
    ForgottenPart,
    /// The store acknowledges that it takes a commit back, and keeps it.
    ForgottenWithdrawal,
}

/// A connection of one process to the store.
pub struct FaultyStore {
    pub memory: MemoryStore,
    pub weather: Arc<Mutex<Weather>>,
    pub hub: Arc<Hub>,
    /// The process that uses it.
    pub process: u64,
    pub planted: Planted,
}

impl FaultyStore {
    async fn call<T>(
        &mut self,
        name: &'static str,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (before, fate, after) = self.weather.lock().expect("no panic").fate();
        sleep(before).await;
        let result = match fate {
            Fate::Fine => work(self).await,
            Fate::Refused(error) => Err(error),
            Fate::Ambiguous { done } => {
                let what = name.to_owned();
                if done {
                    // What came of it is not told.
                    let _ = work(self).await;
                    self.hub.judge().count("ambiguous, and done");
                }
                Err(StoreError::Ambiguous { what })
            }
        };
        let text = result.as_ref().err().map_or_else(String::new, ToString::to_string);
        self.hub.judge().note(now_ms(), name, &text, &self.process.to_le_bytes());
        sleep(after).await;
        result
    }

    async fn commit_now(
        &mut self,
        run: &RunName,
        over: Option<&Manifest>,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        let mut manifest = manifest.clone();
        if over.is_none() {
            manifest.created_ms = now_ms();
            self.keep_time_of_commit(run, &mut manifest).await?;
        }
        match self.planted {
            Planted::ForgottenCommit => return Ok(()),
            Planted::UnfencedCommit => {
                if let Some(status) = self.memory.status(run).await? {
                    manifest.epoch = status.epoch;
                }
            }
            _ => {}
        }
        match over {
            Some(old) => self.memory.replace(run, old, &manifest).await?,
            None => self.memory.commit(run, &manifest).await?,
        }
        let mut unreadable = None;
        for part in &manifest.parts {
            if let Err(error) = self.memory.get_part(run, part).await {
                unreadable = Some((part.id, error.to_string()));
            }
        }
        self.hub.judge().commit(self.process, &manifest, over, unreadable);
        Ok(())
    }

    async fn withdraw_now(&mut self, run: &RunName, epoch: Epoch, step: u64) -> Result<(), StoreError> {
        let before = self.memory.commits(run).await?.into_iter().find(|commit| commit.step == step);
        if self.planted != Planted::ForgottenWithdrawal {
            self.memory.withdraw(run, epoch, step).await?;
        }
        let left = self.memory.commits(run).await?.first().map(|commit| commit.step);
        self.hub.judge().withdrawn(self.process, epoch, step, before.as_ref(), left);
        Ok(())
    }

    /// A commit that is repeated is the same to the last bit, also its time.
    async fn keep_time_of_commit(&mut self, run: &RunName, manifest: &mut Manifest) -> Result<(), StoreError> {
        if let Some(last) = self.memory.commits(run).await?.first().filter(|last| last.step == manifest.step) {
            manifest.created_ms = last.created_ms;
        }
        Ok(())
    }

    fn changed(&self, epoch: Epoch, what: &str) {
        self.hub.judge().changed(self.process, epoch, what);
    }
}

impl SnapshotStore for FaultyStore {
    fn put_blob<'a>(&'a mut self, run: &'a RunName, bytes: &'a [u8]) -> StoreFuture<'a, ContentHash> {
        Box::pin(self.call("put_blob", async |s| {
            let hash = s.memory.put_blob(run, bytes).await?;
            s.hub.judge().scenario(hash, bytes);
            Ok(hash)
        }))
    }

    fn get_blob<'a>(&'a mut self, run: &'a RunName, hash: ContentHash) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(self.call("get_blob", async move |s| s.memory.get_blob(run, hash).await))
    }

    fn acquire<'a>(&'a mut self, run: &'a RunName, holder: &'a str, ttl: Duration) -> StoreFuture<'a, Lease> {
        Box::pin(self.call("acquire", async move |s| {
            let lease = s.memory.acquire(run, holder, ttl).await?;
            s.hub.judge().acquired(s.process, lease.epoch);
            Ok(lease)
        }))
    }

    fn renew<'a>(&'a mut self, run: &'a RunName, holder: &'a str, epoch: Epoch, ttl: Duration) -> StoreFuture<'a, ()> {
        Box::pin(self.call("renew", async move |s| {
            s.memory.renew(run, holder, epoch, ttl).await?;
            s.changed(epoch, "renew");
            Ok(())
        }))
    }

    fn release<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, ()> {
        Box::pin(self.call("release", async move |s| {
            s.memory.release(run, epoch).await?;
            s.changed(epoch, "release");
            Ok(())
        }))
    }

    fn raise_epoch<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, Epoch> {
        Box::pin(self.call("raise_epoch", async move |s| {
            let raised = s.memory.raise_epoch(run, epoch).await?;
            s.hub.judge().raised(s.process, raised);
            Ok(raised)
        }))
    }

    fn status<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Option<RunStatus>> {
        Box::pin(self.call("status", async move |s| s.memory.status(run).await))
    }

    fn put_record<'a>(
        &'a mut self,
        run: &'a RunName,
        epoch: Epoch,
        name: &'a str,
        bytes: &'a [u8],
    ) -> StoreFuture<'a, ()> {
        Box::pin(self.call("put_record", async move |s| {
            s.memory.put_record(run, epoch, name, bytes).await?;
            s.changed(epoch, "put_record");
            Ok(())
        }))
    }

    fn get_record<'a>(&'a mut self, run: &'a RunName, name: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(self.call("get_record", async move |s| s.memory.get_record(run, name).await))
    }

    fn put_part<'a>(&'a mut self, run: &'a RunName, id: PartId, bytes: &'a [u8]) -> StoreFuture<'a, PartRef> {
        Box::pin(self.call("put_part", async move |s| {
            let reference = s.memory.put_part(run, id, bytes).await?;
            if s.planted == Planted::ForgottenPart && id.step.is_multiple_of(2) {
                s.memory.damage_part(run, id, Vec::clear);
            }
            Ok(reference)
        }))
    }

    fn get_part<'a>(&'a mut self, run: &'a RunName, part: &'a PartRef) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(self.call("get_part", async move |s| s.memory.get_part(run, part).await))
    }

    fn commit<'a>(&'a mut self, run: &'a RunName, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let done = self.call("commit", async |s| s.commit_now(run, None, manifest).await).await;
            let is_late = matches!(done, Err(StoreError::Ambiguous { .. }))
                && self.weather.lock().expect("no panic").random.next().is_multiple_of(3);
            if is_late {
                // What was given up may still happen, long after.
                let pause = Duration::from_millis(self.weather.lock().expect("no panic").random.next() % 1500);
                let (memory, weather, hub) = (self.memory.clone(), Arc::clone(&self.weather), Arc::clone(&self.hub));
                let mut late = Self { memory, weather, hub, process: self.process, planted: self.planted };
                let (run, manifest) = (run.clone(), manifest.clone());
                spawn_local(async move {
                    sleep(pause).await;
                    if late.commit_now(&run, None, &manifest).await.is_ok() {
                        late.hub.judge().count("late commits");
                    }
                });
            }
            done
        })
    }

    fn replace<'a>(&'a mut self, run: &'a RunName, old: &'a Manifest, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        Box::pin(self.call("replace", async move |s| s.commit_now(run, Some(old), manifest).await))
    }

    fn withdraw<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, step: u64) -> StoreFuture<'a, ()> {
        Box::pin(self.call("withdraw", async move |s| s.withdraw_now(run, epoch, step).await))
    }

    fn commits<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Vec<Manifest>> {
        Box::pin(self.call("commits", async move |s| s.memory.commits(run).await))
    }

    fn sweep<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, keep: usize) -> StoreFuture<'a, Swept> {
        Box::pin(self.call("sweep", async move |s| {
            let swept = s.memory.sweep(run, epoch, keep).await?;
            s.changed(epoch, "sweep");
            Ok(swept)
        }))
    }

    fn append_log<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, seq: u64, bytes: &'a [u8]) -> StoreFuture<'a, ()> {
        Box::pin(self.call("append_log", async move |s| {
            s.memory.append_log(run, epoch, seq, bytes).await?;
            s.hub.judge().count("entries of the command log");
            Ok(())
        }))
    }

    fn read_log<'a>(&'a mut self, run: &'a RunName, from: u64) -> StoreFuture<'a, Vec<(u64, Vec<u8>)>> {
        Box::pin(self.call("read_log", async move |s| s.memory.read_log(run, from).await))
    }

    fn runs(&mut self) -> StoreFuture<'_, Vec<RunName>> {
        Box::pin(self.call("runs", async |s| s.memory.runs().await))
    }

    fn remove_run<'a>(&'a mut self, run: &'a RunName, force: bool) -> StoreFuture<'a, ()> {
        Box::pin(self.call("remove_run", async move |s| s.memory.remove_run(run, force).await))
    }
}
