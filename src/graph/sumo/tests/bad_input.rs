//! What is broken is an error with file, line and element.

use proptest::prelude::*;

use super::*;

/// Replaces `good` by `bad` in the net and expects an error that names a line and says `expected`.
fn check(good: &str, bad: &str, expected: &str) {
    let net = JUNCTION.replacen(good, bad, 1);
    assert!(net != JUNCTION, "the net does not hold {good}");
    match read(&net, "") {
        Ok(_) => panic!("{bad}: was accepted"),
        Err(error) => {
            assert!(error.to_string().contains(expected), "{bad}: {error}");
            assert!(error.at.line > 0 && error.at.file == "test.net.xml", "{bad}: {error}");
        }
    }
}

#[test]
fn broken_values_are_errors_with_file_and_line() {
    check("length=\"92.00\"", "length=\"-1\"", "has to be a number from 0");
    check("length=\"92.00\"", "length=\"NaN\"", "has to be a finite number");
    check("length=\"92.00\"", "length=\"1e999\"", "has to be a finite number");
    check("speed=\"13.89\"", "", "'speed' is missing");
    check("speed=\"13.89\"", "speed=\"-13\"", "has to be a number from 0");
    check("8,1.6 3,3", "8,1.6 3", "not 'x,y'");
    check("8,1.6 -8,1.6", "8,1.6", "two points");
    check("8,1.6 -8,1.6", "8,inf 1,1", "not 'x,y'");
    check("x=\"100\"", "x=\"nan\"", "has to be a finite number");
    check("netOffset=\"10.00,20.00\"", "netOffset=\"10.00\"", "2 numbers");
    check("disallow=\"tram ship\"", "disallow=\"tramship\"", "unknown vehicle class 'tramship'");
    check("dir=\"l\"", "dir=\"up\"", "dir 'up'");
    check("state=\"o\"", "state=\"?\"", "state '?'");
    check("keepClear=\"0\"", "keepClear=\"maybe\"", "'true' or 'false'");
    check("function=\"walkingarea\"", "function=\"pool\"", "function 'pool'");
    check("id=\":J_w0\"", "id=\"J\"", "':JUNCTION_INDEX'");
    check("<net version=\"1.20\">", "<routes>", "root of a network");
}

#[test]
fn broken_structure_is_an_error_with_file_and_line() {
    check("</net>", "", "cut off");
    check("</edge>", "</edgy>", "not well-formed");
    check("id=\"n_out_1\" index=\"1\"", "id=\"n_out_1\" index=\"2\"", "index 2 where 1 must follow");
    check("id=\"n_out_1\" index=\"1\"", "id=\"n_out_2\" index=\"1\"", "must have the id 'n_out_1'");
    check("<edge id=\"w_out\" from=\"J\" to=\"W\">", "<edge id=\"w_out\" from=\"J\" to=\"W\"/><edge>", "has no lanes");
    check("<edge id=\"w_out\"", "<edge id=\"\"", "attribute 'id' is empty");
    check("<edge id=\"w_out\" from=\"J\"", "<edge id=\"w_out\"", "'from' is missing");
    check("index=\"2\" response", "index=\"3\" response", "index 3 where 2 must follow");
    check("response=\"011\"", "response=\"11\"", "has 2 bits, but the junction has 3");
    check("foes=\"011\"", "foes=\"0x1\"", "row of 0 and 1");
}

#[test]
fn ids_that_are_used_twice_are_errors() {
    let edge = "<edge id=\"w_in\" from=\"W\" to=\"J\"><lane id=\"w_in_0\" index=\"0\" speed=\"1\" length=\"1\" shape=\"0,0 1,1\"/></edge>";
    check("<tlLogic", &format!("{edge}<tlLogic"), "edge 'w_in': this id was already used in line 28");
    check("<junction id=\"N\"", "<junction id=\"E\"", "junction 'E': this id was already used in line 38");
    let program = "<tlLogic id=\"lights\" programID=\"0\"><phase duration=\"1\" state=\"rrr\"/></tlLogic>";
    check("<junction id=\"E\"", &format!("{program}<junction id=\"E\""), "program '0' of this signal was already");
    check("via=\":J_1_0\"", "via=\":J_0_0\"", "is the way of two connections");
}

#[test]
fn references_to_unknown_objects_are_errors() {
    check("to=\"N\"", "to=\"M\"", "junction 'M', which the net does not define");
    check("incLanes=\"e_in_0 w_in_0\"", "incLanes=\"e_in_0 w_in_1\"", "unknown lane 'w_in_1'");
    check("incLanes=\"e_in_0 w_in_0\"", "incLanes=\"e_in_0 w_out_0\"", "'w_out_0', which leads elsewhere");
    check("from=\"w_in\" to", "from=\"win\" to", "unknown edge 'win'");
    check("fromLane=\"0\"", "fromLane=\"1\"", "edge 'w_in' has 1 lanes");
    check("via=\":J_2_0\"", "via=\":J_9_0\"", "unknown lane ':J_9_0'");
    check("via=\":J_2_0\"", "via=\"w_out_0\"", "not a lane inside a junction");
    check("tl=\"lights\" linkIndex=\"2\"", "tl=\"dark\" linkIndex=\"2\"", "signal 'dark', which has no tlLogic");
    check("edges=\"w_out\"", "edges=\"w_none\"", "unknown edge 'w_none'");
}

#[test]
fn broken_ways_through_a_junction_are_errors() {
    check(
        "<connection from=\":J_3\" to=\"n_out\" fromLane=\"0\" toLane=\"0\" dir=\"l\" state=\"M\"/>",
        "",
        "does not go on",
    );
    check("<connection from=\":J_1\" to=\"w_out\"", "<connection from=\":J_1\" to=\"n_out\"", "does not go on");
    check("from=\":J_3\" to=\"n_out\"", "from=\":J_3\" to=\":J_1\"", "must lead to a road");
    check("<request index=\"2\" response=\"011\" foes=\"011\" cont=\"1\"/>", "", "has 3 bits, but the junction has 2");
    let ring = "via=\":J_3_0\" dir=\"l\" state=\"m\"/>";
    check(ring, "via=\":J_2_0\" dir=\"l\" state=\"m\"/>", "is the way of two connections");
}

#[test]
fn broken_signal_programs_are_errors() {
    check("duration=\"31\"", "duration=\"0\"", "must be positive");
    check("duration=\"31\"", "duration=\"-5\"", "must be positive");
    check("duration=\"31\"", "duration=\"31\" minDur=\"9\" maxDur=\"8\"", "at most maxDur");
    check("state=\"GGg\"", "state=\"GGgG\"", "3 letters in phase 1");
    check("state=\"GGg\"", "state=\"GGx\"", "unknown letter 'x'");
    check("linkIndex=\"2\"", "linkIndex=\"3\"", "have 3 letters; its connections need 4");
    check("linkIndex=\"2\"", "linkIndex=\"4000000000\"", "is beyond");
    check("duration=\"31\"", "duration=\"31\" next=\"2\"", "leads to phase 2");
    check(
        "<phase duration=\"31\" state=\"GGg\"/>\n        <phase duration=\"4.5\" state=\"yyy\"/>",
        "",
        "has no phases",
    );
}

#[test]
fn no_network_at_all_is_an_error() {
    for nothing in ["", "<?xml version=\"1.0\"?>", "text", "<net", "\u{feff}"] {
        assert!(read(nothing, "").is_err(), "{nothing:?}");
    }
    assert!(NetworkBuilder::new().finish(&mut Warnings::default()).is_err());
    let mut builder = NetworkBuilder::new();
    let mut again = || builder.read_net(&mut XmlReader::new("n", JUNCTION.as_bytes()), &mut Warnings::default());
    again().unwrap();
    assert!(again().unwrap_err().to_string().contains("only one net"));
}

proptest! {
    /// Any damage ends in a network or an error, never in a panic or a hang.
    #[test]
    fn damaged_nets_never_panic(
        at in 0..JUNCTION.len(),
        length in 0usize..40,
        piece in prop_oneof![
            Just(String::new()), "[ -~]{0,12}", Just("\"0\"".to_owned()), Just("-1".to_owned()),
            Just(":J_3_0".to_owned()), Just("4294967295".to_owned()), Just("<lane/>".to_owned()),
        ],
    ) {
        let mut net = JUNCTION.to_owned();
        net.replace_range(at..(at + length).min(net.len()), &piece);
        let _ = read(&net, "");
    }

    /// The same with words of the file put in each other's places, which gets past the XML parser.
    #[test]
    fn nets_with_swapped_words_never_panic(swaps in prop::collection::vec((0usize..900, 0usize..900), 1..4)) {
        let mut words: Vec<&str> = JUNCTION.split('"').collect();
        let values = words.len() / 2;
        for (a, b) in swaps {
            words.swap(a % values * 2 + 1, b % values * 2 + 1);
        }
        let _ = read(&words.join("\""), "");
    }
}
