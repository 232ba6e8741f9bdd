//! The search for fastest routes, with or without the delays of the traffic.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use crate::graph::{Edge, Network};
use crate::ids::EdgeId;

use super::edge_delays::EdgeDelays;
use super::road_graph::{self, RoadGraph};
use super::{VehicleClass, VehicleType};

/// Slower traffic counts as this fast, m/s.
pub(super) const MIN_SPEED_MPS: f64 = 0.001;

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
    /// routes than slow ones, and a pair of edges gets several routes as it does in SUMO. The factor is rounded to 1/32, to
    /// find most routes among the known ones.
    pub fn of(vtype: &VehicleType, speed_factor: f32) -> Self {
        const STEPS: f64 = 32.0;
        let speed_factor = (f64::from(speed_factor) * STEPS).round().max(1.0) / STEPS;
        Self {
            class: vtype.class,
            max_speed_mps: vtype.max_speed_mps.min(vtype.desired_max_speed_mps * speed_factor),
            speed_factor,
        }
    }

    fn seconds(&self, length_m: f64, limit_mps: f64) -> f64 {
        length_m / (limit_mps * self.speed_factor).min(self.max_speed_mps)
    }

    fn key(&self) -> (u8, u64, u64) {
        (self.class as u8, self.max_speed_mps.to_bits(), self.speed_factor.to_bits())
    }
}

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub struct Roads<'n> {
    pub network: &'n Network,
    pub graph: &'n RoadGraph,
    /// `None`: empty roads.
    pub delays: Option<&'n EdgeDelays>,
}

impl Roads<'_> {
    /// Seconds along an edge that is empty.
    pub(super) fn along_s(&self, edge: EdgeId, travel: Travel) -> f64 {
        let edge = self.network.edge(edge);
        travel.seconds(edge.length_m, self.limit_mps(edge, travel))
    }

    /// Speed limit of an edge for the vehicle.
    fn limit_mps(&self, edge: &Edge, travel: Travel) -> f64 {
        self.network.limit_mps(self.network.lane(edge.first_lane), travel.class)
    }

    /// Seconds from the end of one edge to the end of the next.
    pub(super) fn seconds(&self, arc: &road_graph::Arc, travel: Travel) -> f64 {
        let next = self.network.edge(arc.to);
        let limit = self.limit_mps(next, travel);
        let through = travel.seconds(arc.via_length_m, arc.via_speed_mps) + arc.penalty_s;
        let along = travel.seconds(next.length_m, limit);
        let Some(delays) = self.delays else { return through + along };
        let mut slow_through = 0.0;
        if arc.via.iter().any(|edge| edge.is_some() && delays.seconds(*edge) > 0.0) {
            for edge in arc.via.iter().filter(|edge| edge.is_some()) {
                let lane = self.network.lane(self.network.edge(*edge).first_lane);
                slow_through += delays.seconds(*edge).max(travel.seconds(lane.length_m, lane.speed_mps));
            }
        }
        through.max(slow_through) + along.max(delays.seconds(arc.to))
    }
}

type Key = (EdgeId, EdgeId, (u8, u64, u64));
type KeyBetween = (Box<[EdgeId]>, Box<[EdgeId]>, (u8, u64, u64));

/// A* over edges (Hart, Nilsson, Raphael 1968). The cost of an edge is its length over the speed that the vehicle can drive
/// there, or that others drove there if they were slower; ways through junctions count with their length, and 1.5 s more
/// where the link has no priority. Remembers results until [`RouteSearch::forget`].
#[derive(Debug)]
pub struct RouteSearch {
    /// Where lane 0 of each edge ends.
    ends: Vec<[f64; 2]>,
    /// Greatest ratio of air-line progress to driven length, and greatest speed limit: bound the heuristic.
    directness: f64,
    fastest_mps: f64,
    nodes: Vec<Node>,
    open: BinaryHeap<Open>,
    round: u32,
    known: HashMap<Key, Option<Arc<[EdgeId]>>>,
    known_between: HashMap<KeyBetween, Option<Arc<[EdgeId]>>>,
}

/// Search state of an edge; valid if `round` is the router's.
#[derive(Clone, Copy, Debug)]
struct Node {
    round: u32,
    settled: bool,
    cost_s: f64,
    before: EdgeId,
}

impl RouteSearch {
    pub fn new(network: &Network, graph: &RoadGraph) -> Self {
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
                let driven = arc.via_length_m + network.edge(arc.to).length_m;
                directness = directness.max(distance(ends[from.index()], ends[arc.to.index()]) / driven.max(0.01));
            }
        }
        let fastest_mps = network.highest_limit_mps();
        let unseen = Node { round: 0, settled: false, cost_s: 0.0, before: EdgeId::NONE };
        let nodes = vec![unseen; network.edges.len()];
        Self {
            ends,
            directness,
            fastest_mps,
            nodes,
            open: BinaryHeap::new(),
            round: 0,
            known: HashMap::new(),
            known_between: HashMap::new(),
        }
    }

    /// Forgets the results: the delays have changed.
    pub fn forget(&mut self) {
        self.known.clear();
        self.known_between.clear();
    }

    /// The edges from `from` to `to`, both included, over all of `via` in order. `Err` holds the leg that has no route.
    pub fn route(
        &mut self,
        roads: Roads<'_>,
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
                let leg = self.leg(roads, at, next, travel).ok_or((at, next))?;
                edges.extend_from_slice(&leg[1..]);
                at = next;
            }
        }
        if edges.len() == 1 && !roads.graph.allows(from, travel.class) {
            return Err((from, to));
        }
        Ok(edges)
    }

    fn leg(&mut self, roads: Roads<'_>, from: EdgeId, to: EdgeId, travel: Travel) -> Option<Arc<[EdgeId]>> {
        let key = (from, to, travel.key());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let is_open = roads.graph.allows(from, travel.class) && roads.graph.allows(to, travel.class);
        let found = if is_open { self.search(roads, &[from], &[to], travel) } else { None };
        self.known.insert(key, found.clone());
        found
    }

    /// The fastest way from one of some edges to one of others. Not remembered by itself.
    pub fn between(
        &mut self,
        roads: Roads<'_>,
        from: &[EdgeId],
        to: &[EdgeId],
        travel: Travel,
    ) -> Option<Arc<[EdgeId]>> {
        let allowed = |edges: &[EdgeId]| -> Vec<EdgeId> {
            edges.iter().copied().filter(|edge| roads.graph.allows(*edge, travel.class)).collect()
        };
        let key = (from.into(), to.into(), travel.key());
        if let Some(known) = self.known_between.get(&key) {
            return known.clone();
        }
        let found = self.search(roads, &allowed(from), &allowed(to), travel);
        self.known_between.insert(key, found.clone());
        found
    }

    fn search(&mut self, roads: Roads<'_>, from: &[EdgeId], to: &[EdgeId], travel: Travel) -> Option<Arc<[EdgeId]>> {
        if from.is_empty() || to.is_empty() {
            return None;
        }
        self.start_round();
        let top_speed = (self.fastest_mps * travel.speed_factor).min(travel.max_speed_mps) * self.directness;
        // The distance to the goal is a bound where there is only one.
        let goal = if let [to] = to { Some(self.ends[to.index()]) } else { None };
        let Self { ends, nodes, open, round, .. } = self;
        let remaining = |edge: EdgeId| match goal {
            Some(goal) if top_speed > 0.0 => distance(ends[edge.index()], goal) / top_speed,
            _ => 0.0,
        };
        let round = *round;
        open.clear();
        for &edge in from {
            // Among several origins the time on them counts.
            let cost_s = if from.len() > 1 { roads.along_s(edge, travel) } else { 0.0 };
            nodes[edge.index()] = Node { round, settled: false, cost_s, before: EdgeId::NONE };
            open.push(Open { estimate_s: cost_s + remaining(edge), edge });
        }
        while let Some(Open { edge, .. }) = open.pop() {
            let node = &mut nodes[edge.index()];
            if std::mem::replace(&mut node.settled, true) {
                continue;
            }
            if to.contains(&edge) {
                return Some(self.path(edge));
            }
            let cost_s = node.cost_s;
            for arc in roads.graph.arcs(edge) {
                if !arc.allowed.allows(travel.class) {
                    continue;
                }
                let cost_s = cost_s + roads.seconds(arc, travel);
                let node = &mut nodes[arc.to.index()];
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

    fn path(&self, to: EdgeId) -> Arc<[EdgeId]> {
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
#[derive(Clone, Copy, Debug)]
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
