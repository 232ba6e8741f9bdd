//! One partition of the network: its state, and the step that makes state(t+1) of it.

pub(in crate::sim) mod scratch;
pub(in crate::sim) mod state;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{EdgeId, LaneId, RouteId};

use crate::sim::departures::Departures;
use crate::sim::digest::Digest;
use crate::sim::edge_speeds::EdgeSpeeds;
use crate::sim::lane_plan::LanePlans;
use crate::sim::lanes::Lanes;
use crate::sim::models::signals::Signals;
use crate::sim::orders::Ordered;
use crate::sim::partition::scratch::Scratch;
use crate::sim::phases::lane_changes::may_change_on;
use crate::sim::probes::Probes;
use crate::sim::report::{Counts, IntervalReport, StepReport};
use crate::sim::scope::Scope;
use crate::sim::transfer::Transfer;
use crate::sim::vehicle::Vehicle;
use crate::sim::view::View;
use crate::sim::world::World;

/// What a partition is asked to report beyond events and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportOptions {
    /// Where everybody is, with each step.
    pub fcd: bool,
    /// The digest of the own state, with each step.
    pub digest: bool,
    /// The trips that are under way at the end.
    pub unfinished: bool,
}

/// The state and the working memory of one partition.
#[derive(Debug)]
pub struct Partition {
    pub(in crate::sim) world: Arc<World>,
    pub(in crate::sim) scope: Scope,
    /// Steps done.
    pub(in crate::sim) steps: u64,
    pub(in crate::sim) lanes: Lanes,
    pub(in crate::sim) signals: Signals,
    pub(in crate::sim) plans: LanePlans,
    /// By edge: vehicles beside the road.
    pub(in crate::sim) transfers: Vec<Vec<Transfer>>,
    pub(in crate::sim) departures: Departures,
    pub(in crate::sim) probes: Probes,
    pub(in crate::sim) edge_speeds: EdgeSpeeds,
    pub(in crate::sim) counts: Counts,
    /// Sum over finished trips.
    pub(in crate::sim) past: Digest,
    pub(in crate::sim) report: StepReport,
    /// What the orders before this step left for its report.
    pub(in crate::sim) ordered: Ordered,
    /// Own edges on which lanes can be changed.
    pub(in crate::sim) wide_edges: Vec<EdgeId>,
    /// Own edges with transfers, ascending.
    pub(in crate::sim) busy_transfers: Vec<EdgeId>,
    pub(in crate::sim) scratch: Scratch,
}

impl Partition {
    /// An empty partition before its first step.
    pub fn new(world: Arc<World>, scope: Scope) -> Self {
        let network = &world.network;
        let lane_count = network.lanes.len();
        let expected = expected_vehicles(&world, &scope);
        let wide_edges = scope
            .own_edges
            .iter()
            .copied()
            .filter(|e| network.edge(*e).lane_count > 1 && may_change_on(network, *e))
            .collect();
        Self {
            steps: 0,
            lanes: Lanes::new(lane_count, expected),
            signals: Signals::new(network, &world.loops, world.settings.begin_ms),
            plans: LanePlans::new(&world.demand),
            transfers: vec![Vec::new(); network.edges.len()],
            departures: Departures::new(&world, &scope),
            probes: Probes::new(&world),
            edge_speeds: EdgeSpeeds::default(),
            counts: Counts::default(),
            past: Digest::default(),
            report: StepReport::default(),
            ordered: Ordered::default(),
            wide_edges,
            busy_transfers: Vec::new(),
            scratch: Scratch::new(network, expected),
            world,
            scope,
        }
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Steps done so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Time that the next step computes, ms.
    pub fn now_ms(&self) -> i64 {
        self.world.settings.begin_ms + self.steps as i64 * self.world.settings.step_ms
    }

    /// Computes state(t+1). The mirrored roads must hold state(t).
    pub fn step(&mut self, options: ReportOptions) -> StepReport {
        let mut report = StepReport::default();
        self.step_into(options, &mut report);
        report
    }

    /// The same with a report that is used again: what it held is gone, the memory of its lists stays.
    pub fn step_into(&mut self, options: ReportOptions, report: &mut StepReport) {
        let now_ms = self.now_ms();
        let Ordered { met, removals, touches_ways, replaced_routes } = std::mem::take(&mut self.ordered);
        report.clear();
        std::mem::swap(&mut self.report, report);
        (self.report.time_ms, self.report.orders_met) = (now_ms, met);
        (self.report.removals, self.report.replaced_routes) = (removals, replaced_routes);
        self.end_orders(now_ms);
        self.lanes.refresh(&self.world, &self.scope.known_lanes);
        self.signals.advance(&self.world.network, &self.world.loops, self.world.settings.begin_ms, now_ms);
        self.end_stops(now_ms);
        self.plan_moves(now_ms);
        self.advance(now_ms);
        self.lanes.refresh(&self.world, &self.scope.moved_lanes);
        self.change_and_insert(now_ms);
        if !self.world.loops.is_empty() {
            self.read_loops(now_ms);
        }
        self.count_taken();
        self.steps += 1;
        std::mem::swap(&mut self.report, report);
        self.finish_report(now_ms, options, report);
        if touches_ways && self.world.overlay.has_closures() {
            report.detour_requests = self.ask_for_detours();
        }
    }

    /// What is taken of own lanes, for those who choose lanes in the next step.
    pub(super) fn count_taken(&mut self) {
        if self.world.has_wide_roads {
            self.lanes.count_taken(&self.world, &self.scope.own_lanes);
        }
    }

    /// Lane changes and insertions on own edges, decided from the places after the move.
    fn change_and_insert(&mut self, now_ms: i64) {
        self.decide_changes(now_ms);
        self.decide_insertions(now_ms);
        self.apply_changes(now_ms);
        for (lane, mut vehicle) in self.scratch.inserted.drain(..) {
            self.plans.settle(&self.world, &mut vehicle, lane);
            self.lanes.place(lane, vehicle);
        }
    }

    pub(in crate::sim) fn view(&self, now_ms: i64) -> View<'_> {
        let Self { world, lanes, signals, plans, transfers, .. } = self;
        View { world, lanes, signals, plans, transfers, approaches: None, now_ms }
    }

    /// Ends the measuring intervals that are open after the last step.
    pub fn close_intervals(&mut self) -> Vec<IntervalReport> {
        let last_ms = self.now_ms() - self.world.settings.step_ms;
        self.probes.close(&self.world, &self.scope.known_lanes, last_ms)
    }

    /// Digest of the own state.
    pub fn digest(&self) -> Digest {
        let mut digest = self.past;
        for &lane in &self.scope.own_lanes {
            self.lanes.on(lane).iter().for_each(|v| digest.vehicle(lane.0, v));
        }
        for &edge in &self.scope.own_edges {
            self.transfers[edge.index()].iter().for_each(|t| digest.transfer(edge.0, t));
        }
        let departures = &self.departures;
        departures.each_waiting(|v| {
            let departure = &self.world.demand.departures[v.index()];
            digest.waiting(v.0, departures.route_of(v, departure).0.0);
        });
        if !self.world.overlay.standing.is_empty() {
            self.world.overlay.standing.digest(&self.scope, &mut digest);
            self.digest_signals(&mut digest);
        }
        digest
    }

    /// The edges of a route.
    pub fn route(&self, id: RouteId) -> &[EdgeId] {
        self.plans.routes.edges(&self.world.demand, id)
    }

    /// Own vehicles with their lanes, for checks.
    pub fn each_vehicle(&self, mut visit: impl FnMut(LaneId, &Vehicle)) {
        for &lane in &self.scope.own_lanes {
            self.lanes.on(lane).iter().for_each(|v| visit(lane, v));
        }
    }

    /// Nobody is on the road or will ever be.
    pub fn is_done(&self) -> bool {
        self.departures.is_done()
            && self.scope.own_lanes.iter().all(|l| self.lanes.on(*l).is_empty())
            && self.busy_transfers.iter().all(|e| self.transfers[e.index()].is_empty())
    }
}

/// A guess of how many vehicles drive at once: as many as depart, or as fit on the lanes.
fn expected_vehicles(world: &World, scope: &Scope) -> usize {
    let metres: f64 = scope.known_lanes.iter().map(|l| world.network.lane(*l).length_m).sum();
    let shortest = world.types.iter().map(|t| t.driver.length_with_gap()).fold(f64::INFINITY, f64::min);
    world.demand.departures.len().min((metres / shortest.max(1.0)) as usize)
}
