//! Putting vehicles on the road: departures, and vehicles that come back after a teleport or from a parking place. A place
//! is taken only when nobody, neither the vehicle nor those around it, would have to brake hard.

use crate::demand::{DepartLane, DepartPos, DepartSpeed, Departure};
use crate::ids::LaneId;

use super::approach::Priority;
use super::lane_change::Change;
use super::random::{Purpose, step_key, uniform};
use super::vehicle::Vehicle;
use super::view::View;

/// Distance from the lane's start of a vehicle that departs at `base`, beyond its length, metres.
const BASE_EPS_M: f64 = 0.1;
/// Random places that `random_free` tries.
const RANDOM_TRIES: u64 = 10;

/// What else happens on the edge in this step.
#[derive(Debug, Default)]
pub struct Accepted {
    /// Bodies that come onto lanes of the edge: (lane, front, back, speed, type).
    bodies: Vec<(LaneId, f64, f64, f64, u16)>,
}

impl Accepted {
    pub fn clear(&mut self) {
        self.bodies.clear();
    }
    pub fn change(&mut self, change: &Change) {
        self.bodies.push((change.to, change.pos, change.back, change.speed, change.vtype));
    }
    pub fn insertion(&mut self, lane: LaneId, vehicle: &Vehicle, length_m: f64) {
        self.bodies.push((lane, vehicle.pos, vehicle.pos - length_m, vehicle.speed, vehicle.vtype));
    }
}

impl View<'_> {
    /// Tries to place a departing vehicle. `vehicle` has its identity and plan; place and speed are filled in.
    pub fn try_depart(&self, vehicle: &mut Vehicle, departure: &Departure, accepted: &Accepted) -> Option<LaneId> {
        let lane_id = self.depart_lane(vehicle, departure)?;
        let lane = self.lane(lane_id);
        let driver = self.driver(vehicle);
        let length = lane.length_m;
        let key = step_key(self.world.settings.seed, 0);
        let place = |from_end: f64| if from_end < 0.0 { (length + from_end).max(0.0) } else { from_end.min(length) };
        let single = match departure.depart_pos {
            DepartPos::Base => Some((driver.length + BASE_EPS_M).min(length)),
            DepartPos::Given(pos) => Some(place(pos)),
            DepartPos::Random => {
                let base = driver.length.min(length);
                Some(base + uniform(key, vehicle.id.0, Purpose::DepartPos) * (length - base))
            }
            DepartPos::Stop => {
                let span = departure.stops;
                Some(if span.is_empty() { length } else { self.world.demand.stops[span.start as usize].end_m })
            }
            DepartPos::Last => Some(match self.lanes.on(lane_id).last() {
                Some(last) => last.pos - self.driver(last).length - driver.min_gap - 1e-3,
                None => length,
            }),
            DepartPos::RandomFree | DepartPos::Free | DepartPos::Max => None,
        };
        if let Some(pos) = single {
            return self.fits(vehicle, departure.depart_speed, lane_id, pos, accepted).then_some(lane_id);
        }
        if departure.depart_pos == DepartPos::RandomFree {
            let base = driver.length.min(length);
            for attempt in 0..RANDOM_TRIES {
                let key = step_key(self.world.settings.seed ^ (attempt + 1), self.now_ms as u64);
                let pos = base + uniform(key, vehicle.id.0, Purpose::DepartPos) * (length - base);
                if self.fits(vehicle, departure.depart_speed, lane_id, pos, accepted) {
                    return Some(lane_id);
                }
            }
        }
        self.fits_anywhere(vehicle, departure.depart_speed, lane_id, accepted).then_some(lane_id)
    }

    /// Tries to put a vehicle that was teleported back onto its current edge.
    pub fn try_return(&self, vehicle: &mut Vehicle, accepted: &Accepted) -> Option<LaneId> {
        let index = usize::from(vehicle.route_index);
        let edge = self.world.network.edge(self.route(vehicle)[index]);
        let choices = self.plans.edge(vehicle.plan, index, edge.lane_count as usize);
        let mut lanes: Vec<LaneId> = edge.lanes().filter(|l| choices[self.lane(*l).index as usize].allowed).collect();
        lanes.sort_by_key(|l| choices[self.lane(*l).index as usize].offset.unsigned_abs());
        lanes.into_iter().find(|lane| self.fits_anywhere(vehicle, DepartSpeed::Max, *lane, accepted))
    }

    /// Tries to put a parked vehicle back beside its place.
    pub fn try_leave_parking(&self, vehicle: &mut Vehicle, lane: LaneId, accepted: &Accepted) -> bool {
        let pos = vehicle.pos;
        !self.world.overlay.is_closed(lane) && self.fits(vehicle, DepartSpeed::Given(0.0), lane, pos, accepted)
    }

    fn depart_lane(&self, vehicle: &Vehicle, departure: &Departure) -> Option<LaneId> {
        let edge = self.world.network.edge(self.route(vehicle)[0]);
        let choices = self.plans.edge(vehicle.plan, 0, edge.lane_count as usize);
        let allowed = |l: &LaneId| choices[self.lane(*l).index as usize].allowed;
        let least_taken = |lanes: &mut dyn Iterator<Item = LaneId>| {
            lanes.min_by(|a, b| {
                let taken = |l: LaneId| self.lanes.occupied_m[l.index()];
                taken(*a).total_cmp(&taken(*b)).then(a.cmp(b))
            })
        };
        let best = |l: &LaneId| {
            let c = choices[self.lane(*l).index as usize];
            c.allowed && c.offset == 0
        };
        match departure.depart_lane {
            DepartLane::Given(index) => edge.lanes().nth(index as usize).filter(allowed),
            DepartLane::First => edge.lanes().find(allowed),
            DepartLane::Free => least_taken(&mut edge.lanes().filter(allowed)),
            DepartLane::Allowed => {
                let leads_on = |l: &LaneId| choices[self.lane(*l).index as usize].continues;
                least_taken(&mut edge.lanes().filter(|l| allowed(l) && leads_on(l)))
            }
            DepartLane::Best => least_taken(&mut edge.lanes().filter(best)),
            DepartLane::BestRandom => {
                let lanes: Vec<LaneId> = edge.lanes().filter(best).collect();
                let key = step_key(self.world.settings.seed, self.now_ms as u64);
                let draw = uniform(key, vehicle.id.0, Purpose::DepartLane);
                lanes.get((draw * lanes.len() as f64) as usize).copied()
            }
            DepartLane::Random => {
                let lanes: Vec<LaneId> = edge.lanes().filter(allowed).collect();
                let draw = uniform(step_key(self.world.settings.seed, 0), vehicle.id.0, Purpose::DepartLane);
                lanes.get((draw * lanes.len() as f64) as usize).copied()
            }
        }
    }

    /// Any free place on the lane, the foremost first.
    fn fits_anywhere(&self, vehicle: &mut Vehicle, speed: DepartSpeed, lane: LaneId, accepted: &Accepted) -> bool {
        let driver = self.driver(vehicle);
        let length = self.lane(lane).length_m;
        let base = (driver.length + BASE_EPS_M).min(length);
        let behind = |back: f64| back - driver.min_gap - 1e-3;
        let mut places = vec![length];
        places.extend(self.lanes.on(lane).iter().map(|v| behind(v.pos - self.driver(v).length)));
        places.push(base);
        places.into_iter().filter(|p| *p >= base).any(|pos| self.fits(vehicle, speed, lane, pos, accepted))
    }

    /// Whether the vehicle can be put at `pos`; sets its place and speed if so.
    fn fits(&self, vehicle: &mut Vehicle, wanted: DepartSpeed, lane_id: LaneId, pos: f64, accepted: &Accepted) -> bool {
        let lane = self.lane(lane_id);
        let driver = self.driver(vehicle);
        if pos < 0.0 || pos > lane.length_m {
            return false;
        }
        let allowed = self.allowed(vehicle, driver, lane);
        let on = self.lanes.on(lane_id);
        let (mut speed, adaptable) = match wanted {
            DepartSpeed::Given(v) => (v, false),
            DepartSpeed::UpTo(v) => (v.min(allowed), true),
            DepartSpeed::Max => (allowed, true),
            DepartSpeed::Desired => (allowed, false),
            DepartSpeed::SpeedLimit => (lane.speed_mps.min(driver.max_speed), false),
            DepartSpeed::Random => {
                let key = step_key(self.world.settings.seed, 1);
                (allowed * uniform(key, vehicle.id.0, Purpose::DepartSpeed), true)
            }
            DepartSpeed::Last => (on.last().map_or(allowed, |v| v.speed).min(allowed), true),
            DepartSpeed::Avg => {
                let mean = on.iter().map(|v| v.speed).sum::<f64>() / on.len().max(1) as f64;
                (if on.is_empty() { allowed } else { mean.min(allowed) }, true)
            }
        };
        if speed > allowed + 1e-6 && !adaptable {
            return false;
        }
        let back = pos - driver.length;
        let mut limit = |safe: f64, speed: &mut f64| {
            if safe < *speed - 1e-9 {
                if !adaptable || safe < 0.0 {
                    return false;
                }
                *speed = safe;
            }
            true
        };
        // Leaders on the lane and those that come onto it in this step.
        let ahead = on.partition_point(|v| v.pos >= pos);
        let over = self.lanes.overhang(lane_id);
        let mut leaders: Vec<(f64, f64, f64)> = Vec::new();
        if ahead > 0 {
            let v = &on[ahead - 1];
            let d = self.driver(v);
            leaders.push((v.pos - d.length, v.speed, d.apparent_decel));
        }
        leaders.push((over.back, over.speed, over.decel));
        if let Some(block) = self.world.overlay.block_on(lane_id, self.now_ms)
            && back < block.to_m
        {
            leaders.push((block.from_m, 0.0, driver.decel));
        }
        let here = accepted.bodies.iter().filter(|b| b.0 == lane_id);
        for body in here.clone().filter(|b| b.1 >= pos) {
            leaders.push((body.2, body.3, self.world.types[usize::from(body.4)].driver.apparent_decel));
        }
        for (leader_back, leader_speed, leader_decel) in leaders {
            let gap = leader_back - pos - driver.min_gap;
            if gap < 0.0 {
                return false;
            }
            if gap < self.world.reach_m
                && !limit(driver.safe_follow_speed(gap, speed, leader_speed, leader_decel, true), &mut speed)
            {
                return false;
            }
        }
        if !self.fits_beyond(vehicle, lane_id, lane.length_m - pos, &mut speed, &mut limit) {
            return false;
        }
        // Followers must be able to keep their distance.
        let follower_ok = |gap: f64, follower_speed: f64, d: &super::car_following::Driver| {
            gap >= 0.0 && gap >= d.secure_gap(follower_speed, speed, driver.apparent_decel)
        };
        let behind_on_lane = on.get(ahead);
        if let Some(v) = behind_on_lane {
            let d = self.driver(v);
            if !follower_ok(back - v.pos - d.min_gap, v.speed, d) {
                return false;
            }
        }
        for body in here.filter(|b| b.1 < pos) {
            let d = &self.world.types[usize::from(body.4)].driver;
            if !follower_ok(back - body.1 - d.min_gap, body.3, d) {
                return false;
            }
        }
        if behind_on_lane.is_none()
            && let Some(n) = self.follower_behind(back, lane_id)
            && !follower_ok(n.gap, n.speed, n.driver)
        {
            return false;
        }
        vehicle.pos = pos;
        vehicle.speed = speed;
        true
    }

    /// Junctions and vehicles beyond the lane's end.
    fn fits_beyond(
        &self,
        vehicle: &Vehicle,
        lane_id: LaneId,
        to_end: f64,
        speed: &mut f64,
        limit: &mut dyn FnMut(f64, &mut f64) -> bool,
    ) -> bool {
        let driver = self.driver(vehicle);
        let mut seen = to_end;
        let mut index = usize::from(vehicle.route_index);
        let mut at = lane_id;
        loop {
            let look = (driver.brake_gap_with(*speed, driver.decel, 0.0) + driver.min_gap).min(self.world.reach_m);
            if seen >= look {
                return true;
            }
            let link_id = self.next_link(vehicle, at, index);
            if link_id.is_none() {
                return self.is_last_edge(vehicle, index)
                    || limit(driver.safe_stop_speed(seen, driver.decel, 0.0), speed);
            }
            let link = self.link(link_id);
            let priority = self.priority(link);
            if !link.exit && (priority.is_red_or_yellow() || (priority != Priority::Major && !link.cont)) {
                // Must be able to halt before the junction.
                return limit(driver.safe_stop_speed((seen - 1.0).max(0.0), driver.decel, 0.0), speed);
            }
            let next = self.lane(link.next);
            if !limit(driver.free_speed(seen, self.allowed(vehicle, driver, next), true), speed) {
                return false;
            }
            let rear = self.lanes.last(link.next);
            let gap = seen + rear.back - driver.min_gap;
            if gap < 0.0 {
                return false;
            }
            if gap < self.world.reach_m
                && !limit(driver.safe_follow_speed(gap, *speed, rear.speed, rear.decel, true), speed)
            {
                return false;
            }
            if let Some(block) = self.world.overlay.block_on(link.next, self.now_ms) {
                let gap = (seen + block.from_m - driver.min_gap).max(0.0);
                if !limit(driver.safe_stop_speed(gap, driver.decel, 0.0), speed) {
                    return false;
                }
            }
            if !next.internal {
                index += 1;
            }
            at = link.next;
            seen += next.length_m;
        }
    }
}
