//! Cuts by hand: what is given stays, the rest is filled in, and no result depends on any of it.

use std::path::PathBuf;
use std::sync::Arc;

use tessds::graph::partition::{CutError, CutWeights};
use tessds::graph::{Assignment, EdgeKind, Network};
use tessds::roles::cutting::{Hosts, cut_as_asked};
use tessds::scenario::{OutputRequests, Settings};
use tessds::settings::PartitionSettings;
use tessds::sim::World;

use crate::common::demand::{Random, random_walks};
use crate::common::runs::{Script, compare};
use crate::common::scenarios::{helsinki, net, nets, scenario};

/// Gives each edge to a partition at random, or leaves it open; `share` of ten are given.
fn at_random(network: &Network, parts: u32, share: usize, seed: u64) -> Assignment {
    let mut random = Random(seed);
    let mut part_of_edge: Vec<Option<u16>> = network
        .edges
        .iter()
        .map(|edge| {
            let part = random.below(parts as usize) as u16;
            (edge.kind == EdgeKind::Normal && random.below(10) < share).then_some(part)
        })
        .collect();
    // Each owns at least one.
    let roads = (0..network.edges.len()).filter(|at| network.edges[*at].kind == EdgeKind::Normal);
    roads.zip(0..parts as u16).for_each(|(road, part)| part_of_edge[road] = Some(part));
    Assignment { parts, part_of_edge, workers: Vec::new() }
}

#[test]
fn roads_that_lead_to_one_junction_may_be_divided_and_the_result_is_the_same() {
    for (seed, name) in (1..).zip(nets()) {
        let network = net(&name);
        let weights = CutWeights::of_network(&network);
        let demand = random_walks(&network, 200, 150, seed);
        let cuts: Vec<_> = [(2, 10), (4, 10), (3, 4)]
            .iter()
            .map(|(parts, share)| at_random(&network, *parts, *share, seed).complete(&network, &weights).unwrap())
            .collect();
        let settings = Settings { end_ms: Some(300_000), time_to_teleport_ms: Some(60_000), ..Settings::default() };
        let world = Arc::new(World::new(network, demand, settings, OutputRequests::default()));
        compare(&world, &cuts, 200, &Script::new()).unwrap_or_else(|broken| panic!("net {name}: {broken}"));
    }
}

#[test]
fn the_example_cut_by_hand_has_one_result_at_every_step() {
    let scenario = scenario(&helsinki(), 600);
    let weights = CutWeights::of_network(&scenario.network);
    let cuts: Vec<_> = [(3, 10, 5), (2, 2, 6)]
        .iter()
        .map(|(parts, share, seed)| {
            at_random(&scenario.network, *parts, *share, *seed).complete(&scenario.network, &weights).unwrap()
        })
        .collect();
    let world = World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests);
    compare(&Arc::new(world), &cuts, 600, &Script::new()).unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn given_edges_stay_and_the_rest_is_filled_in_evenly() {
    let network = scenario(&helsinki(), 60).network;
    let weights = CutWeights::of_network(&network);
    let roads: Vec<usize> = (0..network.edges.len()).filter(|at| network.edges[*at].kind == EdgeKind::Normal).collect();
    let mut given = Assignment { parts: 2, part_of_edge: vec![None; network.edges.len()], workers: Vec::new() };
    given.part_of_edge[roads[0]] = Some(0);
    given.part_of_edge[roads[roads.len() - 1]] = Some(1);
    for parts in [2, 5] {
        // Of five, three were given nothing.
        let given = Assignment { parts, ..given.clone() };
        let cut = given.complete(&network, &weights).unwrap();
        assert_eq!(cut, given.complete(&network, &weights).unwrap(), "equal arguments give equal cuts");
        assert_eq!((cut.part_of_edge[roads[0]], cut.part_of_edge[roads[roads.len() - 1]]), (0, 1));
        let report = cut.report(&network, &weights);
        assert!(report.balance < 1.35 && report.cut_share < 0.2, "{report}");
        for part in 0..parts as u16 {
            assert!(roads.iter().any(|road| cut.part_of_edge[*road] == part), "partition {part} owns no road");
        }
    }
}

#[test]
fn a_partition_for_which_nothing_is_left_is_an_error() {
    let network = net(&nets()[0]);
    let all = at_random(&network, 1, 10, 1);
    let error = Assignment { parts: 2, ..all }.complete(&network, &CutWeights::of_network(&network));
    assert_eq!(error, Err(CutError::TooManyParts { parts: 2, most: 1 }));
}

/// Worker names by partition.
type Named = Vec<Option<Box<str>>>;

fn asked(text: &str, count: u32, max: u32) -> Result<(u32, Named), String> {
    let folder = tempfile::tempdir().unwrap();
    let assignment: PathBuf = folder.path().join("a.txt");
    let scenario = scenario(&helsinki(), 60);
    let mut roads = scenario.network.edges.iter().filter(|edge| edge.kind == EdgeKind::Normal);
    let mut text = text.to_owned();
    while text.contains("ROAD") {
        text = text.replacen("ROAD", &roads.next().unwrap().name, 1);
    }
    std::fs::write(&assignment, text).unwrap();
    let settings = PartitionSettings { count, max, assignment, ..PartitionSettings::default() };
    cut_as_asked(&scenario.network, &scenario.demand, 1, &settings, Hosts::Cores(1))
        .map(|cut| (cut.parts, cut.workers))
        .map_err(|error| error.to_string())
}

#[test]
fn the_file_says_how_many_partitions_there_are_unless_more_are_asked_for() {
    let two = "[worker w1]\nedge:ROAD\n[worker w2]\nedge:ROAD\n";
    let workers = [Some("w1".into()), Some("w2".into())];
    assert_eq!(asked(two, 0, 64), Ok((2, workers.to_vec())));
    assert_eq!(asked(two, 3, 64), Ok((3, [&workers[..], &[None]].concat())));
    assert!(asked(two, 1, 64).unwrap_err().contains("a.txt: the file has 2 partitions, and 1 are asked for"));
    assert!(asked(two, 0, 1).unwrap_err().contains("partition.max 1"));
    assert!(asked("[partition 0]\nedge:ROAD\nedge:nowhere", 0, 9).unwrap_err().ends_with("is not in the network"));
}
