//! Whether what was stored of a partition fits the network and demand that it is restored into.

use super::{PartitionState, StateError};
use crate::demand::{ArrivalPos, DepartPos, DepartSpeed};
use crate::graph::Network;
use crate::ids::LaneId;
use crate::sim::models::signals::links_of;
use crate::sim::orders::{NewVehicle, Section, Standing};
use crate::sim::partition::Partition;
use crate::sim::report::{RouteUpdate, TripRecord};
use crate::sim::validation::{Validator, is_time};
use crate::sim::world::World;

pub(in crate::sim) fn holds(condition: bool, what: &'static str) -> Result<(), StateError> {
    if condition { Ok(()) } else { Err(StateError::Content(what)) }
}

/// Checks routes that were stored to be taken over later.
///
/// # Errors
/// One of them leads over an edge that the network does not have.
pub fn check_routes<'a>(
    network: &Network,
    updates: impl IntoIterator<Item = &'a RouteUpdate>,
) -> Result<(), StateError> {
    let is_way = |update: &RouteUpdate| {
        !update.edges.is_empty() && update.edges.iter().all(|edge| edge.index() < network.edges.len())
    };
    holds(updates.into_iter().all(is_way), "routes given out")
}

impl PartitionState {
    /// Checks what the vehicles and all else refer to: the number of steps, the routes, and orders that last.
    pub(super) fn check_base(&self, world: &World) -> Result<(), StateError> {
        let settings = &world.settings;
        let passed_ms = i64::try_from(self.steps).ok().and_then(|steps| steps.checked_mul(settings.step_ms));
        let now_ms = passed_ms.and_then(|passed_ms| passed_ms.checked_add(settings.begin_ms));
        holds(now_ms.is_some_and(is_time), "number of steps")?;
        holds(self.routes.fit(&world.demand, world.network.edges.len()), "routes")?;
        check_standing(&self.standing, world)
    }

    /// Checks all that is taken over but vehicles on and beside lanes, which are checked when they are read. The world and the
    /// routes of the partition are those of this state already.
    pub(super) fn check_content(&self, partition: &Partition, validator: &Validator<'_>) -> Result<(), StateError> {
        let (world, routes) = (validator.world(), &partition.plans.routes);
        let network = &world.network;
        let taken = self.taken_dm.iter().map(|(lane, _)| lane);
        holds(self.lanes.iter().chain(taken).all(|lane| validator.is_lane(*lane)), "lanes")?;
        let edges = &self.edges;
        holds(edges.iter().all(|edge| validator.is_edge(*edge)) && edges.is_sorted_by(|a, b| a < b), "edges")?;
        for (signal, state) in self.signals.iter().chain(&self.other_signals) {
            holds(validator.is_signal(*signal) && validator.signal(*signal, state).is_ok(), "signals")?;
        }
        holds(self.departures.fit(&world.demand, routes, partition.last_ms()), "departures")?;
        holds(self.probes.fit(world, |lane| validator.is_lane(lane)), "measurements")?;
        holds(self.edge_speeds.len() <= network.edges.len(), "edge speeds")?;
        holds(self.counts.are_plausible(), "counts")?;
        let trip = |trip: &TripRecord| {
            validator.is_vehicle(trip.vehicle)
                && [trip.depart_lane, trip.arrival_lane].iter().all(|lane| validator.is_lane(*lane))
                && trip.edges.iter().all(|edge| validator.is_edge(*edge))
        };
        holds(self.ordered.removals.iter().all(trip), "removed vehicles")?;
        let replaced = &self.ordered.replaced_routes;
        let is_route = replaced.iter().all(|old| validator.is_vehicle(old.vehicle) && validator.is_way(&old.edges));
        holds(is_route && self.ordered.met <= u32::MAX / 2, "replaced routes")
    }

    /// Lanes and edges of this state that the partition does not own.
    pub(super) fn check_ownership(&self, partition: &Partition) -> Result<(), StateError> {
        let scope = &partition.scope;
        if self.part != scope.part {
            return Err(StateError::Part { saved: self.part, expected: scope.part });
        }
        let owned = |lane: &LaneId| scope.owned.get(lane.index()).is_some_and(|owned| *owned);
        holds(self.lanes.iter().chain(self.taken_dm.iter().map(|(lane, _)| lane)).all(owned), "lanes")?;
        holds(self.edges.iter().all(|edge| scope.own_edges.binary_search(edge).is_ok()), "edges")
    }
}

/// Whether orders that last refer to what there is. `world` is that of network and demand, without these orders.
pub(in crate::sim) fn check_standing(standing: &Standing, world: &World) -> Result<(), StateError> {
    let (network, before) = (&world.network, world.demand.departures.len());
    let validator = Validator::new(world, world.settings.begin_ms);
    let is_speed = |mps: &f64| mps.is_finite() && *mps >= 0.0;
    let Standing { limits, closed, blocks, steered, fixed, paces, added } = standing;
    holds(limits.iter().all(|(lane, mps)| validator.is_lane(*lane) && is_speed(mps)), "speed limits")?;
    holds(closed.iter().all(|lane| validator.is_lane(*lane)), "closed lanes")?;
    let is_section = |(lane, section): (&LaneId, &Section)| {
        validator.is_lane(*lane) && section.from_m.is_finite() && section.to_m.is_finite()
    };
    holds(blocks.iter().all(is_section), "blocked sections")?;
    holds(steered.iter().all(|signal| validator.is_signal(*signal)), "signals with orders")?;
    let mut shown = fixed.iter();
    let shows = shown.all(|(id, aspects)| validator.is_signal(*id) && aspects.len() == links_of(network.signal(*id)));
    holds(shows, "aspects of signals")?;
    // An order may have named a vehicle that does not exist; it is never looked up.
    holds(paces.values().all(is_speed), "speeds of vehicles")?;
    let are_new = added.iter().enumerate().all(|(at, new)| {
        new.vehicle.index() == before + at && validator.is_way(&new.edges) && is_new_vehicle(new, world)
    });
    holds(are_new, "added vehicles")
}

/// Whether a vehicle that was added by an order can depart; its way is checked already.
fn is_new_vehicle(new: &NewVehicle, world: &World) -> bool {
    new.vtype.index() < world.demand.types.len()
        && new.depart_ms.is_some_and(is_time)
        && new.speed_factor.is_finite()
        && new.speed_factor > 0.0
        && !matches!(new.depart_pos, DepartPos::Given(at_m) if !at_m.is_finite())
        && !matches!(new.depart_speed, DepartSpeed::Given(mps) | DepartSpeed::UpTo(mps) if !(mps >= 0.0 && mps.is_finite()))
        && !matches!(new.arrival_pos, ArrivalPos::Given(at_m) if !at_m.is_finite())
}
