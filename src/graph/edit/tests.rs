use super::*;
use crate::diagnostics::Warnings;
use crate::graph::sumo::NetworkBuilder;
use crate::graph::{EdgeKind, JunctionKind, Network, Permissions, ProgramKind, RightOfWay, Turn};
use crate::ids::LaneId;
use crate::xml::XmlReader;

/// A crossing of two one-way roads with two lanes from the west and one from the south, and a signal at `S` to the east.
const NET: &str = r#"<net>
    <edge id=":C_0" function="internal">
        <lane id=":C_0_0" index="0" speed="13.9" length="10" shape="95,-5 105,-5"/>
        <lane id=":C_0_1" index="1" speed="13.9" length="10" shape="95,-2 105,-2"/>
    </edge>
    <edge id=":C_1" function="internal"><lane id=":C_1_0" index="0" speed="13.9" length="20" shape="102,-10 102,10"/></edge>
    <edge id=":S_0" function="internal"><lane id=":S_0_0" index="0" speed="13.9" length="10" shape="195,-5 205,-5"/></edge>
    <edge id="west" from="W" to="C" priority="2">
        <lane id="west_0" index="0" speed="13.9" length="95" shape="0,-5 95,-5"/>
        <lane id="west_1" index="1" speed="13.9" length="95" shape="0,-2 95,-2"/>
    </edge>
    <edge id="south" from="D" to="C" priority="1">
        <lane id="south_0" index="0" speed="13.9" length="90" shape="102,-100 102,-10"/>
    </edge>
    <edge id="east" from="C" to="S" priority="2">
        <lane id="east_0" index="0" speed="13.9" length="90" shape="105,-5 195,-5"/>
        <lane id="east_1" index="1" speed="13.9" length="90" shape="105,-2 195,-2"/>
    </edge>
    <edge id="north" from="C" to="N" priority="1">
        <lane id="north_0" index="0" speed="13.9" length="90" shape="102,10 102,100"/>
    </edge>
    <edge id="far" from="S" to="E" priority="2">
        <lane id="far_0" index="0" speed="13.9" length="90" shape="205,-5 295,-5"/>
    </edge>
    <tlLogic id="S" type="static" programID="0" offset="0">
        <phase duration="30" state="G"/><phase duration="30" state="r"/>
    </tlLogic>
    <junction id="W" type="dead_end" x="0" y="0" incLanes="" intLanes=""/>
    <junction id="D" type="dead_end" x="100" y="-100" incLanes="" intLanes=""/>
    <junction id="C" type="priority" x="100" y="0" incLanes="west_0 west_1 south_0" intLanes=":C_0_0 :C_0_1 :C_1_0">
        <request index="0" response="000" foes="100" cont="0"/>
        <request index="1" response="000" foes="100" cont="0"/>
        <request index="2" response="011" foes="011" cont="0"/>
    </junction>
    <junction id="S" type="traffic_light" x="200" y="0" incLanes="east_0 east_1" intLanes=":S_0_0">
        <request index="0" response="0" foes="0" cont="0"/>
    </junction>
    <junction id="N" type="dead_end" x="100" y="100" incLanes="north_0" intLanes=""/>
    <junction id="E" type="dead_end" x="300" y="0" incLanes="far_0" intLanes=""/>
    <connection from="west" to="east" fromLane="0" toLane="0" via=":C_0_0" dir="s" state="M"/>
    <connection from="west" to="east" fromLane="1" toLane="1" via=":C_0_1" dir="s" state="M"/>
    <connection from="south" to="north" fromLane="0" toLane="0" via=":C_1_0" dir="s" state="m"/>
    <connection from="east" to="far" fromLane="0" toLane="0" via=":S_0_0" tl="S" linkIndex="0" dir="s" state="O"/>
    <connection from=":C_0" to="east" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from=":C_0" to="east" fromLane="1" toLane="1" dir="s" state="M"/>
    <connection from=":C_1" to="north" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from=":S_0" to="far" fromLane="0" toLane="0" dir="s" state="M"/>
</net>"#;

fn net() -> Network {
    let mut builder = NetworkBuilder::new();
    let mut warnings = Warnings::default();
    builder.read_net(&mut XmlReader::new("net.xml", NET.as_bytes()), &mut warnings).expect("a good network");
    builder.finish(&mut warnings).expect("a complete network")
}

fn bytes(network: &Network) -> Vec<u8> {
    rmp_serde::to_vec(network).expect("plain data")
}

fn edited(edits: &[Edit]) -> Network {
    let mut edited = EditedNetwork::new(&net());
    edited.apply(edits).unwrap_or_else(|error| panic!("{error}"));
    edited.network
}

fn refused(edits: &[Edit], expected: &str) {
    let mut edited = EditedNetwork::new(&net());
    let error = edited.apply(edits).expect_err(expected).to_string();
    assert!(error.contains(expected), "{error}");
    assert_eq!(bytes(&edited.network), bytes(&net()), "nothing changes");
}

pub(super) fn new_edge(id: &str, from: &str, to: &str, lanes: u32) -> Edit {
    Edit::AddEdge(Box::new(NewEdge { lanes, ..NewEdge::new(id, from, to) }))
}

fn connection(from: &str, to: &str) -> NewConnection {
    NewConnection::new(from, to)
}

/// Ways as `from_lane>to_lane`, those from a lane in their order.
fn ways(network: &Network) -> Vec<String> {
    let entries = network.links.iter().filter(|link| link.is_entry(network));
    entries.map(|link| format!("{}>{}", network.lane_name(link.from), network.lane_name(link.to))).collect()
}

fn lane(network: &Network, name: &str) -> LaneId {
    crate::graph::sumo::NetworkIndex::new(network).lane(name).unwrap_or_else(|| panic!("no lane {name}"))
}

#[test]
fn no_edits_give_the_same_network() {
    assert_eq!(bytes(&edited(&[])), bytes(&net()));
}

#[test]
fn a_new_edge_is_connected_at_both_ends() {
    let network = edited(&[new_edge("new", "S", "N", 1)]);
    let ways = ways(&network);
    assert!(ways.contains(&"east_1>new_0".to_owned()), "to the left from the left lane: {ways:?}");
    assert!(!ways.iter().any(|way| way.starts_with("new")), "nothing leaves N");
    let new = network.lane(lane(&network, "new_0"));
    assert!((110.0..140.0).contains(&new.length_m), "{} m of 141 m from junction to junction", new.length_m);
    let link = network.links.iter().find(|link| link.to == lane(&network, "new_0")).expect("a way");
    assert_eq!((link.signal_index, link.turn), (0, Turn::Left), "with the movement from the same edge");
    assert_eq!(network.signals[0].lanes.len(), 1);
    let via = network.lane(link.next);
    assert!(via.internal && via.length_m > 1.0 && via.speed_mps < 13.0, "{via:?}");
    assert_eq!(&*network.edges[via.edge.index()].name, ":S_1");
}

#[test]
fn what_is_removed_keeps_its_number_and_nobody_goes_there() {
    let before = net();
    let network = edited(&[Edit::RemoveEdge { edge: "south".to_owned() }]);
    assert_eq!(network.edges.len(), before.edges.len());
    assert_eq!(ways(&network), ["west_0>east_0", "west_1>east_1", "east_0>far_0"]);
    let kinds = network.edges.iter().filter(|edge| edge.kind == EdgeKind::Removed).map(|edge| &*edge.name);
    assert_eq!(kinds.collect::<Vec<_>>(), [":C_1", "south"]);
    let is_gone = |name: &str| crate::graph::sumo::NetworkIndex::new(&network).edge(name).is_none();
    assert!(is_gone("south"));
    assert!(network.conflicts.is_empty() && network.foe_links.is_empty(), "{:?}", network.conflicts);
    // The name is free again.
    let again = edited(&[Edit::RemoveEdge { edge: "south".to_owned() }, new_edge("south", "D", "C", 2)]);
    assert!(ways(&again).contains(&"south_0>north_0".to_owned()), "{:?}", ways(&again));
}

#[test]
fn the_edge_of_lower_priority_yields_and_has_the_priority_back_when_the_other_is_gone() {
    let mut edge = match new_edge("main", "D", "C", 1) {
        Edit::AddEdge(edge) => edge,
        _ => unreachable!("an edge"),
    };
    (edge.priority, edge.connect) = (7, false);
    let mut edits = EditedNetwork::new(&net());
    edits.apply(&[Edit::AddEdge(edge), Edit::AddConnection(Box::new(connection("main", "north")))]).expect("good");
    let west = |network: &Network| {
        let link = network.links_of(lane(network, "west_1")).next().expect("a way");
        network.link(link).clone()
    };
    let link = west(&edits.network);
    assert_eq!((link.right_of_way, link.yields_to.len, link.foes.len), (RightOfWay::Minor, 1, 2));
    let main = edits.network.links_of(lane(&edits.network, "main_0")).next().expect("a way");
    let main = edits.network.link(main);
    assert_eq!((main.right_of_way, main.yields_to.len, main.watched), (RightOfWay::Major, 0, true));
    edits.apply(&[Edit::RemoveEdge { edge: "main".to_owned() }]).expect("good");
    let link = west(&edits.network);
    assert_eq!((link.right_of_way, link.yields_to.len, link.foes.len), (RightOfWay::Major, 0, 1));
}

#[test]
fn lanes_are_added_removed_and_changed() {
    let add = |edge: &str, index| Edit::AddLane {
        edge: edge.to_owned(),
        index,
        look: LaneLook { speed_mps: Some(5.0), ..LaneLook::default() },
        connect: true,
    };
    let mut edits = EditedNetwork::new(&net());
    edits.apply(&[add("south", None), add("north", Some(0))]).expect("good");
    let network = &edits.network;
    assert_eq!(network.lane(lane(network, "south_1")).speed_mps, 5.0);
    let ways_of = |name: &str| ways(network).into_iter().filter(|way| way.starts_with(name)).collect::<Vec<_>>();
    assert_eq!(ways_of("south_0"), ["south_0>north_1", "south_0>north_0"]);
    assert_eq!(ways_of("south_1"), ["south_1>north_1", "south_1>north_0"]);
    let old = net();
    assert_eq!(edits.lanes[lane(&old, "north_0").index()], lane(network, "north_1"), "it has moved to the left");
    let remove = |lane: &str| Edit::RemoveLane { lane: lane.to_owned() };
    edits.apply(&[remove("south_1"), remove("north_0")]).expect("good");
    assert_eq!(ways(&edits.network), ways(&old));
    edits.apply(&[remove("west_0")]).expect("good");
    assert_eq!(edits.lanes[lane(&old, "west_0").index()], LaneId::NONE);
    assert_eq!(edits.lanes[lane(&old, "west_1").index()], lane(&edits.network, "west_0"));
    let more = Edit::ChangeEdge {
        edge: "far".to_owned(),
        priority: Some(3),
        lanes: Some(3),
        look: LaneLook { allowed: Some(Permissions(1)), ..LaneLook::default() },
    };
    edits.apply(&[more]).expect("good");
    let far = lane(&edits.network, "far_2");
    assert_eq!((edits.network.lane(far).allowed, edits.network.edge_of(far).priority), (Permissions(1), 3));
}

#[test]
fn programs_are_added_and_replaced() {
    let phase = |state: &str| NewPhase {
        duration_ms: 5000,
        min_duration_ms: None,
        max_duration_ms: None,
        state: state.to_owned(),
    };
    let program = |name: &str, states: &[&str]| {
        let phases = states.iter().map(|state| phase(state)).collect();
        let (signal, program) = ("S".to_owned(), name.to_owned());
        Edit::SetProgram(Box::new(NewProgram { signal, program, kind: ProgramKind::Static, offset_ms: 0, phases }))
    };
    let network = edited(&[program("night", &["G", "y", "r"]), program("0", &["Gr", "rG"])]);
    let signal = &network.signals[0];
    assert_eq!((signal.programs.len(), signal.initial, signal.programs[0].phases.len()), (2, 0, 2));
    refused(&[program("0", &["Gr", "r"])], "a letter for each link index");
    refused(&[program("0", &["x"])], "not a signal state");
    refused(&[program("0", &[])], "1 to 1000 phases");
    let mut wide = connection("east", "far");
    (wide.from_lane, wide.to_lane, wide.signal) = (Some(1), Some(0), Some(("S".to_owned(), 1)));
    refused(&[Edit::AddConnection(Box::new(wide.clone()))], "no link index 1");
    // Another program has no letter for it.
    let network = edited(&[program("0", &["GG", "rr"]), Edit::AddConnection(Box::new(wide))]);
    assert_eq!(network.signals[0].lanes.len(), 2);
}

#[test]
fn bad_edits_are_refused_with_the_name_of_the_object() {
    let nowhere = Edit::RemoveEdge { edge: "nowhere".to_owned() };
    refused(std::slice::from_ref(&nowhere), "there is no edge 'nowhere'");
    refused(&[new_edge("a", "W", "N", 1), nowhere], "there is no edge 'nowhere'");
    refused(&[new_edge("west", "W", "N", 1)], "edge 'west' is there already");
    refused(&[new_edge("new", "W", "X", 1)], "there is no junction 'X'");
    refused(&[new_edge("new", "W", "N", 0)], "1 to 64 lanes");
    refused(&[new_edge("a b", "W", "N", 1)], "an id has");
    refused(&[new_edge("new", "W", "W", 1)], "give a shape");
    refused(&[Edit::AddConnection(Box::new(connection("west", "far")))], "ends at junction 'C'");
    let mut there = connection("west", "east");
    (there.from_lane, there.to_lane) = (Some(0), Some(0));
    refused(&[Edit::AddConnection(Box::new(there))], "a connection leads from lane 'west_0' to lane 'east_0' already");
    refused(&[Edit::RemoveLane { lane: "north_0".to_owned() }], "is the only lane");
    refused(&[Edit::RemoveLane { lane: "north_1".to_owned() }], "there is no lane 'north_1'");
    let junction = NewJunction { id: "far away".to_owned(), x: 0.0, y: 0.0, kind: JunctionKind::Priority };
    refused(&[Edit::AddJunction(junction)], "an id has");
    let junction = NewJunction { id: "far".to_owned(), x: f64::NAN, y: 0.0, kind: JunctionKind::Priority };
    refused(&[Edit::AddJunction(junction)], "out of range");
}

#[test]
fn new_junctions_join_new_edges() {
    let junction = |id: &str, x: f64, y: f64| {
        Edit::AddJunction(NewJunction { id: id.to_owned(), x, y, kind: JunctionKind::Priority })
    };
    let network = edited(&[
        junction("X", 200.0, 100.0),
        new_edge("a", "N", "X", 2),
        new_edge("b", "X", "E", 1),
        new_edge("c", "X", "N", 1),
        new_edge("d", "E", "X", 1),
    ]);
    let ways = ways(&network);
    for way in ["north_0>a_0", "a_0>b_0", "a_1>b_0", "far_0>d_0", "d_0>c_0"] {
        assert!(ways.contains(&way.to_owned()), "{way} is not in {ways:?}");
    }
    assert!(!ways.iter().any(|way| way.starts_with("a") && way.contains(">c")), "nobody turns round: {ways:?}");
}
