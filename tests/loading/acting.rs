//! Options that change what becomes of vehicles: what SUMO 1.28 does with them, for any cut.

use std::sync::Arc;

use tessds::graph::partition::random_cut;
use tessds::output::MergedStep;
use tessds::sim::World;
use tessds::sim::report::Vaporized;

use super::Input;
use crate::common::runs::{Run, Script, compare, whole};

/// The steps of two minutes.
fn run(routes: &str, options: &[(&str, &str)]) -> Vec<MergedStep> {
    const STEPS: u64 = 120;
    let scenario = Input { routes, options, ..Input::default() }.load().scenario.expect("a good scenario");
    let world = Arc::new(World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests));
    let cut = random_cut(&world.network, 3, 5).expect("a cut");
    compare(&world, &[cut], STEPS, &Script::new()).unwrap_or_else(|difference| panic!("{difference}"));
    let mut whole = whole(&world);
    (0..STEPS).map(|_| whole.stepped()).collect()
}

/// `(collisions, teleports, arrived, taken out before the destination for the reason `why`)`.
fn outcome(steps: &[MergedStep], why: Vaporized) -> (u64, u64, u64, usize) {
    let counts = steps.last().expect("there were steps").counts;
    let taken = steps.iter().flat_map(|step| &step.arrivals).filter(|trip| trip.vaporized == why).count();
    (counts.collisions, counts.teleports(), counts.arrived, taken)
}

#[test]
fn collisions_are_ignored_counted_or_end_trips() {
    // The second vehicle comes to stand 2.5 m behind the first.
    let routes = r#"<vType id="t" sigma="0" speedDev="0"/><route id="r" edges="a b d"/>
        <vehicle id="first" type="t" route="r" depart="0"><stop lane="a_0" endPos="150" duration="40"/></vehicle>
        <vehicle id="second" type="t" route="r" depart="5"/>"#;
    let outcome = |options: &[(&str, &str)]| outcome(&run(routes, options), Vaporized::Collision);
    let close = ("collision.mingap-factor", "3");
    assert_eq!(outcome(&[]), (0, 0, 2, 0));
    assert_eq!(outcome(&[("collision.mingap-factor", "0.9")]), (0, 0, 2, 0));
    assert_eq!(outcome(&[close, ("collision.action", "none")]), (0, 0, 2, 0));
    assert_eq!(outcome(&[close, ("collision.action", "warn")]), (1, 0, 2, 0));
    assert_eq!(outcome(&[close]), (1, 0, 2, 0));
    assert_eq!(outcome(&[close, ("collision.action", "remove")]), (1, 0, 2, 2));
}

#[test]
fn vehicles_on_a_wrong_lane_of_a_fast_road_wait_less() {
    // The bus lane ends with the road.
    let routes = r#"<vType id="t" vClass="bus" sigma="0" speedDev="0" lcStrategic="-1" lcSpeedGain="0" lcCooperative="-1"/>
        <route id="r" edges="b d"/><vehicle id="wrong" type="t" route="r" depart="0" departLane="0"/>"#;
    let outcome = |options: &[(&str, &str)]| outcome(&run(routes, options), Vaporized::Teleport);
    let (soon, slow) = (("time-to-teleport.highways", "20"), ("time-to-teleport.highways.min-speed", "10"));
    assert_eq!(outcome(&[soon]), (0, 0, 0, 0));
    assert_eq!(outcome(&[soon, slow]), (0, 1, 1, 0));
    assert_eq!(outcome(&[soon, slow, ("time-to-teleport", "-1")]), (0, 1, 1, 0));
    assert_eq!(outcome(&[soon, slow, ("time-to-teleport.remove", "true")]), (0, 1, 1, 1));
}

#[test]
fn vehicles_at_a_gap_of_their_route_wait_as_long_as_is_said() {
    let routes = r#"<route id="r" edges="a x"/><vehicle id="v" route="r" depart="0"/>"#;
    let ignore = ("ignore-route-errors", "true");
    let outcome = |options: &[(&str, &str)]| outcome(&run(routes, options), Vaporized::Teleport);
    assert_eq!(outcome(&[ignore]), (0, 0, 0, 0));
    assert_eq!(outcome(&[ignore, ("time-to-teleport.disconnected", "20")]), (0, 1, 1, 0));
}

#[test]
fn departures_and_decelerations_follow_their_defaults() {
    let routes = r#"<vType id="t" decel="3"/><vType id="u" emergencyDecel="7"/><trip id="a" type="t" from="a" to="d" depart="10"/>
        <trip id="b" type="u" from="a" to="d" depart="10"/>"#;
    let load = |options: &[(&str, &str)]| {
        let scenario = Input { routes, options, ..Input::default() }.load().scenario.expect("a good scenario");
        let decel = |name: &str| {
            let vtype = scenario.demand.types.iter().find(|t| &*t.name == name).expect("the type");
            vtype.emergency_decel_mps2
        };
        let departures: Vec<i64> = scenario.demand.departures.iter().map(|d| d.depart_ms).collect();
        (decel("t"), decel("u"), departures)
    };
    assert_eq!(load(&[]), (9.0, 7.0, vec![10_000, 10_000]));
    assert_eq!(load(&[("default.emergencydecel", "decel")]).0, 3.0);
    assert_eq!((load(&[("default.emergencydecel", "5")]).0, load(&[("default.emergencydecel", "5")]).1), (5.0, 7.0));
    assert_eq!(load(&[("default.emergencydecel", "2")]).0, 3.0);
    let later = load(&[("random-depart-offset", "100")]).2;
    assert!(later.iter().all(|ms| (10_000..110_000).contains(ms)) && later[0] < later[1], "{later:?}");
}
