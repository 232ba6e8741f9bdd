//! Finds routes for the vehicles of all partitions: by the present traffic, as SUMO's rerouting device does, for trips when
//! they depart, again while they wait to be inserted, and for equipped vehicles on the way; and ways round roads that an
//! order closed, for everybody ([`diversions`](super::orders)).
//!
//! Synchronous, and a pure function of the merged reports and the orders. Who runs it also keeps partitions from steps at or
//! beyond [`RouteGuidance::hold_ms`] and hands them [`RouteOrders`] before the step that these name.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::demand::{EdgeDelays, RoadGraph, Roads, RouteSearch, Travel};
use crate::ids::{EdgeId, VehicleId};

use super::edited::Renumbering;
use super::orders::{Assigned, Order, OrderLog};
use super::partition::state::{StateError, check_standing, holds};
use super::report::{RouteCause, RouteRequest, RouteUpdate, RoutingStage, StepReport};
use super::routes::Routes;
use super::routing_schedule::RoutingSchedule;
use super::validation::Validator;
use super::world::World;
use crate::sim::phases::rerouting::is_routed_at_departure;

/// New routes, to be given to all partitions ([`Partition::apply_routes`](super::Partition::apply_routes)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteOrders {
    /// They hold from the beginning of the step that computes this time, ms. Of two with the same time that by the traffic
    /// is taken over first.
    pub at_ms: i64,
    pub cause: RouteCause,
    /// Those to depart by id, then those that asked by id.
    pub updates: Vec<RouteUpdate>,
}

/// What the guidance has to remember: all of it but the working memory of the search.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GuidanceState {
    /// `None`: nobody is routed by the traffic.
    delays: Option<EdgeDelays>,
    pub(super) routes: Routes,
    /// Snapshots done.
    snapshots: i64,
    /// Departures before this one have their route.
    next_departure: usize,
    /// Given out for steps that were not observed yet, in the order in which partitions take them over.
    given: VecDeque<RouteOrders>,
    pub(super) log: OrderLog,
    /// Routes of vehicles to come that are not those of the demand.
    pub(super) assigned: BTreeMap<VehicleId, Assigned>,
}

impl GuidanceState {
    /// Checks everything in a stored state that is used as an index.
    fn check(&self, world: &Arc<World>) -> Result<(), StateError> {
        let validator = Validator::new(world, world.settings.begin_ms);
        let edge_count = world.network.edges.len();
        check_standing(&self.log.standing, world)?;
        let is_like_new = match (&self.delays, &RouteGuidance::new(world).state.delays) {
            (Some(saved), Some(new)) => saved.fits(new),
            (None, None) => true,
            _ => false,
        };
        holds(is_like_new, "edge speeds")?;
        // Routes are kept when the traffic or orders may need them.
        let has_routes = self.delays.is_some() || !self.log.is_empty();
        holds(!has_routes || self.routes.fit(&world.demand, edge_count), "routes")?;
        holds((0..1 << 40).contains(&self.snapshots), "number of traffic snapshots")?;
        let vehicles = world.demand.departures.len() + self.log.standing.added.len();
        let is_update = |vehicle: VehicleId, edges: &[EdgeId]| vehicle.index() < vehicles && validator.is_way(edges);
        let mut given = self.given.iter().flat_map(|orders| &orders.updates);
        holds(given.all(|update| is_update(update.vehicle, &update.edges)), "routes given out")?;
        let mut assigned = self.assigned.iter();
        holds(assigned.all(|(vehicle, assigned)| is_update(*vehicle, &assigned.edges)), "routes of vehicles to come")?;
        holds(self.log.to_come().all(|order| order.is_within(&validator)), "orders to come")
    }

    /// What goes on in a network that was edited. `new_routes` were given to vehicles then, in this order; routes that do not
    /// lead through any more are not given out.
    pub(super) fn carried(
        state: Option<Self>,
        after: &World,
        to: &Renumbering<'_>,
        new_routes: &[&[EdgeId]],
        mut leads_through: impl FnMut(&RouteUpdate) -> bool,
    ) -> Option<Self> {
        if state.is_none() && new_routes.is_empty() {
            return None;
        }
        let mut state = state.unwrap_or_else(|| Self { routes: Routes::new(&after.demand), ..Self::default() });
        state.log.standing.renumber(to);
        for new in state.log.standing.added.clone() {
            state.routes.intern(&after.demand, &new.edges);
        }
        for edges in new_routes {
            state.routes.intern(&after.demand, edges);
        }
        // From here on the routes of the demand are not all that there are.
        state.log.mark_used();
        state.given.iter_mut().for_each(|orders| orders.updates.retain(&mut leads_through));
        let update = |(vehicle, assigned): (&VehicleId, &Assigned)| RouteUpdate {
            vehicle: *vehicle,
            stage: RoutingStage::Departing,
            edges: assigned.edges.clone(),
        };
        let lost: Vec<VehicleId> =
            state.assigned.iter().map(update).filter(|update| !leads_through(update)).map(|u| u.vehicle).collect();
        lost.iter().for_each(|vehicle| drop(state.assigned.remove(vehicle)));
        if let Some(delays) = &mut state.delays {
            delays.grow(after.network.edges.len());
        }
        Some(state)
    }
}

/// The roads as a graph, built when a route is looked for.
#[derive(Debug)]
struct Finder {
    graph: RoadGraph,
    search: RouteSearch,
}

/// The routing of a whole run.
#[derive(Debug)]
pub struct RouteGuidance {
    pub(super) world: Arc<World>,
    schedule: Option<RoutingSchedule>,
    finder: Option<Finder>,
    pub(super) state: GuidanceState,
    /// Not handed out yet.
    ready: VecDeque<RouteOrders>,
}

impl RouteGuidance {
    /// For a run before its first step.
    pub fn new(world: &Arc<World>) -> Self {
        let delays = world.routing.map(|schedule| {
            let samples = (schedule.period_ms / schedule.sample_ms) as u32;
            EdgeDelays::new(world.network.edges.len(), schedule.window, samples)
        });
        let routes = if delays.is_some() { Routes::new(&world.demand) } else { Routes::default() };
        Self::with(world, GuidanceState { delays, routes, ..GuidanceState::default() })
    }

    /// Goes on from a state that was saved after its orders had been taken. `world` is that of network and demand.
    ///
    /// # Errors
    /// The state is not one of this network and demand.
    pub fn restored(world: &Arc<World>, state: Option<GuidanceState>) -> Result<Self, StateError> {
        let Some(state) = state else { return Ok(Self::new(world)) };
        state.check(world)?;
        let mut guidance = Self::with(world, state);
        guidance.lay_over();
        Ok(guidance)
    }

    fn with(world: &Arc<World>, state: GuidanceState) -> Self {
        Self { world: world.clone(), schedule: world.routing, finder: None, state, ready: VecDeque::new() }
    }

    /// `None`: as it was at the beginning.
    pub fn state(&self) -> Option<&GuidanceState> {
        (self.schedule.is_some() || !self.state.log.is_empty()).then_some(&self.state)
    }

    /// Takes the merged report of a step; steps come in order, after the orders for them.
    pub fn observe(&mut self, step: &StepReport) {
        let is_touched = self.keep_up(step);
        let snapshot = self.schedule.filter(|schedule| {
            step.time_ms == schedule.snapshot_ms(self.state.snapshots + 1) && schedule.is_snapshot(step.time_ms)
        });
        if let Some(schedule) = snapshot {
            self.route_by_traffic(schedule, step);
        }
        if is_touched {
            let updates = self.divert(step);
            let at_ms = step.time_ms + self.world.settings.step_ms;
            self.give(RouteOrders { at_ms, cause: RouteCause::Closure, updates });
        }
    }

    /// Does what the partitions did at the beginning of the step, in the same order, so that routes get the same ids.
    /// Returns whether its orders touched anybody's way.
    fn keep_up(&mut self, step: &StepReport) -> bool {
        let departures = &self.world.demand.departures;
        let is_past = |vehicle: &VehicleId| departures[vehicle.index()].depart_ms <= step.time_ms;
        while self.state.assigned.first_key_value().is_some_and(|(vehicle, _)| is_past(vehicle)) {
            self.state.assigned.pop_first();
        }
        let is_touched = self.take_due_orders(step);
        while self.state.given.front().is_some_and(|given| given.at_ms <= step.time_ms) {
            let Some(given) = self.state.given.pop_front() else { break };
            for update in &given.updates {
                self.state.routes.intern(&self.world.demand, &update.edges);
            }
        }
        is_touched
    }

    fn route_by_traffic(&mut self, schedule: RoutingSchedule, step: &StepReport) {
        let next = self.state.snapshots + 1;
        self.state.snapshots = next;
        if let Some(delays) = &mut self.state.delays {
            delays.push(&self.world.network, step.edge_speeds.clone());
        }
        if let Some(finder) = &mut self.finder {
            finder.search.forget();
        }
        let mut updates = Vec::new();
        self.route_departures(schedule, next, &mut updates);
        for request in &step.route_requests {
            updates.extend(self.answer(request));
        }
        self.give(RouteOrders { at_ms: schedule.use_ms(next), cause: RouteCause::Traffic, updates });
    }

    fn give(&mut self, orders: RouteOrders) {
        let at = self.state.given.partition_point(|other| (other.at_ms, other.cause) <= (orders.at_ms, orders.cause));
        self.state.given.insert(at, orders.clone());
        self.ready.push_back(orders);
    }

    /// Orders that were not handed out yet, to be asked for until there are none. Orders without updates are handed out,
    /// too: they say that nothing changes.
    pub fn take_orders(&mut self) -> Option<RouteOrders> {
        self.ready.pop_front()
    }

    /// First time that may not be computed before more has been observed; `None`: there is no bound any more.
    pub fn hold_ms(&self) -> Option<i64> {
        let by_traffic = self.schedule.and_then(|schedule| {
            let at_ms = schedule.use_ms(self.state.snapshots + 1);
            (at_ms <= schedule.end_ms).then_some(at_ms)
        });
        let by_order = self
            .state
            .log
            .first_touching_ms(self.world.overlay.has_closures())
            .map(|at_ms| at_ms + self.world.settings.step_ms);
        [by_traffic, by_order].into_iter().flatten().min()
    }

    /// Routes for the vehicles that depart before those of the next snapshot can be used.
    fn route_departures(&mut self, schedule: RoutingSchedule, snapshot: i64, updates: &mut Vec<RouteUpdate>) {
        let world = Arc::clone(&self.world);
        let (from_ms, until_ms) = (schedule.use_ms(snapshot), schedule.use_ms(snapshot + 1));
        while let Some(departure) = world.demand.departures.get(self.state.next_departure) {
            if departure.depart_ms >= until_ms {
                return;
            }
            let vehicle = VehicleId::new(self.state.next_departure);
            self.state.next_departure += 1;
            if departure.depart_ms < from_ms || !is_routed_at_departure(departure) {
                continue;
            }
            let edges = self.state.routes.edges(&world.demand, departure.route).to_vec();
            if let Some(edges) = self.find(vehicle, &edges, 0) {
                self.state.assigned.insert(vehicle, Assigned { edges: edges.clone(), is_detour: false });
                updates.push(RouteUpdate { vehicle, stage: RoutingStage::Departing, edges });
            }
        }
    }

    pub(super) fn answer(&mut self, request: &RouteRequest) -> Option<RouteUpdate> {
        let world = Arc::clone(&self.world);
        let old = self.state.routes.edges(&world.demand, request.route).to_vec();
        let edges = self.find(request.vehicle, &old, usize::from(request.from_index))?;
        Some(RouteUpdate { vehicle: request.vehicle, stage: request.stage, edges })
    }

    /// The roads have changed.
    pub(super) fn forget_roads(&mut self) {
        self.finder = None;
    }

    /// A better route, with the edges of the old one before `index`; `None`: the old one stays.
    pub(super) fn find(&mut self, vehicle: VehicleId, old: &[EdgeId], index: usize) -> Option<Vec<EdgeId>> {
        let Self { world, finder, state, .. } = self;
        let departure = &world.demand.departures[vehicle.index()];
        let (&from, &to) = (old.get(index)?, old.last()?);
        let vtype = &world.demand.types[departure.vtype.index()];
        let travel = Travel::of(vtype, departure.speed_factor);
        let Finder { graph, search } = finder.get_or_insert_with(|| {
            let graph = RoadGraph::avoiding(&world.network, |lane| world.overlay.is_closed(lane));
            let search = RouteSearch::new(&world.network, &graph);
            Finder { graph, search }
        });
        let roads = Roads { network: &world.network, graph, delays: state.delays.as_ref() };
        // Of the edges that it has to pass those that are still before it.
        let vias = &world.demand.vias[departure.via.range()];
        let ahead: Vec<EdgeId> = vias.iter().copied().filter(|via| old[index..].contains(via)).collect();
        let found = search.route(roads, from, &ahead, to, travel).ok()?;
        // Vehicles count the edges of their routes with 16 bits.
        if found == old[index..] || index + found.len() > usize::from(u16::MAX) {
            return None;
        }
        let mut edges = old[..index].to_vec();
        edges.extend(found);
        Some(edges)
    }

    /// Takes over orders for a step that is not observed yet; `number` is their place in the log of commands. Ignores orders
    /// that it has. Returns whether they are new.
    pub fn order(&mut self, at_ms: i64, number: u64, orders: Vec<Order>) -> bool {
        if self.state.log.is_empty() && self.schedule.is_none() {
            self.state.routes = Routes::new(&self.world.demand);
        }
        self.state.log.push(at_ms, number, orders)
    }
}
