//! When a run is over, and what its partitions report then.

use serde::{Deserialize, Serialize};

use super::partition::Partition;
use super::report::{Counts, IntervalReport, TripRecord};
use super::world::World;

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRules {
    pub begin_ms: i64,
    pub step_ms: i64,
    /// Number of steps, when there is an end time.
    pub steps: Option<u64>,
    /// Vehicles of the demand that can depart at all; without an end time the run is over when all of them, and all that orders added, have
    /// left.
    pub departures: u64,
}

impl RunRules {
    /// Those that settings and demand make.
    pub fn of(world: &World) -> Self {
        let (begin_ms, step_ms) = (world.settings.begin_ms, world.settings.step_ms);
        let departures = &world.demand.departures;
        Self {
            begin_ms,
            step_ms,
            steps: world.settings.end_ms.map(|end_ms| {
                let span_ms = (end_ms - begin_ms).max(0);
                span_ms.div_euclid(step_ms) as u64 + u64::from(span_ms % step_ms > 0)
            }),
            departures: departures.iter().filter(|d| d.depart_ms >= begin_ms).count() as u64,
        }
    }

    /// The step that computes a time.
    pub fn step_of(&self, time_ms: i64) -> u64 {
        let since_ms = (time_ms - self.begin_ms).max(0);
        (since_ms / self.step_ms) as u64 + u64::from(since_ms % self.step_ms > 0)
    }

    /// The time that a step computes, ms.
    pub fn ms_of(&self, step: u64) -> i64 {
        self.begin_ms + step as i64 * self.step_ms
    }

    /// Whether the run is over after `steps` steps, of which the last left these counts; orders added `added` vehicles.
    pub fn is_over(&self, steps: u64, counts: &Counts, added: u64) -> bool {
        match self.steps {
            Some(last) => steps >= last,
            None => counts.loaded >= self.departures + added && counts.running == 0 && counts.waiting == 0,
        }
    }
}

/// What a partition reports when the run is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// Digest of the own state.
    pub digest: u128,
    /// Measuring intervals that were still open.
    pub intervals: Vec<IntervalReport>,
    /// Trips under way, where they were asked for.
    pub unfinished: Vec<TripRecord>,
    /// Sum of the depart delays of vehicles still waiting to be inserted, ms.
    pub waiting_delay_ms: i64,
}

impl Partition {
    /// Ends all measuring intervals; to be called once, after the last step. `unfinished`: with the trips under way.
    pub fn close(&mut self, unfinished: bool) -> Closing {
        let intervals = self.close_intervals();
        Closing {
            digest: self.digest().0,
            intervals,
            unfinished: if unfinished { self.unfinished() } else { Vec::new() },
            waiting_delay_ms: self.waiting_delay_ms(),
        }
    }
}
