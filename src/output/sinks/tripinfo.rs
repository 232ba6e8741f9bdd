//! `tripinfo-output`: one element per finished trip.

use std::io;

use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::sim::NewVehicle;
use crate::sim::report::{TripRecord, Vaporized};

/// Writes trips in order of arrival, those of one step by vehicle.
pub struct TripInfo {
    names: Names,
    unfinished: bool,
    devices: Devices,
}

/// Outputs for which SUMO lists a device with each vehicle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Devices {
    pub vehroute: bool,
    pub fcd: bool,
}

impl TripInfo {
    /// `unfinished`: also the trips under way at the end (`tripinfo-output.write-unfinished`).
    pub fn new(names: Names, unfinished: bool, devices: Devices) -> Self {
        Self { names, unfinished, devices }
    }

    /// `vaporized`: why the vehicle left the network before its way was over.
    fn trip(&self, trip: &TripRecord, end_ms: i64, vaporized: &str, out: &mut Document) {
        let network = &self.names.network;
        let departure = self.names.departure(trip.vehicle);
        let name = &departure.name;
        let devices = [
            (self.devices.vehroute, "vehroute"),
            (true, "tripinfo"),
            (departure.has_rerouting_device, "routing"),
            (self.devices.fcd, "fcd"),
        ];
        let devices: Vec<String> =
            devices.iter().filter(|(has, _)| *has).map(|(_, device)| format!("{device}_{name}")).collect();
        let arrived = trip.arrival_lane.is_some();
        let tag = Tag::new(out, 1, "tripinfo")
            .text("id", name)
            .time("depart", trip.depart_ms)
            .lane("departLane", network, trip.depart_lane)
            .number("departPos", trip.depart_pos_m)
            .number("departSpeed", trip.depart_speed_mps)
            .time("departDelay", trip.depart_delay_ms);
        let tag = if arrived {
            tag.time("arrival", trip.arrival_ms)
                .lane("arrivalLane", network, trip.arrival_lane)
                .number("arrivalPos", trip.arrival_pos_m)
                .number("arrivalSpeed", trip.arrival_speed_mps)
                .time("duration", trip.arrival_ms - trip.depart_ms)
        } else {
            tag.time("arrival", -1000)
                .text("arrivalLane", "")
                .known("arrivalPos", None)
                .known("arrivalSpeed", None)
                .time("duration", end_ms - trip.depart_ms)
        };
        tag.number("routeLength", trip.route_length_m)
            .time("waitingTime", trip.waiting_ms)
            .count("waitingCount", trip.waiting_count.into())
            .time("stopTime", trip.stop_ms)
            .time("timeLoss", (trip.time_loss_s * 1e3).round() as i64)
            .count("rerouteNo", trip.reroute_count.into())
            .words("devices", devices.iter().map(String::as_str))
            .text("vType", &self.names.vehicle_type(trip.vehicle).name)
            .number("speedFactor", trip.speed_factor)
            .text("vaporized", vaporized)
            .empty();
    }
}

impl Sink for TripInfo {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("tripinfos", "tripinfo_file")
            .with("tripinfo", Text, &["id"])
            .with("tripinfo", Time, &["depart"])
            .with("tripinfo", Text, &["departLane"])
            .with("tripinfo", Number, &["departPos", "departSpeed"])
            .with("tripinfo", Time, &["departDelay", "arrival"])
            .with("tripinfo", Text, &["arrivalLane"])
            .with("tripinfo", Number, &["arrivalPos", "arrivalSpeed"])
            .with("tripinfo", Time, &["duration"])
            .with("tripinfo", Number, &["routeLength"])
            .with("tripinfo", Time, &["waitingTime"])
            .with("tripinfo", Count, &["waitingCount"])
            .with("tripinfo", Time, &["stopTime", "timeLoss"])
            .with("tripinfo", Count, &["rerouteNo"])
            .with("tripinfo", Text, &["devices", "vType"])
            .with("tripinfo", Number, &["speedFactor"])
            .with("tripinfo", Text, &["vaporized"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        for trip in &step.arrivals {
            let vaporized = match trip.vaporized {
                Vaporized::No => "",
                Vaporized::Collision => "collision",
                Vaporized::Teleport => "teleport",
            };
            self.trip(trip, trip.arrival_ms, vaporized, out);
        }
        for trip in &step.removals {
            self.trip(trip, trip.arrival_ms, "traci", out);
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        if self.unfinished {
            let mut trips: Vec<_> = end.unfinished.iter().collect();
            trips.sort_by_key(|trip| trip.vehicle);
            for trip in trips {
                self.trip(trip, end.end_ms, "end", out);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LaneId;
    use crate::output::testing::{names, trip, written};
    use crate::sim::report::StepReport;

    #[test]
    fn a_finished_trip_is_written_as_sumo_does() {
        let step = MergedStep::of([StepReport { arrivals: vec![trip(1)], ..StepReport::default() }]);
        let text = written(&mut TripInfo::new(names(), false, Devices::default()), &[step], &RunEnd::default());
        assert_eq!(
            text,
            r#"<?xml version="1.0" encoding="UTF-8"?>

<tripinfos xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://sumo.dlr.de/xsd/tripinfo_file.xsd">
    <tripinfo id="b&amp;1" depart="2.00" departLane="west_0" departPos="5.10" departSpeed="0.00" departDelay="1.00" arrival="62.00" arrivalLane="east_1" arrivalPos="100.00" arrivalSpeed="13.89" duration="60.00" routeLength="295.00" waitingTime="10.00" waitingCount="2" stopTime="20.00" timeLoss="12.35" rerouteNo="0" devices="tripinfo_b&amp;1" vType="bus" speedFactor="1.10" vaporized=""/>
</tripinfos>
"#
        );
    }

    #[test]
    fn trips_under_way_are_written_only_when_asked_for() {
        let mut open = trip(0);
        open.arrival_lane = LaneId::NONE;
        let end = RunEnd { end_ms: 30_000, unfinished: vec![open], ..RunEnd::default() };
        assert!(!written(&mut TripInfo::new(names(), false, Devices::default()), &[], &end).contains("<tripinfo "));
        let text = written(&mut TripInfo::new(names(), true, Devices::default()), &[], &end);
        assert!(
            text.contains(
                r#"arrival="-1.00" arrivalLane="" arrivalPos="-1.00" arrivalSpeed="-1.00" duration="28.00" "#
            )
        );
        assert!(text.contains(r#"vaporized="end""#));
    }
}
