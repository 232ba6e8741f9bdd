//! Reading a small network with everything that matters in it, and broken variants of it.

mod bad_input;

use super::{NetworkBuilder, NetworkIndex};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::VehicleClass;
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
            "type" => builder.read_type(&mut xml, &element, &mut warnings)?,
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
            "element 'mystery' is not known",
            "element 'stopOffset' in lane is not supported",
            "lane without length",
            "signal type 'NEMA' is not simulated",
            "vehicle class 'lightrail' is deprecated",
        ]
    );
    assert_eq!(warnings.iter().next().map(|(.., count)| count), Some(2));
    assert!(network.lefthand);
}

#[test]
fn a_negative_link_index_leaves_a_connection_without_signal() {
    let net = JUNCTION.replace("tl=\"lights\" linkIndex=\"2\"", "tl=\"lights\" linkIndex=\"-1\"");
    let (network, _) = read(&net, "").unwrap();
    let (_, free) = link(&network, "w_in_0", "n_out_0");
    assert!(free.signal.is_none());
    let (_, held) = link(&network, "e_in_0", "n_out_0");
    assert!(held.signal.is_some());
}

#[test]
fn types_limit_the_speed_of_single_classes() {
    let net = JUNCTION.replace("<edge id=\"e_in\"", "<edge id=\"e_in\" type=\"road\"").replace(
        "<edge id=\"w_in\"",
        "<type id=\"fast\"><restriction vClass=\"bus\" speed=\"20\"/></type><edge id=\"w_in\" type=\"fast\"",
    );
    let road =
        "<additional><type id=\"road\" speed=\"30\"><restriction vClass=\"truck\" speed=\"10\"/></type></additional>";
    let (network, warnings) = read(&net, road).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let index = NetworkIndex::new(&network);
    let limit = |lane: &str, class| network.limit_mps(network.lane(index.lane(lane).unwrap()), class);
    assert_eq!(limit("e_in_0", VehicleClass::Truck), 10.0);
    assert_eq!(limit("e_in_0", VehicleClass::Bus), 13.89);
    assert_eq!(limit("w_in_0", VehicleClass::Bus), 20.0, "in place of the lane's limit, also where it is higher");
    assert_eq!((limit("w_out_0", VehicleClass::Truck), network.highest_limit_mps()), (13.89, 20.0));
}

#[test]
fn a_node_of_type_internal_gives_nobody_way() {
    let net = JUNCTION.replace("id=\"J\" type=\"traffic_light\"", "id=\"J\" type=\"internal\"");
    let (network, warnings) = read(&net, "").unwrap();
    assert_eq!(kinds(&warnings), ["node of type 'internal'"]);
    assert!(network.links.iter().all(|link| link.yields_to.is_empty()));
}
