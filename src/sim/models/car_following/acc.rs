//! Adaptive cruise control: V. Milanés and S. E. Shladover, *Modeling cooperative and autonomous adaptive cruise control dynamic
//! responses using experimental data*, 2014; modes and the clearance at low speeds after L. Xiao, M. Wang, B. van Arem, *Realistic
//! car-following models for microscopic simulation of adaptive and cooperative adaptive cruise control vehicles*, 2017. Where
//! SUMO 1.28 differs from the papers (when the gap control is in charge; the bound by Krauss' safe speed) the model follows
//! what was measured there.
//!
//! With the deviation e = gap − minimum gap − tau·v − clearance and the leader's speed less the own one, Δv, the acceleration is
//! k·(cruise speed − v) while the speed is kept, else k₁·e + k₂·Δv, with gains of their own to close a gap, to keep it and to open
//! one that is too small.

use crate::demand::car_following as demand;
use crate::demand::car_following::Gains;
use crate::sim::bounds::Bounds;

use super::{Driver, Ego};

/// A gap below the first is kept; beyond the second the speed is; in between the mode stays. Metres, minimum gap taken off.
const KEPT_BELOW_M: f64 = 100.0;
const LOST_ABOVE_M: f64 = 120.0;
/// The gap control is in charge while the gap and the cruise speed are missed by less than this.
const SMALL_GAP_M: f64 = 0.2;
const SMALL_SPEED_MPS: f64 = 0.1;
/// Greatest clearance beside the minimum gap.
const CLEARANCE_M: f64 = 2.0;

/// The gains of a vehicle type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acc {
    parameters: demand::Acc,
}

/// Whether the gap is kept, not the speed; `before`: whether it was in the last step.
pub(super) fn keeps_gap(gap_m: f64, before: bool) -> bool {
    gap_m < KEPT_BELOW_M || (before && gap_m <= LOST_ABOVE_M)
}

impl Acc {
    pub(super) fn new(parameters: demand::Acc) -> Self {
        Self { parameters }
    }

    /// The speed of the next step, `gap_m` behind a leader (minimum gap already taken off) with this speed and deceleration.
    pub(super) fn follow_speed(&self, driver: &Driver, speed: f64, gap_m: f64, leader: (f64, f64), ego: Ego) -> f64 {
        let (leader_speed, leader_decel) = leader;
        let cruise = ego.cruise_mps.at_most(driver.max_speed_mps);
        let accel = if keeps_gap(gap_m, ego.keeps_gap) {
            gap_accel(&self.parameters, speed, gap_m - driver.headway_s * speed, leader_speed, cruise)
        } else {
            self.parameters.speed_gain * (cruise - speed)
        };
        let wished = (speed + driver.dt_s * accel).at_least(0.0);
        let safe = driver.safe_follow_speed(gap_m, speed, leader_speed, leader_decel, false);
        wished.at_most((safe + self.parameters.override_mps).at_least(0.0))
    }
}

/// Acceleration that keeps a gap, m/s²; `spare_m`: what of the gap is more than the way of the time headway.
pub(super) fn gap_accel(acc: &demand::Acc, speed: f64, spare_m: f64, leader_speed: f64, cruise: f64) -> f64 {
    let error_m = spare_m - clearance_m(speed);
    let Gains { gap, rate } = if error_m.abs() < SMALL_GAP_M && (cruise - speed).abs() < SMALL_SPEED_MPS {
        acc.gap_control
    } else if error_m < 0.0 {
        acc.collision_avoidance
    } else {
        acc.gap_closing
    };
    gap * error_m + rate * (leader_speed - speed)
}

/// Clearance that is kept beside the minimum gap, metres: d₀ of Xiao et al.
fn clearance_m(speed: f64) -> f64 {
    (75.0 / speed.at_least(1.0) - 5.0).at_most(CLEARANCE_M).at_least(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::car_following::{Acc, CarFollowing};
    use crate::demand::{VehicleClass, VehicleType};

    fn driver(acc: Acc) -> Driver {
        let mut vtype = VehicleType::default_of("acc", VehicleClass::Passenger);
        (vtype.model, vtype.max_speed_mps) = (CarFollowing::Acc(acc), 30.0);
        Driver::new(&vtype, 1.0)
    }

    /// Speed in SUMO 1.28 of a vehicle behind another: own speed, gap (without minimum gap), the leader's speed.
    #[test]
    fn each_controller_answers_as_in_sumo() {
        let driver = driver(Acc::default());
        let cases = [
            ("opens the gap", 20.0, 19.0, 19.5, 19.085),
            ("closes the gap", 20.0, 20.01, 20.05, 20.0404),
            ("has a clearance when slow", 5.0, 1.5, 5.0, 0.6),
            ("has less clearance below 15 m/s", 11.5951, 7.203, 7.0, 5.8498),
        ];
        for (what, speed, gap_m, leader, expected) in cases {
            let v = driver.follow_speed(speed, gap_m, leader, 4.5);
            assert!((v - expected).abs() < 1e-3, "{what}: {v} m/s instead of {expected}");
        }
    }

    #[test]
    fn near_the_cruise_speed_a_small_deviation_is_answered_gently() {
        let mut vtype = VehicleType::default_of("acc", VehicleClass::Passenger);
        (vtype.model, vtype.max_speed_mps) = (CarFollowing::Acc(Acc::default()), 20.05);
        let v = Driver::new(&vtype, 1.0).follow_speed(20.0, 20.0 - 0.19, 19.5, 4.5);
        assert!((v - 19.9213).abs() < 1e-6, "{v} m/s");
    }

    /// Without gains the speed stays, but for the bound.
    #[test]
    fn the_speed_is_at_most_two_metres_per_second_above_the_safe_one() {
        let none = Gains { gap: 0.0, rate: 0.0 };
        let acc = Acc { gap_closing: none, gap_control: none, collision_avoidance: none, ..Acc::default() };
        for (gap_m, expected) in [(0.3, 2.299), (1.9, 3.899), (2.5, 4.0)] {
            let v = driver(acc).follow_speed(4.0, gap_m, 0.0, 4.5);
            assert!((v - expected).abs() < 1e-9, "{gap_m} m: {v} m/s instead of {expected}");
        }
    }

    #[test]
    fn between_100_and_120_metres_the_mode_stays() {
        let modes = |before| [99.0, 101.0, 119.0, 121.0].map(|gap_m| keeps_gap(gap_m, before));
        assert_eq!(modes(false), [true, false, false, false]);
        assert_eq!(modes(true), [true, true, true, false]);
        let ego = Ego { keeps_gap: false, ..Ego::default() };
        let v = driver(Acc::default()).at_most_following(30.0, 25.2, 104.7, 20.0, 4.5, || ego);
        assert!((v - 27.12).abs() < 1e-9, "{v} m/s");
    }
}
