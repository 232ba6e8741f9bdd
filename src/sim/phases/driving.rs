//! Carrying out the decided moves: driving, and going over to the next lanes. How vehicles leave the road is in
//! [`leaving`](crate::sim::phases::leaving).

use crate::ids::{LaneId, LinkId};

use crate::sim::partition::Partition;
use crate::sim::phases::collisions::may_collide;
use crate::sim::phases::deciding::Move;
use crate::sim::phases::stops::speed_to_reach;
use crate::sim::prefetch::{Ahead, prefetch, prefetch_head};
use crate::sim::probes::{LaneEvent, Passage, stay};
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};

/// What became of a vehicle in its step.
enum Fate {
    Stays,
    Enters(LaneId),
    Leaves,
}

impl Partition {
    /// Moves every vehicle of the moved lanes; the others are left as they were.
    pub(in crate::sim) fn advance(&mut self, now_ms: i64) {
        let mut entering = std::mem::take(&mut self.scratch.entering);
        let busy = std::mem::take(&mut self.lanes.busy);
        // Vehicles are changed where they are.
        let mut vehicles = std::mem::take(&mut self.lanes.vehicles);
        let coming = Ahead::new(&busy, self.world.network.lanes.len());
        for (at, &lane) in busy.iter().enumerate() {
            if let Some(&soon) = coming.get(at + 8) {
                vehicles.prefetch_whole(soon);
                prefetch_head(&self.world.network.lanes, soon.index());
            }
            if let Some(link) = coming.get(at + 4).and_then(|soon| self.crossed_by_first(*soon, vehicles.on(*soon))) {
                prefetch(&self.world.network.links, link.index());
            }
            if let Some(link) = coming.get(at + 2).and_then(|soon| self.crossed_by_first(*soon, vehicles.on(*soon))) {
                prefetch(&self.world.network.lanes, self.world.network.link(link).next.index());
            }
            if self.scope.is_moved[lane.index()] {
                let kept = self.advance_lane(lane, vehicles.on_mut(lane), now_ms, &mut entering);
                vehicles.truncate(lane, kept);
            }
        }
        self.lanes.vehicles = vehicles;
        self.lanes.busy = busy;
        // Those that came together from several lanes are put in order.
        for (lane, vehicle) in entering.drain(..) {
            self.lanes.place(lane, vehicle);
            self.scratch.crowded.push(lane);
        }
        self.scratch.entering = entering;
        self.settle_collisions(now_ms);
        self.advance_transfers(now_ms);
    }

    /// The link that a lane's foremost vehicle will drive over in this step, if it does.
    #[inline]
    fn crossed_by_first(&self, lane: LaneId, vehicles: &[Vehicle]) -> Option<LinkId> {
        let first = vehicles.first()?;
        let decided = self.scratch.moves.get(self.first_move(lane))?;
        let l = self.world.network.lane(lane);
        let link = first.own_link(l);
        (first.pos_m + decided.speed * self.world.dt > l.length_m && link.is_some()).then_some(link)
    }

    /// Moves the vehicles of a lane; how many stay on it. These are the first of the list then.
    fn advance_lane(
        &mut self,
        lane: LaneId,
        vehicles: &mut [Vehicle],
        now_ms: i64,
        entering: &mut Vec<(LaneId, Vehicle)>,
    ) -> usize {
        let own = self.scope.owned[lane.index()];
        let start = self.first_move(lane);
        if own {
            self.counts.vehicle_updates += vehicles.len() as u64;
        }
        let mut kept = 0;
        // Only stopped vehicles are ahead, and nobody was teleported in this step: who is behind may drive on now.
        let mut is_first = true;
        for i in 0..vehicles.len() {
            let decided = self.scratch.moves[start + i];
            let fate = if is_first && self.must_teleport(&vehicles[i], lane, decided) {
                self.teleport(vehicles[i], lane, own, now_ms);
                is_first = false;
                Fate::Leaves
            } else {
                self.drive(&mut vehicles[i], lane, decided, own, now_ms)
            };
            match fate {
                Fate::Stays => {
                    if kept < i {
                        vehicles[kept] = vehicles[i];
                    }
                    if kept > 0 && may_collide(&self.world, &vehicles[kept - 1], &vehicles[kept]) {
                        self.scratch.crowded.push(lane);
                    }
                    is_first &= vehicles[kept].is(flags::STOPPED);
                    kept += 1;
                }
                Fate::Enters(target) => {
                    if self.scope.is_moved[target.index()] {
                        entering.push((target, vehicles[i]));
                    }
                }
                Fate::Leaves => {}
            }
        }
        kept
    }

    /// Drives one step.
    fn drive(&mut self, vehicle: &mut Vehicle, lane: LaneId, decided: Move, own: bool, now_ms: i64) -> Fate {
        let dt = self.world.dt;
        let driver = &self.world.types[usize::from(vehicle.vtype)].driver;
        let length_m = driver.length_m;
        let allowed = self.world.allowed_speed(lane, driver, vehicle.speed_factor);
        let length = self.world.network.lane(lane).length_m;
        let old_speed = vehicle.speed_mps;
        let speed = if decided.speed < 1e-4 { 0.0 } else { decided.speed };
        vehicle.speed_mps = speed;
        vehicle.accel_mps2 = ((speed - old_speed) / dt) as f32;
        vehicle.advice_mps = f32::INFINITY;
        if own && decided.flags & !vehicle.flags & flags::EMERGENCY != 0 {
            self.counts.emergency_brakings += 1;
        }
        vehicle.flags = vehicle.flags & !(flags::MESSAGES | flags::OF_STEP) | decided.flags;
        let allowed = self.world.overlay.pace(vehicle, allowed);
        let step_ms = self.world.settings.step_ms as u32;
        let way = speed * dt;
        let from = vehicle.pos_m;
        vehicle.pos_m += way;
        vehicle.odometer_m += way;
        let stops = self.world.has_stops(vehicle.id);
        if stops && self.at_stop(vehicle, lane, decided, now_ms) {
            return Fate::Leaves;
        }
        if vehicle.is(flags::STOPPED) {
            vehicle.waiting_ms = 0;
            vehicle.stop_total_ms += step_ms;
        } else {
            if speed <= HALTING_SPEED {
                vehicle.waiting_count = vehicle.waiting_count.saturating_add(u16::from(vehicle.waiting_ms == 0));
                vehicle.waiting_ms += step_ms;
                vehicle.waiting_total_ms += step_ms;
            } else {
                vehicle.waiting_ms = 0;
            }
            let wished = if stops {
                let driver = &self.world.types[usize::from(vehicle.vtype)].driver;
                speed_to_reach(vehicle, driver, allowed, now_ms)
            } else {
                allowed
            };
            if wished > 0.0 && speed < wished && !decided.is_for_stop {
                vehicle.time_loss_s += dt * (wished - speed) / wished;
            }
        }
        // Who has a link to go on by is not on its last edge.
        if vehicle.pos_m <= length && (vehicle.link.is_some() || !self.has_arrived(vehicle, lane)) {
            if own && !self.probes.is_idle() {
                let passage = stay(vehicle, lane, from, speed, allowed, length_m, dt);
                self.probes.pass(&self.world, &passage, now_ms);
                if from < length_m {
                    self.measure_overhang(vehicle, lane, &passage, now_ms);
                }
            }
            if way > 0.0 && !self.world.loops.is_empty() {
                self.pass_loops(vehicle, lane, now_ms);
            }
            return Fate::Stays;
        }
        self.cross(vehicle, lane, from, speed, now_ms)
    }

    /// Drives over the end of its lane, perhaps over several, or arrives.
    fn cross(&mut self, vehicle: &mut Vehicle, lane: LaneId, from: f64, speed: f64, now_ms: i64) -> Fate {
        let world = std::sync::Arc::clone(&self.world);
        let network = &world.network;
        let dt = world.dt;
        let driver = &world.types[usize::from(vehicle.vtype)].driver;
        let (mut at, mut from, mut entered) = (lane, from, false);
        loop {
            let length = network.lane(at).length_m;
            let owned = self.scope.owned[at.index()];
            let arrived = self.has_arrived(vehicle, at);
            let leaves = !arrived && vehicle.pos_m > length;
            let link = if leaves {
                self.plans.next_link(&world, vehicle, at, usize::from(vehicle.route_index))
            } else {
                LinkId::NONE
            };
            if leaves && link.is_none() {
                // The road ends here for it; it may not drive on.
                let over = vehicle.pos_m - length;
                vehicle.pos_m = length;
                vehicle.odometer_m -= over;
                vehicle.speed_mps = 0.0;
                if owned {
                    self.counts.emergency_stops += 1;
                }
            }
            let passes = leaves && link.is_some();
            let to = if passes { length } else { vehicle.pos_m };
            if owned && !self.probes.is_idle() {
                let allowed = world.allowed_speed(at, driver, vehicle.speed_factor);
                let allowed = world.overlay.pace(vehicle, allowed);
                let passage = Passage {
                    lane: at,
                    from_m: from,
                    to_m: vehicle.pos_m,
                    time_s: if speed > 0.0 { ((to - from) / speed).clamp(0.0, dt) } else { dt },
                    speed,
                    allowed,
                    stopped: vehicle.is(flags::STOPPED),
                    length_m: driver.length_m,
                    vtype: vehicle.vtype,
                    vehicle: vehicle.id,
                    entered,
                    left: passes,
                };
                self.probes.pass(&world, &passage, now_ms);
                // While it goes on, the lanes behind see it from where it ends up.
                if !passes {
                    let whole =
                        Passage { from_m: vehicle.pos_m - speed * dt, to_m: vehicle.pos_m, time_s: dt, ..passage };
                    self.measure_overhang(vehicle, at, &whole, now_ms);
                }
                if arrived {
                    self.probes.note(&world, at, vehicle.vtype, LaneEvent::Arrived, now_ms);
                }
            }
            if !passes && speed > 0.0 && !world.loops.is_empty() {
                self.pass_loops(vehicle, at, now_ms);
            }
            if arrived {
                self.arrive(vehicle, at, owned, now_ms);
                return Fate::Leaves;
            }
            if !passes {
                // One that has come back to the lane that it left is put into its new place there.
                if !entered {
                    return Fate::Stays;
                }
                // Time is lost against the speed that is allowed where the step ends.
                let lost = |at: LaneId| {
                    let allowed = world.allowed_speed(at, driver, vehicle.speed_factor);
                    let allowed = world.overlay.pace(vehicle, allowed);
                    if allowed > 0.0 { dt * (allowed - speed).max(0.0) / allowed } else { 0.0 }
                };
                let correction = lost(at) - lost(lane);
                vehicle.time_loss_s += correction;
                self.plans.settle(&world, vehicle, at);
                if !world.wide.has(at.index()) {
                    vehicle.forget_lane_changing();
                }
                return Fate::Enters(at);
            }
            let link = network.link(link);
            let is_internal = network.lane(link.next).internal;
            if is_internal {
                // Who waited inside the junction begins anew when it goes on.
                vehicle.junction_entry_ms = now_ms as i32;
            }
            vehicle.set(flags::STUCK, false);
            if owned && world.measures.events.exit_times && !network.lane(at).internal {
                self.report.edges_left.push((vehicle.id, vehicle.route_index));
            }
            if !is_internal {
                vehicle.route_index += 1;
                vehicle.came_from = at;
            }
            vehicle.pos_m -= length;
            from -= length;
            at = link.next;
            entered = true;
            from = from.max(0.0);
        }
    }

    /// Tells the lanes behind the vehicle's lane that its rear is, or was in this step, on them.
    fn measure_overhang(&mut self, vehicle: &Vehicle, lane: LaneId, passage: &Passage, now_ms: i64) {
        let world = std::sync::Arc::clone(&self.world);
        let mut at = lane;
        let mut from = vehicle.came_from;
        let mut p = *passage;
        while p.from_m < p.length_m {
            let l = world.network.lane(at);
            let previous = if l.internal { world.network.lane_before(l) } else { from };
            if previous.is_none() {
                return;
            }
            self.probes.overhang(&world, previous, &p, now_ms);
            from = LaneId::NONE;
            let length = world.network.lane(previous).length_m;
            p.from_m += length;
            p.to_m += length;
            at = previous;
        }
    }
}
