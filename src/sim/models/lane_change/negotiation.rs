//! How a vehicle that urgently has to change lanes settles with those in its way who goes first.

use super::neighbour::Neighbour;
use super::{Case, Mind, Slot};
use crate::sim::bounds::Bounds;
use crate::sim::vehicle::{Vehicle, flags};

/// m/s that a vehicle which is to overtake a helper may be faster.
const HELP_OVERTAKE: f64 = 10.0 / 3.6;
/// Least deceleration to fall behind a leader on the target lane, m/s².
const MIN_FALL_BEHIND: f64 = 7.0 / 3.6;
/// Changes should be done in this part of the time that is left.
const URGENCY: f64 = 2.0;
/// Leftmost speeds (m/s) and ramp lengths (m) from which a follower is asked to slow down.
const CUT_IN_SPEED: f64 = 27.0;
const ON_RAMP_M: f64 = 200.0;

/// Room for an urgent change.
pub(super) struct Room {
    /// Metres to the end of the lane.
    pub space_m: f64,
    /// Metres at its end that are left to others.
    pub reserve_m: f64,
    /// Lanes to the best one, to the left if positive.
    pub offset: i16,
}

/// An urgent change: settles with blocking vehicles who goes first, and adapts the own speed.
pub(super) fn negotiate(
    case: &Case<'_, '_, '_>,
    mind: &mut Mind,
    slot: &Slot<'_, '_>,
    lanes: &mut [Vec<Vehicle>],
    room: &Room,
) {
    let &Case { vehicle, driver, .. } = case;
    let &Room { space_m: space, reserve_m: reserve, offset } = room;
    let dt = driver.dt_s;
    let remaining_s =
        (space / f64::from(mind.look_ahead_speed).at_least(1e-3) / f64::from(offset.abs().max(1)) / URGENCY)
            .at_least(dt);
    let mut planned =
        vehicle.speed_mps.at_most(driver.stop_speed(vehicle.speed_mps, space - reserve, driver.decel_mps2));
    if f64::from(mind.advice) >= vehicle.speed_mps - driver.decel_mps2 * dt {
        planned = planned.at_most(f64::from(mind.advice));
    }
    if let Some(leader) = slot.leader {
        let Some(speed) =
            settle_with_leader(case, mind, (leader, slot.blocked_leader), lanes, room, (planned, remaining_s))
        else {
            return;
        };
        planned = speed;
    }
    settle_with_follower(case, mind, slot, lanes, planned, remaining_s);
}

/// Settles with the leader on the lane beside; returns the speed that is planned then, or nothing where it is overtaken.
fn settle_with_leader(
    case: &Case<'_, '_, '_>,
    mind: &mut Mind,
    (n, is_blocked): (&Neighbour<'_>, bool),
    lanes: &mut [Vec<Vehicle>],
    room: &Room,
    (planned, remaining_s): (f64, f64),
) -> Option<f64> {
    let &Case { vehicle, driver, .. } = case;
    let &Room { space_m: space, reserve_m: reserve, .. } = room;
    let dt = driver.dt_s;
    let mut planned = planned;
    let next_speed = n.speed - dt * (-n.accel).at_least(1.0);
    let next_gap = n.gap + dt * (next_speed - planned);
    if is_blocked {
        let dv = planned - n.speed;
        let overtake_m = (n.gap
            + n.driver.length_with_gap()
            + driver.length_m
            + n.driver.secure_gap(n.speed, planned, driver.apparent_decel_mps2))
        .at_least(0.0);
        let overtake_s = if dv > 0.0 { overtake_m / dv } else { remaining_s + 1.0 };
        let congested = vehicle.speed_mps < 60.0 / 3.6 || case.lane.speed_mps < 60.1 / 3.6;
        let cannot = dv < 0.0
            || (!case.right && !congested)
            || space - reserve - driver.brake_gap(vehicle.speed_mps) < overtake_m
            || remaining_s < overtake_s;
        if cannot && !n.stopped {
            if let Some(i) = n.index {
                lanes[case.beside][i].flags |= flags::BLOCKS_AS_LEADER;
            }
            let target = driver.min_next_speed(vehicle.speed_mps).at_least(driver.follow_speed(
                vehicle.speed_mps,
                next_gap,
                next_speed.at_least(0.0),
                n.driver.apparent_decel_mps2,
            ));
            if target < vehicle.speed_mps {
                let decel =
                    driver.decel_mps2.at_most(MIN_FALL_BEHIND.at_least((vehicle.speed_mps - target) / remaining_s));
                planned = planned.at_most((vehicle.speed_mps - decel * dt).at_least(0.0));
                advise(mind, planned);
            } else {
                advise(mind, target);
            }
        } else {
            // Overtake: the leader should not accelerate.
            if let Some(i) = n.index {
                let leader = &mut lanes[case.beside][i];
                leader.advice_mps = leader.advice_mps.min(n.speed as f32);
            }
            return None;
        }
    } else {
        // Stay behind the future leader.
        let target =
            driver.follow_speed(vehicle.speed_mps, next_gap, next_speed.at_least(0.0), n.driver.apparent_decel_mps2);
        planned = planned.at_most(target);
        advise(mind, target);
    }
    Some(planned)
}

/// Settles with the follower on the lane beside.
fn settle_with_follower(
    case: &Case<'_, '_, '_>,
    mind: &mut Mind,
    slot: &Slot<'_, '_>,
    lanes: &mut [Vec<Vehicle>],
    planned: f64,
    remaining_s: f64,
) {
    let &Case { vehicle, driver, lane, right, .. } = case;
    let dt = driver.dt_s;
    let Some(n) = &slot.follower else { return };
    let help = |lanes: &mut [Vec<Vehicle>], speed: f64, blocking: bool| {
        if let Some(i) = n.index {
            let follower = &mut lanes[case.beside][i];
            follower.advice_mps = follower.advice_mps.min(speed.at_least(0.0) as f32);
            if blocking {
                follower.flags |= flags::BLOCKS_AS_FOLLOWER;
                follower.flags |= if right { flags::MAY_HELP_RIGHT } else { flags::MAY_HELP_LEFT };
            }
        }
    };
    let cut_in = |floor: f64| {
        let d = n.driver;
        let one = floor.at_least(d.follow_speed(n.speed, n.gap + dt * planned, planned, driver.apparent_decel_mps2));
        floor.at_least(d.follow_speed(n.speed, n.gap + dt * (planned - one), planned, driver.apparent_decel_mps2))
    };
    if slot.blocked_follower {
        let help_decel = n.driver.decel_mps2;
        let slowed = (n.speed - help_decel * dt).at_least(0.0);
        let slowed_1s = (n.speed - help_decel).at_least(0.0);
        let dv = planned - slowed_1s;
        let gap = n.gap + dv;
        let secure = n.driver.secure_gap(slowed_1s, planned.at_least(0.0), driver.apparent_decel_mps2);
        if gap > 0.0 && gap >= secure {
            help(lanes, cut_in(slowed), true);
        } else if dv > 0.0 && dv * remaining_s > secure - gap + 0.1 {
            help(lanes, slowed, true);
        } else {
            let mut speed = n.speed.at_least(vehicle.speed_mps + HELP_OVERTAKE);
            if n.speed > vehicle.speed_mps && (right || planned > CUT_IN_SPEED || lane.length_m > ON_RAMP_M) {
                speed = slowed.at_least(vehicle.speed_mps + HELP_OVERTAKE);
                if (n.speed - vehicle.speed_mps) / help_decel < remaining_s {
                    help(lanes, speed, true);
                    return;
                }
            }
            help(lanes, speed, true);
            // Let it pass: slow down smoothly.
            let overtake_m = (n.gap
                + driver.length_with_gap()
                + n.driver.length_m
                + driver.secure_gap(planned, speed, n.driver.apparent_decel_mps2))
            .at_least(0.0);
            advise(mind, (speed - overtake_m / remaining_s).at_least(vehicle.speed_mps - driver.decel_mps2 * dt));
        }
    } else if slot.blocked_leader {
        help(lanes, cut_in(0.0), false);
    }
}

/// Advises the vehicle itself to drive no faster.
fn advise(mind: &mut Mind, speed: f64) {
    mind.advice = mind.advice.min(speed as f32);
}
