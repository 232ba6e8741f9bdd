//! Lane changes, motive by motive. Lanes, times and speeds are those of SUMO 1.28.

use super::{name, run, world};

const TYPES: &str = r#"<vType id="t" sigma="0" speedDev="0"/>
    <vType id="patient" sigma="0" speedDev="0" lcSpeedGain="0" lcKeepRight="0"/>
    <vType id="slow" sigma="0" speedDev="0" maxSpeed="8" lcKeepRight="0" lcSpeedGain="0"/>
    <vType id="lead" sigma="0" speedDev="0" maxSpeed="12" lcKeepRight="0" lcSpeedGain="0"/>"#;
/// Three lanes of 3 km, 25 m/s and 13 m/s.
const FAST: &str = "lane_changes/fast.net.xml";
const TOWN: &str = "lane_changes/town.net.xml";
/// A road with one lane, one with three lanes, a junction with ways of 63 m, and again three lanes; 12 m/s.
const JUNCTION: &str = "lane_changes/junction.net.xml";
/// Three roads of 300 m with two lanes, of which the left one leads on to a road with one lane; 13.89 m/s.
const JAM: &str = "lane_changes/jam.net.xml";

fn vehicle(id: &str, vtype: &str, lane: u32, pos: f64, speed: f64, edges: &str) -> String {
    format!(
        r#"<vehicle id="{id}" type="{vtype}" depart="0" departLane="{lane}" departPos="{pos}" departSpeed="{speed}">
            <route edges="{edges}"/></vehicle>"#
    )
}

/// Second, lane and speed (m/s) of the vehicle `v`.
fn drive(net: &str, vehicles: &[String]) -> Vec<(usize, String, f64)> {
    let world = world(net, &format!("{TYPES}{}", vehicles.concat()), "");
    let steps = run(&world);
    let of_v = steps.iter().enumerate().flat_map(|(second, step)| {
        let record = step.fcd.iter().find(|record| name(&world.demand, record.vehicle) == "v");
        record.map(|record| (second, world.network.lane_name(record.lane), record.speed_mps))
    });
    of_v.collect()
}

/// The lanes of `v`, each with the second at which the vehicle is on it first.
fn lanes(net: &str, vehicles: &[String]) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> =
        drive(net, vehicles).into_iter().map(|(second, lane, _)| (second, lane)).collect();
    found.dedup_by(|next, one| next.1 == one.1);
    found
}

fn expected(lanes: &[(usize, &str)]) -> Vec<(usize, String)> {
    lanes.iter().map(|(second, lane)| (*second, (*lane).to_owned())).collect()
}

#[test]
fn fast_vehicles_do_not_pass_on_the_right_until_they_drive_slower_than_60_km_h() {
    let vehicles = [vehicle("s", "lead", 1, 150.0, 12.0, "e0"), vehicle("v", "patient", 0, 20.0, 25.0, "e0")];
    let found: Vec<f64> =
        drive(FAST, &vehicles)[5..15].iter().map(|(_, _, speed)| (speed * 100.0).round() / 100.0).collect();
    assert_eq!(found, [24.75, 22.62, 20.52, 18.82, 17.32, 15.99, 18.59, 14.09, 16.69, 12.19]);
}

/// The gains of both lanes beside it are kept apart: they do not cancel each other.
#[test]
fn a_vehicle_between_two_free_lanes_passes_a_slow_one() {
    let vehicles = [vehicle("s", "slow", 1, 60.0, 8.0, "e0"), vehicle("v", "t", 1, 10.0, 13.0, "e0")];
    assert_eq!(lanes(TOWN, &vehicles)[..2], expected(&[(0, "e0_1"), (6, "e0_0")]));
}

#[test]
fn the_inclination_to_keep_right_is_forgotten_on_one_lane_and_kept_through_a_junction() {
    let found = lanes(JUNCTION, &[vehicle("v", "t", 0, 200.0, 12.0, "i e0 e1")]);
    let lanes_of_sumo = [(0, "i_0"), (9, "e0_2"), (17, ":b_2_2"), (19, ":b_2_1"), (22, "e1_1"), (32, "e1_0")];
    assert_eq!(found, expected(&lanes_of_sumo));
    let found = lanes(JUNCTION, &[vehicle("v", "t", 1, 0.0, 12.0, "e0 e1")]);
    assert_eq!(found, expected(&[(0, "e0_1"), (9, ":b_2_1"), (11, ":b_2_0"), (14, "e1_0")]));
}

#[test]
fn a_jam_three_roads_ahead_makes_vehicles_change_early() {
    let v = vehicle("v", "t", 0, 10.0, 13.0, "e0 e1 e2 e3");
    let free = lanes(JAM, std::slice::from_ref(&v));
    assert_eq!(free[..3], expected(&[(0, "e0_0"), (21, "e1_0"), (43, "e2_1")]));
    // Two queues of 30 vehicles, the first one behind a vehicle that stands at a stop.
    let queue = |letter: char, k: usize| match letter {
        'q' => vehicle(&format!("q{k}"), "slow", 0, 250.0 - 7.5 * k as f64, 0.0, "e3"),
        _ => vehicle(&format!("p{k}"), "slow", 1, 290.0 - 7.5 * k as f64, 0.0, "e2 e3"),
    };
    let stop = r#"<stop lane="e3_0" endPos="260" duration="900"/></vehicle>"#;
    let mut vehicles: Vec<String> =
        ['q', 'p'].into_iter().flat_map(|letter| (0..30).map(move |k| queue(letter, k))).collect();
    vehicles[0] = vehicles[0].replace("</vehicle>", stop);
    vehicles.push(v);
    let jammed = lanes(JAM, &vehicles);
    assert_eq!(jammed[..3], expected(&[(0, "e0_0"), (11, "e0_1"), (21, "e1_1")]));
}
