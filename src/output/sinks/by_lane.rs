//! Outputs that list vehicles by lane: `netstate-dump` and `queue-output`.

use std::io;

use super::summary::is_due;
use crate::graph::EdgeKind;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, Sink};
use crate::scenario::QueueOptions;
use crate::sim::NewVehicle;
use crate::sim::report::FcdRecord;

/// The vehicles of a step, those of a lane together, the hindmost first. `buffer` is reused.
fn sort_by_lane(step: &MergedStep, buffer: &mut Vec<FcdRecord>) {
    buffer.clear();
    buffer.extend_from_slice(&step.fcd);
    buffer
        .sort_unstable_by(|a, b| a.lane.cmp(&b.lane).then(a.pos_m.total_cmp(&b.pos_m)).then(a.vehicle.cmp(&b.vehicle)));
}

/// `netstate-dump`: all roads with vehicles, each step.
pub struct Netstate {
    names: Names,
    /// `netstate-dump.empty-edges`: also roads without.
    empty_edges: bool,
    /// `netstate-dump.precision`.
    decimals: Option<u8>,
    sorted: Vec<FcdRecord>,
}

impl Netstate {
    pub fn new(names: Names, empty_edges: bool, decimals: Option<u8>) -> Self {
        Self { names, empty_edges, decimals, sorted: Vec::new() }
    }
}

impl Sink for Netstate {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("netstate", "netstate_file")
            .with("timestep", Time, &["time"])
            .with("edge", Text, &["id"])
            .with("lane", Text, &["id"])
            .with("vehicle", Text, &["id"])
            .with("vehicle", Number, &["pos", "speed"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        sort_by_lane(step, &mut self.sorted);
        let Self { names, empty_edges, decimals, sorted } = self;
        let network = &names.network;
        let places = |default: u8| decimals.unwrap_or(default);
        let mut rest = sorted.as_slice();
        Tag::new(out, 1, "timestep").time("time", step.time_ms).open();
        for edge in network.edges.iter().filter(|edge| edge.kind != EdgeKind::Removed) {
            let count = rest.partition_point(|record| record.lane.0 < edge.first_lane.0 + edge.lane_count);
            let (here, later) = rest.split_at(count);
            rest = later;
            if here.is_empty() && (!*empty_edges || edge.kind == EdgeKind::Pedestrian) {
                continue;
            }
            Tag::new(out, 2, "edge").text("id", &edge.name).open();
            for lane in edge.lanes() {
                let from = here.partition_point(|record| record.lane < lane);
                let to = here.partition_point(|record| record.lane <= lane);
                let tag = Tag::new(out, 3, "lane").lane("id", network, lane);
                if from == to {
                    tag.empty();
                    continue;
                }
                tag.open();
                for record in &here[from..to] {
                    Tag::new(out, 4, "vehicle")
                        .text("id", &names.departure(record.vehicle).name)
                        .number_with("pos", record.pos_m, places)
                        .number_with("speed", record.speed_mps, places)
                        .empty();
                }
                out.end_tag(3, "lane");
            }
            out.end_tag(2, "edge");
        }
        out.end_tag(1, "timestep");
        Ok(())
    }
}

/// `queue-output`: how far queues reach back from the ends of lanes.
pub struct Queues {
    names: Names,
    begin_ms: i64,
    options: QueueOptions,
    sorted: Vec<FcdRecord>,
}

/// What is told of a lane.
struct Queue {
    longest_wait_ms: u32,
    /// From the end of the lane to the back of the last vehicle that waits, and of the last one that is slow, metres.
    standing_m: f64,
    slow_m: f64,
}

impl Queues {
    pub fn new(names: Names, begin_ms: i64, options: QueueOptions) -> Self {
        Self { names, begin_ms, options, sorted: Vec::new() }
    }

    /// The queue of the vehicles of a lane, the hindmost first.
    fn queue(names: &Names, slow_mps: f64, vehicles: &[FcdRecord]) -> Option<Queue> {
        let length_m = names.network.lane(vehicles.first()?.lane).length_m;
        let reach = |record: Option<&FcdRecord>| {
            record.map(|v| length_m - (v.pos_m - names.vehicle_type(v.vehicle).length_m)).unwrap_or(0.0)
        };
        let slow_m = reach(vehicles.iter().find(|v| v.speed_mps < slow_mps));
        if slow_m <= 0.0 {
            return None;
        }
        let is_waiting = |v: &&FcdRecord| v.waiting_ms > 0;
        let longest_wait_ms = vehicles.iter().filter(is_waiting).map(|v| v.waiting_ms).max().unwrap_or(0);
        Some(Queue { longest_wait_ms, standing_m: reach(vehicles.iter().find(is_waiting)), slow_m })
    }
}

impl Sink for Queues {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("queue-export", "queue_file")
            .with("data", Time, &["timestep"])
            .with("lane", Text, &["id"])
            .with("lane", Time, &["queueing_time"])
            .with("lane", Number, &["queueing_length", "queueing_length_experimental"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        if !is_due(step.time_ms, self.begin_ms, self.options.period_ms) {
            return Ok(());
        }
        sort_by_lane(step, &mut self.sorted);
        let Self { names, options, sorted, .. } = self;
        let mut opened = false;
        let open = |out: &mut Document| Tag::new(out, 1, "data").time("timestep", step.time_ms).open();
        for vehicles in sorted.chunk_by(|a, b| a.lane == b.lane) {
            if names.network.edge_of(vehicles[0].lane).is_internal() {
                continue;
            }
            let Some(queue) = Self::queue(names, options.slow_mps, vehicles) else { continue };
            if !opened {
                open(out);
                Tag::new(out, 2, "lanes").open();
                opened = true;
            }
            Tag::new(out, 3, "lane")
                .lane("id", &names.network, vehicles[0].lane)
                .number("queueing_time", f64::from(queue.longest_wait_ms) / 1e3)
                .number("queueing_length", queue.standing_m)
                .number("queueing_length_experimental", queue.slow_m)
                .empty();
        }
        if opened {
            out.end_tag(2, "lanes");
            out.end_tag(1, "data");
        } else if !options.skip_empty {
            open(out);
            Tag::new(out, 2, "lanes").empty();
            out.end_tag(1, "data");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LaneId, VehicleId};
    use crate::output::sink::RunEnd;
    use crate::output::testing::{names, written, written_as};
    use crate::scenario::OutputFormat;
    use crate::sim::report::StepReport;

    fn steps() -> Vec<MergedStep> {
        let record = |vehicle, pos_m, speed_mps, waiting_ms| FcdRecord {
            vehicle: VehicleId(vehicle),
            lane: LaneId(3),
            pos_m,
            speed_mps,
            accel_mps2: 0.0,
            waiting_ms,
            odometer_m: 0.0,
            time_loss_s: 0.0,
        };
        let fcd = vec![record(1, 80.0, 1.0, 0), record(0, 99.0, 0.0, 15_000)];
        vec![
            MergedStep::of([StepReport::default()]),
            MergedStep::of([StepReport { time_ms: 1000, fcd, ..StepReport::default() }]),
        ]
    }

    #[test]
    fn the_state_of_the_network_is_written_as_sumo_does() {
        let text = written(&mut Netstate::new(names(), false, None), &steps(), &RunEnd::default());
        let body: Vec<_> = text.lines().skip(3).collect();
        assert_eq!(
            body,
            [
                "    <timestep time=\"0.00\">",
                "    </timestep>",
                "    <timestep time=\"1.00\">",
                "        <edge id=\"east\">",
                "            <lane id=\"east_0\"/>",
                "            <lane id=\"east_1\">",
                "                <vehicle id=\"b&amp;1\" pos=\"80.00\" speed=\"1.00\"/>",
                "                <vehicle id=\"a\" pos=\"99.00\" speed=\"0.00\"/>",
                "            </lane>",
                "        </edge>",
                "    </timestep>",
                "</netstate>",
            ]
        );
        let csv = written_as(OutputFormat::Csv, &mut Netstate::new(names(), false, None), &steps(), &RunEnd::default());
        assert_eq!(
            csv,
            "timestep_time;edge_id;lane_id;vehicle_id;vehicle_pos;vehicle_speed\n0.00;;;;;\n1.00;east;east_0;;;\n\
             1.00;east;east_1;b&1;80.00;1.00\n1.00;east;east_1;a;99.00;0.00\n"
        );
    }

    #[test]
    fn queues_are_written_as_sumo_does() {
        let options = QueueOptions::default();
        let text = written(&mut Queues::new(names(), 0, options), &steps(), &RunEnd::default());
        let body: Vec<_> = text.lines().skip(3).collect();
        assert_eq!(
            body,
            [
                "    <data timestep=\"0.00\">",
                "        <lanes/>",
                "    </data>",
                "    <data timestep=\"1.00\">",
                "        <lanes>",
                "            <lane id=\"east_1\" queueing_time=\"15.00\" queueing_length=\"6.00\" \
                 queueing_length_experimental=\"32.00\"/>",
                "        </lanes>",
                "    </data>",
                "</queue-export>",
            ]
        );
    }
}
