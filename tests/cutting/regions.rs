//! Simulating a part of a network: its junctions stay whole, its traffic is that of the whole run, and nothing depends on the
//! cut.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tessds::actors::recorder::Recording;
use tessds::diagnostics::Warnings;
use tessds::graph::partition::Cut;
use tessds::graph::{Area, EdgeKind, Subnetwork, Surroundings};
use tessds::ids::EdgeId;
use tessds::roles::standalone::{Division, run};
use tessds::scenario::cut_scenario;
use tessds::scenario::{
    CompiledScenario, OutputPaths, OutputRequests, Region, RegionSource, Revision, Scenario, Settings,
};

use crate::common::demand::{Random, random_walks};
use crate::common::scenarios::{extra, helsinki, net, nets, resco, scenario};

/// The middle of a network, with about the given share of its width and height.
pub fn middle(scenario: &Scenario, share: f64) -> RegionSource {
    let [x0, y0, x1, y1] = scenario.network.location.boundary;
    let (x, y) = ((x0 + x1) / 2.0, (y0 + y1) / 2.0);
    let (dx, dy) = ((x1 - x0) * share / 2.0, (y1 - y0) * share / 2.0);
    RegionSource::Area(Area::Box { from: [x - dx, y - dy], to: [x + dx, y + dy] })
}

fn region(scenario: &Scenario, source: &RegionSource) -> Region {
    Region::find(source, &scenario.network, &mut Warnings::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn outputs(folder: &Path) -> OutputPaths {
    OutputPaths {
        tripinfo: Some(folder.join("tripinfo.xml")),
        tripinfo_unfinished: true,
        edgedata: Some(folder.join("edgedata.xml")),
        ..OutputPaths::default()
    }
}

fn simulate(scenario: Scenario, folder: &Path, parts: u32) -> Recording {
    let cut = cut_scenario(&scenario, parts).unwrap();
    let division = Division { cut, threads: 2, quiet: true };
    run(scenario, &outputs(folder), division).unwrap_or_else(|error| panic!("{error}"))
}

/// By edge: vehicles that came onto it.
fn counts(folder: &Path) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(folder.join("edgedata.xml")).unwrap();
    let attribute = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let number = |line: &str, name: &str| attribute(line, name).map_or(0.0, |value| value.parse::<f64>().unwrap());
    text.lines()
        .filter(|line| line.trim_start().starts_with("<edge "))
        .map(|line| (attribute(line, "id").unwrap(), number(line, "entered") + number(line, "departed")))
        .collect()
}

/// The statistic of Geoffrey E. Havers for two hourly volumes.
fn geh(a: f64, b: f64) -> f64 {
    if a + b == 0.0 { 0.0 } else { (2.0 * (a - b) * (a - b) / (a + b)).sqrt() }
}

/// What a region run has in common with the run of the whole.
struct Likeness {
    edges: usize,
    /// Share of the region's edges with a GEH below 5.
    alike: f64,
    worst: f64,
    /// Vehicles that came onto the region's edges, in the whole run and in that of the region.
    entered: [f64; 2],
}

/// Runs the whole, and then the region with crossings and without; gives how like the whole the two are.
fn likeness(configuration: &Path, seconds: i64, share: f64) -> [Likeness; 2] {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let crossings = folders[0].path().join("crossings.jsonl");
    let mut whole = scenario(configuration, seconds);
    let source = middle(&whole, share);
    let part = region(&whole, &source);
    part.record(&crossings, &mut whole.requests);
    let inside: Vec<String> = part.inside().iter().map(|edge| whole.network.edge(*edge).name.to_string()).collect();
    simulate(whole, folders[0].path(), 1);
    let expected = counts(folders[0].path());
    [Some(crossings.as_path()), None].map(|crossings| {
        let folder = folders[if crossings.is_some() { 1 } else { 2 }].path();
        let whole = scenario(configuration, seconds);
        let alone = part.cut_out(whole, crossings, &mut Warnings::default()).unwrap_or_else(|error| panic!("{error}"));
        simulate(alone, folder, 1);
        let found = counts(folder);
        let hourly = |counts: &BTreeMap<String, f64>, edge: &String| {
            counts.get(edge).copied().unwrap_or(0.0) * 3600.0 / seconds as f64
        };
        let values: Vec<f64> = inside.iter().map(|edge| geh(hourly(&expected, edge), hourly(&found, edge))).collect();
        let sum = |counts| inside.iter().map(|edge| hourly(counts, edge)).sum::<f64>() * seconds as f64 / 3600.0;
        Likeness {
            edges: inside.len(),
            alike: values.iter().filter(|value| **value < 5.0).count() as f64 / values.len() as f64,
            worst: values.iter().copied().fold(0.0, f64::max),
            entered: [sum(&expected), sum(&found)],
        }
    })
}

fn check_likeness(configuration: &Path, seconds: i64, share: f64) {
    let [recorded, expected] = likeness(configuration, seconds, share);
    for (what, Likeness { edges, alike, worst, entered }) in [("recorded", &recorded), ("free flow", &expected)] {
        println!(
            "{}, {seconds} s, {what}: {edges} edges, GEH < 5 on {:.1} %, worst {worst:.2}, entered {entered:?}",
            configuration.display(),
            alike * 100.0
        );
    }
    assert!(recorded.alike >= 0.97, "GEH is below 5 on {} of the edges", recorded.alike);
    assert!(recorded.entered[0] > 100.0, "nobody drives there");
}

#[test]
fn with_recorded_crossings_the_traffic_of_the_example_is_that_of_the_whole_run() {
    check_likeness(&helsinki(), 1800, 0.5);
}

#[test]
fn with_recorded_crossings_the_traffic_of_public_scenarios_is_that_of_the_whole_run() {
    for path in resco(&["cologne8"]).into_iter().chain(extra()) {
        check_likeness(&path, 1800, 0.5);
    }
}

#[test]
fn a_region_has_one_result_whatever_the_cut() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let runs = [(0, 1), (1, 3)].map(|(at, parts)| {
        let whole = scenario(&helsinki(), 600);
        let part = region(&whole, &middle(&whole, 0.6));
        let alone = part.cut_out(whole, None, &mut Warnings::default()).unwrap();
        let folder = folders[at].path();
        let recording = simulate(alone, folder, parts);
        (recording.digest, recording.counts, std::fs::read(folder.join("tripinfo.xml")).unwrap())
    });
    assert!(runs[0].1.arrived > 0);
    assert!(runs[0] == runs[1], "the runs differ: {:?} {:?}", runs[0].1, runs[1].1);
}

#[test]
fn all_of_a_network_is_a_region_with_the_traffic_of_the_whole() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let whole = simulate(scenario(&helsinki(), 600), folders[0].path(), 1);
    let all = scenario(&helsinki(), 600);
    let alone = region(&all, &middle(&all, 3.0)).cut_out(all, None, &mut Warnings::default()).unwrap();
    let alone = simulate(alone, folders[1].path(), 1);
    assert_eq!(whole.counts, alone.counts);
    assert_eq!(counts(folders[0].path()), counts(folders[1].path()));
}

#[test]
fn junctions_of_a_region_stay_whole_and_all_that_is_cut_out_fits_together() {
    for (seed, name) in (1..).zip(nets()) {
        let whole = net(&name);
        let mut random = Random(seed);
        let roads = (0..whole.edges.len()).filter(|at| whole.edges[*at].kind == EdgeKind::Normal);
        let region: Vec<EdgeId> = roads.filter(|_| random.below(3) == 0).map(EdgeId::new).collect();
        let around = Surroundings::of(&whole, &region);
        let part = Subnetwork::cut_out(&whole, &around.is_simulated);
        let of_junction = |network: &tessds::graph::Network, junction: &str| {
            let links = network.links.iter();
            let here = links.filter(|link| &*network.junctions[link.junction.index()].name == junction);
            let entries = here.filter(|link| link.is_entry(network));
            let describe = |link: &tessds::graph::Link| {
                let lanes = [network.lane_name(link.from), network.lane_name(link.to)];
                (lanes, link.yields_to.len, link.foes.len, link.signal_index, link.right_of_way)
            };
            let mut described: Vec<_> = entries.map(describe).collect();
            described.sort_by(|a, b| a.0.cmp(&b.0));
            described
        };
        for edge in &region {
            let edge = whole.edge(*edge);
            for junction in [edge.from, edge.to] {
                let junction = &whole.junctions[junction.index()].name;
                assert_eq!(of_junction(&whole, junction), of_junction(&part.network, junction), "{name}: {junction}");
            }
        }
        // Decoding checks every index.
        let demand = random_walks(&part.network, 40, 60, seed);
        let compiled = CompiledScenario {
            cut: Cut::whole(&part.network),
            network: Arc::new(part.network),
            demand: Arc::new(demand),
            settings: Settings::default(),
            requests: OutputRequests::default(),
            revision: Revision::default(),
        };
        CompiledScenario::decode(&compiled.encode()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_route_that_leaves_and_comes_back_becomes_several_trips() {
    let whole = scenario(&helsinki(), 600);
    let part = region(&whole, &middle(&whole, 0.3));
    let simulated = part.simulated();
    let name = |network: &tessds::graph::Network, edge: &EdgeId| network.edge(*edge).name.to_string();
    let route = |scenario: &Scenario, at: usize| {
        let route = scenario.demand.route(scenario.demand.departures[at].route).to_vec();
        route.into_iter().map(|edge| (edge, name(&scenario.network, &edge))).collect::<Vec<_>>()
    };
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (at, departure) in whole.demand.departures.iter().enumerate() {
        let inside = route(&whole, at).into_iter().filter(|(edge, _)| simulated.binary_search(edge).is_ok());
        let inside: Vec<String> = inside.map(|(_, name)| name).collect();
        if !inside.is_empty() {
            expected.insert(departure.name.to_string(), inside);
        }
    }
    let alone = part.cut_out(whole, None, &mut Warnings::default()).unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut several = 0;
    // The pieces of a vehicle come in the order of their departure.
    for (at, departure) in alone.demand.departures.iter().enumerate() {
        let vehicle = departure.name.split('#').next().unwrap().to_owned();
        several += usize::from(departure.name.contains('#'));
        found.entry(vehicle).or_default().extend(route(&alone, at).into_iter().map(|(_, name)| name));
    }
    assert_eq!(expected, found);
    assert!(several > 0, "no route leaves and comes back");
}
