//! Puts a draft together again.

use super::draft::Draft;
use crate::graph::{Conflict, Lane, Link, Network, Span};
use crate::ids::{EdgeId, LaneId, LinkId};

/// Where lanes and links are in the network that is made, by their keys.
struct Numbers {
    lanes: Vec<LaneId>,
    links: Vec<LinkId>,
}

impl Draft {
    /// The network, and by the key of each lane where it is there; NONE for those that were taken out.
    pub fn assemble(&self) -> (Network, Vec<LaneId>) {
        let mut network = self.frame();
        network.junctions.clone_from(&self.junctions);
        let mut numbers =
            Numbers { lanes: vec![LaneId::NONE; self.lanes.len()], links: vec![LinkId::NONE; self.links.len()] };
        for draft in &self.edges {
            let mut edge = draft.edge.clone();
            edge.first_lane = LaneId::new(network.lanes.len());
            edge.lane_count = draft.lanes.len() as u32;
            edge.length_m = draft.lanes.iter().map(|key| self.lanes[*key].lane.length_m).fold(0.0, f64::max);
            for (index, &key) in draft.lanes.iter().enumerate() {
                numbers.lanes[key] = LaneId::new(network.lanes.len());
                let edge = EdgeId::new(network.edges.len());
                let lane = self.bare_lane(key, edge, index as u32, &mut network);
                network.lanes.push(lane);
            }
            network.edges.push(edge);
        }
        self.link_lanes(&mut network, &mut numbers);
        network.list_incoming();
        self.settle_right_of_way(&mut network, &numbers);
        self.list_conflicts(&mut network, &numbers);
        self.list_signals(&mut network);
        (network, numbers.lanes)
    }

    fn bare_lane(&self, key: usize, edge: EdgeId, index: u32, network: &mut Network) -> Lane {
        let draft = &self.lanes[key];
        let shape = Span::new(network.points.len(), draft.shape.len());
        network.points.extend_from_slice(&draft.shape);
        let (links, incoming, conflicts) = (Span::default(), Span::default(), Span::default());
        Lane { edge, index, links, entry: LinkId::NONE, incoming, conflicts, shape, ..draft.lane.clone() }
    }

    /// Links are grouped by the lane that they leave, in the order in which they came.
    fn link_lanes(&self, network: &mut Network, numbers: &mut Numbers) {
        let mut keys: Vec<usize> = (0..self.links.len()).filter(|key| !self.links[*key].removed).collect();
        keys.sort_by_key(|key| numbers.lanes[self.links[*key].from]);
        for (at, &key) in keys.iter().enumerate() {
            numbers.links[key] = LinkId::new(at);
            let draft = &self.links[key];
            let lane = |key: usize| numbers.lanes[key];
            let link = Link {
                from: lane(draft.from),
                next: lane(draft.next),
                to: lane(draft.to),
                yields_to: Span::default(),
                foes: Span::default(),
                watched: false,
                ..draft.link.clone()
            };
            let leaving = &mut network.lanes[link.from.index()].links;
            if leaving.is_empty() {
                *leaving = Span::new(at, 0);
            }
            leaving.len += 1;
            if network.lanes[link.next.index()].internal {
                network.lanes[link.next.index()].entry = LinkId::new(at);
            }
            network.links.push(link);
        }
    }

    fn settle_right_of_way(&self, network: &mut Network, numbers: &Numbers) {
        let mut order = vec![usize::MAX; network.links.len()];
        for (key, link) in numbers.links.iter().enumerate().filter(|(_, link)| link.is_some()) {
            order[link.index()] = key;
        }
        for (at, key) in order.into_iter().enumerate() {
            let link = &network.links[at];
            if link.exit || link.request == u32::MAX {
                continue;
            }
            let entries = |ways: &[usize]| -> Vec<LinkId> {
                let links = ways.iter().filter_map(|way| self.ways[*way].first());
                links.map(|key| numbers.links[*key]).filter(|link| link.is_some()).collect()
            };
            let (yields_to, foes) = (entries(&self.links[key].yields_to), entries(&self.links[key].foes));
            network.set_right_of_way(LinkId::new(at), &yields_to, &foes);
        }
    }

    fn list_conflicts(&self, network: &mut Network, numbers: &Numbers) {
        let mut keys = vec![usize::MAX; network.lanes.len()];
        for (key, lane) in numbers.lanes.iter().enumerate().filter(|(_, lane)| lane.is_some()) {
            keys[lane.index()] = key;
        }
        for (at, key) in keys.into_iter().enumerate() {
            let start = network.conflicts.len();
            let moved = |(foe, conflict): &(usize, Conflict)| Conflict { foe: numbers.lanes[*foe], ..*conflict };
            network.conflicts.extend(self.lanes[key].conflicts.iter().map(moved).filter(|c| c.foe.is_some()));
            if network.conflicts.len() > start {
                network.lanes[at].conflicts = Span::new(start, network.conflicts.len() - start);
            }
        }
    }

    /// The lanes before each signal, by link index, as the reader lists them.
    fn list_signals(&self, network: &mut Network) {
        network.signals.clone_from(&self.signals);
        let lanes = self.signals.iter().map(|signal| vec![LaneId::NONE; signal.lanes.len()]);
        let lanes = network.signalled_lanes(lanes.collect());
        for (signal, lanes) in network.signals.iter_mut().zip(lanes) {
            signal.lanes = lanes.into();
        }
    }
}
