//! Fastest routes on the empty network, for trips at load.

use crate::graph::Network;
use crate::ids::EdgeId;

use super::RoadGraph;
use super::route_search::{Roads, RouteSearch, Travel};

/// A [`RouteSearch`] with the roads that it searches.
pub struct Router<'n> {
    roads: Roads<'n>,
    search: RouteSearch,
}

impl<'n> Router<'n> {
    pub fn new(network: &'n Network, graph: &'n RoadGraph) -> Self {
        Self { roads: Roads { network, graph, delays: None }, search: RouteSearch::new(network, graph) }
    }

    /// The edges from `from` to `to`, both included, over all of `via` in order. `Err` holds the leg that has no route.
    pub fn route(
        &mut self,
        from: EdgeId,
        via: &[EdgeId],
        to: EdgeId,
        travel: Travel,
    ) -> Result<Vec<EdgeId>, (EdgeId, EdgeId)> {
        self.search.route(self.roads, from, via, to, travel)
    }
}
