//! Names to ids, for the readers of demand and additional files.

use std::collections::HashMap;

use crate::graph::{EdgeKind, Network};
use crate::ids::{EdgeId, JunctionId, LaneId, SignalId};
use crate::suggest::{did_you_mean, nearest};
use crate::xml::shorten;

/// Looks up the objects of a finished network by their SUMO ids.
#[derive(Debug, Default)]
pub struct NetworkIndex {
    edges: HashMap<Box<str>, EdgeId>,
    /// First lane and number of lanes of each edge.
    lanes: Vec<(LaneId, u32)>,
    junctions: HashMap<Box<str>, JunctionId>,
    signals: HashMap<Box<str>, SignalId>,
}

impl NetworkIndex {
    pub fn new(network: &Network) -> Self {
        Self {
            edges: network
                .edges
                .iter()
                .enumerate()
                .filter(|(_, e)| e.kind != EdgeKind::Removed)
                .map(|(i, e)| (e.name.clone(), EdgeId::new(i)))
                .collect(),
            lanes: network.edges.iter().map(|e| (e.first_lane, e.lane_count)).collect(),
            junctions: network
                .junctions
                .iter()
                .enumerate()
                .map(|(i, j)| (j.name.clone(), JunctionId::new(i)))
                .collect(),
            signals: network.signals.iter().enumerate().map(|(i, s)| (s.name.clone(), SignalId::new(i))).collect(),
        }
    }

    pub fn edge(&self, name: &str) -> Option<EdgeId> {
        self.edges.get(name).copied()
    }

    /// A lane by `edge_index`, for example `"gneE3_0"`.
    pub fn lane(&self, name: &str) -> Option<LaneId> {
        let (edge, index) = split_lane_name(name)?;
        let (first, count) = self.lanes[self.edge(edge)?.index()];
        (index < count).then(|| LaneId(first.0 + index))
    }

    /// What is wrong with the name of an edge that is not there, and which may be meant.
    pub fn unknown_edge(&self, name: &str) -> String {
        format!("edge '{}' is not in the network{}", shorten(name), did_you_mean(name, self.road_names()))
    }

    /// What is wrong with the name of a lane that is not there, and which may be meant.
    pub fn unknown_lane(&self, name: &str) -> String {
        let shown = shorten(name);
        let message = |more: String| format!("lane '{shown}' is not in the network{more}");
        let Some((edge, index)) = split_lane_name(name) else { return message(self.lanes_of(name)) };
        match self.edge(edge) {
            Some(_) => message(self.lanes_of(edge)),
            None => message(
                nearest(edge, self.road_names())
                    .map_or_else(String::new, |meant| format!("; did you mean '{meant}_{index}'?")),
            ),
        }
    }

    /// The lanes that an edge has, for the end of a message.
    fn lanes_of(&self, edge: &str) -> String {
        let Some(found) = self.edge(edge) else { return String::new() };
        match self.lanes[found.index()].1 {
            1 => format!("; the edge has the lane {edge}_0"),
            count => format!("; the edge has the lanes {edge}_0 to {edge}_{}", count - 1),
        }
    }

    /// Names of edges that are not inside of junctions, in order.
    fn road_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.edges.keys().map(|name| &**name).filter(|name| !name.starts_with(':')).collect();
        names.sort_unstable();
        names
    }

    pub fn junction(&self, name: &str) -> Option<JunctionId> {
        self.junctions.get(name).copied()
    }

    pub fn signal(&self, name: &str) -> Option<SignalId> {
        self.signals.get(name).copied()
    }
}

/// Edge name and index of a lane name. Only the canonical form is taken (`e_1`, not `e_01` or `e_+1`).
pub(in crate::graph) fn split_lane_name(name: &str) -> Option<(&str, u32)> {
    let (edge, index) = name.rsplit_once('_')?;
    let canonical = index == "0" || (!index.starts_with('0') && index.bytes().all(|b| b.is_ascii_digit()));
    if !canonical {
        return None;
    }
    Some((edge, index.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::split_lane_name;

    #[test]
    fn lane_names_end_in_a_canonical_index() {
        assert_eq!(split_lane_name("a_b_12"), Some(("a_b", 12)));
        assert_eq!(split_lane_name(":J_0_0"), Some((":J_0", 0)));
        for bad in ["a", "a_", "a_01", "a_+1", "a_x", "a_99999999999", ""] {
            assert_eq!(split_lane_name(bad), None, "{bad}");
        }
    }
}
