//! Input that SUMO 1.28 takes. What it makes of each was found by experiment.

use super::{Input, departures, good, good_with, route};
use tessds::demand::RouteOrigin;
use tessds::scenario::Scenario;

/// Speed factor, and the first stop, of the only vehicle.
fn only(scenario: &Scenario) -> &tessds::demand::Departure {
    assert_eq!(scenario.demand.departures.len(), 1);
    &scenario.demand.departures[0]
}

#[test]
fn types_have_the_ranges_of_sumo() {
    for attributes in [
        "lcCooperative=\"5\"",
        "lcSpeedGain=\"-1\"",
        "lcKeepRight=\"-1\"",
        "lcAssertive=\"0\"",
        "impatience=\"5\"",
        "jmTimegapMinor=\"-1\"",
        "speedFactor=\"0\" speedDev=\"0\"",
        "speedFactor=\"normc(1,0.1,0.2)\"",
        "speedFactor=\"norm(1)\"",
        "speedFactor=\"normc(1,-0.1)\"",
        "carFollowModel=\"IDM\" delta=\"-1\"",
    ] {
        good(&format!("<vType id=\"t\" {attributes}/><trip id=\"v\" type=\"t\" from=\"a\" to=\"d\" depart=\"0\"/>"));
    }
    let exact = |factor: &str| {
        let routes = format!(
            "<vType id=\"t\" speedDev=\"0\" speedFactor=\"{factor}\"/><trip id=\"v\" type=\"t\" from=\"a\" to=\"d\" depart=\"0\"/>"
        );
        only(&good(&routes)).speed_factor
    };
    assert_eq!((exact("0.1"), exact("3"), exact("normc(1,0,1.5,2)")), (0.1, 3.0, 1.0), "no bound without deviation");
    assert_eq!(exact("0"), 0.001, "stands still");
}

#[test]
fn built_in_types_can_be_distributions_and_distributions_hold_others() {
    let scenario = good(
        r#"<vType id="x" length="3"/><vTypeDistribution id="inner" vTypes="x"/>
        <vTypeDistribution id="DEFAULT_VEHTYPE"><vType refId="inner" probability="0.3"/></vTypeDistribution>
        <route id="r" edges="a b d"/><routeDistribution id="q" routes="r"/>
        <routeDistribution id="p"><route refId="q" probability="0.5"/></routeDistribution>
        <vehicle id="v" route="p" depart="0"/>"#,
    );
    assert_eq!(scenario.demand.types[only(&scenario).vtype.index()].length_m, 3.0);
    assert_eq!(route(&scenario, 0), "a b d");
}

#[test]
fn nested_car_following_is_read_as_attributes() {
    let scenario = good(r#"<vType id="t" tau="2"><carFollowing-IDM accel="1" tau="3"/></vType>"#);
    let vtype = scenario.demand.types.iter().find(|t| &*t.name == "t").expect("defined");
    assert_eq!((vtype.accel_mps2, vtype.tau_s), (1.0, 2.0));
    assert!(matches!(vtype.model, tessds::demand::CarFollowing::Idm(_)));
}

#[test]
fn flows_without_time_or_end_depart() {
    let of = |attributes: &str| departures(&good(&format!("<flow id=\"f\" from=\"a \" to=\" d\" {attributes}/>")));
    assert_eq!(of("begin=\"10\" end=\"10\" number=\"3\""), ["f.0@10", "f.1@10", "f.2@10"]);
    assert_eq!(of("begin=\"3\" probability=\"1\" number=\"2\""), ["f.0@3", "f.1@4"]);
    assert_eq!(of("begin=\"10\" end=\"10\" vehsPerHour=\"100\""), [""; 0]);
    let interval = r#"<interval begin="3" end="8"><flow id="f" from="a" to="d" period="2"/></interval>"#;
    assert_eq!(departures(&good(interval)), ["f.0@3", "f.1@5", "f.2@7"]);
}

#[test]
fn trips_may_lack_an_end_or_be_given_by_stops() {
    let of = |trip: &str| {
        let scenario = good(&format!("<trip id=\"v\" depart=\"0\" {trip}</trip>"));
        (route(&scenario, 0), only(&scenario).stops.len)
    };
    let stop = |lane: &str| format!("<stop lane=\"{lane}\" endPos=\"50\" duration=\"5\"/>");
    assert_eq!(of("from=\"a\">"), ("a".to_owned(), 0));
    assert_eq!(of("to=\"d\">"), ("d".to_owned(), 0));
    assert_eq!(of(&format!(">{}{}", stop("a_0"), stop("d_0"))), ("a b d".to_owned(), 2));
    assert_eq!(of(&format!("from=\"a\">{}", stop("b_1"))), ("a b".to_owned(), 1));
    assert_eq!(of("via=\"b d\">"), ("b d".to_owned(), 0));
}

#[test]
fn districts_and_junctions_stand_for_their_edges() {
    let additional = r#"<taz id="s"><tazSource id="a" weight="1"/><tazSource id="n" weight="9"/></taz>
        <taz id="e" edges="d x"/>"#;
    let of = |routes: &str| {
        let options = &[("junction-taz", "true")];
        route(&good_with(Input { additional, routes, options }), 0)
    };
    assert_eq!(of(r#"<trip id="v" fromTaz="s" toTaz="e" depart="0"/>"#), "a b d");
    assert_eq!(of(r#"<flow id="f" from="a" toTaz="e" begin="0" end="9" number="1"/>"#), "a b d");
    assert_eq!(of(r#"<trip id="v" fromJunction="W" toJunction="F" depart="0"/>"#), "a b d");
}

#[test]
fn routes_are_repeated_and_cut() {
    let scenario = good(
        r#"<route id="r" edges="a b d"/><vehicle id="v" route="r" depart="0" departEdge="1" arrivalEdge="1"/>
        <vehicle id="w" route="r" depart="1" departEdge="2" arrivalEdge="0"/>"#,
    );
    assert_eq!((route(&scenario, 0), route(&scenario, 1)), ("b".to_owned(), "d".to_owned()));
    let repeated = Input {
        routes: r#"<route id="r" edges="a b" repeat="1"/><vehicle id="v" route="r" depart="0"/>"#,
        ..Input::default()
    };
    let error = repeated.load().scenario.map(|_| ()).expect_err("b does not lead to a");
    assert!(error.contains("no connection from edge 'b' to edge 'a'"), "{error}");
}

#[test]
fn stops_go_where_their_index_says() {
    let of = |stops: &str| {
        let scenario = good(&format!("<vehicle id=\"v\" depart=\"0\"><route edges=\"a b d\"/>{stops}</vehicle>"));
        let stops = &scenario.demand.stops[only(&scenario).stops.range()];
        stops.iter().map(|stop| scenario.network.lane_name(stop.lane)).collect::<Vec<_>>().join(" ")
    };
    let stop = |lane: &str, index: &str| format!("<stop lane=\"{lane}\" endPos=\"50\" duration=\"5\" {index}/>");
    let (a, d) = (stop("a_0", ""), stop("d_0", ""));
    assert_eq!(of(&format!("{a}{d}{}", stop("b_1", "index=\"1\""))), "a_0 b_1 d_0");
    assert_eq!(of(&format!("{a}{d}{}", stop("b_1", "index=\"fit\""))), "a_0 b_1 d_0");
    assert_eq!(of(&format!("{d}{}", stop("a_0", "index=\"0\""))), "a_0 d_0");
    assert_eq!(of(&format!("{a}{}", stop("d_0", "index=\"9\""))), "a_0 d_0");
    assert_eq!(of(&stop("a_0", "onDemand=\"true\"")), "", "nobody asks for it");
}

#[test]
fn an_id_is_free_again_when_its_vehicle_may_have_arrived() {
    let vehicles = |second: u32| {
        format!(
            "<route id=\"r\" edges=\"a b d\"/><vehicle id=\"x\" route=\"r\" depart=\"0\"/><vehicle id=\"x\" route=\"r\" depart=\"{second}\"/>"
        )
    };
    assert_eq!(departures(&good(&vehicles(900))), ["x@0", "x@900"]);
    assert!(Input { routes: &vehicles(3), ..Input::default() }.load().scenario.is_err());
}

#[test]
fn roots_may_stand_in_one_another() {
    let additional = r#"<routes><trip id="v" from="a" to="d" depart="0"/></routes>"#;
    assert_eq!(departures(&good_with(Input { additional, ..Input::default() })), ["v@0"]);
}

#[test]
fn the_device_parameter_lets_vehicles_find_a_faster_route() {
    let of = |param: &str| {
        let scenario = good(&format!(
            "<vType id=\"t\">{param}</vType><vehicle id=\"v\" type=\"t\" depart=\"0\"><route edges=\"a c n d\"/></vehicle>"
        ));
        (route(&scenario, 0), only(&scenario).route_origin)
    };
    let (given, origin) = of("");
    assert_eq!((given.as_str(), origin), ("a c n d", RouteOrigin::Given));
    let (found, origin) = of("<param key=\"has.rerouting.device\" value=\"true\"/>");
    assert_eq!((found.as_str(), origin), ("a b d", RouteOrigin::Replaced));
    let wrong = Input {
        routes: "<vType id=\"t\"><param key=\"has.rerouting.device\" value=\"ture\"/></vType>",
        ..Input::default()
    };
    assert!(wrong.load().scenario.is_err());
}

#[test]
fn a_share_of_vehicles_has_the_device_unless_they_say_that_they_have_none() {
    let routes = r#"<vehicle id="plain" depart="0"><route edges="a c n d"/></vehicle>
        <vehicle id="stopping" depart="500"><route edges="a c n d"/><stop lane="d_0" duration="5" endPos="50"/></vehicle>
        <vehicle id="bound" depart="501"><route edges="a c n d"/><stop lane="n_0" duration="5" endPos="50"/></vehicle>
        <vehicle id="fast" depart="502"><route edges="a b d"/></vehicle>
        <vehicle id="without" depart="503"><param key="has.rerouting.device" value="false"/>
            <route edges="a c n d"/></vehicle>"#;
    let options = &[("device.rerouting.probability", "1")];
    let scenario = good_with(Input { routes, options, ..Input::default() });
    let found: Vec<_> = (scenario.demand.departures.iter().enumerate())
        .map(|(n, d)| (route(&scenario, n), d.route_origin, d.has_rerouting_device))
        .collect();
    let expected = [
        ("a b d", RouteOrigin::Replaced, true),
        ("a b d", RouteOrigin::Replaced, true),
        ("a c n d", RouteOrigin::Given, true),
        ("a b d", RouteOrigin::Given, true),
        ("a c n d", RouteOrigin::Given, false),
    ];
    assert_eq!(found, expected.map(|(edges, origin, has_device)| (edges.to_owned(), origin, has_device)));
}

#[test]
fn a_departure_speed_above_the_limit_is_driven_with_a_higher_factor() {
    let scenario =
        good(r#"<vType id="t" speedDev="0.1"/><trip id="v" type="t" from="a" to="d" depart="0" departSpeed="40"/>"#);
    let limit =
        scenario.network.lane(scenario.network.edges[scenario.demand.route_edges[0].index()].first_lane).speed_mps;
    assert!((f64::from(only(&scenario).speed_factor) - 40.0 / limit).abs() < 2e-4, "rounded up");
}
