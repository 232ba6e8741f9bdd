//! A store whose failures are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use prometheus::{IntCounterVec, Registry};

use super::counters;
use crate::persist::{
    ContentHash, Lease, Manifest, PartId, PartRef, RunName, RunStatus, SnapshotStore, StoreError, StoreFuture, Swept,
};
use crate::protocol::Epoch;

/// What is shown from the beginning, with 0.
const OPERATIONS: [&str; 19] = [
    "put_blob",
    "get_blob",
    "acquire",
    "renew",
    "release",
    "raise_epoch",
    "status",
    "put_record",
    "get_record",
    "put_part",
    "get_part",
    "commit",
    "replace",
    "withdraw",
    "commits",
    "sweep",
    "append_log",
    "read_log",
    "runs",
];

/// How the last call went, for who waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastAnswer {
    Fine,
    /// Somebody else holds the lease.
    Held,
    Outage,
}

/// Counts failed calls by operation.
#[derive(Clone)]
pub struct StoreMeter {
    errors: IntCounterVec,
    last: Arc<AtomicU8>,
}

impl StoreMeter {
    pub fn new(registry: &Registry) -> Self {
        let errors = counters(registry, "tessds_store_errors_total", "Calls of the store that failed.", &["operation"]);
        for operation in OPERATIONS {
            errors.with_label_values(&[operation]);
        }
        Self { errors, last: Arc::default() }
    }

    pub fn last_answer(&self) -> LastAnswer {
        match self.last.load(Ordering::Relaxed) {
            0 => LastAnswer::Fine,
            1 => LastAnswer::Held,
            _ => LastAnswer::Outage,
        }
    }

    /// Notes how a call went. That somebody else drives the run is an answer, not a failure: a master that stands by hears it
    /// four times a second.
    fn note<T>(&self, operation: &'static str, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let last = match &answer {
            Ok(_) | Err(StoreError::Fenced { .. }) => LastAnswer::Fine,
            Err(StoreError::Held { .. }) => LastAnswer::Held,
            Err(error) => {
                self.errors.with_label_values(&[operation]).inc();
                if error.is_outage() { LastAnswer::Outage } else { LastAnswer::Fine }
            }
        };
        self.last.store(last as u8, Ordering::Relaxed);
        answer
    }
}

/// A store connection that counts what goes wrong.
pub struct CountedStore {
    store: Box<dyn SnapshotStore>,
    meter: StoreMeter,
}

impl CountedStore {
    pub fn new(store: Box<dyn SnapshotStore>, meter: StoreMeter) -> Self {
        Self { store, meter }
    }
}

/// One call, handed on.
macro_rules! counted {
    ($self:ident, $operation:ident($($argument:expr),*)) => {{
        let Self { store, meter } = $self;
        Box::pin(async move { meter.note(stringify!($operation), store.$operation($($argument),*).await) })
    }};
}

impl SnapshotStore for CountedStore {
    fn put_blob<'a>(&'a mut self, run: &'a RunName, bytes: &'a [u8]) -> StoreFuture<'a, ContentHash> {
        counted!(self, put_blob(run, bytes))
    }

    fn get_blob<'a>(&'a mut self, run: &'a RunName, hash: ContentHash) -> StoreFuture<'a, Vec<u8>> {
        counted!(self, get_blob(run, hash))
    }

    fn acquire<'a>(&'a mut self, run: &'a RunName, holder: &'a str, ttl: Duration) -> StoreFuture<'a, Lease> {
        counted!(self, acquire(run, holder, ttl))
    }

    fn renew<'a>(&'a mut self, run: &'a RunName, holder: &'a str, epoch: Epoch, ttl: Duration) -> StoreFuture<'a, ()> {
        counted!(self, renew(run, holder, epoch, ttl))
    }

    fn release<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, ()> {
        counted!(self, release(run, epoch))
    }

    fn raise_epoch<'a>(&'a mut self, run: &'a RunName, epoch: Epoch) -> StoreFuture<'a, Epoch> {
        counted!(self, raise_epoch(run, epoch))
    }

    fn status<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Option<RunStatus>> {
        counted!(self, status(run))
    }

    fn put_record<'a>(
        &'a mut self,
        run: &'a RunName,
        epoch: Epoch,
        name: &'a str,
        bytes: &'a [u8],
    ) -> StoreFuture<'a, ()> {
        counted!(self, put_record(run, epoch, name, bytes))
    }

    fn get_record<'a>(&'a mut self, run: &'a RunName, name: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        counted!(self, get_record(run, name))
    }

    fn put_part<'a>(&'a mut self, run: &'a RunName, id: PartId, bytes: &'a [u8]) -> StoreFuture<'a, PartRef> {
        counted!(self, put_part(run, id, bytes))
    }

    fn get_part<'a>(&'a mut self, run: &'a RunName, part: &'a PartRef) -> StoreFuture<'a, Vec<u8>> {
        counted!(self, get_part(run, part))
    }

    fn commit<'a>(&'a mut self, run: &'a RunName, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        counted!(self, commit(run, manifest))
    }

    fn replace<'a>(&'a mut self, run: &'a RunName, old: &'a Manifest, manifest: &'a Manifest) -> StoreFuture<'a, ()> {
        counted!(self, replace(run, old, manifest))
    }

    fn withdraw<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, step: u64) -> StoreFuture<'a, ()> {
        counted!(self, withdraw(run, epoch, step))
    }

    fn commits<'a>(&'a mut self, run: &'a RunName) -> StoreFuture<'a, Vec<Manifest>> {
        counted!(self, commits(run))
    }

    fn kept_commits(&self) -> usize {
        self.store.kept_commits()
    }

    fn sweep<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, keep: usize) -> StoreFuture<'a, Swept> {
        counted!(self, sweep(run, epoch, keep))
    }

    fn append_log<'a>(&'a mut self, run: &'a RunName, epoch: Epoch, seq: u64, bytes: &'a [u8]) -> StoreFuture<'a, ()> {
        counted!(self, append_log(run, epoch, seq, bytes))
    }

    fn read_log<'a>(&'a mut self, run: &'a RunName, from: u64) -> StoreFuture<'a, Vec<(u64, Vec<u8>)>> {
        counted!(self, read_log(run, from))
    }

    fn runs(&mut self) -> StoreFuture<'_, Vec<RunName>> {
        counted!(self, runs())
    }

    fn remove_run<'a>(&'a mut self, run: &'a RunName, force: bool) -> StoreFuture<'a, ()> {
        counted!(self, remove_run(run, force))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::MemoryStore;

    #[tokio::test]
    async fn failed_calls_are_counted_by_operation_and_a_held_lease_is_none() {
        let registry = Registry::new();
        let meter = StoreMeter::new(&registry);
        let memory = MemoryStore::new();
        let mut store = CountedStore::new(Box::new(memory.clone()), meter.clone());
        let run = RunName::new("r").unwrap();
        let epoch = store.acquire(&run, "a", Duration::from_secs(60)).await.unwrap().epoch;
        assert!(store.acquire(&run, "b", Duration::from_secs(60)).await.is_err());
        assert_eq!(meter.last_answer(), LastAnswer::Held);
        assert!(store.append_log(&run, epoch, 7, b"gap").await.is_err());
        assert_eq!(meter.last_answer(), LastAnswer::Fine, "a conflict is no outage");
        let count = |operation: &str| meter.errors.with_label_values(&[operation]).get();
        assert_eq!((count("acquire"), count("append_log"), count("put_part")), (0, 1, 0));
    }
}
