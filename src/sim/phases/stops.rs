//! Stops on the way: where a vehicle halts for its next stop, and how stops begin and end.

use crate::demand::Stop;
use crate::ids::{EdgeId, LaneId};

use crate::sim::bounds::Bounds;
use crate::sim::models::car_following::Driver;
use crate::sim::partition::Partition;
use crate::sim::phases::deciding::Move;
use crate::sim::report::StopRecord;
use crate::sim::transfer::Transfer;
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};
use crate::sim::view::View;
use crate::sim::world::World;

/// Two places on a lane that are closer than this are one place, metres: a vehicle is at its stop, and a departing vehicle keeps this
/// distance from lane ends and from others where it chooses its place.
pub(in crate::sim) const PLACE_EPS_M: f64 = 0.1;

/// How much nearer a lot of a parking area may be than a vehicle can halt, metres: rounding changes no choice.
const LOT_EPS_M: f64 = 0.05;
/// A full parking area is waited for this far behind the vehicle in its first lot, beyond the own minimum gap, metres.
const FULL_EPS_M: f64 = 0.001;

/// What the next stop of a vehicle asks for on a lane.
#[derive(Clone, Copy, Debug)]
pub struct StopHalt {
    /// Where the vehicle has to halt, or to drive no faster than at `speed`; metres from the start of the lane.
    pub at_m: f64,
    /// Not 0: the vehicle passes the place at this speed and does not stop, m/s.
    pub speed: f64,
    /// The stop may begin there.
    pub may_stop: bool,
    /// Lot of a parking area that is free for the vehicle.
    pub lot: u16,
}

impl StopHalt {
    /// Speed that this allows to a vehicle whose lane begins `ahead_m` before its front (negative: behind it).
    #[inline]
    pub fn allows(&self, driver: &Driver, speed: f64, ahead_m: f64) -> f64 {
        let gap_m = ahead_m + self.at_m;
        if self.speed > 0.0 {
            driver.free_speed(gap_m.at_least(0.0), self.speed, false)
        } else {
            driver.stop_speed(speed, gap_m, driver.decel_mps2)
        }
    }
}

impl World {
    /// The next stop of a vehicle.
    #[inline]
    pub fn next_stop(&self, vehicle: &Vehicle) -> Option<&Stop> {
        if !self.has_stops(vehicle.id) {
            return None;
        }
        let stops = self.demand.departures[vehicle.id.index()].stops;
        self.demand.stops[stops.range()].get(usize::from(vehicle.stops_done))
    }

    /// Index of the next stop of a vehicle in the stops of the demand.
    fn stop_index(&self, vehicle: &Vehicle) -> u32 {
        self.demand.departures[vehicle.id.index()].stops.start + u32::from(vehicle.stops_done)
    }
}

/// When a stop is over that began at `started_ms`.
fn end_ms(stop: &Stop, started_ms: i64) -> i64 {
    let waited_ms = stop.duration_ms.map_or(started_ms, |duration_ms| started_ms.saturating_add(duration_ms));
    waited_ms.max(stop.until_ms.unwrap_or(i64::MIN))
}

impl<'a> View<'a> {
    /// The next stop of the vehicle if it is on the edge of `lane`, which is the `index`-th of its route.
    #[inline]
    pub fn stop_on(&self, vehicle: &Vehicle, lane: LaneId, index: usize) -> Option<&'a Stop> {
        let stop = self.world.next_stop(vehicle)?;
        let is_here = stop.route_index as usize == index && self.lane(stop.lane).edge == self.lane(lane).edge;
        is_here.then_some(stop)
    }

    /// Where the vehicle has to halt on `lane` for its next stop, if that is on the edge of this lane, which is the
    /// `index`-th of its route. Beside the lane of its stop a vehicle halts, too: there it waits for its lane change. It
    /// cannot halt before `from_m`.
    #[inline]
    pub fn stop_halt(&self, vehicle: &Vehicle, lane: LaneId, index: usize, from_m: f64) -> Option<StopHalt> {
        let stop = self.stop_on(vehicle, lane, index)?;
        let length_m = self.lane(lane).length_m;
        if stop.speed_mps > 0.0 {
            return Some(StopHalt {
                at_m: stop.start_m.at_most(length_m),
                speed: stop.speed_mps,
                may_stop: false,
                lot: 0,
            });
        }
        let mut halt = StopHalt { at_m: stop.end_m, speed: 0.0, may_stop: true, lot: 0 };
        if let Some(place) = stop.place_index {
            halt = if self.world.demand.places[place as usize].lots_m.is_empty() {
                self.behind_others(vehicle, stop, place, from_m)
            } else {
                self.free_lot(vehicle, stop, place, lane, from_m)
            };
        }
        Some(StopHalt { at_m: halt.at_m.at_most(length_m), may_stop: halt.may_stop && stop.lane == lane, ..halt })
    }

    /// The vehicles that stand at a place, on the lane of `stop` or beside it.
    fn standing_at(&self, stop: &'a Stop, place: u32) -> impl Iterator<Item = &'a Vehicle> {
        let (world, lane) = (self.world, stop.lane);
        let is_at = move |v: &&Vehicle| world.next_stop(v).is_some_and(|other| other.place_index == Some(place));
        let on_lane = self.lanes.on(lane).iter().filter(|v| v.is(flags::STOPPED));
        let beside = self.transfers[self.lane(lane).edge.index()].iter().map(|transfer| &transfer.vehicle);
        on_lane.chain(beside.filter(move |v| !v.is(flags::TELEPORTING) && v.came_from == lane)).filter(is_at)
    }

    /// The foremost place at a bus stop that nobody stands at: vehicles stop one behind the other.
    fn behind_others(&self, vehicle: &Vehicle, stop: &'a Stop, place: u32, from_m: f64) -> StopHalt {
        let driver = self.driver(vehicle);
        let mut front_m = stop.end_m;
        loop {
            let backs = self.standing_at(stop, place).filter_map(|other| {
                let back_m = other.pos_m - self.driver(other).length_m;
                (other.pos_m > front_m - driver.length_m && back_m < front_m).then_some(back_m)
            });
            let nearest = backs.fold(f64::NEG_INFINITY, f64::max);
            if nearest == f64::NEG_INFINITY {
                break;
            }
            front_m = nearest - driver.min_gap_m;
        }
        let may_stop = front_m >= stop.start_m - PLACE_EPS_M;
        // Who came to stand at the place beside the lane right before it is no reason to brake hard.
        StopHalt { at_m: front_m.at_least(from_m).at_most(stop.end_m), speed: 0.0, may_stop, lot: 0 }
    }

    /// The first free lot of a parking area at which the vehicle can halt. Those ahead on the lane that want to park count:
    /// when they fill the area, it waits behind the first lot.
    fn free_lot(&self, vehicle: &Vehicle, stop: &'a Stop, place: u32, lane: LaneId, from_m: f64) -> StopHalt {
        let lots_m = &self.world.demand.places[place as usize].lots_m;
        let driver = self.driver(vehicle);
        let (mut taken, mut longest_m) = (0, driver.length_m);
        for parked in self.standing_at(stop, place) {
            taken += 1;
            longest_m = longest_m.at_least(self.driver(parked).length_m);
        }
        let on = self.lanes.on(lane);
        if lane == stop.lane && on.iter().any(|other| other.id == vehicle.id) {
            let comes = |other: &&Vehicle| {
                let next = self.world.next_stop(other);
                !other.is(flags::STOPPED) && next.is_some_and(|next| next.place_index == Some(place))
            };
            for other in on.iter().take_while(|other| other.id != vehicle.id).filter(comes) {
                taken += 1;
                longest_m = longest_m.at_least(self.driver(other).length_m);
            }
        }
        let is_taken = |lot_m: f64| self.standing_at(stop, place).any(|parked| parked.pos_m == lot_m);
        let free = || lots_m.iter().enumerate().filter(|(_, lot_m)| !is_taken(**lot_m));
        let reached = free().find(|(_, lot_m)| **lot_m >= from_m - LOT_EPS_M).or_else(|| free().next_back());
        match reached {
            Some((lot, lot_m)) if taken < lots_m.len() => {
                let at_m = lot_m.at_least(from_m - LOT_EPS_M).at_most(stop.end_m);
                StopHalt { at_m, speed: 0.0, may_stop: true, lot: lot as u16 }
            }
            _ => {
                let behind_m = lots_m[0] - longest_m - driver.min_gap_m - FULL_EPS_M;
                StopHalt { at_m: behind_m.at_least(from_m).at_most(stop.end_m), speed: 0.0, may_stop: false, lot: 0 }
            }
        }
    }

    /// Position on `lane` before which the vehicle has to halt because a section is blocked, unless it is in it. It comes
    /// onto the lane, or is on it, at `from_m`.
    #[inline]
    pub fn block_on(&self, vehicle: &Vehicle, lane: LaneId, from_m: f64) -> Option<f64> {
        let block = self.world.overlay.block_on(lane, self.now_ms).filter(|block| from_m < block.from_m)?;
        Some((block.from_m - self.driver(vehicle).min_gap_m).at_least(from_m).at_least(0.0))
    }

    /// Whether the vehicle halts on `lane` for a stop or before a blocked section.
    #[inline]
    pub fn halts_on(&self, vehicle: &Vehicle, lane: LaneId, index: usize, from_m: f64) -> bool {
        let stops = self.stop_on(vehicle, lane, index).is_some_and(|stop| stop.speed_mps == 0.0);
        stops || self.block_on(vehicle, lane, from_m).is_some()
    }
}

impl Partition {
    /// Ends the stops that are over before the step at `now_ms`, in which their vehicles drive on.
    pub(in crate::sim) fn end_stops(&mut self, now_ms: i64) {
        let stopped = std::mem::take(&mut self.lanes.stopped);
        for &lane in &stopped {
            for index in 0..self.lanes.on(lane).len() {
                let vehicle = self.lanes.on(lane)[index];
                if !vehicle.is(flags::STOPPED) {
                    continue;
                }
                let is_over = |stop: &Stop| end_ms(stop, i64::from(vehicle.stop_ms)) <= now_ms;
                if self.world.next_stop(&vehicle).is_none_or(is_over) {
                    let mut vehicle = vehicle;
                    if self.scope.owned[lane.index()] {
                        self.report_stop(&vehicle, lane, now_ms);
                    }
                    self.leave_stop(&mut vehicle, lane, now_ms);
                    self.lanes.vehicles.on_mut(lane)[index] = vehicle;
                }
            }
        }
        self.lanes.stopped = stopped;
    }

    /// Begins the next stop of a vehicle that has come to its place, or gives it up when the vehicle has passed it. Returns
    /// whether the vehicle leaves its lane to park.
    pub(in crate::sim) fn at_stop(&mut self, vehicle: &mut Vehicle, lane: LaneId, decided: Move, now_ms: i64) -> bool {
        let world = std::sync::Arc::clone(&self.world);
        let Some(stop) = world.next_stop(vehicle).filter(|_| !vehicle.is(flags::STOPPED)) else { return false };
        let on_edge = stop.route_index == u32::from(vehicle.route_index);
        // In the step after a stop the vehicle drives, or stands for a moment, before it stops at the same place again.
        let is_leaving = vehicle.stops_done > 0 && i64::from(vehicle.stop_ms) == now_ms;
        let reached = on_edge
            && decided.may_stop
            && !is_leaving
            && vehicle.speed_mps <= HALTING_SPEED
            && vehicle.pos_m >= stop.start_m - PLACE_EPS_M
            && vehicle.pos_m <= stop.end_m + PLACE_EPS_M;
        if !reached {
            let edge_of = |lane: LaneId| world.network.lane(lane).edge;
            let slack_m = if stop.speed_mps > 0.0 { 0.0 } else { PLACE_EPS_M };
            let is_beyond = || vehicle.pos_m > stop.end_m + slack_m && edge_of(lane) == edge_of(stop.lane);
            if u32::from(vehicle.route_index) > stop.route_index || (on_edge && is_beyond()) {
                self.leave_stop(vehicle, lane, now_ms);
            }
            return false;
        }
        let edge = world.network.lane(lane).edge;
        if let Some(lot_m) = lot_of(&world, stop, decided.lot) {
            let is_given = |(beside, other): &(EdgeId, Transfer)| {
                *beside == edge && other.vehicle.pos_m == lot_m && other.vehicle.came_from == lane
            };
            if self.scratch.entering_transfers.iter().any(is_given) {
                // Somebody ahead took the lot in this step.
                return false;
            }
            vehicle.pos_m = lot_m;
        }
        vehicle.stop_ms = now_ms as i32;
        if !stop.parking {
            vehicle.set(flags::STOPPED, true);
            return false;
        }
        vehicle.speed_mps = 0.0;
        vehicle.accel_mps2 = 0.0;
        vehicle.waiting_ms = 0;
        // While parked, the lane that it came from is the one beside it.
        vehicle.came_from = lane;
        self.scratch.entering_transfers.push((edge, Transfer::new(*vehicle, end_ms(stop, now_ms))));
        true
    }

    /// A parked vehicle is back on `lane` after the step at `now_ms`, and drives on in the next one.
    pub(in crate::sim) fn end_parking(&mut self, vehicle: &mut Vehicle, lane: LaneId, now_ms: i64) {
        let ended_ms = now_ms + self.world.settings.step_ms;
        vehicle.stop_total_ms += (ended_ms - i64::from(vehicle.stop_ms)) as u32;
        self.report_stop(vehicle, lane, ended_ms);
        self.leave_stop(vehicle, lane, ended_ms);
    }

    fn leave_stop(&mut self, vehicle: &mut Vehicle, lane: LaneId, ended_ms: i64) {
        vehicle.set(flags::STOPPED, false);
        vehicle.stop_ms = ended_ms as i32;
        // An order may have given up all further stops meanwhile.
        let all = self.world.demand.departures[vehicle.id.index()].stops.len as u16;
        vehicle.stops_done = all.min(vehicle.stops_done + 1);
        vehicle.plan = self.plans.plan_of(&self.world, vehicle.id.0, vehicle.route, vehicle.vtype, vehicle.stops_done);
        self.plans.settle(&self.world, vehicle, lane);
    }

    fn report_stop(&mut self, vehicle: &Vehicle, lane: LaneId, ended_ms: i64) {
        if let Some(record) = stop_record(&self.world, vehicle, lane, ended_ms) {
            self.report.stops.push(record);
        }
    }
}

/// Position of a lot beside the road.
fn lot_of(world: &World, stop: &Stop, lot: u16) -> Option<f64> {
    let place = stop.place_index.filter(|_| stop.parking)?;
    world.demand.places[place as usize].lots_m.get(usize::from(lot)).copied()
}

/// The present stop of a vehicle.
fn stop_record(world: &World, vehicle: &Vehicle, lane: LaneId, ended_ms: i64) -> Option<StopRecord> {
    let stop = world.next_stop(vehicle)?;
    Some(StopRecord {
        vehicle: vehicle.id,
        stop: world.stop_index(vehicle),
        lane,
        pos_m: vehicle.pos_m,
        parking: stop.parking,
        started_ms: i64::from(vehicle.stop_ms),
        ended_ms,
    })
}

/// The speed that a vehicle is measured against for its time loss, m/s: on its way out of a stop it is the one that it can
/// have reached since. (SUMO's documentation of `tripinfo`: scheduled stops do not count.)
#[inline]
pub(in crate::sim) fn speed_to_reach(vehicle: &Vehicle, driver: &Driver, allowed: f64, now_ms: i64) -> f64 {
    if vehicle.stops_done == 0 {
        return allowed;
    }
    let since_s = (now_ms - i64::from(vehicle.stop_ms)) as f64 / 1000.0;
    allowed.at_most(driver.accel_mps2 * (since_s + driver.dt_s))
}
