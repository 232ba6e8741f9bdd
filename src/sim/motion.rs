//! The longitudinal decision: first the speed that the road and the leader on the own lane allow, with the announcement
//! at the next junctions (pass one), then what signals, foes and vehicles beyond the lane's end leave of it (pass two).
//! Both passes read state(t) only.

use crate::graph::{Lane, Link};
use crate::ids::{LaneId, LinkId};

use super::bounds::Bounds;
use super::models::car_following::{Driver, Ego};
use super::models::right_of_way::approach::{Approach, Coming, Distant, Notice, Priority, braked_speed, leave_time};
use super::models::right_of_way::junction::{Conflicts, ROOM_LOOK_LENGTHS};
use super::models::right_of_way::yielding::{AtLink, MINOR_OFFSET_M, stop_decel};
use super::random::{Purpose, uniform};
use super::vehicle::{HALTING_SPEED, Vehicle, flags};
use super::view::View;

/// How many vehicles at the end of a lane's queue may ask those who come to let them over.
const LET_IN: usize = 3;
/// Who drives no faster than this does not come to the next link, m/s.
const STANDS: f64 = 1e-4;

/// Result of pass one for one vehicle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Follow {
    pub speed: f64,
    /// A body ahead on the lane is near enough to matter.
    pub is_led: bool,
    /// Metres taken by the vehicles before it on its lane.
    pub ahead_m: f64,
    /// By which it leaves its lane; only known near the lane's end.
    pub link: LinkId,
    /// How far it looks ahead; 0 where that is surely not beyond its lane's end.
    pub look_m: f64,
    pub no_room: bool,
    /// What vehicles on other ways leave on its lane inside a junction, and on the lane behind its own one, once that is
    /// known.
    pub inside: Option<Conflicts>,
    pub beyond: Option<Conflicts>,
}

/// The decided motion of one vehicle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Move {
    pub speed: f64,
    /// Of [`flags`], those that the look ahead decides.
    pub flags: u16,
    /// Its next stop may begin where the vehicle comes to stand.
    pub may_stop: bool,
    /// Lot of a parking area where it may stop.
    pub lot: u16,
    /// The next stop alone keeps it from driving faster.
    pub is_for_stop: bool,
}

impl View<'_> {
    /// Pass one: speed within the limits of the road and behind the leader on the lane. `ahead` is the vehicle before it
    /// on the lane. Also tells whether such a leader is near enough to matter.
    #[inline]
    pub fn follow(&self, vehicle: &Vehicle, ahead: Option<&Vehicle>, lane_id: LaneId) -> (f64, bool) {
        let driver = self.driver(vehicle);
        if vehicle.is(flags::STOPPED) {
            return (0.0, true);
        }
        let lane = self.lane(lane_id);
        let mut is_led = false;
        let mut wished = self.allowed(vehicle, driver, lane);
        if self.world.overlay.is_limited(lane_id) || vehicle.is(flags::LIMITED) {
            // A limit that comes all at once is no reason to brake hard.
            wished = wished.at_least(driver.min_next_speed(vehicle.speed_mps));
        }
        let mut v = driver.free_next_speed(vehicle.speed_mps, wished);
        let cruises = driver.has_cruise_control();
        if let Some(leader) = ahead {
            let lead = self.driver(leader);
            let gap = leader.pos_m - lead.length_m - vehicle.pos_m - driver.min_gap_m;
            // Too far away to matter.
            if gap < self.world.reach_m || cruises {
                is_led = gap < self.world.reach_m;
                let decel = lead.apparent_decel_mps2;
                let ego = || self.ego(vehicle, lane, leader.vtype);
                v = driver.at_most_following(v, vehicle.speed_mps, gap, leader.speed_mps, decel, ego);
            }
        }
        // A cruise control minds a slow body at the lane's end also where another vehicle is in between, as in SUMO.
        if ahead.is_none() || cruises {
            let over = self.lanes.overhang(lane_id);
            let gap = over.back - vehicle.pos_m - driver.min_gap_m;
            if gap < self.world.reach_m {
                is_led = true;
                let ego = || self.ego(vehicle, lane, over.vtype);
                v = driver.at_most_following(v, vehicle.speed_mps, gap, over.speed, over.decel, ego);
            }
        }
        (v.at_least(0.0), is_led)
    }

    /// What a cruise control on `lane` knows beside gap and speeds, behind a vehicle of the type `leader`.
    fn ego(&self, vehicle: &Vehicle, lane: &Lane, leader: u16) -> Ego {
        let driver = self.driver(vehicle);
        let limit_mps = self.world.overlay.limit_mps(&self.world.network, lane, driver.class);
        Ego {
            accel_mps2: f64::from(vehicle.accel_mps2),
            cruise_mps: driver.cruise_speed(limit_mps, vehicle.speed_factor),
            keeps_gap: vehicle.is(flags::KEEPS_GAP),
            hears_leader: self.world.types[usize::from(leader)].driver.is_connected(),
        }
    }

    /// How the vehicle comes to the end of its lane: while a leader holds it up it is not taken to gain speed.
    #[inline]
    fn run_up(&self, vehicle: &Vehicle, driver: &Driver, lane_id: LaneId, seen: f64, plan: &Follow) -> RunUp {
        let allowed =
            self.allowed(vehicle, driver, self.lane(lane_id)).at_least(driver.min_next_speed(vehicle.speed_mps));
        let from = driver.max_next_speed(vehicle.speed_mps).at_most(allowed);
        RunUp { way_m: seen, from, limit: if plan.is_led { plan.speed.at_most(allowed) } else { allowed } }
    }

    /// How far the vehicle looks ahead when that may be beyond its lane's end, which is `seen` metres ahead; else 0.
    #[inline]
    pub fn look_beyond_lane(&self, driver: &Driver, speed: f64, seen: f64) -> f64 {
        if seen > driver.longest_look(speed) { 0.0 } else { self.look_ahead(driver, speed) }
    }

    /// Those who approach a link, with their times and speeds.
    #[inline]
    pub fn approaching(&self, link_id: LinkId) -> impl Iterator<Item = Approach> {
        let notices = self.approaches.into_iter().flat_map(move |approaches| approaches.of(link_id));
        notices.filter_map(move |notice| match notice {
            Notice::Near(coming) => Some(self.approach(coming, link_id)),
            Notice::Far(distant) => self.distant_approach(distant),
        })
    }

    fn approach(&self, coming: &Coming, link_id: LinkId) -> Approach {
        let driver = &self.world.types[usize::from(coming.vtype)].driver;
        let Coming { dist_m, goes_on, arrival_speed, limit, .. } = *coming;
        let link = self.link(link_id);
        let via_length_m = self.way_behind_m(link);
        // What is behind the link is looked up here, for only some are asked.
        let limit = limit.at_most(self.held_by_rear(coming.speed, driver, link.next, dist_m, |_| Ego::default()));
        let arrival_s = driver.minimal_arrival_time(dist_m, goes_on, arrival_speed);
        let leave_speed = driver.speed_after(via_length_m, arrival_speed).at_most(limit);
        Approach {
            vehicle: coming.vehicle,
            arrival_s,
            braked_speed: braked_speed(driver, dist_m, goes_on, arrival_speed),
            dist_m,
            speed: coming.speed,
            length_m: driver.length_m,
            leave_s: leave_time(arrival_s, arrival_speed, leave_speed, via_length_m + driver.length_m),
            leave_speed,
            decel: driver.decel_mps2,
            waiting_ms: coming.waiting_ms,
            waits: coming.waits,
        }
    }

    /// What a vehicle far from the end of its lane has to tell the link there.
    fn distant_approach(&self, distant: &Distant) -> Option<Approach> {
        let Distant { lane, index, speed, is_led, ahead_m } = *distant;
        let vehicle = &self.lanes.on(lane)[index as usize];
        let mut plan = Follow { speed, is_led, ahead_m, link: self.own_link(vehicle, lane), ..Follow::default() };
        let mut told = None;
        self.announce(vehicle, lane, &mut plan, |link, coming| told = Some(self.approach(&coming, link)));
        told
    }

    /// Length of the lane inside the junction that a link leads onto; 0 where it leads out of it.
    #[inline]
    pub(super) fn way_behind_m(&self, link: &Link) -> f64 {
        if link.exit || link.next == link.to { 0.0 } else { self.lane(link.next).length_m }
    }

    /// Pass one, near the lane's end: tells the watched links ahead when the vehicle will be there. `plan` is what
    /// [`View::follow`] gave; what is found out about the junction at its lane's end is added to it.
    pub fn announce(
        &self,
        vehicle: &Vehicle,
        lane_id: LaneId,
        plan: &mut Follow,
        mut tell: impl FnMut(LinkId, Coming),
    ) {
        let driver = self.driver(vehicle);
        let look = plan.look_m;
        let own_lane = lane_id;
        let mut lane_id = lane_id;
        let mut index = usize::from(vehicle.route_index);
        let mut seen = self.lane(lane_id).length_m - vehicle.pos_m;
        let ahead_m = plan.ahead_m;
        let mut v = plan.speed;
        let mut run_up = self.run_up(vehicle, driver, lane_id, seen, plan);
        // The junction at the end of its lane is told early; those behind it as far as it looks for room. Inside a junction
        // its lane ends where the road to the next one begins.
        let inside = self.lane(lane_id).internal;
        let far = seen >= look && !inside;
        if inside {
            let found = self.mind_conflicts(vehicle, driver, lane_id, lane_id, -vehicle.pos_m - 1e-9);
            plan.inside = Some(found);
            v = v.at_most(found.v);
            run_up.limit = run_up.limit.at_most(found.v);
        }
        let mut known = Some(plan.link);
        let mut slowed = false;
        let (mut roads_m, mut inner_m) = (0.0, 0.0);
        while seen < self.world.announce_m {
            let from_m = if lane_id == own_lane { vehicle.pos_m } else { 0.0 };
            if v <= STANDS || self.halts_on(vehicle, lane_id, index, from_m) {
                return;
            }
            let link_id = known.take().unwrap_or_else(|| self.next_link(vehicle, lane_id, index));
            if link_id.is_none() {
                return;
            }
            let link = self.link(link_id);
            let priority = self.priority(link);
            let can_brake = || driver.can_brake(vehicle.speed_mps, stop_decel(driver, priority), seen);
            if priority.is_red_or_yellow() && can_brake() {
                return;
            }
            if self.keeps_clear(lane_id, link) && can_brake() && !self.has_room(vehicle, driver, link, index, ahead_m) {
                plan.no_room = lane_id == own_lane;
                return;
            }
            let next = self.lane(link.next);
            let limit = self.allowed(vehicle, driver, next);
            let gives_way = priority.gives_way() && can_brake();
            let slows = gives_way && !link.exit && seen > link.visibility_m;
            slowed |= slows || (gives_way && self.in_roundabout(link.to));
            let mut led = f64::INFINITY;
            if !far && !next.conflicts.is_empty() {
                let found = self.mind_conflicts(vehicle, driver, link.next, own_lane, seen);
                if lane_id == own_lane {
                    plan.beyond = Some(found);
                }
                led = found.v;
                if led < v {
                    // It drives up to the line all the same.
                    let decides = !link.exit || link.signal.is_some();
                    let line = if decides { self.halt_before(vehicle, driver, priority, seen) } else { 0.0 };
                    if v.at_most(led.at_least(line)) < HALTING_SPEED {
                        // It halts before the junction because of those inside.
                        return;
                    }
                    v = v.at_most(led.at_least(line));
                }
            }
            if self.world.watched.has(link_id.index()) {
                let mut arrival_speed = run_up.speed(driver);
                if slows {
                    let at_sight = driver.safe_stop_speed(link.visibility_m, driver.decel_mps2, 0.0);
                    arrival_speed = arrival_speed.at_most(driver.speed_after(link.visibility_m, at_sight));
                }
                tell(
                    link_id,
                    Coming {
                        vehicle: vehicle.id,
                        vtype: vehicle.vtype,
                        waits: vehicle.is(flags::WAITS_AT_LINK) && vehicle.waiting_ms > 0,
                        waiting_ms: vehicle.waiting_ms,
                        dist_m: seen,
                        speed: vehicle.speed_mps,
                        goes_on: v,
                        arrival_speed,
                        limit: limit.at_most(led),
                    },
                );
            }
            if far {
                return;
            }
            let held = self.held_by_rear(vehicle.speed_mps, driver, link.next, seen, |leader| {
                self.ego(vehicle, self.lane(own_lane), leader)
            });
            // A limit that is not lower slows nobody down.
            if limit < v {
                v = v.at_most(driver.free_speed(seen, limit, false).at_least(driver.min_next_speed(vehicle.speed_mps)));
            }
            run_up = RunUp { way_m: next.length_m, from: v, limit: limit.at_most(held).at_most(led) };
            v = v.at_most(held);
            if next.internal {
                inner_m += next.length_m;
            } else {
                index += 1;
                roads_m += next.length_m;
                if slowed {
                    // Nothing is asked of later junctions before this one is passed.
                    return;
                }
            }
            lane_id = link.next;
            seen += next.length_m;
            let enough = (ROOM_LOOK_LENGTHS * driver.length_m).at_least(driver.length_m + inner_m);
            if seen >= look && roads_m > enough {
                return;
            }
        }
    }

    /// What the hindmost body on a lane that begins `start` metres ahead allows; infinite when none is near.
    #[inline]
    fn held_by_rear(
        &self,
        speed: f64,
        driver: &Driver,
        lane_id: LaneId,
        start: f64,
        ego: impl FnOnce(u16) -> Ego,
    ) -> f64 {
        let rear = self.lanes.last(lane_id);
        let gap = start + rear.back - driver.min_gap_m;
        if gap < self.world.reach_m {
            let ego = || ego(rear.vtype);
            driver.at_most_following(driver.max_next_speed(speed), speed, gap, rear.speed, rear.decel, ego)
        } else {
            f64::INFINITY
        }
    }

    /// The speed of the next step. `plan` is the result of pass one. `None`: it depends on who approaches the junctions, which
    /// is not known before pass two.
    pub fn decide(&self, vehicle: &Vehicle, lane_id: LaneId, plan: &Follow, step_key: u64) -> Option<Move> {
        if vehicle.is(flags::STOPPED) {
            return Some(Move::default());
        }
        let driver = self.driver(vehicle);
        let lane = self.lane(lane_id);
        let mut walk = Walk {
            v: plan.speed,
            ahead_m: plan.ahead_m,
            no_room: plan.no_room,
            for_stop: f64::INFINITY,
            ..Walk::default()
        };
        let seen = lane.length_m - vehicle.pos_m;
        if self.world.has_stops(vehicle.id) {
            let from_m = vehicle.pos_m + driver.brake_gap_with(vehicle.speed_mps, driver.decel_mps2, 0.0);
            if let Some(halt) = self.stop_halt(vehicle, lane_id, usize::from(vehicle.route_index), from_m) {
                (walk.may_stop, walk.lot) = (halt.may_stop, halt.lot);
                walk.for_stop = halt.allows(driver, vehicle.speed_mps, -vehicle.pos_m);
                walk.v = walk.v.at_most(walk.for_stop);
            }
        }
        if let Some(before_m) = self.block_on(vehicle, lane_id, vehicle.pos_m) {
            walk.v = walk.v.at_most(driver.stop_speed(vehicle.speed_mps, before_m - vehicle.pos_m, driver.decel_mps2));
        }
        let mut led_to = f64::INFINITY;
        if lane.internal {
            // Ways may meet long before the lane ends.
            let find = || self.mind_conflicts(vehicle, driver, lane_id, lane_id, -vehicle.pos_m - 1e-9);
            let conflict = plan.inside.unwrap_or_else(find);
            walk.stuck = conflict.stuck(walk.v, || 0.0);
            walk.v = walk.v.at_most(conflict.v);
            led_to = conflict.v;
        }
        if seen < plan.look_m {
            let mut run_up = self.run_up(vehicle, driver, lane_id, seen, plan);
            run_up.limit = run_up.limit.at_most(led_to);
            self.look_beyond(vehicle, driver, lane_id, plan, run_up, &mut walk);
            if walk.is_open {
                return None;
            }
        } else {
            walk.crawls = crawls(vehicle, driver, walk.v);
            if plan.link.is_some() && self.falls_in(plan.link, seen) {
                // Decided when it is known who approaches.
                self.approaches?;
                walk.v = walk.v.at_most(self.zip(vehicle, driver, self.link(plan.link), seen));
            }
        }
        if (walk.waits || walk.crawls) && self.in_roundabout(lane_id) {
            // Who is in a roundabout keeps its right.
            (walk.waits, walk.crawls) = (false, false);
        }
        let mut decided = self.finish(vehicle, driver, &walk, self.allowed(vehicle, driver, lane), step_key);
        if driver.has_cruise_control() {
            decided.flags |= self.cruise_mode(vehicle, driver, lane_id, plan.look_m);
        }
        Some(decided)
    }

    /// The flag for what a cruise control does in this step.
    #[cold]
    fn cruise_mode(&self, vehicle: &Vehicle, driver: &Driver, lane_id: LaneId, look_m: f64) -> u16 {
        let before = vehicle.is(flags::KEEPS_GAP);
        let keeps = match self.gap_ahead(vehicle, driver, lane_id, look_m) {
            Some(gap) => driver.keeps_gap(vehicle.speed_mps, gap, before),
            None => before,
        };
        if keeps { flags::KEEPS_GAP } else { 0 }
    }

    /// Gap to the next vehicle ahead, on its lane or within `look_m` on the lanes behind it, less the minimum gap; metres.
    fn gap_ahead(&self, vehicle: &Vehicle, driver: &Driver, lane_id: LaneId, look_m: f64) -> Option<f64> {
        let on = self.lanes.on(lane_id);
        let is_ahead = |v: &Vehicle| v.pos_m > vehicle.pos_m || (v.pos_m == vehicle.pos_m && v.id < vehicle.id);
        let back = match on[..on.partition_point(is_ahead)].last() {
            Some(leader) => leader.pos_m - self.driver(leader).length_m,
            None => self.lanes.overhang(lane_id).back,
        };
        if back < f64::INFINITY {
            return Some(back - vehicle.pos_m - driver.min_gap_m);
        }
        let mut seen = self.lane(lane_id).length_m - vehicle.pos_m;
        let (mut lane_id, mut index) = (lane_id, usize::from(vehicle.route_index));
        while seen < look_m {
            let link_id = self.next_link(vehicle, lane_id, index);
            if link_id.is_none() {
                return None;
            }
            lane_id = self.link(link_id).next;
            if self.lanes.is_covered(lane_id) {
                return Some(seen + self.lanes.last(lane_id).back - driver.min_gap_m);
            }
            let lane = self.lane(lane_id);
            index += usize::from(!lane.internal);
            seen += lane.length_m;
        }
        None
    }

    /// Walks the links ahead and lowers the speed to what they allow; it begins with the run-up to the lane's end.
    fn look_beyond(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        lane_id: LaneId,
        plan: &Follow,
        run_up: RunUp,
        walk: &mut Walk,
    ) {
        let look = plan.look_m;
        let slowest = driver.min_next_speed(vehicle.speed_mps);
        let own_lane = lane_id;
        let (mut lane_id, mut seen, mut run_up) = (lane_id, run_up.way_m, run_up);
        let mut index = usize::from(vehicle.route_index);
        let mut first = true;
        let mut known = Some(plan.link);
        loop {
            let link_id = known.take().unwrap_or_else(|| self.next_link(vehicle, lane_id, index));
            if link_id.is_none() {
                if !self.is_last_edge(vehicle, index) {
                    // The lane does not lead on: wait at its end for a chance to change.
                    let halt =
                        driver.stop_speed(vehicle.speed_mps, (seen - MINOR_OFFSET_M).at_least(0.0), driver.decel_mps2);
                    walk.wait(halt, vehicle.speed_mps);
                }
                return;
            }
            let link = self.link(link_id);
            let limit = self.allowed(vehicle, driver, self.lane(link.next));
            let held = self.held_by_rear(vehicle.speed_mps, driver, link.next, seen, |leader| {
                self.ego(vehicle, self.lane(own_lane), leader)
            });
            let priority = self.priority(link);
            let decides = !link.exit || link.signal.is_some();
            // A vehicle that halts at a line follows one behind the line all the same, except at a signal.
            let behind = if priority.is_red_or_yellow() { f64::INFINITY } else { held };
            // What it would drive to halt before this link.
            let unhindered = walk.v;
            let halt = || self.halt_before(vehicle, driver, priority, seen).at_most(unhindered);
            let mut found = if first { plan.beyond } else { None };
            let mut conflict =
                || *found.get_or_insert_with(|| self.mind_conflicts(vehicle, driver, link.next, own_lane, seen));
            if decides {
                let v_pass = || run_up.speed(driver);
                let beyond = || limit.at_most(held).at_most(conflict().v);
                let at = AtLink { vehicle, driver, link_id, priority, seen_m: seen };
                if self.must_wait(&at, v_pass, beyond, walk) {
                    if walk.is_open {
                        return;
                    }
                    walk.wait(halt(), if priority == Priority::Red { vehicle.speed_mps } else { f64::INFINITY });
                    walk.v = walk.v.at_most(behind);
                    return;
                }
            }
            // What it may drive beyond the link.
            let mut over = walk.v;
            if limit < over {
                over = over.at_most(driver.free_speed(seen, limit, false).at_least(slowest));
            }
            // At least it can drive up to the line.
            let line = || if decides { halt() } else { 0.0 };
            let conflict = conflict();
            if self.keeps_clear(lane_id, link) && driver.can_brake(vehicle.speed_mps, driver.decel_mps2, seen) {
                let lacks_room = conflict.stuck(over.at_most(held), line)
                    || over.at_most(held) <= STANDS
                    || walk.no_room
                    || (!first && !self.has_room(vehicle, driver, link, index, walk.ahead_m));
                if lacks_room {
                    walk.wait(line(), vehicle.speed_mps);
                    return;
                }
            }
            let arriving = walk.v;
            let conflict = if conflict.v < arriving { conflict.v.at_least(line()) } else { conflict.v };
            let next = self.lane(link.next);
            run_up = RunUp { way_m: next.length_m, from: over, limit: limit.at_most(held).at_most(conflict) };
            walk.v = over.at_most(conflict).at_most(held);
            walk.crawls |= arriving <= walk.v && crawls(vehicle, driver, arriving);
            if !next.internal {
                index += 1;
                if let Some(room) = self.let_in(vehicle, driver, link.next, seen) {
                    walk.v = walk.v.at_most(room.at_least(slowest));
                }
            }
            lane_id = link.next;
            if self.halts_beyond(vehicle, driver, lane_id, index, seen, walk) {
                return;
            }
            seen += next.length_m;
            if seen >= look {
                return;
            }
            first = false;
        }
    }

    /// Lowers the speed to what a stop, or a blocked section, on a coming lane allows, which begins `start` metres ahead.
    /// Returns whether the vehicle halts there.
    fn halts_beyond(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        lane_id: LaneId,
        index: usize,
        start: f64,
        walk: &mut Walk,
    ) -> bool {
        let slowest = driver.min_next_speed(vehicle.speed_mps);
        let mut halts = false;
        if self.world.has_stops(vehicle.id) {
            let from_m = driver.brake_gap_with(vehicle.speed_mps, driver.decel_mps2, 0.0) - start;
            if let Some(halt) = self.stop_halt(vehicle, lane_id, index, from_m) {
                walk.for_stop = halt.allows(driver, vehicle.speed_mps, start).at_least(slowest);
                walk.v = walk.v.at_most(walk.for_stop);
                halts = halt.speed == 0.0;
            }
        }
        if let Some(before_m) = self.block_on(vehicle, lane_id, 0.0) {
            walk.v = walk
                .v
                .at_most(driver.stop_speed(vehicle.speed_mps, start + before_m, driver.decel_mps2).at_least(slowest));
            halts = true;
        }
        halts
    }

    /// Speed that leaves room for a vehicle near the start of a coming road that has to change onto the lane ahead, which
    /// begins `start` metres ahead. Those on one road settle this among themselves (see [`lane_change`](super::models::lane_change)).
    fn let_in(&self, vehicle: &Vehicle, driver: &Driver, lane_id: LaneId, start: f64) -> Option<f64> {
        if !self.world.wide.has(lane_id.index()) {
            return None;
        }
        let lane = self.lane(lane_id);
        let edge = self.world.network.edge(lane.edge);
        let wishes = [(lane.index.checked_sub(1), flags::WANTS_LEFT), (lane.index.checked_add(1), flags::WANTS_RIGHT)];
        let mut v: Option<f64> = None;
        for (beside, wish) in wishes {
            let Some(beside) = beside.filter(|i| *i < edge.lane_count) else { continue };
            for other in self.lanes.on(LaneId(edge.first_lane.0 + beside)).iter().rev().take(LET_IN) {
                if !(other.is(flags::BLOCKED) && other.is(wish)) {
                    continue;
                }
                let lead = self.driver(other);
                let gap = start + other.pos_m - lead.length_m - driver.min_gap_m;
                if gap > 0.0 && gap < self.world.reach_m {
                    // Room has to be left after the next step, too.
                    let after = |v: f64| {
                        let gap = gap + driver.dt_s * (other.speed_mps - v);
                        driver.follow_speed(vehicle.speed_mps, gap, other.speed_mps, lead.apparent_decel_mps2)
                    };
                    let speed = after(after(0.0));
                    v = Some(v.map_or(speed, |v| v.at_most(speed)));
                }
            }
        }
        v
    }

    /// Applies what the vehicle can physically do, dawdling and lane change advice.
    #[inline]
    fn finish(&self, vehicle: &Vehicle, driver: &Driver, walk: &Walk, allowed: f64, step_key: u64) -> Move {
        let safe = walk.v;
        let old = vehicle.speed_mps;
        let slowest = driver.min_next_speed(old).at_most(safe.at_least(driver.min_next_speed_emergency(old)));
        let fastest = allowed.at_least(safe).at_most(driver.max_next_speed(old)).at_most(safe).at_least(slowest);
        let mut speed = fastest;
        if driver.dawdles() {
            let random = uniform(step_key, vehicle.id.0, Purpose::Dawdle);
            let lost = driver.sigma
                * random
                * driver.dt_s
                * if fastest < driver.accel_mps2 { fastest } else { driver.accel_mps2 };
            speed = (fastest - lost).at_least(slowest).at_least(0.0);
        }
        if vehicle.advice_mps < f32::INFINITY {
            let advice = f64::from(vehicle.advice_mps);
            if advice >= slowest - 1e-6 {
                speed = speed.at_most(advice.at_least(slowest));
            }
        } else if vehicle.is(flags::BLOCKED | flags::BLOCKS_AS_LEADER) {
            // Nobody asked it to brake: it may gain room by going on faster.
            speed = (speed + fastest) * 0.5;
        }
        if speed > 0.0 && walk.least > 0.0 {
            speed = speed.at_least(walk.least.at_most(safe));
        }
        let found = [
            (walk.waits, flags::WAITS_AT_LINK),
            (walk.crawls, flags::CRAWLS),
            (walk.stuck, flags::STUCK),
            (safe < driver.min_next_speed(old) - 1e-6, flags::EMERGENCY),
        ];
        Move {
            speed,
            flags: found.iter().map(|(is, flag)| if *is { *flag } else { 0 }).sum(),
            may_stop: walk.may_stop,
            lot: walk.lot,
            is_for_stop: safe >= walk.for_stop,
        }
    }
}

/// Whether the vehicle is slow because of a leader: `v` is what it may drive.
#[inline]
fn crawls(vehicle: &Vehicle, driver: &Driver, v: f64) -> bool {
    v < driver.decel_mps2 && v < driver.max_next_speed(vehicle.speed_mps)
}

/// How a vehicle comes to a link: from `from` it accelerates over `way_m`, up to `limit`.
#[derive(Clone, Copy)]
struct RunUp {
    way_m: f64,
    from: f64,
    limit: f64,
}

impl RunUp {
    /// Speed at the link.
    #[inline]
    fn speed(&self, driver: &Driver) -> f64 {
        driver.speed_after(self.way_m, self.from).at_most(self.limit)
    }
}

/// What a look ahead has found so far.
#[derive(Default)]
pub(super) struct Walk {
    /// The speed that is still allowed.
    pub(super) v: f64,
    /// Metres taken by vehicles before it on its own lane.
    pub(super) ahead_m: f64,
    /// Behind the junction at its lane's end there is no room for it.
    pub(super) no_room: bool,
    /// It has to wait before a link.
    pub(super) waits: bool,
    /// It is slow behind a leader.
    pub(super) crawls: bool,
    /// It cannot go on through the junction that it is in.
    pub(super) stuck: bool,
    /// Speed that it should not fall below by dawdling.
    pub(super) least: f64,
    /// Speed that its next stop allows; infinite where that is far.
    pub(super) for_stop: f64,
    /// Its next stop may begin where it comes to stand, in this lot of a parking area.
    pub(super) may_stop: bool,
    pub(super) lot: u16,
    /// It depends on approaches that are not known yet.
    pub(super) is_open: bool,
}

impl Walk {
    /// Halt before a link; it counts as waiting there when that slows it below `from_speed` or makes it stand.
    pub(super) fn wait(&mut self, halt: f64, from_speed: f64) {
        self.v = self.v.at_most(halt);
        self.waits = self.v < from_speed || self.v < HALTING_SPEED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::{VehicleClass, VehicleType};
    use bytemuck::Zeroable;

    fn car() -> (Driver, Vehicle) {
        let driver = Driver::new(&VehicleType::default_of("car", VehicleClass::Passenger), 1.0);
        (driver, Vehicle { speed_mps: 2.0, ..Vehicle::zeroed() })
    }

    #[test]
    fn who_is_slowed_by_a_leader_crawls_and_who_speeds_up_freely_does_not() {
        let (driver, vehicle) = car();
        assert!(crawls(&vehicle, &driver, 2.5));
        assert!(!crawls(&vehicle, &driver, driver.max_next_speed(vehicle.speed_mps)));
        let fast = Vehicle { speed_mps: 12.0, ..vehicle };
        assert!(!crawls(&fast, &driver, 10.0), "10 m/s is no crawling");
    }

    #[test]
    fn a_run_up_gains_speed_on_its_way_and_ends_at_its_limit() {
        let (driver, _) = car();
        let run_up = |limit| RunUp { way_m: 20.0, from: 2.0, limit }.speed(&driver);
        assert_eq!(run_up(f64::INFINITY), driver.speed_after(20.0, 2.0));
        assert_eq!(run_up(3.0), 3.0);
    }
}
