//! A partition's state together with what it exchanges with each of its neighbours.

use super::core::Kernel;
use crate::sim::report::{DetectorReport, IntervalReport, RouteUpdate, StepReport, TripRecord};
use crate::sim::{HaloError, Mirror, Partition, ReportOptions};

/// What a partition has to say when the run is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closing {
    /// Digest of the own state.
    pub digest: u128,
    /// Measuring intervals that were still open.
    pub intervals: Vec<IntervalReport>,
    pub detectors: Vec<DetectorReport>,
    /// Trips under way.
    pub unfinished: Vec<TripRecord>,
    /// Sum of the depart delays of vehicles still waiting to be inserted, ms.
    pub waiting_delay_ms: i64,
}

/// Roads that go to and come from one neighbour.
#[derive(Debug)]
struct Border {
    outgoing: Mirror,
    incoming: Mirror,
}

/// The [`Kernel`] of a run.
#[derive(Debug)]
pub struct Region {
    partition: Partition,
    /// By neighbour.
    borders: Vec<Border>,
    report: ReportOptions,
}

impl Region {
    /// `borders` holds what goes to and comes from each neighbour.
    pub fn new(partition: Partition, borders: Vec<(Mirror, Mirror)>, report: ReportOptions) -> Self {
        let borders = borders.into_iter().map(|(outgoing, incoming)| Border { outgoing, incoming }).collect();
        Self { partition, borders, report }
    }
}

impl Kernel for Region {
    fn steps(&self) -> u64 {
        self.partition.steps()
    }
    fn step(&mut self) -> StepReport {
        self.partition.step(self.report)
    }
    fn export(&self, neighbour: usize) -> Vec<u8> {
        self.partition.export(&self.borders[neighbour].outgoing)
    }
    fn import(&mut self, neighbour: usize, bytes: &[u8]) -> Result<(), HaloError> {
        self.partition.import(&self.borders[neighbour].incoming, bytes)
    }
    fn apply_routes(&mut self, updates: &[RouteUpdate]) {
        self.partition.apply_routes(updates);
    }
    fn close(&mut self) -> Closing {
        let (intervals, detectors) = self.partition.close_intervals();
        Closing {
            digest: self.partition.digest().0,
            intervals,
            detectors,
            unfinished: self.partition.unfinished(),
            waiting_delay_ms: self.partition.waiting_delay_ms(),
        }
    }
}
