//! How large values are cut. A store that takes values of any size may keep them in one piece.

use super::StoreError;

/// Redis is fastest with values of 1 to 64 MiB, and blocks everybody else while it takes one; 4 MiB are about 10 ms.
pub const CHUNK_BYTES: usize = 4 << 20;

/// Greatest part or blob. What claims to be larger is refused before memory is taken for it.
pub const MAX_VALUE_BYTES: u64 = 2 << 30;

/// Greatest record or log entry.
pub const MAX_DOCUMENT_BYTES: usize = 8 << 20;

/// Greatest number of entries of a command log.
pub const MAX_LOG_ENTRIES: u64 = 1 << 20;

/// Bounds of one page of a command log; a page holds at least one entry if there is one.
pub const PAGE_ENTRIES: usize = 256;
pub const PAGE_BYTES: usize = 4 << 20;

/// Number of chunks that `bytes` bytes are cut into.
pub fn count(bytes: u64) -> u32 {
    bytes.div_ceil(CHUNK_BYTES as u64).try_into().unwrap_or(u32::MAX)
}

pub(super) fn check_value(what: &str, bytes: u64) -> Result<(), StoreError> {
    if bytes > MAX_VALUE_BYTES {
        return Err(StoreError::config(format!(
            "{what} has {bytes} bytes, more than the {MAX_VALUE_BYTES} that a store takes"
        )));
    }
    Ok(())
}

pub(super) fn check_document(what: &str, bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(StoreError::config(format!(
            "{what} has {} bytes, more than the {MAX_DOCUMENT_BYTES} that a store takes in one piece",
            bytes.len()
        )));
    }
    Ok(())
}

/// Whether there may be an entry of this number.
pub(super) fn check_log(seq: u64) -> Result<(), StoreError> {
    if seq >= MAX_LOG_ENTRIES {
        return Err(StoreError::Full { what: format!("the command log has reached its {MAX_LOG_ENTRIES} entries") });
    }
    Ok(())
}

/// Collects the entries of a page.
#[derive(Default)]
pub(super) struct LogPage {
    pub entries: Vec<(u64, Vec<u8>)>,
    bytes: usize,
}

impl LogPage {
    /// Whether there was room for it.
    pub fn push(&mut self, seq: u64, entry: Vec<u8>) -> bool {
        let room =
            self.entries.is_empty() || (self.entries.len() < PAGE_ENTRIES && self.bytes + entry.len() <= PAGE_BYTES);
        if room {
            self.bytes += entry.len();
            self.entries.push((seq, entry));
        }
        room
    }
}
