//! Vehicles, types, routes, flows and stops as they are expanded at load.

use super::{Input, departures, good, good_with, route};
use tessds::demand::{CarFollowing, DepartLane, DepartPos, DepartSpeed, RouteOrigin, VehicleClass};
use tessds::scenario::Scenario;

#[test]
fn vehicles_depart_in_order_of_time_and_of_the_file() {
    let routes = r#"<route id="r" edges="a b d"/>
        <vehicle id="late" route="r" depart="00:00:30"/>
        <vehicle id="first" route="r" depart="5"/>
        <vehicle id="second" route="r" depart="5" departLane="best" departPos="random_free" departSpeed="max"/>
        <vehicle id="own" depart="5.5"><route edges="a b d"/></vehicle>"#;
    let sorted = Input { routes, ..Input::default() }.load();
    assert!(
        sorted.warnings[0].starts_with("route file is not sorted by departure time [r.rou.xml:4: vehicle 'first']")
    );
    assert_eq!(departures(&sorted.scenario.expect("good input")), ["late@30"], "as in SUMO");
    let scenario = good_with(Input { routes, options: &[("route-steps", "0")], ..Input::default() });
    assert_eq!(departures(&scenario), ["first@5", "second@5", "own@5.5", "late@30"]);
    let second = &scenario.demand.departures[1];
    assert_eq!(second.depart_lane, DepartLane::Best);
    assert_eq!((second.depart_pos, second.depart_speed), (DepartPos::RandomFree, DepartSpeed::Max));
    assert_eq!(scenario.demand.routes.len(), 1, "equal sequences of edges share one route");
    assert!(scenario.demand.departures.iter().all(|d| d.route_origin == RouteOrigin::Given && !d.has_rerouting_device));
}

#[test]
fn what_a_vehicle_does_not_say_is_as_in_sumo_or_as_the_options_say() {
    let routes = r#"<trip id="v" from="a" to="d" depart="0"/>"#;
    let rules = |options: &[(&str, &str)]| {
        let scenario = good_with(Input { routes, options, ..Input::default() });
        let departure = &scenario.demand.departures[0];
        (departure.depart_lane, departure.depart_pos, departure.depart_speed)
    };
    assert_eq!(rules(&[]), (DepartLane::BestProb, DepartPos::Base, DepartSpeed::Avg));
    let options = [("default.departlane", "first"), ("default.departspeed", "0")];
    assert_eq!(rules(&options), (DepartLane::First, DepartPos::Base, DepartSpeed::Given(0.0)));
}

#[test]
fn types_take_the_defaults_of_their_class_and_their_own_attributes() {
    let scenario = good(
        r#"<vType id="car" sigma="0" tau="1.5" length="4.3" decel="6" speedFactor="1.2"/>
        <vType id="bus" vClass="bus" accel="1"/>
        <vType id="idm" carFollowModel="IDM" delta="5" speedFactor="normc(1.1,0.2,0.8,1.4)" speedDev="0.05"/>"#,
    );
    let get = |name: &str| scenario.demand.types.iter().find(|t| &*t.name == name).expect("defined");
    let car = get("car");
    assert_eq!((car.sigma, car.tau_s, car.length_m, car.min_gap_m), (0.0, 1.5, 4.3, 2.5));
    assert_eq!((car.decel_mps2, car.apparent_decel_mps2, car.emergency_decel_mps2), (6.0, 6.0, 9.0));
    assert_eq!((car.speed_factor.mean, car.speed_factor.deviation), (1.2, 0.1), "a plain number keeps the deviation");
    let bus = get("bus");
    assert_eq!(
        (bus.class, bus.length_m, bus.accel_mps2, bus.speed_factor.deviation),
        (VehicleClass::Bus, 12.0, 1.0, 0.0)
    );
    let idm = get("idm");
    assert!(matches!(idm.model, CarFollowing::Idm(idm) if idm.delta == 5.0 && idm.stepping_s == 0.25));
    let factor = idm.speed_factor;
    assert_eq!((factor.mean, factor.deviation, factor.min, factor.max), (1.1, 0.05, 0.8, 1.4));
}

#[test]
fn speed_factors_have_the_distribution_of_the_type_and_stay_in_its_bounds() {
    let routes = r#"<vType id="t" speedFactor="normc(1.1,0.2,0.9,1.4)"/><vType id="bus" vClass="bus"/><route id="r" edges="a"/>
        <flow id="f" type="t" route="r" begin="0" number="5000" period="1"/>
        <vehicle id="bus" type="bus" route="r" depart="0"/><vehicle id="own" type="bus" route="r" depart="0" speedFactor="0.7"/>"#;
    let scenario = good(routes);
    let of = |prefix: &str| -> Vec<f64> {
        let named = scenario.demand.departures.iter().filter(|d| d.name.starts_with(prefix));
        named.map(|d| f64::from(d.speed_factor)).collect()
    };
    let factors = of("f.");
    assert!(factors.iter().all(|f| (0.9..=1.4).contains(f)));
    // Mean of the normal distribution truncated one deviation below and one and a half above its mean.
    let mean = factors.iter().sum::<f64>() / factors.len() as f64;
    assert!((mean - 1.1304).abs() < 0.006, "{mean}");
    assert_eq!((of("bus"), of("own")), (vec![1.0], vec![f64::from(0.7f32)]));

    let with_deviation = good_with(Input { routes, options: &[("default.speeddev", "0.3")], ..Input::default() });
    let bus = with_deviation.demand.departures.iter().find(|d| &*d.name == "bus").expect("the bus");
    assert_ne!(bus.speed_factor, 1.0, "default.speeddev replaces the deviation of the class");
}

#[test]
fn a_vehicle_keeps_its_draws_when_others_are_added_and_loses_them_with_the_seed() {
    let base = r#"<route id="r" edges="a"/><vehicle id="v" route="r" depart="9"/>"#;
    let factor =
        |scenario: &Scenario| scenario.demand.departures.iter().find(|d| &*d.name == "v").expect("v").speed_factor;
    let alone = factor(&good(base));
    assert_eq!(alone, factor(&good(&format!("{base}<vehicle id=\"u\" route=\"r\" depart=\"1\"/>"))));
    assert_ne!(alone, factor(&good_with(Input { routes: base, options: &[("seed", "7")], ..Input::default() })));
}

#[test]
fn distributions_of_types_and_routes_are_drawn_by_their_weights() {
    let scenario = good(
        r#"<vTypeDistribution id="mix">
            <vType id="often" probability=".75"/><vType id="seldom" probability=".25"/>
        </vTypeDistribution>
        <vTypeDistribution id="listed" vTypes="often seldom" probabilities="0 1"/>
        <route id="right" edges="a b d"/><route id="left" edges="a c n"/>
        <routeDistribution id="both" routes="right left" probabilities="1 3"/>
        <flow id="f" type="mix" route="both" begin="0" end="4000" period="1"/>
        <flow id="g" type="listed" begin="0" number="3" period="1"><routeDistribution>
            <route edges="x" probability="0"/><route refId="left" probability="2"/></routeDistribution></flow>"#,
    );
    let demand = &scenario.demand;
    let share = |part: &dyn Fn(usize) -> bool| {
        let of_f: Vec<usize> =
            (0..demand.departures.len()).filter(|&n| demand.departures[n].name.starts_with("f.")).collect();
        assert_eq!(of_f.len(), 4000);
        of_f.iter().filter(|&&n| part(n)).count()
    };
    let type_name = |n: usize| &*demand.types[demand.departures[n].vtype.index()].name;
    assert!((2900..3100).contains(&share(&|n| type_name(n) == "often")));
    assert!((2900..3100).contains(&share(&|n| route(&scenario, n) == "a c n")));
    for n in (0..demand.departures.len()).filter(|&n| demand.departures[n].name.starts_with("g.")) {
        assert_eq!((type_name(n), route(&scenario, n)), ("seldom", "a c n".to_owned()));
    }
}

/// The times are those of SUMO 1.28 for the same flows.
#[test]
fn flows_depart_when_those_of_sumo_do() {
    let check = |flow: &str, options: &[(&str, &str)], expected: &str| {
        let routes = format!("<route id=\"r\" edges=\"a b\"/><flow id=\"f\" route=\"r\" {flow}/>");
        let scenario = good_with(Input { routes: &routes, options, ..Input::default() });
        assert_eq!(departures(&scenario).join(" "), expected, "{flow}");
    };
    let from_10 = [("begin", "10")];
    check(r#"begin="0" period="5" end="20""#, &from_10, "f.0@10 f.1@15");
    check(r#"begin="0" end="30" number="4""#, &from_10, "f.0@15 f.1@22.5");
    check(r#"period="5" number="3""#, &from_10, "f.0@10 f.1@15 f.2@20");
    check(r#"vehsPerHour="700" begin="10" end="30""#, &from_10, "f.0@10 f.1@15.143 f.2@20.286 f.3@25.429");
    check(r#"begin="0" number="3""#, &[], "f.0@0 f.1@28800 f.2@57600");
    check(r#"begin="0" period="5" end="20""#, &[("scale", "0.5")], "f.0@0 f.1@10");
    check(
        r#"begin="0" period="5" end="20""#,
        &[("scale", "1.5")],
        "f.0@0 f.1@3.333 f.2@6.666 f.3@9.999 f.4@13.332 f.5@16.665",
    );
    check(r#"begin="0" period="3.333" end="9.999""#, &[], "f.0@0 f.1@3.333 f.2@6.666");
    check(r#"begin="0" period="5" end="20""#, &[("scale", "1.3")], "f.0@0 f.1@3.846 f.2@7.692 f.3@11.538 f.4@15.384");
    check(r#"begin="0" period="5" end="20""#, &[("end", "9")], "f.0@0 f.1@5");
    check(r#"begin="0" period="5" end="20""#, &[("scale", "0")], "");
}

#[test]
fn random_flows_have_their_rate_and_change_with_the_seed() {
    let count = |flow: &str, seed: &str| {
        let routes =
            format!("<route id=\"r\" edges=\"a b\"/><flow id=\"f\" route=\"r\" begin=\"0\" end=\"10000\" {flow}/>");
        let scenario = good_with(Input { routes: &routes, options: &[("seed", seed)], ..Input::default() });
        departures(&scenario)
    };
    for flow in [r#"probability="0.3""#, r#"period="exp(0.3)""#] {
        let one = count(flow, "1");
        assert!((2800..3200).contains(&one.len()), "{flow}: {}", one.len());
        assert_eq!(one, count(flow, "1"));
        assert_ne!(one, count(flow, "2"));
    }
}

#[test]
fn listed_vehicles_are_scaled_by_copies_with_a_suffix() {
    let routes = r#"<route id="r" edges="a"/><vehicle id="u" route="r" depart="0"/><vehicle id="v" route="r" depart="1"/>
        <vehicle id="w" route="r" depart="2"/>"#;
    let scaled =
        |factor: &str| departures(&good_with(Input { routes, options: &[("scale", factor)], ..Input::default() }));
    assert_eq!(scaled("0.5"), ["u@0", "w@2"]);
    assert_eq!(scaled("1.5"), ["u@0", "u.1@0", "v@1", "w@2", "w.1@2"]);
    assert_eq!(scaled("0"), [""; 0]);
}

#[test]
fn trips_take_the_fastest_route_that_their_class_may_use() {
    let scenario = good(
        r#"<vType id="bus" vClass="bus"/>
        <trip id="straight" from="a" to="d" depart="0"/>
        <trip id="via" from="a" via="n" to="d" depart="1"/>
        <trip id="bus" type="bus" from="a" to="busway" depart="2"/>
        <trip id="stay" from="a" to="a" depart="3"/>
        <flow id="f" from="a" to="n" begin="4" period="1" number="2"/>"#,
    );
    let routes: Vec<String> = (0..6).map(|n| route(&scenario, n)).collect();
    assert_eq!(routes, ["a b d", "a c n d", "a b d busway", "a", "a c n", "a c n"]);
    assert!(scenario.demand.departures.iter().all(|d| d.route_origin == RouteOrigin::Found && d.has_rerouting_device));
}

const PLACES: &str = r#"<busStop id="on_b" lane="b_1" startPos="10" endPos="30"/>
    <busStop id="whole_d" lane="d_0"/>
    <parkingArea id="park" lane="d_0" startPos="-50" endPos="-20"/>"#;

fn stops(scenario: &Scenario, n: usize) -> Vec<String> {
    let demand = &scenario.demand;
    let describe = |stop: &tessds::demand::Stop| {
        let lane = scenario.network.lane_name(stop.lane);
        let (duration, until) = (stop.duration_ms.unwrap_or(-1), stop.until_ms.unwrap_or(-1));
        let parking = if stop.parking { " parking" } else { "" };
        format!("{}:{lane} {:.1}-{:.1} {duration}/{until}{parking}", stop.route_index, stop.start_m, stop.end_m)
    };
    demand.stops[demand.departures[n].stops.range()].iter().map(describe).collect()
}

#[test]
fn stops_are_found_on_the_route_in_order() {
    let scenario = good_with(Input {
        additional: PLACES,
        routes: r#"<route id="r" edges="a b d"><stop busStop="on_b" duration="20"/></route>
        <vehicle id="v" route="r" depart="0">
            <stop lane="b_1" endPos="100" until="60"/>
            <stop parkingArea="park" duration="1"/>
            <stop busStop="whole_d" duration="5" until="90"/>
        </vehicle>
        <trip id="t" from="a" to="d" depart="1"><stop lane="n_0" startPos="-30" endPos="-10" duration="3"/></trip>"#,
        ..Input::default()
    });
    assert_eq!(
        stops(&scenario, 0),
        [
            "1:b_1 10.0-30.0 20000/-1",
            "1:b_1 99.8-100.0 -1/60000",
            "2:d_0 148.3-178.3 1000/-1 parking",
            "2:d_0 0.0-198.3 5000/90000",
        ]
    );
    assert_eq!(route(&scenario, 1), "a c n d", "a trip goes to its stops");
    assert_eq!(stops(&scenario, 1), ["2:n_0 236.4-256.4 3000/-1"]);
}

#[test]
fn until_moves_with_the_vehicles_of_a_flow() {
    let scenario = good(
        r#"<flow id="f" begin="0" period="100" number="2"><route edges="a b d"/><stop lane="b_1" until="50"/></flow>"#,
    );
    assert_eq!(stops(&scenario, 0), ["1:b_1 186.4-186.6 -1/50000"]);
    assert_eq!(stops(&scenario, 1), ["1:b_1 186.4-186.6 -1/150000"]);
}

#[test]
fn a_run_whose_end_is_its_begin_does_one_step() {
    let end = |begin: &str, end: &str| {
        let routes = r#"<trip id="v" from="a" to="d" depart="7"/>"#;
        let scenario = good_with(Input { routes, options: &[("begin", begin), ("end", end)], ..Input::default() });
        (scenario.settings.end_ms, departures(&scenario))
    };
    assert_eq!(end("7", "7"), (Some(8000), vec!["v@7".to_owned()]));
    assert_eq!(end("7", "9"), (Some(9000), vec!["v@7".to_owned()]));
}

#[test]
fn until_counts_from_the_departure_where_a_route_holds_the_stop() {
    let scenario = good(
        r#"<route id="r" edges="a b d"><stop lane="b_1" until="50"/></route><vehicle id="v" route="r" depart="7"/>
        <vehicle id="w" depart="8"><route edges="a b d"/><stop lane="b_1" until="50"/></vehicle>
        <flow id="f" begin="20" period="100" number="2" route="r"/>"#,
    );
    let until = |n: usize| scenario.demand.stops[scenario.demand.departures[n].stops.range()][0].until_ms;
    assert_eq!([0, 1, 2, 3].map(until), [57_000, 50_000, 70_000, 170_000].map(Some));
}
