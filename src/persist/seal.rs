//! Small documents with a checksum in front.

use super::{ContentHash, StoreError};

const HASH_BYTES: usize = 16;

/// The checksum, little-endian, and the bytes.
pub(super) fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HASH_BYTES + bytes.len());
    sealed.extend_from_slice(&ContentHash::of(bytes).0.to_le_bytes());
    sealed.extend_from_slice(bytes);
    sealed
}

/// What was sealed; `what` names it in the error.
pub(super) fn unseal<'a>(what: &str, sealed: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let damaged = || StoreError::damaged(format!("{what} does not match its checksum"));
    let (hash, bytes) = sealed.split_first_chunk::<HASH_BYTES>().ok_or_else(damaged)?;
    if ContentHash::of(bytes).0.to_le_bytes() == *hash { Ok(bytes) } else { Err(damaged()) }
}
