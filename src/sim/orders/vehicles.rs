//! Orders about single vehicles.

use std::sync::Arc;

use super::NewVehicle;
use super::apply::Whereabouts;
use crate::ids::{EdgeId, LaneId, VehicleId};
use crate::sim::closing::trip_so_far;
use crate::sim::partition::Partition;
use crate::sim::probes::LaneEvent;
use crate::sim::report::TripRecord;
use crate::sim::vehicle::{Vehicle, flags};

impl Partition {
    /// Returns whether the vehicle departs on an own road.
    pub(super) fn add_vehicle(&mut self, new: &NewVehicle) -> bool {
        let route = self.plans.routes.intern(&self.world.demand, &new.edges);
        self.admit(new, route).unwrap_or(false)
    }

    /// Returns whether the vehicle was on or beside an own road, or was to depart there.
    pub(in crate::sim) fn remove_vehicle(&mut self, id: VehicleId, now_ms: i64) -> bool {
        match self.find(id) {
            Some(Whereabouts::OnLane(lane, index)) => {
                let vehicle = self.lanes.vehicles.remove(lane, index);
                let own = self.scope.owned[lane.index()];
                if own {
                    self.probes.note(&self.world, lane, vehicle.vtype, LaneEvent::Vaporized, now_ms);
                    self.removed(&vehicle, lane, now_ms);
                }
                own
            }
            Some(Whereabouts::Beside(edge, index)) => {
                let transfer = self.transfers[edge.index()].remove(index);
                let own = self.owns_road(edge);
                if own {
                    self.removed(&transfer.vehicle, self.world.network.edge(edge).first_lane, now_ms);
                }
                own
            }
            None => match self.departures.remove(&self.world, id) {
                Some(was_waiting) => {
                    self.counts.discarded += u64::from(was_waiting);
                    self.past.removed(id.0, now_ms);
                    true
                }
                None => false,
            },
        }
    }

    fn removed(&mut self, vehicle: &Vehicle, lane: LaneId, now_ms: i64) {
        self.counts.discarded += 1;
        self.past.removed(vehicle.id.0, now_ms);
        let trip = TripRecord { edges: self.told_route(vehicle), ..trip_so_far(&self.world, vehicle) };
        self.ordered.removals.push(TripRecord {
            arrival_ms: now_ms,
            arrival_lane: lane,
            arrival_pos_m: vehicle.pos_m,
            arrival_speed_mps: vehicle.speed_mps,
            ..trip
        });
    }

    /// Returns whether a vehicle of an own road takes the way. Stops that it still had to make are given up.
    pub(super) fn reroute(&mut self, id: VehicleId, edges: &[EdgeId]) -> bool {
        let world = Arc::clone(&self.world);
        // Also when nobody takes it: a route has the same id in all partitions.
        let route = self.plans.routes.intern(&world.demand, edges);
        match self.find(id) {
            Some(Whereabouts::OnLane(lane, index)) => {
                let mut vehicle = self.lanes.on(lane)[index];
                let Some(at) = self.place_on(&vehicle, Some(lane), edges) else { return false };
                if self.scope.owned[lane.index()] {
                    self.note_replaced(&vehicle, true);
                }
                vehicle.route = route;
                self.set_out(&mut vehicle, at);
                self.plans.settle(&world, &mut vehicle, lane);
                self.lanes.vehicles.on_mut(lane)[index] = vehicle;
                self.scope.owned[lane.index()]
            }
            Some(Whereabouts::Beside(edge, index)) => {
                let mut vehicle = self.transfers[edge.index()][index].vehicle;
                let Some(at) = self.place_on(&vehicle, None, edges) else { return false };
                if self.owns_road(edge) {
                    self.note_replaced(&vehicle, true);
                }
                vehicle.route = route;
                self.set_out(&mut vehicle, at);
                self.transfers[edge.index()][index].vehicle = vehicle;
                self.owns_road(edge)
            }
            None => {
                let starts_there = self.departures.edge_of(&world, id).is_some_and(|edge| edge == edges[0]);
                if starts_there {
                    self.departures.set_route(&world, id, route, true);
                }
                starts_there
            }
        }
    }

    /// Where in a way the vehicle is; `None` when it cannot follow it (any more).
    fn place_on(&self, vehicle: &Vehicle, lane: Option<LaneId>, edges: &[EdgeId]) -> Option<usize> {
        let old = self.plans.routes.edges(&self.world.demand, vehicle.route);
        let index = usize::from(vehicle.route_index);
        let is_inside = lane.is_some_and(|lane| self.world.network.lane(lane).internal);
        let next = old.get(index + 1);
        let fits = |at: &usize| edges[*at] == old[index] && (!is_inside || edges.get(at + 1) == next);
        let at = (0..edges.len()).find(fits)?;
        if let Some(lane) = lane.filter(|_| !is_inside && edges.get(at + 1) != next) {
            // It turns off at the end of its lane, and has to be able to halt before that.
            let driver = &self.world.types[usize::from(vehicle.vtype)].driver;
            let length_m = self.world.network.lane(lane).length_m;
            return (vehicle.pos_m + driver.brake_gap(vehicle.speed_mps) < length_m).then_some(at);
        }
        Some(at)
    }

    fn set_out(&mut self, vehicle: &mut Vehicle, at: usize) {
        vehicle.route_index = at as u16;
        vehicle.stops_done = self.world.demand.departures[vehicle.id.index()].stops.len as u16;
        vehicle.set(flags::STOPPED, false);
        vehicle.reroutes = vehicle.reroutes.saturating_add(1);
        self.plan_for(vehicle);
    }

    /// Returns whether the vehicle is on or beside an own road, or is to depart there.
    pub(super) fn limit_vehicle(&mut self, id: VehicleId) -> bool {
        let is_limited = self.world.overlay.standing.paces.contains_key(&id);
        match self.find(id) {
            Some(Whereabouts::OnLane(lane, index)) => {
                self.lanes.vehicles.on_mut(lane)[index].set(flags::LIMITED, is_limited);
                self.scope.owned[lane.index()]
            }
            Some(Whereabouts::Beside(edge, index)) => {
                self.transfers[edge.index()][index].vehicle.set(flags::LIMITED, is_limited);
                self.owns_road(edge)
            }
            // Marked when it departs.
            None => self.departures.edge_of(&self.world, id).is_some(),
        }
    }
}
