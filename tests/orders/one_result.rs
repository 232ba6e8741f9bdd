//! I1 and I2 under random orders, and in a town with a closed road.

use std::sync::Arc;

use proptest::prelude::*;
use tessds::graph::partition::random_cut;
use tessds::ids::{EdgeId, LaneId, VehicleId};
use tessds::scenario::cut_scenario;
use tessds::sim::{Order, World};

use super::script;
use crate::common::demand::{Random, random_world};
use crate::common::orders::random_orders;
use crate::common::runs::{Run, compare, whole};
use crate::common::scenarios::{helsinki, nets, scenario};

/// One case of random demand and orders on one of the small networks, cut at random.
fn check_random(name: &str, seed: u64, vehicles: usize, times: usize, step_ms: i64) -> Result<(), String> {
    let mut random = Random(seed);
    let (world, cuts) = random_world(name, vehicles, step_ms, &mut random);
    let script = random_orders(&world, 250, times, &mut random);
    compare(&world, &cuts, 300, &script).map_err(|broken| format!("net {name}, seed {seed}: {broken}"))
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
    let mut run = whole(&world).with_orders(&orders);
    let mut free = whole(&world);
    let (mut entered, mut counts, mut free_counts) = (0, Default::default(), Default::default());
    for step in 0..700u64 {
        let before = run.by_id();
        counts = run.stepped().counts;
        free_counts = free.stepped().counts;
        if (215..450).contains(&step) {
            let is_new = |id: &VehicleId| before.get(id).is_none_or(|(lane, _)| !lanes.contains(lane));
            entered += run.by_id().iter().filter(|(id, (lane, _))| lanes.contains(lane) && is_new(id)).count();
        }
    }
    assert!(entered <= 2, "{entered} entered the closed road");
    let share = counts.arrived as f64 / free_counts.arrived as f64;
    assert!(share > 0.8, "{} of {} arrived", counts.arrived, free_counts.arrived);
    compare(&world, &cuts, 700, &orders).unwrap_or_else(|broken| panic!("{broken}"));
}

#[test]
fn a_town_has_one_result_under_random_orders() {
    let scenario = scenario(&helsinki(), 500);
    let cuts = [cut_scenario(&scenario, 4).expect("a cut"), random_cut(&scenario.network, 6, 3).expect("a cut")];
    let world = Arc::new(World::new(scenario.network, scenario.demand, scenario.settings, scenario.requests));
    for seed in [1, 2] {
        let script = random_orders(&world, 450, 120, &mut Random(seed));
        compare(&world, &cuts, 500, &script).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}
