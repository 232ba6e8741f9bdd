//! Fastest routes on the empty network, for trips at load.

use std::rc::Rc;

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

    /// Seconds along an edge that is empty.
    pub fn along_s(&self, edge: EdgeId, travel: Travel) -> f64 {
        self.roads.along_s(edge, travel)
    }

    /// The edges from one of the first list to one of the last, over one of each list between. `None`: no route.
    pub fn route_between(&mut self, way: &[Rc<[EdgeId]>], travel: Travel) -> Option<Vec<EdgeId>> {
        let (first, rest) = way.split_first()?;
        if rest.is_empty() {
            return first.iter().find(|edge| self.roads.graph.allows(**edge, travel.class)).map(|edge| vec![*edge]);
        }
        let mut edges: Vec<EdgeId> = Vec::new();
        let mut from: Rc<[EdgeId]> = Rc::clone(first);
        for to in rest {
            let leg = self.search.between(self.roads, &from, to, travel)?;
            let last = *leg.last()?;
            edges.extend_from_slice(if edges.is_empty() { &leg[..] } else { &leg[1..] });
            from = [last].into();
        }
        Some(edges)
    }
}
