//! Routes that follow the traffic: who takes them, and that the cut of the network changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tessds::diagnostics::{Location, Warnings};
use tessds::graph::partition::random_cut;
use tessds::output::MergedStep;
use tessds::scenario::{RunConfig, load};
use tessds::sim::{Mirror, Partition, ReportOptions, RouteGuidance, RouteOrders, Scope, World};

/// Two ways lead from `in` to `out`; the one over `nb` is faster, until a vehicle stops on `nb` for a quarter of an hour.
fn world(options: &[(&str, &str)]) -> Arc<World> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/two_ways");
    let mut warnings = Warnings::default();
    let mut config = RunConfig::default();
    let files = [("net-file", "two_ways.net.xml"), ("route-files", "two_ways.rou.xml"), ("end", "1500")];
    for (option, value) in files.iter().chain(options) {
        config.set(option, value, &data, Location::default(), &mut warnings).expect("a good option");
    }
    let scenario = load(&config, &mut warnings).expect("a good scenario");
    Arc::new(World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests))
}

/// What a run did.
#[derive(Debug, Default, PartialEq)]
struct Run {
    /// Of every step.
    digests: Vec<u128>,
    /// By name of the vehicle: the edges of its route in the end, and how often it was changed.
    routes: BTreeMap<String, (String, u16)>,
}

/// Steps all partitions one after the other.
fn run(world: &Arc<World>, part_of_edge: &[u16], end_ms: i64) -> Run {
    let parts = part_of_edge.iter().max().map_or(1, |last| last + 1);
    let scopes = (0..parts).map(|part| Scope::new(world, part, part_of_edge));
    let mut partitions: Vec<Partition> = scopes.map(|scope| Partition::new(world.clone(), scope)).collect();
    let mirrors: Vec<(usize, usize, Mirror)> = (0..partitions.len())
        .flat_map(|from| (0..partitions.len()).map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
        .map(|(from, to)| (from, to, partitions[from].mirror_for(partitions[to].scope())))
        .collect();
    let mut guidance = RouteGuidance::new(world);
    let mut orders: Option<RouteOrders> = None;
    let mut result = Run::default();
    while partitions[0].now_ms() < end_ms {
        let now_ms = partitions[0].now_ms();
        assert!(guidance.hold_ms().is_none_or(|hold_ms| now_ms < hold_ms), "the orders come in time");
        if let Some(due) = orders.take_if(|orders| orders.at_ms == now_ms) {
            partitions.iter_mut().for_each(|partition| partition.apply_routes(&due.updates));
        }
        let options = ReportOptions { digest: true, ..ReportOptions::default() };
        let step = MergedStep::of(partitions.iter_mut().map(|partition| partition.step(options)).collect::<Vec<_>>());
        for (from, to, mirror) in &mirrors {
            let bytes = partitions[*from].export(mirror);
            partitions[*to].import(mirror, &bytes).expect("a good frame");
        }
        guidance.observe(&step);
        orders = guidance.take_orders().or(orders);
        result.digests.push(step.digest);
        for partition in &partitions {
            partition.each_vehicle(|_, vehicle| {
                let name = |edge: &tessds::ids::EdgeId| &*world.network.edge(*edge).name;
                let edges: Vec<&str> = partition.route(vehicle.route).iter().map(name).collect();
                let name = world.demand.departures[vehicle.id.index()].name.to_string();
                result.routes.insert(name, (edges.join(" "), vehicle.reroutes));
            });
        }
    }
    result
}

fn run_whole(world: &Arc<World>) -> Run {
    run(world, &vec![0; world.network.edges.len()], 1_000_000)
}

const NORTH: &str = "in an nb out";
const SOUTH: &str = "in as sb out";

#[test]
fn trips_choose_their_route_by_the_traffic_at_their_departure() {
    let routes = run_whole(&world(&[])).routes;
    let taken = |trip: usize| routes[&format!("trips.{trip}")].0.as_str();
    assert_eq!(taken(0), NORTH, "the roads are still empty");
    // The blocker reaches its stop after some 130 s.
    let first_south = (0..99).find(|trip| taken(*trip) == SOUTH).expect("trips that avoid the jam");
    assert!((20..60).contains(&first_south), "{first_south}");
    assert!((60..99).all(|trip| taken(trip) == SOUTH));
    assert_eq!(routes["trips.0"].1, 1, "counted as SUMO does: the route replaces the bare wish");
}

#[test]
fn given_routes_and_given_edges_stay() {
    let routes = run_whole(&world(&[])).routes;
    assert_eq!(routes["blocker"], (NORTH.to_owned(), 0));
    for n in 0..6 {
        assert_eq!(routes[&format!("via.{n}")].0, NORTH);
    }
}

#[test]
fn equipped_vehicles_change_their_route_on_the_way() {
    let world = world(&[("device.rerouting.probability", "1"), ("device.rerouting.period", "30")]);
    let routes = run_whole(&world).routes;
    // Those that had chosen the north and were still far enough from the fork when the jam grew.
    let changed = routes.values().filter(|(edges, reroutes)| edges == SOUTH && *reroutes > 1).count();
    assert!(changed > 0);
    assert_eq!(routes["blocker"], (NORTH.to_owned(), 0), "a stop ahead ties it to its route");
}

#[test]
fn vehicles_that_wait_for_insertion_get_new_routes() {
    // Far more trips than the road takes.
    let routes = run_whole(&world(&[("scale", "8"), ("device.rerouting.pre-period", "20")])).routes;
    assert!(routes.values().any(|(edges, reroutes)| edges == SOUTH && *reroutes == 2), "{routes:?}");
}

#[test]
fn the_cut_changes_nothing() {
    let devices: &[(&str, &str)] = &[
        ("device.rerouting.probability", "0.5"),
        ("device.rerouting.period", "30"),
        ("device.rerouting.pre-period", "30"),
        ("scale", "4"),
    ];
    for options in [&[][..], devices] {
        let world = world(options);
        let whole = run_whole(&world);
        for seed in 0..4 {
            let cut = random_cut(&world.network, 2 + (seed % 2) as u32, seed).expect("a cut");
            assert!(run(&world, &cut.part_of_edge, 1_000_000) == whole, "seed {seed}");
        }
    }
}

#[test]
fn a_saved_guidance_goes_on_with_the_same_orders() {
    let world = world(&[]);
    let mut partition = Partition::new(world.clone(), Scope::new(&world, 0, &vec![0; world.network.edges.len()]));
    let mut first = RouteGuidance::new(&world);
    let mut steps = Vec::new();
    let mut second = None;
    while partition.now_ms() < 600_000 {
        let step = MergedStep::of([partition.step(ReportOptions::default())]);
        first.observe(&step);
        let orders = first.take_orders();
        if step.time_ms == 240_000 {
            let saved = rmp_serde::to_vec(&first.state()).expect("bytes");
            let state = rmp_serde::from_slice(&saved).expect("the state");
            second = Some(RouteGuidance::restored(&world, state).expect("its own state"));
        } else if let Some(second) = &mut second {
            second.observe(&step);
            assert_eq!(second.take_orders(), orders);
            steps.push(orders.is_some());
        }
    }
    assert!(steps.contains(&true));
}
