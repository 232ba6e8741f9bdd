//! Random edits of any network.

use tessds::graph::edit::{Edit, LaneLook, NewConnection, NewEdge, NewJunction, NewPhase, NewProgram};
use tessds::graph::{EdgeKind, JunctionKind, Network, Permissions, ProgramKind};
use tessds::ids::EdgeId;

use crate::common::demand::Random;

pub fn roads(network: &Network) -> Vec<EdgeId> {
    let ids = (0..network.edges.len()).map(EdgeId::new);
    ids.filter(|edge| network.edge(*edge).kind == EdgeKind::Normal).collect()
}

fn look(random: &mut Random) -> LaneLook {
    LaneLook {
        speed_mps: (random.below(2) == 0).then(|| 1.0 + random.below(30) as f64),
        width_m: (random.below(4) == 0).then_some(3.0),
        allowed: (random.below(6) == 0).then_some(Permissions([0, u64::MAX, 1 << 7][random.below(3)])),
    }
}

/// One edit that may be possible or not.
pub fn random_edit(network: &Network, number: usize, random: &mut Random) -> Edit {
    let roads = roads(network);
    let road = |random: &mut Random| network.edge(*random.pick(&roads)).name.to_string();
    let junction = |random: &mut Random| network.junctions[random.below(network.junctions.len())].name.to_string();
    let lane = |random: &mut Random| {
        let edge = network.edge(*random.pick(&roads));
        format!("{}_{}", edge.name, random.below(edge.lane_count as usize))
    };
    match random.below(20) {
        0 => {
            let at = &network.junctions[random.below(network.junctions.len())];
            let (x, y) = (at.x + random.below(400) as f64 - 200.0, at.y + random.below(400) as f64 - 200.0);
            let kinds = [
                JunctionKind::Priority,
                JunctionKind::RightBeforeLeft,
                JunctionKind::AllwayStop,
                JunctionKind::Zipper,
                JunctionKind::Unregulated,
            ];
            Edit::AddJunction(NewJunction { id: format!("j{number}"), x, y, kind: *random.pick(&kinds) })
        }
        1..=4 => new_edge(&format!("e{number}"), &junction(random), &junction(random), 1 + random.below(3) as u32),
        5..=6 => Edit::RemoveEdge { edge: road(random) },
        7..=8 => Edit::ChangeEdge {
            edge: road(random),
            priority: Some(random.below(10) as i32 - 1),
            lanes: (random.below(2) == 0).then(|| 1 + random.below(4) as u32),
            look: look(random),
        },
        9..=10 => {
            let index = (random.below(2) == 0).then(|| random.below(3) as u32);
            Edit::AddLane { edge: road(random), index, look: look(random), connect: random.below(4) > 0 }
        }
        11..=12 => Edit::RemoveLane { lane: lane(random) },
        13 => Edit::ChangeLane { lane: lane(random), look: look(random) },
        14..=16 => {
            let from = *random.pick(&roads);
            let end = network.edge(from).to;
            let next: Vec<EdgeId> = roads.iter().copied().filter(|edge| network.edge(*edge).from == end).collect();
            let to = if next.is_empty() { road(random) } else { network.edge(*random.pick(&next)).name.to_string() };
            let from_lane = (random.below(2) == 0).then(|| random.below(3) as u32);
            let plain = NewConnection::new(network.edge(from).name.to_string(), to);
            Edit::AddConnection(Box::new(NewConnection { from_lane, ..plain }))
        }
        17..=18 => {
            let entries: Vec<_> = network.links.iter().filter(|link| link.is_entry(network)).collect();
            let Some(link) = (!entries.is_empty()).then(|| random.pick(&entries)) else {
                return Edit::RemoveEdge { edge: road(random) };
            };
            let name = |lane| network.edge_of(lane).name.to_string();
            let (from, to) = (name(link.from), name(link.to));
            let from_lane = (random.below(2) == 0).then(|| network.lane(link.from).index);
            Edit::RemoveConnection { from, to, from_lane, to_lane: None }
        }
        _ => {
            let Some(signal) = network.signals.get(random.below(network.signals.len())) else {
                return Edit::ChangeLane { lane: lane(random), look: look(random) };
            };
            let letters = ['G', 'g', 'r', 'y', 's', 'o'];
            let phase = |random: &mut Random| NewPhase {
                duration_ms: 3000 + random.below(30) as i64 * 1000,
                min_duration_ms: None,
                max_duration_ms: None,
                state: (0..signal.lanes.len().max(1)).map(|_| *random.pick(&letters)).collect(),
            };
            let phases = (0..1 + random.below(4)).map(|_| phase(random)).collect();
            let (signal, program) = (signal.name.to_string(), format!("p{}", random.below(2)));
            Edit::SetProgram(Box::new(NewProgram { signal, program, kind: ProgramKind::Static, offset_ms: 0, phases }))
        }
    }
}

pub fn new_edge(id: &str, from: &str, to: &str, lanes: u32) -> Edit {
    Edit::AddEdge(Box::new(NewEdge { lanes, ..NewEdge::new(id, from, to) }))
}
