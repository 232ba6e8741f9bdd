//! What a partition owns, computes and knows. A partition mirrors the roads around its own and runs the same code on
//! them, so nothing has to be handed over at a cut: a vehicle that drives out of the mirror into an own lane is computed
//! there, and the neighbour computes its leaving.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::graph::Network;
use crate::ids::{EdgeId, LaneId, SignalId};

use super::lane_plan::Horizon;
use super::world::World;

/// The roads of one partition, in three nested sets.
#[derive(Clone, Debug)]
pub struct Scope {
    pub part: u16,
    /// By lane: owned by this partition.
    pub owned: Vec<bool>,
    /// By lane: its vehicles are moved here (owned, and near enough that the owned ones read their new places).
    pub is_moved: Vec<bool>,
    pub own_lanes: Vec<LaneId>,
    pub moved_lanes: Vec<LaneId>,
    /// Every lane whose state must be here at the start of a step.
    pub known_lanes: Vec<LaneId>,
    pub own_edges: Vec<EdgeId>,
    /// Lanes of which it has to be known how much of them is taken, ascending: vehicles on own roads may choose between them.
    pub counted_lanes: Vec<LaneId>,
    /// Edges whose transfers (teleports, parking) are needed.
    pub known_edges: Vec<EdgeId>,
}

impl Scope {
    /// The scope of `part` under the assignment of edges to parts.
    pub fn new(world: &World, part: u16, part_of_edge: &[u16]) -> Self {
        let network = &world.network;
        let distance = distances(network, |e| part_of_edge[e.index()] == part);
        // Moved: what lane changes and insertions on own roads read after the move, and whoever drives into that.
        let moved_within = world.reach_m.max(world.scan_m) + 2.0 * world.stride_m;
        // Known: what the moves above read, and the foes at their junctions.
        let known_within = moved_within + world.reach_m + world.announce_m + world.stride_m;
        let edges_within = |metres: f64| {
            (0..network.edges.len()).map(EdgeId::new).filter(|e| distance[e.index()] <= metres).collect::<Vec<_>>()
        };
        let lanes_of = |edges: &[EdgeId]| edges.iter().flat_map(|e| network.edge(*e).lanes()).collect::<Vec<_>>();
        let own_edges = edges_within(-1.0);
        let moved_lanes = lanes_of(&edges_within(moved_within));
        let known_edges = edges_within(known_within);
        let mut owned = vec![false; network.lanes.len()];
        let mut is_moved = vec![false; network.lanes.len()];
        let own_lanes = lanes_of(&own_edges);
        own_lanes.iter().for_each(|l| owned[l.index()] = true);
        moved_lanes.iter().for_each(|l| is_moved[l.index()] = true);
        let known_lanes = lanes_of(&known_edges);
        let counted_lanes = lanes_of(&edges_ahead(world, &own_edges));
        Self { part, owned, is_moved, own_lanes, moved_lanes, known_lanes, counted_lanes, own_edges, known_edges }
    }
}

impl Scope {
    /// Whether the state of a lane is here at the start of a step.
    pub fn knows(&self, network: &Network, lane: LaneId) -> bool {
        self.known_edges.binary_search(&network.lane(lane).edge).is_ok()
    }

    /// Whether a known lane leads to a signal.
    pub fn sees_signal(&self, network: &Network, signal: SignalId) -> bool {
        network.signal(signal).lanes.iter().any(|lane| lane.is_some() && self.knows(network, *lane))
    }

    /// A signal belongs to who owns the first lane before it.
    pub fn owns_signal(&self, network: &Network, signal: SignalId) -> bool {
        let lanes = &network.signal(signal).lanes;
        lanes.iter().find(|l| l.is_some()).is_some_and(|l| self.owned[l.index()])
    }
}

/// The edges that are compared ahead of any of `own` with several lanes ([`Horizon`]), and maybe some more; ascending.
fn edges_ahead(world: &World, own: &[EdgeId]) -> Vec<EdgeId> {
    let network = &world.network;
    let brake_m = world.brake_m.iter().copied().fold(0.0, f64::max);
    // Fewest edges and fewest metres between an edge and an own one. Both are smaller on the way that is looked along.
    let mut steps = vec![usize::MAX; network.edges.len()];
    let mut metres = vec![f64::INFINITY; network.edges.len()];
    let mut queue: VecDeque<EdgeId> = own.iter().copied().filter(|edge| network.edge(*edge).lane_count > 1).collect();
    queue.iter().for_each(|edge| (steps[edge.index()], metres[edge.index()]) = (0, 0.0));
    while let Some(edge) = queue.pop_front() {
        let here = network.edge(edge);
        let (is_road, from) = (!here.is_internal(), edge.index());
        let is_start = steps[from] == 0;
        let beyond =
            (steps[from] + usize::from(is_road), metres[from] + if is_road && !is_start { here.length_m } else { 0.0 });
        if !Horizon::goes_beyond(beyond.0, beyond.1, brake_m) {
            continue;
        }
        for link in here.lanes().flat_map(|lane| network.links_of(lane)) {
            let to = network.lane(network.link(link).to).edge;
            let known = (&mut steps[to.index()], &mut metres[to.index()]);
            if beyond.0 < *known.0 || beyond.1 < *known.1 {
                (*known.0, *known.1) = ((*known.0).min(beyond.0), known.1.min(beyond.1));
                queue.push_back(to);
            }
        }
    }
    (0..network.edges.len()).map(EdgeId::new).filter(|edge| steps[edge.index()] < usize::MAX).collect()
}

/// Metres of road between each edge and the nearest own edge, in either direction; −1 for own edges.
fn distances(network: &Network, own: impl Fn(EdgeId) -> bool) -> Vec<f64> {
    let mut distance = vec![f64::INFINITY; network.edges.len()];
    let mut queue = BinaryHeap::new();
    for (i, metres) in distance.iter_mut().enumerate().filter(|(i, _)| own(EdgeId::new(*i))) {
        *metres = -1.0;
        queue.push(Reverse((0u64, i)));
    }
    // Distances are kept in whole millimetres, rounded down, so that the queue can order them.
    while let Some(Reverse((millimetres, i))) = queue.pop() {
        let here = millimetres as f64 / 1000.0;
        if distance[i] >= 0.0 && here > distance[i] {
            continue;
        }
        let beyond = if distance[i] < 0.0 { 0.0 } else { here + network.edges[i].length_m };
        for other in neighbours(network, EdgeId::new(i)) {
            let known = &mut distance[other.index()];
            let rounded = (beyond * 1000.0).floor() / 1000.0;
            if rounded < *known {
                *known = rounded;
                queue.push(Reverse(((rounded * 1000.0) as u64, other.index())));
            }
        }
    }
    distance
}

/// Edges one link away, up and down, and the internal edges whose conflicts are read together with this one.
fn neighbours(network: &Network, edge: EdgeId) -> Vec<EdgeId> {
    let mut found = Vec::new();
    for lane in network.edge(edge).lanes() {
        let l = network.lane(lane);
        for link in network.links_of(lane) {
            let link = network.link(link);
            found.push(network.lane(link.next).edge);
            found.push(network.lane(link.to).edge);
            for foe in &network.foe_links[link.foes.range()] {
                found.push(network.lane(network.link(*foe).from).edge);
                found.push(network.lane(network.link(*foe).next).edge);
            }
        }
        for link in &network.incoming[l.incoming.range()] {
            found.push(network.lane(network.link(*link).from).edge);
        }
        for conflict in &network.conflicts[l.conflicts.range()] {
            found.push(network.lane(conflict.foe).edge);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
