//! Files that are missing, broken, or not what they should be.

use super::{Input, NET, error};

#[test]
fn missing_files_are_named() {
    error(&Input::new("-c DIR/none.sumocfg"), &["none.sumocfg: file not found"]);
    error(&Input::new("-n DIR/none.net.xml"), &["none.net.xml: file not found"]);
    error(&Input::net(NET).instead_of("r.rou.xml", "none.rou.xml"), &["none.rou.xml: file not found"]);
    error(&Input::routes("").options("-a DIR/none.add.xml"), &["none.add.xml: file not found"]);
    let configuration = "<configuration>\n<net-file value=\"none.net.xml\"/></configuration>";
    error(&Input::new("-c DIR/a.sumocfg").with("a.sumocfg", configuration), &["none.net.xml: file not found"]);
    error(&Input::new("-n DIR"), &["is a directory, not a file"]);
    error(&Input::new("-r DIR/r.rou.xml"), &["no road network given; set net-file"]);
}

#[test]
fn outputs_that_cannot_be_written_are_named_before_the_run() {
    let input = Input::net(NET).options("--tripinfo-output DIR/none/trips.xml");
    error(&input, &["none/trips.xml: cannot create the output file", "create the folder"]);
    let input = Input::net(NET).options("--statistic-output DIR");
    error(&input, &["cannot create the output file"]);
}

#[test]
fn broken_xml_is_an_error_with_its_line() {
    error(&Input::routes("<vehicle id=\"v\">\n</flow>"), &["r.rou.xml:3", "not well-formed XML"]);
    error(&Input::routes("<vehicle id=\"v\" depart=\"0\">"), &["r.rou.xml:2", "not well-formed XML"]);
    error(&Input::routes("<vehicle id=\"v\" id=\"w\"/>"), &["r.rou.xml:2: vehicle: bad attribute"]);
    let half = NET.find("<edge id=\"c\"").expect("the edge");
    error(&Input::net(&NET[..half]), &["n.net.xml:33: the file ends inside an element; is it cut off?"]);
    error(&Input::net(&NET[..half + 10]), &["n.net.xml:33: not well-formed XML"]);
    error(&Input::net(""), &["n.net.xml", "no XML element in the file"]);
    error(&Input::net("once upon a time"), &["n.net.xml", "no XML element in the file"]);
    error(&Input::net(b"<net>\xff\xfe\x00</net>".as_slice()), &["n.net.xml"]);
    error(&Input::net(b"\x1f\x8b\x08\x00 not gzip".as_slice()), &["n.net.xml"]);
    let configuration = Input::new("-c DIR/a.sumocfg").with("a.sumocfg", "<configuration>\n<input>");
    error(&configuration, &["a.sumocfg:2: the file ends inside an element; is it cut off?"]);
}

#[test]
fn files_in_the_place_of_others_are_errors() {
    error(&Input::net("<routes/>"), &["n.net.xml:1", "net"]);
    error(&Input::net(NET).instead_of("r.rou.xml", "n.net.xml"), &["n.net.xml:2: net", "this is a network"]);
    error(&Input::new("-c DIR/n.net.xml").with("n.net.xml", NET), &["n.net.xml:2: net", "not the root"]);
}

#[test]
fn files_that_include_themselves_are_errors_at_the_include() {
    let include = |name: &str| format!("<additional>\n<include href=\"{name}\"/></additional>");
    let input = Input::net(NET).options("-a DIR/a.add.xml");
    let cycle = input.with("a.add.xml", include("b.add.xml")).with("b.add.xml", include("a.add.xml"));
    error(&cycle, &["b.add.xml:2: include: 'a.add.xml' includes itself"]);
}

#[test]
fn options_are_checked() {
    let configuration = "<configuration>\n<begin value=\"NaN\"/></configuration>";
    error(
        &Input::new("-c DIR/a.sumocfg").with("a.sumocfg", configuration),
        &["a.sumocfg:2: begin: option begin: 'NaN' has to be a time"],
    );
    let wrong = |options: &str, expected: &str| error(&Input::net(NET).options(options), &[expected]);
    wrong("--begin 400", "the end (300 s) is before the begin (400 s)");
    wrong("--step-length 0", "option step-length: '0' has to be a time of at least 0.001 s");
    wrong("--scale -1", "option scale: '-1' has to be a number that is not negative");
    wrong("--no-such-option 1", "unknown option --no-such-option");
    wrong("--config DIR/n.net.xml", "n.net.xml: bad setting");
    wrong("--partitions 4000", "partitions");
}
