//! Inside a junction and right behind it: vehicles on crossing and merging ways, and room to leave it again.

use crate::graph::{Conflict, Lane, Link};
use crate::ids::LaneId;

use super::approach::Priority;
use super::meeting::{Body, Meeting, Place};
use super::yielding::MINOR_OFFSET_M;
use crate::sim::bounds::Bounds;
use crate::sim::models::car_following::Driver;
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};
use crate::sim::view::View;

/// How far beyond a junction room is looked for, in vehicle lengths.
pub(in crate::sim) const ROOM_LOOK_LENGTHS: f64 = 5.0;
/// Who has stood for longer than this inside a junction will not make room soon, ms.
const BLOCKAGE_MS: u32 = 5000;

impl View<'_> {
    /// Whether vehicles must not enter this junction from `lane` without room behind it.
    #[inline]
    pub(in crate::sim) fn keeps_clear(&self, lane: LaneId, link: &Link) -> bool {
        is_kept_clear(link) && !self.lane(lane).internal && !self.in_roundabout(lane)
    }

    /// Room behind the junction for the whole vehicle, so that it does not block the crossing (keepClear). Only standing
    /// traffic counts: who moves will make room. `ahead_m` is taken by vehicles before it on its own lane; the link leaves the
    /// `index`-th edge of its route.
    pub(in crate::sim) fn has_room(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        link: &Link,
        index: usize,
        ahead_m: f64,
    ) -> bool {
        let to = link.to;
        if !self.lanes.is_held(to) && self.lane(to).length_m > ROOM_LOOK_LENGTHS * driver.length_m {
            // Nobody stands on the first road behind the junction, and it is long enough.
            return true;
        }
        let need = driver.length_with_gap();
        let (mut space, mut seen) = (-ahead_m, 0.0);
        let (mut link, mut index) = (link, index);
        loop {
            let lane_id = link.next;
            let lane = self.lane(lane_id);
            // Where nobody crosses, vehicles may stand inside a junction as on a road.
            if lane.internal && (is_kept_clear(link) || self.lane(link.from).internal) {
                space -= self.lanes.occupied_m[lane_id.index()];
            } else {
                let on = self.lanes.on(lane_id);
                let in_roundabout = self.in_roundabout(lane_id);
                if self.lanes.is_tail_held(lane_id) && !in_roundabout {
                    // One that waits in the next junction reaches back onto this road.
                    let before_m: f64 = on.iter().map(|v| self.driver(v).length_with_gap()).sum();
                    return space + self.lanes.overhang(lane_id).back - before_m >= need;
                }
                let mut taken = 0.0;
                for v in on.iter().rev() {
                    let d = self.driver(v);
                    if v.speed_mps < HALTING_SPEED && !in_roundabout {
                        return space + v.pos_m - d.length_m - taken >= need;
                    }
                    taken += d.length_with_gap();
                }
                space += lane.length_m - taken;
                if !lane.internal {
                    index += 1;
                    if on.last().is_some_and(|v| v.is(flags::WAITS_AT_LINK | flags::CRAWLS | flags::STOPPED)) {
                        return space >= need;
                    }
                    seen += lane.length_m;
                    if seen > ROOM_LOOK_LENGTHS * driver.length_m {
                        return true;
                    }
                }
            }
            let next = self.next_link(vehicle, lane_id, index);
            if next.is_none() {
                return true;
            }
            link = self.link(next);
        }
    }

    /// What the vehicles on ways of the junction that cross, join or part from its way over `lane_id` leave. `start` is the
    /// distance from the vehicle's front to the start of that lane (negative when it is on it).
    pub(in crate::sim) fn mind_conflicts(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        lane_id: LaneId,
        own_lane: LaneId,
        start: f64,
    ) -> Conflicts {
        let lane = self.lane(lane_id);
        if lane.conflicts.is_empty() {
            return Conflicts::NONE;
        }
        let own = self.lane(own_lane);
        let inside = own.internal && (lane_id == own_lane || self.link(lane.entry).from == own_lane);
        let mut found = Conflicts::NONE;
        let ignored_ms = self.world.settings.ignore_junction_blocker_ms;
        for at in lane.conflicts.range() {
            if !self.lanes.is_covered(self.world.conflict_foes[at]) {
                continue;
            }
            let conflict = &self.world.network.conflicts[at];
            let foe_length_m = self.lane(conflict.foe).length_m;
            let meeting = Meeting { conflict, start, length_m: lane.length_m, foe_length_m };
            for foe in self.lanes.on(conflict.foe) {
                let lead = self.driver(foe);
                let body = Body {
                    front: foe.pos_m,
                    back: foe.pos_m - lead.length_m,
                    speed: foe.speed_mps,
                    decel: lead.apparent_decel_mps2,
                };
                let Some(place) = meeting.place(&body, driver) else { continue };
                if !conflict.same_source && ignored_ms.is_some_and(|ms| i64::from(foe.waiting_ms) >= ms) {
                    continue;
                }
                // Who has given up to leave the junction for now is no hindrance before the crossing.
                if !place.in_the_way
                    && (foe.is(flags::STUCK) && !conflict.same_source
                        || inside && !self.leads(foe, vehicle, own, lane, conflict, place.gap))
                {
                    continue;
                }
                let v = self.behind(vehicle, driver, &place, &body, start);
                found.v = found.v.at_most(v);
                let waits_for = foe.waiting_ms > BLOCKAGE_MS || self.is_stopped(foe) || conflict.same_source;
                if waits_for {
                    found.waiting = true;
                    found.v_waiting = found.v_waiting.at_most(v);
                }
            }
            // The tail of a vehicle that has driven on is still in the way.
            let over = self.lanes.overhang(conflict.foe);
            if over.back < f64::INFINITY
                && (conflict.same_source || !ignored_ms.is_some_and(|ms| self.tail_has_waited(conflict.foe, ms)))
            {
                let body = Body { front: f64::INFINITY, back: over.back, speed: over.speed, decel: over.decel };
                if let Some(place) = meeting.place(&body, driver) {
                    let v = self.behind(vehicle, driver, &place, &body, start);
                    found.v = found.v.at_most(v);
                }
            }
        }
        found
    }

    /// Whether the vehicle whose tail hangs over the end of an internal lane has stood for `limit_ms`.
    pub(in crate::sim) fn tail_has_waited(&self, lane: LaneId, limit_ms: i64) -> bool {
        let mut at = lane;
        loop {
            let link = self.lane(at).only_link();
            if link.is_none() {
                return false;
            }
            at = self.link(link).next;
            if let Some(last) = self.lanes.on(at).last() {
                return i64::from(last.waiting_ms) >= limit_ms;
            }
            if !self.lane(at).internal {
                return false;
            }
        }
    }

    /// Speed behind a body on another way of the junction.
    fn behind(&self, vehicle: &Vehicle, driver: &Driver, place: &Place, body: &Body, start: f64) -> f64 {
        let speed = if place.gap >= 0.0 || place.on_way && start < 0.0 {
            driver.follow_speed(vehicle.speed_mps, place.gap, body.speed, body.decel)
        } else {
            driver.stop_speed(vehicle.speed_mps, (start - MINOR_OFFSET_M).at_least(0.0), driver.decel_mps2)
        };
        let Some(meet) = place.meet else { return speed };
        // Drive up to the meeting point so as to be there when the foe has passed.
        let halt = driver.stop_speed(vehicle.speed_mps, (meet - driver.min_gap_m).at_least(0.0), driver.decel_mps2);
        let foe_past_s = (meet - place.gap) / body.speed.at_least(HALTING_SPEED);
        let target = (2.0 * (meet - driver.min_gap_m) / foe_past_s - vehicle.speed_mps).at_least(vehicle.speed_mps);
        let paced = vehicle.speed_mps + driver.dt_s * (target - vehicle.speed_mps) / foe_past_s;
        speed.at_least(paced.at_most(halt))
    }

    /// Whether a vehicle on another way of the junction goes before `vehicle`, which is in the junction too, on `own_lane`: by
    /// the times at which they came into it. Who yields counts as coming in when it leaves the place where it may wait.
    fn leads(
        &self,
        foe: &Vehicle,
        vehicle: &Vehicle,
        own_lane: &Lane,
        lane: &Lane,
        conflict: &Conflict,
        gap: f64,
    ) -> bool {
        let foe_lane = self.lane(conflict.foe);
        let (own, other) = (self.entry_of(lane), self.entry_of(foe_lane));
        let entered = |v: &Vehicle| if v.is(flags::STUCK) { i32::MAX } else { v.junction_entry_ms };
        let committed = |v: &Vehicle, lane: &Lane| {
            if lane.entry.is_some() && self.link(lane.entry).cont { i32::MAX } else { entered(v) }
        };
        let (own_ms, foe_ms) = if own.from == other.from {
            (vehicle.junction_entry_ms, foe.junction_entry_ms)
        } else {
            match self.gives_way_inside(foe, vehicle, own, other, conflict, gap) {
                (false, _) => (entered(vehicle), committed(foe, foe_lane)),
                (true, true) => (committed(vehicle, own_lane), committed(foe, foe_lane)),
                (true, false) => (committed(vehicle, own_lane), entered(foe)),
            }
        };
        if own_ms != foe_ms {
            return own_ms > foe_ms;
        }
        if vehicle.speed_mps != foe.speed_mps {
            return vehicle.speed_mps < foe.speed_mps;
        }
        // At last the names decide (in SUMO 1.28 in 47 of 47 cases).
        let name = |v: &Vehicle| &self.world.demand.departures[v.id.index()].name;
        name(vehicle) < name(foe)
    }

    /// Whether the vehicle yields to the foe, and the foe to the vehicle, when both are inside the junction.
    fn gives_way_inside(
        &self,
        foe: &Vehicle,
        vehicle: &Vehicle,
        own: &Link,
        other: &Link,
        conflict: &Conflict,
        gap: f64,
    ) -> (bool, bool) {
        if own.signal.is_none() && other.signal.is_none() {
            return (conflict.yields, conflict.foe_yields);
        }
        let (p, q) = (self.priority(own), self.priority(other));
        let (red, foe_red) = (p == Priority::Red, q == Priority::Red);
        if red || foe_red {
            if !foe_red && foe.speed_mps > HALTING_SPEED && gap < 0.0 {
                // It may come the other way: go only when it could still halt.
                let lead = self.driver(foe);
                let comes = -gap - lead.length_m < lead.brake_gap(foe.speed_mps);
                return (comes, !comes);
            }
            return (foe_red, red);
        }
        let (first, foe_first) = (p == Priority::Major, q == Priority::Major);
        if first != foe_first {
            return (!first, !foe_first);
        }
        if p == Priority::Yellow && q == Priority::Yellow {
            return (foe.speed_mps >= vehicle.speed_mps, vehicle.speed_mps >= foe.speed_mps);
        }
        (conflict.yields, conflict.foe_yields)
    }

    /// The link by which a way through a junction begins.
    pub(in crate::sim) fn entry_of(&self, lane: &Lane) -> &Link {
        let mut link = self.link(lane.entry);
        while self.lane(link.from).internal {
            link = self.link(self.lane(link.from).entry);
        }
        link
    }
}

/// Whether somebody's way crosses behind the link, and nobody is to stand there.
fn is_kept_clear(link: &Link) -> bool {
    link.keep_clear && !link.foes.is_empty()
}

/// What the vehicles on other ways of a junction leave.
#[derive(Clone, Copy, Debug)]
pub struct Conflicts {
    /// The speed that they allow; infinite when there are none.
    pub(in crate::sim) v: f64,
    /// The part of `v` that is due to those that will not move soon, and whether there are any.
    v_waiting: f64,
    waiting: bool,
}

impl Conflicts {
    const NONE: Self = Self { v: f64::INFINITY, v_waiting: f64::INFINITY, waiting: false };

    /// Whether the vehicle stands because of one that will not move soon. `wanted` is what it would drive without them, `halt`
    /// what it may drive in any case because it halts before the junction then.
    #[inline]
    pub(in crate::sim) fn stuck(&self, wanted: f64, halt: impl Fn() -> f64) -> bool {
        self.waiting && wanted.at_most(self.v_waiting) < HALTING_SPEED && halt() < HALTING_SPEED
    }
}
