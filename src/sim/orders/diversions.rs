//! Ways round roads that an order closed. Vehicles on the road or waiting are told of by their partitions; those to come
//! are known from the demand, and go their old way again when it is open before they depart.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{NewVehicle, Order};
use crate::ids::{EdgeId, VehicleId};
use crate::sim::report::{RouteUpdate, RoutingStage, StepReport};
use crate::sim::route_guidance::RouteGuidance;

/// The route of a vehicle to come, instead of that of the demand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assigned {
    pub edges: Vec<EdgeId>,
    /// Because of closed roads; not by the traffic.
    pub is_detour: bool,
}

impl RouteGuidance {
    /// Does what the partitions did with the orders before a step. Returns whether a way may have been touched.
    pub(in crate::sim) fn take_due_orders(&mut self, step: &StepReport) -> bool {
        let due = self.state.log.take_due(step.time_ms);
        if due.is_empty() {
            return false;
        }
        // Added vehicles are not in order of time.
        let departures = &self.world.demand.departures;
        self.state.assigned.retain(|vehicle, _| departures[vehicle.index()].depart_ms > step.time_ms);
        let had_closures = self.world.overlay.has_closures();
        let (mut roads_changed, mut touches_ways, mut can_miss) = (false, false, 0u64);
        for order in due.iter().flat_map(|numbered| &numbered.orders) {
            can_miss += u64::from(order.can_miss());
            touches_ways |= order.touches_ways();
            match order {
                Order::AddVehicle(new) => self.add(&new.departing(step.time_ms)),
                Order::Reroute { edges, .. } => {
                    self.state.routes.intern(&self.world.demand, edges);
                }
                _ => {
                    roads_changed |= matches!(order, Order::LimitSpeed { .. });
                    roads_changed |= Arc::make_mut(&mut self.world).take_order(order);
                }
            }
        }
        if roads_changed {
            self.forget_roads();
        }
        self.state.log.missed += can_miss.saturating_sub(u64::from(step.orders_met));
        self.state.log.standing.clone_from(&self.world.overlay.standing);
        touches_ways && (had_closures || self.world.overlay.has_closures())
    }

    /// Vehicles that orders added or will add.
    pub fn added(&self) -> impl Iterator<Item = &NewVehicle> {
        let to_come = self.state.log.to_come().filter_map(|order| match order {
            Order::AddVehicle(new) => Some(&**new),
            _ => None,
        });
        self.world.overlay.standing.added.iter().chain(to_come)
    }

    /// Orders of recorded steps whose vehicle or signal could not do what they said any more.
    pub fn orders_missed(&self) -> u64 {
        self.state.log.missed
    }

    fn add(&mut self, new: &NewVehicle) {
        let route = self.state.routes.intern(&self.world.demand, &new.edges);
        Arc::make_mut(&mut self.world).add_vehicle(new, route);
    }

    /// Lays the orders of a saved state over the world.
    pub(in crate::sim) fn lay_over(&mut self) {
        let standing = std::mem::take(&mut self.state.log.standing);
        if !standing.is_empty() {
            Arc::make_mut(&mut self.world).lay_over(&standing);
            standing.added.iter().for_each(|new| self.add(new));
        }
        self.state.log.standing = standing;
    }

    /// Finds new ways after the step whose orders closed or opened roads, or sent somebody over closed ones.
    pub(in crate::sim) fn divert(&mut self, step: &StepReport) -> Vec<RouteUpdate> {
        let mut updates = Vec::new();
        for index in 0..self.world.demand.departures.len() {
            if self.world.demand.departures[index].depart_ms > step.time_ms {
                updates.extend(self.divert_to_come(VehicleId::new(index)));
            }
        }
        for request in &step.detour_requests {
            updates.extend(self.answer(request));
        }
        updates
    }

    fn divert_to_come(&mut self, vehicle: VehicleId) -> Option<RouteUpdate> {
        let world = Arc::clone(&self.world);
        let departure = &world.demand.departures[vehicle.index()];
        // Stops are places on a route.
        if !departure.stops.is_empty() {
            return None;
        }
        let is_closed =
            |edges: &[EdgeId]| world.overlay.first_closed(&world.network, edges.get(1..).unwrap_or_default()).is_some();
        let assigned = self.state.assigned.get(&vehicle);
        let original = self.state.routes.edges(&world.demand, departure.route);
        let edges = match assigned {
            Some(assigned) if assigned.is_detour && !is_closed(original) => {
                let edges = original.to_vec();
                self.state.assigned.remove(&vehicle);
                edges
            }
            Some(assigned) if !is_closed(&assigned.edges) => return None,
            None if !is_closed(original) => return None,
            _ => {
                let present = assigned.map_or(original, |assigned| &assigned.edges).to_vec();
                let edges = self.find(vehicle, &present, 0)?;
                self.state.assigned.insert(vehicle, Assigned { edges: edges.clone(), is_detour: true });
                edges
            }
        };
        Some(RouteUpdate { vehicle, stage: RoutingStage::Departing, edges })
    }
}
