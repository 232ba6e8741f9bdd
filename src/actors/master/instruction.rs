//! What clients want of a run that is there, with all names looked up.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::schedule::LoggedAction;

/// Which answer belongs to which instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

#[derive(Clone, Debug, PartialEq)]
pub enum Instruction {
    /// Goes into the command log; `parts` are those that it concerns.
    Logged {
        act: LoggedAction,
        parts: Vec<u16>,
        text: String,
        timed: Option<u32>,
    },
    Drive(Drive),
    /// A partition to a worker of this name, at the next commit.
    Move {
        part: u16,
        worker: String,
    },
    Status,
}

/// Changes how fast a run may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    Pause,
    Resume,
    /// So many more steps, and then a pause.
    Step(u64),
    /// Simulated seconds a second; `None`: as fast as it can.
    Speed(Option<f64>),
}

/// How fast a run may go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Granted by hand while it is paused.
    paused_at: Option<u64>,
    factor: Option<f64>,
    /// From when on, and from which step on, the factor counts.
    since: Option<(Instant, u64)>,
    step: Duration,
}

/// How a run is driven, as a master leaves it to the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredPace {
    pub paused_at: Option<u64>,
    pub factor: Option<f64>,
}

impl StoredPace {
    pub fn encode(self) -> Vec<u8> {
        rmp_serde::to_vec(&self).expect("numbers can always be written")
    }

    /// # Errors
    /// The bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        rmp_serde::from_slice(bytes)
    }
}

impl Pace {
    /// `step`: the length of a step.
    pub fn new(step: Duration, paused_at: Option<u64>, factor: Option<f64>) -> Self {
        Self { paused_at, factor, since: None, step }
    }

    pub fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    pub fn kept(&self) -> StoredPace {
        StoredPace { paused_at: self.paused_at, factor: self.factor }
    }

    pub fn factor(&self) -> Option<f64> {
        self.factor
    }

    /// No step beyond those that are granted.
    pub fn pause(&mut self, granted: u64) {
        self.paused_at.get_or_insert(granted);
    }

    pub fn resume(&mut self) {
        (self.paused_at, self.since) = (None, None);
    }

    pub fn advance(&mut self, steps: u64, granted: u64) -> u64 {
        let until = self.paused_at.unwrap_or(granted).max(granted) + steps;
        self.paused_at = Some(until);
        until
    }

    pub fn keep_to(&mut self, factor: Option<f64>) {
        (self.factor, self.since) = (factor, None);
    }

    /// Steps that may be granted now.
    pub fn limit(&mut self, now: Instant, granted: u64) -> u64 {
        if let Some(paused_at) = self.paused_at {
            return paused_at;
        }
        let Some(factor) = self.factor else { return u64::MAX };
        let (since, from) = *self.since.get_or_insert((now, granted));
        let steps = (now - since).as_secs_f64() * factor / self.step.as_secs_f64().max(1e-3);
        from.saturating_add(steps as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_until_it_is_over_and_steps_are_counted_out() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(1), None, None);
        assert_eq!(pace.limit(now, 0), u64::MAX);
        pace.pause(40);
        pace.pause(50);
        assert_eq!(pace.limit(now, 50), 40, "the first pause counts");
        assert_eq!(pace.advance(10, 50), 60);
        assert!(pace.is_paused() && pace.limit(now, 50) == 60);
        pace.resume();
        assert_eq!(pace.limit(now, 60), u64::MAX);
    }

    #[test]
    fn a_factor_grants_steps_as_time_goes_by() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(500), None, Some(2.0));
        assert_eq!(pace.limit(now, 100), 100);
        assert_eq!(pace.limit(now + Duration::from_secs(3), 100), 112);
        // After a pause it does not catch up.
        pace.pause(112);
        pace.resume();
        assert_eq!(pace.limit(now + Duration::from_secs(90), 112), 112);
        pace.keep_to(None);
        assert_eq!(pace.limit(now, 112), u64::MAX);
    }
}
