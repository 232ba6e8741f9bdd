//! Demand that cannot be driven, and demand that is only odd.

use super::{Input, error, run, warning};

const ROUTE: &str = r#"<route id="r" edges="a b d"/>"#;

#[test]
fn routes_that_cannot_be_driven_are_errors() {
    error(
        &Input::routes(r#"<vehicle id="v" depart="0"><route edges="a nowhere"/></vehicle>"#),
        &["r.rou.xml:2: route of vehicle 'v': edge 'nowhere' is not in the network"],
    );
    error(
        &Input::routes("<vehicle id=\"v\" depart=\"0\">\n<route edges=\"a d\"/></vehicle>"),
        &["r.rou.xml:2: vehicle 'v': no connection from edge 'a' to edge 'd'", "ignore-route-errors"],
    );
    error(
        &Input::routes(r#"<trip id="t" from="a" to="x" depart="0"/>"#),
        &["r.rou.xml:2: trip 't': no route from edge 'a' to edge 'x' for vClass 'passenger'"],
    );
    let long = format!("<route id=\"r\" edges=\"{}\"/>", "a ".repeat(70_000));
    error(&Input::routes(long), &["r.rou.xml:2: route 'r': the route has 70000 edges, at most 65535 are supported"]);
}

#[test]
fn numbers_that_make_no_sense_are_errors() {
    let vtype = |attribute: &str| Input::routes(format!("<vType id=\"t\" {attribute}/>"));
    error(
        &vtype("length=\"-5\""),
        &["r.rou.xml:2: vType 't': attribute length=\"-5\" has to be a number greater than 0"],
    );
    error(
        &vtype("maxSpeed=\"NaN\""),
        &["r.rou.xml:2: vType 't': attribute maxSpeed=\"NaN\" has to be a finite number"],
    );
    error(&vtype("accel=\"inf\""), &["accel=\"inf\" has to be a finite number"]);
    let vehicle = |attributes: &str| Input::routes(format!("{ROUTE}<vehicle id=\"v\" route=\"r\" {attributes}/>"));
    error(&vehicle("depart=\"NaN\""), &["r.rou.xml:2: vehicle 'v': attribute depart=\"NaN\" has to be a time"]);
    error(&vehicle("depart=\"-1\""), &["depart=\"-1\" has to be a time that is not negative"]);
    error(
        &vehicle("depart=\"1700000000\"").instead_of("--end 300", ""),
        &["r.rou.xml:2: vehicle 'v': departs at 1700000000 s, the latest possible time is 2061083 s"],
    );
}

#[test]
fn ids_that_exist_already_are_errors() {
    let vehicle = "<vehicle id=\"v\" route=\"r\" depart=\"0\"/>";
    error(
        &Input::routes(format!("{ROUTE}{vehicle}\n{vehicle}")),
        &["r.rou.xml:3: vehicle 'v': a vehicle with the id 'v' exists already"],
    );
    error(&Input::routes(format!("{ROUTE}\n{ROUTE}")), &["r.rou.xml:3: route 'r'", "exists already"]);
    error(&Input::routes("<vType id=\"t\"/>\n<vType id=\"t\"/>"), &["r.rou.xml:3: vType 't'", "exists already"]);
}

#[test]
fn more_types_than_vehicles_can_name_are_an_error() {
    let types: String = (0..70_000).map(|n| format!("<vType id=\"t{n}\"/>\n")).collect();
    error(&Input::routes(types), &["r.rou.xml:65532: vType 't65530': more than 65536 vehicle types"]);
}

#[test]
fn odd_demand_is_a_warning_and_the_run_goes_on() {
    warning(&Input::routes(""), &["no vehicle departs during the simulated time"]);
    warning(
        &Input::routes(format!("{ROUTE}<vehicle id=\"late\" route=\"r\" depart=\"300\"/>")),
        &["departs at or after the end", "the vehicle is left out", "r.rou.xml:2: vehicle 'late'"],
    );
    warning(
        &Input::routes(
            "<vType id=\"long\" length=\"250\"/>\n<trip id=\"v\" type=\"long\" from=\"a\" to=\"d\" depart=\"0\"/>",
        ),
        &["longer than the edge on which it departs", "its 250 m reach back", "r.rou.xml:3: trip 'v'"],
    );
    warning(
        &Input::routes("\n<person id=\"p\" depart=\"0\"><walk edges=\"a b\"/></person>"),
        &["'person' is not supported", "r.rou.xml:3: person 'p'"],
    );
    let vehicle = |attribute: &str| {
        Input::routes(format!("{ROUTE}<vehicle id=\"v\" route=\"r\" depart=\"0\" {attribute}=\"0\"/>"))
    };
    warning(&vehicle("arrivalLane"), &["arrivalLane is not supported", "r.rou.xml:2: vehicle 'v'"]);
    warning(&vehicle("arrivalSpeed"), &["arrivalSpeed is not supported", "r.rou.xml:2: vehicle 'v'"]);
}

#[test]
fn vehicles_with_bad_routes_are_left_out_when_route_errors_are_ignored() {
    let routes = format!(
        "{ROUTE}<vehicle id=\"u\" depart=\"0\"><route edges=\"a nowhere\"/></vehicle>
        <vehicle id=\"v\" depart=\"0\"><route edges=\"a d\"/></vehicle>
        <trip id=\"w\" from=\"a\" to=\"x\" depart=\"0\"/>
        <vehicle id=\"good\" route=\"r\" depart=\"0\"/>"
    );
    error(&Input::routes(&routes), &["r.rou.xml:2: route of vehicle 'u'"]);
    let forgiven = Input::routes(&routes).options("--ignore-route-errors --time-to-teleport 20");
    warning(&forgiven, &["vehicle without a usable route", "edge 'nowhere'", "times=2", "r.rou.xml:2"]);
    warning(&forgiven, &["route with a gap", "no connection from edge 'a' to edge 'd'", "r.rou.xml:3"]);
    let report = run(&forgiven).report;
    assert!(report.contains("\"loaded\": 2") && report.contains("\"arrived\": 2"), "{report}");
}
