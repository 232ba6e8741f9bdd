//! Before a junction: who has to wait at a link, for signals, foes and those that are nearer to a merge.

use crate::graph::{Aspect, Link};
use crate::ids::{LaneId, LinkId, VehicleId};

use super::approach::{Approach, Claim, Priority, blocks, leave_time};
use crate::sim::bounds::Bounds;
use crate::sim::models::car_following::Driver;
use crate::sim::phases::deciding::LookaheadState;
use crate::sim::random::{Purpose, step_key, uniform};
use crate::sim::vehicle::{Vehicle, flags};
use crate::sim::view::View;

/// Distance kept to a stop line at red or yellow, metres.
const RED_OFFSET_M: f64 = 1.0;
/// Distance kept to the line of a minor link, metres.
pub(in crate::sim) const MINOR_OFFSET_M: f64 = 0.1;
/// Drivers brake at least this hard for yellow, m/s² (SUMO `tls.yellow.min-decel`).
const YELLOW_DECEL: f64 = 3.0;
/// Probability per step that a vehicle in a circle of waiting ones at links of equal right gives up its right. (Of 228
/// vehicle-steps in such circles in SUMO 1.28, 65.)
const GIVES_UP: f64 = 0.3;
/// A crossing is free for a vehicle that waits inside a junction when a rear is past it by this, times the sine of the angle, metres
/// (in SUMO 1.28 at 18 crossings of 28° to 75°: 0.56 to 0.97).
const REAR_ROOM_M: f64 = 0.85;
/// Vehicles open the gap for those that go before them at an alternating merge between these times before they would be there at
/// their present speed, seconds. Chosen so that speeds and gaps over the last 100 m before a merge above its capacity, and with them
/// the flow, are those of SUMO 1.28, at limits from 8 to 36 m/s.
const ZIP_BEGIN_S: f64 = 14.0;
const ZIP_END_S: f64 = 4.0;
/// Where the limit is below the first, m/s, a share of the gap is opened from where they see the others on: the more the lower the
/// limit, up to a greatest share.
const ZIP_FAST_MPS: f64 = 20.0;
const ZIP_SHARE_PER_MPS: f64 = 0.125;
const ZIP_EARLY_SHARE: f64 = 0.6;
/// Least speed with which that time is computed, m/s.
const ZIP_LEAST_SPEED_MPS: f64 = 1.0;
/// Most links that are looked at for a circle.
const LONGEST_CIRCLE: usize = 16;

/// A vehicle that comes to a link.
#[derive(Clone, Copy)]
pub(in crate::sim) struct AtLink<'a> {
    pub vehicle: &'a Vehicle,
    pub driver: &'a Driver,
    pub link_id: LinkId,
    pub priority: Priority,
    /// Metres to the link.
    pub seen_m: f64,
}

impl View<'_> {
    /// Distance before the line where a vehicle halts.
    #[inline]
    pub(in crate::sim) fn line_offset(&self, driver: &Driver, priority: Priority, speed: f64, seen: f64) -> f64 {
        let wanted = if priority.is_red_or_yellow() || priority == Priority::Major { RED_OFFSET_M } else { 0.0 };
        let spare = seen - driver.brake_gap_with(speed, stop_decel(driver, priority), 0.0);
        let offset = if spare >= 0.0 { wanted.at_most(spare) } else { wanted };
        offset.at_least(MINOR_OFFSET_M)
    }

    /// The speed that halts the vehicle before the link.
    #[inline]
    pub(in crate::sim) fn halt_before(&self, vehicle: &Vehicle, driver: &Driver, priority: Priority, seen: f64) -> f64 {
        let gap = (seen - self.line_offset(driver, priority, vehicle.speed_mps, seen)).at_least(0.0);
        driver.stop_speed(vehicle.speed_mps, gap, stop_decel(driver, priority))
    }

    /// Whether the vehicle must not pass the link now. `v_pass` is its speed at the link, `beyond` what it may drive behind it.
    pub(in crate::sim) fn must_wait(
        &self,
        at: &AtLink<'_>,
        v_pass: impl FnOnce() -> f64,
        beyond: impl FnOnce() -> f64,
        walk: &mut LookaheadState,
    ) -> bool {
        let &AtLink { vehicle, driver, link_id, priority, seen_m: seen } = at;
        let link = self.link(link_id);
        let can_brake = || driver.can_brake(vehicle.speed_mps, stop_decel(driver, priority), seen);
        match priority {
            Priority::Red => return true,
            Priority::Yellow => return can_brake(),
            _ => {}
        }
        // A link with priority is open; one that lets wait inside the junction is decided there.
        if priority == Priority::Major || link.cont {
            return false;
        }
        let can_brake = can_brake();
        let inherits_major = self.lane(link.from).internal && self.enters_with_priority(link.from);
        let slows = priority.gives_way() && !inherits_major;
        if slows && can_brake && seen > link.visibility_m {
            // Not near enough to see the foes: stay able to halt.
            return true;
        }
        if matches!(priority, Priority::Stop | Priority::AllwayStop) && vehicle.waiting_ms == 0 {
            return true;
        }
        if self.approaches.is_none() && (priority == Priority::Zipper || self.yields_at(link)) {
            walk.is_open = true;
            return true;
        }
        if priority == Priority::Zipper {
            walk.v = walk.v.at_most(self.zip(vehicle, driver, link, seen));
            return false;
        }
        if self.yields_at(link) && self.is_blocked(at, v_pass(), beyond(), walk.v, can_brake) {
            // Too fast to halt even with full braking: get through (before a light it halts all the same).
            let hopeless = !can_brake
                && link.signal.is_none()
                && seen < driver.brake_gap_with(vehicle.speed_mps, driver.emergency_decel_mps2, 0.0);
            return !hopeless;
        }
        if slows {
            // Having seen that it is free, drive over: new foes may come with the next step.
            let over = ((seen + MINOR_OFFSET_M) / driver.dt_s).at_most(driver.max_next_speed(vehicle.speed_mps));
            walk.least = walk.least.at_least(over);
        }
        false
    }

    /// Whether a vehicle, `seen` metres before the link at the end of its lane, begins to fall in at an alternating merge.
    #[inline]
    pub(in crate::sim) fn falls_in(&self, link_id: LinkId, seen: f64) -> bool {
        if !self.world.merges.has(link_id.index()) {
            return false;
        }
        let link = self.link(link_id);
        seen < link.visibility_m && self.priority(link) == Priority::Zipper
    }

    /// Speed behind the vehicles that are nearer to an alternating merge: they go first, and the vehicle opens the gap for them
    /// before it gets there.
    pub(in crate::sim) fn zip(&self, vehicle: &Vehicle, driver: &Driver, link: &Link, seen: f64) -> f64 {
        let mut v = f64::INFINITY;
        let left_s = seen / vehicle.speed_mps.at_least(ZIP_LEAST_SPEED_MPS);
        let by_time = (ZIP_BEGIN_S - left_s) / (ZIP_BEGIN_S - ZIP_END_S);
        let limit = self.allowed(vehicle, driver, self.lane(link.from));
        let by_limit = ((ZIP_FAST_MPS - limit) * ZIP_SHARE_PER_MPS).at_most(ZIP_EARLY_SHARE);
        let opened = by_time.at_least(by_limit).at_most(1.0);
        if opened <= 0.0 {
            return v;
        }
        for foe_id in &self.world.network.foe_links[link.foes.range()] {
            if self.link(*foe_id).to != link.to {
                continue;
            }
            for foe in self.approaching(*foe_id) {
                if (foe.dist_m, foe.vehicle) < (seen, vehicle.id) {
                    let gap = (seen - foe.dist_m - opened * (foe.length_m + driver.min_gap_m)).at_least(0.0);
                    v = v.at_most(
                        driver
                            .follow_speed(vehicle.speed_mps, gap, foe.speed, foe.decel)
                            .at_least(driver.min_next_speed(vehicle.speed_mps)),
                    );
                }
            }
        }
        v
    }

    /// Whether a foe with the right of way keeps the vehicle, which may drive `v` before the link, from entering.
    fn is_blocked(&self, at: &AtLink<'_>, v_pass: f64, beyond: f64, v: f64, can_brake: bool) -> bool {
        let &AtLink { vehicle, driver, link_id, priority, seen_m: seen } = at;
        let link = self.link(link_id);
        let is_equal = priority == Priority::Equal;
        if is_equal && vehicle.waiting_ms > 0 && self.gives_up(vehicle.id) && self.is_in_circle(link_id) {
            return true;
        }
        let arrival_s = driver.minimal_arrival_time(seen, v, v_pass);
        let way_m = self.way_behind_m(link);
        let leave_speed = driver.speed_after(way_m, v_pass).at_most(beyond);
        let claim = Claim {
            vehicle: vehicle.id,
            arrival_s,
            leave_s: leave_time(arrival_s, v_pass, leave_speed, way_m + driver.length_m),
            arrival_speed: v_pass,
            leave_speed,
            decel: driver.decel_mps2,
            waiting_ms: vehicle.waiting_ms,
            impatience: if can_brake { self.impatience(vehicle) } else { 1.0 },
            time_gap_s: self.params(vehicle).time_gap_minor_s,
            dt: driver.dt_s,
        };
        let network = &self.world.network;
        for foe_id in &network.foe_links[link.yields_to.range()] {
            if self.world.two_part.has(foe_id.index()) && self.is_on_first_part(link, self.link(*foe_id)) {
                return true;
            }
            if !self.is_approached(*foe_id) {
                continue;
            }
            let same_target = self.link(*foe_id).to == link.to;
            let keeps_out = |foe: Approach| {
                blocks(&claim, &foe, same_target, priority)
                    && !(is_equal && foe.waits && self.gives_up(foe.vehicle) && self.is_in_circle(*foe_id))
            };
            if self.approaching(*foe_id).any(keeps_out) {
                return true;
            }
        }
        self.lane(link.from).internal && self.is_second_part_taken(link)
    }

    /// Whether there is anybody to give way to at a link.
    #[inline]
    fn yields_at(&self, link: &Link) -> bool {
        !link.yields_to.is_empty() || self.lane(link.from).internal && !self.lane(link.next).conflicts.is_empty()
    }

    #[inline]
    fn is_approached(&self, link: LinkId) -> bool {
        self.approaches.is_some_and(|approaches| approaches.is_approached(link))
    }

    /// Whether a vehicle on a way that crosses the second part of a way, and that goes first, keeps others from that part: until
    /// its rear has left the crossing, even where it would have left it in time. One that stands before the crossing because it cannot
    /// leave the junction lets them go.
    fn is_second_part_taken(&self, link: &Link) -> bool {
        let ignored_ms = self.world.settings.ignore_junction_blocker_ms;
        self.lane(link.next).conflicts.range().any(|at| {
            let foe = self.world.conflict_foes[at];
            let conflict = &self.world.network.conflicts[at];
            if !conflict.yields || conflict.merge || conflict.same_source || !self.lanes.is_covered(foe) {
                return false;
            }
            let (entry, end) = (self.lane(foe).entry, self.lane(foe).only_link());
            let is_whole =
                entry.is_some() && !self.lane(self.link(entry).from).internal && end.is_some() && self.link(end).exit;
            if !is_whole {
                // A vehicle on a way in two parts waits inside, too.
                return false;
            }
            // From the length of a crossing follows its angle.
            let width_m = self.lane(link.next).width_m;
            let sine = width_m / (0.5 * (conflict.foe_end_m - conflict.foe_begin_m + width_m));
            let free_m = conflict.foe_end_m + REAR_ROOM_M * sine.at_most(1.0);
            let is_before_end = |v: &Vehicle| {
                let makes_way = v.is(flags::STUCK) && v.pos_m < conflict.foe_begin_m;
                let is_ignored = ignored_ms.is_some_and(|ms| i64::from(v.waiting_ms) >= ms);
                v.pos_m - self.driver(v).length_m < free_m && !makes_way && !is_ignored
            };
            self.lanes.on(foe).iter().any(is_before_end)
                || self.lanes.overhang(foe).back < free_m && !ignored_ms.is_some_and(|ms| self.tail_has_waited(foe, ms))
        })
    }

    /// Whether a vehicle is on the first part of a way in two parts, to which `link` yields. At a signal that shows green to
    /// both, that one waits for others, and a vehicle before the junction does not wait for it.
    fn is_on_first_part(&self, link: &Link, foe: &Link) -> bool {
        if self.lanes.on(foe.next).is_empty() {
            return false;
        }
        let is_green = |link: &Link| matches!(self.aspect(link), Some(Aspect::Green | Aspect::GreenMajor));
        self.lane(link.from).internal || link.from == foe.from || !is_green(link) || !is_green(foe)
    }

    /// Vehicles that wait for each other at links of equal right give it up by chance, each step anew; those whose foe has
    /// given up drive.
    fn gives_up(&self, vehicle: VehicleId) -> bool {
        let key = step_key(self.world.settings.seed, self.now_ms as u64);
        uniform(key, vehicle.0, Purpose::GiveUpRight) < GIVES_UP
    }

    /// Whether vehicles approach links of equal right that yield to one another in a circle, of which `link` is one.
    fn is_in_circle(&self, link: LinkId) -> bool {
        let mut found = [LinkId::NONE; LONGEST_CIRCLE];
        found[0] = link;
        let (mut known, mut at) = (1, 0);
        while at < known {
            for &foe in &self.world.network.foe_links[self.link(found[at]).yields_to.range()] {
                if !self.is_approached(foe) {
                    continue;
                }
                if foe == link {
                    return true;
                }
                if known < LONGEST_CIRCLE && !found[..known].contains(&foe) {
                    found[known] = foe;
                    known += 1;
                }
            }
            at += 1;
        }
        false
    }

    /// Whether the link that leads onto an internal lane has priority over its foes.
    pub(in crate::sim) fn enters_with_priority(&self, internal: LaneId) -> bool {
        let entry = self.lane(internal).entry;
        entry.is_some() && self.priority(self.link(entry)) == Priority::Major
    }
}

/// Deceleration with which a vehicle halts before a link.
#[inline]
pub(in crate::sim) fn stop_decel(driver: &Driver, priority: Priority) -> f64 {
    if priority.is_red_or_yellow() {
        YELLOW_DECEL.at_most(driver.emergency_decel_mps2).at_least(driver.decel_mps2)
    } else {
        driver.decel_mps2
    }
}
