//! Strategic lane changes: those that the vehicle's route, or a vehicle that stands at a stop, asks for.

use crate::demand::LaneChangeParams;
use crate::sim::bounds::Bounds;
use crate::sim::vehicle::{Vehicle, flags};

use super::negotiation::{Room, negotiate};
use super::neighbour::Neighbour;
use super::{Case, Mind, Slot, Wish};

/// Seconds of driving that a vehicle looks ahead for lanes of its route.
const LOOK_FORWARD_S: f64 = 10.0;
/// A vehicle does not leave a best lane for one that ends within this, metres.
const TURN_LANE_M: f64 = 200.0;
/// Stopped leaders within this distance are overtaken, metres.
const STOPPED_LEADER_M: f64 = 100.0;

/// How far a vehicle may drive on its lane and on the one beside.
pub(super) struct Ways<'p> {
    pub params: &'p LaneChangeParams,
    /// From the start of the edge, metres.
    pub current_m: f64,
    pub target_m: f64,
    /// A way shorter than this is too short, metres.
    pub look_m: f64,
    /// Remembered speed of which that follows, m/s.
    pub look_speed: f64,
    /// Lanes to the best one, to the left if positive.
    pub offset: i16,
    /// The lane beside lies in that direction.
    pub to_best: bool,
}

impl Ways<'_> {
    #[inline]
    fn is_too_short(&self, dist_m: f64, changes: i16) -> bool {
        dist_m / f64::from(changes.max(1)) < self.look_m
    }
}

impl<'a: 'n, 'n> Case<'_, 'a, 'n> {
    #[inline]
    pub(super) fn ways(
        &self,
        mind: &Mind,
        lanes: &[Vec<Vehicle>],
        leader_there: impl Fn(&[Vec<Vehicle>]) -> Option<&'n Neighbour<'a>>,
    ) -> Ways<'_> {
        let &Self { view, vehicle, driver, right, around, .. } = self;
        let params = &view.params(vehicle).lane_change;
        let step: i16 = if right { -1 } else { 1 };
        let current_m = f64::from(around.current.length_m) + around.bonus;
        let target_m = f64::from(around.target.length_m) + around.bonus;
        let both_best = around.current.offset == 0 && around.target.offset == 0;
        let offset = if both_best { step } else { around.current.offset };
        let rest = current_m - vehicle.pos_m;
        let look_speed = f64::from(mind.look_ahead_speed);
        let mut look_m =
            look_speed * LOOK_FORWARD_S * params.strategic * if right { 1.0 } else { params.lookahead_left };
        look_m += driver.length_with_gap() * 2.0;
        let halts_before = |n: &&Neighbour<'_>| n.stopped && n.gap < rest;
        if offset == 0
            && let Some(n) = around.leader.filter(halts_before)
        {
            look_m = 0.5 * (driver.length_with_gap() + n.driver.length_with_gap() + n.gap);
        } else if offset == step
            && let Some(n) = leader_there(lanes).filter(halts_before)
        {
            look_m = driver.length_with_gap() + n.driver.length_with_gap() + n.gap;
        }
        if params.strategic < 0.0 {
            look_m = -1e3;
        }
        let to_best = (right && offset < 0) || (!right && offset > 0);
        Ways { params, current_m, target_m, look_m, look_speed, offset, to_best }
    }

    /// Whether the route decides: for a change that is urgent, or for staying.
    #[inline]
    pub(super) fn strategic(
        &self,
        ways: &Ways<'_>,
        mind: &mut Mind,
        lanes: &mut [Vec<Vehicle>],
        leader_there: impl Fn(&[Vec<Vehicle>]) -> Option<&'n Neighbour<'a>>,
        slot: impl Fn(&[Vec<Vehicle>]) -> Slot<'a, 'n>,
    ) -> Option<Wish> {
        let &Self { view, vehicle, driver, around, .. } = self;
        let &Ways { current_m, target_m, offset, to_best, .. } = ways;
        let rest = current_m - vehicle.pos_m;
        let is_short = |taken_m: f64| ways.is_too_short(rest - taken_m, offset.abs());
        if to_best && offset == around.current.offset && around.best_jam.is(view, vehicle, is_short) {
            self.change_urgently(ways, current_m, mind, lanes, leader_there, slot);
            return Some(Wish::URGENT);
        }
        let overtake = around.leader.map_or(-1.0, |n| n.gap + driver.length_m + n.driver.length_with_gap());
        let passes_stopped = around.leader.is_some_and(|n| n.stopped && n.gap < STOPPED_LEADER_M)
            && target_m.at_most(current_m) - vehicle.pos_m > overtake
            && leader_there(lanes).is_none_or(|n| !n.stopped || n.gap > overtake);
        if passes_stopped {
            let current_m = vehicle.pos_m + around.leader.map_or(0.0, |n| n.gap);
            self.change_urgently(ways, current_m, mind, lanes, leader_there, slot);
            return Some(Wish::URGENT);
        }
        if offset == 0 && around.leader.is_none_or(|n| !n.stopped) && target_m < TURN_LANE_M && around.bonus == 0.0 {
            return Some(Wish::STAY);
        }
        if !to_best || offset == 0 {
            let leaves_no_room = |taken_m: f64| {
                let room = (target_m - vehicle.pos_m - taken_m).at_least(0.0);
                (!to_best && ways.is_too_short(room, offset.abs() + 2)) || (offset == 0 && room * 2.0 < ways.look_m)
            };
            let jams = [&around.current_jam, &around.target_jam];
            if jams.iter().any(|jam| jam.is(view, vehicle, leaves_no_room)) {
                return Some(Wish::STAY);
            }
        }
        None
    }

    /// Asks for room, and keeps the speed below what the lane, which is left at `current_m`, allows.
    fn change_urgently(
        &self,
        ways: &Ways<'_>,
        current_m: f64,
        mind: &mut Mind,
        lanes: &mut [Vec<Vehicle>],
        leader_there: impl Fn(&[Vec<Vehicle>]) -> Option<&'n Neighbour<'a>>,
        slot: impl Fn(&[Vec<Vehicle>]) -> Slot<'a, 'n>,
    ) {
        let &Self { vehicle, driver, right, around, .. } = self;
        let &Ways { offset, to_best, .. } = ways;
        if self.lane.internal {
            // Inside a junction vehicles change where there is room, and ask for none (measured with SUMO 1.28).
            return;
        }
        let space_m = current_m - vehicle.pos_m;
        let mut reserve_m: f64 = if to_best && offset.abs() > 1 { if right { 20.0 } else { 40.0 } } else { 0.0 };
        // A leader there that has to come over here needs room before us.
        let counter = if right { flags::WANTS_LEFT } else { flags::WANTS_RIGHT };
        if let Some(n) = leader_there(lanes).filter(|n| n.flags & counter != 0) {
            let room = space_m - driver.brake_gap_with(vehicle.speed_mps, driver.decel_mps2, 0.0);
            let relief = around.current.continues && around.current.link.is_some();
            if n.driver.length_with_gap() <= room || !relief {
                reserve_m = reserve_m.at_least(n.driver.length_with_gap());
            }
        }
        let place = space_m - reserve_m - driver.min_gap_m - 1.0;
        if reserve_m > 0.0 && place > 0.0 {
            let halt = driver
                .stop_speed(vehicle.speed_mps, place, driver.decel_mps2)
                .at_least(driver.min_next_speed(vehicle.speed_mps));
            mind.advice = mind.advice.min(halt as f32);
        }
        let slot = slot(lanes);
        negotiate(self, mind, &slot, lanes, &Room { space_m, reserve_m, offset });
    }
}
