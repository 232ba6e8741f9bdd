//! Inside a junction and right behind it: vehicles on crossing and merging ways, and room to leave it again.

use crate::graph::{Conflict, Link};
use crate::ids::LaneId;

use super::car_following::Driver;
use super::right_of_way::MINOR_OFFSET_M;
use super::vehicle::{HALTING_SPEED, Vehicle, flags};
use super::view::View;

/// How far beyond a junction room is looked for, in vehicle lengths.
pub(super) const ROOM_LOOK_LENGTHS: f64 = 5.0;

impl View<'_> {
    /// Whether vehicles must not enter this junction from `lane` without room behind it.
    #[inline]
    pub(super) fn keeps_clear(&self, lane: LaneId, link: &Link) -> bool {
        link.keep_clear && !link.foes.is_empty() && !self.lane(lane).internal && !self.in_roundabout(lane)
    }

    /// Room behind the junction for the whole vehicle, so that it does not block the crossing (keepClear). Only standing
    /// traffic counts: who moves will make room. `ahead_m` is taken by vehicles before it on its own lane; the link leaves the
    /// `index`-th edge of its route.
    pub(super) fn has_room(&self, vehicle: &Vehicle, driver: &Driver, link: &Link, index: usize, ahead_m: f64) -> bool {
        let to = link.to;
        if !self.lanes.is_held(to) && self.lane(to).length_m > ROOM_LOOK_LENGTHS * driver.length {
            // Nobody stands on the first road behind the junction, and it is long enough.
            return true;
        }
        let need = driver.length_with_gap();
        let (mut space, mut seen) = (-ahead_m, 0.0);
        let mut lane_id = link.next;
        let mut index = index;
        loop {
            let lane = self.lane(lane_id);
            if lane.internal {
                space -= self.lanes.occupied_m[lane_id.index()];
            } else {
                index += 1;
                let on = self.lanes.on(lane_id);
                let in_roundabout = self.in_roundabout(lane_id);
                let mut taken = 0.0;
                for v in on.iter().rev() {
                    let d = self.driver(v);
                    if v.speed < HALTING_SPEED && !in_roundabout {
                        return space + v.pos - d.length - taken >= need;
                    }
                    taken += d.length_with_gap();
                }
                space += lane.length_m - taken;
                if on.last().is_some_and(|v| v.is(flags::WAITS_AT_LINK | flags::STOPPED)) {
                    return space >= need;
                }
                seen += lane.length_m;
                if seen > ROOM_LOOK_LENGTHS * driver.length {
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
    /// start of the internal lane (negative when it is on it). Returns the speed that they leave.
    pub(super) fn mind_conflicts(&self, vehicle: &Vehicle, driver: &Driver, lane_id: LaneId, start: f64) -> f64 {
        let lane = self.lane(lane_id);
        let mut v = f64::INFINITY;
        if lane.conflicts.is_empty() {
            return v;
        }
        let inside = start < 0.0;
        for at in lane.conflicts.range() {
            let foe = self.world.conflict_foes[at];
            if foe.is_none() || !self.lanes.is_occupied(foe) {
                continue;
            }
            let conflict = &self.world.network.conflicts[at];
            let foes = self.lanes.on(conflict.foe);
            for foe in foes {
                let lead = self.driver(foe);
                // Distance from the vehicle's front to where it meets the foe, and gap to the foe's back there.
                let (meet, gap) = if conflict.merge {
                    let rest = start + lane.length_m;
                    let foe_rest = self.lane(conflict.foe).length_m - foe.pos;
                    let foe_behind = foe.pos < conflict.foe_begin_m && conflict.foe_yields && !conflict.yields;
                    let foe_first =
                        !foe_behind && (!inside || foe_rest < rest || (foe_rest == rest && foe.id < vehicle.id));
                    if !foe_first {
                        continue;
                    }
                    (-1.0, rest - foe_rest - lead.length - driver.min_gap)
                } else {
                    let meet = start + conflict.begin_m;
                    let back = foe.pos - lead.length;
                    if meet < 0.0 || back >= conflict.foe_end_m || !self.goes_before(foe, vehicle, conflict, inside) {
                        continue;
                    }
                    (meet, meet - driver.min_gap - (conflict.foe_end_m - back))
                };
                let mut speed = if gap >= 0.0 {
                    driver.follow_speed(vehicle.speed, gap, foe.speed, lead.apparent_decel)
                } else {
                    driver.stop_speed(vehicle.speed, (start - MINOR_OFFSET_M).max(0.0), driver.decel)
                };
                if meet >= 0.0 {
                    // Drive up to the meeting point so as to be there when the foe has passed.
                    let halt = driver.stop_speed(vehicle.speed, (meet - driver.min_gap).max(0.0), driver.decel);
                    let foe_past_s = (meet - gap) / foe.speed.max(HALTING_SPEED);
                    let target = (2.0 * (meet - driver.min_gap) / foe_past_s - vehicle.speed).max(vehicle.speed);
                    let paced = vehicle.speed + driver.dt * (target - vehicle.speed) / foe_past_s;
                    speed = speed.max(paced.min(halt));
                }
                v = v.min(speed);
            }
        }
        v
    }

    /// Whether a vehicle on a crossing way of the junction passes the crossing first.
    pub(super) fn goes_before(&self, foe: &Vehicle, vehicle: &Vehicle, conflict: &Conflict, inside: bool) -> bool {
        if foe.pos > conflict.foe_begin_m {
            return true;
        }
        if conflict.foe_yields && !conflict.yields {
            return false;
        }
        if !inside || conflict.yields && !conflict.foe_yields {
            return !(foe.is(flags::WAITS_AT_LINK) && foe.speed < HALTING_SPEED);
        }
        (foe.junction_entry_ms, foe.id) < (vehicle.junction_entry_ms, vehicle.id)
    }
}
