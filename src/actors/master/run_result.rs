//! What a finished run leaves in the store.

use serde::{Deserialize, Serialize};

use crate::actors::recorder::Recording;

/// How a run went. A master that is killed after the run was over, but before it could say so, is started again: then it is
/// this that it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    pub recording: Recording,
    pub partitions: u16,
    pub recoveries: u64,
    pub replayed_steps: u64,
}

impl RunResult {
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("numbers can always be written")
    }

    /// # Errors
    /// The bytes are not what [`encode`](Self::encode) makes.
    pub fn decode(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        rmp_serde::from_slice(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_result_comes_back_as_it_was() {
        let recording = Recording {
            steps: 7,
            end_ms: 7000,
            counts: Default::default(),
            trips: Default::default(),
            digest: u128::MAX - 3,
            orders_missed: 4,
            wall: Duration::from_millis(1234),
        };
        let result = RunResult { recording, partitions: 3, recoveries: 2, replayed_steps: 11 };
        assert_eq!(RunResult::decode(&result.encode()).expect("its own bytes"), result);
        assert!(RunResult::decode(b"finished").is_err());
    }
}
