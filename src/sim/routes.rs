//! All routes of a run: those of the demand, and those that were found while it ran.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::demand::{Demand, Route};
use crate::graph::Span;
use crate::ids::{EdgeId, RouteId};

/// The demand's routes and those appended to them. Every partition appends the same routes in the same order, so an id means
/// the same route everywhere (I1). Equal routes share one id; there are at most as many as requests for a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Routes {
    /// Of the demand's routes, then of the appended ones.
    spans: Vec<Route>,
    /// How many are the demand's.
    base: usize,
    /// Pool of the appended routes.
    edges: Vec<EdgeId>,
    /// Hash of the edges → routes with it. Derived: filled when the first route is appended.
    #[serde(skip)]
    by_hash: HashMap<u64, Vec<RouteId>>,
}

impl Routes {
    pub fn new(demand: &Demand) -> Self {
        Self { spans: demand.routes.clone(), base: demand.routes.len(), ..Self::default() }
    }

    /// How many routes there are.
    pub fn count(&self) -> usize {
        self.spans.len()
    }

    /// Edges in a route.
    #[inline]
    pub fn len(&self, id: RouteId) -> usize {
        self.spans[id.index()].len as usize
    }

    #[inline]
    pub fn edges<'a>(&'a self, demand: &'a Demand, id: RouteId) -> &'a [EdgeId] {
        let span = self.spans[id.index()].range();
        if id.index() < self.base { &demand.route_edges[span] } else { &self.edges[span] }
    }

    /// The edges of a route that may not exist.
    #[inline]
    pub fn get<'a>(&'a self, demand: &'a Demand, id: RouteId) -> Option<&'a [EdgeId]> {
        let span = self.spans.get(id.index())?.range();
        Some(if id.index() < self.base { &demand.route_edges[span] } else { &self.edges[span] })
    }

    /// Whether routes that were stored are those of the demand and appended ones, over edges below `edge_count`.
    pub fn fit(&self, demand: &Demand, edge_count: usize) -> bool {
        let is_known = self.base == demand.routes.len() && self.spans.starts_with(&demand.routes);
        let is_within = |span: &Route| {
            (1..=u32::from(u16::MAX)).contains(&span.len)
                && u64::from(span.start) + u64::from(span.len) <= self.edges.len() as u64
        };
        is_known
            && self.spans[self.base..].iter().all(is_within)
            && self.edges.iter().all(|edge| edge.index() < edge_count)
    }

    /// The id of a sequence of edges, which is appended if it is new.
    pub fn intern(&mut self, demand: &Demand, edges: &[EdgeId]) -> RouteId {
        if self.by_hash.is_empty() {
            for id in (0..self.spans.len()).map(RouteId::new) {
                let hash = hash(self.edges(demand, id));
                self.by_hash.entry(hash).or_default().push(id);
            }
        }
        let hash = hash(edges);
        let known = self.by_hash.get(&hash).into_iter().flatten();
        if let Some(id) = known.copied().find(|id| self.edges(demand, *id) == edges) {
            return id;
        }
        let id = RouteId::new(self.spans.len());
        self.spans.push(Span::new(self.edges.len(), edges.len()));
        self.edges.extend_from_slice(edges);
        self.by_hash.entry(hash).or_default().push(id);
        id
    }
}

fn hash(edges: &[EdgeId]) -> u64 {
    xxh3_64(bytemuck::cast_slice(edges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_routes_are_shared_and_do_not_shadow_those_of_the_demand() {
        let route_edges: Vec<EdgeId> = (0..6).map(EdgeId).collect();
        let demand = Demand {
            routes: vec![Span::new(0, 2), Span::new(2, 4)],
            route_edges: route_edges.clone(),
            ..Demand::default()
        };
        let mut routes = Routes::new(&demand);
        assert_eq!(routes.intern(&demand, &route_edges[2..6]), RouteId(1));
        let new = routes.intern(&demand, &route_edges[1..4]);
        assert_eq!((new, routes.count(), routes.len(new)), (RouteId(2), 3, 3));
        assert_eq!(routes.intern(&demand, &route_edges[1..4]), new);
        assert_eq!(routes.edges(&demand, new), &route_edges[1..4]);
        assert_eq!(routes.edges(&demand, RouteId(0)), &route_edges[..2]);
    }
}
