//! Orders that make no sense are refused with words that help.

use std::sync::Arc;

use tessds::graph::Aspect;
use tessds::ids::{LaneId, SignalId, TypeId, VehicleId};
use tessds::scenario::{OutputRequests, Settings};
use tessds::sim::{NewVehicle, Order, World};

use super::{edge, lanes, two_ways};
use crate::common::demand::random_walks;
use crate::common::scenarios::net;

/// What the check says; empty when the order is good.
fn check(world: &World, order: &Order) -> String {
    order.check(world).map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn limits_are_within_what_partitions_are_built_for() {
    let world = two_ways();
    let limit = |mps| Order::LimitSpeed { lanes: lanes(&world, "nb"), mps: Some(mps) };
    assert_eq!(check(&world, &limit(13.9)), "");
    let said = check(&world, &limit(30.0));
    assert!(said.contains("30 m/s") && said.contains("0.2 to 13.9 m/s"), "{said}");
    for mps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(check(&world, &limit(mps)).contains("out of range"));
        let limit = Order::LimitVehicle { vehicle: VehicleId(0), mps: Some(mps) };
        assert!(check(&world, &limit).contains("out of range"));
    }
}

#[test]
fn lanes_and_sections_have_to_exist() {
    let world = two_ways();
    let unknown = Order::Open { lanes: vec![LaneId(9999)] };
    assert!(check(&world, &unknown).starts_with("the lane with number 9999 does not exist"));
    assert!(check(&world, &Order::Close { lanes: vec![] }).contains("names no lane"));
    let inside = Order::Close { lanes: lanes(&world, ":a_0") };
    assert!(check(&world, &inside).contains("':a_0_0' is part of a junction"));
    let block = |from_m, to_m| Order::Block { lane: lanes(&world, "nb")[0], from_m, to_m, until_ms: 1 };
    assert_eq!(check(&world, &block(0.0, 271.0)), "");
    for (from_m, to_m) in [(10.0, 10.0), (-1.0, 5.0), (5.0, 500.0), (f64::NAN, 5.0)] {
        assert!(check(&world, &block(from_m, to_m)).contains("'nb_0'"));
    }
}

#[test]
fn ways_have_to_be_connected_and_types_known() {
    let world = two_ways();
    let way = |names: &[&str]| names.iter().map(|name| edge(&world, name)).collect::<Vec<_>>();
    let reroute = |names: &[&str]| Order::Reroute { vehicle: VehicleId(0), edges: way(names) };
    assert_eq!(check(&world, &reroute(&["in", "an", "nb", "out"])), "");
    assert!(check(&world, &reroute(&["in", "nb"])).contains("no connection from edge 'in' to edge 'nb'"));
    assert!(check(&world, &reroute(&[])).contains("1 to 65535"));
    assert!(check(&world, &reroute(&[":a_0"])).contains("not a road"));
    let vtype = world.demand.departures[0].vtype;
    let new = NewVehicle::new(VehicleId(0), "x", vtype, way(&["in", "an"]));
    assert_eq!(check(&world, &Order::AddVehicle(Box::new(new.clone()))), "");
    let strange = NewVehicle { vtype: TypeId(99), ..new.clone() };
    assert!(check(&world, &Order::AddVehicle(Box::new(strange))).contains("vehicle type with number 99"));
    let fast = NewVehicle { speed_factor: 9.0, ..new.clone() };
    assert!(check(&world, &Order::AddVehicle(Box::new(fast))).contains("speed factor of 9"));
    let nameless = NewVehicle { name: "".into(), ..new };
    assert!(check(&world, &Order::AddVehicle(Box::new(nameless))).contains("needs a name"));
}

#[test]
fn signals_show_phases_that_they_have_and_one_aspect_per_link() {
    let network = net("lights");
    let demand = random_walks(&network, 2, 10, 1);
    let world = Arc::new(World::new(network, demand, Settings::default(), OutputRequests::default()));
    let signal = SignalId(0);
    assert_eq!(check(&world, &Order::ShowPhase { signal, phase: 0, hold_ms: None }), "");
    assert!(check(&world, &Order::ShowPhase { signal, phase: 99, hold_ms: None }).contains("no phase 99"));
    assert!(check(&world, &Order::ShowPhase { signal, phase: 0, hold_ms: Some(0) }).contains("0 ms"));
    assert!(check(&world, &Order::RunProgram { signal, program: 9 }).contains("signal program with number 9"));
    let unknown = Order::RunProgram { signal: SignalId(99), program: 0 };
    assert!(check(&world, &unknown).contains("signal with number 99"));
    let aspects = vec![Aspect::Red];
    assert!(check(&world, &Order::ShowAspects { signal, aspects }).contains("one per link index"));
}
