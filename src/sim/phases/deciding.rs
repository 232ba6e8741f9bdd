//! Pass two of the longitudinal decision: what signals, foes and vehicles beyond the lane's end leave of the speed that pass one
//! gave. It reads state(t) only.

use crate::ids::LaneId;

use crate::sim::bounds::Bounds;
use crate::sim::models::car_following::Driver;
use crate::sim::models::right_of_way::approach::Priority;
use crate::sim::models::right_of_way::yielding::{AtLink, MINOR_OFFSET_M};
use crate::sim::phases::following::{FollowPlan, RunUp, STANDS};
use crate::sim::random::{Purpose, uniform};
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};
use crate::sim::view::View;

/// How many vehicles at the end of a lane's queue may ask those who come to let them over.
const LET_IN: usize = 3;

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
    /// The speed of the next step. `plan` is the result of pass one. `None`: it depends on who approaches the junctions, which
    /// is not known before pass two.
    pub fn decide(&self, vehicle: &Vehicle, lane_id: LaneId, plan: &FollowPlan, step_key: u64) -> Option<Move> {
        if vehicle.is(flags::STOPPED) {
            return Some(Move::default());
        }
        let driver = self.driver(vehicle);
        let lane = self.lane(lane_id);
        let mut walk = LookaheadState {
            v: plan.speed,
            ahead_m: plan.ahead_m,
            no_room: plan.no_room,
            for_stop: f64::INFINITY,
            ..LookaheadState::default()
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
        plan: &FollowPlan,
        run_up: RunUp,
        walk: &mut LookaheadState,
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
        walk: &mut LookaheadState,
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
    /// begins `start` metres ahead. Those on one road settle this among themselves (see [`lane_change`](crate::sim::models::lane_change)).
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
    fn finish(&self, vehicle: &Vehicle, driver: &Driver, walk: &LookaheadState, allowed: f64, step_key: u64) -> Move {
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

/// What a look ahead has found so far.
#[derive(Default)]
pub(in crate::sim) struct LookaheadState {
    /// The speed that is still allowed.
    pub(in crate::sim) v: f64,
    /// Metres taken by vehicles before it on its own lane.
    pub(in crate::sim) ahead_m: f64,
    /// Behind the junction at its lane's end there is no room for it.
    pub(in crate::sim) no_room: bool,
    /// It has to wait before a link.
    pub(in crate::sim) waits: bool,
    /// It is slow behind a leader.
    pub(in crate::sim) crawls: bool,
    /// It cannot go on through the junction that it is in.
    pub(in crate::sim) stuck: bool,
    /// Speed that it should not fall below by dawdling.
    pub(in crate::sim) least: f64,
    /// Speed that its next stop allows; infinite where that is far.
    pub(in crate::sim) for_stop: f64,
    /// Its next stop may begin where it comes to stand, in this lot of a parking area.
    pub(in crate::sim) may_stop: bool,
    pub(in crate::sim) lot: u16,
    /// It depends on approaches that are not known yet.
    pub(in crate::sim) is_open: bool,
}

impl LookaheadState {
    /// Halt before a link; it counts as waiting there when that slows it below `from_speed` or makes it stand.
    pub(in crate::sim) fn wait(&mut self, halt: f64, from_speed: f64) {
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
