//! What each order about roads and vehicles does.

use tessds::ids::{EdgeId, RouteId, VehicleId};
use tessds::sim::{NewVehicle, Order, Watch};

use super::{edge, lanes, script, two_ways};
use crate::common::runs::{Run, whole};
use tessds::simulation::Simulation;

fn names(run: &Simulation, route: RouteId) -> Vec<&str> {
    let partition = &run.first();
    partition.route(route).iter().map(|edge| &*partition.world().network.edge(*edge).name).collect()
}

/// Vehicles on a road.
fn on(run: &Simulation, road: &str) -> usize {
    let lanes = lanes(run.first().world(), road);
    run.by_id().values().filter(|(lane, _)| lanes.contains(lane)).count()
}

#[test]
fn all_go_the_other_way_while_a_road_is_closed_and_the_old_one_when_it_is_open_again() {
    let world = two_ways();
    let close = vec![Order::Close { lanes: lanes(&world, "nb") }];
    let open = vec![Order::Open { lanes: lanes(&world, "nb") }];
    let mut run = whole(&world).with_orders(&script([(100, close), (300, open)]));
    let (mut closed_south, mut last_on_closed) = (0, 0);
    for step in 0..420u64 {
        let report = run.stepped();
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
    let after = run.by_id().into_values().filter(|(_, vehicle)| vehicle.depart_ms > 301_000);
    let routes: Vec<Vec<&str>> = after.map(|(_, vehicle)| names(&run, vehicle.route)).collect();
    assert!(routes.len() > 10 && routes.iter().all(|route| route.contains(&"nb")), "{routes:?}");
}

#[test]
fn without_a_way_around_all_wait_before_the_closed_road() {
    let world = two_ways();
    let close = vec![Order::Close { lanes: lanes(&world, "out") }];
    let mut run = whole(&world).with_orders(&script([(0, close)]));
    for _ in 0..280 {
        let report = run.stepped();
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
    let mut run = whole(&world).with_orders(&orders);
    let fastest = |run: &Simulation| run.by_id().values().map(|(_, v)| v.speed_mps).fold(0.0, f64::max);
    for step in 0..260u64 {
        let report = run.stepped();
        assert_eq!(report.counts.collisions + report.counts.emergency_brakings, 0, "step {step}");
        let in_lanes = lanes(&world, "in");
        let on_road = run.by_id().into_values().filter(|(lane, _)| in_lanes.contains(lane));
        let speed = on_road.map(|(_, v)| v.speed_mps / f64::from(v.speed_factor)).fold(0.0, f64::max);
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
    let mut run = whole(&world).with_orders(&script([(150, vec![block])]));
    let mut passed = Vec::new();
    for step in 0..340u64 {
        let before = run.by_id();
        let report = run.stepped();
        assert_eq!(report.counts.collisions, 0);
        for (id, (at, vehicle)) in run.by_id() {
            let was_before = before.get(&id).is_none_or(|(old, v)| *old != lane || v.pos_m <= 100.0);
            if at == lane && vehicle.pos_m > 100.0 && was_before {
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
    let mut run = whole(&world).with_orders(&script([(50, vec![block])]));
    let mut arrived = 0;
    for _ in 0..500 {
        arrived = run.stepped().counts.arrived;
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
    let mut run = whole(&world).with_orders(&orders);
    let (mut arrivals, mut discarded, mut met) = (Vec::new(), 0, 0);
    for step in 0..400u64 {
        let report = run.stepped();
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
    let mut run = whole(&world).with_orders(&script([(60, orders)]));
    for _ in 0..80 {
        run.stepped();
    }
    let (_, found) = run.by_id()[&vehicle];
    assert_eq!(names(&run, found.route), ["in", "as", "sb", "out"]);
    assert!(found.speed_mps <= 5.0 && found.speed_mps > 3.0, "{found:?}");
    assert_eq!(found.reroutes, 1);
}

#[test]
fn what_is_seen_on_watched_roads_is_there_and_changes_nothing() {
    let world = two_ways();
    let mut run = whole(&world);
    let mut watched = whole(&world);
    let watch =
        Watch { lanes: lanes(&world, "in"), edges: vec![edge(&world, "in"), edge(&world, "sb")], signals: vec![] };
    for _ in 0..90 {
        let seen = watched.first().observe(&watch);
        let there: Vec<VehicleId> = watched.by_id().into_keys().collect();
        assert!(seen.vehicles.iter().all(|vehicle| there.contains(&vehicle.vehicle)));
        assert_eq!(seen.edges[0].vehicles as usize, seen.vehicles.len());
        assert_eq!((seen.edges[1].vehicles, seen.edges[1].mean_speed_mps), (0, None));
        assert_eq!(run.stepped().digest, watched.stepped().digest);
    }
    let seen = watched.first().observe(&watch);
    assert!(seen.vehicles.len() > 5 && seen.edges[0].mean_speed_mps.is_some_and(|mps| mps > 5.0), "{seen:?}");
}

#[test]
fn every_lasting_order_is_in_the_digest() {
    let world = two_ways();
    let (lane, vehicle) = (lanes(&world, "nb")[0], VehicleId(70));
    let orders = [
        Order::LimitSpeed { lanes: vec![lane], mps: Some(7.0) },
        Order::Close { lanes: vec![lane] },
        Order::Block { lane, from_m: 1.0, to_m: 2.0, until_ms: 99_000 },
        Order::LimitVehicle { vehicle, mps: Some(7.0) },
        Order::RemoveVehicle { vehicle },
    ];
    let mut digests = vec![whole(&world).stepped().digest];
    for order in orders {
        digests.push(whole(&world).with_orders(&script([(0, vec![order])])).stepped().digest);
    }
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 6);
}
