//! A part of a network as a network of its own.

use super::{Conflict, EdgeKind, Link, Network, Signal, Span};
use crate::ids::{EdgeId, JunctionId, LaneId, LinkId, SignalId};

/// Some roads of a network with the connections between them, and where things have gone.
#[derive(Clone, Debug)]
pub struct Subnetwork {
    pub network: Network,
    /// By old edge and lane: the new one, or NONE.
    pub edges: Vec<EdgeId>,
    pub lanes: Vec<LaneId>,
}

impl Subnetwork {
    /// Cuts the normal edges that are `wanted` out of a network. A connection stays if both its roads do, with its way through
    /// the junction, its right of way against the connections that stay, and its signal. Signals keep their programs and the
    /// numbering of their links.
    ///
    /// # Panics
    /// If `wanted` is not as long as `network.edges`.
    pub fn cut_out(network: &Network, wanted: &[bool]) -> Self {
        assert_eq!(wanted.len(), network.edges.len(), "one flag for each edge");
        let is_kept = kept_edges(network, wanted);
        let lane_kept: Vec<bool> = network.lanes.iter().map(|lane| is_kept[lane.edge.index()]).collect();
        let link_kept: Vec<bool> = network
            .links
            .iter()
            .map(|link| [link.from, link.next, link.to].iter().all(|lane| lane_kept[lane.index()]))
            .collect();
        let mut junction_kept = vec![false; network.junctions.len()];
        for (edge, _) in network.edges.iter().zip(&is_kept).filter(|(_, kept)| **kept) {
            (junction_kept[edge.from.index()], junction_kept[edge.to.index()]) = (true, true);
        }
        let mut signal_kept = vec![false; network.signals.len()];
        for (link, _) in network.links.iter().zip(&link_kept).filter(|(link, kept)| **kept && link.signal.is_some()) {
            signal_kept[link.signal.index()] = true;
        }
        let moved = Moved {
            edges: renumbered(&is_kept, EdgeId::new),
            lanes: renumbered(&lane_kept, LaneId::new),
            links: renumbered(&link_kept, LinkId::new),
            junctions: renumbered(&junction_kept, JunctionId::new),
            signals: renumbered(&signal_kept, SignalId::new),
        };
        let network = moved.network(network);
        let Moved { edges, lanes, .. } = moved;
        Self { network, edges, lanes }
    }
}

/// The wanted roads, and the ways through junctions between them.
fn kept_edges(network: &Network, wanted: &[bool]) -> Vec<bool> {
    let mut kept: Vec<bool> =
        network.edges.iter().zip(wanted).map(|(edge, wanted)| *wanted && edge.kind == EdgeKind::Normal).collect();
    let roads = kept.clone();
    let is_road = |lane: LaneId| roads[network.lane(lane).edge.index()];
    for link in network.links.iter().filter(|link| is_road(link.from) && is_road(link.to)) {
        let mut lane = network.lane(link.next);
        // Ways through junctions come to an end, or the reader would have refused them.
        while lane.internal {
            kept[lane.edge.index()] = true;
            let next = lane.only_link();
            if next.is_none() {
                break;
            }
            lane = network.lane(network.link(next).next);
        }
    }
    kept
}

/// New ids in the old order; NONE for what goes.
fn renumbered<I: Default>(kept: &[bool], id: impl Fn(usize) -> I) -> Vec<I> {
    let mut next = 0;
    let number = |kept: &bool| {
        next += usize::from(*kept);
        if *kept { id(next - 1) } else { I::default() }
    };
    kept.iter().map(number).collect()
}

/// Where everything goes.
struct Moved {
    edges: Vec<EdgeId>,
    lanes: Vec<LaneId>,
    links: Vec<LinkId>,
    junctions: Vec<JunctionId>,
    signals: Vec<SignalId>,
}

impl Moved {
    fn lane(&self, lane: LaneId) -> LaneId {
        if lane.is_none() { lane } else { self.lanes[lane.index()] }
    }
    fn link(&self, link: LinkId) -> LinkId {
        if link.is_none() { link } else { self.links[link.index()] }
    }

    fn network(&self, old: &Network) -> Network {
        let mut new = Network {
            location: old.location.clone(),
            class_limits: old.class_limits.clone(),
            lefthand: old.lefthand,
            ..Network::default()
        };
        for (edge, _) in old.edges.iter().zip(&self.edges).filter(|(_, id)| id.is_some()) {
            let ends = [edge.from, edge.to].map(|junction| self.junctions[junction.index()]);
            let first_lane = self.lane(edge.first_lane);
            new.edges.push(super::Edge { first_lane, from: ends[0], to: ends[1], ..edge.clone() });
        }
        // The links of a lane follow each other, before and after.
        for (link, _) in old.links.iter().zip(&self.links).filter(|(_, id)| id.is_some()) {
            let link = self.moved_link(link, old, &mut new.foe_links);
            new.links.push(link);
        }
        for (lane, _) in old.lanes.iter().zip(&self.lanes).filter(|(_, id)| id.is_some()) {
            let leaving = lane.links.range().filter(|link| self.links[*link].is_some());
            let (links, first) = (leaving.clone().count(), leaving.map(|link| self.links[link].index()).next());
            let incoming = old.incoming[lane.incoming.range()].iter().map(|link| self.link(*link));
            let incoming = pooled(&mut new.incoming, incoming.filter(|link| link.is_some()));
            let conflicts = old.conflicts[lane.conflicts.range()].iter();
            let conflicts = conflicts.map(|conflict| Conflict { foe: self.lane(conflict.foe), ..*conflict });
            let conflicts = pooled(&mut new.conflicts, conflicts.filter(|conflict| conflict.foe.is_some()));
            new.lanes.push(super::Lane {
                edge: self.edges[lane.edge.index()],
                links: Span::new(first.unwrap_or(0), links),
                entry: self.link(lane.entry),
                incoming,
                conflicts,
                shape: pooled(&mut new.points, old.points[lane.shape.range()].iter().copied()),
                ..lane.clone()
            });
        }
        let junctions = old.junctions.iter().zip(&self.junctions);
        new.junctions = junctions.filter(|(_, id)| id.is_some()).map(|(junction, _)| junction.clone()).collect();
        for (signal, _) in old.signals.iter().zip(&self.signals).filter(|(_, id)| id.is_some()) {
            let lanes = signal.lanes.iter().map(|lane| self.lane(*lane)).collect();
            new.signals.push(Signal { lanes, ..signal.clone() });
        }
        new
    }

    fn moved_link(&self, link: &Link, old: &Network, foe_links: &mut Vec<LinkId>) -> Link {
        let mut kept = |span: Span| {
            let links = old.foe_links[span.range()].iter().map(|foe| self.link(*foe));
            pooled(foe_links, links.filter(|foe| foe.is_some()))
        };
        Link {
            yields_to: kept(link.yields_to),
            foes: kept(link.foes),
            from: self.lane(link.from),
            next: self.lane(link.next),
            to: self.lane(link.to),
            junction: self.junctions[link.junction.index()],
            signal: if link.signal.is_none() { link.signal } else { self.signals[link.signal.index()] },
            ..link.clone()
        }
    }
}

fn pooled<T>(pool: &mut Vec<T>, items: impl Iterator<Item = T>) -> Span {
    let start = pool.len();
    pool.extend(items);
    Span::new(start, pool.len() - start)
}
