//! Random orders for any network and demand.

use tessds::graph::{Aspect, EdgeKind};
use tessds::ids::{EdgeId, LaneId, SignalId, TypeId, VehicleId};
use tessds::sim::{NewVehicle, Order, World};

use super::demand::{Random, walk};
use super::runs::Script;

/// Orders at `times` random steps before `steps`, one to three at a time; all of them pass their check.
pub fn random_orders(world: &World, steps: u64, times: usize, random: &mut Random) -> Script {
    let mut script = Script::new();
    let mut at: Vec<u64> = (0..times).map(|_| random.next() % steps).collect();
    at.sort_unstable();
    let mut next = world.demand.departures.len();
    for step in at {
        let orders = script.entry(step).or_default();
        for _ in 0..1 + random.below(3) {
            let order = random_order(world, step, next, random);
            if order.check(world).is_ok() {
                next += usize::from(matches!(order, Order::AddVehicle(_)));
                orders.push(order);
            }
        }
    }
    script
}

fn random_order(world: &World, step: u64, next: usize, random: &mut Random) -> Order {
    let network = &world.network;
    let roads: Vec<EdgeId> =
        (0..network.edges.len()).map(EdgeId::new).filter(|edge| network.edge(*edge).kind == EdgeKind::Normal).collect();
    let now_ms = step as i64 * world.settings.step_ms;
    let road = *random.pick(&roads);
    let mut lanes: Vec<LaneId> = network.edge(road).lanes().collect();
    if random.below(3) == 0 {
        lanes.truncate(1);
    }
    let lane = *random.pick(&lanes);
    let signal = SignalId::new(random.below(network.signals.len()));
    let vehicle = VehicleId::new(random.below(next + 3));
    let mps = (random.below(4) > 0).then(|| 1.0 + random.below(130) as f64 / 10.0);
    match random.below(if network.signals.is_empty() { 12 } else { 17 }) {
        0 => Order::LimitSpeed { lanes, mps },
        1..=2 => Order::Close { lanes },
        3 => Order::Open { lanes },
        4 => {
            let length_m = network.lane(lane).length_m;
            let from_m = length_m * random.below(10) as f64 / 10.0;
            let until_ms = now_ms + random.below(100_000) as i64;
            Order::Block { lane, from_m, to_m: (from_m + 5.0).min(length_m), until_ms }
        }
        5 => Order::Unblock { lane },
        6..=7 => {
            let length = 2 + random.below(10);
            let edges = walk(network, road, length, random);
            let mut new = NewVehicle::new(VehicleId::new(next), &format!("new{next}"), TypeId(0), edges);
            new.depart_ms = (random.below(2) == 0).then(|| now_ms + random.below(60_000) as i64);
            Order::AddVehicle(Box::new(new))
        }
        8 => Order::RemoveVehicle { vehicle },
        9..=10 => {
            let departure = world.demand.departures.get(vehicle.index());
            let start = departure.map_or(road, |departure| *random.pick(world.demand.route(departure.route)));
            let length = 2 + random.below(10);
            Order::Reroute { vehicle, edges: walk(network, start, length, random) }
        }
        11 => Order::LimitVehicle { vehicle, mps },
        12..=13 => {
            let hold_ms = (random.below(2) == 0).then(|| 1000 + random.below(60_000) as i64);
            Order::ShowPhase { signal, phase: random.below(6) as u32, hold_ms }
        }
        14..=15 => Order::RunProgram { signal, program: random.below(2) as u32 },
        _ => {
            let phases = network.signal(signal).programs.iter().flat_map(|program| &program.phases);
            let count = phases.map(|phase| phase.aspects.len()).max().unwrap_or(0);
            let some = [Aspect::Red, Aspect::Green, Aspect::GreenMajor, Aspect::OffBlinking];
            Order::ShowAspects { signal, aspects: (0..count).map(|_| *random.pick(&some)).collect() }
        }
    }
}
