//! A network of two roads over one junction and two vehicles, for the tests of the sinks; and all outputs at once, for
//! those of the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::collector::MergedStep;
use super::document::{Document, Table};
use super::numbers::Numbers;
use super::outputs::{Outputs, Reporting, add_whole_run_requests};
use super::sink::{Names, RunEnd, Sink};
use crate::demand::{
    ArrivalLane, ArrivalPos, ArrivalSpeed, Demand, DepartLane, DepartPos, DepartSpeed, Departure, RouteOrigin,
    VehicleClass, VehicleType,
};
use crate::graph::{Edge, EdgeKind, Lane, Link, Network, RightOfWay, Span, Turn};
use crate::ids::{EdgeId, JunctionId, LaneId, LinkId, RouteId, SignalId, TypeId, VehicleId};
use crate::scenario::{
    AreaRequest, DetectorRequest, EmptyEdges, HaltThresholds, MeanDataLevel, MeanDataRequest, OutputFormat,
    OutputPaths, OutputRequests, OutputStyle, VehrouteOptions,
};
use crate::sim::report::{
    FcdRecord, IntervalReport, LanePassage, LaneStats, StepReport, Teleport, TeleportCause, TripRecord, Vaporized,
};

type Shape = &'static [[f32; 2]];

/// `west` (22.36 m, one lane) – `:mid_0` (5 m, a quarter turn to the left) – `east` (100 m, two lanes).
pub fn network() -> Network {
    let mut network = Network::default();
    let roads: [(&str, EdgeKind, f64, f64, &[Shape]); 3] = [
        ("west", EdgeKind::Normal, 22.36, 8.33, &[&[[0.0, 0.0], [22.36, 0.0]]]),
        (":mid_0", EdgeKind::Internal, 5.0, 8.33, &[&[[22.36, 0.0], [25.36, 1.0], [26.36, 4.0]]]),
        ("east", EdgeKind::Normal, 100.0, 13.89, &[&[[26.36, 4.0], [26.36, 104.0]], &[[23.16, 4.0], [23.16, 104.0]]]),
    ];
    for (index, (name, kind, length_m, speed_mps, shapes)) in roads.into_iter().enumerate() {
        network.edges.push(Edge {
            name: name.into(),
            kind,
            first_lane: LaneId::new(network.lanes.len()),
            lane_count: shapes.len() as u32,
            from: JunctionId(0),
            to: JunctionId(0),
            priority: 1,
            length_m,
            roundabout: false,
        });
        for (lane, shape) in shapes.iter().enumerate() {
            network.lanes.push(Lane {
                index: lane as u32,
                internal: kind == EdgeKind::Internal,
                shape: Span::new(network.points.len(), shape.len()),
                ..Lane::new(EdgeId::new(index), length_m, speed_mps)
            });
            network.points.extend_from_slice(shape);
        }
    }
    // The one way from the road into the turn.
    network.links.push(Link {
        from: LaneId(0),
        next: LaneId(1),
        to: LaneId(2),
        junction: JunctionId(0),
        request: 0,
        signal: SignalId::NONE,
        signal_index: 0,
        turn: Turn::Left,
        right_of_way: RightOfWay::Major,
        keep_clear: false,
        cont: false,
        exit: false,
        lowered: false,
        via_length_m: 5.0,
        yields_to: Span::default(),
        foes: Span::default(),
        watched: false,
        visibility_m: 4.5,
    });
    network.lanes[0].links = Span::new(0, 1);
    network.lanes[1].entry = LinkId(0);
    network
}

/// Vehicle 0 is the car `a`, vehicle 1 the bus `b&1`; more cars follow.
pub fn names_of(vehicles: usize) -> Names {
    let departure = |index: usize| Departure {
        name: match index {
            0 => "a".into(),
            1 => "b&1".into(),
            _ => format!("car.{index}").into(),
        },
        depart_ms: 0,
        vtype: TypeId(u32::from(index == 1)),
        route: RouteId(0),
        speed_factor: 1.0,
        depart_lane: DepartLane::First,
        depart_pos: DepartPos::Base,
        depart_speed: DepartSpeed::Given(0.0),
        arrival_lane: ArrivalLane::Current,
        arrival_pos: ArrivalPos::Max,
        arrival_speed: ArrivalSpeed::Current,
        stops: Span::default(),
        route_origin: RouteOrigin::Given,
        has_rerouting_device: false,
        via: Span::default(),
    };
    let demand = Demand {
        types: vec![
            VehicleType::default_of("car", VehicleClass::Passenger),
            VehicleType::default_of("bus", VehicleClass::Bus),
        ],
        departures: (0..vehicles).map(departure).collect(),
        ..Demand::default()
    };
    Names::new(Arc::new(network()), Arc::new(demand))
}

pub fn names() -> Names {
    names_of(2)
}

pub fn trip(vehicle: u32) -> TripRecord {
    TripRecord {
        vehicle: VehicleId(vehicle),
        depart_ms: 2_000,
        depart_lane: LaneId(0),
        depart_pos_m: 5.1,
        depart_speed_mps: 0.0,
        depart_delay_ms: 1_000,
        arrival_ms: 62_000,
        arrival_lane: LaneId(3),
        arrival_pos_m: 100.0,
        arrival_speed_mps: 13.89,
        route_length_m: 295.0,
        waiting_ms: 10_000,
        waiting_count: 2,
        stop_ms: 20_000,
        time_loss_s: 12.3456,
        reroute_count: 0,
        speed_factor: 1.1,
        edges: Vec::new(),
        vaporized: Vaporized::No,
    }
}

/// A vehicle on a lane.
pub fn seen(vehicle: VehicleId, lane: LaneId, pos_m: f64, speed_mps: f64) -> FcdRecord {
    FcdRecord { vehicle, lane, pos_m, speed_mps, accel_mps2: 0.0, waiting_ms: 0, odometer_m: 0.0, time_loss_s: 0.0 }
}

/// A document with nothing in it, of a form of its own.
pub fn blank() -> Document {
    let style = OutputStyle::default();
    Document::resumed(&Table::plain(), OutputFormat::Xml, &style, Numbers::new(&style, 1000)).unwrap()
}

pub fn mean_data(level: MeanDataLevel) -> MeanDataRequest {
    MeanDataRequest {
        period_ms: Some(900_000),
        empty: EmptyEdges::Exclude,
        ..MeanDataRequest::new("m", level, "m.xml".into())
    }
}

/// All that a sink writes of a run.
pub fn written(sink: &mut dyn Sink, steps: &[MergedStep], end: &RunEnd) -> String {
    written_as(OutputFormat::Xml, sink, steps, end)
}

/// The same in another format.
pub fn written_as(format: OutputFormat, sink: &mut dyn Sink, steps: &[MergedStep], end: &RunEnd) -> String {
    let style = OutputStyle::default();
    let mut out = Document::begin(&sink.table(), format, &style, Numbers::new(&style, 1000)).unwrap();
    sink.begin(&mut out).unwrap();
    for step in steps {
        sink.step(step, &mut out).unwrap();
    }
    sink.finish(end, &mut out).unwrap();
    out.end().unwrap();
    String::from_utf8(out.bytes().to_vec()).unwrap()
}

/// One partition, steps of a second.
pub const REPORTING: Reporting =
    Reporting { partitions: 1, begin_ms: 0, step_ms: 1000, capacity: 64, checkpoints: false };

/// Everything at once, in a folder of its own.
pub fn all_outputs(folder: &Path) -> (OutputPaths, OutputRequests) {
    let file = |name: &str| Some(folder.join(name));
    let paths = OutputPaths {
        tripinfo: file("tripinfo.xml"),
        summary: file("summary.xml"),
        edgedata: file("edgedata.xml"),
        lanedata: file("lanedata.xml.gz"),
        fcd: file("fcd.xml"),
        statistic: file("statistic.xml"),
        vehroute: file("vehroute.xml"),
        vehroute_options: VehrouteOptions { exit_times: true, sorted: true, ..VehrouteOptions::default() },
        queues: file("queues.xml.gz"),
        netstate: file("state.csv"),
        ..OutputPaths::default()
    };
    let mut requests = OutputRequests::default();
    add_whole_run_requests(&paths, &mut requests);
    let mut periodic = mean_data(MeanDataLevel::Edge);
    periodic.file = folder.join("m.xml");
    requests.mean_data.push(periodic);
    requests.areas.push(AreaRequest {
        name: "area".into(),
        lanes: Box::new([LaneId(2)]),
        from_m: 10.0,
        to_m: 60.0,
        period_ms: Some(3000),
        file: folder.join("e2.csv"),
        vtypes: Box::default(),
        halt: HaltThresholds { time_ms: 0, speed_mps: 5.0 },
    });
    for name in ["d0", "d1"] {
        requests.detectors.push(DetectorRequest {
            name: name.into(),
            lane: LaneId(0),
            pos_m: 1.0,
            period_ms: Some(1000),
            file: folder.join("e1.xml"),
            vtypes: Box::default(),
        });
    }
    (paths, requests)
}

pub fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

/// Something that happened in a step, and the number by which a cut assigns it to a partition.
pub type Happening = (u32, u32);

pub fn reports(time_ms: i64, happenings: &[Happening], partitions: usize) -> Vec<StepReport> {
    let mut reports = vec![StepReport { time_ms, ..StepReport::default() }; partitions];
    for (vehicle, &(owner, value)) in happenings.iter().enumerate() {
        let vehicle = VehicleId(vehicle as u32);
        let report = &mut reports[owner as usize % partitions];
        let lane = LaneId(value % 4);
        report.counts.running += 1;
        report.counts.speed_um += i64::from(value);
        report.digest = report.digest.wrapping_add(u128::from(value) << 100);
        report.fcd.push(seen(vehicle, lane, f64::from(value % 20), 1.0 / 3.0));
        report.edges_left.push((vehicle, (value % 3) as u16));
        let to_m = f64::from(value % 90);
        let from_m = to_m - f64::from(value % 11);
        let speed_mps = to_m - from_m;
        report.passages.push(LanePassage { lane, vehicle, from_m, to_m, speed_mps, allowed_mps: 13.89 });
        report.departed.push((vehicle, EdgeId(0)));
        report.teleports.push(Teleport { vehicle, lane, cause: TeleportCause::Jam });
        if value.is_multiple_of(3) {
            let time_loss_s = f64::from(value) / 7.0;
            report.arrivals.push(TripRecord { time_loss_s, ..trip(vehicle.0) });
        }
        let stats = LaneStats { sampled_us: 1_000_000, distance_um: value.into(), ..LaneStats::default() };
        let lanes = vec![(lane, stats)];
        report.intervals.push(IntervalReport { request: value % 3, begin_ms: 0, end_ms: time_ms + 1000, lanes });
    }
    reports
}

/// Adds a report and writes the steps that it completes.
pub fn add_and_write(outputs: &mut Outputs, partition: usize, report: StepReport) {
    outputs.add(partition, report).unwrap();
    while outputs.write_next().unwrap().is_some() {}
}
