//! A partition takes over orders.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Order;
use crate::ids::{EdgeId, LaneId, RouteId, VehicleId};
use crate::sim::partition::Partition;
use crate::sim::report::{ReplacedRoute, TripRecord};
use crate::sim::world::World;

/// What the orders before a step left for its report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    /// Orders that found what they are about, on own roads.
    pub met: u32,
    /// Trips that they ended.
    pub removals: Vec<TripRecord>,
    /// Vehicles may want another way if roads are closed.
    pub touches_ways: bool,
    /// Routes that vehicles gave up, if that is recorded.
    pub replaced_routes: Vec<ReplacedRoute>,
}

impl Ordered {
    /// Takes over what another partition had to report.
    pub(in crate::sim) fn join(&mut self, other: &Self) {
        self.met += other.met;
        self.removals.extend(other.removals.iter().cloned());
        self.touches_ways |= other.touches_ways;
        self.replaced_routes.extend(other.replaced_routes.iter().cloned());
    }
}

/// Where a vehicle is that the partition knows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whereabouts {
    OnLane(LaneId, usize),
    /// Teleporting or parked.
    Beside(EdgeId, usize),
}

impl Order {
    /// Whether the object can be gone when the order is applied.
    pub fn can_miss(&self) -> bool {
        match self {
            Self::LimitSpeed { .. }
            | Self::Close { .. }
            | Self::Open { .. }
            | Self::Block { .. }
            | Self::Unblock { .. } => false,
            Self::ShowPhase { .. }
            | Self::RunProgram { .. }
            | Self::ShowAspects { .. }
            | Self::AddVehicle(_)
            | Self::RemoveVehicle { .. }
            | Self::Reroute { .. }
            | Self::LimitVehicle { .. } => true,
        }
    }

    /// Whether ways over closed roads may come of it, or ways that may lead over a road again.
    pub fn touches_ways(&self) -> bool {
        matches!(self, Self::Close { .. } | Self::Open { .. } | Self::AddVehicle(_) | Self::Reroute { .. })
    }
}

impl Partition {
    /// Takes over orders, before the step that they are for, when the mirrored roads hold the state of that time; before
    /// [`apply_routes`](Partition::apply_routes) when both are due. All orders about vehicles go to all partitions: only so
    /// vehicles and routes have the same ids everywhere.
    pub fn apply_orders(&mut self, orders: &[Order]) {
        let now_ms = self.now_ms();
        let mut replan = false;
        for order in orders {
            let Some(order) = &order.part_for(&self.world.network, &self.scope) else { continue };
            if !matches!(order, Order::AddVehicle(_)) {
                replan |= Arc::make_mut(&mut self.world).take_order(order);
            }
            let is_met = match order {
                Order::ShowPhase { signal, phase, hold_ms } => self.show_phase(*signal, *phase, *hold_ms, now_ms),
                Order::RunProgram { signal, program } => self.run_program(*signal, *program, now_ms),
                Order::ShowAspects { signal, aspects } => self.show_aspects(*signal, aspects),
                Order::AddVehicle(new) => self.add_vehicle(&new.departing(now_ms)),
                Order::RemoveVehicle { vehicle } => self.remove_vehicle(*vehicle, now_ms),
                Order::Reroute { vehicle, edges } => self.reroute(*vehicle, edges),
                Order::LimitVehicle { vehicle, .. } => self.limit_vehicle(*vehicle),
                _ => false,
            };
            self.ordered.met += u32::from(is_met);
        }
        if replan {
            self.replan();
        }
        // Orders of one step may come in several lots.
        self.ordered.touches_ways |= orders.iter().any(Order::touches_ways);
    }

    /// Makes all lane plans anew: lanes were closed or opened.
    pub(in crate::sim) fn replan(&mut self) {
        self.plans.forget();
        self.departures.forget_wishes();
        let world = Arc::clone(&self.world);
        for at in 0..self.scope.known_lanes.len() {
            let lane = self.scope.known_lanes[at];
            for index in 0..self.lanes.on(lane).len() {
                let mut vehicle = self.lanes.on(lane)[index];
                self.plan_for(&mut vehicle);
                self.plans.settle(&world, &mut vehicle, lane);
                self.lanes.vehicles.on_mut(lane)[index] = vehicle;
            }
        }
        for at in 0..self.scope.known_edges.len() {
            let edge = self.scope.known_edges[at];
            let mut transfers = std::mem::take(&mut self.transfers[edge.index()]);
            transfers.iter_mut().for_each(|transfer| self.plan_for(&mut transfer.vehicle));
            self.transfers[edge.index()] = transfers;
        }
    }

    /// Lays saved orders over the world. The saved routes have to be there.
    pub(in crate::sim) fn lay_over(&mut self, standing: &super::Standing) {
        if standing.is_empty() {
            return;
        }
        let known = standing.known_to(&self.world.network, &self.scope);
        Arc::make_mut(&mut self.world).lay_over(&known);
        for new in &standing.added {
            let route = self.plans.routes.intern(&self.world.demand, &new.edges);
            self.admit(new, route);
        }
        self.signals.fixed = known.fixed;
    }

    /// Makes a new vehicle known. Returns whether it departs here; `None` when its id is not the next free one.
    pub(super) fn admit(&mut self, new: &super::NewVehicle, route: RouteId) -> Option<bool> {
        if !Arc::make_mut(&mut self.world).add_vehicle(new, route) {
            return None;
        }
        let is_own = self.owns_road(new.edges[0]);
        if is_own {
            self.departures.add(&self.world, new.vehicle, new.edges[0]);
        }
        Some(is_own)
    }

    pub(super) fn owns_road(&self, edge: EdgeId) -> bool {
        self.scope.owned[self.world.network.edge(edge).first_lane.index()]
    }

    pub(super) fn find(&self, vehicle: VehicleId) -> Option<Whereabouts> {
        let on_lane = self.scope.known_lanes.iter().find_map(|lane| {
            let index = self.lanes.on(*lane).iter().position(|v| v.id == vehicle)?;
            Some(Whereabouts::OnLane(*lane, index))
        });
        on_lane.or_else(|| {
            self.scope.known_edges.iter().find_map(|edge| {
                let index = self.transfers[edge.index()].iter().position(|t| t.vehicle.id == vehicle)?;
                Some(Whereabouts::Beside(*edge, index))
            })
        })
    }

    /// Ends what was ordered for a while.
    pub(in crate::sim) fn end_orders(&mut self, now_ms: i64) {
        World::end_blocks(&mut self.world, now_ms);
    }
}
