//! One partition of the network: its state, and the step that makes state(t+1) of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::demand::RouteOrigin;
use crate::graph::{Lane, Network};
use crate::ids::{EdgeId, LaneId, RouteId, VehicleId};

use super::departures::Departures;
use super::digest::Digest;
use super::edge_speeds::EdgeSpeeds;
use super::lane_plan::LanePlans;
use super::lanes::Lanes;
use super::measures::Measures;
use super::models::insertion::Attempt;
use super::models::insertion::entrance::{Body, Entrance, LaneWish};
use super::models::lane_change::neighbour::are_siblings;
use super::models::lane_change::{Change, LaneChanger};
use super::models::right_of_way::approach::{Approaches, Distant, Notice, Priority};
use super::models::signals::Signals;
use super::motion::{Follow, Move};
use super::orders::Ordered;
use super::prefetch::{Ahead, prefetch, prefetch_head};
use super::random;
use super::report::{Counts, Discard, FcdRecord, IntervalReport, LaneChange, StepReport, micro};
use super::scope::Scope;
use super::settings::Settings;
use super::transfer::Transfer;
use super::vehicle::{HALTING_SPEED, Vehicle, flags};
use super::view::View;
use super::world::World;

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

/// A vehicle whose motion depends on who else approaches a junction.
#[derive(Clone, Copy, Debug)]
struct Yielding {
    lane: LaneId,
    /// Among the vehicles of the lane, and among all moves.
    index: u32,
    at: u32,
    plan: Follow,
}

/// The state and the working memory of one partition.
#[derive(Debug)]
pub struct Partition {
    pub(super) world: Arc<World>,
    pub(super) scope: Scope,
    /// Steps done.
    pub(super) steps: u64,
    pub(super) lanes: Lanes,
    pub(super) signals: Signals,
    pub(super) plans: LanePlans,
    /// By edge: vehicles beside the road.
    pub(super) transfers: Vec<Vec<Transfer>>,
    pub(super) departures: Departures,
    pub(super) measures: Measures,
    pub(super) edge_speeds: EdgeSpeeds,
    pub(super) counts: Counts,
    /// Sum over finished trips.
    pub(super) past: Digest,
    pub(super) report: StepReport,
    /// What the orders before this step left for its report.
    pub(super) ordered: Ordered,
    approaches: Approaches,
    /// By lane: where its vehicles begin in `moves`.
    first: Vec<u32>,
    yielding: Vec<Yielding>,
    pub(super) moves: Vec<Move>,
    pub(super) entering: Vec<(LaneId, Vehicle)>,
    /// Lanes on which vehicles may have come to overlap in this step.
    pub(super) crowded: Vec<LaneId>,
    pub(super) entering_transfers: Vec<(EdgeId, Transfer)>,
    changer: LaneChanger,
    changes: Vec<Change>,
    /// By edge with lane changes, ascending: where these begin in `changes`.
    changes_on: Vec<(EdgeId, u32)>,
    entrance: Entrance,
    inserted: Vec<(LaneId, Vehicle)>,
    /// The changes in the order in which vehicles are taken off their lanes, and those vehicles with their new lanes.
    change_order: Vec<u32>,
    changed: Vec<(LaneId, Vehicle)>,
    /// Edges with vehicles that want to get onto the road.
    entered_edges: Vec<EdgeId>,
    edge_lanes: Vec<Vec<Vehicle>>,
    /// Own edges on which lanes can be changed.
    wide_edges: Vec<EdgeId>,
    /// Those of them with vehicles, of the present step.
    busy_wide: Vec<EdgeId>,
    /// Own edges with transfers, ascending.
    pub(super) busy_transfers: Vec<EdgeId>,
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
            measures: Measures::new(&world),
            edge_speeds: EdgeSpeeds::default(),
            counts: Counts::default(),
            past: Digest::default(),
            report: StepReport::default(),
            ordered: Ordered::default(),
            approaches: Approaches::new(network.links.len(), expected),
            first: vec![0; lane_count],
            yielding: Vec::new(),
            moves: Vec::with_capacity(expected),
            entering: Vec::new(),
            crowded: Vec::new(),
            entering_transfers: Vec::new(),
            changer: LaneChanger::default(),
            changes: Vec::new(),
            changes_on: Vec::new(),
            entrance: Entrance::default(),
            inserted: Vec::new(),
            change_order: Vec::new(),
            changed: Vec::new(),
            entered_edges: Vec::new(),
            edge_lanes: Vec::new(),
            wide_edges,
            busy_wide: Vec::new(),
            busy_transfers: Vec::new(),
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
        self.steps += 1;
        std::mem::swap(&mut self.report, report);
        self.finish_report(now_ms, options, report);
        if touches_ways && self.world.overlay.has_closures() {
            report.detour_requests = self.ask_for_detours();
        }
    }

    /// Decides the motion of every vehicle that is moved here, from state(t).
    fn plan_moves(&mut self, now_ms: i64) {
        let Self { world, scope, lanes, signals, plans, transfers, approaches, first, yielding, moves, .. } = self;
        let key = random::step_key(world.settings.seed, now_ms as u64);
        approaches.clear();
        moves.clear();
        yielding.clear();
        let view = View { world, lanes, signals, plans, transfers, approaches: None, now_ms };
        let coming = Ahead::new(&lanes.busy, world.network.lanes.len());
        for (at, &lane) in lanes.busy.iter().enumerate() {
            // What the next lanes need comes while this one is worked on.
            if let Some(&soon) = coming.get(at + 12) {
                lanes.vehicles.prefetch(soon);
                prefetch(&world.network.lanes, soon.index());
            }
            if let Some(&soon) = coming.get(at + 6) {
                view.prefetch_link(soon);
            }
            if let Some(&soon) = coming.get(at + 4) {
                view.prefetch_next(soon);
            }
            if let Some(&soon) = coming.get(at + 2) {
                view.prefetch_junction(soon);
            }
            let is_moved = scope.is_moved[lane.index()];
            first[lane.index()] = moves.len() as u32;
            let length = world.network.lane(lane).length_m;
            let mut ahead: Option<&Vehicle> = None;
            let mut ahead_m = 0.0;
            for (index, vehicle) in lanes.on(lane).iter().enumerate() {
                let index = index as u32;
                let driver = view.driver(vehicle);
                let seen = length - vehicle.pos_m;
                let (speed, is_led) = view.follow(vehicle, ahead, lane);
                let mut plan = Follow {
                    speed,
                    is_led,
                    ahead_m,
                    look_m: view.look_beyond_lane(driver, vehicle.speed_mps, seen),
                    ..Follow::default()
                };
                let is_near = seen < plan.look_m;
                if seen < world.announce_m {
                    plan.link = view.own_link(vehicle, lane);
                    if is_near || world.network.lane(lane).internal {
                        view.announce(vehicle, lane, &mut plan, |link, coming| {
                            approaches.add(link, Notice::Near(coming));
                        });
                    } else if plan.link.is_some() && world.watched.has(plan.link.index()) {
                        let Follow { speed, is_led, ahead_m, .. } = plan;
                        approaches.add(plan.link, Notice::Far(Distant { lane, index, speed, is_led, ahead_m }));
                    }
                }
                if is_moved {
                    let decided = view.decide(vehicle, lane, &plan, key);
                    if decided.is_none() {
                        yielding.push(Yielding { lane, index, at: moves.len() as u32, plan });
                    }
                    moves.push(decided.unwrap_or_default());
                }
                ahead_m += driver.length_with_gap();
                ahead = Some(vehicle);
            }
        }
        let view = View { approaches: Some(approaches), ..view };
        let coming = Ahead::new(yielding, world.network.lanes.len());
        for (turn, Yielding { lane, index, at, plan }) in yielding.iter().enumerate() {
            if let Some(soon) = coming.get(turn + 9) {
                lanes.vehicles.prefetch_at(soon.lane, soon.index);
                prefetch(&world.network.lanes, soon.lane.index());
                prefetch(&world.network.links, soon.plan.link.index());
            }
            if let Some(soon) = coming.get(turn + 6) {
                view.prefetch_yielding(soon.plan.link);
            }
            if let Some(soon) = coming.get(turn + 3) {
                view.prefetch_foes(soon.plan.link);
            }
            moves[*at as usize] = view.decide(&lanes.on(*lane)[*index as usize], *lane, plan, key).unwrap_or_default();
        }
    }

    /// Where the moves of a lane's vehicles begin.
    pub(super) fn first_move(&self, lane: LaneId) -> usize {
        self.first[lane.index()] as usize
    }

    /// Lane changes and insertions on own edges, decided from the places after the move.
    fn change_and_insert(&mut self, now_ms: i64) {
        self.decide_changes(now_ms);
        self.decide_insertions(now_ms);
        self.apply_changes(now_ms);
        for (lane, mut vehicle) in self.inserted.drain(..) {
            self.plans.settle(&self.world, &mut vehicle, lane);
            self.lanes.place(lane, vehicle);
        }
    }

    fn decide_changes(&mut self, now_ms: i64) {
        let Self {
            world,
            lanes,
            signals,
            plans,
            transfers,
            changer,
            changes,
            changes_on,
            edge_lanes,
            wide_edges,
            busy_wide,
            ..
        } = self;
        changes.clear();
        changes_on.clear();
        let has_vehicles = |edge: &EdgeId| world.network.edge(*edge).lanes().any(|l| !lanes.vehicles.is_empty(l));
        busy_wide.clear();
        busy_wide.extend(wide_edges.iter().copied().filter(has_vehicles));
        let coming = Ahead::new(busy_wide, world.network.lanes.len());
        for (at, &edge) in busy_wide.iter().enumerate() {
            let soon = |ahead: usize| coming.get(at + ahead).into_iter().flat_map(|e| world.network.edge(*e).lanes());
            for lane in soon(8) {
                lanes.vehicles.prefetch_whole(lane);
                prefetch(&world.network.lanes, lane.index());
            }
            for vehicle in soon(5).flat_map(|lane| lanes.on(lane)) {
                plans.prefetch(vehicle.plan, usize::from(vehicle.route_index));
            }
            for vehicle in soon(3).flat_map(|lane| lanes.on(lane)) {
                plans.prefetch_choices(vehicle.plan, usize::from(vehicle.route_index));
                prefetch(&world.network.links, vehicle.link.index());
            }
            for vehicle in soon(1).flat_map(|lane| lanes.on(lane)) {
                if let Some(link) = world.network.links.get(vehicle.link.index()) {
                    lanes.prefetch_occupied(link.to);
                    prefetch(&world.network.lanes, link.next.index());
                }
            }
            let e = world.network.edge(edge);
            let count = e.lane_count as usize;
            edge_lanes.resize(count.max(edge_lanes.len()), Vec::new());
            for (taken, lane) in edge_lanes.iter_mut().zip(e.lanes()) {
                lanes.take(lane, taken);
            }
            let view = View { world, lanes, signals, plans, transfers, approaches: None, now_ms };
            let before = changes.len();
            changer.decide(&view, e.first_lane, &mut edge_lanes[..count], changes);
            if changes.len() > before {
                changes_on.push((edge, before as u32));
            }
            for (taken, lane) in edge_lanes.iter().zip(e.lanes()) {
                lanes.vehicles.replace(lane, taken);
            }
        }
    }

    fn apply_changes(&mut self, now_ms: i64) {
        let changes = std::mem::take(&mut self.changes);
        // Take all out first, the hindmost of a lane first, so that indices stay valid.
        let mut order = std::mem::take(&mut self.change_order);
        order.clear();
        order.extend(0..changes.len() as u32);
        order.sort_unstable_by(|a, b| {
            let (a, b) = (&changes[*a as usize], &changes[*b as usize]);
            a.from.cmp(&b.from).then(b.index.cmp(&a.index))
        });
        for i in order.iter().map(|i| *i as usize) {
            let change = &changes[i];
            let mut vehicle = self.lanes.vehicles.remove(change.from, change.index);
            vehicle.came_from = beside(&self.world, vehicle.came_from, change.to);
            self.plans.settle(&self.world, &mut vehicle, change.to);
            self.changed.push((change.to, vehicle));
            if let Some(motive) = change.motive {
                self.report.lane_changes.push(LaneChange {
                    vehicle: vehicle.id,
                    from: change.from,
                    to: change.to,
                    pos_m: vehicle.pos_m,
                    speed_mps: vehicle.speed_mps,
                    motive,
                });
            }
            if !self.measures.is_idle() {
                let world = &self.world;
                self.measures.update(world, change.from, change.vtype, now_ms, |s| s.lane_changed_from += 1);
                self.measures.update(world, change.to, change.vtype, now_ms, |s| s.lane_changed_to += 1);
            }
        }
        for (lane, vehicle) in self.changed.drain(..) {
            self.lanes.place(lane, vehicle);
        }
        (self.changes, self.change_order) = (changes, order);
    }

    fn decide_insertions(&mut self, now_ms: i64) {
        self.counts.discarded += self.departures.advance(&self.world, now_ms);
        let mut departures = std::mem::take(&mut self.departures);
        let mut edges = std::mem::take(&mut self.entered_edges);
        edges.clear();
        edges.extend(departures.waiting_edges());
        edges.extend(self.busy_transfers.iter().copied());
        edges.sort_unstable();
        edges.dedup();
        for &edge in &edges {
            let changes = self.changes_of(edge);
            self.entrance.open(&self.world, edge, &self.lanes, &self.changes[changes]);
            self.return_transfers(edge, now_ms);
            self.depart_on(edge, &mut departures, now_ms);
        }
        (self.departures, self.entered_edges) = (departures, edges);
    }

    /// The lane changes of the step on an edge, among all.
    fn changes_of(&self, edge: EdgeId) -> std::ops::Range<usize> {
        let start = |at: usize| self.changes_on.get(at).map_or(self.changes.len(), |(_, start)| *start as usize);
        match self.changes_on.binary_search_by_key(&edge, |(edge, _)| *edge) {
            Ok(at) => start(at)..start(at + 1),
            Err(_) => 0..0,
        }
    }

    /// Puts teleported and parked vehicles back where there is room.
    fn return_transfers(&mut self, edge: EdgeId, now_ms: i64) {
        let mut rest = std::mem::take(&mut self.transfers[edge.index()]);
        let Self { world, lanes, signals, plans, transfers, entrance, inserted, .. } = self;
        let view = View { world, lanes, signals, plans, transfers, approaches: None, now_ms };
        // Who has parked drives on in the first step after its stop.
        let next_ms = now_ms + world.settings.step_ms;
        let first = inserted.len();
        rest.retain_mut(|transfer| {
            let mut vehicle = transfer.vehicle;
            let lane = if vehicle.is(flags::TELEPORTING) {
                view.try_return(&mut vehicle, entrance)
            } else if next_ms >= transfer.ready_ms {
                let lane = vehicle.came_from;
                view.try_leave_parking(&mut vehicle, lane, entrance).then_some(lane)
            } else {
                None
            };
            let Some(lane) = lane else { return true };
            vehicle.came_from = LaneId::NONE;
            entrance.insert(world, lane, Body::of(&vehicle));
            inserted.push((lane, vehicle));
            false
        });
        self.transfers[edge.index()] = rest;
        for at in first..self.inserted.len() {
            let (lane, mut vehicle) = self.inserted[at];
            if vehicle.is(flags::TELEPORTING) {
                vehicle.set(flags::TELEPORTING, false);
            } else {
                self.end_parking(&mut vehicle, lane, now_ms);
            }
            self.inserted[at].1 = vehicle;
        }
    }

    /// Lets waiting vehicles depart, in the order of their departure times. A vehicle that finds no room holds up those behind
    /// it that would take the same lane, as in SUMO.
    fn depart_on(&mut self, edge: EdgeId, departures: &mut Departures, now_ms: i64) {
        let world = Arc::clone(&self.world);
        let key = random::step_key(world.settings.seed, now_ms as u64);
        let mut queue = departures.take_queue(edge);
        if let Some(patience_ms) = world.settings.max_depart_delay_ms {
            let is_late = |id: VehicleId| now_ms - world.demand.departures[id.index()].depart_ms > patience_ms;
            while let Some(late) = queue.front().map(|first| first.id).filter(|id| is_late(*id)) {
                queue.pop_front();
                departures.forget(late);
                self.counts.discarded += 1;
            }
        }
        let mut at = 0;
        while let Some(waiting) = queue.get_mut(at).filter(|_| !self.entrance.is_closed()) {
            let id = waiting.id;
            let departure = &world.demand.departures[id.index()];
            let mut spawn = None;
            if waiting.wish == LaneWish::Unknown {
                let vehicle = self.spawn(id, departures.route_of(id, departure), now_ms);
                waiting.wish = self.view(now_ms).lane_wish(&vehicle, departure);
                spawn = Some(vehicle);
            }
            let lane = self.entrance.choose(waiting.wish, id.0, key).filter(|lane| !self.entrance.is_refused(*lane));
            let Some(lane) = lane else {
                at += 1;
                continue;
            };
            let mut vehicle = spawn.unwrap_or_else(|| self.spawn(id, departures.route_of(id, departure), now_ms));
            match self.view(now_ms).try_depart(&mut vehicle, departure, lane, &self.entrance) {
                Attempt::Refused => {
                    self.entrance.refuse(lane);
                    at += 1;
                    continue;
                }
                Attempt::Never(cause) => {
                    self.counts.discarded += 1;
                    self.report.discards.push(Discard { vehicle: id, lane, cause });
                }
                Attempt::Fits => self.depart(vehicle, lane, edge, now_ms),
            }
            queue.remove(at);
            departures.forget(id);
        }
        departures.put_back(edge, queue);
    }

    fn view(&self, now_ms: i64) -> View<'_> {
        let Self { world, lanes, signals, plans, transfers, .. } = self;
        View { world, lanes, signals, plans, transfers, approaches: None, now_ms }
    }

    /// A vehicle begins its trip; place and speed were found for it.
    fn depart(&mut self, mut vehicle: Vehicle, lane: LaneId, edge: EdgeId, now_ms: i64) {
        vehicle.depart_lane = lane;
        vehicle.depart_pos_m = vehicle.pos_m as f32;
        vehicle.depart_speed_mps = vehicle.speed_mps as f32;
        self.entrance.insert(&self.world, lane, Body::of(&vehicle));
        self.inserted.push((lane, vehicle));
        self.counts.inserted += 1;
        let depart_ms = self.world.demand.departures[vehicle.id.index()].depart_ms;
        // As in SUMO, from the step before its time on.
        let Settings { begin_ms, step_ms, .. } = self.world.settings;
        self.counts.depart_delay_ms += now_ms - (depart_ms - (depart_ms - begin_ms).rem_euclid(step_ms));
        self.report.departed.push((vehicle.id, edge));
        if !self.measures.is_idle() {
            self.measures.update(&self.world, lane, vehicle.vtype, now_ms, |s| s.departed += 1);
        }
    }

    /// A vehicle about to depart on a route, which was changed so often while it waited.
    fn spawn(&mut self, id: VehicleId, (route, changes): (RouteId, u16), now_ms: i64) -> Vehicle {
        let departure = &self.world.demand.departures[id.index()];
        let vtype = departure.vtype.0 as u16;
        let mut vehicle: Vehicle = bytemuck::Zeroable::zeroed();
        vehicle.id = id;
        vehicle.route = route;
        // As in SUMO, a route counts that is in the place of the file's, which for a trip is its ends and the edges to pass.
        let found = match departure.route_origin {
            RouteOrigin::Given => departure.has_rerouting_device && changes == 0 && route != departure.route,
            RouteOrigin::Replaced => true,
            RouteOrigin::Found => self.plans.routes.len(route) != 2 + departure.via.len as usize,
        };
        vehicle.reroutes = changes + u16::from(found);
        vehicle.vtype = vtype;
        vehicle.speed_factor = departure.speed_factor;
        vehicle.came_from = LaneId::NONE;
        vehicle.advice_mps = f32::INFINITY;
        vehicle.depart_ms = now_ms as i32;
        vehicle.set(flags::LIMITED, self.world.overlay.standing.paces.contains_key(&id));
        if route != departure.route {
            // Stops are places on the route that it does not take.
            vehicle.stops_done = departure.stops.len as u16;
        }
        vehicle.plan = self.plans.plan_of(&self.world, id.0, route, vtype, vehicle.stops_done);
        vehicle
    }

    fn finish_report(&mut self, now_ms: i64, options: ReportOptions, report: &mut StepReport) {
        let mut counts = self.counts;
        counts.waiting = self.departures.waiting();
        counts.loaded = self.departures.loaded();
        let world = &self.world;
        let own_lanes = &self.scope.own_lanes;
        let coming = Ahead::new(own_lanes, world.network.lanes.len());
        for (at, &lane) in own_lanes.iter().enumerate() {
            if let Some(&soon) = coming.get(at + 24)
                && !self.lanes.vehicles.is_empty(soon)
            {
                self.lanes.vehicles.prefetch(soon);
                prefetch_head(&world.network.lanes, soon.index());
            }
            if self.lanes.vehicles.is_empty(lane) {
                continue;
            }
            // Inside a junction the limit of the road before it counts, as in SUMO.
            let l = world.network.lane(lane);
            let road =
                if l.internal && l.entry.is_some() { world.network.lane(world.network.link(l.entry).from) } else { l };
            let limit_mps = road.speed_mps;
            for v in self.lanes.on(lane) {
                counts.running += 1;
                counts.halting += u64::from(v.speed_mps < HALTING_SPEED);
                if v.is(flags::STOPPED) {
                    counts.stopped += 1;
                    continue;
                }
                counts.speed_um += micro(v.speed_mps);
                counts.relative_speed_millionths += micro(v.speed_mps / limit_mps.max(HALTING_SPEED));
            }
        }
        for edge in &self.busy_transfers {
            let here = &self.transfers[edge.index()];
            counts.running += here.len() as u64;
            counts.stopped += here.iter().filter(|t| !t.vehicle.is(flags::TELEPORTING)).count() as u64;
        }
        report.counts = counts;
        self.report_standstill(&counts, report);
        if options.fcd {
            let record = |lane: LaneId, v: &Vehicle| FcdRecord {
                vehicle: v.id,
                lane,
                pos_m: v.pos_m,
                speed_mps: v.speed_mps,
                accel_mps2: v.accel_mps2,
                waiting_ms: v.waiting_ms,
                odometer_m: v.odometer_m,
                time_loss_s: v.time_loss_s,
            };
            for &lane in &self.scope.own_lanes {
                report.fcd.extend(self.lanes.on(lane).iter().map(|v| record(lane, v)));
            }
            let beside = self.busy_transfers.iter().flat_map(|edge| &self.transfers[edge.index()]);
            let parked = beside.map(|transfer| &transfer.vehicle).filter(|v| !v.is(flags::TELEPORTING));
            report.fcd.extend(parked.map(|v| record(v.came_from, v)));
        }
        if !self.measures.is_idle() {
            report.intervals = self.measures.finish(&self.world, &self.scope.known_lanes, now_ms, false);
            self.measures.swap_passages(&mut report.passages);
        }
        self.report_signals(report);
        self.report_for_routing(now_ms, report);
        if options.digest {
            report.digest = self.digest().0;
        }
    }

    /// Ends the measuring intervals that are open after the last step.
    pub fn close_intervals(&mut self) -> Vec<IntervalReport> {
        let last_ms = self.now_ms() - self.world.settings.step_ms;
        self.measures.finish(&self.world, &self.scope.known_lanes, last_ms, true)
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

/// After a lane change the rear may still be on the way that the vehicle came by; it is then taken to hang over the lane
/// that leads to its new one, if there is such a lane beside.
fn beside(world: &World, came_from: LaneId, to: LaneId) -> LaneId {
    if came_from.is_none() {
        return came_from;
    }
    let network = &world.network;
    let old = network.lane(came_from);
    network.incoming[network.lane(to).incoming.range()]
        .iter()
        .map(|l| network.link(*l).from)
        .find(|from| {
            let f = network.lane(*from);
            f.internal == old.internal && f.edge == old.edge
        })
        .unwrap_or(LaneId::NONE)
}

/// Lanes can be changed on roads, and inside a junction between ways that lie beside each other from end to end, give way to
/// nobody or are led by a signal.
fn may_change_on(network: &Network, edge: EdgeId) -> bool {
    let edge = network.edge(edge);
    let leads_on = |lane: &Lane| {
        lane.entry.is_some() && !lane.links.is_empty() && {
            let link = network.link(lane.entry);
            link.signal.is_some() || !Priority::of(link, None).gives_way()
        }
    };
    let lanes = &network.lanes[edge.first_lane.index()..][..edge.lane_count as usize];
    !edge.is_internal()
        || lanes.iter().all(leads_on) && lanes.windows(2).any(|pair| !are_siblings(network, &pair[0], &pair[1]))
}
