//! What workers read instead of XML: the same scenario, and the same run.

use std::path::Path;
use std::sync::Arc;

use crate::common::demand::random_walks;
use crate::common::runs::Run;
use crate::common::scenarios::{extra, helsinki, net, nets, scenario};
use tessds::graph::partition::random_cut;
use tessds::scenario::{CompiledScenario, OutputRequests, Revision, Scenario, Settings};
use tessds::sim::World;
use tessds::simulation::Simulation;

fn compiled(scenario: Scenario) -> CompiledScenario {
    let cut = random_cut(&scenario.network, 3, 5).expect("a cut");
    let Scenario { network, demand, settings, requests } = scenario;
    CompiledScenario {
        network: Arc::new(network),
        demand: Arc::new(demand),
        settings,
        requests,
        cut,
        revision: Revision::default(),
    }
}

/// Digests of the steps of a run over the cut.
fn digests(scenario: &CompiledScenario, steps: usize) -> Vec<u128> {
    let CompiledScenario { network, demand, settings, requests, cut, .. } = scenario.clone();
    let world = Arc::new(World::new(network, demand, settings, requests));
    let mut run = Simulation::from_world(&world, &cut);
    (0..steps).map(|_| run.stepped().digest).collect()
}

fn check(what: &str, scenario: &CompiledScenario) {
    let bytes = scenario.encode();
    assert_eq!(bytes, scenario.encode(), "{what}: equal scenarios give equal bytes");
    let read = CompiledScenario::decode(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    // Bytes show every bit of every number.
    assert!(read.encode() == bytes, "{what}: the scenario changed");
    assert_eq!(digests(scenario, 100), digests(&read, 100), "{what}: the run changed");
}

#[test]
fn the_example_is_the_same_scenario_after_compiling() {
    check("helsinki", &compiled(scenario(&helsinki(), 900)));
}

#[test]
fn every_kind_of_junction_and_departure_is_the_same_after_compiling() {
    for name in nets() {
        let network = net(&name);
        let demand = random_walks(&network, 150, 100, 3);
        let (settings, requests) = (Settings::default(), OutputRequests::default());
        check(&name, &compiled(Scenario { network, demand, settings, requests }));
    }
}

/// Times and sizes, for `docs/performance.md`: `cargo test --release --test integration -- --ignored --nocapture compiled::`, with the
/// folder of a scenario in `TESSDS_EXTRA_SCENARIOS`.
#[test]
#[ignore = "a measurement"]
fn compiling_takes_this_long() {
    for path in extra().iter().map(|path| path.as_path()).chain([helsinki().as_path()]) {
        measure(path);
    }
}

fn measure(path: &Path) {
    let scenario = compiled(scenario(path, 900));
    let started = std::time::Instant::now();
    let bytes = scenario.encode();
    let encoded = started.elapsed();
    let read = CompiledScenario::decode(&bytes).expect("an encoded scenario");
    let decoded = started.elapsed() - encoded;
    let (lanes, vehicles) = (read.network.lanes.len(), read.demand.departures.len());
    println!(
        "{}: {lanes} lanes, {vehicles} vehicles, {} bytes, encoded in {encoded:?}, decoded in {decoded:?}",
        path.display(),
        bytes.len()
    );
}
