//! Random demand on any network.

use std::sync::Arc;

use tessds::demand::{
    ArrivalLane, ArrivalPos, ArrivalSpeed, CarFollowing, Demand, DepartLane, DepartPos, DepartSpeed, Departure, Idm,
    RouteOrigin, Stop, StopPlace, VehicleClass, VehicleType,
};
use tessds::graph::partition::{Cut, random_cut};
use tessds::graph::{EdgeKind, Network, Span};
use tessds::ids::{EdgeId, RouteId, TypeId};
use tessds::scenario::{OutputRequests, Rerouting, Settings};
use tessds::sim::World;

use super::scenarios::net;

/// A small generator of random numbers (SplitMix64); one seed gives one demand.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn types() -> Vec<VehicleType> {
    let mut car = VehicleType::default_of("car", VehicleClass::Passenger);
    car.sigma = 0.5;
    let mut idm = VehicleType::default_of("idm", VehicleClass::Passenger);
    idm.model = CarFollowing::Idm(Idm { delta: 4.0, stepping_s: 0.25 });
    let mut eager = VehicleType::default_of("eager", VehicleClass::Delivery);
    eager.lane_change.speed_gain = 5.0;
    eager.lane_change.assertive = 2.0;
    eager.impatience = 0.5;
    vec![car, VehicleType::default_of("bus", VehicleClass::Bus), eager, idm]
}

/// `vehicles` on random walks over the network, all departing within `seconds`; some make stops or park on the way.
pub fn random_walks(network: &Network, vehicles: usize, seconds: u64, seed: u64) -> Demand {
    let mut random = Random(seed);
    let mut demand = Demand { types: types(), ..Demand::default() };
    let roads: Vec<EdgeId> = (0..network.edges.len())
        .map(EdgeId::new)
        .filter(|e| network.edge(*e).kind == EdgeKind::Normal && !next_roads(network, *e).is_empty())
        .collect();
    let mut times: Vec<i64> = (0..vehicles).map(|_| (random.next() % (seconds * 1000)) as i64 / 1000 * 1000).collect();
    times.sort_unstable();
    for (index, depart_ms) in times.into_iter().enumerate() {
        let start = *random.pick(&roads);
        let length = 2 + random.below(14);
        let route = walk(network, start, length, &mut random);
        let stops = stops(network, &route, &mut demand.places, &mut random);
        let stops_span = Span::new(demand.stops.len(), stops.len());
        demand.stops.extend(stops);
        demand.routes.push(Span::new(demand.route_edges.len(), route.len()));
        demand.route_edges.extend(route);
        let depart_pos = [
            DepartPos::Base,
            DepartPos::Base,
            DepartPos::RandomFree,
            DepartPos::Last,
            DepartPos::Random,
            DepartPos::Free,
        ];
        let depart_speed = [DepartSpeed::Given(0.0), DepartSpeed::Max, DepartSpeed::Random, DepartSpeed::Avg];
        let depart_lane = [DepartLane::Best, DepartLane::Free, DepartLane::Random, DepartLane::Best];
        let arrival_pos = [ArrivalPos::Max, ArrivalPos::Random, ArrivalPos::Given(5.0)];
        demand.departures.push(Departure {
            name: format!("v{index}").into(),
            depart_ms,
            vtype: TypeId([0, 0, 0, 0, 1, 2, 3][random.below(7)]),
            route: RouteId::new(demand.routes.len() - 1),
            speed_factor: (80 + random.below(40)) as f32 / 100.0,
            depart_lane: *random.pick(&depart_lane),
            depart_pos: *random.pick(&depart_pos),
            depart_speed: *random.pick(&depart_speed),
            arrival_lane: ArrivalLane::Current,
            arrival_pos: *random.pick(&arrival_pos),
            arrival_speed: ArrivalSpeed::Current,
            stops: stops_span,
            // Vehicles with the device are routed again when they depart.
            route_origin: RouteOrigin::Found,
            has_rerouting_device: random.below(3) == 0,
            via: Span::default(),
        });
    }
    demand
}

fn next_roads(network: &Network, edge: EdgeId) -> Vec<EdgeId> {
    let links = network.edge(edge).lanes().flat_map(|lane| network.links_of(lane));
    let mut next: Vec<EdgeId> = links.map(|l| network.lane(network.link(l).to).edge).collect();
    next.sort_unstable();
    next.dedup();
    next
}

pub fn walk(network: &Network, start: EdgeId, length: usize, random: &mut Random) -> Vec<EdgeId> {
    let mut route = vec![start];
    while route.len() < length {
        let next = next_roads(network, route[route.len() - 1]);
        if next.is_empty() {
            break;
        }
        route.push(*random.pick(&next));
    }
    route
}

/// Every lane has a place of its own: a parking area of three lots, or one where vehicles stop one behind the other.
fn stops(network: &Network, route: &[EdgeId], places: &mut Vec<StopPlace>, random: &mut Random) -> Vec<Stop> {
    places.resize(network.lanes.len(), StopPlace::default());
    let mut stops = Vec::new();
    for (index, edge) in route.iter().enumerate().skip(1) {
        let e = network.edge(*edge);
        if random.below(20) > 0 || e.length_m < 30.0 {
            continue;
        }
        let (start_m, end_m) = (e.length_m / 2.0, e.length_m / 2.0 + 12.0_f64.min(e.length_m / 3.0));
        let is_area = edge.0 % 3 == 0;
        if is_area {
            places[e.first_lane.index()].lots_m = vec![start_m + 4.0, start_m + 6.0, end_m];
        }
        stops.push(Stop {
            lane: e.first_lane,
            route_index: index as u32,
            start_m,
            end_m,
            duration_ms: Some(5000 + random.below(30) as i64 * 1000),
            until_ms: None,
            parking: random.below(2) == 0 || is_area,
            triggered: false,
            arrival_ms: None,
            speed_mps: 0.0,
            place: "".into(),
            place_index: (edge.0 % 3 < 2).then_some(e.first_lane.0),
        });
    }
    stops
}

/// Half of the vehicles look for a faster route every minute.
pub fn rerouting() -> Rerouting {
    Rerouting {
        probability: 0.5,
        period_ms: 60_000,
        pre_period_ms: 30_000,
        adaptation_interval_ms: 1000,
        adaptation_steps: 60,
        adaptation_weight: 0.0,
    }
}

/// A world of random demand on one of the small networks, with three random cuts of it.
pub fn random_world(name: &str, vehicles: usize, step_ms: i64, random: &mut Random) -> (Arc<World>, Vec<Cut>) {
    let network = net(name);
    let demand = random_walks(&network, vehicles, 200, random.next());
    let settings = Settings {
        seed: random.next(),
        step_ms,
        end_ms: Some(400_000),
        time_to_teleport_ms: [Some(30_000), Some(120_000), None][random.below(3)],
        rerouting: [None, Some(rerouting())][random.below(2)].clone(),
        ..Settings::default()
    };
    let mut cut = || random_cut(&network, 2 + random.below(6) as u32, random.next()).expect("a cut");
    let cuts = vec![cut(), cut(), cut()];
    (Arc::new(World::new(network, demand, settings, OutputRequests::default())), cuts)
}
