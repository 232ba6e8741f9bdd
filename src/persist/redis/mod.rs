//! A store in Redis. What must be indivisible is a script; all keys of a run share one hash tag.

mod address;
mod connection;
mod failure;
mod reply;
mod scripts;
mod values;

use std::collections::BTreeMap;
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, cmd, pipe};
use tokio::time::Instant;

use address::Address;
use connection::{Connection, Effect};
use reply::Reply;
use scripts::Scripts;
use values::{Index, Meta};

use super::ids::check_name;
use super::keys::{RedisKeys, parse_part_name, part_name};
use super::retention::plan_sweep;
use super::{
    ContentHash, Holder, Lease, Manifest, PartId, PartRef, RunName, RunStatus, SnapshotStore, StoreError, StoreFuture,
    Swept, chunks,
};
use crate::persist::Epoch;

/// The life of a run's keys is prolonged so many times before they would expire.
const TOUCHES_PER_LIFE: u64 = 16;

/// Keys in one command or pipeline.
const BATCH: usize = 512;

/// A store in Redis, over a connection of its own that is made when it is first needed.
pub struct RedisStore {
    connection: Connection,
    scripts: Scripts,
    /// Version of each record as this store wrote or found it last.
    versions: BTreeMap<(RunName, String), u64>,
    /// When the life of a run's keys was prolonged last.
    touched: BTreeMap<RunName, Instant>,
}

impl RedisStore {
    /// `redis://` or `rediss://`, as `docs/stores.md` explains. Does not connect yet.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            connection: Connection::new(Address::parse(url)?),
            scripts: Scripts::new(),
            versions: BTreeMap::new(),
            touched: BTreeMap::new(),
        })
    }

    async fn read<T: FromRedisValue>(&mut self, command: Cmd) -> Result<T, StoreError> {
        self.connection.call(Effect::Read, async |link| command.query_async(link).await).await
    }

    async fn write(&mut self, command: Cmd) -> Result<(), StoreError> {
        self.connection.call(Effect::Repeatable, async |link| command.query_async(link).await).await
    }

    /// Prolongs the life of all keys of a run, if that is due: parts and blobs are written once, but live as long as the run.
    async fn touch(&mut self, run: &RunName) {
        let keep_ms = self.connection.keep_ms();
        let due = Duration::from_millis(keep_ms / TOUCHES_PER_LIFE);
        if keep_ms == 0 || self.touched.get(run).is_some_and(|at| at.elapsed() < due) {
            return;
        }
        match self.touch_now(run, keep_ms).await {
            Ok(()) => {
                self.touched.insert(run.clone(), Instant::now());
            }
            Err(error) => {
                tracing::warn!(%run, %error, "expiry time of the stored run not extended; it will be retried")
            }
        }
    }

    async fn touch_now(&mut self, run: &RunName, keep_ms: u64) -> Result<(), StoreError> {
        let keys = RedisKeys::new(run);
        let mut all = vec![keys.state(), keys.commits(), keys.records(), keys.log(), keys.parts(), keys.blobs()];
        let parts: Vec<String> = self.read(cmd("ZRANGE").arg(keys.parts()).arg(0).arg(-1).take()).await?;
        all.extend(parts.iter().map(|name| keys.part(name)));
        let blobs: Vec<String> = self.read(cmd("SMEMBERS").arg(keys.blobs()).take()).await?;
        all.extend(blobs.iter().map(|hash| keys.blob(hash)));
        for batch in all.chunks(BATCH) {
            let mut pipeline = pipe();
            for key in batch {
                pipeline.cmd("PEXPIRE").arg(key).arg(keep_ms).ignore();
            }
            self.connection.call(Effect::Repeatable, async |link| pipeline.exec_async(link).await).await?;
        }
        Ok(())
    }

    async fn commit_over(
        &mut self,
        run: &RunName,
        manifest: &Manifest,
        over: Option<&Manifest>,
    ) -> Result<(), StoreError> {
        manifest.check()?;
        let keys = RedisKeys::new(run);
        let mut script = self.scripts.commit.key(keys.state());
        script.key(keys.commits()).arg(self.connection.keep_ms()).arg(manifest.epoch.0);
        script.arg(manifest.step).arg(manifest.encode());
        script.arg(over.map_or_else(Vec::new, Manifest::encode));
        for part in &manifest.parts {
            let meta = Meta { bytes: part.bytes, hash: part.hash };
            script.key(keys.part(&part_name(&part.id))).arg(meta.text()).arg(meta.fields());
        }
        let reply = Reply::of(&mut self.connection, Effect::Repeatable, &script).await?;
        match reply.tag() {
            "conflict" => Err(StoreError::older_commit(manifest.step, reply.number()?)),
            "missing" => {
                let lost = manifest.parts.get(reply.number()? as usize);
                Err(lost.map_or_else(|| StoreError::missing("a part"), PartRef::missing))
            }
            _ => {
                self.touch(run).await;
                Ok(())
            }
        }
    }

    async fn commits_of(&mut self, keys: &RedisKeys) -> Result<Vec<Manifest>, StoreError> {
        let stored: BTreeMap<u64, Vec<u8>> = self.read(cmd("HGETALL").arg(keys.commits()).take()).await?;
        let mut commits = Vec::new();
        for (step, bytes) in stored.into_iter().rev() {
            match Manifest::decode(step, &bytes) {
                Ok(manifest) => commits.push(manifest),
                Err(error) => tracing::warn!(step, %error, "damaged commit skipped"),
            }
        }
        Ok(commits)
    }

    /// Deletes all values that an index names, and the index.
    async fn remove_indexed(
        &mut self,
        names: Vec<String>,
        index: &str,
        key: impl Fn(&str) -> String,
    ) -> Result<(), StoreError> {
        for batch in names.chunks(BATCH) {
            let keys: Vec<String> = batch.iter().map(|name| key(name)).collect();
            self.write(cmd("UNLINK").arg(keys).take()).await?;
        }
        self.write(cmd("UNLINK").arg(index).take()).await
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 2)
}

impl SnapshotStore for RedisStore {
    /// Memory, which is to stay below three snapshots.
    fn kept_commits(&self) -> usize {
        1
    }

    fn put_blob<'a>(&'a mut self, run: &'a RunName, bytes: &'a [u8]) -> StoreFuture<'a, ContentHash> {
        Box::pin(async move {
            chunks::check_value("a blob", bytes.len() as u64)?;
            let (keys, hash) = (RedisKeys::new(run), ContentHash::of(bytes));
            let name = hash.to_string();
            let index = Index { key: keys.blobs(), name: &name, score: None };
            if values::put(&mut self.connection, &self.scripts, &keys.blob(&name), index, bytes).await? {
                Ok(hash)
            } else {
                Err(StoreError::damaged(format!("blob {hash} is already stored with different content")))
            }
        })
    }

    fn get_blob<'a>(&'a mut self, run: &'a RunName, hash: ContentHash) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let (what, key) = (format!("blob {hash}"), RedisKeys::new(run).blob(&hash.to_string()));
            let bytes = values::get(&mut self.connection, &key, &what, None).await?;
            let bytes = bytes.ok_or_else(|| StoreError::missing(what.clone()))?;
            if ContentHash::of(&bytes) != hash {
                return Err(StoreError::damaged(format!("{what} does not match the checksum in its name")));
            }
            Ok(bytes)
        })
    }

    fn acquire<'a>(&'a mut self, run: &'a RunName, holder: &'a str, ttl: Duration) -> StoreFuture<'a, Lease> {
        Box::pin(async move {
            check_name("holder", holder)?;
            let keys = RedisKeys::new(run);
            self.write(cmd("SADD").arg(RedisKeys::RUNS).arg(run.as_str()).take()).await?;
            let mut script = self.scripts.acquire.key(keys.state());
            script.key(keys.lease()).arg(self.connection.keep_ms()).arg(holder).arg(millis(ttl));
            let epoch = Epoch(Reply::of(&mut self.connection, Effect::Once, &script).await?.number()?);
            self.touch(run).await;
            Ok(Lease { epoch })
        })
    }

    fn renew<'a>(&'a mut self, run: &'a RunName, holder: &'a str, epoch: Epoch, ttl: Duration) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let keys = RedisKeys::new(run);
            let mut script = self.scripts.renew.key(keys.state());
            script.key(keys.lease()).arg(self.connection.keep_ms()).arg(epoch.0).arg(holder).arg(millis(ttl));
            Reply::of(&mut self.connection, Effect::Repeatable, &script).await?;
            self.touch(run).await;
            Ok(())
        })
    }

    fn release<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let keys = RedisKeys::new(run);
            let mut script = self.scripts.release.key(keys.state());
            script.key(keys.lease()).arg(self.connection.keep_ms()).arg(epoch.0);
            Reply::of(&mut self.connection, Effect::Repeatable, &script).await?;
            Ok(())
        })
    }

    fn raise_epoch<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, Epoch> {
        Box::pin(async move {
            let mut script = self.scripts.raise_epoch.key(RedisKeys::new(run).state());
            script.arg(self.connection.keep_ms()).arg(epoch.0);
            Ok(Epoch(Reply::of(&mut self.connection, Effect::Once, &script).await?.number()?))
        })
    }

    fn status<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Option<RunStatus>> {
        Box::pin(async move {
            let keys = RedisKeys::new(run);
            let mut pipeline = pipe();
            pipeline.cmd("HMGET").arg(keys.state()).arg("epoch").arg("committed");
            pipeline.cmd("GET").arg(keys.lease()).cmd("PTTL").arg(keys.lease());
            let ((epoch, committed), holder, for_ms): ((Option<u64>, Option<u64>), Option<String>, i64) =
                self.connection.call(Effect::Read, async |link| pipeline.query_async(link).await).await?;
            let holder = holder.map(|name| Holder { name, for_ms: for_ms.max(0) as u64 });
            Ok(epoch.map(|epoch| RunStatus { epoch: Epoch(epoch), committed, holder }))
        })
    }

    fn put_record<'a>(
        &'a mut self,
        run: &'a RunName,
        epoch: Epoch,
        name: &'a str,
        bytes: &'a [u8],
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            check_name("record", name)?;
            chunks::check_document("a record", bytes)?;
            let keys = RedisKeys::new(run);
            let place = (run.clone(), name.to_owned());
            let before = match self.versions.get(&place) {
                Some(version) => *version,
                None => {
                    let version = cmd("HGET").arg(keys.records()).arg(format!("{name}#")).take();
                    self.read::<Option<u64>>(version).await?.unwrap_or(0)
                }
            };
            // Used up, whatever becomes of the call.
            self.versions.insert(place.clone(), before + 1);
            let mut script = self.scripts.put_record.key(keys.state());
            script.key(keys.records()).arg(self.connection.keep_ms()).arg(epoch.0).arg(name).arg(bytes).arg(before + 1);
            if Reply::of(&mut self.connection, Effect::Repeatable, &script).await?.tag() == "late" {
                // The first try of this very call came through; or another handle wrote, and the next try finds its version.
                let stored: Option<Vec<u8>> = self.read(cmd("HGET").arg(keys.records()).arg(name).take()).await?;
                if stored.as_deref() != Some(bytes) {
                    self.versions.remove(&place);
                    return Err(StoreError::conflict(format!(
                        "record '{name}' was already written by another process in this epoch"
                    )));
                }
            }
            Ok(())
        })
    }

    fn get_record<'a>(&'a mut self, run: &'a RunName, name: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            check_name("record", name)?;
            self.read(cmd("HGET").arg(RedisKeys::new(run).records()).arg(name).take()).await
        })
    }

    fn put_part<'a>(&'a mut self, run: &'a RunName, id: PartId, bytes: &'a [u8]) -> StoreFuture<'a, PartRef> {
        Box::pin(async move {
            chunks::check_value("a part", bytes.len() as u64)?;
            let (keys, name) = (RedisKeys::new(run), part_name(&id));
            let index = Index { key: keys.parts(), name: &name, score: Some(id.step) };
            if values::put(&mut self.connection, &self.scripts, &keys.part(&name), index, bytes).await? {
                Ok(PartRef::new(id, bytes))
            } else {
                Err(StoreError::other_part(&id))
            }
        })
    }

    fn get_part<'a>(&'a mut self, run: &'a RunName, part: &'a PartRef) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(async move {
            part.check()?;
            let key = RedisKeys::new(run).part(&part_name(&part.id));
            let expected = Meta { bytes: part.bytes, hash: part.hash };
            let bytes = values::get(&mut self.connection, &key, &part.to_string(), Some(expected)).await?;
            bytes.ok_or_else(|| part.missing())
        })
    }

    fn commit<'a>(&'a mut self, run: &'a RunName, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        Box::pin(self.commit_over(run, manifest, None))
    }

    fn replace<'a>(&'a mut self, run: &'a RunName, old: &'a Manifest, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        Box::pin(self.commit_over(run, manifest, Some(old)))
    }

    fn withdraw<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, step: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let keys = RedisKeys::new(run);
            let mut script = self.scripts.withdraw.key(keys.state());
            script.key(keys.commits()).arg(self.connection.keep_ms()).arg(epoch.0).arg(step);
            match Reply::of(&mut self.connection, Effect::Repeatable, &script).await?.tag() {
                "conflict" => Err(StoreError::not_newest(step)),
                _ => Ok(()),
            }
        })
    }

    fn commits<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Vec<Manifest>> {
        Box::pin(async move { self.commits_of(&RedisKeys::new(run)).await })
    }

    fn sweep<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, keep: usize) -> StoreFuture<'a, Swept> {
        Box::pin(async move {
            let keys = RedisKeys::new(run);
            let committed: Option<u64> = self.read(cmd("HGET").arg(keys.state()).arg("committed").take()).await?;
            let commits = self.commits_of(&keys).await?;
            let until = commits.first().map_or_else(|| "(0".to_owned(), |newest| newest.step.to_string());
            let listed = cmd("ZRANGEBYSCORE").arg(keys.parts()).arg("-inf").arg(until).take();
            let parts: Vec<String> = self.read(listed).await?;
            let plan = plan_sweep(&commits, parts.iter().filter_map(|name| parse_part_name(name)), keep);

            // The script checks that the plan is still right, and the epoch even when there is nothing to do.
            let mut script = self.scripts.sweep.key(keys.state());
            script.key(keys.commits()).key(keys.parts()).arg(self.connection.keep_ms()).arg(epoch.0);
            script.arg(committed.map(|step| step.to_string()).unwrap_or_default());
            script.arg(plan.commits.len()).arg(&plan.commits);
            for id in &plan.parts {
                let name = part_name(id);
                script.key(keys.part(&name)).arg(name);
            }
            match Reply::of(&mut self.connection, Effect::Repeatable, &script).await?.tag() {
                "moved" => Ok(Swept { more: true, ..Swept::default() }),
                _ => Ok(plan.swept()),
            }
        })
    }

    fn append_log<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, seq: u64, bytes: &'a [u8]) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            chunks::check_document("a log entry", bytes)?;
            chunks::check_log(seq)?;
            let keys = RedisKeys::new(run);
            let mut script = self.scripts.append_log.key(keys.state());
            script.key(keys.log()).arg(self.connection.keep_ms()).arg(epoch.0).arg(seq).arg(bytes);
            let reply = Reply::of(&mut self.connection, Effect::Repeatable, &script).await?;
            match reply.tag() {
                "conflict" => Err(StoreError::log(seq, reply.number()?)),
                _ => Ok(()),
            }
        })
    }

    fn read_log<'a>(&'a mut self, run: &'a RunName, from: u64) -> StoreFuture<'a, Vec<(u64, Vec<u8>)>> {
        Box::pin(async move {
            if from >= chunks::MAX_LOG_ENTRIES {
                return Ok(Vec::new());
            }
            let mut script = self.scripts.read_log.key(RedisKeys::new(run).log());
            script.arg(0).arg(from).arg(chunks::PAGE_ENTRIES).arg(chunks::PAGE_BYTES);
            let entries: Vec<Vec<u8>> =
                self.connection.call(Effect::Read, async |link| script.invoke_async(link).await).await?;
            Ok((from..).zip(entries).collect())
        })
    }

    fn runs(&mut self) -> StoreFuture<'_, Vec<RunName>> {
        Box::pin(async move {
            let names: Vec<String> = self.read(cmd("SMEMBERS").arg(RedisKeys::RUNS).take()).await?;
            let mut runs = Vec::new();
            for run in names.into_iter().filter_map(|name| RunName::new(name).ok()) {
                // The name outlives the keys of an abandoned run; it goes with the next `remove_run`, and costs nothing.
                if self.read::<bool>(cmd("EXISTS").arg(RedisKeys::new(&run).state()).take()).await? {
                    runs.push(run);
                }
            }
            runs.sort_unstable();
            Ok(runs)
        })
    }

    fn remove_run<'a>(&'a mut self, run: &'a RunName, force: bool) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let keys = RedisKeys::new(run);
            let mut script = self.scripts.remove.key(keys.lease());
            script.key(keys.state()).key(keys.commits()).key(keys.records()).key(keys.log());
            script.arg(0).arg(if force { "force" } else { "" });
            Reply::of(&mut self.connection, Effect::Repeatable, &script).await?;
            let parts: Vec<String> = self.read(cmd("ZRANGE").arg(keys.parts()).arg(0).arg(-1).take()).await?;
            self.remove_indexed(parts, &keys.parts(), |name| keys.part(name)).await?;
            let blobs: Vec<String> = self.read(cmd("SMEMBERS").arg(keys.blobs()).take()).await?;
            self.remove_indexed(blobs, &keys.blobs(), |hash| keys.blob(hash)).await?;
            self.versions.retain(|(of, _), _| of != run);
            self.touched.remove(run);
            self.write(cmd("SREM").arg(RedisKeys::RUNS).arg(run.as_str()).take()).await
        })
    }
}
