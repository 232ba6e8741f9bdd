//! One run in a directory: the calls of the store, synchronous.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files;
use crate::persist::Epoch;
use crate::persist::keys::{RunFiles, parse_part_name};
use crate::persist::retention::plan_sweep;
use crate::persist::run_state::{CommitDecision, RunState};
use crate::persist::seal::{seal, unseal};
use crate::persist::{ContentHash, Lease, Manifest, PartId, PartRef, RunName, RunStatus, StoreError, Swept, chunks};

/// The files of one run. Everything that compares an epoch does so under the run's lock; the state file is written last.
pub(super) struct RunFolder {
    files: RunFiles,
}

/// The right to change the state of a run, with the state as it is.
struct Locked {
    state: RunState,
    _lock: File,
}

impl RunFolder {
    pub fn new(root: &Path, run: &RunName) -> Self {
        Self { files: RunFiles::new(root, run) }
    }

    /// The names of all runs that have a state.
    pub fn runs(root: &Path) -> Result<Vec<RunName>, StoreError> {
        let names = files::names(&RunFiles::all_runs(root))?;
        let runs = names.into_iter().filter_map(|name| RunName::new(name).ok());
        Ok(runs.filter(|run| RunFiles::new(root, run).state().exists()).collect())
    }

    pub fn put_blob(&self, bytes: &[u8]) -> Result<ContentHash, StoreError> {
        let hash = ContentHash::of(bytes);
        let path = self.files.blob(hash);
        // A damaged one is replaced.
        if files::length(&path)? != Some(bytes.len() as u64) || self.get_blob(hash).is_err() {
            self.write(&path, &[bytes])?;
        }
        Ok(hash)
    }

    pub fn get_blob(&self, hash: ContentHash) -> Result<Vec<u8>, StoreError> {
        let path = self.files.blob(hash);
        let bytes = files::read(&path)?.ok_or_else(|| StoreError::missing(format!("blob {hash}")))?;
        if ContentHash::of(&bytes) != hash {
            return Err(StoreError::damaged(format!("{} does not match the checksum in its name", path.display())));
        }
        Ok(bytes)
    }

    pub fn acquire(&self, holder: &str, ttl: Duration) -> Result<Lease, StoreError> {
        let locked = self.lock()?;
        let state = locked.state.acquire(holder, now_ms(), ttl)?;
        files::remove_unfinished(&self.files.unfinished())?;
        self.advance(locked, &state)?;
        Ok(Lease { epoch: state.epoch })
    }

    pub fn renew(&self, holder: &str, epoch: Epoch, ttl: Duration) -> Result<(), StoreError> {
        let locked = self.lock()?;
        let state = locked.state.renew(holder, epoch, now_ms(), ttl)?;
        self.advance(locked, &state)
    }

    pub fn release(&self, epoch: Epoch) -> Result<(), StoreError> {
        let locked = self.lock()?;
        let state = locked.state.release(epoch)?;
        self.advance(locked, &state)
    }

    pub fn raise_epoch(&self, epoch: Epoch) -> Result<Epoch, StoreError> {
        let locked = self.lock()?;
        let state = locked.state.raise_epoch(epoch)?;
        self.advance(locked, &state)?;
        Ok(state.epoch)
    }

    pub fn status(&self) -> Result<Option<RunStatus>, StoreError> {
        Ok(self.state()?.status(now_ms()))
    }

    pub fn put_record(&self, epoch: Epoch, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let locked = self.lock()?;
        locked.state.fence(epoch)?;
        self.write(&self.files.record(name), &[&seal(bytes)])
    }

    pub fn get_record(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = files::read(&self.files.record(name))?;
        sealed.map(|sealed| Ok(unseal(&format!("record '{name}'"), &sealed)?.to_vec())).transpose()
    }

    pub fn put_part(&self, id: PartId, bytes: &[u8]) -> Result<PartRef, StoreError> {
        let path = self.files.part(&id);
        match files::read(&path)? {
            None => self.write(&path, &[bytes])?,
            Some(stored) if stored == bytes => {}
            Some(_) => return Err(StoreError::other_part(&id)),
        }
        Ok(PartRef::new(id, bytes))
    }

    pub fn get_part(&self, part: &PartRef) -> Result<Vec<u8>, StoreError> {
        part.check()?;
        let path = self.files.part(&part.id);
        let length = files::length(&path)?.ok_or_else(|| part.missing())?;
        if length != part.bytes {
            return Err(StoreError::damaged(format!("{part} has {length} bytes instead of {}", part.bytes)));
        }
        let bytes = files::read(&path)?.ok_or_else(|| part.missing())?;
        part.verify(&bytes)?;
        Ok(bytes)
    }

    pub fn commit(&self, manifest: &Manifest, over: Option<&Manifest>) -> Result<(), StoreError> {
        let locked = self.lock()?;
        let stored = match self.read_commit(manifest.step) {
            Err(StoreError::Damaged { .. }) => None,
            stored => stored?,
        };
        if let CommitDecision::Advance(state) = locked.state.commit(manifest, over, stored.as_ref())? {
            for part in &manifest.parts {
                if files::length(&self.files.part(&part.id))? != Some(part.bytes) {
                    return Err(part.missing());
                }
            }
            self.write(&self.files.commit(manifest.step), &[&manifest.encode()])?;
            self.advance(locked, &state)?;
        }
        Ok(())
    }

    pub fn withdraw(&self, epoch: Epoch, step: u64) -> Result<(), StoreError> {
        let locked = self.lock()?;
        let before = self.commit_steps(&locked.state)?.into_iter().filter(|other| *other < step).max();
        let state = locked.state.withdraw(epoch, step, before)?;
        self.advance(locked, &state)?;
        files::remove(&self.files.commit(step))
    }

    pub fn commits(&self) -> Result<Vec<Manifest>, StoreError> {
        self.commits_of(&self.state()?)
    }

    pub fn sweep(&self, epoch: Epoch, keep: usize) -> Result<Swept, StoreError> {
        let locked = self.lock()?;
        locked.state.fence(epoch)?;
        let commits = self.commits_of(&locked.state)?;
        let parts = files::names(&self.files.parts())?;
        let plan = plan_sweep(&commits, parts.iter().filter_map(|name| parse_part_name(name)), keep);
        for step in &plan.commits {
            files::remove(&self.files.commit(*step))?;
        }
        if !plan.commits.is_empty() {
            // Else a crash could bring a commit back whose parts are gone.
            files::sync_folder(&self.files.commits())?;
        }
        for id in &plan.parts {
            files::remove(&self.files.part(id))?;
        }
        files::remove_unfinished(&self.files.unfinished())?;
        Ok(plan.swept())
    }

    pub fn append_log(&self, epoch: Epoch, seq: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let locked = self.lock()?;
        locked.state.fence(epoch)?;
        match self.read_log_entry(seq)? {
            Some(stored) if stored == bytes => return Ok(()),
            Some(_) => return Err(StoreError::log(seq, self.log_length()?)),
            None => chunks::check_log(seq)?,
        }
        if seq > 0 && !self.files.log_entry(seq - 1).exists() {
            return Err(StoreError::log(seq, self.log_length()?));
        }
        self.write(&self.files.log_entry(seq), &[&seal(bytes)])
    }

    pub fn read_log(&self, from: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let mut page = chunks::LogPage::default();
        let mut seq = from;
        while let Some(entry) = self.read_log_entry(seq)?
            && page.push(seq, entry)
        {
            seq += 1;
        }
        Ok(page.entries)
    }

    pub fn remove(&self, force: bool) -> Result<(), StoreError> {
        let _lock = files::lock(&self.files.lock())?;
        let folder = self.files.folder();
        if !folder.exists() {
            return Ok(());
        }
        // A run whose state cannot be read must be removable.
        match self.state() {
            Err(StoreError::Damaged { .. }) if force => {}
            state => state?.may_remove(now_ms(), force)?,
        }
        let tag = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let removed = self.files.removed(tag);
        fs::rename(&folder, &removed).map_err(|error| files::failure(&folder, &error))?;
        fs::remove_dir_all(&removed).map_err(|error| files::failure(&removed, &error))
    }

    fn lock(&self) -> Result<Locked, StoreError> {
        let lock = files::lock(&self.files.lock())?;
        Ok(Locked { state: self.state()?, _lock: lock })
    }

    fn state(&self) -> Result<RunState, StoreError> {
        let path = self.files.state();
        let Some(sealed) = files::read(&path)? else { return Ok(RunState::default()) };
        let what = path.display().to_string();
        let bytes = unseal(&what, &sealed)?;
        rmp_serde::from_slice(bytes).map_err(|error| StoreError::damaged(format!("{what}: {error}")))
    }

    /// The one thing that is ever overwritten, but for records.
    fn advance(&self, locked: Locked, state: &RunState) -> Result<(), StoreError> {
        if *state == locked.state {
            return Ok(());
        }
        let bytes = rmp_serde::to_vec(state).expect("numbers and strings in memory can always be written");
        self.write(&self.files.state(), &[&seal(&bytes)])
    }

    fn write(&self, path: &Path, bytes: &[&[u8]]) -> Result<(), StoreError> {
        files::write(&self.files.unfinished(), path, bytes)
    }

    /// Steps that have a file and are committed. A newer file is left of a commit that a crash cut short.
    fn commit_steps(&self, state: &RunState) -> Result<Vec<u64>, StoreError> {
        let names = files::names(&self.files.commits())?;
        let steps = names.iter().filter_map(|name| RunFiles::parse_commit(name));
        Ok(steps.filter(|step| Some(*step) <= state.committed).collect())
    }

    fn commits_of(&self, state: &RunState) -> Result<Vec<Manifest>, StoreError> {
        let mut commits = Vec::new();
        for step in self.commit_steps(state)?.into_iter().rev() {
            match self.read_commit(step) {
                Ok(manifest) => commits.extend(manifest),
                Err(StoreError::Damaged { what }) => tracing::warn!(step, what, "damaged commit skipped"),
                Err(error) => return Err(error),
            }
        }
        Ok(commits)
    }

    fn read_commit(&self, step: u64) -> Result<Option<Manifest>, StoreError> {
        files::read(&self.files.commit(step))?.map(|bytes| Manifest::decode(step, &bytes)).transpose()
    }

    fn read_log_entry(&self, seq: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = files::read(&self.files.log_entry(seq))?;
        sealed.map(|sealed| Ok(unseal(&format!("entry {seq} of the command log"), &sealed)?.to_vec())).transpose()
    }

    fn log_length(&self) -> Result<u64, StoreError> {
        let log = self.files.log_entry(0);
        Ok(files::names(log.parent().unwrap_or(&log))?.len() as u64)
    }
}

/// Leases of a directory end by the wall clock, which all its users share. That a clock jumps can shorten or lengthen a lease,
/// but never lets two holders commit: that is up to the epoch.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
