//! Who asks for a way round closed roads.

use crate::ids::LaneId;
use crate::sim::partition::Partition;
use crate::sim::report::{RouteRequest, RoutingStage};
use crate::sim::vehicle::{Vehicle, flags};

impl Partition {
    /// Own vehicles, on the road or waiting, whose way leads over a road that is closed as a whole. Stops tie a vehicle to
    /// its way; who is beside the road gets back onto it behind the closed one.
    pub(in crate::sim) fn ask_for_detours(&self) -> Vec<RouteRequest> {
        let mut requests = Vec::new();
        let world = &self.world;
        self.departures.each_waiting(|vehicle| {
            let departure = &world.demand.departures[vehicle.index()];
            let route = self.departures.route_of(vehicle, departure).0;
            let ahead = self.plans.routes.edges(&world.demand, route).get(1..).unwrap_or_default();
            if departure.stops.is_empty() && world.overlay.first_closed(&world.network, ahead).is_some() {
                requests.push(RouteRequest { vehicle, stage: RoutingStage::Waiting, route, from_index: 0 });
            }
        });
        for &lane in &self.scope.own_lanes {
            requests.extend(self.lanes.on(lane).iter().filter_map(|vehicle| self.ask_for_detour(vehicle, lane)));
        }
        requests
    }

    fn ask_for_detour(&self, vehicle: &Vehicle, lane: LaneId) -> Option<RouteRequest> {
        let world = &self.world;
        let stops = world.demand.departures[vehicle.id.index()].stops.len;
        if vehicle.is(flags::STOPPED) || stops > u32::from(vehicle.stops_done) {
            return None;
        }
        let l = world.network.lane(lane);
        let edges = self.plans.routes.edges(&world.demand, vehicle.route);
        // The edge that it is on, or that it drives onto.
        let here = usize::from(vehicle.route_index) + usize::from(l.internal);
        let closed = here + 1 + world.overlay.first_closed(&world.network, edges.get(here + 1..)?)?;
        // The new way can begin at the end of this edge if it can still halt there in the step after the next.
        let driver = &world.types[usize::from(vehicle.vtype)].driver;
        let needed_m = vehicle.speed_mps * world.dt + driver.brake_gap(driver.max_next_speed(vehicle.speed_mps));
        let is_late = !l.internal && vehicle.pos_m + needed_m >= l.length_m;
        let from_index = (here + usize::from(is_late)).min(closed - 1) as u16;
        Some(RouteRequest { vehicle: vehicle.id, stage: RoutingStage::Driving, route: vehicle.route, from_index })
    }
}
