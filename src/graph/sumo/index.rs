//! Names to ids, for the readers of demand and additional files.

use std::collections::HashMap;

use crate::graph::{EdgeKind, Network};
use crate::ids::{EdgeId, JunctionId, LaneId, SignalId};

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
