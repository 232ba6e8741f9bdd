//! Which edge follows which, for whom, and what it costs to pass from one to the next.

use crate::graph::{EdgeKind, Network, Permissions, RightOfWay};
use crate::ids::{EdgeId, LaneId, LinkId};

use super::VehicleClass;

/// Seconds that a link without priority costs a router (SUMO's default of `weights.minor-penalty`).
const MINOR_PENALTY_S: f64 = 1.5;

/// A way from one edge onto another.
#[derive(Clone, Copy, Debug)]
pub struct Arc {
    pub to: EdgeId,
    /// Classes that may use the lanes on both sides and the way between.
    pub allowed: Permissions,
    /// Internal edges on the way, for the delays measured on them; ways through more than two keep the first two.
    pub via: [EdgeId; 2],
    /// Metres through the junction.
    pub via_length_m: f64,
    /// Speed limit in the junction, in the mean over its lanes.
    pub via_speed_mps: f64,
    /// Added to the travel time for giving way.
    pub penalty_s: f64,
}

/// The network as edges and arcs, built once per load.
#[derive(Debug)]
pub struct RoadGraph {
    /// The arcs of edge `e` are `arcs[first[e]..first[e + 1]]`.
    first: Vec<u32>,
    arcs: Vec<Arc>,
    /// Per edge: classes that may use at least one lane.
    allowed: Vec<Permissions>,
}

impl RoadGraph {
    pub fn new(network: &Network) -> Self {
        Self::avoiding(network, |_| false)
    }

    /// Without ways onto closed lanes.
    pub fn avoiding(network: &Network, is_closed: impl Fn(LaneId) -> bool) -> Self {
        let mut first = Vec::with_capacity(network.edges.len() + 1);
        let mut arcs: Vec<Arc> = Vec::with_capacity(network.links.len());
        let mut allowed = Vec::with_capacity(network.edges.len());
        for edge in &network.edges {
            let begin = arcs.len();
            first.push(begin as u32);
            let lanes = edge.lanes().map(|lane| network.lane(lane).allowed.0);
            allowed.push(Permissions(lanes.fold(0, |all, lane| all | lane)));
            if edge.kind != EdgeKind::Normal {
                continue;
            }
            for lane in edge.lanes() {
                for link in network.links_of(lane).filter(|link| !is_closed(network.link(*link).to)) {
                    push(&mut arcs, begin, arc(network, link));
                }
            }
        }
        first.push(arcs.len() as u32);
        Self { first, arcs, allowed }
    }

    pub fn arcs(&self, from: EdgeId) -> &[Arc] {
        &self.arcs[self.first[from.index()] as usize..self.first[from.index() + 1] as usize]
    }

    /// May vehicles of the class use some lane of the edge?
    pub fn allows(&self, edge: EdgeId, class: VehicleClass) -> bool {
        self.allowed[edge.index()].allows(class)
    }

    /// Says what keeps vehicles of a class from driving a route.
    pub fn check_route(&self, network: &Network, edges: &[EdgeId], class: VehicleClass) -> Result<(), String> {
        if let Some(&forbidden) = edges.iter().find(|&&edge| !self.allows(edge, class)) {
            return Err(format!("vClass '{}' may not drive on edge '{}'", class.name(), network.edge(forbidden).name));
        }
        for pair in edges.windows(2) {
            let connected = self.arcs(pair[0]).iter().any(|arc| arc.to == pair[1] && arc.allowed.allows(class));
            if !connected {
                return Err(format!(
                    "no connection from edge '{}' to edge '{}' for vClass '{}'",
                    network.edge(pair[0]).name,
                    network.edge(pair[1]).name,
                    class.name()
                ));
            }
        }
        Ok(())
    }
}

/// Follows a connection over its internal lanes. As in SUMO each of them costs the penalty that is entered without priority
/// and not by a signal: at a signal a left turn pays for its second half, where it waits for oncoming traffic.
fn arc(network: &Network, entry: LinkId) -> Arc {
    let link = network.link(entry);
    let (from, to) = (network.lane(link.from), network.lane(link.to));
    let mut allowed = from.allowed.0 & to.allowed.0;
    let (mut length_m, mut seconds, mut penalty_s) = (0.0, 0.0, 0.0);
    let mut via = [EdgeId::NONE; 2];
    let mut step = link;
    let mut lane = network.lane(step.next);
    while lane.internal {
        allowed &= lane.allowed.0;
        if let Some(free) = via.iter_mut().find(|edge| edge.is_none()) {
            *free = lane.edge;
        }
        length_m += lane.length_m;
        seconds += lane.length_m / lane.speed_mps;
        if step.signal.is_none() && !matches!(step.right_of_way, RightOfWay::Major | RightOfWay::Zipper) {
            penalty_s += MINOR_PENALTY_S;
        }
        let Some(next) = network.links_of(step.next).next() else { break };
        step = network.link(next);
        lane = network.lane(step.next);
    }
    let via_speed_mps = if seconds > 0.0 { length_m / seconds } else { to.speed_mps };
    Arc { to: to.edge, allowed: Permissions(allowed), via, via_length_m: length_m, via_speed_mps, penalty_s }
}

/// Parallel lanes give many equal arcs; one of them is enough.
fn push(arcs: &mut Vec<Arc>, begin: usize, arc: Arc) {
    let equal = arcs[begin..].iter_mut().find(|other| other.to == arc.to && other.allowed == arc.allowed);
    match equal {
        Some(other) => {
            if arc.via_length_m < other.via_length_m {
                *other = arc;
            }
        }
        None => arcs.push(arc),
    }
}
