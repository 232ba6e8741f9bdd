//! Stops: where vehicles halt for them, how long they last, and what they count for.

use std::sync::Arc;

use tessds::output::MergedStep;
use tessds::sim::World;
use tessds::sim::report::TripRecord;

use super::{name, run, world};

const TYPES: &str = r#"<vType id="t" sigma="0" speedDev="0"/><vType id="b" vClass="bus" sigma="0" speedDev="0"/>"#;
const ONE: &str = "stops/one_lane.net.xml";
const THREE: &str = "stops/three_lanes.net.xml";

/// A vehicle that departs at full speed on the rightmost lane.
fn vehicle(id: &str, kind: &str, depart: u32, stops: &str) -> String {
    let route = r#"<route edges="ab bc"/>"#;
    format!(
        r#"<vehicle id="{id}" type="{kind}" depart="{depart}" departSpeed="max" departLane="0">{route}{stops}</vehicle>"#
    )
}

fn token(net: &str, vehicles: &[String], additional: &str) -> (Arc<World>, Vec<MergedStep>) {
    let world = world(net, &format!("{TYPES}{}", vehicles.concat()), additional);
    let steps = run(&world);
    (world, steps)
}

/// Vehicle, position, begin and end of all stops, in order of their ends.
fn made(world: &World, steps: &[MergedStep]) -> Vec<(String, f64, i64, i64)> {
    let stops = steps.iter().flat_map(|step| &step.stops);
    let cm = |metres: f64| (metres * 100.0).round() / 100.0;
    let seconds = |ms: i64| ms / 1000;
    stops
        .map(|s| (name(&world.demand, s.vehicle).to_owned(), cm(s.pos_m), seconds(s.started_ms), seconds(s.ended_ms)))
        .collect()
}

fn only_trip(steps: &[MergedStep]) -> TripRecord {
    let mut trips = steps.iter().flat_map(|step| &step.arrivals);
    let trip = trips.next().expect("a trip").clone();
    assert!(trips.next().is_none(), "one vehicle");
    trip
}

fn stop(name: &str, pos: f64, started: i64, ended: i64) -> (String, f64, i64, i64) {
    (name.to_owned(), pos, started, ended)
}

#[test]
fn stops_last_as_long_as_they_should_and_count_neither_as_waiting_nor_as_loss() {
    let stops = r#"<stop lane="ab_0" endPos="300" duration="20"/><stop lane="ab_0" endPos="500" duration="20"/>
        <stop lane="bc_0" endPos="300" duration="20"/>"#;
    let (world, steps) = token(ONE, &[vehicle("v", "t", 0, stops)], "");
    let expected = [stop("v", 300.0, 24, 44), stop("v", 500.0, 62, 82), stop("v", 300.0, 143, 163)];
    assert_eq!(made(&world, &steps), expected);
    let trip = only_trip(&steps);
    assert_eq!((trip.arrival_ms, trip.stop_ms, trip.waiting_ms, trip.waiting_count), (215_000, 60_000, 0, 0));
    assert!(trip.time_loss_s < 1e-3, "the way into and out of a stop is no loss: {}", trip.time_loss_s);
    let counts = &steps[30].counts;
    assert_eq!((counts.running, counts.halting, counts.stopped, counts.speed_um), (1, 1, 1, 0));
}

#[test]
fn a_vehicle_that_is_held_up_on_its_way_out_of_a_stop_loses_time() {
    let slow = r#"<vType id="slow" maxSpeed="5" sigma="0" speedDev="0"/>"#.to_owned();
    let v = vehicle("v", "t", 1, r#"<stop lane="ab_0" startPos="100" endPos="120" duration="5"/>"#);
    let (world, steps) = token(ONE, &[slow, vehicle("w", "slow", 0, ""), v], "");
    assert_eq!(made(&world, &steps), [stop("v", 120.0, 27, 32)]);
    let mut trips = steps.iter().flat_map(|step| &step.arrivals);
    let trip = trips.find(|trip| name(&world.demand, trip.vehicle) == "v").expect("it arrives");
    assert!(trip.time_loss_s > 200.0, "{} s behind a slow vehicle", trip.time_loss_s);
}

#[test]
fn a_stop_where_the_route_ends_is_made_before_the_arrival() {
    let (world, steps) = token(ONE, &[vehicle("v", "t", 0, r#"<stop lane="bc_0" duration="100"/>"#)], "");
    assert_eq!(made(&world, &steps), [stop("v", 1000.0, 146, 246)]);
    assert_eq!(only_trip(&steps).arrival_ms, 246_000);
    let beyond = vehicle("v", "t", 0, r#"<stop lane="bc_0" endPos="500" duration="100"/>"#)
        .replace("departLane", r#"arrivalPos="300" departLane"#);
    let (world, steps) = token(ONE, &[beyond], "");
    assert_eq!(made(&world, &steps), [stop("v", 500.0, 110, 210)]);
    assert_eq!(only_trip(&steps).arrival_ms, 210_000);
}

#[test]
fn a_stop_two_lanes_away_is_reached_in_time() {
    let (world, steps) = token(THREE, &[vehicle("v", "t", 0, r#"<stop lane="ab_2" endPos="60" duration="100"/>"#)], "");
    assert_eq!(made(&world, &steps), [stop("v", 60.0, 6, 106)]);
}

#[test]
fn a_vehicle_that_cannot_change_lanes_halts_beside_its_stop() {
    let kind =
        r#"<vType id="z" lcStrategic="-1" lcCooperative="-1" lcSpeedGain="0" lcKeepRight="0" sigma="0" speedDev="0"/>"#;
    let v = vehicle("v", "z", 0, r#"<stop lane="ab_2" endPos="300" duration="5"/>"#);
    let world = world(THREE, &format!("{kind}{v}"), "");
    let steps = run(&world);
    let fcd = steps[60].fcd.first().expect("it is there");
    assert_eq!((fcd.pos_m.round(), fcd.speed_mps), (300.0, 0.0));
}

#[test]
fn vehicles_stop_one_behind_the_other_at_a_bus_stop() {
    let halt = |duration: u32| format!(r#"<stop busStop="s" duration="{duration}"/>"#);
    let at = |id: &str, depart: u32, duration: u32| vehicle(id, "b", depart, &halt(duration));
    let buses = [at("q", 0, 20), at("v", 5, 10), at("u", 10, 20), at("x", 15, 5)];
    let place = r#"<busStop id="s" lane="ab_0" startPos="260" endPos="300"/>"#;
    let (world, steps) = token(ONE, &buses, place);
    // There is no room left for the fourth; it goes on to the front when the others have left.
    let expected =
        [stop("v", 285.5, 27, 37), stop("q", 300.0, 23, 43), stop("u", 271.0, 31, 51), stop("x", 300.0, 61, 66)];
    assert_eq!(made(&world, &steps), expected);
}

#[test]
fn a_bus_beside_the_road_holds_its_place_at_the_bus_stop() {
    let halt = |duration: u32| format!(r#"<stop busStop="s" duration="{duration}" parking="true"/>"#);
    let at = |id: &str, depart: u32, duration: u32| vehicle(id, "b", depart, &halt(duration));
    let place = r#"<busStop id="s" lane="ab_0" startPos="260" endPos="300"/>"#;
    let (world, steps) = token(ONE, &[at("q", 0, 60), at("v", 5, 10)], place);
    assert_eq!(made(&world, &steps), [stop("v", 285.5, 27, 37), stop("q", 300.0, 23, 83)]);
}

#[test]
fn vehicles_park_in_the_first_free_lot_and_wait_for_one() {
    let park = |duration: u32| format!(r#"<stop parkingArea="p" duration="{duration}"/>"#);
    let at = |id: &str, depart: u32, duration: u32| vehicle(id, "t", depart, &park(duration));
    let cars = [at("q", 0, 60), at("v", 2, 10), at("u", 4, 20), at("x", 6, 5), at("z", 95, 5)];
    let area = r#"<parkingArea id="p" lane="ab_0" startPos="260" endPos="300" roadsideCapacity="3"/>"#;
    let (world, steps) = token(ONE, &cars, area);
    let expected = [
        stop("v", 286.67, 27, 37),
        // It drives to the lot that gets free; SUMO has it there at once.
        stop("x", 286.67, 42, 47),
        stop("u", 300.0, 32, 52),
        stop("q", 273.33, 22, 82),
        stop("z", 273.33, 117, 122),
    ];
    assert_eq!(made(&world, &steps), expected);
    let parked = steps[60].fcd.iter().filter(|record| record.speed_mps == 0.0).count();
    assert_eq!((parked, steps[60].counts.stopped, steps[60].counts.halting), (1, 1, 0));
}

#[test]
fn a_waypoint_is_passed_at_its_speed() {
    let (world, steps) =
        token(ONE, &[vehicle("v", "t", 0, r#"<stop lane="ab_0" startPos="100" endPos="200" speed="5"/>"#)], "");
    assert!(made(&world, &steps).is_empty());
    let trip = only_trip(&steps);
    assert_eq!((trip.arrival_ms, trip.stop_ms), (159_000, 0));
    assert!(trip.time_loss_s < 1e-3);
}

#[test]
fn one_vehicle_a_step_is_teleported_from_behind_a_stopped_one() {
    let long = vehicle("b", "t", 0, r#"<stop lane="ab_0" endPos="300" duration="500"/>"#);
    let (world, steps) = token(ONE, &[long, vehicle("v", "t", 5, ""), vehicle("w", "t", 10, "")], "");
    let all =
        steps.iter().flat_map(|step| step.teleports.iter().map(|t| (step.time_ms, name(&world.demand, t.vehicle))));
    assert_eq!(all.collect::<Vec<_>>(), [(328_000, "v")], "the one behind moves up and waits anew");
}

#[test]
fn vehicles_depart_at_their_stops_so_that_they_reach_them() {
    let at_place = |id: &str, kind: &str, stops: &str, pos: &str| {
        vehicle(id, kind, 0, stops).replace("departLane", &format!(r#"departPos="{pos}" departLane"#))
    };
    let depart = |vehicle: String, place: &str| {
        let (world, steps) = token(ONE, &[vehicle], place);
        let trip = only_trip(&steps);
        let cm = |value: f64| (value * 100.0).round() / 100.0;
        (cm(trip.depart_pos_m), cm(trip.depart_speed_mps), trip.arrival_ms / 1000, made(&world, &steps).len())
    };
    let near = r#"<stop lane="ab_0" endPos="8" duration="100"/>"#;
    assert_eq!(depart(at_place("a", "t", near, "base"), ""), (5.1, 2.9, 247, 1), "slow enough to halt 2.9 m ahead");
    assert_eq!(depart(at_place("b", "b", near, "base"), "").0, 8.0, "a long bus departs at its stop");
    let far = r#"<stop lane="ab_0" endPos="500" duration="100"/>"#;
    assert_eq!(depart(at_place("c", "t", far, "stop"), ""), (500.0, 0.0, 211, 1));
    let area = r#"<parkingArea id="p" lane="ab_0" startPos="600" endPos="620" roadsideCapacity="2"/>"#;
    let park = r#"<stop parkingArea="p" duration="100"/>"#;
    assert_eq!(depart(at_place("d", "t", park, "stop"), area), (610.0, 7.25, 204, 1), "it parks in the next lot");
    let pass = r#"<stop lane="ab_0" startPos="4" endPos="200" speed="5"/>"#;
    let passing = depart(at_place("e", "t", pass, "base"), "");
    assert_eq!((passing.1, passing.2), (5.0, 170), "within a waypoint at its speed");
}
