//! Orders of operators: the same result for every cut and after every restore (I1, I2), and what each of them does.

mod checks;
mod effects;
mod one_result;
mod signals;

use std::sync::Arc;

use crate::common::runs::Script;
use crate::common::scenarios::root;
use tessds::demand::RouteOrigin;
use tessds::ids::{EdgeId, LaneId};
use tessds::scenario::{RunConfig, load};
use tessds::sim::{Order, World};

/// Two ways from `in` to `out`: the faster one over `an nb`, the slower one over `as sb`.
pub fn two_ways() -> Arc<World> {
    let data = root().join("tests/data/two_ways");
    let config = RunConfig {
        net: Some(data.join("two_ways.net.xml")),
        routes: vec![data.join("two_ways.rou.xml")],
        ..RunConfig::default()
    };
    let scenario = load(&config, &mut Default::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut demand = scenario.demand;
    // Vehicles with routes of their own, so that only orders send them elsewhere.
    demand.departures.iter_mut().for_each(|departure| {
        departure.route_origin = RouteOrigin::Given;
        departure.has_rerouting_device = false;
        departure.via = Default::default();
    });
    demand.departures.remove(0);
    Arc::new(World::new(scenario.network, demand, scenario.settings, scenario.requests))
}

pub fn edge(world: &World, name: &str) -> EdgeId {
    let at = world.network.edges.iter().position(|edge| &*edge.name == name).expect("an edge of the network");
    EdgeId::new(at)
}

pub fn lanes(world: &World, name: &str) -> Vec<LaneId> {
    world.network.edge(edge(world, name)).lanes().collect()
}

pub fn script<const N: usize>(orders: [(u64, Vec<Order>); N]) -> Arc<Script> {
    Arc::new(Script::from(orders))
}
