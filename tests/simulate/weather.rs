//! What is wrong with the store at present.

use std::time::Duration;

use tessds::persist::StoreError;

use crate::common::demand::Random;

/// What goes wrong at present.
pub struct Weather {
    pub random: Random,
    /// Calls that fail, in a thousand.
    pub failing: u64,
    /// Longest delay before and after a call, ms.
    pub delay_ms: u64,
    /// Nothing works.
    pub outage: bool,
}

pub enum Fate {
    Fine,
    Refused(StoreError),
    /// Done or not, and nobody is told.
    Ambiguous {
        done: bool,
    },
}

impl Weather {
    /// What becomes of a call, with the delays before and after it.
    pub fn fate(&mut self) -> (Duration, Fate, Duration) {
        let mut millis = |most: u64| Duration::from_millis(self.random.next() % (most + 1));
        let (before, after) = (millis(self.delay_ms), millis(self.delay_ms));
        let what = || "simulated".to_owned();
        let is_bad = self.outage || self.random.next() % 1000 < self.failing;
        let fate = match self.random.next() % 6 {
            _ if !is_bad => Fate::Fine,
            0 if !self.outage => Fate::Ambiguous { done: true },
            1 => Fate::Ambiguous { done: false },
            2 => Fate::Refused(StoreError::Full { what: what() }),
            3 => Fate::Refused(StoreError::Refused { what: what() }),
            _ => Fate::Refused(StoreError::Unavailable { what: what() }),
        };
        (before, fate, after)
    }
}
