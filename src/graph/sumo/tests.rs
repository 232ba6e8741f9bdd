//! Reading a small network with everything that matters in it, and broken variants of it.

use proptest::prelude::*;

use super::{NetworkBuilder, NetworkIndex};
use crate::demand::VehicleClass;
use crate::diagnostics::{InputError, Warnings};
use crate::graph::{EdgeKind, JunctionKind, Link, Network, Permissions, ProgramKind, RightOfWay, Turn};
use crate::ids::LinkId;
use crate::xml::{Node, XmlReader};

/// A road from east to west with a branch to the north. Who turns left from the west waits inside the junction.
const JUNCTION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<net version="1.20">
    <location netOffset="10.00,20.00" convBoundary="-100.00,-1.60,100.00,100.00" origBoundary="0,0,1,1" projParameter="!"/>
    <edge id=":J_0" function="internal">
        <lane id=":J_0_0" index="0" speed="6.5" length="8.50" shape="8,1.6 3,3 1.6,8"/>
    </edge>
    <edge id=":J_1" function="internal">
        <lane id=":J_1_0" index="0" speed="13.89" length="16.00" shape="8,1.6 -8,1.6"/>
    </edge>
    <edge id=":J_2" function="internal">
        <lane id=":J_2_0" index="0" speed="8" length="7.03" shape="-8,-1.6 -1,-1"/>
    </edge>
    <edge id=":J_3" function="internal">
        <lane id=":J_3_0" index="0" speed="8" length="9.97" shape="-1,-1 1.6,2 1.6,8"/>
    </edge>
    <edge id=":J_w0" function="walkingarea">
        <lane id=":J_w0_0" index="0" allow="pedestrian" speed="2.78" length="1" shape="0,0 1,1 2,2"/>
    </edge>
    <edge id="e_in" from="E" to="J" priority="3">
        <lane id="e_in_0" index="0" disallow="tram ship" speed="13.89" length="92.00" width="3.5" shape="100,1.6,7 8,1.6,7">
            <param key="origId" value="1"/>
        </lane>
    </edge>
    <edge id="n_out" from="J" to="N">
        <lane id="n_out_0" index="0" allow="bus bicycle" speed="13.89" length="92.00" shape="1.6,8 1.6,100"/>
        <lane id="n_out_1" index="1" changeRight="bus" speed="13.89" length="92.00" shape="-1.6,8 -1.6,100"/>
    </edge>
    <edge id="w_in" from="W" to="J">
        <lane id="w_in_0" index="0" speed="13.89" length="92.00" shape="-100,-1.6 -8,-1.6"/>
    </edge>
    <edge id="w_out" from="J" to="W">
        <lane id="w_out_0" index="0" speed="13.89" length="92.00" shape="-8,1.6 -100,1.6"/>
    </edge>
    <tlLogic id="lights" type="static" programID="0" offset="-3">
        <phase duration="31" state="GGg"/>
        <phase duration="4.5" state="yyy"/>
    </tlLogic>
    <junction id="E" type="dead_end" x="100" y="0" incLanes="" intLanes="" shape="0,0"/>
    <junction id="J" type="traffic_light" x="0" y="0" incLanes="e_in_0 w_in_0" intLanes=":J_0_0 :J_1_0 :J_3_0" shape="0,0">
        <request index="0" response="000" foes="100" cont="0"/>
        <request index="1" response="000" foes="100" cont="0"/>
        <request index="2" response="011" foes="011" cont="1"/>
    </junction>
    <junction id="N" type="dead_end" x="0" y="100" incLanes="n_out_0 n_out_1" intLanes="" shape="0,0"/>
    <junction id="W" type="dead_end" x="-100" y="0" incLanes="w_out_0" intLanes="" shape="0,0"/>
    <junction id=":J_3_0" type="internal" x="-1" y="-1" incLanes=":J_2_0 e_in_0" intLanes=":J_0_0 :J_1_0"/>
    <connection from="w_in" to="n_out" fromLane="0" toLane="0" via=":J_2_0" tl="lights" linkIndex="2" dir="l" state="o"/>
    <connection from="e_in" to="n_out" fromLane="0" toLane="0" via=":J_0_0" tl="lights" linkIndex="0" dir="r" state="O"/>
    <connection from="e_in" to="w_out" fromLane="0" toLane="0" via=":J_1_0" tl="lights" linkIndex="1" dir="s" state="O" keepClear="0"/>
    <connection from="e_in" to=":J_w0" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from=":J_0" to="n_out" fromLane="0" toLane="0" dir="r" state="M"/>
    <connection from=":J_1" to="w_out" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from=":J_2" to="n_out" fromLane="0" toLane="0" via=":J_3_0" dir="l" state="m"/>
    <connection from=":J_3" to="n_out" fromLane="0" toLane="0" dir="l" state="M"/>
    <roundabout nodes="J" edges="w_out"/>
</net>
"#;

/// Reads a net and then, if not empty, an additional file with signal programs.
fn read(net: &str, additional: &str) -> Result<(Network, Warnings), InputError> {
    let mut warnings = Warnings::default();
    let mut builder = NetworkBuilder::new();
    builder.read_net(&mut XmlReader::new("test.net.xml", net.as_bytes()), &mut warnings)?;
    let mut xml = XmlReader::new("test.add.xml", additional.as_bytes());
    while !additional.is_empty()
        && let Some(node) = xml.next()?
    {
        let Node::Start(element) = node else { continue };
        match element.name.as_str() {
            "tlLogic" => builder.read_tl_logic(&mut xml, &element, &mut warnings)?,
            "WAUT" => builder.read_waut(&mut xml, &element, &mut warnings)?,
            "wautJunction" => builder.read_waut_junction(&mut xml, &element, &mut warnings)?,
            _ => {}
        }
    }
    Ok((builder.finish(&mut warnings)?, warnings))
}

fn good() -> Network {
    let (network, warnings) = read(JUNCTION, "").expect("the net is good");
    assert!(warnings.is_empty(), "{warnings:?}");
    network
}

fn kinds(warnings: &Warnings) -> Vec<&str> {
    warnings.iter().map(|(kind, ..)| kind).collect()
}

fn link<'a>(network: &'a Network, from: &str, to: &str) -> (LinkId, &'a Link) {
    let index = NetworkIndex::new(network);
    let [from, to] = [from, to].map(|name| index.lane(name).expect("a lane"));
    let id = network.links_of(from).find(|&id| network.link(id).to == to).expect("a link");
    (id, network.link(id))
}

#[test]
fn edges_and_lanes_are_read_with_their_attributes() {
    let network = good();
    let index = NetworkIndex::new(&network);
    let edge = network.edge(index.edge("e_in").unwrap());
    assert_eq!((edge.lane_count, edge.priority, edge.length_m, edge.roundabout), (1, 3, 92.0, false));
    assert_eq!(&*network.junctions[edge.from.index()].name, "E");
    assert_eq!(network.junctions[edge.to.index()].kind, JunctionKind::TrafficLight);
    assert!(network.edge(index.edge("w_out").unwrap()).roundabout);
    assert_eq!(network.edge(index.edge(":J_w0").unwrap()).kind, EdgeKind::Pedestrian);
    let inner = network.edge(index.edge(":J_3").unwrap());
    assert_eq!((inner.kind, inner.from, inner.to), (EdgeKind::Internal, edge.to, edge.to));

    let lane = network.lane(index.lane("e_in_0").unwrap());
    assert_eq!((lane.width_m, lane.speed_mps, lane.internal), (3.5, 13.89, false));
    assert!(lane.allowed.allows(VehicleClass::Passenger) && !lane.allowed.allows(VehicleClass::Tram));
    assert_eq!(network.points[lane.shape.range()], [[100.0, 1.6], [8.0, 1.6]]);
    let bus_lane = network.lane(index.lane("n_out_0").unwrap());
    assert_eq!(bus_lane.allowed.0, VehicleClass::Bus.bit() | VehicleClass::Bicycle.bit());
    let second = network.lane(index.lane("n_out_1").unwrap());
    assert_eq!((second.index, second.change_left), (1, Permissions::ALL));
    assert_eq!(second.change_right.0, VehicleClass::Bus.bit());
    assert_eq!(network.location.net_offset, [10.0, 20.0]);
    assert_eq!(index.lane("n_out_2"), None);
    assert_eq!(index.signal("lights").map(|id| id.index()), Some(0));
    assert!(index.junction("N").is_some() && index.junction(":J_3_0").is_none());
}

#[test]
fn a_connection_is_a_chain_of_links() {
    let network = good();
    let index = NetworkIndex::new(&network);
    let (entry_id, entry) = link(&network, "w_in_0", "n_out_0");
    let (waiting_id, waiting) = link(&network, ":J_2_0", "n_out_0");
    let (_, exit) = link(&network, ":J_3_0", "n_out_0");
    assert_eq!([entry.next, waiting.next, exit.next], [":J_2_0", ":J_3_0", "n_out_0"].map(|n| index.lane(n).unwrap()));
    assert_eq!([entry.exit, waiting.exit, exit.exit], [false, false, true]);
    assert_eq!([entry.request, waiting.request, exit.request], [2, 2, u32::MAX]);
    let lengths = [entry.via_length_m, waiting.via_length_m, exit.via_length_m];
    assert!(lengths.iter().zip([17.0, 9.97, 0.0]).all(|(a, b)| (a - b).abs() < 1e-9), "{lengths:?}");
    assert!(entry.cont && entry.keep_clear && entry.is_entry(&network) && !waiting.is_entry(&network));
    assert_eq!((entry.turn, entry.right_of_way, entry.signal_index), (Turn::Left, RightOfWay::OffBlinking, 2));
    assert_eq!(network.lane(entry.next).entry, entry_id);
    assert_eq!(network.lane(waiting.next).entry, waiting_id);
    assert_eq!(network.lane(exit.next).incoming.len, 2);
    assert!(!link(&network, "e_in_0", "w_out_0").1.keep_clear);
}

#[test]
fn right_of_way_follows_the_request_matrix() {
    let network = good();
    let (left_id, left) = link(&network, "w_in_0", "n_out_0");
    let (right_id, right) = link(&network, "e_in_0", "n_out_0");
    let (straight_id, straight) = link(&network, "e_in_0", "w_out_0");
    assert_eq!([right.request, straight.request, left.request], [0, 1, 2]);
    assert_eq!(network.foe_links[left.yields_to.range()], [right_id, straight_id]);
    assert!(right.yields_to.is_empty() && straight.yields_to.is_empty());
    assert_eq!(network.foe_links[straight.foes.range()], [left_id]);
    assert_eq!([left.watched, right.watched, straight.watched], [false, true, true]);
    // Inside, it still yields to those that come from the lanes that its internal junction lists.
    let (_, waiting) = link(&network, ":J_2_0", "n_out_0");
    assert_eq!(network.foe_links[waiting.yields_to.range()], [right_id, straight_id]);
}

#[test]
fn conflicts_lie_where_centre_lines_cross_or_merge() {
    let network = good();
    let index = NetworkIndex::new(&network);
    let [right, straight, left] = [":J_0_0", ":J_1_0", ":J_3_0"].map(|name| index.lane(name).unwrap());
    let of = |lane, foe| {
        let all = &network.conflicts[network.lane(lane).conflicts.range()];
        *all.iter().find(|conflict| conflict.foe == foe).expect("a conflict")
    };
    let crossing = of(straight, left);
    assert!(!crossing.merge && !crossing.same_source && !crossing.yields && crossing.foe_yields);
    let middle = (crossing.begin_m + crossing.end_m) / 2.0;
    assert!((middle - 6.747).abs() < 0.01, "{middle}");
    let mirrored = of(left, straight);
    assert_eq!(
        [mirrored.begin_m, mirrored.end_m, mirrored.foe_begin_m, mirrored.foe_end_m],
        [crossing.foe_begin_m, crossing.foe_end_m, crossing.begin_m, crossing.end_m]
    );
    assert!(mirrored.yields && !mirrored.foe_yields);
    let merge = of(left, right);
    assert!(merge.merge && merge.end_m == network.lane(left).length_m);
    assert!((3.0..7.0).contains(&merge.begin_m), "{merge:?}");
    let parting = of(right, straight);
    assert!(parting.same_source && parting.begin_m == 0.0 && parting.end_m > 2.0, "{parting:?}");
    // The first part of the left turn ends before all others.
    assert!(network.lane(index.lane(":J_2_0").unwrap()).conflicts.is_empty());
}

#[test]
fn signals_keep_programs_and_the_lanes_of_their_links() {
    let network = good();
    let index = NetworkIndex::new(&network);
    let signal = &network.signals[0];
    assert_eq!(signal.lanes[..], ["e_in_0", "e_in_0", "w_in_0"].map(|name| index.lane(name).unwrap()));
    assert_eq!((signal.programs.len(), signal.initial, signal.programs[0].offset_ms), (1, 0, -3000));
    assert_eq!(signal.programs[0].phases[1].duration_ms, 4500);
}

#[test]
fn the_program_loaded_last_is_shown_first() {
    let more = r#"<additional>
        <tlLogic id="lights" type="actuated" programID="day" offset="begin">
            <param key="max-gap" value="2.5"/>
            <phase duration="20" minDur="5" maxDur="50" state="GGG" next="1 0"/><phase duration="3" state="rrr"/>
        </tlLogic>
        <tlLogic id="lights" programID="0" offset="7"/>
    </additional>"#;
    let (network, _) = read(JUNCTION, more).unwrap();
    let signal = &network.signals[0];
    assert_eq!(signal.initial, 1);
    let day = &signal.programs[1];
    assert_eq!((day.kind, day.offset_ms, day.actuation.max_gap_s), (ProgramKind::Actuated, 0, 2.5));
    assert_eq!((day.phases[0].min_duration_ms, day.phases[0].max_duration_ms), (5000, 50_000));
    assert_eq!(day.phases[0].next[..], [1, 0]);
    assert_eq!(signal.programs[0].offset_ms, 7000);
}

#[test]
fn a_waut_switches_programs_by_the_clock() {
    let plan = r#"<additional>
        <WAUT refTime="100" id="plan" startProg="0">
            <wautSwitch time="1:00:00" to="off"/><wautSwitch time="50" to="0"/>
        </WAUT>
        <wautJunction wautID="plan" junctionID="lights"/>
    </additional>"#;
    let (network, _) = read(JUNCTION, plan).unwrap();
    let signal = &network.signals[0];
    let switches: Vec<_> = signal.switches.iter().map(|switch| (switch.time_ms, switch.program)).collect();
    assert_eq!((signal.initial, switches), (0, vec![(150_000, 0), (3_700_000, 1)]));
    assert_eq!(signal.programs[1].kind, ProgramKind::Off);

    let unknown = plan.replace("to=\"off\"", "to=\"night\"");
    let error = read(JUNCTION, &unknown).unwrap_err().to_string();
    assert!(error.contains("test.add.xml:5: wautJunction 'lights'") && error.contains("'night'"), "{error}");
}

#[test]
fn a_net_without_internal_lanes_has_only_entries() {
    let mut net = JUNCTION.to_owned();
    while let Some(start) = net.find("    <edge id=\":J_") {
        let end = start + net[start..].find("</edge>").unwrap() + "</edge>\n".len();
        net.replace_range(start..end, "");
    }
    let mut net: String = net
        .lines()
        .filter(|l| !l.contains("from=\":J") && !l.contains("id=\":J_3_0\"") && !l.contains("to=\":J_w0\""))
        .flat_map(|l| [l, "\n"])
        .collect();
    for via in [" via=\":J_0_0\"", " via=\":J_1_0\"", " via=\":J_2_0\"", ":J_0_0 :J_1_0 :J_3_0"] {
        net = net.replace(via, "");
    }
    let (network, _) = read(&net, "").unwrap();
    assert_eq!((network.links.len(), network.conflicts.len()), (3, 0));
    let (_, left) = link(&network, "w_in_0", "n_out_0");
    assert_eq!((left.next, left.request, left.yields_to.len, left.exit), (left.to, 2, 2, false));
}

#[test]
fn what_is_not_simulated_is_warned_of_once_per_kind() {
    let net = JUNCTION
        .replace("<net ", "<net lefthand=\"true\" ")
        .replace("<param key=\"origId\" value=\"1\"/>", "<stopOffset value=\"2\"/>")
        .replace("disallow=\"tram ship\"", "disallow=\"lightrail\"")
        .replace("type=\"static\"", "type=\"NEMA\"")
        .replace("length=\"8.50\"", "length=\"0\"")
        .replace("<roundabout", "<mystery/><mystery/><roundabout");
    let (network, warnings) = read(&net, "").unwrap();
    assert_eq!(
        kinds(&warnings),
        [
            "element 'mystery' in a net",
            "element 'stopOffset' of a road",
            "lane without length",
            "left-hand traffic is not simulated",
            "signal type 'NEMA' is not simulated",
            "vehicle class 'lightrail' is deprecated",
        ]
    );
    assert_eq!(warnings.iter().next().map(|(.., count)| count), Some(2));
    assert!(network.lefthand);
}

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
