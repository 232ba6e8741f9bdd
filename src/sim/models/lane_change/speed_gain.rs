//! Lane changes to gain speed: the speeds that both lanes promise, and the inclination that grows with the difference.

use crate::ids::LaneId;
use crate::sim::bounds::Bounds;
use crate::sim::models::car_following::{Driver, Ego};
use crate::sim::random::{Purpose, step_key, uniform};

use super::neighbour::Neighbour;
use super::strategic::Ways;
use super::{Case, Mind, Wish};

/// Gains are taken relative to at least this speed, m/s.
const GAIN_BASE_SPEED: f64 = 10.0;
const GAIN_THRESHOLD: f64 = 0.2;
/// Seconds for which a lane to gain speed on has to lead on, at least (SUMO `lcSpeedGainRemainTime`).
const GAIN_STAY_S: f64 = 20.0;
/// Share of the inclination to the left that is kept each second while both lanes promise the same (measured with SUMO 1.28).
const KEPT_WHERE_EQUAL: f64 = 0.8;
/// A lane to the right may promise less than the own one by this, m/s.
const SLOWER_RIGHT_MPS: f64 = 5.0 / 3.6;

/// Speeds to be expected soon, m/s, and what they mean.
pub(super) struct Promise {
    pub here: f64,
    pub target: f64,
    /// What the vehicle may drive on its lane.
    pub allowed: f64,
    /// Difference, relative to the speed on the lane beside.
    relative: f64,
    /// Inclinations from which the vehicle changes.
    pub left_threshold: f64,
    pub right_threshold: f64,
}

impl<'a: 'n, 'n> Case<'_, 'a, 'n> {
    #[inline]
    pub(super) fn promise(&self, ways: &Ways<'_>, target_leader: Option<&Neighbour<'_>>) -> Promise {
        let &Self { view, vehicle, driver, lane, right, around, .. } = self;
        let own = LaneId(view.world.network.edge(lane.edge).first_lane.0 + lane.index);
        let beside = LaneId(own.0.wrapping_add_signed(if right { -1 } else { 1 }));
        let allowed = view.allowed(vehicle, driver, lane);
        let target_allowed = view.allowed(vehicle, driver, view.lane(beside));
        let speeds_up = |n: Option<&Neighbour<'_>>| n.is_some_and(|n| n.accel > 0.0);
        let accelerating = speeds_up(around.leader) || speeds_up(target_leader);
        let speed = vehicle.speed_mps;
        let target = anticipate(driver, speed, target_leader, ways.target_m, target_allowed, accelerating);
        let here = anticipate(driver, speed, around.leader, ways.current_m, allowed, accelerating);
        let left_threshold = GAIN_THRESHOLD / ways.params.speed_gain.at_least(1e-3);
        let right_threshold = left_threshold / ways.params.speed_gain_right.at_least(1e-3);
        let relative = (target - here) / target.at_least(GAIN_BASE_SPEED);
        Promise { here, target, allowed, relative, left_threshold, right_threshold }
    }

    /// The inclination to change to the right, for speed or to keep right there.
    #[inline]
    pub(super) fn gains_right(
        &self,
        ways: &Ways<'_>,
        mind: &mut Mind,
        promise: &Promise,
        target_leader: Option<&Neighbour<'_>>,
    ) -> Option<Wish> {
        let dt = self.driver.dt_s;
        if promise.here - SLOWER_RIGHT_MPS > promise.target {
            if mind.speed_gain_right > 0.0 {
                mind.speed_gain_right *= kept(0.5, dt) as f32;
            }
        } else {
            if mind.speed_gain_right > 0.0 || promise.relative > 0.0 {
                mind.speed_gain_right += (dt * promise.relative) as f32;
            }
            if self.keeps_right(ways, mind, promise, target_leader) {
                return Some(Wish::KEEP_RIGHT);
            }
        }
        let gains = mind.speed_gain_right > promise.right_threshold as f32;
        (gains && self.stays_long(ways)).then_some(Wish::GAIN)
    }

    /// Whether a change for speed is worth it: the vehicle can stay on the lane beside for some time.
    fn stays_long(&self, ways: &Ways<'_>) -> bool {
        ways.target_m / self.vehicle.speed_mps.at_least(0.1) > GAIN_STAY_S
    }

    /// A fast vehicle does not pass on the right one on the lane to the left: it follows that one, but does not drive slower than
    /// it, and never brakes harder than is comfortable (SUMO user documentation, `lcOvertakeRight`; measured with SUMO 1.28).
    pub(super) fn stay_behind_left(&self, mind: &mut Mind, leader: Option<&Neighbour<'_>>) {
        let &Self { view, vehicle, driver, .. } = self;
        let Some(leader) = leader.filter(|n| n.gap >= 0.0) else { return };
        let passes = view.params(vehicle).lane_change.overtake_right;
        let key = step_key(view.world.settings.seed, view.now_ms as u64);
        if passes > 0.0 && uniform(key, vehicle.id.0, Purpose::OvertakeRight) < passes {
            return;
        }
        let speed = driver
            .follow_speed(vehicle.speed_mps, leader.gap, leader.speed, leader.driver.apparent_decel_mps2)
            .at_least(leader.speed)
            .at_least(driver.min_next_speed(vehicle.speed_mps));
        mind.advice = mind.advice.min(speed as f32);
    }

    /// The inclination to change to the left.
    #[inline]
    pub(super) fn gains_left(&self, ways: &Ways<'_>, mind: &mut Mind, promise: &Promise) -> Option<Wish> {
        let dt = self.driver.dt_s;
        if promise.relative > 0.0 {
            mind.speed_gain_left += (dt * promise.relative) as f32;
        } else if mind.speed_gain_left > 0.0 {
            mind.speed_gain_left *= kept(if promise.relative < 0.0 { 0.5 } else { KEPT_WHERE_EQUAL }, dt) as f32;
        }
        // Compared as it is kept: two gains of 0.1 do not exceed 0.2.
        let gains = mind.speed_gain_left > promise.left_threshold as f32;
        (gains && promise.relative > 1e-3 && self.stays_long(ways)).then_some(Wish::GAIN)
    }
}

/// What is left in a step of `dt_s` seconds of an inclination of which `share` is kept each second.
#[inline]
fn kept(share: f64, dt_s: f64) -> f64 {
    if dt_s == 1.0 { share } else { power(share, dt_s) }
}

/// `base` to the power of a step length below or above one second, by square roots.
fn power(base: f64, dt_s: f64) -> f64 {
    let (mut result, mut factor, mut rest) = (1.0, base, dt_s);
    while rest >= 1.0 {
        result *= base;
        rest -= 1.0;
    }
    for _ in 0..12 {
        factor = factor.sqrt();
        rest *= 2.0;
        if rest >= 1.0 {
            result *= factor;
            rest -= 1.0;
        }
    }
    result
}

/// The speed that a lane promises in the near future.
fn anticipate(
    driver: &Driver,
    speed: f64,
    leader: Option<&Neighbour<'_>>,
    dist: f64,
    allowed: f64,
    accelerating: bool,
) -> f64 {
    let future = match (leader, accelerating) {
        (Some(n), true) => {
            let soon = speed + driver.accel_mps2 - driver.accel_mps2 * driver.dt_s;
            let most = driver.promised_speed(soon, allowed);
            driver.at_most_following(most, soon, n.gap, n.speed, n.driver.apparent_decel_mps2, Ego::default)
        }
        (Some(n), false) => driver.at_most_safe_behind(allowed, n.gap, n.speed, n.driver.apparent_decel_mps2),
        (None, true) => driver.at_most_halting(driver.max_next_speed(speed).at_most(allowed), dist),
        (None, false) => driver.at_most_halting(allowed, dist),
    };
    future.at_least(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 1000 after a second with SUMO 1.28: 800 and 500.
    #[test]
    fn what_is_kept_of_an_inclination_does_not_depend_on_the_step_length() {
        for share in [0.5, KEPT_WHERE_EQUAL] {
            assert_eq!(kept(share, 1.0), share);
            let halves = kept(share, 0.5) * kept(share, 0.5);
            assert!((halves - share).abs() < 1e-3, "{halves}");
            assert!((kept(share, 2.0) - share * share).abs() < 1e-3);
        }
    }
}
