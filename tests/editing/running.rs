//! Edits of a network in which traffic drives.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tessds::graph::edit::{Edit, EditedNetwork};
use tessds::graph::partition::{Cut, most_parts, random_cut};
use tessds::scenario::{OutputRequests, Settings};
use tessds::sim::{EditTally, World};

use super::random::{new_edge, random_edit, roads};
use crate::common::demand::{Random, random_walks, rerouting};
use crate::common::runs::{Run, whole};
use crate::common::scenarios::{net, nets};
use tessds::simulation::Simulation;

const EDITED_AT: u64 = 60;

fn world(name: &str, seed: u64) -> Arc<World> {
    let network = net(name);
    let demand = random_walks(&network, 250, 100, seed);
    let rerouting = [None, Some(rerouting())][seed as usize % 2].clone();
    let teleport = Some(60_000);
    let settings =
        Settings { seed, end_ms: Some(400_000), time_to_teleport_ms: teleport, rerouting, ..Settings::default() };
    Arc::new(World::new(network, demand, settings, OutputRequests::default()))
}

/// Where everybody is, by names.
fn places(run: &Simulation) -> BTreeMap<u32, (String, u64, u64)> {
    let world = run.first().world();
    let place = |(id, (lane, vehicle)): (tessds::ids::VehicleId, (_, tessds::sim::Vehicle))| {
        (id.0, (world.network.lane_name(lane), vehicle.pos_m.to_bits(), vehicle.speed_mps.to_bits()))
    };
    run.by_id().into_iter().map(place).collect()
}

#[test]
fn who_drives_on_roads_that_are_not_edited_is_not_disturbed() {
    for (case, name) in nets().iter().enumerate() {
        let world = world(name, 10 + case as u64);
        let cut = random_cut(&world.network, 3.min(most_parts(&world.network)), 3).expect("a cut");
        let (mut plain, mut run) = (whole(&world), Simulation::from_world(&world, &cut));
        for _ in 0..EDITED_AT {
            plain.stepped();
            run.stepped();
        }
        let ends = &world.network.junctions;
        let Edit::AddEdge(mut edge) = new_edge("new", &ends[0].name, &ends[ends.len() - 1].name, 2) else { continue };
        edge.connect = false;
        edge.look.speed_mps = Some(5.0);
        let mut edited = EditedNetwork::new(&world.network);
        edited.apply(&[Edit::AddEdge(edge)]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (mut run, tally) = run.edited(&edited).expect("edits below nothing that is measured");
        assert_eq!((tally.discarded, tally.rerouted), (0, 0), "{name}");
        for step in EDITED_AT..EDITED_AT + 120 {
            let (expected, found) = (plain.stepped(), run.stepped());
            assert_eq!(expected.counts, found.counts, "{name}, step {step}");
            assert!(places(&plain) == places(&run), "{name}, step {step}");
            assert_eq!(expected.digest, found.digest, "{name}, step {step}");
        }
    }
}

/// Edits under traffic, on one partition and on several; what became of vehicles.
fn check_edits_under_traffic(name: &str, seed: u64) -> EditTally {
    let case = format!("{name}, seed {seed}");
    let mut random = Random(seed);
    let world = world(name, random.next() >> 1);
    let mut edited = EditedNetwork::new(&world.network);
    let busy = world.network.edge(*random.pick(&roads(&world.network))).name.to_string();
    edited.apply(&[Edit::RemoveEdge { edge: busy }]).expect("a road");
    for number in 0..8 {
        let edit = random_edit(&edited.network, number, &mut random);
        // Programs are looked at where signals are.
        if !matches!(edit, Edit::SetProgram(_)) {
            drop(edited.apply(&[edit]));
        }
    }
    let parts = 3.min(most_parts(&edited.network)).min(most_parts(&world.network));
    let cuts = [Cut::whole(&world.network), random_cut(&world.network, parts, random.next()).expect("a cut")];
    let mut runs = cuts.clone().map(|cut| Simulation::from_world(&world, &cut));
    for _ in 0..EDITED_AT {
        runs.iter_mut().for_each(|run| drop(run.stepped()));
    }
    let mut tallies = Vec::new();
    for run in &mut runs {
        let (after, tally) = run.edited(&edited).expect("edits below nothing that is measured");
        *run = after;
        tallies.push(tally);
    }
    assert_eq!(tallies[0], tallies[1], "{case}");
    for step in EDITED_AT..EDITED_AT + 120 {
        let [expected, found] = [0, 1].map(|at| runs[at].stepped());
        runs[0].check(&expected).unwrap_or_else(|broken| panic!("{case}, step {step}: {broken}"));
        assert!(expected == found, "{case}, step {step}: {:?} {:?}", expected.counts, found.counts);
        assert!(runs[0].by_id() == runs[1].by_id(), "{case}, step {step}");
    }
    tallies[0]
}

#[test]
fn whatever_is_edited_while_vehicles_drive_has_one_result_and_loses_nobody() {
    let (mut discarded, mut rerouted) = (0, 0);
    for (name, seed) in nets().iter().zip(500..) {
        let tally = check_edits_under_traffic(name, seed);
        (discarded, rerouted) = (discarded + tally.discarded, rerouted + tally.rerouted);
    }
    assert!(discarded > 10 && rerouted > 10, "{discarded} discarded, {rerouted} rerouted");
}

/// A vehicle whose tail is still on the way of a connection that an edit takes.
#[test]
fn a_tail_may_be_where_a_connection_was() {
    check_edits_under_traffic("turn_lanes", 7729179763660726706);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_edits_under_traffic_have_one_result_and_lose_nobody(
        name in prop::sample::select(nets()), seed in any::<u64>()
    ) {
        check_edits_under_traffic(&name, seed);
    }
}
