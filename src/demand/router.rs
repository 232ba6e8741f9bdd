//! Fastest routes on the empty network, for trips.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use crate::graph::Network;
use crate::ids::EdgeId;

use super::road_graph::{Passage, RoadGraph};
use super::{VehicleClass, VehicleType};

/// What of a vehicle decides about its fastest route.
#[derive(Clone, Copy, Debug)]
pub struct Travel {
    pub class: VehicleClass,
    pub max_speed_mps: f64,
    /// Multiplies speed limits.
    pub speed_factor: f64,
}

impl Travel {
    /// A vehicle of a type with its own speed factor. Penalties do not shrink with the factor, so fast drivers prefer other
    /// routes than slow ones, and a pair of edges gets several routes as it does in SUMO. The factor is rounded to 1/64, to
    /// find most routes among the known ones.
    pub fn of(vtype: &VehicleType, speed_factor: f32) -> Self {
        const STEPS: f64 = 64.0;
        let speed_factor = (f64::from(speed_factor) * STEPS).round().max(1.0) / STEPS;
        Self {
            class: vtype.class,
            max_speed_mps: vtype.max_speed_mps.min(vtype.desired_max_speed_mps * speed_factor),
            speed_factor,
        }
    }

    /// Travel time. As in SUMO the vehicle's own time, with the penalty, counts unless the traffic's is longer; and the
    /// traffic of an empty road drives at the limit, however fast this driver would like to be.
    fn seconds(&self, passage: Passage) -> f64 {
        let own_s = (passage.at_limit_s / self.speed_factor).max(passage.length_m / self.max_speed_mps);
        (own_s + passage.penalty_s).max(passage.at_limit_s)
    }

    fn key(&self) -> (u8, u64, u64) {
        (self.class as u8, self.max_speed_mps.to_bits(), self.speed_factor.to_bits())
    }
}

type Key = (EdgeId, EdgeId, (u8, u64, u64));

/// A* over edges (Hart, Nilsson, Raphael 1968) with the travel times of [`Travel`] on roads and through junctions. Equal
/// estimates are settled in order of ids, so the route does not depend on anything else. Remembers results.
pub struct Router<'n> {
    network: &'n Network,
    graph: &'n RoadGraph,
    /// Where lane 0 of each edge ends.
    ends: Vec<[f64; 2]>,
    /// Greatest ratio of air-line progress to driven length, and greatest speed limit: bound the heuristic.
    directness: f64,
    fastest_mps: f64,
    nodes: Vec<Node>,
    round: u32,
    known: HashMap<Key, Option<Rc<[EdgeId]>>>,
}

/// Search state of an edge; valid if `round` is the router's.
#[derive(Clone, Copy)]
struct Node {
    round: u32,
    settled: bool,
    cost_s: f64,
    before: EdgeId,
}

impl<'n> Router<'n> {
    pub fn new(network: &'n Network, graph: &'n RoadGraph) -> Self {
        let ends: Vec<[f64; 2]> = network
            .edges
            .iter()
            .map(|edge| match network.points[network.lane(edge.first_lane).shape.range()].last() {
                Some(&[x, y]) => [f64::from(x), f64::from(y)],
                None => [0.0, 0.0],
            })
            .collect();
        let mut directness = 0.0f64;
        for from in (0..network.edges.len()).map(EdgeId::new) {
            for arc in graph.arcs(from) {
                let driven = arc.via_length_m() + network.edge(arc.to).length_m;
                directness = directness.max(distance(ends[from.index()], ends[arc.to.index()]) / driven.max(0.01));
            }
        }
        let fastest_mps = network.lanes.iter().map(|lane| lane.speed_mps).fold(0.0, f64::max);
        let unseen = Node { round: 0, settled: false, cost_s: 0.0, before: EdgeId::NONE };
        let nodes = vec![unseen; network.edges.len()];
        Self { network, graph, ends, directness, fastest_mps, nodes, round: 0, known: HashMap::new() }
    }

    /// The edges from `from` to `to`, both included, over all of `via` in order. `Err` holds the leg that has no route.
    pub fn route(
        &mut self,
        from: EdgeId,
        via: &[EdgeId],
        to: EdgeId,
        travel: Travel,
    ) -> Result<Vec<EdgeId>, (EdgeId, EdgeId)> {
        let mut edges = vec![from];
        let mut at = from;
        for &next in via.iter().chain([&to]) {
            // Several stops on one edge are not a wish to drive a circle.
            if next != at {
                let leg = self.leg(at, next, travel).ok_or((at, next))?;
                edges.extend_from_slice(&leg[1..]);
                at = next;
            }
        }
        if edges.len() == 1 && !self.graph.allows(from, travel.class) {
            return Err((from, to));
        }
        Ok(edges)
    }

    fn leg(&mut self, from: EdgeId, to: EdgeId, travel: Travel) -> Option<Rc<[EdgeId]>> {
        let key = (from, to, travel.key());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = self.search(from, to, travel);
        self.known.insert(key, found.clone());
        found
    }

    fn search(&mut self, from: EdgeId, to: EdgeId, travel: Travel) -> Option<Rc<[EdgeId]>> {
        if !self.graph.allows(from, travel.class) || !self.graph.allows(to, travel.class) {
            return None;
        }
        self.start_round();
        let top_speed = (self.fastest_mps * travel.speed_factor.min(1.0)).min(travel.max_speed_mps) * self.directness;
        let goal = self.ends[to.index()];
        let ends = &self.ends;
        let remaining =
            |edge: EdgeId| if top_speed > 0.0 { distance(ends[edge.index()], goal) / top_speed } else { 0.0 };
        let round = self.round;
        self.nodes[from.index()] = Node { round, settled: false, cost_s: 0.0, before: EdgeId::NONE };
        let mut open = BinaryHeap::from([Open { estimate_s: remaining(from), edge: from }]);
        while let Some(Open { edge, .. }) = open.pop() {
            let node = &mut self.nodes[edge.index()];
            if std::mem::replace(&mut node.settled, true) {
                continue;
            }
            if edge == to {
                return Some(self.path(to));
            }
            let cost_s = node.cost_s;
            for arc in self.graph.arcs(edge) {
                if !arc.allowed.allows(travel.class) {
                    continue;
                }
                let next = self.network.edge(arc.to);
                let limit = self.network.lane(next.first_lane).speed_mps;
                let cost_s = cost_s
                    + travel.seconds(arc.free)
                    + travel.seconds(arc.yielding)
                    + travel.seconds(Passage::new(next.length_m, limit, 0.0));
                let node = &mut self.nodes[arc.to.index()];
                if node.round != round || (!node.settled && cost_s < node.cost_s) {
                    *node = Node { round, settled: false, cost_s, before: edge };
                    open.push(Open { estimate_s: cost_s + remaining(arc.to), edge: arc.to });
                }
            }
        }
        None
    }

    fn start_round(&mut self) {
        if self.round == u32::MAX {
            self.nodes.iter_mut().for_each(|node| node.round = 0);
            self.round = 0;
        }
        self.round += 1;
    }

    fn path(&self, to: EdgeId) -> Rc<[EdgeId]> {
        let mut path = Vec::new();
        let mut at = to;
        while at.is_some() {
            path.push(at);
            at = self.nodes[at.index()].before;
        }
        path.reverse();
        path.into()
    }
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    let (x, y) = (a[0] - b[0], a[1] - b[1]);
    (x * x + y * y).sqrt()
}

/// An edge to look at; the heap gives the smallest estimate first, and of equal ones the smallest id.
struct Open {
    estimate_s: f64,
    edge: EdgeId,
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        other.estimate_s.total_cmp(&self.estimate_s).then(other.edge.cmp(&self.edge))
    }
}
impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Open {}
