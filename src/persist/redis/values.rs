//! Large values: a hash with `meta` and the chunks under their numbers.

use ::redis::{Cmd, cmd, pipe};

use super::connection::{Connection, Effect};
use super::reply::Reply;
use super::scripts::Scripts;
use crate::persist::chunks::{self, CHUNK_BYTES};
use crate::persist::{ContentHash, StoreError};

/// What a value is known by, before its chunks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub bytes: u64,
    pub hash: ContentHash,
}

impl Meta {
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, hash: ContentHash::of(bytes) }
    }
    /// `LENGTH:HASH`.
    pub fn text(&self) -> String {
        format!("{}:{}", self.bytes, self.hash)
    }
    fn parse(text: &str) -> Option<Self> {
        let (bytes, hash) = text.split_once(':')?;
        let meta = Self { bytes: bytes.parse().ok()?, hash: hash.parse().ok()? };
        (meta.bytes <= chunks::MAX_VALUE_BYTES).then_some(meta)
    }
    /// Of the hash, once all chunks are there.
    pub fn fields(&self) -> u64 {
        u64::from(chunks::count(self.bytes)) + 1
    }
}

/// Where a value is found again.
pub(super) struct Index<'a> {
    pub key: String,
    pub name: &'a str,
    /// In a sorted set; without it the index is a set.
    pub score: Option<u64>,
}

/// Uploads a value, unless it is there: beginning it, its chunks, and a look at whether it is complete. `Ok(false)`: other bytes
/// have its key.
pub(super) async fn put(
    connection: &mut Connection,
    scripts: &Scripts,
    key: &str,
    index: Index<'_>,
    bytes: &[u8],
) -> Result<bool, StoreError> {
    let meta = Meta::of(bytes);
    let text = meta.text();
    let score = index.score.map(|score| score.to_string()).unwrap_or_default();
    let mut begin = scripts.begin_value.key(key);
    begin.key(&index.key).arg(connection.keep_ms()).arg(&text).arg(index.name).arg(score).arg(meta.fields());
    match Reply::of(connection, Effect::Repeatable, &begin).await?.tag() {
        "conflict" => return Ok(false),
        "complete" => return Ok(true),
        _ => {}
    }
    // Not by a script: handing it a chunk takes four times as long. So a chunk that arrives after its value was swept makes
    // the key anew; it is given its life with it, and the last call below indexes it again.
    let keep_ms = connection.keep_ms();
    for (number, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
        let mut put = pipe();
        put.cmd("HSET").arg(key).arg(number).arg(chunk).ignore();
        if keep_ms > 0 {
            put.cmd("PEXPIRE").arg(key).arg(keep_ms).ignore();
        }
        connection.call(Effect::Repeatable, async |link| put.exec_async(link).await).await?;
    }
    match Reply::of(connection, Effect::Repeatable, &begin).await?.tag() {
        "complete" => Ok(true),
        _ => Err(StoreError::missing(format!("{} was deleted while it was being uploaded", index.name))),
    }
}

/// The value; `None` when there is none. `what` names it in errors.
pub(super) async fn get(
    connection: &mut Connection,
    key: &str,
    what: &str,
    expected: Option<Meta>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(text) = field::<Option<String>>(connection, key, "meta").await? else { return Ok(None) };
    let meta = Meta::parse(&text).ok_or_else(|| StoreError::damaged(format!("{what} has no readable header")))?;
    if expected.is_some_and(|expected| expected != meta) {
        return Err(StoreError::damaged(format!("{what} does not match its stored length and checksum")));
    }
    let mut bytes = Vec::with_capacity(meta.bytes as usize);
    for number in 0..chunks::count(meta.bytes) {
        let chunk: Option<Vec<u8>> = field(connection, key, &number.to_string()).await?;
        let chunk = chunk.ok_or_else(|| StoreError::damaged(format!("{what} lacks chunk {number}")))?;
        bytes.extend_from_slice(&chunk);
    }
    if Meta::of(&bytes) != meta {
        return Err(StoreError::damaged(format!("{what} does not match its checksum")));
    }
    Ok(Some(bytes))
}

async fn field<T: ::redis::FromRedisValue>(
    connection: &mut Connection,
    key: &str,
    name: &str,
) -> Result<T, StoreError> {
    let command: Cmd = cmd("HGET").arg(key).arg(name).take();
    connection.call(Effect::Read, async |link| command.query_async(link).await).await
}
