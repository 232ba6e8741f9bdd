//! Routes: equal sequences of edges are stored once; named routes and distributions by id.

use std::collections::HashMap;
use std::rc::Rc;

use crate::graph::Span;
use crate::ids::{EdgeId, RouteId};

use super::stops::StopRequest;
use super::weighted::Weighted;
use super::{Demand, Route};

/// A route with the stops that belong to it.
#[derive(Clone, Debug)]
pub(super) struct StoppingRoute {
    pub id: RouteId,
    pub stops: Rc<[StopRequest]>,
}

/// What an id of a `route` or `routeDistribution` stands for.
pub(super) enum NamedRoute {
    Choice(Weighted<StoppingRoute>),
    /// The definition was bad but route errors are ignored; holds what was wrong.
    Broken(String),
}

/// Pool of all routes.
#[derive(Default)]
pub(super) struct Routes {
    routes: Vec<Route>,
    edges: Vec<EdgeId>,
    /// Hash of the edges → the route that was stored last with this hash; `same_hash` leads to the earlier ones.
    by_hash: HashMap<u64, RouteId>,
    same_hash: Vec<RouteId>,
    pub named: HashMap<Box<str>, NamedRoute>,
    /// Weights of single named routes, for distributions that refer to them.
    pub probabilities: HashMap<Box<str>, f64>,
}

impl Routes {
    /// The id of a sequence of edges.
    pub fn intern(&mut self, edges: &[EdgeId]) -> RouteId {
        let hash = hash_of(edges);
        let newest = self.by_hash.get(&hash).copied().unwrap_or(RouteId::NONE);
        let mut candidate = newest;
        while candidate.is_some() {
            if self.get(candidate) == edges {
                return candidate;
            }
            candidate = self.same_hash[candidate.index()];
        }
        let id = RouteId::new(self.routes.len());
        self.routes.push(Span::new(self.edges.len(), edges.len()));
        self.edges.extend_from_slice(edges);
        self.same_hash.push(newest);
        self.by_hash.insert(hash, id);
        id
    }

    /// Takes the routes of a demand, each of which it has once, so that more can be added; `move_into` gives them back.
    pub fn take_from(demand: &mut Demand) -> Self {
        let mut taken = Self {
            routes: std::mem::take(&mut demand.routes),
            edges: std::mem::take(&mut demand.route_edges),
            ..Self::default()
        };
        for id in (0..taken.routes.len()).map(RouteId::new) {
            let hash = hash_of(taken.get(id));
            taken.same_hash.push(taken.by_hash.insert(hash, id).unwrap_or(RouteId::NONE));
        }
        taken
    }

    pub fn get(&self, id: RouteId) -> &[EdgeId] {
        &self.edges[self.routes[id.index()].range()]
    }

    /// How many edges all routes have together.
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    pub fn move_into(self, demand: &mut Demand) {
        demand.routes = self.routes;
        demand.route_edges = self.edges;
    }
}

fn hash_of(edges: &[EdgeId]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytemuck::cast_slice(edges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sequences_of_edges_share_one_route() {
        let edges: Vec<EdgeId> = (0..10).map(EdgeId).collect();
        let mut routes = Routes::default();
        let a = routes.intern(&edges[..5]);
        let b = routes.intern(&edges[5..]);
        assert_ne!(a, b);
        assert_eq!(routes.intern(&edges[..5]), a);
        assert_eq!(routes.intern(&edges[5..]), b);
        assert_eq!(routes.get(b), &edges[5..]);
    }

    #[test]
    fn routes_that_are_taken_from_a_demand_are_known_again() {
        let edges: Vec<EdgeId> = (0..10).map(EdgeId).collect();
        let mut routes = Routes::default();
        let ids = [&edges[..5], &edges[5..]].map(|route| routes.intern(route));
        let mut demand = Demand::default();
        routes.move_into(&mut demand);
        let mut routes = Routes::take_from(&mut demand);
        assert_eq!([&edges[..5], &edges[5..]].map(|route| routes.intern(route)), ids);
        let new = routes.intern(&edges[2..7]);
        routes.move_into(&mut demand);
        assert_eq!((demand.routes.len(), demand.route(new)), (3, &edges[2..7]));
    }
}
