//! The return to the right.

use crate::sim::bounds::Bounds;

use super::OVERTAKING_RIGHT_MPS;
use super::neighbour::Neighbour;
use super::speed_gain::Promise;
use super::strategic::Ways;
use super::{Case, Mind};

/// Seconds of free driving on the right that make returning there certain.
const KEEP_RIGHT_S: f64 = 5.0;

impl Case<'_, '_, '_> {
    /// Whether the vehicle returns to the right: the inclination grows with the time for which it could drive there freely.
    #[inline]
    pub(super) fn keeps_right(
        &self,
        ways: &Ways<'_>,
        mind: &mut Mind,
        promise: &Promise,
        target_leader: Option<&Neighbour<'_>>,
    ) -> bool {
        let &Self { vehicle, driver, lane, .. } = self;
        let &Promise { allowed, right_threshold, .. } = promise;
        let road_factor = allowed / lane.speed_mps;
        let accept_s = 7.0 * road_factor * vehicle.speed_mps.at_least(1.0);
        let mut free_m = (ways.target_m - driver.brake_gap(allowed)).at_least(0.0);
        // A maximum speed of 0 would give 0/0 here.
        let mut free_s = accept_s.min(free_m / allowed);
        if let Some(n) = target_leader.filter(|n| n.speed < allowed) {
            let secure = driver.secure_gap(allowed, n.speed, n.driver.apparent_decel_mps2);
            free_m = free_m.at_most(n.gap - secure).at_least(0.0);
            free_s = free_s.at_most(free_m / (allowed - n.speed));
        }
        if vehicle.speed_mps > OVERTAKING_RIGHT_MPS
            && let Some(n) = self.around.leader.filter(|n| n.speed < allowed)
        {
            // On the right it could drive freely only until it is beside its leader.
            free_s = free_s.at_most(n.gap.at_least(0.0) / (allowed - n.speed));
        }
        // A vehicle does not return behind one that stands at a stop.
        if target_leader.is_none_or(|n| !n.stopped) {
            mind.keep_right -= (driver.dt_s * right_threshold * (free_s / accept_s) / KEEP_RIGHT_S) as f32;
        }
        f64::from(mind.keep_right) * ways.params.keep_right < -right_threshold
    }
}
