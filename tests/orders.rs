//! Orders of operators: the same result for every cut and after every restore (I1, I2), and what each of them does.

mod common;

use std::sync::Arc;

use common::demand::{Random, random_walks};
use common::lockstep::{Lockstep, Script, compare};
use common::orders::random_orders;
use common::scenarios::{helsinki, net, nets, root, scenario};
use proptest::prelude::*;
use tessds::graph::partition::{Cut, random_cut};
use tessds::ids::{EdgeId, LaneId, RouteId, VehicleId};
use tessds::roles::standalone::cut_scenario;
use tessds::scenario::{OutputRequests, RunConfig, Settings, load};
use tessds::sim::{NewVehicle, Order, World};

/// One case of random demand and orders on one of the small networks, cut at random.
fn check_random(name: &str, seed: u64, vehicles: usize, times: usize, step_ms: i64) -> Result<(), String> {
    let network = net(name);
    let mut random = Random(seed);
    let demand = random_walks(&network, vehicles, 200, random.next());
    let settings = Settings {
        seed: random.next(),
        step_ms,
        end_ms: Some(400_000),
        time_to_teleport_ms: [Some(30_000), Some(120_000), None][random.below(3)],
        ..Settings::default()
    };
    let cuts: Vec<Cut> =
        (0..3).map(|_| random_cut(&network, 2 + random.below(6) as u32, random.next()).expect("a cut")).collect();
    let world = Arc::new(World::new(network, demand, settings, OutputRequests::default()));
    let script = random_orders(&world, 250, times, &mut random);
    compare(&world, &cuts, 300, script).map_err(|broken| format!("net {name}, seed {seed}: {broken}"))
}

#[test]
fn every_kind_of_junction_has_one_result_whatever_is_ordered() {
    for name in nets() {
        check_random(&name, 1, 200, 40, 1000).unwrap_or_else(|broken| panic!("{broken}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_orders_have_one_result_over_random_cuts(
        name in prop::sample::select(nets()),
        seed in any::<u64>(),
        vehicles in 1..300usize,
        times in 1..60usize,
        step_ms in prop::sample::select(vec![1000, 1000, 500, 200]),
    ) {
        check_random(&name, seed, vehicles, times, step_ms).map_err(TestCaseError::fail)?;
    }
}

/// Two ways from `in` to `out`: the faster one over `an nb`, the slower one over `as sb`.
fn two_ways() -> Arc<World> {
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
        departure.given_route = true;
        departure.via = Default::default();
    });
    demand.departures.remove(0);
    Arc::new(World::new(scenario.network, demand, scenario.settings, scenario.requests))
}

fn edge(world: &World, name: &str) -> EdgeId {
    let at = world.network.edges.iter().position(|edge| &*edge.name == name).expect("an edge of the network");
    EdgeId::new(at)
}

fn lanes(world: &World, name: &str) -> Vec<LaneId> {
    world.network.edge(edge(world, name)).lanes().collect()
}

fn script<const N: usize>(orders: [(u64, Vec<Order>); N]) -> Arc<Script> {
    Arc::new(Script::from(orders))
}

fn names(run: &Lockstep, route: RouteId) -> Vec<&str> {
    let partition = &run.partitions()[0];
    partition.route(route).iter().map(|edge| &*partition.world().network.edge(*edge).name).collect()
}

/// Vehicles on a road.
fn on(run: &Lockstep, road: &str) -> usize {
    let lanes = lanes(run.partitions()[0].world(), road);
    run.vehicles().values().filter(|(lane, _)| lanes.contains(lane)).count()
}

#[test]
fn all_go_the_other_way_while_a_road_is_closed_and_the_old_one_when_it_is_open_again() {
    let world = two_ways();
    let close = vec![Order::Close { lanes: lanes(&world, "nb") }];
    let open = vec![Order::Open { lanes: lanes(&world, "nb") }];
    let mut run = Lockstep::whole(&world).with_orders(&script([(100, close), (300, open)]));
    let (mut closed_south, mut last_on_closed) = (0, 0);
    for step in 0..420u64 {
        let report = run.step();
        run.check(&report).unwrap_or_else(|broken| panic!("step {step}: {broken}"));
        if (100..300).contains(&step) {
            closed_south += on(&run, "sb");
            if on(&run, "nb") > 0 {
                last_on_closed = step;
            }
        }
    }
    assert!(closed_south > 100, "traffic flows around the closed road: {closed_south}");
    assert!(last_on_closed < 140, "nobody enters a closed road, but {last_on_closed}");
    let after = run.vehicles().into_values().filter(|(_, vehicle)| vehicle.depart_ms > 301_000);
    let routes: Vec<Vec<&str>> = after.map(|(_, vehicle)| names(&run, vehicle.route)).collect();
    assert!(routes.len() > 10 && routes.iter().all(|route| route.contains(&"nb")), "{routes:?}");
}

#[test]
fn without_a_way_around_all_wait_before_the_closed_road() {
    let world = two_ways();
    let close = vec![Order::Close { lanes: lanes(&world, "out") }];
    let mut run = Lockstep::whole(&world).with_orders(&script([(0, close)]));
    for _ in 0..280 {
        let report = run.step();
        assert_eq!(report.counts.arrived, 0);
    }
    assert_eq!(on(&run, "out"), 0);
    assert!(on(&run, "nb") > 5);
}

#[test]
fn a_limited_road_is_driven_slowly_until_the_limit_is_taken_back() {
    let world = two_ways();
    let limit = |mps| vec![Order::LimitSpeed { lanes: lanes(&world, "in"), mps }];
    let orders = script([(100, limit(Some(3.0))), (200, limit(None))]);
    let mut run = Lockstep::whole(&world).with_orders(&orders);
    let fastest = |run: &Lockstep| run.vehicles().values().map(|(_, v)| v.speed).fold(0.0, f64::max);
    for step in 0..260u64 {
        let report = run.step();
        assert_eq!(report.counts.collisions + report.counts.emergency_brakings, 0, "step {step}");
        let in_lanes = lanes(&world, "in");
        let on_road = run.vehicles().into_values().filter(|(lane, _)| in_lanes.contains(lane));
        let speed = on_road.map(|(_, v)| v.speed / f64::from(v.speed_factor)).fold(0.0, f64::max);
        if (110..200).contains(&step) {
            assert!(speed <= 3.0 + 1e-6, "{speed} m/s in step {step}");
        }
    }
    assert!(fastest(&run) > 10.0);
}

#[test]
fn nobody_passes_a_blocked_section_of_a_single_lane_until_its_time() {
    let world = two_ways();
    let lane = lanes(&world, "nb")[0];
    let block = Order::Block { lane, from_m: 100.0, to_m: 120.0, until_ms: 260_000 };
    let mut run = Lockstep::whole(&world).with_orders(&script([(150, vec![block])]));
    let mut passed = Vec::new();
    for step in 0..340u64 {
        let before = run.vehicles();
        let report = run.step();
        assert_eq!(report.counts.collisions, 0);
        for (id, (at, vehicle)) in run.vehicles() {
            let was_before = before.get(&id).is_none_or(|(old, v)| *old != lane || v.pos <= 100.0);
            if at == lane && vehicle.pos > 100.0 && was_before {
                passed.push(step);
            }
        }
    }
    assert!(passed.iter().any(|step| *step < 150) && passed.iter().any(|step| *step >= 260));
    assert!(!passed.iter().any(|step| (155..260).contains(step)), "{passed:?}");
}

#[test]
fn a_blocked_section_is_passed_on_the_lane_beside() {
    let world = two_ways();
    let lane = lanes(&world, "out")[1];
    let block = Order::Block { lane, from_m: 120.0, to_m: 140.0, until_ms: i64::MAX };
    let mut run = Lockstep::whole(&world).with_orders(&script([(50, vec![block])]));
    let mut arrived = 0;
    for _ in 0..500 {
        arrived = run.step().counts.arrived;
    }
    assert!(arrived > 30, "{arrived}");
}

#[test]
fn an_added_vehicle_drives_its_way_and_a_removed_one_is_gone() {
    let world = two_ways();
    let next = world.demand.departures.len();
    let way: Vec<EdgeId> = ["in", "as", "sb", "out"].iter().map(|name| edge(&world, name)).collect();
    let new = |at: usize| {
        NewVehicle::new(VehicleId::new(next + at), &format!("new{at}"), world.demand.departures[0].vtype, way.clone())
    };
    let later = NewVehicle { depart_ms: Some(90_000), ..new(1) };
    let add = vec![Order::AddVehicle(Box::new(new(0))), Order::AddVehicle(Box::new(later))];
    // One on the road, one to come, one that never was.
    let remove = |ids: &[usize]| ids.iter().map(|id| Order::RemoveVehicle { vehicle: VehicleId::new(*id) }).collect();
    let orders = script([(20, add), (60, remove(&[0, 50, 1000]))]);
    let mut run = Lockstep::whole(&world).with_orders(&orders);
    let (mut arrivals, mut discarded, mut met) = (Vec::new(), 0, 0);
    for step in 0..400u64 {
        let report = run.step();
        run.check(&report).unwrap_or_else(|broken| panic!("step {step}: {broken}"));
        arrivals.extend(report.arrivals.iter().map(|trip| trip.vehicle.index()));
        discarded = report.counts.discarded;
        met += report.orders_met;
        if step == 60 {
            let removed: Vec<_> = report.removals.iter().map(|trip| trip.vehicle.index()).collect();
            assert_eq!((removed, discarded), (vec![0], 1));
        }
    }
    assert!(arrivals.contains(&next) && arrivals.contains(&(next + 1)), "{arrivals:?}");
    assert!(!arrivals.contains(&0) && !arrivals.contains(&50));
    assert_eq!((discarded, met), (2, 4));
}

#[test]
fn a_vehicle_takes_the_way_and_the_speed_that_it_is_told() {
    let world = two_ways();
    let vehicle = VehicleId(3);
    let edges: Vec<EdgeId> = ["in", "as", "sb", "out"].iter().map(|name| edge(&world, name)).collect();
    let orders = vec![Order::Reroute { vehicle, edges }, Order::LimitVehicle { vehicle, mps: Some(5.0) }];
    let mut run = Lockstep::whole(&world).with_orders(&script([(60, orders)]));
    for _ in 0..80 {
        run.step();
    }
    let (_, found) = run.vehicles()[&vehicle];
    assert_eq!(names(&run, found.route), ["in", "as", "sb", "out"]);
    assert!(found.speed <= 5.0 && found.speed > 3.0, "{found:?}");
    assert_eq!(found.reroutes, 1);
}

#[test]
fn traffic_of_a_town_flows_around_a_closed_road_and_has_one_result() {
    let scenario = scenario(&helsinki(), 700);
    let cuts = [cut_scenario(&scenario, 3).expect("a cut"), random_cut(&scenario.network, 5, 22).expect("a cut")];
    let world = World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests);
    // The road that most vehicles have on their way, but where few begin or end.
    let mut uses = vec![0u32; world.network.edges.len()];
    for departure in &world.demand.departures {
        let route = world.demand.route(departure.route);
        route[1..route.len().max(2) - 1].iter().for_each(|edge| uses[edge.index()] += 1);
    }
    let busiest = (0..uses.len()).max_by_key(|at| (uses[*at], *at)).expect("roads");
    let lanes: Vec<LaneId> = world.network.edge(EdgeId::new(busiest)).lanes().collect();
    let orders =
        script([(200, vec![Order::Close { lanes: lanes.clone() }]), (450, vec![Order::Open { lanes: lanes.clone() }])]);
    let world = Arc::new(world);
    let mut run = Lockstep::whole(&world).with_orders(&orders);
    let mut free = Lockstep::whole(&world);
    let (mut entered, mut counts, mut free_counts) = (0, Default::default(), Default::default());
    for step in 0..700u64 {
        let before = run.vehicles();
        counts = run.step().counts;
        free_counts = free.step().counts;
        if (215..450).contains(&step) {
            let is_new = |id: &VehicleId| before.get(id).is_none_or(|(lane, _)| !lanes.contains(lane));
            entered += run.vehicles().iter().filter(|(id, (lane, _))| lanes.contains(lane) && is_new(id)).count();
        }
    }
    assert!(entered <= 2, "{entered} entered the closed road");
    let share = counts.arrived as f64 / free_counts.arrived as f64;
    assert!(share > 0.8, "{} of {} arrived", counts.arrived, free_counts.arrived);
    compare(&world, &cuts, 700, Arc::unwrap_or_clone(orders)).unwrap_or_else(|broken| panic!("{broken}"));
}
