//! Departures and arrivals: lanes, places and speeds, vehicles that wait, and those that can never depart.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tessds::diagnostics::Warnings;
use tessds::output::MergedStep;
use tessds::scenario::{Rerouting, RunConfig, load};
use tessds::sim::World;
use tessds::sim::report::{Discard, DiscardCause, TripRecord};

use super::{name, run, world};
use crate::common::demand::Random;
use crate::common::scenarios::root;

const TYPES: &str =
    r#"<vType id="t" sigma="0" speedDev="0"/><vType id="slow" sigma="0" speedDev="0" speedFactor="0.9"/>"#;
const THREE: &str = "departures/three_lanes.net.xml";
const SLOW_AHEAD: &str = "departures/slow_ahead.net.xml";
const MINOR: &str = "departures/minor_road.net.xml";
const LOOPS: &str = "departures/loops.net.xml";

/// A vehicle with these departure attributes on `e0 e1`.
fn vehicle(id: &str, attributes: &str, stops: &str) -> String {
    format!(r#"<vehicle id="{id}" type="t" depart="0" {attributes}><route edges="e0 e1"/>{stops}</vehicle>"#)
}

/// A vehicle that departs with the given speed.
fn placed(id: &str, lane: u32, pos: f64, speed: f64) -> String {
    vehicle(id, &format!(r#"departLane="{lane}" departPos="{pos}" departSpeed="{speed}""#), "")
}

struct Done {
    trips: BTreeMap<String, TripRecord>,
    discards: Vec<(String, DiscardCause)>,
    lanes: BTreeMap<String, u32>,
}

fn drive(net: &str, vehicles: &[String]) -> Done {
    let world = world(net, &format!("{TYPES}{}", vehicles.concat()), "");
    let steps = run(&world);
    done(&world, &steps)
}

fn done(world: &World, steps: &[MergedStep]) -> Done {
    let named = |vehicle| name(&world.demand, vehicle).to_owned();
    let trips: BTreeMap<String, TripRecord> =
        steps.iter().flat_map(|step| &step.arrivals).map(|trip| (named(trip.vehicle), trip.clone())).collect();
    let discards = steps.iter().flat_map(|step| &step.discards);
    let lanes = trips.iter().map(|(id, trip)| (id.clone(), world.network.lane(trip.depart_lane).index)).collect();
    Done { discards: discards.map(|Discard { vehicle, cause, .. }| (named(*vehicle), *cause)).collect(), lanes, trips }
}

impl Done {
    /// Time in seconds, place and speed of a departure, to the centimetre.
    fn departure(&self, id: &str) -> (f64, f64, f64) {
        let trip = &self.trips[id];
        let cm = |value: f64| (value * 100.0).round() / 100.0;
        (trip.depart_ms as f64 / 1000.0, cm(trip.depart_pos_m), cm(trip.depart_speed_mps))
    }
}

#[test]
fn each_lane_takes_a_vehicle_in_each_step() {
    for lane in ["best", "best_prob", "free", "allowed"] {
        let attributes = format!(r#"departLane="{lane}" departSpeed="max""#);
        let vehicles: Vec<String> = (0..6).map(|i| vehicle(&format!("v{i}"), &attributes, "")).collect();
        let found = drive(THREE, &vehicles);
        let lanes: Vec<u32> = found.lanes.values().copied().collect();
        assert_eq!(lanes, [0, 1, 2, 0, 1, 2], "{lane}");
        assert_eq!(found.departure("v2"), (0.0, 5.1, 13.89), "{lane}");
        assert_eq!(found.departure("v5"), (1.0, 5.1, 11.52), "{lane}");
    }
}

#[test]
fn a_refused_departure_holds_up_its_lane_only() {
    let vehicles = [
        placed("a", 0, 200.0, 0.0),
        placed("b", 0, 201.0, 0.0),
        placed("c1", 1, 100.0, 0.0),
        placed("c2", 2, 100.0, 0.0),
        placed("d", 0, 400.0, 0.0),
        // The lane with the longest free way is 0, which has refused `b`.
        vehicle("x", r#"departLane="free" departPos="10" departSpeed="0""#, ""),
        placed("e", 1, 400.0, 0.0),
    ];
    let found = drive(THREE, &vehicles);
    let times: Vec<f64> = ["a", "b", "c1", "c2", "d", "x", "e"].iter().map(|id| found.departure(id).0).collect();
    assert_eq!(times, [0.0, 3.0, 0.0, 0.0, 3.0, 3.0, 0.0]);
    assert_eq!(found.lanes["x"], 0);
}

#[test]
fn the_free_lane_has_the_longest_way_behind_its_hindmost_vehicle_or_else_the_fewest_vehicles() {
    let lane = |places: &[(u32, f64)], pos: &str| {
        let mut vehicles: Vec<String> =
            places.iter().enumerate().map(|(i, (lane, pos))| placed(&format!("a{i}"), *lane, *pos, 0.0)).collect();
        vehicles.push(vehicle("x", &format!(r#"departLane="free" departPos="{pos}" departSpeed="0""#), ""));
        drive(THREE, &vehicles).lanes["x"]
    };
    assert_eq!(lane(&[(0, 100.0), (1, 600.0), (2, 150.0)], "base"), 1);
    assert_eq!(lane(&[(0, 100.0), (1, 600.0), (2, 150.0)], "300"), 1);
    assert_eq!(lane(&[(0, 600.0), (1, 650.0), (2, 900.0)], "800"), 2);
    assert_eq!(lane(&[(0, 600.0), (1, 650.0), (2, 900.0)], "-10"), 0);
    assert_eq!(lane(&[(0, 500.0), (0, 600.0), (1, 550.0), (1, 400.0), (2, 300.0)], "-10"), 2);
}

#[test]
fn only_max_is_lowered_behind_a_leader_and_all_others_wait() {
    let speeds = [("max", 0.0, 13.6), ("avg", 0.0, 3.0), ("last", 0.0, 3.0), ("5", 0.0, 5.0)];
    let waiting = [("desired", 1.0, 13.89), ("speedLimit", 1.0, 13.89), ("13.89", 1.0, 13.89)];
    for (speed, time, reached) in speeds.into_iter().chain(waiting) {
        let follower = vehicle("x", &format!(r#"departLane="0" departSpeed="{speed}""#), "");
        let found = drive(THREE, &[placed("a", 0, 40.0, 3.0), follower]);
        assert_eq!(found.departure("x"), (time, 5.1, reached), "{speed}");
    }
}

#[test]
fn a_slow_driver_departs_with_the_speed_limit_all_the_same() {
    for (speed, reached) in [("speedLimit", 13.89), ("desired", 12.5), ("max", 12.5)] {
        let slow = vehicle("x", &format!(r#"departSpeed="{speed}""#), "").replace(r#"type="t""#, r#"type="slow""#);
        assert_eq!(drive(THREE, &[slow]).departure("x"), (0.0, 5.1, reached), "{speed}");
    }
}

#[test]
fn speeds_are_lowered_for_the_road_ahead_but_a_given_one_is_never_possible() {
    let slower = |pos: &str, speed: &str| {
        let follower = r#"<vehicle id="y" type="t" depart="5" departSpeed="max"><route edges="e0 e1"/></vehicle>"#;
        let first = vehicle("x", &format!(r#"departPos="{pos}" departSpeed="{speed}""#), "");
        let found = drive(SLOW_AHEAD, &[first, follower.to_owned()]);
        assert_eq!(found.departure("y").0, 5.0, "nobody is held up");
        found
    };
    for speed in ["max", "desired", "avg"] {
        assert_eq!(slower("60", speed).departure("x"), (0.0, 60.0, 22.37), "{speed}");
    }
    let never = slower("95", "20");
    assert_eq!(never.discards, [("x".to_owned(), DiscardCause::SlowLaneAhead)]);
    assert!(!never.trips.contains_key("x"));

    let before_junction =
        |speed: &str| drive(MINOR, &[vehicle("x", &format!(r#"departPos="75" departSpeed="{speed}""#), "")]);
    assert_eq!(before_junction("max").departure("x"), (0.0, 75.0, 11.5));
    assert_eq!(before_junction("13").discards, [("x".to_owned(), DiscardCause::JunctionTooClose)]);

    let stop = r#"<stop lane="e0_0" endPos="20" duration="5"/>"#;
    let before_stop =
        |speed: &str| drive(THREE, &[vehicle("x", &format!(r#"departLane="0" departSpeed="{speed}""#), stop)]);
    assert_eq!(before_stop("max").departure("x"), (0.0, 5.1, 9.47));
    assert_eq!(before_stop("10").discards, [("x".to_owned(), DiscardCause::StopTooClose)]);
}

#[test]
fn places_are_the_first_free_one_or_behind_the_last_vehicle() {
    let place = |leader: (f64, f64), attributes: &str| {
        let x = vehicle("x", &format!(r#"departLane="0" {attributes}"#), "");
        let (pos, speed) = leader;
        drive(THREE, &[placed("a", 0, pos, speed), x]).departure("x")
    };
    let alone = |attributes: &str| drive(THREE, &[vehicle("x", attributes, "")]).departure("x");
    assert_eq!(alone(r#"departPos="free" departSpeed="max""#), (0.0, 0.0, 13.89));
    assert_eq!(alone(r#"departPos="last" departSpeed="max""#), (0.0, 999.9, 13.89));
    assert_eq!(alone(r#"departPos="stop" departSpeed="0""#), (0.0, 5.1, 0.0));
    assert_eq!(place((300.0, 5.0), r#"departPos="last" departSpeed="max""#), (0.0, 264.34, 13.89));
    assert_eq!(place((300.0, 5.0), r#"departPos="last" departSpeed="last""#), (0.0, 287.4, 5.0));
    assert_eq!(place((300.0, 5.0), r#"departPos="free" departSpeed="max""#), (0.0, 0.0, 6.25));
    assert_eq!(place((5.1, 0.0), r#"departPos="free" departSpeed="max""#), (0.0, 12.7, 13.89));
}

#[test]
fn a_given_speed_raises_the_factor_of_a_driver_whose_type_lets_it_vary() {
    let load = |deviation: f64, speed: f64| {
        let kind = format!(r#"<vType id="v" sigma="0" speedDev="{deviation}"/>"#);
        let one = vehicle("x", &format!(r#"departSpeed="{speed}""#), "").replace(r#"type="t""#, r#"type="v""#);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.rou.xml");
        std::fs::write(&path, format!("<routes>{kind}{one}</routes>")).expect("the file is written");
        let net = Some(root().join("tests/data").join(THREE));
        load(&RunConfig { net, routes: vec![path], ..RunConfig::default() }, &mut Warnings::default())
    };
    assert_eq!(load(0.1, 18.0).expect("possible").demand.departures[0].speed_factor, 1.2959);
    let error = load(0.0, 18.0).expect_err("impossible").to_string();
    assert!(error.contains("departSpeed 18 is too high for edge 'e0'"), "{error}");
}

#[test]
fn trips_end_where_the_vehicle_was_to_arrive() {
    for (place, at, driven, seconds) in [
        ("100", 100.0, 1095.0, 79),
        ("-100", 400.0, 1395.0, 101),
        ("center", 250.0, 1245.0, 90),
        ("499.95", 499.95, 1494.95, 108),
    ] {
        let found = drive(THREE, &[vehicle("x", &format!(r#"departSpeed="max" arrivalPos="{place}""#), "")]);
        let trip = &found.trips["x"];
        assert_eq!((trip.arrival_ms, trip.arrival_pos_m), (seconds * 1000, at), "{place}");
        assert!((trip.route_length_m - driven).abs() < 1e-6, "{place}: {}", trip.route_length_m);
    }
}

#[test]
fn vehicles_with_a_rerouting_device_get_another_route_when_they_depart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.rou.xml");
    let vehicles: String = [0, 100].iter().fold(String::new(), |mut text, depart| {
        let route = r#"<route edges="ab bu uc ce"/>"#;
        write!(text, r#"<vehicle id="{depart}" type="t" depart="{depart}">{route}</vehicle>"#).expect("a string grows");
        text
    });
    std::fs::write(&path, format!("<routes>{TYPES}{vehicles}</routes>")).expect("the file is written");
    let mut config = RunConfig {
        net: Some(root().join("tests/data/departures/detour.net.xml")),
        routes: vec![path],
        ..RunConfig::default()
    };
    config.settings.rerouting = Some(Rerouting {
        probability: 1.0,
        period_ms: 0,
        pre_period_ms: 60_000,
        adaptation_interval_ms: 1000,
        adaptation_steps: 180,
        adaptation_weight: 0.0,
    });
    let scenario = load(&config, &mut Warnings::default()).unwrap_or_else(|error| panic!("{error}"));
    let world = Arc::new(World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests));
    let found = done(&world, &run(&world));
    let arrivals: Vec<i64> = ["0", "100"].iter().map(|id| found.trips[*id].arrival_ms / 1000).collect();
    assert_eq!(arrivals, [130, 230], "by the fast way");
}

/// Vehicles that drive several times round within one step, and end their trips anywhere.
#[test]
fn vehicles_may_come_back_to_the_lane_that_they_left_in_the_same_step() {
    for seed in 1..=12 {
        let mut random = Random(seed);
        let mut routes =
            r#"<vType id="f" sigma="0" speedDev="0" maxSpeed="80" accel="20" length="2" minGap="0.5"/>"#.to_owned();
        for index in 0..25 {
            let mut edge = *random.pick(&["ab", "bc", "ca"]);
            let mut edges = vec![edge];
            for _ in 0..random.below(40) {
                edge = match edge {
                    "ab" if random.below(20) == 0 => "ba",
                    "ab" => "bc",
                    "bc" => "ca",
                    _ => "ab",
                };
                edges.push(edge);
            }
            let (edges, depart) = (edges.join(" "), index * 15);
            write!(
                routes,
                r#"<vehicle id="{index}" type="f" depart="{depart}" departSpeed="max"><route edges="{edges}"/></vehicle>"#
            )
            .expect("a string grows");
        }
        let world = world(LOOPS, &routes, "");
        let steps = run(&world);
        let counts = steps.last().expect("a step").counts;
        assert_eq!((counts.arrived, counts.running), (25, 0), "seed {seed}");
    }
}

/// The mean of the summary counts whole steps, the delay of a trip does not.
#[test]
fn delays_of_departures_are_counted_in_steps_as_in_sumo() {
    let late = |id: &str, depart: &str| vehicle(id, "", "").replace(r#"depart="0""#, &format!(r#"depart="{depart}""#));
    let world = world(SLOW_AHEAD, &[TYPES, &late("a", "10.1"), &late("b", "40.9")].concat(), "");
    let delays: Vec<_> = run(&world).iter().map(|step| step.counts.depart_delay_ms).collect();
    assert_eq!((delays[12], delays[45]), (1000, 2000));
}

/// In one step a single vehicle enters before those of flows, and these by flow, whatever their times are.
#[test]
fn vehicles_of_one_step_enter_by_flow() {
    let flow = |id: &str, begin: u32, period: f64| {
        format!(
            r#"<flow id="{id}" type="t" begin="{begin}" end="12" period="{period}" departSpeed="max"><route edges="e0 e1"/></flow>"#
        )
    };
    // b.1 is due at 10.9 s, a.1 at 11 s, the single one at 10.95 s.
    let single = vehicle("single", r#"departSpeed="max""#, "").replace(r#"depart="0""#, r#"depart="10.95""#);
    let done = drive(SLOW_AHEAD, &[flow("a", 5, 6.0), flow("b", 6, 4.9), single]);
    let depart_s = |id: &str| done.trips[id].depart_ms / 1000;
    assert_eq!(["single", "a.1", "b.1"].map(depart_s), [11, 12, 13]);
}
