//! A cut by hand: which edges go where. What it leaves open is filled in.
//!
//! METIS cannot hold junctions fast, so the partitions grow from what they were given, the lightest first, until all is taken;
//! then junctions at borders move to where more of their traffic comes from (a greedy form of Fiduccia and Mattheyses 1982).

use std::collections::{BTreeSet, VecDeque};

use super::partition::{Cut, CutError, CutWeights, adjacency};
use super::view::{JunctionGraph, junction_graph};
use super::{EdgeKind, Network};

/// How often all borders are looked at.
const REFINEMENTS: usize = 64;
/// A partition with more than this share of the mean work gives junctions away, and takes none.
const BALANCE: f64 = 1.05;

/// Edges that were given to partitions by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Number of partitions.
    pub parts: u32,
    /// By edge; `None` leaves it open. Edges inside junctions are always open: they go with the junction.
    pub part_of_edge: Vec<Option<u16>>,
    /// As [`Cut::workers`].
    pub workers: Vec<Option<Box<str>>>,
}

impl Assignment {
    /// Fills in what is open. Given edges stay where they are; equal arguments give equal cuts.
    ///
    /// # Errors
    /// There is nothing left for a partition that was given no edge.
    ///
    /// # Panics
    /// If the assignment or the weights are not of this network, or a partition in it is not below `parts`.
    pub fn complete(&self, network: &Network, weights: &CutWeights) -> Result<Cut, CutError> {
        let graph = junction_graph(network);
        let mut growth = Growth::new(self, network, &graph, weights);
        growth.seed_empty_parts(self.parts)?;
        growth.grow();
        growth.refine();
        let place = |(edge, given): (&super::Edge, &Option<u16>)| given.unwrap_or(growth.part_of[edge.to.index()].part);
        let part_of_edge = network.edges.iter().zip(&self.part_of_edge).map(place).collect();
        Ok(Cut { parts: self.parts, part_of_edge, workers: self.workers.clone() })
    }
}

/// Whose a junction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    part: u16,
    /// An edge that leads to it was given.
    fixed: bool,
}

impl Place {
    const OPEN: Self = Self { part: u16::MAX, fixed: false };
}

/// Partitions that grow over the junctions.
struct Growth<'w> {
    weights: &'w CutWeights,
    /// By junction.
    part_of: Vec<Place>,
    /// Some road leads to it.
    is_reached: Vec<bool>,
    /// Junctions beside each other, in compressed rows, with what it costs to separate them.
    starts: Vec<i32>,
    beside: Vec<i32>,
    costs: Vec<i32>,
    /// By partition: work, junctions that a road leads to, and edges that were given.
    load: Vec<u64>,
    owned: Vec<usize>,
    given: Vec<usize>,
}

impl<'w> Growth<'w> {
    fn new(assignment: &Assignment, network: &Network, graph: &JunctionGraph, weights: &'w CutWeights) -> Self {
        let (starts, beside, costs) = adjacency(graph, weights);
        let (parts, junctions) = (assignment.parts as usize, network.junctions.len());
        let mut growth = Self {
            weights,
            part_of: vec![Place::OPEN; junctions],
            is_reached: vec![false; junctions],
            starts,
            beside,
            costs,
            load: vec![0; parts],
            owned: vec![0; parts],
            given: vec![0; parts],
        };
        // The metres that each partition has before a junction: the most of them take the junction.
        let mut claims: Vec<Vec<(u16, f64)>> = vec![Vec::new(); junctions];
        for (edge, given) in network.edges.iter().zip(&assignment.part_of_edge) {
            if edge.kind == EdgeKind::Normal {
                growth.is_reached[edge.to.index()] = true;
            }
            let Some(part) = *given else { continue };
            growth.given[usize::from(part)] += 1;
            let claims = &mut claims[edge.to.index()];
            match claims.iter_mut().find(|(other, _)| *other == part) {
                Some((_, metres)) => *metres += edge.length_m,
                None => claims.push((part, edge.length_m)),
            }
        }
        for (junction, claims) in claims.iter().enumerate() {
            let most = claims.iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
            if let Some((part, _)) = most {
                growth.take(junction, Place { part: *part, fixed: true });
            }
        }
        growth
    }

    fn take(&mut self, junction: usize, place: Place) {
        let (part, work) = (usize::from(place.part), u64::from(self.weights.junction[junction]));
        self.part_of[junction] = place;
        self.load[part] += work;
        self.owned[part] += usize::from(self.is_reached[junction]);
    }

    fn beside(&self, junction: usize) -> impl Iterator<Item = (usize, i32)> + '_ {
        let row = self.starts[junction] as usize..self.starts[junction + 1] as usize;
        self.beside[row.clone()].iter().map(|other| *other as usize).zip(self.costs[row].iter().copied())
    }

    fn is_open(&self, junction: usize) -> bool {
        self.part_of[junction] == Place::OPEN
    }

    /// A partition that was given nothing begins at the open junction that is farthest from all others.
    fn seed_empty_parts(&mut self, parts: u32) -> Result<(), CutError> {
        for part in 0..parts as u16 {
            if self.given[usize::from(part)] > 0 {
                continue;
            }
            let Some(junction) = self.farthest_open() else {
                let most = self.owned.iter().zip(&self.given).filter(|(owned, given)| **owned + **given > 0).count();
                return Err(CutError::TooManyParts { parts, most: most as u32 });
            };
            self.take(junction, Place { part, fixed: true });
        }
        Ok(())
    }

    /// The open junction with the most steps to the next one that is taken; the first of several.
    fn farthest_open(&self) -> Option<usize> {
        let mut steps = vec![usize::MAX; self.part_of.len()];
        let mut queue: VecDeque<usize> = (0..self.part_of.len()).filter(|j| !self.is_open(*j)).collect();
        queue.iter().for_each(|junction| steps[*junction] = 0);
        while let Some(junction) = queue.pop_front() {
            for (other, _) in self.beside(junction) {
                if steps[other] == usize::MAX {
                    steps[other] = steps[junction] + 1;
                    queue.push_back(other);
                }
            }
        }
        let open = (0..self.part_of.len()).filter(|j| self.is_open(*j) && self.is_reached[*j]);
        open.max_by_key(|junction| (steps[*junction], std::cmp::Reverse(*junction)))
    }

    /// The partition with the least work takes the next junction beside its own, until none is open.
    fn grow(&mut self) {
        let parts = self.load.len();
        let mut frontiers: Vec<VecDeque<usize>> = vec![VecDeque::new(); parts];
        for junction in 0..self.part_of.len() {
            if !self.is_open(junction) {
                let frontier = &mut frontiers[usize::from(self.part_of[junction].part)];
                frontier.extend(self.beside(junction).map(|(other, _)| other));
            }
        }
        let mut growing: BTreeSet<(u64, usize)> = (0..parts).map(|part| (self.load[part], part)).collect();
        let mut islands = 0..self.part_of.len();
        loop {
            let (part, junction) = match growing.pop_first() {
                Some((_, part)) => {
                    let next = std::iter::from_fn(|| frontiers[part].pop_front()).find(|j| self.is_open(*j));
                    // Who is shut in stops growing.
                    let Some(junction) = next else { continue };
                    (part, junction)
                }
                None => {
                    let Some(island) = islands.find(|junction| self.is_open(*junction)) else { return };
                    let Some(part) = (0..parts).min_by_key(|part| (self.load[*part], *part)) else { return };
                    (part, island)
                }
            };
            self.take(junction, Place { part: part as u16, fixed: false });
            frontiers[part].extend(self.beside(junction).map(|(other, _)| other));
            growing.insert((self.load[part], part));
        }
    }

    /// Moves junctions to the partition that most of their traffic is shared with, where balance allows it or asks for it.
    fn refine(&mut self) {
        let mean = self.load.iter().sum::<u64>() as f64 / self.load.len().max(1) as f64;
        let bound = (mean * BALANCE) as u64;
        for _ in 0..REFINEMENTS {
            let mut moved = false;
            for junction in 0..self.part_of.len() {
                moved |= self.refine_at(junction, bound);
            }
            if !moved {
                return;
            }
        }
    }

    fn refine_at(&mut self, junction: usize, bound: u64) -> bool {
        let Place { part, fixed } = self.part_of[junction];
        let from = usize::from(part);
        if fixed || (self.owned[from] <= 1 && self.given[from] == 0) {
            return false;
        }
        let mut shared: Vec<(u16, i64)> = vec![(part, 0)];
        for (other, cost) in self.beside(junction) {
            let other = self.part_of[other].part;
            match shared.iter_mut().find(|(known, _)| *known == other) {
                Some((_, sum)) => *sum += i64::from(cost),
                None => shared.push((other, i64::from(cost))),
            }
        }
        let work = u64::from(self.weights.junction[junction]);
        let own = shared[0].1;
        // Who was shut in while it grew gets its share here, layer by layer.
        let is_full = self.load[from] > bound;
        let fits = |to: u16, sum: i64| {
            let after = self.load[usize::from(to)] + work;
            (after <= bound && sum > own) || (is_full && after < self.load[from])
        };
        let better = shared[1..].iter().filter(|(to, sum)| fits(*to, *sum));
        let Some(&(to, _)) = better.max_by_key(|(to, sum)| (*sum, std::cmp::Reverse(*to))) else { return false };
        self.load[from] -= work;
        self.owned[from] -= usize::from(self.is_reached[junction]);
        self.take(junction, Place { part: to, fixed: false });
        true
    }
}
