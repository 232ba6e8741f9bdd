//! Networks that contradict themselves.

use super::{Input, NET, error, warning};

/// The small network with one text replaced by another.
fn changed(from: &str, to: &str) -> Input<'static> {
    assert!(NET.contains(from), "{from}");
    Input::net(NET.replacen(from, to, 1))
}

#[test]
fn numbers_that_make_no_sense_are_errors() {
    error(&changed("length=\"196.00\"", "length=\"-196\""), &["n.net.xml:", "lane 'a_0'", "length"]);
    error(&changed("length=\"196.00\"", "length=\"NaN\""), &["n.net.xml:", "lane 'a_0'", "length"]);
    error(&changed("speed=\"13.89\" length=\"196.00\"", "speed=\"NaN\" length=\"196\""), &["lane 'a_0'", "speed"]);
    error(&changed("speed=\"13.89\" length=\"196.00\"", "speed=\"-3\" length=\"196\""), &["lane 'a_0'", "speed"]);
    error(&changed("lane id=\"b_1\" index=\"1\"", "lane id=\"b_1\" index=\"7\""), &["n.net.xml:", "lane 'b_1'"]);
}

#[test]
fn ids_that_exist_already_are_errors() {
    let again =
        r#"<edge id="x" from="P" to="Q"><lane id="x_0" index="0" speed="9" length="9" shape="0,0 9,0"/></edge>"#;
    let twice = changed("<junction id=\"E\"", &format!("{again}<junction id=\"E\""));
    error(&twice, &["n.net.xml:", "edge 'x'", "already"]);
    error(&changed("<lane id=\"b_1\"", "<lane id=\"b_0\""), &["n.net.xml:", "lane 'b_0'"]);
    error(&changed("<junction id=\"F\"", "<junction id=\"E\""), &["n.net.xml:", "junction 'E'"]);
}

#[test]
fn names_of_what_is_missing_are_errors() {
    error(&changed("from=\"W\" to=\"J\"", "from=\"W\" to=\"Z\""), &["n.net.xml:23: edge", "the junction 'Z'"]);
    error(&changed("from=\"a\" to=\"c\"", "from=\"a\" to=\"zz\""), &["n.net.xml:", "connection", "'zz'"]);
    error(&changed("via=\":J_2_0\"", "via=\":J_9_0\""), &["n.net.xml:", "connection", "':J_9_0'"]);
    error(&changed("fromLane=\"1\" toLane=\"0\" via=\":E_0_0\"", "fromLane=\"9\" toLane=\"0\""), &["connection"]);
    error(&changed("incLanes=\"b_0 b_1 n_0\"", "incLanes=\"b_0 b_9 n_0\""), &["junction 'E'", "'b_9'"]);
    error(&changed("response=\"10\" foes=\"10\"", "response=\"1x\" foes=\"10\""), &["n.net.xml:", "request"]);
}

#[test]
fn signals_that_contradict_themselves_are_errors() {
    let additional = |program: &str| {
        let text = format!("<additional>\n<tlLogic id=\"s\" programID=\"0\">{program}</tlLogic></additional>");
        Input::net(NET).options("-a DIR/a.add.xml").with("a.add.xml", text)
    };
    error(&additional("<phase duration=\"-5\" state=\"G\"/>"), &["a.add.xml:2: phase", "duration"]);
    error(&additional("<phase duration=\"NaN\" state=\"G\"/>"), &["a.add.xml:2: phase", "duration"]);
    error(&additional("<phase duration=\"5\" state=\"?\"/>"), &["a.add.xml:2: phase", "'?'"]);
}

#[test]
fn odd_lanes_are_warnings() {
    warning(&changed("length=\"196.00\"", "length=\"0\""), &["n.net.xml:", "lane without length"]);
}
