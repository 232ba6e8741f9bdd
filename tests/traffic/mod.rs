//! Small scenarios in which nothing is left to chance: vehicles do what they do in SUMO 1.28.

mod actuated;
mod cruise_control;
mod departures;
mod junctions;
mod lane_changes;
mod stops;

use std::fs;
use std::sync::Arc;

use crate::common::runs::{Run, Script, compare, whole};
use crate::common::scenarios::root;
use tessds::demand::Demand;
use tessds::graph::partition::random_cut;
use tessds::output::MergedStep;
use tessds::scenario::{RunConfig, load};
use tessds::sim::World;

/// A world of a network in `tests/data` and of routes and additional elements that are given here.
pub fn world(net: &str, routes: &str, additional: &str) -> Arc<World> {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the file is written");
        vec![path]
    };
    let config = RunConfig {
        net: Some(root().join("tests/data").join(net)),
        routes: write("test.rou.xml", format!("<routes>{routes}</routes>")),
        additional: write("test.add.xml", format!("<additional>{additional}</additional>")),
        ..RunConfig::default()
    };
    let scenario = load(&config, &mut Default::default()).unwrap_or_else(|error| panic!("{error}"));
    Arc::new(World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests))
}

/// The steps of a run until nobody is left, after a check that a cut gives the same.
pub fn run(world: &Arc<World>) -> Vec<MergedStep> {
    let mut whole = whole(world);
    let mut steps = Vec::new();
    while !whole.first().is_done() {
        steps.push(whole.stepped());
        assert!(steps.len() < 2000, "the run does not end");
    }
    let cut = random_cut(&world.network, 2, 5).expect("a cut");
    compare(world, &[cut], steps.len() as u64, &Script::new()).unwrap_or_else(|difference| panic!("{difference}"));
    steps
}

/// Name of a vehicle.
pub fn name(demand: &Demand, vehicle: tessds::ids::VehicleId) -> &str {
    &demand.departures[vehicle.index()].name
}
