//! One connection to Redis and its rebuilding.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisResult};
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::failure::{self, Failure};
use crate::persist::StoreError;

const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// How often a call is tried again, and the pause before; it doubles each time.
const RETRIES: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What may be done about a call whose answer did not come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It changes nothing, so it is never ambiguous.
    Read,
    /// Doing it twice is as good as once.
    Repeatable,
    /// It counts how often it is done.
    Once,
}

/// Owns at most one connection. After a time-out or a broken connection it makes a new one; a connection whose call was given up
/// is never used again, for its answer may still come.
pub(super) struct Connection {
    address: Address,
    live: Option<MultiplexedConnection>,
    /// How many connections were made.
    generation: u64,
}

impl Connection {
    pub fn new(address: Address) -> Self {
        Self { address, live: None, generation: 0 }
    }

    /// How long the keys of a run outlive its last holder, in milliseconds; 0: for ever.
    pub fn keep_ms(&self) -> u64 {
        self.address.keep_ms
    }

    /// Makes a call under a deadline, again where that is harmless and may help.
    pub async fn call<T>(
        &mut self,
        effect: Effect,
        command: impl AsyncFn(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        // Once it may have happened, a later failure to connect does not make it undone.
        let mut ambiguous = None;
        let mut pause = FIRST_PAUSE;
        for attempt in 0.. {
            let error = match self.attempt(&command).await {
                Ok(value) => return Ok(value),
                Err(StoreError::Ambiguous { what }) if effect == Effect::Read => StoreError::Unavailable { what },
                Err(error) => error,
            };
            if matches!(error, StoreError::Ambiguous { .. }) {
                ambiguous = Some(error.clone());
            }
            let hopeless = !error.is_transient() || (effect == Effect::Once && ambiguous.is_some());
            if hopeless || attempt == RETRIES {
                return Err(match ambiguous {
                    Some(ambiguous) if error.is_transient() => ambiguous,
                    _ => error,
                });
            }
            tracing::debug!(%error, attempt, generation = self.generation, "retrying the store operation");
            sleep(pause).await;
            pause *= 2;
        }
        unreachable!("the loop ends by returning")
    }

    async fn attempt<T>(
        &mut self,
        command: &impl AsyncFn(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.live.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        match timeout(self.address.deadline, command(&mut connection)).await {
            Err(_) => {
                Err(StoreError::Ambiguous { what: format!("redis gave no answer for {:?}", self.address.deadline) })
            }
            Ok(Ok(value)) => {
                self.live = Some(connection);
                Ok(value)
            }
            Ok(Err(error)) => {
                let Failure { error, connection_is_good } = failure::of_command(&error);
                if connection_is_good {
                    self.live = Some(connection);
                }
                Err(error)
            }
        }
    }

    async fn connect(&mut self) -> Result<MultiplexedConnection, StoreError> {
        // The deadline is ours: the library's own answers a time-out without giving the connection up.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_WAIT)).set_response_timeout(None);
        let connecting = self.address.client.get_multiplexed_async_connection_with_config(&config);
        let connection = match timeout(2 * CONNECT_WAIT, connecting).await {
            Err(_) => return Err(StoreError::Unavailable { what: "redis login failed: no answer".to_owned() }),
            Ok(result) => result.map_err(|error| failure::of_connecting(&error))?,
        };
        self.generation += 1;
        if self.generation > 1 {
            tracing::info!(generation = self.generation, "connected to the store again");
        }
        Ok(connection)
    }
}
