//! Carrying out the decided moves: driving, changing over to the next lanes, stopping, arriving, teleporting.

use crate::demand::ArrivalPos;
use crate::ids::{EdgeId, LaneId, LinkId};

use super::closing::trip_so_far;
use super::collision::may_collide;
use super::measures::{Passage, stay};
use super::motion::Move;
use super::partition::Partition;
use super::prefetch::{Ahead, prefetch, prefetch_head};
use super::report::{Teleport, TeleportCause, TripRecord, Vaporized, micro};
use super::stopping::{PLACE_EPS_M, speed_to_reach};
use super::transfer::Transfer;
use super::vehicle::{HALTING_SPEED, Vehicle, flags};

/// What became of a vehicle in its step.
enum Fate {
    Stays,
    Enters(LaneId),
    Leaves,
}

impl Partition {
    /// Moves every vehicle of the moved lanes; the others are left as they were.
    pub(super) fn advance(&mut self, now_ms: i64) {
        let mut entering = std::mem::take(&mut self.entering);
        let busy = std::mem::take(&mut self.lanes.busy);
        // Vehicles are changed where they are.
        let mut vehicles = std::mem::take(&mut self.lanes.vehicles);
        let coming = Ahead::new(&busy, self.world.network.lanes.len());
        for (at, &lane) in busy.iter().enumerate() {
            if let Some(&soon) = coming.get(at + 8) {
                vehicles.prefetch_whole(soon);
                prefetch_head(&self.world.network.lanes, soon.index());
            }
            if let Some(link) = coming.get(at + 4).and_then(|soon| self.crossed_by_first(*soon, vehicles.on(*soon))) {
                prefetch(&self.world.network.links, link.index());
            }
            if let Some(link) = coming.get(at + 2).and_then(|soon| self.crossed_by_first(*soon, vehicles.on(*soon))) {
                prefetch(&self.world.network.lanes, self.world.network.link(link).next.index());
            }
            if self.scope.is_moved[lane.index()] {
                let kept = self.advance_lane(lane, vehicles.on_mut(lane), now_ms, &mut entering);
                vehicles.truncate(lane, kept);
            }
        }
        self.lanes.vehicles = vehicles;
        self.lanes.busy = busy;
        // Those that came together from several lanes are put in order.
        for (lane, vehicle) in entering.drain(..) {
            self.lanes.place(lane, vehicle);
            self.crowded.push(lane);
        }
        self.entering = entering;
        self.settle_collisions(now_ms);
        self.advance_transfers(now_ms);
    }

    /// The link that a lane's foremost vehicle will drive over in this step, if it does.
    #[inline]
    fn crossed_by_first(&self, lane: LaneId, vehicles: &[Vehicle]) -> Option<LinkId> {
        let first = vehicles.first()?;
        let decided = self.moves.get(self.first_move(lane))?;
        let l = self.world.network.lane(lane);
        let link = first.own_link(l);
        (first.pos_m + decided.speed * self.world.dt > l.length_m && link.is_some()).then_some(link)
    }

    /// Moves the vehicles of a lane; how many stay on it. These are the first of the list then.
    fn advance_lane(
        &mut self,
        lane: LaneId,
        vehicles: &mut [Vehicle],
        now_ms: i64,
        entering: &mut Vec<(LaneId, Vehicle)>,
    ) -> usize {
        let own = self.scope.owned[lane.index()];
        let start = self.first_move(lane);
        if own {
            self.counts.vehicle_updates += vehicles.len() as u64;
        }
        let mut kept = 0;
        // Only stopped vehicles are ahead, and nobody was teleported in this step: who is behind may drive on now.
        let mut is_first = true;
        for i in 0..vehicles.len() {
            let decided = self.moves[start + i];
            let fate = if is_first && self.must_teleport(&vehicles[i], lane, decided) {
                self.teleport(vehicles[i], lane, own, now_ms);
                is_first = false;
                Fate::Leaves
            } else {
                self.drive(&mut vehicles[i], lane, decided, own, now_ms)
            };
            match fate {
                Fate::Stays => {
                    if kept < i {
                        vehicles[kept] = vehicles[i];
                    }
                    if kept > 0 && may_collide(&self.world, &vehicles[kept - 1], &vehicles[kept]) {
                        self.crowded.push(lane);
                    }
                    is_first &= vehicles[kept].is(flags::STOPPED);
                    kept += 1;
                }
                Fate::Enters(target) => {
                    if self.scope.is_moved[target.index()] {
                        entering.push((target, vehicles[i]));
                    }
                }
                Fate::Leaves => {}
            }
        }
        kept
    }

    /// Drives one step.
    fn drive(&mut self, vehicle: &mut Vehicle, lane: LaneId, decided: Move, own: bool, now_ms: i64) -> Fate {
        let dt = self.world.dt;
        let driver = &self.world.types[usize::from(vehicle.vtype)].driver;
        let length_m = driver.length_m;
        let allowed = self.world.allowed_speed(lane, driver, vehicle.speed_factor);
        let length = self.world.network.lane(lane).length_m;
        let old_speed = vehicle.speed_mps;
        let speed = if decided.speed < 1e-4 { 0.0 } else { decided.speed };
        vehicle.speed_mps = speed;
        vehicle.accel_mps2 = ((speed - old_speed) / dt) as f32;
        vehicle.advice_mps = f32::INFINITY;
        if own && decided.flags & !vehicle.flags & flags::EMERGENCY != 0 {
            self.counts.emergency_brakings += 1;
        }
        vehicle.flags = vehicle.flags & !(flags::MESSAGES | flags::OF_STEP) | decided.flags;
        let allowed = self.world.overlay.pace(vehicle, allowed);
        let step_ms = self.world.settings.step_ms as u32;
        let way = speed * dt;
        let from = vehicle.pos_m;
        vehicle.pos_m += way;
        vehicle.odometer_m += way;
        let stops = self.world.has_stops(vehicle.id);
        if stops && self.at_stop(vehicle, lane, decided, now_ms) {
            return Fate::Leaves;
        }
        if vehicle.is(flags::STOPPED) {
            vehicle.waiting_ms = 0;
            vehicle.stop_total_ms += step_ms;
        } else {
            if speed <= HALTING_SPEED {
                vehicle.waiting_count = vehicle.waiting_count.saturating_add(u16::from(vehicle.waiting_ms == 0));
                vehicle.waiting_ms += step_ms;
                vehicle.waiting_total_ms += step_ms;
            } else {
                vehicle.waiting_ms = 0;
            }
            let wished = if stops {
                let driver = &self.world.types[usize::from(vehicle.vtype)].driver;
                speed_to_reach(vehicle, driver, allowed, now_ms)
            } else {
                allowed
            };
            if wished > 0.0 && speed < wished && !decided.is_for_stop {
                vehicle.time_loss_s += dt * (wished - speed) / wished;
            }
        }
        // Who has a link to go on by is not on its last edge.
        if vehicle.pos_m <= length && (vehicle.link.is_some() || !self.has_arrived(vehicle, lane)) {
            if own && !self.measures.is_idle() {
                let passage = stay(vehicle, lane, from, speed, allowed, length_m, dt);
                self.measures.pass(&self.world, &passage, now_ms);
                if from < length_m {
                    self.measure_overhang(vehicle, lane, &passage, now_ms);
                }
            }
            if way > 0.0 && !self.world.loops.is_empty() {
                self.pass_loops(vehicle, lane, now_ms);
            }
            return Fate::Stays;
        }
        self.cross(vehicle, lane, from, speed, now_ms)
    }

    /// Drives over the end of its lane, perhaps over several, or arrives.
    fn cross(&mut self, vehicle: &mut Vehicle, lane: LaneId, from: f64, speed: f64, now_ms: i64) -> Fate {
        let world = std::sync::Arc::clone(&self.world);
        let network = &world.network;
        let dt = world.dt;
        let driver = &world.types[usize::from(vehicle.vtype)].driver;
        let (mut at, mut from, mut entered) = (lane, from, false);
        loop {
            let length = network.lane(at).length_m;
            let owned = self.scope.owned[at.index()];
            let arrived = self.has_arrived(vehicle, at);
            let leaves = !arrived && vehicle.pos_m > length;
            let link = if leaves {
                self.plans.next_link(&world, vehicle, at, usize::from(vehicle.route_index))
            } else {
                LinkId::NONE
            };
            if leaves && link.is_none() {
                // The road ends here for it; it may not drive on.
                let over = vehicle.pos_m - length;
                vehicle.pos_m = length;
                vehicle.odometer_m -= over;
                vehicle.speed_mps = 0.0;
                if owned {
                    self.counts.emergency_stops += 1;
                }
            }
            let passes = leaves && link.is_some();
            let to = if passes { length } else { vehicle.pos_m };
            if owned && !self.measures.is_idle() {
                let allowed = world.allowed_speed(at, driver, vehicle.speed_factor);
                let allowed = world.overlay.pace(vehicle, allowed);
                let passage = Passage {
                    lane: at,
                    from_m: from,
                    to_m: vehicle.pos_m,
                    time_s: if speed > 0.0 { ((to - from) / speed).clamp(0.0, dt) } else { dt },
                    speed,
                    allowed,
                    stopped: vehicle.is(flags::STOPPED),
                    length_m: driver.length_m,
                    vtype: vehicle.vtype,
                    vehicle: vehicle.id,
                    entered,
                    left: passes,
                };
                self.measures.pass(&world, &passage, now_ms);
                // While it goes on, the lanes behind see it from where it ends up.
                if !passes {
                    let whole =
                        Passage { from_m: vehicle.pos_m - speed * dt, to_m: vehicle.pos_m, time_s: dt, ..passage };
                    self.measure_overhang(vehicle, at, &whole, now_ms);
                }
                if arrived {
                    self.measures.update(&world, at, vehicle.vtype, now_ms, |s| s.arrived += 1);
                }
            }
            if !passes && speed > 0.0 && !world.loops.is_empty() {
                self.pass_loops(vehicle, at, now_ms);
            }
            if arrived {
                self.arrive(vehicle, at, owned, now_ms);
                return Fate::Leaves;
            }
            if !passes {
                // One that has come back to the lane that it left is put into its new place there.
                if !entered {
                    return Fate::Stays;
                }
                // Time is lost against the speed that is allowed where the step ends.
                let lost = |at: LaneId| {
                    let allowed = world.allowed_speed(at, driver, vehicle.speed_factor);
                    let allowed = world.overlay.pace(vehicle, allowed);
                    if allowed > 0.0 { dt * (allowed - speed).max(0.0) / allowed } else { 0.0 }
                };
                let correction = lost(at) - lost(lane);
                vehicle.time_loss_s += correction;
                self.plans.settle(&world, vehicle, at);
                return Fate::Enters(at);
            }
            let link = network.link(link);
            let is_internal = network.lane(link.next).internal;
            if is_internal {
                // Who waited inside the junction begins anew when it goes on.
                vehicle.junction_entry_ms = now_ms as i32;
            }
            vehicle.set(flags::STUCK, false);
            if owned && world.measures.events.exit_times && !network.lane(at).internal {
                self.report.edges_left.push((vehicle.id, vehicle.route_index));
            }
            if !is_internal {
                vehicle.route_index += 1;
                vehicle.came_from = at;
            }
            vehicle.pos_m -= length;
            from -= length;
            at = link.next;
            entered = true;
            from = from.max(0.0);
        }
    }

    /// Tells the lanes behind the vehicle's lane that its rear is, or was in this step, on them.
    fn measure_overhang(&mut self, vehicle: &Vehicle, lane: LaneId, passage: &Passage, now_ms: i64) {
        let world = std::sync::Arc::clone(&self.world);
        let mut at = lane;
        let mut from = vehicle.came_from;
        let mut p = *passage;
        while p.from_m < p.length_m {
            let l = world.network.lane(at);
            let previous = if l.internal { world.network.lane_before(l) } else { from };
            if previous.is_none() {
                return;
            }
            self.measures.overhang(&world, previous, &p, now_ms);
            from = LaneId::NONE;
            let length = world.network.lane(previous).length_m;
            p.from_m += length;
            p.to_m += length;
            at = previous;
        }
    }

    /// On the last edge, at or beyond the arrival position, but for a slack that SUMO has, too.
    fn has_arrived(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        let l = self.world.network.lane(lane);
        if l.internal || usize::from(vehicle.route_index) + 1 < self.plans.routes.len(vehicle.route) {
            return false;
        }
        if self.world.next_stop(vehicle).is_some() {
            // Also one behind the place of arrival is made first.
            return false;
        }
        vehicle.pos_m > self.arrival_pos(vehicle, lane) - PLACE_EPS_M
    }

    /// Where on a lane of its last edge the vehicle ends its trip, metres from the lane's start.
    fn arrival_pos(&self, vehicle: &Vehicle, lane: LaneId) -> f64 {
        let l = self.world.network.lane(lane);
        match self.world.demand.departures[vehicle.id.index()].arrival_pos {
            ArrivalPos::Max => l.length_m,
            ArrivalPos::Given(pos) if pos < 0.0 => (l.length_m + pos).max(0.0),
            ArrivalPos::Given(pos) => pos.min(l.length_m),
            ArrivalPos::Center => 0.5 * l.length_m,
            ArrivalPos::Random => {
                let key = super::random::step_key(self.world.settings.seed, 2);
                l.length_m * super::random::uniform(key, vehicle.id.0, super::random::Purpose::ArrivalPos)
            }
        }
    }

    fn arrive(&mut self, vehicle: &Vehicle, lane: LaneId, own: bool, now_ms: i64) {
        if !own {
            return;
        }
        let world = std::sync::Arc::clone(&self.world);
        let depart_ms = i64::from(vehicle.depart_ms);
        // The step may have led beyond the place where the trip ends.
        let arrival_pos_m = self.arrival_pos(vehicle, lane);
        self.counts.arrived += 1;
        self.counts.travel_time_ms += now_ms - depart_ms;
        self.past.arrived(
            vehicle.id.0,
            &[
                now_ms,
                depart_ms,
                micro(vehicle.odometer_m),
                micro(vehicle.time_loss_s),
                i64::from(vehicle.waiting_total_ms),
            ],
        );
        let overshoot = vehicle.pos_m - arrival_pos_m;
        self.report.arrivals.push(TripRecord {
            arrival_ms: now_ms,
            arrival_lane: lane,
            arrival_pos_m,
            arrival_speed_mps: vehicle.speed_mps,
            route_length_m: vehicle.odometer_m - overshoot,
            edges: self.told_route(vehicle),
            ..trip_so_far(&world, vehicle)
        });
    }

    /// The foremost vehicle of a lane that is not at a stop is taken away when it has stood too long, this step included.
    fn must_teleport(&self, vehicle: &Vehicle, lane: LaneId, decided: Move) -> bool {
        if vehicle.waiting_ms == 0 || decided.speed > HALTING_SPEED || vehicle.is(flags::STOPPED) {
            return false;
        }
        let settings = &self.world.settings;
        let waited_ms = i64::from(vehicle.waiting_ms) + settings.step_ms;
        let waited_beyond = |limit_ms: Option<i64>| limit_ms.is_some_and(|t| waited_ms > t);
        // At a gap of the route this time counts, however much longer than the others it is.
        let at_gap_ms = settings.time_to_teleport_disconnected_ms;
        if at_gap_ms.is_some() && self.is_disconnected(vehicle, lane) {
            return waited_beyond(at_gap_ms);
        }
        waited_beyond(settings.time_to_teleport_ms)
            || waited_beyond(settings.time_to_teleport_highways_ms) && self.is_wrong_on_highway(vehicle, lane)
    }

    /// The vehicle's route has a gap behind its edge (`time-to-teleport.disconnected`).
    fn is_disconnected(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        let l = self.world.network.lane(lane);
        !l.internal && self.world.network.edge(l.edge).lanes().all(|lane| !self.leads_on(vehicle, lane))
    }

    /// The lane of a fast road does not lead on along the vehicle's route (`time-to-teleport.highways`).
    fn is_wrong_on_highway(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        let l = self.world.network.lane(lane);
        !l.internal && l.speed_mps > self.world.settings.highway_min_speed_mps && !self.leads_on(vehicle, lane)
    }

    /// Whether a lane leads on along a vehicle's route.
    fn leads_on(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        self.plans.choice(&self.world, vehicle.plan, usize::from(vehicle.route_index), lane).continues
    }

    fn teleport(&mut self, vehicle: Vehicle, lane: LaneId, own: bool, now_ms: i64) {
        let l = self.world.network.lane(lane);
        let cause = if !l.internal && !self.leads_on(&vehicle, lane) {
            TeleportCause::WrongLane
        } else if vehicle.is(flags::WAITS_AT_LINK) {
            TeleportCause::Yield
        } else {
            TeleportCause::Jam
        };
        self.take_off(vehicle, lane, cause, own, now_ms);
    }

    /// Takes a vehicle off its lane, to be put back further along its route.
    pub(super) fn take_off(
        &mut self,
        mut vehicle: Vehicle,
        lane: LaneId,
        cause: TeleportCause,
        own: bool,
        now_ms: i64,
    ) {
        let world = std::sync::Arc::clone(&self.world);
        if own {
            match cause {
                TeleportCause::WrongLane => self.counts.teleports_wrong_lane += 1,
                TeleportCause::Yield => self.counts.teleports_yield += 1,
                TeleportCause::Jam => self.counts.teleports_jam += 1,
                TeleportCause::Collision => self.counts.collisions += 1,
            }
            self.report.teleports.push(Teleport { vehicle: vehicle.id, lane, cause });
            if !self.measures.is_idle() {
                self.measures.update(&world, lane, vehicle.vtype, now_ms, |s| s.teleported += 1);
            }
        }
        if world.settings.teleports_remove && cause != TeleportCause::Collision {
            self.vaporize(&vehicle, lane, Vaporized::Teleport, own, now_ms);
            return;
        }
        vehicle.set(flags::TELEPORTING, true);
        vehicle.waiting_ms = 0;
        vehicle.speed_mps = 0.0;
        vehicle.came_from = LaneId::NONE;
        vehicle.flags &= !flags::MESSAGES;
        self.go_on_beside(vehicle, now_ms);
    }

    /// Ends the trip of a vehicle that is taken out before its destination.
    pub(super) fn vaporize(&mut self, vehicle: &Vehicle, lane: LaneId, why: Vaporized, own: bool, now_ms: i64) {
        if own && !self.measures.is_idle() {
            let world = std::sync::Arc::clone(&self.world);
            self.measures.update(&world, lane, vehicle.vtype, now_ms, |s| s.vaporized += 1);
        }
        self.arrive(vehicle, lane, own, now_ms);
        if own && let Some(trip) = self.report.arrivals.last_mut() {
            trip.vaporized = why;
        }
    }

    /// Moves a teleporting vehicle to the next edge of its route, or ends its trip.
    fn go_on_beside(&mut self, mut vehicle: Vehicle, now_ms: i64) {
        let world = std::sync::Arc::clone(&self.world);
        let route = self.plans.routes.edges(&world.demand, vehicle.route);
        let next = usize::from(vehicle.route_index) + 1;
        let here = route[next.min(route.len() - 1)];
        let edge = world.network.edge(here);
        if next >= route.len() {
            let own = self.scope.owned[edge.first_lane.index()];
            vehicle.pos_m = edge.length_m;
            self.arrive(&vehicle, edge.first_lane, own, now_ms);
            return;
        }
        vehicle.route_index = next as u16;
        let speed = world.network.lane(edge.first_lane).speed_mps.max(1.0);
        let ready_ms = now_ms + (edge.length_m / speed * 1000.0) as i64;
        vehicle.odometer_m += edge.length_m;
        self.entering_transfers.push((here, Transfer::new(vehicle, ready_ms)));
    }

    /// Teleporting vehicles that found no place go on along their route.
    fn advance_transfers(&mut self, now_ms: i64) {
        let edges = std::mem::take(&mut self.scope.known_edges);
        for &edge in &edges {
            if self.transfers[edge.index()].is_empty() {
                continue;
            }
            let mut list = std::mem::take(&mut self.transfers[edge.index()]);
            list.retain(|transfer| {
                let goes_on = transfer.vehicle.is(flags::TELEPORTING) && now_ms >= transfer.ready_ms;
                if goes_on {
                    self.go_on_beside(transfer.vehicle, now_ms);
                }
                !goes_on
            });
            self.transfers[edge.index()] = list;
        }
        self.scope.known_edges = edges;
        for (edge, transfer) in self.entering_transfers.drain(..) {
            let list = &mut self.transfers[edge.index()];
            let at = list.partition_point(|t| t.vehicle.id < transfer.vehicle.id);
            list.insert(at, transfer);
        }
        let Self { world, scope, transfers, busy_transfers, .. } = self;
        let is_own = |e: &EdgeId| scope.owned[world.network.edge(*e).first_lane.index()];
        let is_busy = |e: &EdgeId| !transfers[e.index()].is_empty() && is_own(e);
        busy_transfers.clear();
        busy_transfers.extend(scope.own_edges.iter().copied().filter(is_busy));
    }
}
