//! I1 and I2: one result, whatever the cut and however often it is run; nothing lost, nothing twice, nobody inside another.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::common::demand::{Random, random_world};
use crate::common::runs::{Script, compare};
use crate::common::scenarios::{extra, helsinki, nets, resco, scenario};
use proptest::prelude::*;
use tessds::actors::recorder::Recording;
use tessds::graph::partition::{Cut, random_cut};
use tessds::roles::standalone::{Division, run};
use tessds::scenario::OutputPaths;
use tessds::scenario::cut_scenario;
use tessds::sim::World;

/// All that a run writes.
type Files = BTreeMap<&'static str, Vec<u8>>;

fn run_with(
    configuration: &Path,
    seconds: i64,
    cut: impl Fn(&tessds::scenario::Scenario) -> Cut,
) -> (Recording, Files) {
    let scenario = scenario(configuration, seconds);
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["tripinfo.xml", "summary.xml", "edgedata.xml", "lanedata.xml", "fcd.xml", "statistic.xml"];
    let [tripinfo, summary, edgedata, lanedata, fcd, statistic] = names.map(|name| Some(folder.path().join(name)));
    let paths = OutputPaths {
        tripinfo,
        tripinfo_unfinished: true,
        summary,
        edgedata,
        lanedata,
        fcd,
        statistic,
        ..OutputPaths::default()
    };
    let division = Division { cut: cut(&scenario), threads: 2, quiet: true };
    let recording = run(scenario, &paths, division).unwrap_or_else(|error| panic!("{error}"));
    let files = names.map(|name| (name, std::fs::read(folder.path().join(name)).expect("an output")));
    (recording, files.into())
}

fn check_one_result(configuration: &Path, seconds: i64) {
    let metis = |parts| move |scenario: &_| cut_scenario(scenario, parts).expect("a cut");
    let (expected, expected_files) = run_with(configuration, seconds, metis(1));
    assert!(expected.counts.inserted > 0, "nobody drives in {}", configuration.display());
    let check = |what: String, (found, files): (Recording, Files)| {
        let what = format!("{}, {what}", configuration.display());
        let digests = [&expected, &found].map(|r| format!("{:032x} after {} steps", r.digest, r.steps));
        assert_eq!(digests[0], digests[1], "{what}: digest");
        for (name, bytes) in &files {
            assert!(expected_files[name] == *bytes, "{what}: {name} differs");
        }
        assert_eq!(expected.counts, found.counts, "{what}: counts");
    };
    check("again".to_owned(), run_with(configuration, seconds, metis(1)));
    for parts in [2, 3, 5, 8] {
        check(format!("{parts} partitions"), run_with(configuration, seconds, metis(parts)));
    }
    for (parts, seed) in [(2, 11), (3, 12), (5, 13)] {
        let cut = |scenario: &tessds::scenario::Scenario| random_cut(&scenario.network, parts, seed).expect("a cut");
        check(format!("random cut {seed} into {parts}"), run_with(configuration, seconds, cut));
    }
}

#[test]
fn the_example_has_one_result() {
    check_one_result(&helsinki(), 900);
}

#[test]
fn public_scenarios_have_one_result() {
    for path in resco(&["cologne8", "ingolstadt7"]) {
        check_one_result(&path, 1200);
    }
}

#[test]
fn further_scenarios_have_one_result() {
    for path in extra() {
        check_one_result(&path, 2000);
    }
}

#[test]
fn the_example_has_one_result_at_every_step() {
    check_every_step(&helsinki(), 900);
}

#[test]
fn public_scenarios_have_one_result_at_every_step() {
    for path in resco(&["cologne8", "ingolstadt7"]) {
        check_every_step(&path, 1200);
    }
}

#[test]
fn further_scenarios_have_one_result_at_every_step() {
    for path in extra() {
        check_every_step(&path, 1500);
    }
}

fn check_every_step(configuration: &Path, seconds: u64) {
    let scenario = scenario(configuration, seconds as i64);
    let cuts = [
        cut_scenario(&scenario, 3).expect("a cut"),
        random_cut(&scenario.network, 2, 21).expect("a cut"),
        random_cut(&scenario.network, 7, 22).expect("a cut"),
    ];
    let world = World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests);
    if let Err(broken) = compare(&Arc::new(world), &cuts, seconds, &Script::new()) {
        panic!("{}: {broken}", configuration.display());
    }
}

/// One case of random demand on one of the small networks, cut at random.
fn check_random(name: &str, seed: u64, vehicles: usize, step_ms: i64) -> Result<(), String> {
    let (world, cuts) = random_world(name, vehicles, step_ms, &mut Random(seed));
    compare(&world, &cuts, 300, &Script::new())
        .map_err(|broken| format!("net {name}, seed {seed}, {vehicles} vehicles, steps of {step_ms} ms: {broken}"))
}

#[test]
fn every_kind_of_junction_has_one_result() {
    for name in nets() {
        check_random(&name, 1, 250, 1000).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_demand_has_one_result_over_random_cuts(
        name in prop::sample::select(nets()),
        seed in any::<u64>(),
        vehicles in 1..400usize,
        step_ms in prop::sample::select(vec![1000, 1000, 500, 200]),
    ) {
        check_random(&name, seed, vehicles, step_ms).map_err(TestCaseError::fail)?;
    }
}
