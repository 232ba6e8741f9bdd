//! What a partition has to do with routing: it tells how fast its roads are driven and who asks for a route, and it takes
//! over the routes that were found. The finding is [`RouteGuidance`](crate::sim::RouteGuidance)'s.

use crate::demand::Departure;
use crate::ids::{LaneId, RouteId};

use crate::sim::partition::Partition;
use crate::sim::report::{RouteRequest, RouteUpdate, RoutingStage, StepReport};
use crate::sim::routing_schedule::RoutingSchedule;
use crate::sim::vehicle::{Vehicle, flags};

/// Whether the route of a vehicle is looked for anew when it departs, as SUMO does for all with a device. Stops are tied to
/// places on a route, so vehicles with stops keep the one that was given or found at load.
pub(in crate::sim) fn is_routed_at_departure(departure: &Departure) -> bool {
    departure.has_rerouting_device && departure.stops.is_empty()
}

impl Partition {
    /// Samples edge speeds; at a snapshot, reports them and who asks for a route.
    pub(in crate::sim) fn report_for_routing(&mut self, now_ms: i64, report: &mut StepReport) {
        let Some(schedule) = self.world.routing else { return };
        if schedule.is_sample(now_ms) {
            self.edge_speeds.sample(&self.world, &self.lanes, &self.scope.own_lanes);
        }
        if schedule.is_snapshot(now_ms) {
            report.edge_speeds = self.edge_speeds.take();
            if schedule.waiting_period_ms > 0 {
                self.ask_while_waiting(&schedule, now_ms, report);
            }
            if schedule.driving_period_ms > 0 {
                self.ask_while_driving(&schedule, now_ms, report);
            }
        }
    }

    fn ask_while_waiting(&self, schedule: &RoutingSchedule, now_ms: i64, report: &mut StepReport) {
        let demand = &self.world.demand;
        self.departures.each_waiting(|vehicle| {
            let departure = &demand.departures[vehicle.index()];
            if schedule.asks(departure.depart_ms, schedule.waiting_period_ms, now_ms)
                && is_routed_at_departure(departure)
            {
                let route = self.departures.route_of(vehicle, departure).0;
                report.route_requests.push(RouteRequest {
                    vehicle,
                    stage: RoutingStage::Waiting,
                    route,
                    from_index: 0,
                });
            }
        });
    }

    fn ask_while_driving(&self, schedule: &RoutingSchedule, now_ms: i64, report: &mut StepReport) {
        for &lane in &self.scope.own_lanes {
            for vehicle in self.lanes.on(lane) {
                if schedule.asks(i64::from(vehicle.depart_ms), schedule.driving_period_ms, now_ms)
                    && self.may_reroute(vehicle)
                {
                    let from_index = self.index_after(vehicle, lane, schedule.lag_ms);
                    if usize::from(from_index) + 1 < self.plans.routes.len(vehicle.route) {
                        report.route_requests.push(RouteRequest {
                            vehicle: vehicle.id,
                            stage: RoutingStage::Driving,
                            route: vehicle.route,
                            from_index,
                        });
                    }
                }
            }
        }
    }

    /// Whether the vehicle has the device and is free in its choice: stops and given edges tie a vehicle
    /// to its route.
    fn may_reroute(&self, vehicle: &Vehicle) -> bool {
        let departure = &self.world.demand.departures[vehicle.id.index()];
        departure.has_rerouting_device
            && departure.via.is_empty()
            && departure.stops.len <= u32::from(vehicle.stops_done)
    }

    /// Index of the edge of its route that the vehicle reaches when it drives freely for `after_ms`, at most: from there on a
    /// new way can be taken.
    fn index_after(&self, vehicle: &Vehicle, lane: LaneId, after_ms: i64) -> u16 {
        let network = &self.world.network;
        let driver = &self.world.types[usize::from(vehicle.vtype)].driver;
        let edges = self.plans.routes.edges(&self.world.demand, vehicle.route);
        let mut left_s = after_ms as f64 / 1000.0;
        let mut index = usize::from(vehicle.route_index);
        let l = network.lane(lane);
        if l.internal {
            index += 1;
        } else {
            let speed = self.world.allowed_speed(lane, driver, vehicle.speed_factor).max(0.1);
            left_s -= (l.length_m - vehicle.pos_m) / speed;
            if left_s > 0.0 {
                index += 1;
            }
        }
        while left_s > 0.0 && index + 1 < edges.len() {
            let edge = network.edge(edges[index]);
            left_s -= edge.length_m / self.world.allowed_speed(edge.first_lane, driver, vehicle.speed_factor).max(0.1);
            if left_s > 0.0 {
                index += 1;
            }
        }
        index.min(edges.len() - 1) as u16
    }

    /// Takes over routes, before the step at the time for which they were made, when the mirrored roads already hold the
    /// state of that time. All partitions get the same list, for vehicles that they do not know, too: only so a [`RouteId`]
    /// means the same to all.
    pub fn apply_routes(&mut self, updates: &[RouteUpdate]) {
        let world = std::sync::Arc::clone(&self.world);
        let mut driving: Vec<(crate::ids::VehicleId, RouteId)> = Vec::new();
        for update in updates {
            let route = self.plans.routes.intern(&world.demand, &update.edges);
            match update.stage {
                RoutingStage::Departing => self.departures.set_route(&world, update.vehicle, route, false),
                RoutingStage::Waiting => self.departures.set_route(&world, update.vehicle, route, true),
                RoutingStage::Driving => driving.push((update.vehicle, route)),
            }
        }
        if driving.is_empty() {
            return;
        }
        driving.sort_unstable();
        for i in 0..self.scope.known_lanes.len() {
            let lane = self.scope.known_lanes[i];
            for at in 0..self.lanes.on(lane).len() {
                let vehicle = self.lanes.on(lane)[at];
                let Ok(found) = driving.binary_search_by_key(&vehicle.id, |(id, _)| *id) else { continue };
                let route = driving[found].1;
                if self.can_take(&vehicle, lane, route) {
                    if self.scope.owned[lane.index()] {
                        self.note_replaced(&vehicle, false);
                    }
                    let plan = self.plans.plan_of(&world, vehicle.id.0, route, vehicle.vtype, vehicle.stops_done);
                    let vehicle = &mut self.lanes.vehicles.on_mut(lane)[at];
                    vehicle.route = route;
                    vehicle.plan = plan;
                    self.plans.settle(&world, vehicle, lane);
                    vehicle.reroutes = vehicle.reroutes.saturating_add(1);
                }
            }
        }
    }

    /// Whether the vehicle can still follow another route: it has not passed the edge at which that one turns off, and where
    /// it has to turn off next it can halt before the junction.
    fn can_take(&self, vehicle: &Vehicle, lane: LaneId, route: RouteId) -> bool {
        let edges = |id| self.plans.routes.edges(&self.world.demand, id);
        let (old, new) = (edges(vehicle.route), edges(route));
        let l = self.world.network.lane(lane);
        let bound = usize::from(vehicle.route_index) + usize::from(l.internal);
        if vehicle.route == route || bound >= old.len() || bound >= new.len() || old[..=bound] != new[..=bound] {
            return false;
        }
        let turns_off = !l.internal && old.get(bound + 1) != new.get(bound + 1);
        let driver = &self.world.types[usize::from(vehicle.vtype)].driver;
        !vehicle.is(flags::TELEPORTING)
            && (!turns_off || vehicle.pos_m + driver.brake_gap(vehicle.speed_mps) < l.length_m)
    }
}
