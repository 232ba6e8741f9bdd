//! `stop-output`: the stops that vehicles made.

use std::io;

use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, Sink};
use crate::sim::NewVehicle;
use crate::sim::report::StopRecord;

/// Persons and containers, who are not simulated.
const LOADS: [&str; 6] = [
    "initialPersons",
    "loadedPersons",
    "unloadedPersons",
    "initialContainers",
    "loadedContainers",
    "unloadedContainers",
];

pub struct Stops {
    names: Names,
}

impl Stops {
    pub fn new(names: Names) -> Self {
        Self { names }
    }

    fn stop(&self, record: &StopRecord, out: &mut Document) {
        let stop = &self.names.demand.stops[record.stop as usize];
        let mut tag = Tag::new(out, 1, "stopinfo")
            .text("id", &self.names.departure(record.vehicle).name)
            .text("type", &self.names.vehicle_type(record.vehicle).name)
            .lane("lane", &self.names.network, record.lane)
            .number("pos", record.pos_m)
            .count("parking", record.parking.into())
            .time("started", record.started_ms)
            .time("ended", record.ended_ms);
        if let Some(until_ms) = stop.until_ms {
            tag = tag.number("delay", (record.ended_ms - until_ms) as f64 / 1e3);
        }
        if let Some(arrival_ms) = stop.arrival_ms {
            tag = tag.number("arrivalDelay", (record.started_ms - arrival_ms) as f64 / 1e3);
        }
        for key in LOADS {
            tag = tag.count(key, 0);
        }
        if !stop.place.is_empty() {
            tag = tag.text(if record.parking { "parkingArea" } else { "busStop" }, &stop.place);
        }
        // How long others were held up is not known.
        tag.time("blockedDuration", 0).empty();
    }
}

impl Sink for Stops {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("stops", "stopinfo_file")
            .with("stopinfo", Text, &["id", "type", "lane"])
            .with("stopinfo", Number, &["pos"])
            .with("stopinfo", Count, &["parking"])
            .with("stopinfo", Time, &["started", "ended"])
            .with("stopinfo", Number, &["delay", "arrivalDelay"])
            .with("stopinfo", Count, &LOADS)
            .with("stopinfo", Text, &["busStop", "parkingArea"])
            .with("stopinfo", Time, &["blockedDuration"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        step.stops.iter().for_each(|record| self.stop(record, out));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::demand::Stop;
    use crate::ids::{LaneId, VehicleId};
    use crate::output::sink::RunEnd;
    use crate::output::testing::{names, written};
    use crate::sim::report::StepReport;

    #[test]
    fn stops_are_written_as_sumo_does() {
        let mut names = names();
        let stop = Stop {
            lane: LaneId(2),
            route_index: 0,
            start_m: 10.0,
            end_m: 50.0,
            duration_ms: Some(10_000),
            until_ms: Some(90_000),
            arrival_ms: None,
            speed_mps: 0.0,
            parking: true,
            triggered: false,
            place: "".into(),
            place_index: None,
        };
        Arc::make_mut(&mut names.demand).stops.push(stop);
        let record = StopRecord {
            vehicle: VehicleId(0),
            stop: 0,
            lane: LaneId(2),
            pos_m: 50.0,
            parking: true,
            started_ms: 75_000,
            ended_ms: 91_000,
        };
        let step = MergedStep::of([StepReport { time_ms: 91_000, stops: vec![record], ..StepReport::default() }]);
        let text = written(&mut Stops::new(names), &[step], &RunEnd::default());
        assert!(
            text.contains(
                r#"    <stopinfo id="a" type="car" lane="east_0" pos="50.00" parking="1" started="75.00" ended="91.00" delay="1.00" initialPersons="0" loadedPersons="0" unloadedPersons="0" initialContainers="0" loadedContainers="0" unloadedContainers="0" blockedDuration="0.00"/>"#
            ),
            "{text}"
        );
    }
}
