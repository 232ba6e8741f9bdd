//! Whatever is edited, the network holds together, and has one result.

use std::sync::Arc;

use proptest::prelude::*;
use tessds::demand::fit_demand;
use tessds::diagnostics::Warnings;
use tessds::graph::Network;
use tessds::graph::edit::{Edit, EditedNetwork, LaneLook};
use tessds::graph::partition::{Cut, most_parts, random_cut};
use tessds::roles::standalone::{Division, run};
use tessds::scenario::{CompiledScenario, OutputPaths, OutputRequests, Revision, Scenario, Settings};
use tessds::sim::World;

use super::random::{new_edge, random_edit, roads};
use crate::common::demand::{Random, random_walks, rerouting};
use crate::common::runs::{Script, compare};
use crate::common::scenarios::{net, nets};

/// As many edits as are possible of `tries` random ones, in messages of one to three.
fn edit_at_random(network: &Network, tries: usize, random: &mut Random) -> (EditedNetwork, usize) {
    let mut edited = EditedNetwork::new(network);
    let mut done = 0;
    for number in 0..tries {
        let edits: Vec<Edit> =
            (0..1 + random.below(3)).map(|i| random_edit(&edited.network, 10 * number + i, random)).collect();
        let before = rmp_serde::to_vec(&edited.network).expect("plain data");
        match edited.apply(&edits) {
            Ok(()) => done += edits.len(),
            Err(_) => {
                let after = rmp_serde::to_vec(&edited.network).expect("plain data");
                assert!(before == after, "a message that is refused changes nothing");
            }
        }
    }
    (edited, done)
}

fn settings(seed: u64) -> Settings {
    Settings { seed, end_ms: Some(100_000), time_to_teleport_ms: Some(60_000), ..Settings::default() }
}

/// The number of edits that were possible.
fn check_random_edits(name: &str, seed: u64) -> usize {
    let case = format!("{name}, seed {seed}");
    let mut random = Random(seed);
    let network = net(name);
    let mut demand = random_walks(&network, 200, 60, random.next());
    let (edited, done) = edit_at_random(&network, 12, &mut random);
    let EditedNetwork { network: after, lanes } = edited;
    let vehicles = demand.departures.len();
    let adapted = fit_demand(&mut demand, &network, &after, &lanes);
    assert_eq!(vehicles as u64, demand.departures.len() as u64 + adapted.discarded, "{case}");
    let settings =
        Settings { rerouting: [None, Some(rerouting())][random.below(2)].clone(), ..settings(random.next()) };
    let parts = 3.min(most_parts(&after));
    let cut = random_cut(&after, parts, random.next()).expect("a cut");
    // Decoding checks every index.
    let compiled = CompiledScenario {
        network: Arc::new(after.clone()),
        demand: Arc::new(demand.clone()),
        settings: settings.clone(),
        requests: OutputRequests::default(),
        cut: cut.clone(),
        revision: Revision::default(),
    };
    CompiledScenario::decode(&compiled.encode()).unwrap_or_else(|error| panic!("{case}: {error}"));
    let world = Arc::new(World::new(after, demand, settings, OutputRequests::default()));
    compare(&world, &[cut], 100, &Script::new()).unwrap_or_else(|broken| panic!("{case}: {broken}"));
    done
}

#[test]
fn random_edits_give_networks_whose_indices_hold_and_that_have_one_result() {
    let done: usize = nets().iter().zip(77..).map(|(name, seed)| check_random_edits(name, seed)).sum();
    assert!(done > 50, "only {done} edits were possible");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_edits_give_networks_whose_indices_hold_and_that_have_one_result(
        name in prop::sample::select(nets()), seed in any::<u64>()
    ) {
        check_random_edits(&name, seed);
    }
}

fn digest(network: Network, vehicles: u64, edits: &[Vec<Edit>], parts: u32) -> u128 {
    let demand = random_walks(&network, 200, 60, vehicles);
    let mut edited = EditedNetwork::new(&network);
    edits.iter().for_each(|edits| edited.apply(edits).unwrap_or_else(|error| panic!("{error}")));
    let scenario = Scenario { network, demand, settings: settings(3), requests: OutputRequests::default() };
    let scenario = scenario.edited(edited, &mut Warnings::default());
    let cut = if parts == 1 {
        Cut::whole(&scenario.network)
    } else {
        random_cut(&scenario.network, parts, 5).expect("a cut")
    };
    let recording = run(scenario, &OutputPaths::default(), Division { cut, threads: 1, quiet: true });
    recording.unwrap_or_else(|error| panic!("{error}")).digest
}

#[test]
fn what_is_added_and_removed_again_leaves_the_result_of_the_unedited_network() {
    for (case, name) in nets().iter().enumerate() {
        let network = net(name);
        let mut random = Random(case as u64);
        let roads = roads(&network);
        let mut edits: Vec<Vec<Edit>> = Vec::new();
        let mut remove: Vec<Vec<Edit>> = Vec::new();
        for number in 0..4 {
            let edge = network.edge(*random.pick(&roads));
            let id = format!("new{number}");
            let (from, to) = (&network.junctions[edge.to.index()], &network.junctions[edge.from.index()]);
            let mut probe = EditedNetwork::new(&network);
            let add = new_edge(&id, &from.name, &to.name, 2);
            if probe.apply(std::slice::from_ref(&add)).is_ok() {
                edits.push(vec![add]);
                remove.push(vec![Edit::RemoveEdge { edge: id }]);
            }
        }
        let edge = network.edge(*random.pick(&roads));
        let (name_of_edge, count) = (edge.name.to_string(), edge.lane_count);
        let add = Edit::AddLane { edge: name_of_edge.clone(), index: None, look: LaneLook::default(), connect: true };
        if EditedNetwork::new(&network).apply(std::slice::from_ref(&add)).is_ok() {
            edits.push(vec![add]);
            remove.push(vec![Edit::RemoveLane { lane: format!("{name_of_edge}_{count}") }]);
        }
        assert!(edits.len() > 1, "nothing can be added to {name}");
        let expected = digest(network.clone(), 9, &[], 1);
        edits.extend(remove.into_iter().rev());
        for parts in [1, 3] {
            let found = digest(network.clone(), 9, &edits, parts);
            assert_eq!(format!("{expected:032x}"), format!("{found:032x}"), "{name} in {parts} partitions");
        }
    }
}
