//! Bytes that only the program that wrote them reads again.
//!
//! ```text
//! magic (8) | format (u32) | length of the program's version (u8), the version | xxh3 of the body (u64) | body
//! ```
//! Numbers are little-endian; the body is MessagePack.

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// Versions do not read each other's bytes: the same state may go on differently in another one.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A kind of sealed bytes.
pub(crate) struct Seal {
    pub magic: &'static [u8; 8],
    /// To be raised whenever a type of the body changes.
    pub format: u32,
}

/// Why bytes are not a body of this kind.
#[derive(Debug)]
pub(crate) enum SealError {
    OtherKind,
    OtherVersion { version: String, format: u32 },
    Damaged(&'static str),
}

impl Seal {
    /// `body` as bytes; equal bodies give equal bytes.
    pub fn close(&self, body: &impl Serialize) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.format.to_le_bytes());
        bytes.push(VERSION.len() as u8);
        bytes.extend(VERSION.as_bytes());
        let checksum_at = bytes.len();
        bytes.extend([0; size_of::<u64>()]);
        let body_at = bytes.len();
        rmp_serde::encode::write(&mut bytes, body)
            .expect("the types have nothing that MessagePack cannot hold, and a byte buffer takes all");
        let checksum = xxh3_64(&bytes[body_at..]);
        bytes[checksum_at..body_at].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The body of what [`close`](Self::close) wrote, still to be read.
    pub fn open<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], SealError> {
        let rest = bytes.strip_prefix(self.magic).ok_or(SealError::OtherKind)?;
        let cut_off = || SealError::Damaged("it is cut off");
        let (format, rest) = rest.split_first_chunk().ok_or_else(cut_off)?;
        let (&length, rest) = rest.split_first().ok_or_else(cut_off)?;
        let (version, rest) = rest.split_at_checked(usize::from(length)).ok_or_else(cut_off)?;
        let format = u32::from_le_bytes(*format);
        if format != self.format || version != VERSION.as_bytes() {
            return Err(SealError::OtherVersion { version: String::from_utf8_lossy(version).into_owned(), format });
        }
        let (checksum, body) = rest.split_first_chunk().ok_or_else(cut_off)?;
        if xxh3_64(body) != u64::from_le_bytes(*checksum) {
            return Err(SealError::Damaged("its checksum is wrong"));
        }
        Ok(body)
    }
}
