//! Cutting the network into partitions: multilevel k-way partitioning (Karypis and Kumar 1998, METIS) of the junctions.
//!
//! An edge belongs to the partition of its *to*-junction, so a junction and all its incoming lanes are together and cuts
//! run across the start of edges.

use std::fmt;
use std::sync::Mutex;

use petgraph::Incoming;
use petgraph::visit::{Bfs, EdgeRef};
use serde::{Deserialize, Serialize};

use super::view::{JunctionGraph, junction_graph};
use super::{EdgeKind, Network};

/// Which partition owns which edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Number of partitions; each owns at least one road.
    pub parts: u32,
    /// Partition of every edge; of edges inside a junction that of the junction.
    pub part_of_edge: Vec<u16>,
    /// By partition: the worker that should host it, if one was named; empty when nobody named any. No result depends on it.
    pub workers: Vec<Option<Box<str>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    #[error("the number of partitions must be at least 1")]
    NoParts,
    /// Every partition needs a junction that a road leads to.
    #[error("the network can be cut into at most {most} partitions, not {parts}; ask for fewer")]
    TooManyParts { parts: u32, most: u32 },
    #[error("METIS could not cut the network: {0}")]
    Metis(String),
}

/// What the cut should balance and avoid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutWeights {
    /// Work of each junction with its incoming edges (expected vehicles at once, scaled).
    pub junction: Vec<u32>,
    /// Cost of cutting each edge at its start (expected passages, scaled).
    pub edge: Vec<u32>,
}

impl CutWeights {
    /// Weights for an unknown demand: vehicles are spread evenly over the lanes, and pass edges in proportion to lanes
    /// and speed.
    pub fn of_network(network: &Network) -> Self {
        Self::new(
            network,
            |edge| network.edges[edge].lanes().map(|lane| network.lane(lane).length_m).sum(),
            |edge| network.edges[edge].lanes().map(|lane| network.lane(lane).speed_mps).sum(),
        )
    }

    /// Weights for known routes: `vehicles[edge]` pass each normal edge, and each stays for its free-flow travel time.
    ///
    /// # Panics
    /// If `vehicles` is not as long as `network.edges`.
    pub fn of_usage(network: &Network, vehicles: &[u32]) -> Self {
        assert_eq!(vehicles.len(), network.edges.len(), "one count for each edge");
        let passing = |edge: usize| f64::from(vehicles[edge]);
        let staying = |edge: usize| {
            let speeds = network.edges[edge].lanes().map(|lane| network.lane(lane).speed_mps);
            passing(edge) * network.edges[edge].length_m / speeds.fold(0.1, f64::max)
        };
        Self::new(network, staying, passing)
    }

    fn new(network: &Network, load: impl Fn(usize) -> f64, passages: impl Fn(usize) -> f64) -> Self {
        let mut junction = vec![0.0; network.junctions.len()];
        let mut edge = vec![0.0; network.edges.len()];
        for (at, road) in network.edges.iter().enumerate().filter(|(_, edge)| edge.kind == EdgeKind::Normal) {
            junction[road.to.index()] += load(at);
            edge[at] = passages(at);
        }
        Self { junction: scaled(&junction), edge: scaled(&edge) }
    }
}

/// Whole numbers ≥ 1 in proportion, whose sum METIS can hold in 32 bits.
fn scaled(values: &[f64]) -> Vec<u32> {
    const SUM: f64 = (1 << 29) as f64;
    let sum: f64 = values.iter().sum();
    let factor = if sum > 0.0 { (SUM / sum).min(1000.0) } else { 0.0 };
    values.iter().map(|value| 1 + (value * factor) as u32).collect()
}

/// Cuts the network into exactly `parts` partitions. Equal arguments give equal cuts; the cut does not change results of
/// a run, only its speed.
///
/// # Errors
/// `parts` is 0 or more than there are junctions with incoming roads, or METIS fails.
pub fn cut(network: &Network, weights: &CutWeights, parts: u32, seed: u64) -> Result<Cut, CutError> {
    /// With fewer junctions a part than this METIS is known to leave parts empty.
    const FEW_JUNCTIONS: usize = 8;
    check_parts(network, parts)?;
    let graph = junction_graph(network);
    let mut part_of_junction = if parts == 1 {
        vec![0; network.junctions.len()]
    } else if network.junctions.len() < FEW_JUNCTIONS * parts as usize {
        sweep(&graph, weights, parts)
    } else {
        metis_cut(&graph, weights, parts, seed)?
    };
    fill_empty_parts(&graph, weights, parts, &mut part_of_junction);
    Ok(Cut::of_junctions(network, parts, &part_of_junction))
}

/// Gives every junction a partition at random, for tests: results must not depend on the cut.
///
/// # Errors
/// As [`cut`].
pub fn random_cut(network: &Network, parts: u32, seed: u64) -> Result<Cut, CutError> {
    check_parts(network, parts)?;
    let draw = |junction: usize| {
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&(junction as u64).to_le_bytes(), seed);
        (hash % u64::from(parts)) as u16
    };
    let mut part_of_junction: Vec<u16> = (0..network.junctions.len()).map(draw).collect();
    let weights = CutWeights::of_network(network);
    fill_empty_parts(&junction_graph(network), &weights, parts, &mut part_of_junction);
    Ok(Cut::of_junctions(network, parts, &part_of_junction))
}

/// The greatest number of partitions that a network can be cut into: one for each junction that a road leads to.
pub fn most_parts(network: &Network) -> u32 {
    let mut reached = vec![false; network.junctions.len()];
    for edge in network.edges.iter().filter(|edge| edge.kind == EdgeKind::Normal) {
        reached[edge.to.index()] = true;
    }
    // An empty network is one partition without roads.
    reached.iter().filter(|&&reached| reached).count().clamp(1, usize::from(u16::MAX)) as u32
}

fn check_parts(network: &Network, parts: u32) -> Result<(), CutError> {
    let most = most_parts(network);
    match parts {
        0 => Err(CutError::NoParts),
        _ if parts > most => Err(CutError::TooManyParts { parts, most }),
        _ => Ok(()),
    }
}

/// METIS takes its random numbers from the C library's global generator, so two cuts at once would disturb each other.
static METIS: Mutex<()> = Mutex::new(());

fn metis_cut(graph: &JunctionGraph, weights: &CutWeights, parts: u32, seed: u64) -> Result<Vec<u16>, CutError> {
    let failed = |error: &dyn fmt::Display| CutError::Metis(error.to_string());
    let (starts, neighbours, costs) = adjacency(graph, weights);
    let loads: Vec<i32> = weights.junction.iter().map(|&weight| weight as i32).collect();
    let mut part = vec![0; graph.node_count()];
    let _alone = METIS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    metis::Graph::new(1, parts as i32, &starts, &neighbours)
        .map_err(|error| failed(&error))?
        .set_vwgt(&loads)
        .set_adjwgt(&costs)
        .set_option(metis::option::Seed((seed % (1 << 31)) as i32))
        .part_kway(&mut part)
        .map_err(|error| failed(&error))?;
    Ok(part.into_iter().map(|part| part as u16).collect())
}

/// The graph without directions, loops and parallel edges, in the compressed rows that METIS reads: start of each row,
/// neighbours, and their costs.
pub(super) fn adjacency(graph: &JunctionGraph, weights: &CutWeights) -> (Vec<i32>, Vec<i32>, Vec<i32>) {
    let mut pairs: Vec<(usize, usize, u64)> = Vec::with_capacity(2 * graph.edge_count());
    for road in graph.edge_references() {
        let (from, to) = (road.source().index(), road.target().index());
        let cost = u64::from(weights.edge[road.weight().index()]);
        if from != to {
            pairs.extend([(from, to, cost), (to, from, cost)]);
        }
    }
    pairs.sort_unstable();
    pairs.dedup_by(|other, kept| {
        let same = (other.0, other.1) == (kept.0, kept.1);
        if same {
            kept.2 += other.2;
        }
        same
    });
    let mut starts = vec![0; graph.node_count() + 1];
    for (from, ..) in &pairs {
        starts[from + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let neighbours = pairs.iter().map(|&(_, to, _)| to as i32).collect();
    let costs = pairs.iter().map(|&(.., cost)| cost.min(i32::MAX as u64) as i32).collect();
    (starts, neighbours, costs)
}

/// Cuts a small network into runs of equal work along a breadth-first order of its junctions.
fn sweep(graph: &JunctionGraph, weights: &CutWeights, parts: u32) -> Vec<u16> {
    let undirected = graph.clone().into_edge_type::<petgraph::Undirected>();
    let total: u64 = weights.junction.iter().map(|&weight| u64::from(weight)).sum();
    let mut part_of_junction = vec![u16::MAX; graph.node_count()];
    let mut before = 0;
    for start in graph.node_indices() {
        if part_of_junction[start.index()] != u16::MAX {
            continue;
        }
        let mut order = Bfs::new(&undirected, start);
        while let Some(node) = order.next(&undirected) {
            part_of_junction[node.index()] = (before * u64::from(parts) / total.max(1)) as u16;
            before += u64::from(weights.junction[node.index()]);
        }
    }
    part_of_junction
}

/// Every partition must own a road: each that owns none gets a junction from the partition with the most work.
fn fill_empty_parts(graph: &JunctionGraph, weights: &CutWeights, parts: u32, part_of_junction: &mut [u16]) {
    let reached = graph.node_indices().filter(|&node| graph.edges_directed(node, Incoming).next().is_some());
    let useful: Vec<usize> = reached.map(|node| node.index()).collect();
    let mut owned = vec![0u32; parts as usize];
    let mut load = vec![0u64; parts as usize];
    for &junction in &useful {
        owned[usize::from(part_of_junction[junction])] += 1;
        load[usize::from(part_of_junction[junction])] += u64::from(weights.junction[junction]);
    }
    for empty in 0..parts as usize {
        if owned[empty] > 0 {
            continue;
        }
        let rich = (0..parts as usize).filter(|&part| owned[part] > 1).max_by_key(|&part| (load[part], part));
        let Some(rich) = rich else { return };
        let mut candidates = useful.iter().copied().filter(|&junction| usize::from(part_of_junction[junction]) == rich);
        let Some(junction) = candidates.next() else { return };
        part_of_junction[junction] = empty as u16;
        let moved = u64::from(weights.junction[junction]);
        (owned[rich], owned[empty]) = (owned[rich] - 1, 1);
        (load[rich], load[empty]) = (load[rich] - moved, moved);
    }
}

impl Cut {
    fn of_junctions(network: &Network, parts: u32, part_of_junction: &[u16]) -> Self {
        let part_of_edge = network.edges.iter().map(|edge| part_of_junction[edge.to.index()]).collect();
        Self { parts, part_of_edge, workers: Vec::new() }
    }

    /// Gives edges that were added to the network to the partition of their junction; a junction that is new belongs to who
    /// has the junction where a new road to it begins.
    pub fn grow(&mut self, network: &Network) {
        let mut part_of_junction: Vec<Option<u16>> = vec![None; network.junctions.len()];
        for (edge, part) in network.edges.iter().zip(&self.part_of_edge).filter(|(e, _)| e.kind == EdgeKind::Normal) {
            part_of_junction[edge.to.index()].get_or_insert(*part);
        }
        for at in self.part_of_edge.len()..network.edges.len() {
            let edge = &network.edges[at];
            let part = part_of_junction[edge.to.index()].or(part_of_junction[edge.from.index()]).unwrap_or(0);
            if edge.kind == EdgeKind::Normal {
                part_of_junction[edge.to.index()].get_or_insert(part);
            }
            self.part_of_edge.push(part);
        }
    }

    /// All edges in one partition.
    pub fn whole(network: &Network) -> Self {
        Self { parts: 1, part_of_edge: vec![0; network.edges.len()], workers: Vec::new() }
    }

    /// By junction, who owns the roads that lead to it; `None` where no road does.
    fn owners_of_junctions(&self, network: &Network) -> Vec<Option<JunctionOwner>> {
        let mut owners = vec![None; network.junctions.len()];
        for (edge, &part) in network.edges.iter().zip(&self.part_of_edge).filter(|(e, _)| e.kind == EdgeKind::Normal) {
            let owner = &mut owners[edge.to.index()];
            *owner = match *owner {
                None => Some(JunctionOwner::One(part)),
                Some(JunctionOwner::One(other)) if other == part => *owner,
                Some(_) => Some(JunctionOwner::Several),
            };
        }
        owners
    }

    /// How good the cut is under the given weights.
    pub fn report(&self, network: &Network, weights: &CutWeights) -> CutReport {
        let owners = self.owners_of_junctions(network);
        let mut load = vec![0u64; self.parts as usize];
        let mut leading_to = vec![0u64; network.junctions.len()];
        let roads = || network.edges.iter().zip(&self.part_of_edge).filter(|(edge, _)| edge.kind == EdgeKind::Normal);
        roads().for_each(|(edge, _)| leading_to[edge.to.index()] += 1);
        let mut is_first = vec![true; network.junctions.len()];
        for (edge, &part) in roads() {
            let (to, roads) = (edge.to.index(), leading_to[edge.to.index()]);
            // The work of a junction is shared by the roads that lead to it; what does not divide goes to the first.
            let work = u64::from(weights.junction[to]);
            let rest = if std::mem::take(&mut is_first[to]) { work % roads } else { 0 };
            load[usize::from(part)] += work / roads + rest;
        }
        let mut report = CutReport { parts: self.parts, roads: 0, cut_roads: 0, cut_share: 0.0, balance: 1.0 };
        let (mut cut_weight, mut weight) = (0u64, 0u64);
        for (at, edge) in network.edges.iter().enumerate().filter(|(_, edge)| edge.kind == EdgeKind::Normal) {
            report.roads += 1;
            weight += u64::from(weights.edge[at]);
            // A junction that no edge leads to belongs to nobody, so nothing crosses there.
            let own = JunctionOwner::One(self.part_of_edge[at]);
            if owners[edge.from.index()].is_some_and(|owner| owner != own) {
                report.cut_roads += 1;
                cut_weight += u64::from(weights.edge[at]);
            }
        }
        let total: u64 = load.iter().sum();
        if total > 0 && weight > 0 {
            let greatest = load.iter().copied().max().unwrap_or(0);
            report.balance = greatest as f64 * f64::from(self.parts) / total as f64;
            report.cut_share = cut_weight as f64 / weight as f64;
        }
        report
    }
}

/// Who owns the roads that lead to a junction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JunctionOwner {
    One(u16),
    /// A cut by hand may divide them.
    Several,
}

/// Quality of a [`Cut`].
#[derive(Clone, Debug, PartialEq)]
pub struct CutReport {
    pub parts: u32,
    /// Normal edges of the network.
    pub roads: usize,
    /// Normal edges that traffic may come onto from another partition than their own.
    pub cut_roads: usize,
    /// Share of the expected passages that cross between partitions, 0…1.
    pub cut_share: f64,
    /// Work of the fullest partition over the mean; 1 is perfect.
    pub balance: f64,
}

impl fmt::Display for CutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parts, roads, cut_roads, cut_share, balance } = self;
        let percent = cut_share * 100.0;
        write!(
            f,
            "{parts} partitions, {cut_roads} of {roads} roads cut ({percent:.1} % of the traffic), balance {balance:.2}"
        )
    }
}

#[cfg(test)]
mod tests;
