//! Small scenarios in which nothing is left to chance: vehicles do what they do in SUMO 1.28.

#[path = "../common/mod.rs"]
mod common;

mod actuated;

use std::fs;
use std::sync::Arc;

use common::scenarios::root;
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
