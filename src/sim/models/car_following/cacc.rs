//! Cooperative adaptive cruise control: the vehicle hears the speed of a leader that has such a control, too. V. Milanés and S. E.
//! Shladover, *Modeling cooperative and autonomous adaptive cruise control dynamic responses using experimental data*, 2014; modes
//! after L. Xiao, M. Wang, B. van Arem, *Realistic car-following models for microscopic simulation of adaptive and cooperative
//! adaptive cruise control vehicles*, 2017, with the thresholds and bounds measured in SUMO 1.28.
//!
//! With the deviation e = gap − minimum gap − tau·v and its rate ė = Δv − tau·a the speed changes in a step, however long it is, by
//! k₁·e + k₂·ė, with gains of their own to close a gap, to keep it and to open one that is too small. Behind other vehicles the
//! acceleration is that of [`acc`], with another headway.

use crate::demand::car_following as demand;
use crate::demand::car_following::Gains;
use crate::sim::bounds::Bounds;

use super::{Driver, Ego, acc};

/// A gap that is driven in less time than the first is kept; beyond the second the speed is; in between the mode stays.
const KEPT_BELOW_S: f64 = 1.5;
const LOST_ABOVE_S: f64 = 2.0;
/// The gap control is in charge up to this deviation.
const SMALL_GAP_M: f64 = 0.2;

/// The gains of a vehicle type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cacc {
    parameters: demand::Cacc,
}

impl Cacc {
    pub(super) fn new(parameters: demand::Cacc) -> Self {
        Self { parameters }
    }

    /// Whether the gap is kept, not the speed; `before`: whether it was in the last step.
    pub(super) fn keeps_gap(&self, driver: &Driver, speed: f64, gap_m: f64, before: bool) -> bool {
        let error_m = gap_m - driver.headway_s * speed;
        if gap_m > LOST_ABOVE_S * speed && error_m > self.parameters.speed_control_min_gap_m {
            return false;
        }
        before || gap_m <= KEPT_BELOW_S * speed
    }

    /// The speed of the next step, `gap_m` behind a leader (minimum gap already taken off) with this speed and deceleration.
    pub(super) fn follow_speed(&self, driver: &Driver, speed: f64, gap_m: f64, leader: (f64, f64), ego: Ego) -> f64 {
        let (leader_speed, leader_decel) = leader;
        let cruise = ego.cruise_mps.at_most(driver.max_speed_mps);
        let change = if !self.keeps_gap(driver, speed, gap_m, ego.keeps_gap) {
            driver.dt_s * self.parameters.speed_gain * (cruise - speed)
        } else if ego.hears_leader {
            let error_m = gap_m - driver.headway_s * speed;
            let Gains { gap, rate } = self.gains(error_m);
            gap * error_m + rate * (leader_speed - speed - driver.headway_s * ego.accel_mps2)
        } else {
            let spare_m = gap_m - self.parameters.acc_headway_s * speed;
            driver.dt_s * acc::gap_accel(&self.parameters.acc, speed, spare_m, leader_speed, cruise)
        };
        let wished = (speed + change).at_least(0.0);
        let safe = driver.safe_follow_speed(gap_m, speed, leader_speed, leader_decel, true);
        wished.at_most((safe + self.parameters.acc.override_mps.at_most(gap_m)).at_least(0.0))
    }

    /// Gains of the controller that is in charge.
    fn gains(&self, error_m: f64) -> Gains {
        if error_m < 0.0 {
            self.parameters.collision_avoidance
        } else if error_m < SMALL_GAP_M {
            self.parameters.gap_control
        } else {
            self.parameters.gap_closing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::car_following::{Cacc, CarFollowing};
    use crate::demand::{VehicleClass, VehicleType};

    fn driver(dt_s: f64) -> Driver {
        let mut vtype = VehicleType::default_of("cacc", VehicleClass::Passenger);
        (vtype.model, vtype.max_speed_mps) = (CarFollowing::Cacc(Cacc::default()), 30.0);
        Driver::new(&vtype, dt_s)
    }

    fn speed(dt_s: f64, gap_m: f64, leader: f64, ego: Ego) -> f64 {
        driver(dt_s).at_most_following(100.0, 20.0, gap_m, leader, 4.5, || ego)
    }

    const BEHIND_ANOTHER: Ego = Ego { accel_mps2: 0.0, cruise_mps: f64::INFINITY, keeps_gap: true, hears_leader: true };

    /// Changes of 20 m/s in SUMO 1.28: gap (without minimum gap), the leader's speed.
    #[test]
    fn each_controller_answers_as_in_sumo_whatever_the_step_length() {
        let cases = [(19.5, 20.08, -0.221), (20.05, 20.08, 0.0235), (20.5, 20.3, 0.0175), (12.5, 18.0, -3.475)];
        for (gap_m, leader, expected) in cases {
            for dt_s in [1.0, 0.1] {
                let change = speed(dt_s, gap_m, leader, BEHIND_ANOTHER) - 20.0;
                assert!((change - expected).abs() < 1e-6, "{gap_m} m: {change} m/s instead of {expected}");
            }
        }
    }

    #[test]
    fn the_rate_of_the_gap_includes_the_own_acceleration() {
        let ego = Ego { accel_mps2: 0.4, ..BEHIND_ANOTHER };
        let change = speed(1.0, 27.5, 20.5, ego) - 20.0;
        assert!((change - (0.005 * 7.5 + 0.05 * 0.1)).abs() < 1e-9, "{change} m/s");
    }

    #[test]
    fn behind_a_vehicle_that_sends_nothing_it_drives_as_acc() {
        let ego = Ego { hears_leader: false, ..BEHIND_ANOTHER };
        assert!((speed(1.0, 27.5, 20.5, ego) - 20.7).abs() < 1e-9);
    }

    #[test]
    fn between_two_time_gaps_the_mode_stays() {
        let driver = driver(1.0);
        let modes = |before| [29.0, 31.0, 39.0, 41.0].map(|gap_m| driver.keeps_gap(20.0, gap_m, before));
        assert_eq!(modes(false), [true, false, false, false]);
        assert_eq!(modes(true), [true, true, true, false]);
        // A short way is a long time for one that hardly moves.
        assert!(driver.keeps_gap(0.7, 1.73, true) && !driver.keeps_gap(1.05, 2.73, true));
        assert!(driver.keeps_gap(0.0, 0.0, false));
    }
}
