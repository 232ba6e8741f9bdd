//! Timed commands that a seed decides, most of which can be carried out.

use serde_json::{Value, json};
use tessds::control::command::ClientRequest;
use tessds::control::timed::{parse, timed_line};
use tessds::graph::edit::{Edit, EditedNetwork};
use tessds::graph::{EdgeKind, Network};
use tessds::ids::EdgeId;
use tessds::scenario::CompiledScenario;

use crate::common::demand::{Random, walk};

/// What is to be done at which steps, as a file of timed commands.
pub struct Commands {
    pub text: String,
    pub count: usize,
    pub edits: usize,
}

impl Commands {
    pub fn of(scenario: &CompiledScenario, steps: u64, random: &mut Random) -> Self {
        let mut network = (*scenario.network).clone();
        let count = 1 + random.below(8);
        let mut at: Vec<u64> = (0..count).map(|_| random.next() % steps).collect();
        at.sort_unstable();
        for i in 1..count {
            if random.below(5) == 0 {
                at[i] = at[i - 1];
            }
        }
        let mut left = random.below(3);
        let (mut text, mut edits) = (String::new(), 0);
        for (number, step) in at.into_iter().enumerate() {
            let is_last = number + 1 == count;
            let command = if left > 0 && (is_last || random.below(count) < 2) {
                left -= 1;
                edits += 1;
                edit(&mut network, number, random)
            } else if is_last && random.below(8) == 0 {
                message("simulation", json!({"action": "stop"}))
            } else {
                order(&network, scenario.demand.departures.len(), number, random)
            };
            text.push_str(&timed_line(step, &command.to_string()));
            text.push('\n');
        }
        Self { text, count, edits }
    }

    /// One edit, which takes a road out.
    pub fn closing_an_edge_for_good(scenario: &CompiledScenario, step: u64) -> Self {
        let network = &scenario.network;
        let edge = &network.edge(roads(network)[0]).name;
        let command = message("edit", json!({"action": "removeEdge", "edge": edge}));
        Self { text: timed_line(step, &command.to_string()), count: 1, edits: 1 }
    }
}

fn message(subject: &str, object: Value) -> Value {
    json!({"type1": "up", "type2": subject, "param": [object]})
}

fn roads(network: &Network) -> Vec<EdgeId> {
    let ids = (0..network.edges.len()).map(EdgeId::new);
    ids.filter(|edge| network.edge(*edge).kind == EdgeKind::Normal).collect()
}

/// No faster than the roads of the networks.
fn mps(random: &mut Random) -> f64 {
    (1.0 + random.below(150) as f64 / 10.0).min(13.8)
}

/// Something that is done to the network as it is.
fn order(network: &Network, vehicles: usize, number: usize, random: &mut Random) -> Value {
    let roads = roads(network);
    let road = *random.pick(&roads);
    let edge = &network.edge(road).name;
    let lane = format!("{edge}_{}", random.below(network.edge(road).lane_count as usize));
    let place =
        |random: &mut Random| if random.below(3) == 0 { ("lane", lane.clone()) } else { ("edge", edge.to_string()) };
    let vehicle = format!("v{}", random.below(vehicles));
    match random.below(13) {
        0..=2 => {
            let (kind, name) = place(random);
            message("edge", json!({"action": "close", kind: name}))
        }
        3 => {
            let (kind, name) = place(random);
            message("edge", json!({"action": "open", kind: name}))
        }
        4..=5 => {
            let (kind, name) = place(random);
            message("edge", json!({"action": "speed", kind: name, "speed": mps(random)}))
        }
        6..=7 => {
            let (length, vtype) = (2 + random.below(10), *random.pick(&["car", "idm", "eager"]));
            let way = walk(network, road, length, random);
            let edges: Vec<&str> = way.iter().map(|edge| &*network.edge(*edge).name).collect();
            let id = format!("added{number}");
            message("vehicle", json!({"action": "add", "vehicle": id, "type": vtype, "edges": edges}))
        }
        8 => message("vehicle", json!({"action": "remove", "vehicle": vehicle})),
        9 => message("vehicle", json!({"action": "speed", "vehicle": vehicle, "speed": mps(random)})),
        10 => {
            let duration = 1 + random.below(90);
            message("incident", json!({"action": "block", "lane": lane, "from": 5, "to": 10, "duration": duration}))
        }
        11 => message("incident", json!({"action": "clear", "lane": lane})),
        _ => message("snapshot", json!({"action": "take"})),
    }
}

/// An edit, after which the network is another one; now and then one that cannot be made.
fn edit(network: &mut Network, number: usize, random: &mut Random) -> Value {
    let is_good = random.below(40) > 0;
    loop {
        let command = any_edit(network, number, random);
        let mut edited = EditedNetwork::new(network);
        let is_possible = edited.apply(&read(&command)).is_ok();
        if is_possible {
            *network = edited.network;
        }
        if is_possible || !is_good {
            return command;
        }
    }
}

fn read(command: &Value) -> Vec<Edit> {
    let mut commands = parse("edit", &timed_line(0, &command.to_string())).expect("a command");
    match commands.remove(0).command {
        ClientRequest::Edit(edits) => edits,
        other => panic!("not an edit: {other:?}"),
    }
}

fn any_edit(network: &Network, number: usize, random: &mut Random) -> Value {
    let roads = roads(network);
    let road = *random.pick(&roads);
    let edge = &network.edge(road).name;
    let index = random.below(network.edge(road).lane_count as usize);
    let lane = format!("{edge}_{index}");
    let next: Vec<EdgeId> =
        roads.iter().copied().filter(|next| network.edge(*next).from == network.edge(road).to).collect();
    let to = &network.edge(*random.pick(if next.is_empty() { &roads } else { &next })).name;
    let object = match random.below(12) {
        0..=2 => json!({"action": "removeEdge", "edge": edge}),
        3 => json!({"action": "addLane", "edge": edge}),
        4 => json!({"action": "addLane", "edge": edge, "index": index}),
        5 => json!({"action": "removeLane", "lane": lane}),
        6 => json!({"action": "changeEdge", "edge": edge, "speed": mps(random), "lanes": 1 + random.below(3)}),
        7 => json!({"action": "changeLane", "lane": lane, "speed": mps(random)}),
        8 => json!({"action": "removeConnection", "from": edge, "to": to}),
        9 => json!({"action": "addConnection", "from": edge, "to": to}),
        _ => {
            let other = *random.pick(&roads);
            let ends = [network.edge(road).to, network.edge(other).from];
            let [from, to] = ends.map(|junction| network.junctions[junction.index()].name.to_string());
            let lanes = 1 + random.below(2);
            json!({"action": "addEdge", "id": format!("new{number}"), "from": from, "to": to, "lanes": lanes, "speed": mps(random)})
        }
    };
    message("edit", object)
}
