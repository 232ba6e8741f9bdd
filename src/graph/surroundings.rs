//! What has to be simulated around a region so that the traffic in it is right.

use super::{EdgeKind, Network};
use crate::ids::EdgeId;

/// The roads of a region, and those around that take part in its junctions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// By edge: in the region itself.
    pub is_inside: Vec<bool>,
    /// By edge: a normal edge that is simulated: in the region, or leading to or away from a junction of it.
    pub is_simulated: Vec<bool>,
}

impl Surroundings {
    /// All junctions at which the region's edges begin or end stay whole: every road that leads to them or away from them is
    /// simulated too. So right of way there is decided among the same streams as in the whole network, and the border, where
    /// vehicles come and go, is one road away from the region.
    pub fn of(network: &Network, region: &[EdgeId]) -> Self {
        let mut is_inside = vec![false; network.edges.len()];
        let mut is_whole = vec![false; network.junctions.len()];
        for &edge in region {
            is_inside[edge.index()] = true;
            let edge = network.edge(edge);
            (is_whole[edge.from.index()], is_whole[edge.to.index()]) = (true, true);
        }
        let touches = |edge: &super::Edge| is_whole[edge.from.index()] || is_whole[edge.to.index()];
        let is_simulated = network.edges.iter().map(|edge| edge.kind == EdgeKind::Normal && touches(edge)).collect();
        Self { is_inside, is_simulated }
    }

    /// Simulated edges by id.
    pub fn simulated(&self) -> Vec<EdgeId> {
        (0..self.is_simulated.len()).filter(|at| self.is_simulated[*at]).map(EdgeId::new).collect()
    }
}
