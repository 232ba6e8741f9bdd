//! Pass one of the longitudinal decision: the speed that the road and the leader on the own lane allow, with the announcement at the
//! next junctions. It reads state(t) only.

use crate::graph::{Lane, Link};
use crate::ids::{LaneId, LinkId};

use crate::sim::bounds::Bounds;
use crate::sim::models::car_following::{Driver, Ego};
use crate::sim::models::right_of_way::approach::{
    Approach, ApproachEntry, FarApproach, NearApproach, braked_speed, leave_time,
};
use crate::sim::models::right_of_way::junction::{Conflicts, ROOM_LOOK_LENGTHS};
use crate::sim::models::right_of_way::yielding::stop_decel;
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};
use crate::sim::view::View;

/// Who drives no faster than this does not come to the next link, m/s.
pub(super) const STANDS: f64 = 1e-4;

/// Result of pass one for one vehicle.
#[derive(Clone, Copy, Debug, Default)]
pub struct FollowPlan {
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
    pub(super) fn ego(&self, vehicle: &Vehicle, lane: &Lane, leader: u16) -> Ego {
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
    pub(super) fn run_up(
        &self,
        vehicle: &Vehicle,
        driver: &Driver,
        lane_id: LaneId,
        seen: f64,
        plan: &FollowPlan,
    ) -> RunUp {
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
            ApproachEntry::Near(coming) => Some(self.approach(coming, link_id)),
            ApproachEntry::Far(distant) => self.distant_approach(distant),
        })
    }

    fn approach(&self, coming: &NearApproach, link_id: LinkId) -> Approach {
        let driver = &self.world.types[usize::from(coming.vtype)].driver;
        let NearApproach { dist_m, goes_on, arrival_speed, limit, .. } = *coming;
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
    fn distant_approach(&self, distant: &FarApproach) -> Option<Approach> {
        let FarApproach { lane, index, speed, is_led, ahead_m } = *distant;
        let vehicle = &self.lanes.on(lane)[index as usize];
        let mut plan =
            FollowPlan { speed, is_led, ahead_m, link: self.own_link(vehicle, lane), ..FollowPlan::default() };
        let mut told = None;
        self.announce(vehicle, lane, &mut plan, |link, coming| told = Some(self.approach(&coming, link)));
        told
    }

    /// Length of the lane inside the junction that a link leads onto; 0 where it leads out of it.
    #[inline]
    pub(in crate::sim) fn way_behind_m(&self, link: &Link) -> f64 {
        if link.exit || link.next == link.to { 0.0 } else { self.lane(link.next).length_m }
    }

    /// Pass one, near the lane's end: tells the watched links ahead when the vehicle will be there. `plan` is what
    /// [`View::follow`] gave; what is found out about the junction at its lane's end is added to it.
    pub fn announce(
        &self,
        vehicle: &Vehicle,
        own: LaneId,
        plan: &mut FollowPlan,
        mut tell: impl FnMut(LinkId, NearApproach),
    ) {
        let driver = self.driver(vehicle);
        let FollowPlan { look_m: look, ahead_m, speed: mut v, .. } = *plan;
        let (mut lane_id, mut index) = (own, usize::from(vehicle.route_index));
        let mut seen = self.lane(lane_id).length_m - vehicle.pos_m;
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
        let (mut known, mut slowed) = (Some(plan.link), false);
        let (mut roads_m, mut inner_m) = (0.0, 0.0);
        while seen < self.world.announce_m {
            let from_m = if lane_id == own { vehicle.pos_m } else { 0.0 };
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
                plan.no_room = lane_id == own;
                return;
            }
            let next = self.lane(link.next);
            let limit = self.allowed(vehicle, driver, next);
            let gives_way = priority.gives_way() && can_brake();
            let slows = gives_way && !link.exit && seen > link.visibility_m;
            slowed |= slows || (gives_way && self.in_roundabout(link.to));
            let mut led = f64::INFINITY;
            if !far && !next.conflicts.is_empty() {
                let found = self.mind_conflicts(vehicle, driver, link.next, own, seen);
                if lane_id == own {
                    plan.beyond = Some(found);
                }
                led = found.v;
                if led < v {
                    // It drives up to the line all the same.
                    let decides = !link.exit || link.signal.is_some();
                    let line = if decides { self.halt_before(vehicle, driver, priority, seen) } else { 0.0 };
                    v = v.at_most(led.at_least(line));
                    if v < HALTING_SPEED {
                        // It halts before the junction because of those inside.
                        return;
                    }
                }
            }
            if self.world.watched.has(link_id.index()) {
                let free = run_up.speed(driver);
                let arrival_speed = if slows { slowed_for_sight(driver, link, free) } else { free };
                let (limit, goes_on) = (limit.at_most(led), v);
                tell(link_id, NearApproach { dist_m: seen, goes_on, arrival_speed, limit, ..coming_of(vehicle) });
            }
            if far {
                return;
            }
            let ego = |leader| self.ego(vehicle, self.lane(own), leader);
            let held = self.held_by_rear(vehicle.speed_mps, driver, link.next, seen, ego);
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
            if seen >= look && roads_m > (ROOM_LOOK_LENGTHS * driver.length_m).at_least(driver.length_m + inner_m) {
                return;
            }
        }
    }

    /// What the hindmost body on a lane that begins `start` metres ahead allows; infinite when none is near.
    #[inline]
    pub(super) fn held_by_rear(
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
}

/// Speed at a link of a vehicle that can stop before it until it sees the foes there.
#[inline]
fn slowed_for_sight(driver: &Driver, link: &Link, arrival_speed: f64) -> f64 {
    let at_sight = driver.safe_stop_speed(link.visibility_m, driver.decel_mps2, 0.0);
    arrival_speed.at_most(driver.speed_after(link.visibility_m, at_sight))
}

/// What a vehicle tells of itself to a link; how it comes there is still to be filled in.
#[inline]
fn coming_of(vehicle: &Vehicle) -> NearApproach {
    NearApproach {
        vehicle: vehicle.id,
        vtype: vehicle.vtype,
        waits: vehicle.is(flags::WAITS_AT_LINK) && vehicle.waiting_ms > 0,
        waiting_ms: vehicle.waiting_ms,
        speed: vehicle.speed_mps,
        dist_m: 0.0,
        goes_on: 0.0,
        arrival_speed: 0.0,
        limit: 0.0,
    }
}

/// How a vehicle comes to a link: from `from` it accelerates over `way_m`, up to `limit`.
#[derive(Clone, Copy)]
pub(super) struct RunUp {
    pub(super) way_m: f64,
    pub(super) from: f64,
    pub(super) limit: f64,
}

impl RunUp {
    /// Speed at the link.
    #[inline]
    pub(super) fn speed(&self, driver: &Driver) -> f64 {
        driver.speed_after(self.way_m, self.from).at_most(self.limit)
    }
}
