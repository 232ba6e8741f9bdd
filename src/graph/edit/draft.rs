//! A network taken apart, so that parts can be put in and taken out. Lanes, links and ways are known by keys: their old
//! numbers, and new ones after these.

use super::error::EditError;
use crate::graph::{ClassLimits, Conflict, Edge, EdgeKind, Junction, Lane, Link, Location, Network, Signal};
use crate::ids::{EdgeId, JunctionId, LaneId, LinkId};

/// An edge with its lanes, rightmost first.
#[derive(Clone, Debug)]
pub(super) struct EdgeDraft {
    pub edge: Edge,
    pub lanes: Vec<usize>,
    /// Gets connections at the end if nobody gives it any.
    pub connects: bool,
}

/// A lane; spans and ids in `lane` mean nothing before all is put together.
#[derive(Clone, Debug)]
pub(super) struct LaneDraft {
    pub lane: Lane,
    pub edge: EdgeId,
    pub shape: Vec<[f32; 2]>,
    /// `foe` is unused; the key of the other lane stands beside it.
    pub conflicts: Vec<(usize, Conflict)>,
}

/// A step of a way; lanes by their keys.
#[derive(Clone, Debug)]
pub(super) struct LinkDraft {
    pub link: Link,
    pub from: usize,
    pub next: usize,
    pub to: usize,
    /// Ways.
    pub yields_to: Vec<usize>,
    pub foes: Vec<usize>,
    pub removed: bool,
}

/// The taken-apart network.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub edges: Vec<EdgeDraft>,
    pub lanes: Vec<LaneDraft>,
    pub links: Vec<LinkDraft>,
    /// Each connection: the links of its way, the entry first.
    pub ways: Vec<Vec<usize>>,
    pub junctions: Vec<Junction>,
    pub signals: Vec<Signal>,
    location: Location,
    class_limits: Vec<ClassLimits>,
    lefthand: bool,
    /// Ways through junctions have lanes of their own.
    pub has_internal: bool,
}

impl Draft {
    pub fn of(network: &Network) -> Self {
        let edges = network.edges.iter().map(|edge| EdgeDraft {
            edge: edge.clone(),
            lanes: edge.lanes().map(LaneId::index).collect(),
            connects: false,
        });
        let lanes = network.lanes.iter().map(|lane| LaneDraft {
            lane: lane.clone(),
            edge: lane.edge,
            shape: network.points[lane.shape.range()].to_vec(),
            conflicts: network.conflicts[lane.conflicts.range()].iter().map(|c| (c.foe.index(), *c)).collect(),
        });
        let (ways, way_of_entry) = ways(network);
        let foes = |span: crate::graph::Span| {
            let links = network.foe_links[span.range()].iter();
            links.map(|link| way_of_entry[link.index()]).filter(|way| *way != usize::MAX).collect()
        };
        let links = network.links.iter().map(|link| LinkDraft {
            from: link.from.index(),
            next: link.next.index(),
            to: link.to.index(),
            yields_to: foes(link.yields_to),
            foes: foes(link.foes),
            removed: false,
            link: link.clone(),
        });
        Self {
            edges: edges.collect(),
            lanes: lanes.collect(),
            links: links.collect(),
            ways,
            junctions: network.junctions.clone(),
            signals: network.signals.clone(),
            location: network.location.clone(),
            class_limits: network.class_limits.clone(),
            lefthand: network.lefthand,
            has_internal: network.edges.iter().any(Edge::is_internal),
        }
    }

    /// A network with nothing in it but what has no parts.
    pub fn frame(&self) -> Network {
        Network {
            location: self.location.clone(),
            class_limits: self.class_limits.clone(),
            lefthand: self.lefthand,
            ..Network::default()
        }
    }

    // Names.

    pub fn edge(&self, name: &str) -> Result<EdgeId, EditError> {
        let is_it = |draft: &EdgeDraft| draft.edge.kind == EdgeKind::Normal && &*draft.edge.name == name;
        self.edges.iter().position(is_it).map(EdgeId::new).ok_or_else(|| EditError::no_such("edge", name))
    }

    pub fn junction(&self, name: &str) -> Result<JunctionId, EditError> {
        let found = self.junctions.iter().position(|junction| &*junction.name == name);
        found.map(JunctionId::new).ok_or_else(|| EditError::no_such("junction", name))
    }

    /// Edge, and index of the lane.
    pub fn lane(&self, name: &str) -> Result<(EdgeId, u32), EditError> {
        let unknown = || EditError::no_such("lane", name);
        let (edge, index) = crate::graph::sumo::split_lane_name(name).ok_or_else(unknown)?;
        let edge = self.edge(edge).map_err(|_| unknown())?;
        if index as usize >= self.at(edge).lanes.len() {
            return Err(unknown());
        }
        Ok((edge, index))
    }

    pub fn at(&self, edge: EdgeId) -> &EdgeDraft {
        &self.edges[edge.index()]
    }

    pub fn name(&self, edge: EdgeId) -> String {
        self.at(edge).edge.name.to_string()
    }

    /// Key of a lane of an edge.
    pub fn lane_of(&self, edge: EdgeId, index: u32) -> Result<usize, EditError> {
        let lanes = &self.at(edge).lanes;
        lanes.get(index as usize).copied().ok_or_else(|| EditError::NoSuchLane {
            edge: self.name(edge),
            lane: index,
            count: lanes.len() as u32,
        })
    }

    pub fn lane_name(&self, key: usize) -> String {
        let edge = self.lanes[key].edge;
        let index = self.at(edge).lanes.iter().position(|lane| *lane == key).unwrap_or(0);
        format!("{}_{index}", self.at(edge).edge.name)
    }

    // Ways.

    /// The entry of a way that was not removed.
    pub fn entry(&self, way: usize) -> Option<&LinkDraft> {
        let entry = &self.links[*self.ways[way].first()?];
        (!entry.removed).then_some(entry)
    }

    /// Ways that are there, through a junction.
    pub fn ways_at(&self, junction: JunctionId) -> impl Iterator<Item = usize> + '_ {
        (0..self.ways.len()).filter(move |way| self.entry(*way).is_some_and(|entry| entry.link.junction == junction))
    }

    /// Ways that are there, from or to a lane that is asked for.
    pub fn ways_between(&self, wanted: impl Fn(&LinkDraft) -> bool) -> Vec<usize> {
        (0..self.ways.len()).filter(|way| self.entry(*way).is_some_and(&wanted)).collect()
    }

    /// Keys of the lanes inside the junction.
    pub fn inside(&self, way: usize) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.ways[way].iter().map(|link| self.links[*link].next).filter(|lane| self.lanes[*lane].lane.internal)
    }

    /// Roads that leave a junction (or lead to it).
    pub fn roads(&self, is_wanted: impl Fn(&Edge) -> bool) -> Vec<EdgeId> {
        let is_road = |draft: &EdgeDraft| draft.edge.kind == EdgeKind::Normal && is_wanted(&draft.edge);
        (0..self.edges.len()).filter(|at| is_road(&self.edges[*at])).map(EdgeId::new).collect()
    }
}

/// The links of each connection; by link, the way that it is the entry of, or `usize::MAX`.
fn ways(network: &Network) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut ways = Vec::new();
    let mut way_of_entry = vec![usize::MAX; network.links.len()];
    for (at, link) in network.links.iter().enumerate().filter(|(_, link)| link.is_entry(network)) {
        way_of_entry[at] = ways.len();
        let mut way = vec![at];
        let mut lane = link.next;
        // Ways come out of their junctions; the reader sees to it.
        while network.lane(lane).internal && way.len() < network.links.len() {
            let next: LinkId = network.lane(lane).only_link();
            if next.is_none() {
                break;
            }
            way.push(next.index());
            lane = network.link(next).next;
        }
        ways.push(way);
    }
    (ways, way_of_entry)
}
