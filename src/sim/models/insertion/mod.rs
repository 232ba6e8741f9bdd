//! Putting vehicles on the road: departures, and vehicles that come back after a teleport or from a parking place. A place
//! is taken only when nobody, neither the vehicle nor those around it, would have to brake hard.
//!
//! What SUMO's words for places and speeds mean is told in its documentation (*Definition of Vehicles, Vehicle Types, and
//! Routes*; *Vehicle Insertion*) and was measured where that leaves it open.

pub mod entrance;

use crate::demand::{DepartLane, DepartPos, DepartSpeed, Departure};
use crate::ids::LaneId;

use self::entrance::{Body, Entrance, LaneWish};
use crate::sim::bounds::Bounds;
use crate::sim::models::car_following::Driver;
use crate::sim::models::right_of_way::approach::Priority;
use crate::sim::phases::stops::PLACE_EPS_M;
use crate::sim::random::{Purpose, step_key, uniform};
use crate::sim::report::DiscardCause;
use crate::sim::vehicle::Vehicle;
use crate::sim::view::View;

/// Random places that `random_free` tries.
const RANDOM_TRIES: u64 = 10;

/// What came of an attempt to put a vehicle on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Place and speed of the vehicle are set.
    Fits,
    /// Perhaps later.
    Refused,
    /// It asks for what the road itself never allows.
    Never(DiscardCause),
}

impl Attempt {
    fn fits(self) -> bool {
        self == Self::Fits
    }
}

/// The speed that a vehicle asks for, and what may slow it down: else it waits until it can have just this speed.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    speed_mps: f64,
    /// Slower lanes, stops and junctions ahead: for all but a given speed.
    yields_to_road: bool,
    /// Vehicles ahead on the same edge: for `max` and `random`. Those beyond it count as part of the road.
    yields_to_leaders: bool,
}

impl Wanted {
    /// Takes over a bound that the road sets.
    fn by_road(&mut self, safe_mps: f64, cause: DiscardCause) -> Attempt {
        if safe_mps < self.speed_mps - 1e-9 {
            if !self.yields_to_road {
                return Attempt::Never(cause);
            }
            self.speed_mps = safe_mps;
        }
        Attempt::Fits
    }

    /// Takes over a bound that a vehicle or a signal sets.
    fn by_others(&mut self, safe_mps: f64, yields: bool) -> Attempt {
        if safe_mps < self.speed_mps - 1e-9 {
            if !yields || safe_mps < 0.0 {
                return Attempt::Refused;
            }
            self.speed_mps = safe_mps;
        }
        Attempt::Fits
    }
}

/// Goes on only where the vehicle fits so far.
macro_rules! check {
    ($attempt:expr) => {
        match $attempt {
            Attempt::Fits => {}
            other => return other,
        }
    };
}

impl View<'_> {
    /// On which lanes of its first edge a vehicle may depart.
    pub fn lane_wish(&self, vehicle: &Vehicle, departure: &Departure) -> LaneWish {
        let edge = self.world.network.edge(self.route(vehicle)[0]);
        let choices = self.plans.edge(vehicle.plan, 0, edge.lane_count as usize);
        let set = |matches: &dyn Fn(&crate::sim::lane_plan::LaneChoice) -> bool| {
            let bits = choices.iter().take(64).enumerate().filter(|(_, choice)| choice.allowed && matches(choice));
            bits.fold(0, |set, (index, _)| set | 1u64 << index)
        };
        let from_m = match departure.depart_pos {
            DepartPos::Given(pos) => pos,
            // Places at random or anywhere say nothing about the room behind the hindmost vehicle.
            DepartPos::Random | DepartPos::RandomFree | DepartPos::Free => f64::INFINITY,
            DepartPos::Base | DepartPos::Last | DepartPos::Stop => 0.0,
        };
        let freest = |lanes| LaneWish::Freest { lanes, from_m };
        let none = LaneWish::Drawn(0);
        match departure.depart_lane {
            DepartLane::Given(index) => match choices.get(index as usize) {
                Some(choice) if choice.allowed => LaneWish::Only(index),
                _ => none,
            },
            DepartLane::First => match choices.iter().position(|choice| choice.allowed) {
                Some(index) => LaneWish::Only(index as u32),
                None => none,
            },
            DepartLane::Free => freest(set(&|_| true)),
            DepartLane::Allowed => freest(set(&|choice| choice.continues)),
            DepartLane::Best | DepartLane::BestProb => {
                let leads_on = choices.iter().any(|choice| choice.allowed && choice.continues);
                let is_usable = |choice: &crate::sim::lane_plan::LaneChoice| choice.continues || !leads_on;
                let usable = choices.iter().filter(|choice| choice.allowed && is_usable(choice));
                let longest = usable.map(|choice| choice.length_m).fold(0.0, f32::max);
                freest(set(&|choice| is_usable(choice) && choice.length_m >= longest))
            }
            DepartLane::Random => LaneWish::Drawn(set(&|_| true)),
        }
    }

    /// Tries to place a departing vehicle on a lane of its first edge. `vehicle` has its identity and plan; place and speed
    /// are filled in.
    pub fn try_depart(
        &self,
        vehicle: &mut Vehicle,
        departure: &Departure,
        lane_id: LaneId,
        entrance: &Entrance,
    ) -> Attempt {
        let driver = self.driver(vehicle);
        let length = self.lane(lane_id).length_m;
        let wanted = self.wanted(vehicle, departure.depart_speed, lane_id, entrance);
        let base = (driver.length_m + PLACE_EPS_M).at_most(length);
        let id = vehicle.id.0;
        let drawn = |attempt: u64| {
            let key = step_key(self.world.settings.seed ^ attempt, self.now_ms as u64);
            let from = driver.length_m.at_most(length);
            from + uniform(key, id, Purpose::DepartPos) * (length - from)
        };
        let pos = match departure.depart_pos {
            // Not beyond a stop near the lane's start.
            DepartPos::Base => {
                let halt = self.stop_halt(vehicle, lane_id, 0, 0.0).filter(|halt| halt.speed == 0.0);
                halt.map_or(base, |halt| base.at_most(halt.at_m))
            }
            DepartPos::Given(pos) if pos < 0.0 => (length + pos).at_least(0.0),
            DepartPos::Given(pos) => pos.at_most(length),
            DepartPos::Random => drawn(0),
            // In a parking area: the first free lot.
            DepartPos::Stop => self.stop_halt(vehicle, lane_id, 0, 0.0).map_or(base, |halt| halt.at_m),
            DepartPos::Last => match entrance.on(lane_id).last() {
                Some(last) => {
                    let leader = self.body_driver(last);
                    let gap = driver.secure_gap(wanted.speed_mps, last.speed_mps, leader.apparent_decel_mps2);
                    last.pos_m - leader.length_m - driver.min_gap_m - gap - PLACE_EPS_M
                }
                None => self.last_place(vehicle, wanted.speed_mps, lane_id),
            },
            DepartPos::RandomFree => {
                for attempt in 1..=RANDOM_TRIES {
                    if self.fits(vehicle, wanted, lane_id, drawn(attempt), entrance).fits() {
                        return Attempt::Fits;
                    }
                }
                return self.fits_free(vehicle, wanted, lane_id, entrance);
            }
            DepartPos::Free => return self.fits_free(vehicle, wanted, lane_id, entrance),
        };
        self.fits(vehicle, wanted, lane_id, pos, entrance)
    }

    /// The foremost place on an empty lane, for a vehicle with this speed: the lane's end, or farther back where the next
    /// vehicle beyond it is near, metres.
    fn last_place(&self, vehicle: &Vehicle, speed_mps: f64, lane_id: LaneId) -> f64 {
        let driver = self.driver(vehicle);
        let end = (self.lane(lane_id).length_m - PLACE_EPS_M).at_least(0.0);
        let there = Vehicle { pos_m: end, speed_mps, ..*vehicle };
        self.leader_beyond(&there, lane_id).map_or(end, |leader| {
            let gap = driver.secure_gap(speed_mps, leader.speed, driver.apparent_decel_mps2);
            end + (leader.gap - gap - PLACE_EPS_M).at_most(0.0)
        })
    }

    /// Tries to put a vehicle that was teleported back onto its current edge.
    pub fn try_return(&self, vehicle: &mut Vehicle, entrance: &Entrance) -> Option<LaneId> {
        let index = usize::from(vehicle.route_index);
        let edge = self.world.network.edge(self.route(vehicle)[index]);
        let choices = self.plans.edge(vehicle.plan, index, edge.lane_count as usize);
        let choice = |lane: &LaneId| choices[self.lane(*lane).index as usize];
        // The nearest to the best lane first, of equal ones the rightmost.
        let distances = 0..edge.lane_count as u16;
        let at = |distance| edge.lanes().filter(move |lane| choice(lane).offset.unsigned_abs() == distance);
        let mut lanes = distances.flat_map(at).filter(|lane| choice(lane).allowed);
        lanes.find(|lane| self.fits_anywhere(vehicle, *lane, entrance))
    }

    /// Tries to put a parked vehicle back beside its place.
    pub fn try_leave_parking(&self, vehicle: &mut Vehicle, lane: LaneId, entrance: &Entrance) -> bool {
        let pos = vehicle.pos_m;
        let wanted = self.wanted(vehicle, DepartSpeed::Given(0.0), lane, entrance);
        !self.world.overlay.is_closed(lane) && self.fits(vehicle, wanted, lane, pos, entrance).fits()
    }

    fn body_driver(&self, body: &Body) -> &Driver {
        &self.world.types[usize::from(body.vtype)].driver
    }

    /// What `departSpeed` asks for on a lane.
    fn wanted(&self, vehicle: &Vehicle, speed: DepartSpeed, lane_id: LaneId, entrance: &Entrance) -> Wanted {
        let lane = self.lane(lane_id);
        let driver = self.driver(vehicle);
        let allowed = self.allowed(vehicle, driver, lane);
        let on = entrance.on(lane_id);
        let (speed_mps, yields_to_road, yields_to_leaders) = match speed {
            DepartSpeed::Given(v) => (v, false, false),
            DepartSpeed::UpTo(v) => (v.at_most(allowed), true, true),
            DepartSpeed::Max => (allowed, true, true),
            DepartSpeed::Desired => (allowed, true, false),
            DepartSpeed::SpeedLimit => (lane.speed_mps.at_most(driver.max_speed_mps), true, false),
            DepartSpeed::Random => {
                let key = step_key(self.world.settings.seed ^ 1, self.now_ms as u64);
                (allowed * uniform(key, vehicle.id.0, Purpose::DepartSpeed), true, true)
            }
            // On an empty lane, as fast as can be.
            DepartSpeed::Last | DepartSpeed::Avg if on.is_empty() => (allowed, true, true),
            DepartSpeed::Last => (on[on.len() - 1].speed_mps.at_most(allowed), true, false),
            DepartSpeed::Avg => {
                let mean = on.iter().map(|body| body.speed_mps).sum::<f64>() / on.len() as f64;
                (mean.at_most(allowed), true, false)
            }
        };
        Wanted { speed_mps, yields_to_road, yields_to_leaders }
    }

    /// The first free place of a lane, from its start on: SUMO's `departPos="free"`. At the start of the lane the vehicle
    /// is as slow as if the one ahead were no farther away than the minimum gap and its way of one step.
    fn fits_free(&self, vehicle: &mut Vehicle, wanted: Wanted, lane_id: LaneId, entrance: &Entrance) -> Attempt {
        let driver = self.driver(vehicle);
        let on = entrance.on(lane_id);
        let slowed = |ahead: Option<&Body>, gap_m: f64| {
            let safe = ahead.map_or(f64::INFINITY, |body| {
                let gap_m = gap_m + body.speed_mps * driver.dt_s;
                let decel = self.body_driver(body).apparent_decel_mps2;
                driver.safe_follow_speed(gap_m, wanted.speed_mps, body.speed_mps, decel, true)
            });
            Wanted { speed_mps: wanted.speed_mps.at_most(safe), yields_to_road: true, yields_to_leaders: true }
        };
        let mut attempt = self.fits(vehicle, slowed(on.last(), driver.min_gap_m), lane_id, 0.0, entrance);
        for (index, behind) in on.iter().enumerate().rev() {
            if attempt.fits() {
                break;
            }
            let ahead = index.checked_sub(1).map(|index| &on[index]);
            let wanted = slowed(ahead, 0.0);
            let follower = self.body_driver(behind);
            let gap = follower.secure_gap(behind.speed_mps, wanted.speed_mps, driver.apparent_decel_mps2);
            let pos = behind.pos_m + follower.min_gap_m + gap + driver.length_m + PLACE_EPS_M;
            attempt = self.fits(vehicle, wanted, lane_id, pos, entrance);
        }
        attempt
    }

    /// Any free place on the lane, the foremost first.
    fn fits_anywhere(&self, vehicle: &mut Vehicle, lane: LaneId, entrance: &Entrance) -> bool {
        let driver = self.driver(vehicle);
        let length = self.lane(lane).length_m;
        let base = (driver.length_m + PLACE_EPS_M).at_most(length);
        let wanted = self.wanted(vehicle, DepartSpeed::Max, lane, entrance);
        let behind = |body: &Body| body.pos_m - self.body_driver(body).length_m - driver.min_gap_m - 1e-3;
        let places = std::iter::once(length).chain(entrance.on(lane).iter().map(behind)).chain(std::iter::once(base));
        let mut places = places.filter(|place| *place >= base);
        places.any(|pos| self.fits(vehicle, wanted, lane, pos, entrance).fits())
    }

    /// Whether the vehicle can be put at `pos`; sets its place and speed if so.
    fn fits(&self, vehicle: &mut Vehicle, wanted: Wanted, lane_id: LaneId, pos: f64, entrance: &Entrance) -> Attempt {
        let mut wanted = wanted;
        let lane = self.lane(lane_id);
        let driver = self.driver(vehicle);
        if pos < 0.0 || pos > lane.length_m {
            return Attempt::Refused;
        }
        let back = pos - driver.length_m;
        let on = entrance.on(lane_id);
        // Leaders on the lane, and what blocks it.
        let ahead = on.partition_point(|body| body.pos_m >= pos);
        let nearest = ahead.checked_sub(1).map(|index| {
            let leader = self.body_driver(&on[index]);
            (on[index].pos_m - leader.length_m, on[index].speed_mps, leader.apparent_decel_mps2)
        });
        let over = self.lanes.overhang(lane_id);
        let block = self.world.overlay.block_on(lane_id, self.now_ms).filter(|block| back < block.to_m);
        let block = block.map(|block| (block.from_m, 0.0, driver.decel_mps2));
        for (leader_back, leader_speed, leader_decel) in
            [nearest, Some((over.back, over.speed, over.decel)), block].into_iter().flatten()
        {
            let yields = wanted.yields_to_leaders;
            check!(self.keeps_behind(&mut wanted, driver, leader_back - pos, (leader_speed, leader_decel), yields));
        }
        check!(self.fits_beyond(vehicle, lane_id, pos, &mut wanted));
        // Followers must be able to keep their distance.
        let follower_ok = |gap: f64, follower_speed: f64, d: &Driver| {
            gap >= 0.0 && gap >= d.secure_gap(follower_speed, wanted.speed_mps, driver.apparent_decel_mps2)
        };
        let is_kept = match on.get(ahead) {
            Some(body) => {
                let follower = self.body_driver(body);
                follower_ok(back - body.pos_m - follower.min_gap_m, body.speed_mps, follower)
            }
            None => self.follower_behind(back, lane_id).is_none_or(|n| follower_ok(n.gap, n.speed, n.driver)),
        };
        if !is_kept {
            return Attempt::Refused;
        }
        vehicle.pos_m = pos;
        vehicle.speed_mps = wanted.speed_mps;
        Attempt::Fits
    }

    /// Whether it keeps its distance behind a body with this speed and deceleration, whose back is `dist_m` ahead of its front.
    fn keeps_behind(
        &self,
        wanted: &mut Wanted,
        driver: &Driver,
        dist_m: f64,
        (speed, decel): (f64, f64),
        yields: bool,
    ) -> Attempt {
        let gap = dist_m - driver.min_gap_m;
        if gap < 0.0 {
            return Attempt::Refused;
        }
        if gap >= self.world.reach_m {
            return Attempt::Fits;
        }
        wanted.by_others(driver.safe_follow_speed(gap, wanted.speed_mps, speed, decel, true), yields)
    }

    /// Stops on its way, and junctions, slower lanes and vehicles beyond the lane's end.
    fn fits_beyond(&self, vehicle: &Vehicle, lane_id: LaneId, pos: f64, wanted: &mut Wanted) -> Attempt {
        let driver = self.driver(vehicle);
        // It has to be able to halt there after the coming step.
        let halting = |gap_m: f64| driver.safe_stop_speed(gap_m, driver.decel_mps2, driver.dt_s);
        let mut seen = self.lane(lane_id).length_m - pos;
        let mut index = usize::from(vehicle.route_index);
        let mut at = lane_id;
        let mut passed = pos;
        loop {
            if self.world.has_stops(vehicle.id) {
                let start_m = seen - self.lane(at).length_m;
                let from_m = driver.brake_gap_with(wanted.speed_mps, driver.decel_mps2, 0.0) - start_m;
                let halt = self.stop_halt(vehicle, at, index, from_m);
                if let Some(halt) = halt.filter(|halt| halt.at_m >= passed || halt.speed > 0.0) {
                    let gap = start_m + halt.at_m;
                    let safe = if halt.speed > 0.0 {
                        driver.free_speed(gap.at_least(0.0), halt.speed, true)
                    } else {
                        halting(gap)
                    };
                    check!(wanted.by_road(safe, DiscardCause::StopTooClose));
                }
            }
            passed = 0.0;
            let look = driver.brake_gap(wanted.speed_mps) + driver.min_gap_m;
            if seen >= look.at_most(self.world.reach_m) {
                return Attempt::Fits;
            }
            let link_id = self.next_link(vehicle, at, index);
            if link_id.is_none() {
                if self.is_last_edge(vehicle, index) {
                    return Attempt::Fits;
                }
                // It has to change lanes before, which orders may allow later.
                return wanted.by_others(halting(seen), wanted.yields_to_road);
            }
            let link = self.link(link_id);
            let priority = self.priority(link);
            if !link.exit && (priority.is_red_or_yellow() || (priority != Priority::Major && !link.cont)) {
                let has_signal = link.signal.is_some() || self.world.overlay.bars(&self.world.network, link);
                return if has_signal {
                    wanted.by_others(halting(seen), wanted.yields_to_road)
                } else {
                    wanted.by_road(halting(seen), DiscardCause::JunctionTooClose)
                };
            }
            let next = self.lane(link.next);
            let safe = driver.free_speed(seen, self.allowed(vehicle, driver, next), true);
            check!(wanted.by_road(safe, DiscardCause::SlowLaneAhead));
            let rear = self.lanes.last(link.next);
            let yields = wanted.yields_to_leaders;
            check!(self.keeps_behind(wanted, driver, seen + rear.back, (rear.speed, rear.decel), yields));
            if let Some(block) = self.world.overlay.block_on(link.next, self.now_ms) {
                let gap = (seen + block.from_m - driver.min_gap_m).at_least(0.0);
                check!(wanted.by_others(halting(gap), wanted.yields_to_road));
            }
            if !next.internal {
                index += 1;
            }
            at = link.next;
            seen += next.length_m;
        }
    }
}
