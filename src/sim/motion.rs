//! The longitudinal decision: first the speed that the road and the leader on the own lane allow, with the announcement
//! at the next junctions (pass one), then what signals, foes and vehicles beyond the lane's end leave of it (pass two).
//! Both passes read state(t) only.

use crate::graph::Link;
use crate::ids::{LaneId, LinkId};

use super::approach::{Approach, Claim, Priority, blocks, braking_arrival, leave_time};
use super::car_following::Driver;
use super::random::{Purpose, uniform};
use super::vehicle::{Vehicle, flags};
use super::view::View;

/// Distance kept to a stop line at red or yellow, metres.
const RED_OFFSET_M: f64 = 1.0;
/// Distance kept to the line of a minor link, metres.
const MINOR_OFFSET_M: f64 = 0.1;
/// Drivers brake at least this hard for yellow, m/s² (SUMO `tls.yellow.min-decel`).
const YELLOW_DECEL: f64 = 3.0;

/// The decided motion of one vehicle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Move {
    pub speed: f64,
    pub waits_at_link: bool,
    pub emergency: bool,
}

impl View<'_> {
    /// Pass one: speed within the limits of the road and behind the leader on the lane. `ahead` is the vehicle before it
    /// on the lane.
    #[inline]
    pub fn follow(&self, vehicle: &Vehicle, ahead: Option<&Vehicle>, lane_id: LaneId) -> f64 {
        let driver = self.driver(vehicle);
        if vehicle.is(flags::STOPPED) {
            return 0.0;
        }
        let lane = self.lane(lane_id);
        let mut v = driver.free_next_speed(vehicle.speed, self.allowed(vehicle, driver, lane));
        if let Some(leader) = ahead {
            let lead = self.driver(leader);
            let gap = leader.pos - lead.length - vehicle.pos - driver.min_gap;
            // Too far away to matter.
            if gap < self.world.reach_m {
                v = v.min(driver.follow_speed(vehicle.speed, gap, leader.speed, lead.apparent_decel));
            }
        } else {
            let over = self.lanes.overhang[lane_id.index()];
            let gap = over.back - vehicle.pos - driver.min_gap;
            if gap < self.world.reach_m {
                v = v.min(driver.follow_speed(vehicle.speed, gap, over.speed, over.decel));
            }
        }
        v.max(0.0)
    }

    /// Pass one, near the lane's end: tells the watched links ahead when the vehicle will be there.
    pub fn announce(&self, vehicle: &Vehicle, lane_id: LaneId, follow: f64, mut tell: impl FnMut(LinkId, Approach)) {
        let driver = self.driver(vehicle);
        let look = self.look_ahead(driver, vehicle.speed);
        let mut lane_id = lane_id;
        let mut index = usize::from(vehicle.route_index);
        let mut seen = self.lane(lane_id).length_m - vehicle.pos;
        let mut v = follow;
        let mut v_pass = driver.speed_after(seen, v);
        let mut travelled_s = None;
        while seen < look {
            if v <= 1e-4 || self.stop_on(vehicle, lane_id, index).is_some() {
                return;
            }
            let link_id = self.next_link(vehicle, lane_id, index);
            if link_id.is_none() {
                return;
            }
            let link = self.link(link_id);
            let priority = self.priority(link);
            let can_brake = seen >= driver.brake_gap_with(vehicle.speed, stop_decel(driver, priority), 0.0);
            if priority.is_red_or_yellow() && can_brake {
                return;
            }
            let next = self.lane(link.next);
            let limit = self.allowed(vehicle, driver, next);
            v = v.min(driver.free_speed(seen, limit, false).max(driver.min_next_speed(vehicle.speed)));
            v_pass = v_pass.min(limit);
            let mut arrival_speed = v_pass;
            if priority.gives_way() && can_brake && !link.exit && seen > link.visibility_m {
                let at_sight = driver.safe_stop_speed(link.visibility_m, driver.decel, 0.0);
                arrival_speed = arrival_speed.min(driver.speed_after(link.visibility_m, at_sight));
            }
            if link.watched || travelled_s.is_none() {
                let arrival_s = driver.minimal_arrival_time(seen, v, arrival_speed);
                travelled_s = Some(arrival_s);
                if link.watched {
                    let leave_speed = driver.speed_after(link.via_length_m, arrival_speed).min(limit);
                    tell(
                        link_id,
                        Approach {
                            vehicle: vehicle.id,
                            arrival_s,
                            braking_arrival_s: braking_arrival(driver, seen, v, arrival_s),
                            leave_s: leave_time(
                                arrival_s,
                                arrival_speed,
                                leave_speed,
                                link.via_length_m + driver.length,
                            ),
                            arrival_speed,
                            leave_speed,
                            decel: driver.decel,
                            waiting_ms: vehicle.waiting_ms,
                            waits: vehicle.is(flags::WAITS_AT_LINK) && vehicle.waiting_ms > 0,
                        },
                    );
                }
            }
            if !next.internal {
                index += 1;
            }
            lane_id = link.next;
            seen += next.length_m;
            v_pass = driver.speed_after(next.length_m, v_pass).min(limit);
        }
    }

    /// Pass two: the speed of the next step. `follow` is the result of pass one.
    pub fn decide(&self, vehicle: &Vehicle, lane_id: LaneId, follow: f64, step_key: u64) -> Move {
        if vehicle.is(flags::STOPPED) {
            return Move::default();
        }
        let driver = self.driver(vehicle);
        let lane = self.lane(lane_id);
        let mut waits = false;
        let mut v = follow;
        let seen = lane.length_m - vehicle.pos;
        if let Some(stop) = self.stop_on(vehicle, lane_id, usize::from(vehicle.route_index)) {
            v = v.min(driver.stop_speed(vehicle.speed, stop.end_m - vehicle.pos, driver.decel));
        }
        if seen < self.look_ahead(driver, vehicle.speed) {
            v = v.min(self.look_beyond(vehicle, driver, lane_id, seen, v, &mut waits));
        }
        self.finish(vehicle, driver, v, self.allowed(vehicle, driver, lane), waits, step_key)
    }

    /// Walks the links ahead and returns the speed that they allow.
    fn look_beyond(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        lane_id: LaneId,
        seen: f64,
        mut v: f64,
        waits: &mut bool,
    ) -> f64 {
        let look = self.look_ahead(driver, vehicle.speed);
        let slowest = driver.min_next_speed(vehicle.speed);
        let (mut lane_id, mut seen) = (lane_id, seen);
        let mut index = usize::from(vehicle.route_index);
        let mut v_pass = driver.speed_after(seen, v);
        let mut first = true;
        self.mind_conflicts(vehicle, driver, lane_id, -vehicle.pos, true, &mut v);
        loop {
            let lane = self.lane(lane_id);
            let link_id = self.next_link(vehicle, lane_id, index);
            if link_id.is_none() {
                if !self.is_last_edge(vehicle, index) {
                    // The lane does not lead on: wait at its end for a chance to change.
                    v = v.min(driver.stop_speed(vehicle.speed, (seen - MINOR_OFFSET_M).max(0.0), driver.decel));
                    *waits = first;
                }
                return v;
            }
            let link = self.link(link_id);
            let limit = self.allowed(vehicle, driver, self.lane(link.next));
            if !link.exit || link.signal.is_some() {
                let priority = self.priority(link);
                if let Some(stopped) = self.wait_before(vehicle, driver, link, priority, seen, v, v_pass.min(limit)) {
                    *waits = first;
                    return v.min(stopped);
                }
                if !lane.internal && link.keep_clear && !link.foes.is_empty() && !self.has_room(vehicle, driver, link) {
                    let decel = driver.decel;
                    let gap = (seen - self.line_offset(driver, priority, vehicle.speed, seen)).max(0.0);
                    if seen >= driver.brake_gap_with(vehicle.speed, decel, 0.0) {
                        *waits = first;
                        return v.min(driver.stop_speed(vehicle.speed, gap, decel));
                    }
                }
            }
            v = v.min(driver.free_speed(seen, limit, false).max(slowest));
            self.mind_conflicts(vehicle, driver, link.next, seen, false, &mut v);
            let rear = self.lanes.last(link.next);
            let gap = seen + rear.back - driver.min_gap;
            if gap < self.world.reach_m {
                v = v.min(driver.follow_speed(vehicle.speed, gap, rear.speed, rear.decel));
            }
            let next = self.lane(link.next);
            if !next.internal {
                index += 1;
            }
            lane_id = link.next;
            if let Some(stop) = self.stop_on(vehicle, lane_id, index) {
                v = v.min(driver.stop_speed(vehicle.speed, seen + stop.end_m, driver.decel));
            }
            seen += next.length_m;
            if seen >= look {
                return v;
            }
            v_pass = driver.speed_after(next.length_m, v_pass.min(limit));
            first = false;
        }
    }

    /// Distance before the line where a vehicle halts.
    #[inline]
    fn line_offset(&self, driver: &Driver, priority: Priority, speed: f64, seen: f64) -> f64 {
        let wanted = if priority.is_red_or_yellow() || priority == Priority::Major { RED_OFFSET_M } else { 0.0 };
        let spare = seen - driver.brake_gap_with(speed, stop_decel(driver, priority), 0.0);
        let offset = if spare >= 0.0 { wanted.min(spare) } else { wanted };
        offset.max(MINOR_OFFSET_M)
    }

    /// The speed that halts the vehicle before the link, if it must not pass it.
    #[allow(clippy::too_many_arguments)] // one decision, seven facts
    fn wait_before(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        link: &Link,
        priority: Priority,
        seen: f64,
        v: f64,
        v_pass: f64,
    ) -> Option<f64> {
        let decel = stop_decel(driver, priority);
        let can_brake = seen >= driver.brake_gap_with(vehicle.speed, decel, 0.0);
        let halt = || {
            let gap = (seen - self.line_offset(driver, priority, vehicle.speed, seen)).max(0.0);
            driver.stop_speed(vehicle.speed, gap, decel)
        };
        match priority {
            Priority::Red => return Some(halt()),
            Priority::Yellow => return can_brake.then(halt),
            _ => {}
        }
        // A link that lets wait inside the junction is decided there.
        if link.cont {
            return None;
        }
        let inherits_major = self.lane(link.from).internal && self.enters_with_priority(link.from);
        if priority.gives_way() && can_brake && !inherits_major && seen > link.visibility_m {
            // Not near enough to see the foes: stay able to halt.
            return Some(halt());
        }
        if matches!(priority, Priority::Stop | Priority::AllwayStop) && vehicle.waiting_ms == 0 {
            return Some(halt());
        }
        if link.yields_to.is_empty() {
            return None;
        }
        let arrival_s = driver.minimal_arrival_time(seen, v, v_pass);
        let leave_speed = driver.speed_after(link.via_length_m, v_pass).min(driver.max_speed);
        let claim = Claim {
            vehicle: vehicle.id,
            arrival_s,
            leave_s: leave_time(arrival_s, v_pass, leave_speed, link.via_length_m + driver.length),
            arrival_speed: v_pass,
            leave_speed,
            decel: driver.decel,
            waiting_ms: vehicle.waiting_ms,
            impatience: self.impatience(vehicle),
            time_gap_s: self.params(vehicle).time_gap_minor_s,
        };
        let network = &self.world.network;
        for foe_id in &network.foe_links[link.yields_to.range()] {
            let foes = self.approaches.of(*foe_id);
            if foes.is_empty() {
                continue;
            }
            let same_target = self.link(*foe_id).to == link.to;
            if foes.iter().any(|foe| blocks(&claim, foe, same_target, priority)) {
                return Some(halt());
            }
        }
        None
    }

    /// Whether the link that leads onto an internal lane has priority over its foes.
    fn enters_with_priority(&self, internal: LaneId) -> bool {
        let entry = self.lane(internal).entry;
        entry.is_some() && self.priority(self.link(entry)) == Priority::Major
    }

    /// Room behind the junction for the whole vehicle, so that it does not block the crossing (keepClear).
    fn has_room(&self, vehicle: &Vehicle, driver: &Driver, link: &Link) -> bool {
        let mut space = 0.0;
        let mut lane_id = link.next;
        let mut index = usize::from(vehicle.route_index);
        let need = driver.length_with_gap() - f64::from(vehicle.waiting_ms) / 10_000.0;
        loop {
            let lane = self.lane(lane_id);
            if lane.internal {
                space -= self.lanes.occupied_m[lane_id.index()];
            } else {
                let rear = self.lanes.last(lane_id);
                if rear.back < f64::INFINITY {
                    let standing = rear.speed < super::vehicle::HALTING_SPEED;
                    if !standing && rear.accel >= 0.0 {
                        return true;
                    }
                    let rest = super::car_following::brake_gap(rear.speed, rear.decel, 0.0, driver.dt);
                    return space + rear.back + (rest - rear.speed * driver.tau).max(0.0) >= need;
                }
                index += 1;
                space += lane.length_m;
                if space >= need {
                    return true;
                }
            }
            let next = self.next_link(vehicle, lane_id, index);
            if next.is_none() {
                return true;
            }
            lane_id = self.link(next).next;
        }
    }

    /// Vehicles on crossing and merging ways of the junction. `start` is the distance from the vehicle's front to the
    /// start of the internal lane (negative when it is on it).
    fn mind_conflicts(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        lane_id: LaneId,
        start: f64,
        inside: bool,
        v: &mut f64,
    ) {
        let lane = self.lane(lane_id);
        if lane.conflicts.is_empty() {
            return;
        }
        for conflict in &self.world.network.conflicts[lane.conflicts.range()] {
            let foes = self.lanes.on(conflict.foe);
            if foes.is_empty() || conflict.same_source {
                continue;
            }
            let to_begin = start + conflict.begin_m;
            let to_end = start + conflict.end_m;
            if to_end <= 0.0 {
                continue;
            }
            for foe in foes {
                let lead = self.driver(foe);
                let back = foe.pos - lead.length;
                if conflict.merge {
                    let foe_rest = self.lane(conflict.foe).length_m - foe.pos;
                    let my_rest = start + lane.length_m;
                    let foe_first = if foe.pos < conflict.foe_begin_m && conflict.foe_yields && !conflict.yields {
                        false
                    } else if inside {
                        foe_rest < my_rest || (foe_rest == my_rest && foe.id < vehicle.id)
                    } else {
                        true
                    };
                    if foe_first {
                        let gap = my_rest - foe_rest - lead.length - driver.min_gap;
                        let speed = if gap >= 0.0 || to_begin < 0.0 {
                            driver.follow_speed(vehicle.speed, gap.max(0.0), foe.speed, lead.apparent_decel)
                        } else {
                            driver.stop_speed(vehicle.speed, (to_begin - driver.min_gap).max(0.0), driver.decel)
                        };
                        *v = v.min(speed);
                    }
                    continue;
                }
                if back >= conflict.foe_end_m || to_begin < 0.0 {
                    continue;
                }
                let foe_in_area = foe.pos > conflict.foe_begin_m;
                let must_wait = if foe_in_area {
                    true
                } else if conflict.foe_yields && !conflict.yields {
                    false
                } else if !inside || conflict.yields {
                    !(foe.is(flags::WAITS_AT_LINK) && foe.speed < super::vehicle::HALTING_SPEED)
                } else {
                    (foe.junction_entry_ms, foe.id) < (vehicle.junction_entry_ms, vehicle.id)
                };
                if must_wait {
                    *v = v.min(driver.stop_speed(vehicle.speed, (to_begin - 0.5).max(0.0), driver.decel));
                }
            }
        }
    }

    /// Applies what the vehicle can physically do, dawdling and lane change advice.
    #[inline]
    fn finish(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        safe: f64,
        allowed: f64,
        waits_at_link: bool,
        step_key: u64,
    ) -> Move {
        let old = vehicle.speed;
        let slowest = driver.min_next_speed(old).min(safe.max(driver.min_next_speed_emergency(old)));
        let fastest = allowed.max(safe).min(driver.max_next_speed(old)).min(safe).max(slowest);
        let mut speed = fastest;
        if driver.idm.is_none() && driver.sigma > 0.0 {
            let random = uniform(step_key, vehicle.id.0, Purpose::Dawdle);
            let lost = driver.sigma * random * driver.dt * if fastest < driver.accel { fastest } else { driver.accel };
            speed = (fastest - lost).max(slowest).max(0.0);
        }
        if vehicle.advice < f32::INFINITY {
            let advice = f64::from(vehicle.advice);
            if advice >= slowest - 1e-6 {
                speed = speed.min(advice.max(slowest));
            }
        } else if vehicle.is(flags::BLOCKED | flags::BLOCKS_AS_LEADER) {
            // Nobody asked it to brake: it may gain room by going on faster.
            speed = (speed + fastest) * 0.5;
        }
        Move { speed, waits_at_link, emergency: safe < driver.min_next_speed(old) - 1e-6 }
    }
}

/// Deceleration with which a vehicle halts before a link.
#[inline]
fn stop_decel(driver: &Driver, priority: Priority) -> f64 {
    if priority.is_red_or_yellow() { YELLOW_DECEL.min(driver.emergency_decel).max(driver.decel) } else { driver.decel }
}
