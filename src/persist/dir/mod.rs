//! A store in a directory: plain files, each written aside, made durable and renamed. Several processes may share it.

mod files;
mod run_folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use run_folder::RunFolder;
use tokio::sync::Semaphore;

use super::ids::check_name;
use super::{
    ContentHash, Lease, Manifest, PartId, PartRef, RunName, RunStatus, SnapshotStore, StoreError, StoreFuture, Swept,
    chunks,
};
use crate::persist::Epoch;

/// Does its work on the threads that the runtime has for what blocks. A dropped future does not stop it.
pub struct DirStore {
    root: PathBuf,
    /// One call at a time, in the order they were made, also when the future of one was dropped.
    turn: Arc<Semaphore>,
}

impl DirStore {
    /// The directory is made when something is written.
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().to_owned(), turn: Arc::new(Semaphore::new(1)) }
    }

    fn call<'a, T: Send + 'static>(
        &self,
        run: &RunName,
        work: impl FnOnce(&RunFolder) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let folder = RunFolder::new(&self.root, run);
        let turn = self.turn.clone();
        Box::pin(async move {
            let turn = turn.acquire_owned().await;
            blocking(move || {
                let _turn = turn;
                work(&folder)
            })
            .await
        })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Unavailable { what: "the program is ending".to_owned() }),
    }
}

/// A call that is wrong by itself.
fn failed<'a, T: 'a>(error: StoreError) -> StoreFuture<'a, T> {
    Box::pin(std::future::ready(Err(error)))
}

impl SnapshotStore for DirStore {
    fn put_blob<'a>(&'a mut self, run: &'a RunName, bytes: &'a [u8]) -> StoreFuture<'a, ContentHash> {
        if let Err(error) = chunks::check_value("a blob", bytes.len() as u64) {
            return failed(error);
        }
        let bytes = bytes.to_vec();
        self.call(run, move |run| run.put_blob(&bytes))
    }

    fn get_blob<'a>(&'a mut self, run: &'a RunName, hash: ContentHash) -> StoreFuture<'a, Vec<u8>> {
        self.call(run, move |run| run.get_blob(hash))
    }

    fn acquire<'a>(&'a mut self, run: &'a RunName, holder: &'a str, ttl: Duration) -> StoreFuture<'a, Lease> {
        if let Err(error) = check_name("holder", holder) {
            return failed(error);
        }
        let holder = holder.to_owned();
        self.call(run, move |run| run.acquire(&holder, ttl))
    }

    fn renew<'a>(&'a mut self, run: &'a RunName, holder: &'a str, epoch: Epoch, ttl: Duration) -> StoreFuture<'a, ()> {
        let holder = holder.to_owned();
        self.call(run, move |run| run.renew(&holder, epoch, ttl))
    }

    fn release<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, ()> {
        self.call(run, move |run| run.release(epoch))
    }

    fn raise_epoch<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, Epoch> {
        self.call(run, move |run| run.raise_epoch(epoch))
    }

    fn status<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Option<RunStatus>> {
        self.call(run, RunFolder::status)
    }

    fn put_record<'a>(
        &'a mut self,
        run: &'a RunName,
        epoch: Epoch,
        name: &'a str,
        bytes: &'a [u8],
    ) -> StoreFuture<'a, ()> {
        if let Err(error) = check_name("record", name).and_then(|()| chunks::check_document("a record", bytes)) {
            return failed(error);
        }
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        self.call(run, move |run| run.put_record(epoch, &name, &bytes))
    }

    fn get_record<'a>(&'a mut self, run: &'a RunName, name: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        if let Err(error) = check_name("record", name) {
            return failed(error);
        }
        let name = name.to_owned();
        self.call(run, move |run| run.get_record(&name))
    }

    fn put_part<'a>(&'a mut self, run: &'a RunName, id: PartId, bytes: &'a [u8]) -> StoreFuture<'a, PartRef> {
        if let Err(error) = chunks::check_value("a part", bytes.len() as u64) {
            return failed(error);
        }
        let bytes = bytes.to_vec();
        self.call(run, move |run| run.put_part(id, &bytes))
    }

    fn get_part<'a>(&'a mut self, run: &'a RunName, part: &'a PartRef) -> StoreFuture<'a, Vec<u8>> {
        let part = *part;
        self.call(run, move |run| run.get_part(&part))
    }

    fn commit<'a>(&'a mut self, run: &'a RunName, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        let manifest = manifest.clone();
        self.call(run, move |run| run.commit(&manifest, None))
    }

    fn replace<'a>(&'a mut self, run: &'a RunName, old: &'a Manifest, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        let (old, manifest) = (old.clone(), manifest.clone());
        self.call(run, move |run| run.commit(&manifest, Some(&old)))
    }

    fn withdraw<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, step: u64) -> StoreFuture<'a, ()> {
        self.call(run, move |run| run.withdraw(epoch, step))
    }

    fn commits<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Vec<Manifest>> {
        self.call(run, RunFolder::commits)
    }

    fn sweep<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, keep: usize) -> StoreFuture<'a, Swept> {
        self.call(run, move |run| run.sweep(epoch, keep))
    }

    fn append_log<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, seq: u64, bytes: &'a [u8]) -> StoreFuture<'a, ()> {
        if let Err(error) = chunks::check_document("a log entry", bytes) {
            return failed(error);
        }
        let bytes = bytes.to_vec();
        self.call(run, move |run| run.append_log(epoch, seq, &bytes))
    }

    fn read_log<'a>(&'a mut self, run: &'a RunName, from: u64) -> StoreFuture<'a, Vec<(u64, Vec<u8>)>> {
        self.call(run, move |run| run.read_log(from))
    }

    fn runs(&mut self) -> StoreFuture<'_, Vec<RunName>> {
        let root = self.root.clone();
        Box::pin(blocking(move || RunFolder::runs(&root)))
    }

    fn remove_run<'a>(&'a mut self, run: &'a RunName, force: bool) -> StoreFuture<'a, ()> {
        self.call(run, move |run| run.remove(force))
    }
}
