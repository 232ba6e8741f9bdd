//! What has been recovered of a run.

use serde::{Deserialize, Serialize};

/// Why a partition was placed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its worker was lost.
    Worker,
    /// It failed by itself.
    Partition,
    /// Its worker was told to end.
    Leave,
    /// Somebody moved it.
    Move,
}

impl Cause {
    pub const ALL: [Self; 4] = [Self::Worker, Self::Partition, Self::Leave, Self::Move];

    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Partition => "partition",
            Self::Leave => "leave",
            Self::Move => "move",
        }
    }
}

/// Counts of one run, under all of its masters; none of them ever falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallies {
    /// Partitions that were placed anew, by cause.
    recoveries: [u64; Cause::ALL.len()],
    /// Steps that were computed again.
    pub replayed_steps: u64,
}

impl Tallies {
    pub fn of(&self, cause: Cause) -> u64 {
        self.recoveries[cause as usize]
    }

    /// Partitions that were placed anew, whatever the cause.
    pub fn recoveries(&self) -> u64 {
        self.recoveries.iter().sum()
    }

    /// A partition was placed anew, and has so many steps to do again.
    pub fn recovered(&mut self, cause: Cause, steps: u64) {
        self.recoveries[cause as usize] += 1;
        self.replayed_steps += steps;
    }
}
