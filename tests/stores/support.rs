//! What all tests of stores use.

use std::future::Future;

use tessds::persist::{ContentHash, Manifest, PartId, PartName, PartRef, RunName, SnapshotStore, StoreError};
use tessds::protocol::Epoch;

/// Runs a future as an actor's thread would.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

pub fn run_name(name: &str) -> RunName {
    RunName::new(name).expect("a good name")
}

pub const SCENARIO: ContentHash = ContentHash(77);

pub fn id(step: u64, epoch: u64, part: u16) -> PartId {
    PartId { step, epoch: Epoch(epoch), part: PartName::Partition(part), attempt: 0 }
}

pub fn manifest(step: u64, epoch: Epoch, parts: Vec<PartRef>) -> Manifest {
    Manifest { step, epoch, scenario: SCENARIO, parts, created_ms: 1_700_000_000_000 + step }
}

/// Bytes that no compression and no repetition makes equal.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Uploads two parts of some bytes each and commits them.
pub async fn snapshot(
    store: &mut dyn SnapshotStore,
    run: &RunName,
    epoch: Epoch,
    step: u64,
    bytes: usize,
) -> Result<Manifest, StoreError> {
    let mut parts = Vec::new();
    for part in 0..2 {
        parts.push(store.put_part(run, id(step, epoch.0, part), &noise(bytes, step * 2 + u64::from(part))).await?);
    }
    let manifest = manifest(step, epoch, parts);
    store.commit(run, &manifest).await?;
    Ok(manifest)
}

/// Reads all parts of a commit.
pub async fn check_readable(store: &mut dyn SnapshotStore, run: &RunName, manifest: &Manifest) {
    for part in &manifest.parts {
        let bytes = store.get_part(run, part).await.unwrap_or_else(|error| panic!("{part}: {error}"));
        assert_eq!(ContentHash::of(&bytes), part.hash);
    }
}

/// `expect!(result, Pattern)` with the result in the message.
#[macro_export]
macro_rules! expect {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {{
        let result = $result;
        assert!(matches!(&result, $pattern $(if $guard)?), "{result:?}");
    }};
}
