//! Vehicles whose road is gone, and those whose way led over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::demand::{RoadGraph, Roads, RouteSearch, Travel, VehicleClass};
use crate::graph::EdgeKind;
use crate::ids::{EdgeId, LaneId, RouteId, VehicleId};
use crate::sim::partition::Partition;
use crate::sim::vehicle::{Vehicle, flags};
use crate::sim::world::World;

/// What becomes of a vehicle whose way is interrupted.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub vehicle: VehicleId,
    /// The whole route, with what it has driven; `None`: there is no other way.
    pub edges: Option<Vec<EdgeId>>,
}

/// The roads before and after, as routes see them.
pub(super) struct Ways<'w> {
    before: &'w World,
    after: &'w Arc<World>,
    graphs: [RoadGraph; 2],
    search: RouteSearch,
    /// By route and class: the last place where it is interrupted.
    known: BTreeMap<(RouteId, u8), Option<usize>>,
}

impl<'w> Ways<'w> {
    /// `after` is the world in which the run goes on, with what orders closed there.
    pub fn new(before: &'w World, after: &'w Arc<World>) -> Self {
        let closed = |lane: LaneId| after.overlay.is_closed(lane);
        let graphs = [RoadGraph::new(&before.network), RoadGraph::avoiding(&after.network, closed)];
        let search = RouteSearch::new(&after.network, &graphs[1]);
        Self { before, after, graphs, search, known: BTreeMap::new() }
    }

    /// Index of the last edge that is gone, or from which no way leads to the next any more as it did before.
    fn last_break(&self, edges: &[EdgeId], class: VehicleClass) -> Option<usize> {
        let leads = |graph: &RoadGraph, from: EdgeId, to: EdgeId| {
            graph.arcs(from).iter().any(|arc| arc.to == to && arc.allowed.allows(class))
        };
        let old = self.before.network.edges.len();
        (0..edges.len()).rev().find(|&at| {
            let here = edges[at];
            if self.after.network.edge(here).kind == EdgeKind::Removed {
                return true;
            }
            edges.get(at + 1).is_some_and(|&next| {
                let led = here.index() < old && next.index() < old && leads(&self.graphs[0], here, next);
                // A closed road is no interruption: it may open, and those who wait before it have looked round already.
                let is_closed = self.after.overlay.is_road_closed(&self.after.network, next);
                led && !is_closed && !leads(&self.graphs[1], here, next)
            })
        })
    }

    /// Whether nothing of a route was interrupted.
    pub fn leads_through(&self, edges: &[EdgeId], vehicle: VehicleId) -> bool {
        let departures = &self.after.demand.departures;
        let vtype = departures.get(vehicle.index()).map(|departure| departure.vtype);
        let class = vtype.map_or(VehicleClass::Passenger, |vtype| self.after.types[vtype.index()].class);
        self.last_break(edges, class).is_none()
    }

    /// The way on from the edge at `here`, if the present one is interrupted from there on.
    fn look(&mut self, vehicle: VehicleId, route: RouteId, edges: &[EdgeId], here: usize) -> Option<Answer> {
        let after = Arc::clone(self.after);
        let departure = &after.demand.departures[vehicle.index()];
        let class = after.types[departure.vtype.index()].class;
        let key = (route, class as u8);
        let last = match self.known.get(&key) {
            Some(last) => *last,
            None => {
                let last = self.last_break(edges, class);
                self.known.insert(key, last);
                last
            }
        };
        last.filter(|last| *last >= here)?;
        let network = &after.network;
        let is_road = |edge: &EdgeId| network.edge(*edge).kind == EdgeKind::Normal;
        let vias = after.demand.vias[departure.via.range()].iter();
        let ahead: Vec<EdgeId> = vias.copied().filter(|via| is_road(via) && edges[here..].contains(via)).collect();
        let ends = (edges.get(here).copied(), edges.last().copied());
        let found = match ends {
            (Some(from), Some(to)) if is_road(&from) && is_road(&to) => {
                let travel = Travel::of(&after.demand.types[departure.vtype.index()], departure.speed_factor);
                let roads = Roads { network, graph: &self.graphs[1], delays: None };
                self.search.route(roads, from, &ahead, to, travel).ok()
            }
            _ => None,
        };
        // Vehicles count the edges of their routes with 16 bits.
        let found = found.filter(|found| here + found.len() <= usize::from(u16::MAX));
        let edges = found.map(|found| edges[..here].iter().copied().chain(found).collect());
        Some(Answer { vehicle, edges })
    }
}

impl Partition {
    /// Takes own vehicles off lanes that are lost, and those beside them; how many.
    pub(super) fn clear_roads(&mut self, is_lost: impl Fn(LaneId) -> bool) -> u64 {
        let now_ms = self.now_ms();
        let mut lost: Vec<VehicleId> = Vec::new();
        for lane in self.scope.own_lanes.iter().filter(|lane| is_lost(**lane)) {
            lost.extend(self.lanes.on(*lane).iter().map(|vehicle| vehicle.id));
        }
        for edge in &self.scope.own_edges {
            let whole = self.world.network.edge(*edge).lanes().all(&is_lost);
            let is_lost = |vehicle: &Vehicle| {
                let is_parked = !vehicle.is(flags::TELEPORTING);
                whole || (is_parked && vehicle.came_from.is_some() && is_lost(vehicle.came_from))
            };
            let beside = self.transfers[edge.index()].iter().map(|transfer| &transfer.vehicle);
            lost.extend(beside.filter(|vehicle| is_lost(vehicle)).map(|vehicle| vehicle.id));
        }
        for vehicle in &lost {
            self.remove_vehicle(*vehicle, now_ms);
        }
        lost.len() as u64
    }

    /// New ways for own vehicles whose ways are interrupted: those on the road, beside it, waiting, and to come.
    pub(super) fn find_ways(&self, ways: &mut Ways) -> Vec<Answer> {
        let demand = &self.world.demand;
        let mut answers = Vec::new();
        let mut look = |vehicle: VehicleId, route: RouteId, here: usize| {
            answers.extend(ways.look(vehicle, route, self.plans.routes.edges(demand, route), here));
        };
        for &lane in &self.scope.own_lanes {
            let inside = usize::from(self.world.network.lane(lane).internal);
            for vehicle in self.lanes.on(lane) {
                look(vehicle.id, vehicle.route, usize::from(vehicle.route_index) + inside);
            }
        }
        for transfer in self.busy_transfers.iter().flat_map(|edge| &self.transfers[edge.index()]) {
            look(transfer.vehicle.id, transfer.vehicle.route, usize::from(transfer.vehicle.route_index));
        }
        for vehicle in self.departures.yet_to_depart() {
            let route = self.departures.route_of(vehicle, &demand.departures[vehicle.index()]).0;
            look(vehicle, route, 0);
        }
        answers
    }

    /// Takes over what was found, for all vehicles: only so a route has the same id in all partitions.
    pub(super) fn take_ways(&mut self, answers: &[Answer]) {
        let (world, now_ms) = (Arc::clone(&self.world), self.now_ms());
        let mut driving: BTreeMap<VehicleId, RouteId> = BTreeMap::new();
        for Answer { vehicle, edges } in answers {
            match edges {
                Some(edges) => {
                    let route = self.plans.routes.intern(&world.demand, edges);
                    if self.departures.edge_of(&world, *vehicle).is_some() {
                        self.departures.set_route(&world, *vehicle, route, true);
                    } else {
                        driving.insert(*vehicle, route);
                    }
                }
                None => {
                    self.remove_vehicle(*vehicle, now_ms);
                }
            }
        }
        for at in 0..self.scope.own_lanes.len() {
            let lane = self.scope.own_lanes[at];
            for index in 0..self.lanes.on(lane).len() {
                let mut vehicle = self.lanes.on(lane)[index];
                if self.set_way(&mut vehicle, &driving) {
                    self.plans.settle(&world, &mut vehicle, lane);
                    self.lanes.vehicles.on_mut(lane)[index] = vehicle;
                }
            }
        }
        for at in 0..self.busy_transfers.len() {
            let edge = self.busy_transfers[at];
            for index in 0..self.transfers[edge.index()].len() {
                let mut vehicle = self.transfers[edge.index()][index].vehicle;
                if self.set_way(&mut vehicle, &driving) {
                    self.transfers[edge.index()][index].vehicle = vehicle;
                }
            }
        }
    }

    /// Stops that it still had to make are given up: they are places on the old way.
    fn set_way(&mut self, vehicle: &mut Vehicle, driving: &BTreeMap<VehicleId, RouteId>) -> bool {
        let Some(route) = driving.get(&vehicle.id) else { return false };
        vehicle.route = *route;
        vehicle.reroutes = vehicle.reroutes.saturating_add(1);
        let stops = self.world.demand.departures[vehicle.id.index()].stops.len as u16;
        vehicle.stops_done = stops;
        vehicle.set(flags::STOPPED, false);
        self.plan_for(vehicle);
        true
    }
}
