//! How vehicles leave the road: at the end of their trips, by teleports, or taken out before their destination.

use crate::demand::ArrivalPos;
use crate::ids::{EdgeId, LaneId};

use crate::sim::closing::trip_so_far;
use crate::sim::partition::Partition;
use crate::sim::phases::deciding::Move;
use crate::sim::phases::stops::PLACE_EPS_M;
use crate::sim::probes::LaneEvent;
use crate::sim::report::{Teleport, TeleportCause, TripRecord, Vaporized, micro};
use crate::sim::transfer::Transfer;
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};

impl Partition {
    /// On the last edge, at or beyond the arrival position, but for a slack that SUMO has, too.
    pub(super) fn has_arrived(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        let l = self.world.network.lane(lane);
        if l.internal || usize::from(vehicle.route_index) + 1 < self.plans.routes.len(vehicle.route) {
            return false;
        }
        if self.world.next_stop(vehicle).is_some() {
            // Also one behind the place of arrival is made first.
            return false;
        }
        vehicle.pos_m > self.arrival_pos(vehicle, lane) - PLACE_EPS_M
    }

    /// Where on a lane of its last edge the vehicle ends its trip, metres from the lane's start.
    fn arrival_pos(&self, vehicle: &Vehicle, lane: LaneId) -> f64 {
        let l = self.world.network.lane(lane);
        match self.world.demand.departures[vehicle.id.index()].arrival_pos {
            ArrivalPos::Max => l.length_m,
            ArrivalPos::Given(pos) if pos < 0.0 => (l.length_m + pos).max(0.0),
            ArrivalPos::Given(pos) => pos.min(l.length_m),
            ArrivalPos::Center => 0.5 * l.length_m,
            ArrivalPos::Random => {
                let key = crate::sim::random::step_key(self.world.settings.seed, 2);
                l.length_m * crate::sim::random::uniform(key, vehicle.id.0, crate::sim::random::Purpose::ArrivalPos)
            }
        }
    }

    pub(super) fn arrive(&mut self, vehicle: &Vehicle, lane: LaneId, own: bool, now_ms: i64) {
        if !own {
            return;
        }
        let world = std::sync::Arc::clone(&self.world);
        let depart_ms = i64::from(vehicle.depart_ms);
        // The step may have led beyond the place where the trip ends.
        let arrival_pos_m = self.arrival_pos(vehicle, lane);
        self.counts.arrived += 1;
        self.counts.travel_time_ms += now_ms - depart_ms;
        self.past.arrived(
            vehicle.id.0,
            &[
                now_ms,
                depart_ms,
                micro(vehicle.odometer_m),
                micro(vehicle.time_loss_s),
                i64::from(vehicle.waiting_total_ms),
            ],
        );
        let overshoot = vehicle.pos_m - arrival_pos_m;
        self.report.arrivals.push(TripRecord {
            arrival_ms: now_ms,
            arrival_lane: lane,
            arrival_pos_m,
            arrival_speed_mps: vehicle.speed_mps,
            route_length_m: vehicle.odometer_m - overshoot,
            edges: self.told_route(vehicle),
            ..trip_so_far(&world, vehicle)
        });
    }

    /// The foremost vehicle of a lane that is not at a stop is taken away when it has stood too long, this step included.
    pub(super) fn must_teleport(&self, vehicle: &Vehicle, lane: LaneId, decided: Move) -> bool {
        if vehicle.waiting_ms == 0 || decided.speed > HALTING_SPEED || vehicle.is(flags::STOPPED) {
            return false;
        }
        let settings = &self.world.settings;
        let waited_ms = i64::from(vehicle.waiting_ms) + settings.step_ms;
        let waited_beyond = |limit_ms: Option<i64>| limit_ms.is_some_and(|t| waited_ms > t);
        // At a gap of the route this time counts, however much longer than the others it is.
        let at_gap_ms = settings.time_to_teleport_disconnected_ms;
        if at_gap_ms.is_some() && self.is_disconnected(vehicle, lane) {
            return waited_beyond(at_gap_ms);
        }
        waited_beyond(settings.time_to_teleport_ms)
            || waited_beyond(settings.time_to_teleport_highways_ms) && self.is_wrong_on_highway(vehicle, lane)
    }

    /// The vehicle's route has a gap behind its edge (`time-to-teleport.disconnected`).
    fn is_disconnected(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        let l = self.world.network.lane(lane);
        !l.internal && self.world.network.edge(l.edge).lanes().all(|lane| !self.leads_on(vehicle, lane))
    }

    /// The lane of a fast road does not lead on along the vehicle's route (`time-to-teleport.highways`).
    fn is_wrong_on_highway(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        let l = self.world.network.lane(lane);
        !l.internal && l.speed_mps > self.world.settings.highway_min_speed_mps && !self.leads_on(vehicle, lane)
    }

    /// Whether a lane leads on along a vehicle's route.
    fn leads_on(&self, vehicle: &Vehicle, lane: LaneId) -> bool {
        self.plans.choice(&self.world, vehicle.plan, usize::from(vehicle.route_index), lane).continues
    }

    pub(super) fn teleport(&mut self, vehicle: Vehicle, lane: LaneId, own: bool, now_ms: i64) {
        let l = self.world.network.lane(lane);
        let cause = if !l.internal && !self.leads_on(&vehicle, lane) {
            TeleportCause::WrongLane
        } else if vehicle.is(flags::WAITS_AT_LINK) {
            TeleportCause::Yield
        } else {
            TeleportCause::Jam
        };
        self.take_off(vehicle, lane, cause, own, now_ms);
    }

    /// Takes a vehicle off its lane, to be put back further along its route.
    pub(in crate::sim) fn take_off(
        &mut self,
        mut vehicle: Vehicle,
        lane: LaneId,
        cause: TeleportCause,
        own: bool,
        now_ms: i64,
    ) {
        let world = std::sync::Arc::clone(&self.world);
        if own {
            match cause {
                TeleportCause::WrongLane => self.counts.teleports_wrong_lane += 1,
                TeleportCause::Yield => self.counts.teleports_yield += 1,
                TeleportCause::Jam => self.counts.teleports_jam += 1,
                TeleportCause::Collision => self.counts.collisions += 1,
            }
            self.report.teleports.push(Teleport { vehicle: vehicle.id, lane, cause });
            if !self.probes.is_idle() {
                self.probes.note(&world, lane, vehicle.vtype, LaneEvent::Teleported, now_ms);
            }
        }
        if world.settings.teleports_remove && cause != TeleportCause::Collision {
            self.vaporize(&vehicle, lane, Vaporized::Teleport, own, now_ms);
            return;
        }
        vehicle.set(flags::TELEPORTING, true);
        vehicle.waiting_ms = 0;
        vehicle.speed_mps = 0.0;
        vehicle.came_from = LaneId::NONE;
        vehicle.flags &= !flags::MESSAGES;
        self.go_on_beside(vehicle, now_ms);
    }

    /// Ends the trip of a vehicle that is taken out before its destination.
    pub(in crate::sim) fn vaporize(&mut self, vehicle: &Vehicle, lane: LaneId, why: Vaporized, own: bool, now_ms: i64) {
        if own && !self.probes.is_idle() {
            let world = std::sync::Arc::clone(&self.world);
            self.probes.note(&world, lane, vehicle.vtype, LaneEvent::Vaporized, now_ms);
        }
        self.arrive(vehicle, lane, own, now_ms);
        if own && let Some(trip) = self.report.arrivals.last_mut() {
            trip.vaporized = why;
        }
    }

    /// Moves a teleporting vehicle to the next edge of its route, or ends its trip.
    fn go_on_beside(&mut self, mut vehicle: Vehicle, now_ms: i64) {
        let world = std::sync::Arc::clone(&self.world);
        let route = self.plans.routes.edges(&world.demand, vehicle.route);
        let next = usize::from(vehicle.route_index) + 1;
        let here = route[next.min(route.len() - 1)];
        let edge = world.network.edge(here);
        if next >= route.len() {
            let own = self.scope.owned[edge.first_lane.index()];
            vehicle.pos_m = edge.length_m;
            self.arrive(&vehicle, edge.first_lane, own, now_ms);
            return;
        }
        vehicle.route_index = next as u16;
        let speed = world.network.lane(edge.first_lane).speed_mps.max(1.0);
        let ready_ms = now_ms + (edge.length_m / speed * 1000.0) as i64;
        vehicle.odometer_m += edge.length_m;
        self.scratch.entering_transfers.push((here, Transfer::new(vehicle, ready_ms)));
    }

    /// Teleporting vehicles that found no place go on along their route.
    pub(super) fn advance_transfers(&mut self, now_ms: i64) {
        let edges = std::mem::take(&mut self.scope.known_edges);
        for &edge in &edges {
            if self.transfers[edge.index()].is_empty() {
                continue;
            }
            let mut list = std::mem::take(&mut self.transfers[edge.index()]);
            list.retain(|transfer| {
                let goes_on = transfer.vehicle.is(flags::TELEPORTING) && now_ms >= transfer.ready_ms;
                if goes_on {
                    self.go_on_beside(transfer.vehicle, now_ms);
                }
                !goes_on
            });
            self.transfers[edge.index()] = list;
        }
        self.scope.known_edges = edges;
        for (edge, transfer) in self.scratch.entering_transfers.drain(..) {
            let list = &mut self.transfers[edge.index()];
            let at = list.partition_point(|t| t.vehicle.id < transfer.vehicle.id);
            list.insert(at, transfer);
        }
        let Self { world, scope, transfers, busy_transfers, .. } = self;
        let is_own = |e: &EdgeId| scope.owned[world.network.edge(*e).first_lane.index()];
        let is_busy = |e: &EdgeId| !transfers[e.index()].is_empty() && is_own(e);
        busy_transfers.clear();
        busy_transfers.extend(scope.own_edges.iter().copied().filter(is_busy));
    }
}
