//! Car following: the speed that a driver may reach in the next step behind a leader, before an obstacle, or before a
//! lower limit. Semi-implicit Euler: the speed is changed first, then driven for the whole step.
//!
//! A [`Driver`] has the parameters that all models share and a [`Model`], which is a variant with a file of its own. Only this
//! folder tells the models apart: elsewhere it is the driver who is asked.

mod acc;
mod cacc;
mod idm;
mod krauss;

use crate::demand::{CarFollowing, VehicleClass, VehicleType};

use crate::sim::bounds::Bounds;
use crate::sim::vehicle::HALTING_SPEED;

use acc::Acc;
use cacc::Cacc;
use idm::Idm;

/// Distance that is kept from every obstacle against rounding, metres.
const GAP_EPS_M: f64 = 0.001;
/// Share of the way of the reaction time that is surely too short for a step of braking.
const NO_WHOLE_STEP: f64 = 1.0 - 1e-6;
/// Slack of the bounds that spare an exact computation, metres: far beyond all rounding.
const BOUND_SLACK_M: f64 = 1e-3;

/// What differs between car-following models.
#[derive(Clone, Copy, Debug)]
enum Model {
    Krauss,
    Idm(Idm),
    Acc(Acc),
    Cacc(Cacc),
}

/// What a cruise control knows beside the gap and the speeds; other models do not ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Ego {
    /// Change of speed in the last step.
    pub accel_mps2: f64,
    /// The speed that it keeps where no gap is to be kept; infinite: the vehicle's greatest one.
    pub cruise_mps: f64,
    /// It kept a gap in the last step, not its speed.
    pub keeps_gap: bool,
    /// The vehicle ahead sends its speed.
    pub hears_leader: bool,
}

impl Default for Ego {
    /// For places where only a speed is weighed.
    fn default() -> Self {
        Self { accel_mps2: 0.0, cruise_mps: f64::INFINITY, keeps_gap: true, hears_leader: false }
    }
}

/// The driving parameters of a vehicle type, ready for a step length.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    pub accel_mps2: f64,
    pub decel_mps2: f64,
    pub emergency_decel_mps2: f64,
    pub apparent_decel_mps2: f64,
    pub headway_s: f64,
    pub sigma: f64,
    pub length_m: f64,
    pub min_gap_m: f64,
    pub max_speed_mps: f64,
    /// The driver goes no faster on an empty road, times its speed factor.
    pub desired_max_speed_mps: f64,
    /// Decides which speed limit holds.
    pub class: VehicleClass,
    model: Model,
    /// Step length.
    pub dt_s: f64,
    /// 1/(2·`decel_mps2`) and the slack of [`Driver::longest_way`]; in bounds only, never in a result.
    half_per_decel: f64,
    way_slack_m: f64,
}

impl Driver {
    pub fn new(vtype: &VehicleType, dt_s: f64) -> Self {
        Self {
            accel_mps2: vtype.accel_mps2,
            decel_mps2: vtype.decel_mps2,
            emergency_decel_mps2: vtype.emergency_decel_mps2.at_least(vtype.decel_mps2),
            apparent_decel_mps2: vtype.apparent_decel_mps2,
            headway_s: vtype.tau_s,
            sigma: vtype.sigma,
            length_m: vtype.length_m,
            min_gap_m: vtype.min_gap_m,
            max_speed_mps: vtype.max_speed_mps,
            desired_max_speed_mps: vtype.desired_max_speed_mps,
            class: vtype.class,
            model: match vtype.model {
                CarFollowing::Krauss => Model::Krauss,
                CarFollowing::Idm(parameters) => Model::Idm(Idm::new(parameters)),
                CarFollowing::Acc(parameters) => Model::Acc(Acc::new(parameters)),
                CarFollowing::Cacc(parameters) => Model::Cacc(Cacc::new(parameters)),
            },
            half_per_decel: 0.5 / vtype.decel_mps2,
            way_slack_m: 0.125 * vtype.decel_mps2 * dt_s * dt_s + BOUND_SLACK_M,
            dt_s,
        }
    }

    /// Speed on an empty lane with this limit, m/s.
    #[inline]
    pub fn desired_speed(&self, limit_mps: f64, speed_factor: f32) -> f64 {
        (limit_mps.at_most(self.desired_max_speed_mps) * f64::from(speed_factor)).at_most(self.max_speed_mps)
    }

    /// Speed that a cruise control keeps on a lane with this limit, m/s. As in SUMO the limit is not multiplied by the speed factor.
    pub fn cruise_speed(&self, limit_mps: f64, speed_factor: f32) -> f64 {
        limit_mps.at_most(self.desired_max_speed_mps * f64::from(speed_factor)).at_most(self.max_speed_mps)
    }

    #[inline]
    pub fn length_with_gap(&self) -> f64 {
        self.length_m + self.min_gap_m
    }

    /// Greatest speed after one step.
    #[inline]
    pub fn max_next_speed(&self, speed: f64) -> f64 {
        (speed + self.accel_mps2 * self.dt_s).at_most(self.max_speed_mps)
    }

    /// Lowest speed after one step of comfortable braking.
    #[inline]
    pub fn min_next_speed(&self, speed: f64) -> f64 {
        (speed - self.decel_mps2 * self.dt_s).at_least(0.0)
    }

    /// Lowest speed after one step of full braking.
    #[inline]
    pub fn min_next_speed_emergency(&self, speed: f64) -> f64 {
        (speed - self.emergency_decel_mps2 * self.dt_s).at_least(0.0)
    }

    /// A bound of the way to a halt (braking by `decel` or harder after `headway_s`) that takes no division and no root.
    /// The way in whole steps meets v²/2b + v·(headway − dt/2) at multiples of the speed lost per step and is linear in
    /// between, so it exceeds that by b·dt²/8 at most.
    #[inline]
    fn longest_way(&self, speed: f64, headway_s: f64) -> f64 {
        speed * (headway_s - 0.5 * self.dt_s + speed * self.half_per_decel) + self.way_slack_m
    }

    /// A bound of what is driven in a step at full acceleration and then needed to halt, metres.
    #[inline]
    pub fn longest_look(&self, speed: f64) -> f64 {
        self.longest_way(self.max_next_speed(speed), self.headway_s + self.dt_s)
    }

    /// Whether [`Driver::brake_gap_with`] of `decel`, which is the own or a greater one, is at most `gap_m`.
    #[inline]
    pub fn can_brake(&self, speed: f64, decel: f64, gap_m: f64) -> bool {
        gap_m > self.longest_way(speed, 0.0) || gap_m >= self.brake_gap_with(speed, decel, 0.0)
    }

    /// Certain that [`Driver::safe_stop_speed`] with the own deceleration and reaction time is at least `speed`.
    #[inline]
    pub fn surely_halts_within(&self, speed: f64, gap_m: f64) -> bool {
        gap_m - GAP_EPS_M > self.longest_way(speed, self.headway_s)
    }

    /// Certain that [`Driver::safe_follow_speed`] is at least `speed`.
    #[inline]
    pub fn surely_safe_behind(&self, speed: f64, gap_m: f64, leader_speed: f64, leader_decel: f64) -> bool {
        let half_per_decel = if leader_decel <= self.decel_mps2 { self.half_per_decel } else { 0.5 / leader_decel };
        let lead_way = leader_speed * (leader_speed * half_per_decel - 0.5 * self.dt_s);
        self.surely_halts_within(speed, gap_m + lead_way.at_least(0.0))
    }

    /// The lower one of `v` and [`Driver::follow_speed`], which is computed only where it may be the lower one.
    #[inline]
    pub fn at_most_following(
        &self,
        v: f64,
        speed: f64,
        gap_m: f64,
        leader_speed: f64,
        leader_decel: f64,
        ego: impl FnOnce() -> Ego,
    ) -> f64 {
        if matches!(self.model, Model::Krauss)
            && v <= self.max_next_speed(speed)
            && self.surely_safe_behind(v, gap_m, leader_speed, leader_decel)
        {
            return v;
        }
        v.at_most(self.follow_speed_as(speed, gap_m, leader_speed, leader_decel, ego))
    }

    /// The lower one of `v` and the speed from which it can halt behind a leader that halts, however hard it has to brake for
    /// that in its first step; computed only where it may be the lower one.
    #[inline]
    pub fn at_most_safe_behind(&self, v: f64, gap_m: f64, leader_speed: f64, leader_decel: f64) -> f64 {
        if self.surely_safe_behind(v, gap_m, leader_speed, leader_decel) {
            return v;
        }
        v.at_most(self.safe_follow_speed(gap_m, v, leader_speed, leader_decel, true))
    }

    /// The lower one of `v` and [`Driver::safe_stop_speed`] with the own deceleration and reaction time.
    #[inline]
    pub fn at_most_halting(&self, v: f64, gap_m: f64) -> f64 {
        if self.surely_halts_within(v, gap_m) {
            v
        } else {
            v.at_most(self.safe_stop_speed(gap_m, self.decel_mps2, self.headway_s))
        }
    }

    /// Metres driven until standing when braking by `decel` each step, plus `headway_s` at the present speed.
    #[inline]
    pub fn brake_gap_with(&self, speed: f64, decel: f64, headway_s: f64) -> f64 {
        brake_gap(speed, decel, headway_s, self.dt_s)
    }

    /// Braking distance including the reaction time.
    #[inline]
    pub fn brake_gap(&self, speed: f64) -> f64 {
        brake_gap(speed, self.decel_mps2, self.headway_s, self.dt_s)
    }

    /// Greatest speed from which it is possible to halt within `gap_m`, reacting after `headway_s`.
    #[inline]
    pub fn safe_stop_speed(&self, gap_m: f64, decel: f64, headway_s: f64) -> f64 {
        let g = gap_m - GAP_EPS_M;
        if g < 0.0 {
            return 0.0;
        }
        let s = self.dt_s;
        let b = decel * s;
        let t = headway_s;
        if g < NO_WHOLE_STEP * b * t {
            // Not one whole step of braking: what is left below, for n = 0.
            return g / t;
        }
        // n: whole steps of braking that fit into the gap.
        let root = (s * s + 4.0 * (s * (2.0 * g / b - t) + t * t)).at_least(0.0).sqrt();
        let n = floor(0.5 - (t - 0.5 * root) / s).at_least(0.0);
        let h = 0.5 * n * (n - 1.0) * b * s + n * b * t;
        let r = (g - h) / (n * s + t);
        n * b + r
    }

    /// Speed for the next step behind a leader.
    #[inline]
    pub fn follow_speed(&self, speed: f64, gap_m: f64, leader_speed: f64, leader_decel: f64) -> f64 {
        self.follow_speed_as(speed, gap_m, leader_speed, leader_decel, Ego::default)
    }

    #[inline]
    fn follow_speed_as(
        &self,
        speed: f64,
        gap_m: f64,
        leader_speed: f64,
        leader_decel: f64,
        ego: impl FnOnce() -> Ego,
    ) -> f64 {
        match &self.model {
            Model::Krauss => krauss::follow_speed(self, speed, gap_m, leader_speed, leader_decel),
            Model::Idm(idm) => idm.speed(self, gap_m, speed, leader_speed, self.max_speed_mps),
            Model::Acc(acc) => acc.follow_speed(self, speed, gap_m, (leader_speed, leader_decel), ego()),
            Model::Cacc(cacc) => cacc.follow_speed(self, speed, gap_m, (leader_speed, leader_decel), ego()),
        }
    }

    /// Speed for the next step before an obstacle that stands `gap_m` ahead.
    #[inline]
    pub fn stop_speed(&self, speed: f64, gap_m: f64, decel: f64) -> f64 {
        match &self.model {
            Model::Krauss | Model::Acc(_) | Model::Cacc(_) => krauss::stop_speed(self, speed, gap_m, decel),
            Model::Idm(idm) => idm.stop_speed(self, speed, gap_m, decel),
        }
    }

    /// Distance behind a leader from which it can always be followed safely, metres.
    #[inline]
    pub fn secure_gap(&self, speed: f64, leader_speed: f64, leader_decel: f64) -> f64 {
        self.gap_to_halt_behind(self.brake_gap(speed), leader_speed, leader_decel)
    }

    /// The same of a vehicle whose speed has just changed by `accel_mps2`: one that brakes already may go on braking as hard
    /// (the gaps to leaders in 3,283 of 3,286 lane changes of SUMO 1.28, to 0.06 m).
    #[inline]
    pub fn secure_gap_now(&self, speed: f64, accel_mps2: f64, leader_speed: f64, leader_decel: f64) -> f64 {
        let mut way_m = self.brake_gap(speed);
        if accel_mps2 < 0.0 {
            let next = (speed + accel_mps2 * self.dt_s).at_least(0.0);
            way_m = way_m.at_most(brake_gap(next, -accel_mps2, self.headway_s, self.dt_s));
        }
        self.gap_to_halt_behind(way_m, leader_speed, leader_decel)
    }

    /// Metres to a leader that brakes, of a vehicle that halts within `way_m`.
    #[inline]
    fn gap_to_halt_behind(&self, way_m: f64, leader_speed: f64, leader_decel: f64) -> f64 {
        let lead_way_m = brake_gap(leader_speed, self.decel_mps2.at_least(leader_decel), 0.0, self.dt_s);
        (way_m - lead_way_m).at_least(0.0)
    }

    /// Highest speed now from which `target` can be reached within `dist_m` by comfortable braking.
    #[inline]
    pub fn free_speed(&self, dist_m: f64, target: f64, inserting: bool) -> f64 {
        let v = target * self.dt_s;
        if dist_m < v {
            return target;
        }
        let b = self.decel_mps2 * self.dt_s * self.dt_s;
        let c = b + 2.0 * v;
        let y = (((c * c + 8.0 * b * dist_m).sqrt() - b) * 0.5 - v) / b;
        let y = y.at_least(0.0);
        let full = floor(y);
        let exact = (full * full + full) * 0.5 * b + full * v + if y > full { v } else { 0.0 };
        let gain = (full + if inserting { 1.0 } else { 0.0 }) * self.decel_mps2 * self.dt_s;
        ((dist_m - exact).at_least(0.0) / (full + 1.0)) / self.dt_s + gain + target
    }

    /// Least time to cover `dist_m` when changing from `speed` to `arrival_speed` on the way, seconds.
    #[inline]
    pub fn minimal_arrival_time(&self, dist_m: f64, speed: f64, arrival_speed: f64) -> f64 {
        let a = if arrival_speed >= speed { self.accel_mps2 } else { -self.decel_mps2 };
        let time = if a == 0.0 { 0.0 } else { (arrival_speed - speed) / a };
        let way = time * (arrival_speed + speed) * 0.5;
        if dist_m >= way {
            time + (dist_m - way) / arrival_speed.at_least(speed).at_least(HALTING_SPEED)
        } else {
            (-speed + (speed * speed + 2.0 * a * dist_m).at_least(0.0).sqrt()) / a
        }
    }

    /// Speed after accelerating over `dist_m`.
    #[inline]
    pub fn speed_after(&self, dist_m: f64, speed: f64) -> f64 {
        (speed * speed + 2.0 * self.accel_mps2 * dist_m.at_least(0.0))
            .sqrt()
            .at_most(self.max_speed_mps.at_least(speed))
    }

    /// Speed of the next step on a free road towards `desired`.
    #[inline]
    pub fn free_next_speed(&self, speed: f64, desired: f64) -> f64 {
        match &self.model {
            Model::Krauss | Model::Acc(_) | Model::Cacc(_) => self.max_next_speed(speed).at_most(desired),
            Model::Idm(idm) => idm.speed(self, 1e4, speed, desired, desired),
        }
    }

    /// Whether a cruise control drives: it minds a leader on its lane at any distance, and the next step depends on
    /// [`Driver::keeps_gap`] of this one.
    #[inline]
    pub fn has_cruise_control(&self) -> bool {
        matches!(self.model, Model::Acc(_) | Model::Cacc(_))
    }

    /// Whether the vehicle sends its speed to those behind it.
    #[inline]
    pub fn is_connected(&self) -> bool {
        matches!(self.model, Model::Cacc(_))
    }

    /// Whether a cruise control keeps the gap to the leader `gap_m` ahead, not its speed; `before`: whether it did in the last step.
    pub fn keeps_gap(&self, speed: f64, gap_m: f64, before: bool) -> bool {
        match &self.model {
            Model::Krauss | Model::Idm(_) => false,
            Model::Acc(_) => acc::keeps_gap(gap_m, before),
            Model::Cacc(cacc) => cacc.keeps_gap(self, speed, gap_m, before),
        }
    }

    /// Whether the driver loses speed by chance.
    #[inline]
    pub fn dawdles(&self) -> bool {
        matches!(self.model, Model::Krauss) && self.sigma > 0.0
    }

    /// The greatest speed that it may come to from `speed`, of at most `allowed`, when it gauges what a lane promises.
    #[inline]
    pub fn promised_speed(&self, speed: f64, allowed: f64) -> f64 {
        match &self.model {
            Model::Krauss | Model::Acc(_) | Model::Cacc(_) => self.max_next_speed(speed).at_most(allowed),
            Model::Idm(_) => allowed,
        }
    }
}

/// `f64::floor` without the call into the C library that it is on processors before SSE4.1.
#[inline]
pub fn floor(x: f64) -> f64 {
    /// Sums with it have no room left for a fraction.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    if x.abs() < 2_251_799_813_685_248.0 {
        let nearest = (x + WHOLE) - WHOLE;
        nearest - if nearest > x { 1.0 } else { 0.0 }
    } else {
        x
    }
}

/// Metres driven until standing when the speed drops by `decel` each step, plus `headway_s` at the present speed.
#[inline]
pub fn brake_gap(speed: f64, decel: f64, headway_s: f64, dt: f64) -> f64 {
    let drop = decel * dt;
    let steps = floor(speed / drop);
    dt * (steps * speed - drop * steps * (steps + 1.0) * 0.5) + speed * headway_s
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::VehicleClass;

    /// Gaps of SUMO 1.28 (`leaderSecureGap` of its lane change output) of cars behind one that stands.
    #[test]
    fn a_vehicle_that_brakes_already_needs_less_room() {
        let car = Driver::new(&VehicleType::default_of("car", VehicleClass::Passenger), 1.0);
        for (speed, accel, gap_m) in
            [(10.86, -3.03, 14.40), (10.28, -3.61, 9.73), (9.04, -4.5, 4.58), (13.08, -0.81, 25.74)]
        {
            let found = car.secure_gap_now(speed, accel, 0.0, 4.5);
            assert!((found - gap_m).abs() < 0.01, "{speed} m/s, {accel} m/s²: {found} m");
        }
        assert_eq!(car.secure_gap_now(9.0, 2.0, 3.0, 4.5), car.secure_gap(9.0, 3.0, 4.5));
    }

    /// Bounds spare an exact computation only where its result could not matter.
    #[test]
    fn bounds_are_never_surer_than_the_exact_computation() {
        for (dt, decel, tau) in [(1.0, 4.5, 1.0), (0.5, 4.5, 1.0), (0.1, 7.5, 0.3), (1.0, 1.3, 2.2), (1.0, 4.5, 0.0)] {
            let mut vtype = VehicleType::default_of("car", VehicleClass::Passenger);
            (vtype.decel_mps2, vtype.tau_s) = (decel, tau);
            let driver = Driver::new(&vtype, dt);
            let speeds = || (0..400).map(|i| f64::from(i) * 0.1125);
            for v in speeds() {
                let (way, bound) = (driver.brake_gap(v), driver.longest_way(v, tau));
                assert!(way <= bound && bound <= way + 0.25 * decel * dt * dt + 0.01, "{v} m/s: {way} {bound}");
                for gap in (0..500).map(|i| f64::from(i) * 0.37) {
                    if driver.surely_halts_within(v, gap) {
                        assert!(driver.safe_stop_speed(gap, decel, tau) >= v, "{v} m/s, {gap} m");
                    }
                    assert_eq!(driver.can_brake(v, decel, gap), gap >= driver.brake_gap_with(v, decel, 0.0));
                }
            }
            for (v, leader) in speeds().step_by(7).flat_map(|v| speeds().step_by(5).map(move |l| (v, l))) {
                for gap in [-1.0, 0.0, 0.5, 2.0, 4.499, 4.501, 10.0, 33.3, 80.0] {
                    for leader_decel in [decel, 2.0 * decel, 0.5 * decel] {
                        let exact = v.min(driver.follow_speed(v, gap, leader, leader_decel));
                        assert_eq!(
                            driver.at_most_following(v, v, gap, leader, leader_decel, Ego::default).to_bits(),
                            exact.to_bits()
                        );
                    }
                }
            }
        }
    }

    /// Less than one step of braking is the general formula for n = 0.
    #[test]
    fn short_gaps_give_the_same_bits_without_a_root() {
        let driver = Driver::new(&VehicleType::default_of("car", VehicleClass::Passenger), 1.0);
        for i in 0..4600 {
            let gap = f64::from(i) * 0.001;
            let (g, b, t) = (gap - GAP_EPS_M, driver.decel_mps2, driver.headway_s);
            let root = (1.0 + 4.0 * ((2.0 * g / b - t) + t * t)).max(0.0).sqrt();
            let n = floor(0.5 - (t - 0.5 * root)).max(0.0);
            let exact = n * b + (g - (0.5 * n * (n - 1.0) * b + n * b * t)) / (n + t);
            let expected = if g < 0.0 { 0.0 } else { exact };
            assert_eq!(driver.safe_stop_speed(gap, b, t).to_bits(), expected.to_bits(), "{gap} m");
        }
    }
}
