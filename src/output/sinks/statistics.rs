//! `statistic-output`: totals of the run.

use std::io;

use serde::{Deserialize, Serialize};

use super::summary::mean;
use crate::demand::VehicleClass;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::sim::NewVehicle;
use crate::sim::report::{Counts, TripRecord};

/// Sums over finished trips. Trips are added in the order of the merged steps, so the sums do not depend on the cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TripTotals {
    pub count: u64,
    pub route_length_m: f64,
    /// Sum of the trips' mean speeds, time at stops left out.
    pub speed_mps: f64,
    pub duration_ms: i64,
    pub waiting_ms: i64,
    pub time_loss_s: f64,
    pub depart_delay_ms: i64,
}

impl TripTotals {
    pub fn add(&mut self, trip: &TripRecord) {
        let duration_ms = trip.arrival_ms - trip.depart_ms;
        let driven_ms = duration_ms - trip.stop_ms;
        self.count += 1;
        self.route_length_m += trip.route_length_m;
        if driven_ms > 0 {
            self.speed_mps += trip.route_length_m / (driven_ms as f64 / 1e3);
        }
        self.duration_ms += duration_ms;
        self.waiting_ms += trip.waiting_ms;
        self.time_loss_s += trip.time_loss_s;
        self.depart_delay_ms += trip.depart_delay_ms;
    }

    fn mean(&self, sum: f64) -> f64 {
        if self.count == 0 { 0.0 } else { sum / self.count as f64 }
    }
    fn mean_ms(&self, sum_ms: i64) -> i64 {
        if self.count == 0 { 0 } else { sum_ms / self.count as i64 }
    }
    pub fn mean_route_length_m(&self) -> f64 {
        self.mean(self.route_length_m)
    }
    pub fn mean_speed_mps(&self) -> f64 {
        self.mean(self.speed_mps)
    }
    // As in SUMO, mean times are whole milliseconds.
    pub fn mean_duration_ms(&self) -> i64 {
        self.mean_ms(self.duration_ms)
    }
    pub fn mean_waiting_ms(&self) -> i64 {
        self.mean_ms(self.waiting_ms)
    }
    pub fn mean_time_loss_ms(&self) -> i64 {
        self.mean_ms((self.time_loss_s * 1e3) as i64)
    }
    pub fn mean_depart_delay_ms(&self) -> i64 {
        self.mean_ms(self.depart_delay_ms)
    }
}

/// Attributes of `performance` that are clock readings.
const CLOCKS: [&str; 7] = [
    "clockBegin",
    "clockEnd",
    "clockDuration",
    "traciDuration",
    "realTimeFactor",
    "vehicleUpdatesPerSecond",
    "personUpdatesPerSecond",
];
/// Means that trips of motor vehicles and those of bicycles have.
const MEANS: [&str; 6] = ["routeLength", "speed", "duration", "waitingTime", "timeLoss", "departDelay"];

/// Collects over the run and writes everything at its end.
pub struct Statistics {
    names: Names,
    begin_ms: i64,
    counts: Counts,
    /// Trips of all but bicycles.
    trips: TripTotals,
    bicycles: TripTotals,
}

impl Statistics {
    pub fn new(names: Names, begin_ms: i64) -> Self {
        let (counts, trips) = (Counts::default(), TripTotals::default());
        Self { names, begin_ms, counts, trips, bicycles: trips }
    }

    fn trips<'a>(out: &'a mut Document, name: &'static str, trips: &TripTotals) -> Tag<'a> {
        Tag::new(out, 1, name)
            .count("count", trips.count)
            .number("routeLength", trips.mean_route_length_m())
            .number("speed", trips.mean_speed_mps())
            .number("duration", trips.mean_duration_ms() as f64 / 1e3)
            .number("waitingTime", trips.mean_waiting_ms() as f64 / 1e3)
            .number("timeLoss", trips.mean_time_loss_ms() as f64 / 1e3)
            .number("departDelay", trips.mean_depart_delay_ms() as f64 / 1e3)
    }
}

impl Sink for Statistics {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("statistics", "statistic_file")
            .with("performance", Number, &CLOCKS)
            .with("performance", Time, &["begin", "end", "duration"])
            .with("vehicles", Count, &["loaded", "inserted", "running", "waiting"])
            .with("teleports", Count, &["total", "jam", "yield", "wrongLane"])
            .with("safety", Count, &["collisions", "emergencyStops", "emergencyBraking"])
            .with("persons", Count, &["loaded", "running", "jammed"])
            .with("personTeleports", Count, &["total", "abortWait", "wrongDest"])
            .with("vehicleTripStatistics", Count, &["count"])
            .with("vehicleTripStatistics", Number, &MEANS)
            .with("vehicleTripStatistics", Number, &["departDelayWaiting"])
            .with("vehicleTripStatistics", Time, &["totalTravelTime", "totalDepartDelay"])
            .with("bikeTripStatistics", Count, &["count"])
            .with("bikeTripStatistics", Number, &MEANS)
            .with("bikeTripStatistics", Time, &["totalTravelTime"])
            .with("pedestrianStatistics", Count, &["number"])
            .with("pedestrianStatistics", Number, &["routeLength", "duration", "timeLoss"])
            .with("rideStatistics", Count, &["number"])
            .with("transportStatistics", Count, &["number"])
    }

    fn step(&mut self, step: &MergedStep, _: &mut Document) -> io::Result<()> {
        self.counts = step.counts;
        for trip in &step.arrivals {
            let is_bicycle = self.names.vehicle_type(trip.vehicle).class == VehicleClass::Bicycle;
            if is_bicycle { &mut self.bicycles } else { &mut self.trips }.add(trip);
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        let (counts, trips, bicycles) = (&self.counts, &self.trips, &self.bicycles);
        // Clock readings are zero: equal runs write equal files. The report (`--report-json`) has them.
        let mut performance = Tag::new(out, 1, "performance");
        for key in CLOCKS {
            performance = performance.number(key, 0.0);
        }
        performance
            .time("begin", self.begin_ms)
            .time("end", end.end_ms)
            .time("duration", end.end_ms - self.begin_ms)
            .empty();
        Tag::new(out, 1, "vehicles")
            .count("loaded", counts.loaded)
            .count("inserted", counts.inserted)
            .count("running", counts.running)
            .count("waiting", counts.waiting)
            .empty();
        Tag::new(out, 1, "teleports")
            .count("total", counts.teleports())
            .count("jam", counts.teleports_jam)
            .count("yield", counts.teleports_yield)
            .count("wrongLane", counts.teleports_wrong_lane)
            .empty();
        Tag::new(out, 1, "safety")
            .count("collisions", counts.collisions)
            .count("emergencyStops", counts.emergency_stops)
            .count("emergencyBraking", counts.emergency_brakings)
            .empty();
        // Persons are not simulated; readers of the file expect their elements.
        Tag::new(out, 1, "persons").count("loaded", 0).count("running", 0).count("jammed", 0).empty();
        Tag::new(out, 1, "personTeleports").count("total", 0).count("abortWait", 0).count("wrongDest", 0).empty();
        Self::trips(out, "vehicleTripStatistics", trips)
            .known("departDelayWaiting", mean(end.waiting_delay_ms, counts.waiting, 1e3))
            .time("totalTravelTime", trips.duration_ms)
            .time("totalDepartDelay", trips.depart_delay_ms + end.waiting_delay_ms)
            .empty();
        if bicycles.count > 0 {
            Self::trips(out, "bikeTripStatistics", bicycles).time("totalTravelTime", bicycles.duration_ms).empty();
        }
        Tag::new(out, 1, "pedestrianStatistics")
            .count("number", 0)
            .number("routeLength", 0.0)
            .number("duration", 0.0)
            .number("timeLoss", 0.0)
            .empty();
        Tag::new(out, 1, "rideStatistics").count("number", 0).empty();
        Tag::new(out, 1, "transportStatistics").count("number", 0).empty();
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        rmp_serde::to_vec(&(self.counts, self.trips, self.bicycles)).expect("numbers are saved without error")
    }

    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        (self.counts, self.trips, self.bicycles) = rmp_serde::from_slice(state).map_err(io::Error::other)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{names, trip, written};
    use crate::sim::report::StepReport;

    #[test]
    fn totals_are_written_as_sumo_does() {
        let counts = Counts { loaded: 3, inserted: 2, waiting: 1, arrived: 2, ..Counts::default() };
        let step = MergedStep::of([StepReport { counts, arrivals: vec![trip(0), trip(1)], ..StepReport::default() }]);
        let end = RunEnd { end_ms: 90_000, waiting_delay_ms: 4_000, ..RunEnd::default() };
        let text = written(&mut Statistics::new(names(), 30_000), &[step], &end);
        assert_eq!(
            text,
            r#"<?xml version="1.0" encoding="UTF-8"?>

<statistics xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://sumo.dlr.de/xsd/statistic_file.xsd">
    <performance clockBegin="0.00" clockEnd="0.00" clockDuration="0.00" traciDuration="0.00" realTimeFactor="0.00" vehicleUpdatesPerSecond="0.00" personUpdatesPerSecond="0.00" begin="30.00" end="90.00" duration="60.00"/>
    <vehicles loaded="3" inserted="2" running="0" waiting="1"/>
    <teleports total="0" jam="0" yield="0" wrongLane="0"/>
    <safety collisions="0" emergencyStops="0" emergencyBraking="0"/>
    <persons loaded="0" running="0" jammed="0"/>
    <personTeleports total="0" abortWait="0" wrongDest="0"/>
    <vehicleTripStatistics count="2" routeLength="295.00" speed="7.38" duration="60.00" waitingTime="10.00" timeLoss="12.35" departDelay="1.00" departDelayWaiting="4.00" totalTravelTime="120.00" totalDepartDelay="6.00"/>
    <pedestrianStatistics number="0" routeLength="0.00" duration="0.00" timeLoss="0.00"/>
    <rideStatistics number="0"/>
    <transportStatistics number="0"/>
</statistics>
"#
        );
    }
}
