//! What the scripts answer: a word, and what belongs to it.

use ::redis::ScriptInvocation;

use super::connection::{Connection, Effect};
use crate::persist::Epoch;
use crate::persist::StoreError;

/// The answer of a script. That the epoch is stale, or somebody else holds the run, has become an error already.
pub(super) struct Reply(Vec<String>);

impl Reply {
    /// Calls the script.
    pub async fn of(
        connection: &mut Connection,
        effect: Effect,
        script: &ScriptInvocation<'_>,
    ) -> Result<Self, StoreError> {
        let reply = Self(connection.call(effect, async |link| script.invoke_async(link).await).await?);
        match reply.tag() {
            "fenced" => Err(StoreError::Fenced { current: Epoch(reply.number()?) }),
            "held" => {
                // A lease that ends while it is asked about has a negative rest.
                let for_ms = reply.0.get(2).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0).max(0) as u64;
                Err(StoreError::Held { by: reply.0.get(1).cloned().unwrap_or_default(), for_ms })
            }
            _ => Ok(reply),
        }
    }

    pub fn tag(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// What follows the word.
    pub fn number(&self) -> Result<u64, StoreError> {
        let number = self.0.get(1).and_then(|text| text.parse().ok());
        number.ok_or_else(|| StoreError::damaged(format!("redis returned a value that is not a number: {:?}", self.0)))
    }
}
