//! Krauss' model as SUMO's default uses it (S. Krauss, *Microscopic Modeling of Traffic Flow*, 1998); the discrete stopping
//! distance is that of braking by a fixed amount each step. What is safe by it is also the measure of other models where they
//! enter a road or change lanes.

use crate::sim::bounds::Bounds;

use super::{Driver, brake_gap};

/// The speed of the next step behind a leader.
#[inline]
pub(super) fn follow_speed(driver: &Driver, speed: f64, gap_m: f64, leader_speed: f64, leader_decel: f64) -> f64 {
    driver.safe_follow_speed(gap_m, speed, leader_speed, leader_decel, false).at_most(driver.max_next_speed(speed))
}

/// The speed of the next step before an obstacle that stands `gap_m` ahead.
#[inline]
pub(super) fn stop_speed(driver: &Driver, speed: f64, gap_m: f64, decel: f64) -> f64 {
    driver.safe_stop_speed(gap_m, decel, driver.dt_s).at_most(driver.max_next_speed(speed))
}

impl Driver {
    /// Greatest speed that is safe behind a leader that is `gap_m` ahead (minimum gap already taken off).
    #[inline]
    pub fn safe_follow_speed(
        &self,
        gap_m: f64,
        speed: f64,
        leader_speed: f64,
        leader_decel: f64,
        inserting: bool,
    ) -> f64 {
        // A leader that brakes harder than we do still leaves us our own, longer way.
        let lead_way = brake_gap(leader_speed, self.decel_mps2.at_least(leader_decel), 0.0, self.dt_s);
        let safe = self.safe_stop_speed(gap_m + lead_way, self.decel_mps2, self.headway_s);
        if inserting || self.decel_mps2 == self.emergency_decel_mps2 {
            return safe;
        }
        let wanted = (speed - safe) / self.dt_s;
        if wanted <= self.decel_mps2 + 1e-9 {
            return safe;
        }
        // Harder braking than comfortable would be needed: brake no harder than the situation really asks for.
        let needed = 1.2 * self.emergency_need(gap_m, speed, leader_speed, leader_decel);
        let decel = needed.at_least(self.decel_mps2).at_most(wanted);
        (speed - decel * self.dt_s).at_least(0.0)
    }

    /// Constant deceleration that just avoids a collision, m/s².
    fn emergency_need(&self, gap_m: f64, speed: f64, leader_speed: f64, leader_decel: f64) -> f64 {
        if gap_m <= 0.0 {
            return self.emergency_decel_mps2;
        }
        let lead_way = 0.5 * leader_speed * leader_speed / leader_decel;
        let both_stop = 0.5 * speed * speed / (gap_m + lead_way);
        if both_stop <= leader_decel {
            return both_stop;
        }
        0.5 * (speed * speed - leader_speed * leader_speed) / gap_m
    }
}
