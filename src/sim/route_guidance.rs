//! Finds routes by the present traffic for the vehicles of all partitions, as SUMO's rerouting device does: for trips when
//! they depart, again while they wait to be inserted, and for equipped vehicles on the way.
//!
//! Synchronous, and a pure function of the merged reports. Who runs it also keeps partitions from steps at or beyond
//! [`RouteGuidance::hold_ms`] and hands them [`RouteOrders`] before the step that these name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::demand::{EdgeDelays, RoadGraph, Roads, RouteSearch, Travel};
use crate::ids::{EdgeId, VehicleId};

use super::report::{RouteRequest, RouteUpdate, RoutingStage, StepReport};
use super::routes::Routes;
use super::routing_schedule::RoutingSchedule;
use super::world::World;

/// New routes, to be given to all partitions ([`Partition::apply_routes`](super::Partition::apply_routes)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteOrders {
    /// They hold from the beginning of the step that computes this time, ms.
    pub at_ms: i64,
    /// Those to depart by id, then those that asked by id.
    pub updates: Vec<RouteUpdate>,
}

/// What the guidance has to remember: all of it but the working memory of the search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GuidanceState {
    delays: EdgeDelays,
    routes: Routes,
    /// Snapshots done.
    snapshots: i64,
    /// Departures before this one have their route.
    next_departure: usize,
}

/// Routing by the traffic of a whole run.
#[derive(Debug)]
pub struct RouteGuidance {
    world: Arc<World>,
    schedule: RoutingSchedule,
    graph: RoadGraph,
    search: RouteSearch,
    state: GuidanceState,
    orders: Option<RouteOrders>,
}

impl RouteGuidance {
    /// `None`: no vehicle of the run needs guidance.
    pub fn new(world: &Arc<World>) -> Option<Self> {
        let schedule = world.routing?;
        let samples = (schedule.period_ms / schedule.sample_ms) as u32;
        let state = GuidanceState {
            delays: EdgeDelays::new(world.network.edges.len(), schedule.window, samples),
            routes: Routes::new(&world.demand),
            snapshots: 0,
            next_departure: 0,
        };
        Self::restored(world, state)
    }

    /// Goes on from a state that was saved after its orders had been taken.
    pub fn restored(world: &Arc<World>, state: GuidanceState) -> Option<Self> {
        let schedule = world.routing?;
        let graph = RoadGraph::new(&world.network);
        let search = RouteSearch::new(&world.network, &graph);
        Some(Self { world: world.clone(), schedule, graph, search, state, orders: None })
    }

    pub fn state(&self) -> &GuidanceState {
        &self.state
    }

    /// Takes the merged report of a step; steps come in order. Does nothing but at a snapshot.
    pub fn observe(&mut self, step: &StepReport) {
        let next = self.state.snapshots + 1;
        if step.time_ms != self.schedule.snapshot_ms(next) || !self.schedule.is_snapshot(step.time_ms) {
            return;
        }
        self.state.snapshots = next;
        self.state.delays.push(&self.world.network, step.edge_speeds.clone());
        self.search.forget();
        let mut updates = Vec::new();
        self.route_departures(next, &mut updates);
        for request in &step.route_requests {
            updates.extend(self.answer(request));
        }
        for update in &updates {
            self.state.routes.intern(&self.world.demand, &update.edges);
        }
        self.orders = Some(RouteOrders { at_ms: self.schedule.use_ms(next), updates });
    }

    /// Orders that were not handed out yet. Orders without updates are handed out, too: they say that nothing changes.
    pub fn take_orders(&mut self) -> Option<RouteOrders> {
        self.orders.take()
    }

    /// First time that may not be computed before more has been observed; `None`: there is no bound any more.
    pub fn hold_ms(&self) -> Option<i64> {
        let at_ms = self.schedule.use_ms(self.state.snapshots + 1);
        (at_ms <= self.schedule.end_ms).then_some(at_ms)
    }

    /// Routes for the trips that depart before those of the next snapshot can be used.
    fn route_departures(&mut self, snapshot: i64, updates: &mut Vec<RouteUpdate>) {
        let world = Arc::clone(&self.world);
        let (from_ms, until_ms) = (self.schedule.use_ms(snapshot), self.schedule.use_ms(snapshot + 1));
        while let Some(departure) = world.demand.departures.get(self.state.next_departure) {
            if departure.depart_ms >= until_ms {
                return;
            }
            let vehicle = VehicleId::new(self.state.next_departure);
            self.state.next_departure += 1;
            if departure.depart_ms < from_ms || !world.demand.is_routed_at_departure(departure) {
                continue;
            }
            let edges = world.route(departure.route);
            if let Some(edges) = self.find(vehicle, edges, 0) {
                updates.push(RouteUpdate { vehicle, stage: RoutingStage::Departing, edges });
            }
        }
    }

    fn answer(&mut self, request: &RouteRequest) -> Option<RouteUpdate> {
        let world = Arc::clone(&self.world);
        let old = self.state.routes.edges(&world.demand, request.route).to_vec();
        let edges = self.find(request.vehicle, &old, usize::from(request.from_index))?;
        Some(RouteUpdate { vehicle: request.vehicle, stage: request.stage, edges })
    }

    /// A better route, with the edges of the old one before `index`; `None`: the old one stays.
    fn find(&mut self, vehicle: VehicleId, old: &[EdgeId], index: usize) -> Option<Vec<EdgeId>> {
        let demand = &self.world.demand;
        let departure = &demand.departures[vehicle.index()];
        let (&from, &to) = (old.get(index)?, old.last()?);
        let vtype = &demand.types[departure.vtype.index()];
        let travel = Travel::of(vtype, departure.speed_factor);
        let roads = Roads { network: &self.world.network, graph: &self.graph, delays: Some(&self.state.delays) };
        let found = self.search.route(roads, from, &demand.vias[departure.via.range()], to, travel).ok()?;
        // Vehicles count the edges of their routes with 16 bits.
        if found == old[index..] || index + found.len() > usize::from(u16::MAX) {
            return None;
        }
        let mut edges = old[..index].to_vec();
        edges.extend(found);
        Some(edges)
    }
}
