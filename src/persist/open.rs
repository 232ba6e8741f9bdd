//! From `--store` to a store.

use super::{DirStore, MemoryStore, RedisStore, SnapshotStore, StoreError};

/// Opens `memory` (a new, empty one; share it by cloning a [`MemoryStore`]), `dir:PATH`, `redis://…` or `rediss://…`. Nothing is
/// connected before the first call.
pub fn open(url: &str) -> Result<Box<dyn SnapshotStore>, StoreError> {
    match url.split_once(':') {
        None if url == "memory" => Ok(Box::new(MemoryStore::new())),
        Some(("dir", path)) if !path.is_empty() => Ok(Box::new(DirStore::new(path))),
        Some(("redis" | "rediss", _)) => Ok(Box::new(RedisStore::new(url)?)),
        _ => Err(StoreError::config(
            "invalid store address; use memory, dir:PATH, redis://HOST:PORT or rediss://HOST:PORT",
        )),
    }
}
