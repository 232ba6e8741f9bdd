//! Bad input: each is an error with file, line, element and what to do, or a warning; never a panic and never a silently
//! different run.

use super::Input;

/// The error of loading one route file.
fn error_of(routes: &str) -> String {
    let loaded = Input { routes, ..Input::default() }.load();
    loaded.scenario.map(|_| ()).expect_err(routes)
}

fn check(routes: &str, expected: &str) {
    assert_eq!(error_of(routes), expected);
}

#[test]
fn bad_routes_are_errors() {
    check(
        r#"<vehicle id="v" depart="0"><route edges="a nowhere"/></vehicle>"#,
        "r.rou.xml:2: route of vehicle 'v': edge 'nowhere' is not in the network",
    );
    check(
        r#"<vehicle id="v" depart="0"><route edges="a d"/></vehicle>"#,
        "r.rou.xml:2: vehicle 'v': no connection from edge 'a' to edge 'd' for vClass 'passenger'; correct the route or run \
         with ignore-route-errors",
    );
    check(
        r#"<vehicle id="v" depart="0"><route edges="d busway"/></vehicle>"#,
        "r.rou.xml:2: vehicle 'v': vClass 'passenger' may not drive on edge 'busway'; correct the route or run with \
         ignore-route-errors",
    );
    check(
        r#"<route id="r" edges=":J_0"/>"#,
        "r.rou.xml:2: route 'r': edge ':J_0' is inside of a junction; name roads only",
    );
    check(r#"<route id="r" edges=" "/>"#, "r.rou.xml:2: route 'r': the route has no edges");
    check(r#"<route id="r"/>"#, "r.rou.xml:2: route 'r': attribute 'edges' is missing");
    check(
        r#"<trip id="t" from="a" to="x" depart="0"/>"#,
        "r.rou.xml:2: trip 't': no route from edge 'a' to edge 'x' for vClass 'passenger'",
    );
    check(
        r#"<trip id="t" from="a" to="busway" depart="0"/>"#,
        "r.rou.xml:2: trip 't': no route from edge 'a' to edge 'busway' for vClass 'passenger'",
    );
    check(r#"<trip id="t" fromTaz="1" toTaz="2" depart="0"/>"#, "r.rou.xml:2: trip 't': taz '1' is not known");
    assert!(
        error_of(r#"<trip id="t" fromJunction="J" to="d" depart="0"/>"#).contains("need the option 'junction-taz'")
    );
    assert!(error_of(r#"<trip id="t" depart="0"/>"#).contains("convert them with duarouter"));
    check(r#"<vehicle id="v" depart="0"/>"#, "r.rou.xml:2: vehicle 'v': the vehicle has no route");
    check(
        r#"<vehicle id="v" depart="0" route="later"/><route id="later" edges="a"/>"#,
        "r.rou.xml:2: vehicle 'v': route 'later' is not known; define it before it is used",
    );
}

#[test]
fn bad_vehicles_and_flows_are_errors() {
    let vehicle = |attributes: &str| {
        error_of(&format!("<route id=\"r\" edges=\"a b\"/><vehicle id=\"v\" route=\"r\" {attributes}/>"))
    };
    let flow = |attributes: &str| {
        error_of(&format!("<route id=\"r\" edges=\"a b\"/><flow id=\"f\" route=\"r\" {attributes}/>"))
    };
    assert_eq!(vehicle(""), "r.rou.xml:2: vehicle 'v': attribute 'depart' is missing");
    assert!(vehicle("depart=\"-5\"").contains("depart=\"-5\" has to be a time that is not negative"));
    assert!(vehicle("depart=\"NaN\"").contains("has to be a time in seconds"));
    assert!(
        vehicle("depart=\"1\" departLane=\"middle\"")
            .contains("departLane=\"middle\" has to be a lane index or one of")
    );
    assert!(vehicle("depart=\"1\" departPos=\"inf\"").contains("departPos=\"inf\" has to be metres or"));
    assert!(vehicle("depart=\"1\" departSpeed=\"-3\"").contains("departSpeed=\"-3\" has to be m/s, not negative"));
    assert!(
        vehicle("depart=\"1\" type=\"none\"").contains("vehicle type 'none' is not known; define it before it is used")
    );
    assert!(
        vehicle("depart=\"1\" departLane=\"5\"").contains("departLane 5 of edge 'a' does not exist or is forbidden")
    );
    assert!(flow("begin=\"0\" end=\"9\"").contains("give one of period, vehsPerHour, probability, number"));
    assert!(flow("end=\"9\" period=\"0\"").contains("period=\"0\" has to be a time of at least 0.001 s"));
    assert!(flow("end=\"9\" period=\"exp(-1)\"").contains("exp(rate) with a rate above 0"));
    assert!(flow("end=\"9\" period=\"1\" probability=\"1\"").contains("give one of period, probability, not several"));
    assert!(flow("end=\"1e11\" period=\"0.001\"").contains("more than 16777216 vehicles"));
    assert!(flow("end=\"1e11\" probability=\"0.001\"").contains("lasts too long"));
    for probability in ["0", "1.5", "-0.5"] {
        let refused = flow(&format!("end=\"9\" probability=\"{probability}\""));
        assert!(refused.contains("has to be a number above 0 and at most 1"), "{refused}");
    }
    assert!(flow("end=\"9\" number=\"2\" period=\"3\"").contains("give 'end' or 'number' beside period, not both"));
    assert!(flow("begin=\"9\" end=\"3\" number=\"2\"").contains("ends before it begins"));
    assert!(vehicle("depart=\"1\" departSpeed=\"90\"").contains("departSpeed 90 is above maxSpeed"));
    assert!(vehicle("depart=\"1\" departEdge=\"2\"").contains("departEdge is 2, but the route has 2 edges"));
    assert!(
        error_of("<route id=\"r\" edges=\"a\"/><vehicle id=\"a b\" route=\"r\" depart=\"0\"/>")
            .contains("must not hold ' '")
    );
}

#[test]
fn ids_that_exist_already_are_errors() {
    let route = r#"<route id="r" edges="a"/>"#;
    let vehicle = r#"<vehicle id="v" route="r" depart="0"/>"#;
    assert_eq!(
        error_of(&format!("{route}\n{vehicle}\n{vehicle}")),
        "r.rou.xml:4: vehicle 'v': a vehicle with the id 'v' exists already"
    );
    let flow = r#"<flow id="v" route="r" begin="0" number="2" period="1"/>"#;
    assert!(
        error_of(&format!("{route}<vehicle id=\"v.1\" route=\"r\" depart=\"0\"/>{flow}")).contains("id 'v.1' exists")
    );
    assert!(error_of(&format!("{route}{route}")).contains("a route or distribution with this id exists already"));
    let vtype = r#"<vType id="t"/>"#;
    assert!(
        error_of(&format!("{vtype}{vtype}")).contains("a vehicle type or distribution with this id exists already")
    );
    let again = r#"<vType id="DEFAULT_VEHTYPE" length="4"/>"#;
    assert!(Input { routes: again, ..Input::default() }.load().scenario.is_ok(), "defaults may be defined once");
    assert!(error_of(&format!("{again}{again}")).contains("exists already"));
}

#[test]
fn bad_types_are_errors() {
    let vtype = |attributes: &str| error_of(&format!("<vType id=\"t\" {attributes}/>"));
    assert_eq!(
        vtype("length=\"-5\""),
        "r.rou.xml:2: vType 't': attribute length=\"-5\" has to be a number greater than 0"
    );
    assert!(vtype("maxSpeed=\"NaN\"").contains("maxSpeed=\"NaN\" has to be a finite number"));
    assert!(vtype("accel=\"fast\"").contains("accel=\"fast\" has to be a finite number"));
    assert!(vtype("sigma=\"2\"").contains("sigma=\"2\" has to be a number from 0 to 1"));
    assert!(vtype("tau=\"0\"").contains("tau=\"0\" has to be a number greater than 0"));
    assert!(vtype("lcAssertive=\"-1\"").contains("has to be a number at least 0"));
    assert!(vtype("carFollowModel=\"Newell\"").contains("carFollowModel 'Newell' is not known"));
    for factor in ["unif(0.8,1.2)", "norm(1", "normc(1,NaN,0,2)", "fast"] {
        assert!(vtype(&format!("speedFactor=\"{factor}\"")).contains("has to be a number, norm("), "{factor}");
    }
    assert!(vtype("speedFactor=\"normc(1,0.1,2,1)\"").contains("the least speed factor 2 is above the greatest, 1"));
    assert!(vtype("speedFactor=\"2.4\"").contains("are more than 3"), "2 is four deviations below");
    assert!(error_of("<vTypeDistribution id=\"d\"/>").contains("the distribution is empty"));
    assert!(error_of("<vTypeDistribution id=\"d\" vTypes=\"q\"/>").contains("vehicle type 'q' is not known"));
}

#[test]
fn bad_stops_are_errors() {
    let stop = |stop: &str| {
        error_of(&format!("<vehicle id=\"v\" depart=\"0\"><route edges=\"a b d\"/>\n<stop {stop}/></vehicle>"))
    };
    assert_eq!(
        stop("lane=\"c_0\" duration=\"5\""),
        "r.rou.xml:3: stop of vehicle 'v': the stop on lane 'c_0' is not ahead on the route"
    );
    assert!(stop("lane=\"d_9\" duration=\"5\"").contains("lane 'd_9' is not in the network"));
    assert!(stop("busStop=\"none\" duration=\"5\"").contains("busStop 'none' is not known"));
    assert!(stop("duration=\"5\"").contains("give lane, edge, busStop or parkingArea"));
    assert!(stop("lane=\"d_0\" endPos=\"500\" duration=\"5\"").contains("is not a place on a lane of 198.34 m"));
    let two = "lane=\"b_1\" endPos=\"100\" duration=\"5\"/><stop lane=\"b_1\" endPos=\"50\" duration=\"5\"";
    assert!(stop(two).contains("not ahead on the route"));
}

#[test]
fn bad_additional_elements_are_errors() {
    let error =
        |additional: &str| Input { additional, ..Input::default() }.load().scenario.map(|_| ()).expect_err(additional);
    assert_eq!(
        error("<busStop id=\"s\" lane=\"zz_0\"/>"),
        "a.add.xml:2: busStop 's': lane 'zz_0' is not in the network"
    );
    assert!(error("<busStop id=\"s\" lane=\"a_0\" startPos=\"9\" endPos=\"5\"/>").contains("set friendlyPos"));
    assert!(error("<busStop id=\"s\" lane=\"a_0\"/><busStop id=\"s\" lane=\"b_1\"/>").contains("exists already"));
    assert!(
        error("<inductionLoop id=\"d\" lane=\"a_0\" pos=\"999\" file=\"f\"/>").contains("is not on the lane (196 m)")
    );
    assert!(error("<inductionLoop id=\"d\" lane=\"a_0\" pos=\"9\"/>").contains("attribute 'file' is missing"));
    assert!(error("<edgeData id=\"d\" file=\"f\" edges=\"a q\"/>").contains("edge 'q' is not in the network"));
}

#[test]
fn broken_xml_is_an_error() {
    assert!(error_of("<vehicle id=\"v\"").contains("r.rou.xml:"));
    assert!(error_of("<vehicle></flow>").contains("not well-formed XML"));
    assert!(error_of(&"<x>".repeat(100)).contains("nested deeper than 64"));
    assert!(error_of("<vehicle id=\"v\" id=\"w\"/>").contains("bad attribute"));
    assert!(error_of("<vehicle id=\"&nope;\"/>").contains("attribute 'id'"));
}

#[test]
fn vehicles_with_bad_routes_are_left_out_or_teleported_when_route_errors_are_ignored() {
    let loaded = Input {
        routes: r#"<route id="broken" edges="a nowhere"/><route id="r" edges="a b"/>
        <vehicle id="u" route="broken" depart="0"/>
        <vehicle id="v" depart="0"><route edges="a d"/></vehicle>
        <trip id="w" from="a" to="x" depart="0"/>
        <vehicle id="good" route="r" depart="0"><stop lane="c_0" duration="9"/></vehicle>"#,
        options: &[("ignore-route-errors", "true")],
        ..Input::default()
    }
    .load();
    let scenario = loaded.scenario.expect("forgiven");
    assert_eq!(super::departures(&scenario), ["v@0", "good@0"]);
    assert!(scenario.demand.departures[1].stops.is_empty());
    assert_eq!(
        loaded.warnings,
        [
            "route with a gap [r.rou.xml:4: vehicle 'v']: no connection from edge 'a' to edge 'd' for vClass 'passenger'; the \
             vehicle is teleported over the gap",
            "stop that cannot be made [r.rou.xml:6: stop of vehicle 'good']: the stop on lane 'c_0' is not ahead on \
             the route; it is left out",
            "vehicle without a usable route [r.rou.xml:3: vehicle 'u']: edge 'nowhere' is not in the network; the vehicle \
             is left out, as ignore-route-errors asks for",
        ]
    );
}

#[test]
fn harmless_oddities_are_warnings() {
    let warnings_of =
        |routes: &str, options: &[(&str, &str)]| Input { routes, options, ..Input::default() }.load().warnings;
    let check = |routes: &str, options: &[(&str, &str)], expected: &str| {
        let warnings = warnings_of(routes, options);
        assert!(warnings.iter().any(|w| w.contains(expected)), "{expected}: {warnings:#?}");
    };
    let route = r#"<route id="r" edges="a b"/><vehicle id="g" route="r" depart="20"/>"#;
    check("", &[], "no vehicles []: no vehicle departs during the simulated time");
    check(
        &format!("{route}<vehicle id=\"v\" route=\"r\" depart=\"100\"/>"),
        &[("end", "100")],
        "vehicle departs at or after the end [r.rou.xml:2: vehicle 'v']: the vehicle is left out",
    );
    check(
        &format!("{route}<vehicle id=\"v\" route=\"r\" depart=\"3\"/>"),
        &[("begin", "10"), ("route-steps", "0")],
        "vehicle departs before the begin [r.rou.xml:2: vehicle 'v']: the vehicle is left out",
    );
    check(
        r#"<vType id="long" length="300"/><trip id="v" type="long" from="a" to="d" depart="0"/>"#,
        &[],
        "vehicle is longer than the edge on which it departs [r.rou.xml:2: trip 'v']: its 300 m reach back",
    );
    check(
        r#"<vType id="t" decel="6" emergencyDecel="5"/>"#,
        &[],
        "emergencyDecel is lower than decel [r.rou.xml:2: vType 't']: decel (6) is used as emergencyDecel",
    );
    check(r#"<vType id="t" carFollowModel="Wiedemann"/>"#, &[], "'Wiedemann' is not supported");
    check(r#"<vType id="t" laneChangeModel="SL2015"/>"#, &[], "laneChangeModel 'SL2015' is not supported");
    check(r#"<vType id="t" actionStepLength="2"/>"#, &[], "attribute 'actionStepLength' of vType is not supported");
    check(&format!("{route}<vehicle id=\"v\" route=\"r\" depart=\"0\" colour=\"red\"/>"), &[], "'colour' of vehicle");
    check(
        r#"<vehicle id="v" depart="0"><route edges="a b"/><stop lane="b_1" triggered="true"/></vehicle>"#,
        &[],
        "a stop waits for persons or containers, which are not simulated",
    );
    let with = |attributes: &str| format!("<trip id=\"v\" from=\"a\" to=\"d\" depart=\"0\" {attributes}/>");
    check(
        &with("departPos=\"500\""),
        &[],
        "departPos is not on the edge [r.rou.xml:2: trip 'v']: the vehicle departs at the end",
    );
    check(&with("departSpeed=\"40\""), &[], "departSpeed is too high for the edge");
    check(
        r#"<vType id="t" vClass="ufo"/>"#,
        &[],
        "vehicle class 'ufo' is not known [r.rou.xml:2: vType 't']: read as 'passenger'",
    );
    check(
        r#"<vType id="t"/><vTypeDistribution id="d" vTypes="t" probabilities="1 2"/>"#,
        &[],
        "probabilities of another number than members [r.rou.xml:2: vTypeDistribution 'd']: 1 vTypes but 2 probabilities",
    );
    check(&with("arrivalLane=\"3\""), &[], "arrivalLane does not exist or is forbidden");
    check(&with("arrivalPos=\"-500\""), &[], "arrivalPos is not on the edge");
    assert_eq!(warnings_of(route, &[]), [""; 0], "good input gives no warning");
}
