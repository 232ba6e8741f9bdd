//! The IDM (M. Treiber, A. Hennecke, D. Helbing, *Congested traffic states in empirical observations and microscopic
//! simulations*, 2000), integrated in sub-steps.

use crate::demand;
use crate::sim::bounds::Bounds;

use super::Driver;

/// Parameters of the IDM for a step length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idm {
    /// Exponent of the free-road term.
    delta: f64,
    /// Wanted length of a sub-step, seconds.
    stepping_s: f64,
}

impl Idm {
    pub(super) fn new(parameters: demand::Idm) -> Self {
        Self { delta: parameters.delta, stepping_s: parameters.stepping_s }
    }

    /// The speed of the next step, `gap_m` behind a leader (minimum gap already taken off) and with the wish to drive `desired`.
    pub(super) fn speed(&self, driver: &Driver, gap_m: f64, speed: f64, leader_speed: f64, desired: f64) -> f64 {
        let rounds = (driver.dt_s / self.stepping_s + 0.5).floor().at_least(1.0);
        let h = driver.dt_s / rounds;
        let double_root = 2.0 * (driver.accel_mps2 * driver.decel_mps2).sqrt();
        let mut v = speed;
        let mut gap = gap_m + driver.min_gap_m;
        for _ in 0..rounds as u32 {
            let s_star = driver.min_gap_m + (v * driver.headway_s + v * (v - leader_speed) / double_root).at_least(0.0);
            let g = gap.at_least(0.01);
            let interaction = s_star / g;
            let acc =
                driver.accel_mps2 * (1.0 - power(v / desired.at_least(0.01), self.delta) - interaction * interaction);
            v = (v + acc * h).at_least(0.0);
            gap -= (v - leader_speed).at_least(0.0) * h;
        }
        v
    }

    /// The speed of the next step before an obstacle that stands `gap_m` ahead.
    pub(super) fn stop_speed(&self, driver: &Driver, speed: f64, gap_m: f64, decel: f64) -> f64 {
        if gap_m < 0.01 {
            return 0.0;
        }
        // The distance kept to a leader is not kept to a stop line.
        self.speed(driver, gap_m + driver.min_gap_m, speed, 0.0, driver.max_speed_mps).at_most(driver.safe_stop_speed(
            gap_m,
            decel,
            driver.dt_s,
        ))
    }
}

/// `base` to a small non-negative exponent by multiplication and square roots only (exponents are rounded to quarters).
fn power(base: f64, exponent: f64) -> f64 {
    let quarters = (exponent * 4.0 + 0.5).floor().at_least(0.0) as u32;
    let fourth_root = base.at_least(0.0).sqrt().sqrt();
    let (mut result, mut factor, mut n) = (1.0, fourth_root, quarters);
    while n > 0 {
        if n & 1 == 1 {
            result *= factor;
        }
        factor *= factor;
        n >>= 1;
    }
    result
}
