//! Joins the reports that the partitions make of a step into one report of the whole network.

use std::collections::VecDeque;
use std::ops::Deref;

use crate::sim::NAMED;
use crate::sim::report::{Counts, IntervalReport, StepReport};

/// The report of a whole step. Everything in it is in a fixed order, so what is written from it depends neither on the
/// number of partitions nor on the order in which they reported (I1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MergedStep(StepReport);

impl Deref for MergedStep {
    type Target = StepReport;
    fn deref(&self) -> &StepReport {
        &self.0
    }
}

impl MergedStep {
    /// Joins the reports of all partitions of one step.
    ///
    /// Counts and digests are summed; trips, stops, teleports, departures and floating-car data are sorted by vehicle;
    /// intervals by request and their lanes by id. What two partitions tell of one lane is summed.
    pub fn of(reports: impl IntoIterator<Item = StepReport>) -> Self {
        let mut reports = reports.into_iter();
        let mut all = reports.next().unwrap_or_default();
        for report in reports {
            all.counts += report.counts;
            all.arrivals.extend(report.arrivals);
            all.teleports.extend(report.teleports);
            all.stops.extend(report.stops);
            all.discards.extend(report.discards);
            all.is_still &= report.is_still;
            all.standing.extend(report.standing);
            all.departed.extend(report.departed);
            all.fcd.extend(report.fcd);
            all.intervals.extend(report.intervals);
            all.edge_speeds.extend(report.edge_speeds);
            all.route_requests.extend(report.route_requests);
            all.removals.extend(report.removals);
            all.orders_met += report.orders_met;
            all.detour_requests.extend(report.detour_requests);
            all.edges_left.extend(report.edges_left);
            all.replaced_routes.extend(report.replaced_routes);
            all.lane_changes.extend(report.lane_changes);
            all.collisions.extend(report.collisions);
            all.passages.extend(report.passages);
            all.signals.extend(report.signals);
            all.digest = all.digest.wrapping_add(report.digest);
        }
        all.arrivals.sort_unstable_by_key(|trip| trip.vehicle);
        all.teleports.sort_unstable_by_key(|teleport| (teleport.vehicle, teleport.lane));
        all.stops.sort_unstable_by_key(|stop| (stop.vehicle, stop.stop));
        // Vehicles are named only where nothing moves on any road.
        if !all.is_still {
            all.standing.clear();
        }
        all.standing.sort_unstable_by_key(|standing| standing.vehicle);
        all.standing.truncate(NAMED);
        all.discards.sort_unstable_by_key(|discard| discard.vehicle);
        all.departed.sort_unstable_by_key(|&(vehicle, _)| vehicle);
        all.fcd.sort_unstable_by_key(|record| record.vehicle);
        all.edge_speeds.sort_unstable();
        all.route_requests.sort_unstable_by_key(|request| request.vehicle);
        all.removals.sort_unstable_by_key(|trip| trip.vehicle);
        all.detour_requests.sort_unstable_by_key(|request| request.vehicle);
        all.edges_left.sort_unstable();
        all.replaced_routes.sort_by_key(|route| (route.vehicle, route.at_index));
        all.lane_changes.sort_unstable_by_key(|change| change.vehicle);
        all.collisions.sort_unstable_by_key(|collision| (collision.collider, collision.victim));
        all.passages.sort_unstable_by_key(|passage| (passage.lane, passage.vehicle));
        all.signals.sort_unstable_by_key(|shown| shown.signal);
        all.intervals = join_intervals(all.intervals);
        Self(all)
    }

    /// The same with other counts.
    #[must_use]
    pub fn with_counts(self, counts: Counts) -> Self {
        Self(StepReport { counts, ..self.0 })
    }
}

fn join_intervals(mut intervals: Vec<IntervalReport>) -> Vec<IntervalReport> {
    let key = |i: &IntervalReport| (i.request, i.begin_ms, i.end_ms);
    intervals.sort_by_key(key);
    let mut joined: Vec<IntervalReport> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match joined.last_mut() {
            Some(last) if key(last) == key(&interval) => last.lanes.extend(interval.lanes),
            _ => joined.push(interval),
        }
    }
    for interval in &mut joined {
        interval.lanes.sort_by_key(|&(lane, _)| lane);
        interval.lanes.dedup_by(|(lane, stats), (kept_lane, kept)| {
            let same = lane == kept_lane;
            if same {
                *kept += *stats;
            }
            same
        });
    }
    joined
}

/// A report that the collector cannot place: a fault of the sender, never of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    #[error("report of partition {partition}, but there are only {partitions} partitions")]
    UnknownPartition { partition: usize, partitions: usize },
    #[error("report of time {time_ms} ms, which is not a step of the run")]
    OffStep { time_ms: i64 },
    /// The sender must wait until slower partitions have reported.
    #[error("report of time {time_ms} ms is more than {capacity} steps ahead of the slowest partition")]
    TooFarAhead { time_ms: i64, capacity: usize },
}

/// Waits for the reports of all partitions of a step; gives the joined steps in order. Holds at most `capacity` steps.
#[derive(Debug)]
pub struct Collector {
    partitions: usize,
    step_ms: i64,
    capacity: usize,
    /// Time of the oldest step that is not yet given out: that of `pending[0]`.
    next_ms: i64,
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    /// By partition.
    reports: Vec<Option<StepReport>>,
    missing: usize,
}

impl Collector {
    /// `first_ms` is the time of the first step that is reported.
    pub fn new(partitions: usize, first_ms: i64, step_ms: i64, capacity: usize) -> Self {
        Self {
            partitions: partitions.max(1),
            step_ms: step_ms.max(1),
            capacity: capacity.max(1),
            next_ms: first_ms,
            pending: VecDeque::new(),
        }
    }

    /// Time of the oldest step that is not complete.
    pub fn next_ms(&self) -> i64 {
        self.next_ms
    }

    /// Takes the report of one partition. A report that is already there or that is older than the steps given out
    /// (a partition repeats its steps after a recovery) is dropped: `Ok(false)`.
    pub fn add(&mut self, partition: usize, report: StepReport) -> Result<bool, CollectError> {
        if partition >= self.partitions {
            return Err(CollectError::UnknownPartition { partition, partitions: self.partitions });
        }
        let time_ms = report.time_ms;
        let ahead_ms = time_ms - self.next_ms;
        if ahead_ms % self.step_ms != 0 {
            return Err(CollectError::OffStep { time_ms });
        }
        if ahead_ms < 0 {
            return Ok(false);
        }
        let slot = (ahead_ms / self.step_ms) as usize;
        if slot >= self.capacity {
            return Err(CollectError::TooFarAhead { time_ms, capacity: self.capacity });
        }
        while self.pending.len() <= slot {
            self.pending.push_back(Pending { reports: vec![None; self.partitions], missing: self.partitions });
        }
        let pending = &mut self.pending[slot];
        let place = &mut pending.reports[partition];
        if place.is_some() {
            return Ok(false);
        }
        *place = Some(report);
        pending.missing -= 1;
        Ok(true)
    }

    /// All reports of steps that are not given out, which then never will be.
    pub fn take_pending(&mut self) -> Vec<StepReport> {
        self.pending.drain(..).flat_map(|pending| pending.reports).flatten().collect()
    }

    /// The next step, when all partitions have reported it.
    pub fn pop(&mut self) -> Option<MergedStep> {
        self.pending.front().filter(|pending| pending.missing == 0)?;
        let pending = self.pending.pop_front()?;
        self.next_ms += self.step_ms;
        Some(MergedStep::of(pending.reports.into_iter().flatten()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LaneId;
    use crate::sim::report::LaneStats;

    fn report(time_ms: i64) -> StepReport {
        StepReport { time_ms, ..StepReport::default() }
    }

    #[test]
    fn a_step_is_given_out_when_the_last_partition_has_reported() {
        let mut collector = Collector::new(2, 1000, 500, 4);
        assert_eq!(collector.add(0, report(1000)), Ok(true));
        assert_eq!(collector.add(0, report(1500)), Ok(true));
        assert!(collector.pop().is_none());
        assert_eq!(collector.add(1, report(1500)), Ok(true));
        assert!(collector.pop().is_none());
        assert_eq!(collector.add(1, report(1000)), Ok(true));
        assert_eq!(collector.pop().map(|step| step.time_ms), Some(1000));
        assert_eq!(collector.pop().map(|step| step.time_ms), Some(1500));
        assert_eq!(collector.next_ms(), 2000);
    }

    #[test]
    fn repeated_reports_are_dropped() {
        let mut collector = Collector::new(2, 0, 1000, 4);
        assert_eq!(collector.add(0, report(0)), Ok(true));
        assert_eq!(collector.add(0, report(0)), Ok(false));
        assert_eq!(collector.add(1, report(0)), Ok(true));
        assert!(collector.pop().is_some());
        assert_eq!(collector.add(1, report(0)), Ok(false));
    }

    #[test]
    fn reports_that_cannot_be_placed_are_refused() {
        let mut collector = Collector::new(2, 0, 1000, 4);
        assert!(matches!(collector.add(2, report(0)), Err(CollectError::UnknownPartition { .. })));
        assert!(matches!(collector.add(0, report(300)), Err(CollectError::OffStep { .. })));
        assert!(matches!(collector.add(0, report(4000)), Err(CollectError::TooFarAhead { .. })));
    }

    #[test]
    fn what_two_partitions_tell_of_a_lane_is_summed() {
        let part = |lanes: &[u32]| StepReport {
            intervals: vec![IntervalReport {
                request: 1,
                begin_ms: 0,
                end_ms: 1000,
                lanes: lanes.iter().map(|&l| (LaneId(l), LaneStats { entered: 1, ..LaneStats::default() })).collect(),
            }],
            ..StepReport::default()
        };
        let merged = MergedStep::of([part(&[4, 2]), part(&[2, 3])]);
        let lanes: Vec<_> = merged.intervals[0].lanes.iter().map(|(lane, stats)| (lane.0, stats.entered)).collect();
        assert_eq!(lanes, [(2, 2), (3, 1), (4, 1)]);
        assert_eq!(merged.intervals.len(), 1);
    }
}
