//! What a partition tells of trips, finished ones and at the end of a run those that are not, and of signals.

use crate::ids::{EdgeId, LaneId};

use super::partition::Partition;
use super::report::{ReplacedRoute, ShownSignal, StepReport, TripRecord, Vaporized};
use super::vehicle::{Vehicle, flags};
use super::world::World;

/// What is known of a trip while it is under way; the arrival is left open.
pub(super) fn trip_so_far(world: &World, vehicle: &Vehicle) -> TripRecord {
    let depart_ms = i64::from(vehicle.depart_ms);
    TripRecord {
        vehicle: vehicle.id,
        depart_ms,
        depart_lane: vehicle.depart_lane,
        depart_pos_m: f64::from(vehicle.depart_pos_m),
        depart_speed_mps: f64::from(vehicle.depart_speed_mps),
        depart_delay_ms: depart_ms - world.demand.departures[vehicle.id.index()].depart_ms,
        arrival_ms: -1,
        arrival_lane: LaneId::NONE,
        arrival_pos_m: -1.0,
        arrival_speed_mps: -1.0,
        route_length_m: vehicle.odometer_m,
        waiting_ms: i64::from(vehicle.waiting_total_ms),
        waiting_count: u32::from(vehicle.waiting_count),
        stop_ms: i64::from(vehicle.stop_total_ms),
        time_loss_s: vehicle.time_loss_s,
        reroute_count: u32::from(vehicle.reroutes),
        speed_factor: f64::from(vehicle.speed_factor),
        edges: Vec::new(),
        vaporized: Vaporized::No,
    }
}

impl Partition {
    /// The edges of a vehicle's route, if they are to be told.
    pub(super) fn told_route(&self, vehicle: &Vehicle) -> Vec<EdgeId> {
        if self.world.measures.events.routes { self.route(vehicle.route).to_vec() } else { Vec::new() }
    }

    /// Notes that a vehicle on an own road is about to get another route.
    pub(super) fn note_replaced(&mut self, vehicle: &Vehicle, ordered: bool) {
        if self.world.measures.events.routes {
            let edges = self.told_route(vehicle);
            let (at_index, time_ms) = (vehicle.route_index, self.now_ms());
            self.ordered.replaced_routes.push(ReplacedRoute { vehicle: vehicle.id, edges, at_index, time_ms, ordered });
        }
    }

    /// What the recorded signals show in this step; each is told of by who owns it.
    pub(super) fn report_signals(&self, report: &mut StepReport) {
        for &signal in &self.world.measures.signals {
            if !self.scope.owns_signal(&self.world.network, signal) || report.signals.iter().any(|s| s.signal == signal)
            {
                continue;
            }
            report.signals.push(match self.signals.fixed.get(&signal) {
                Some(aspects) => ShownSignal { signal, phase: None, aspects: aspects.clone() },
                None => {
                    let state = &self.signals.states[signal.index()];
                    ShownSignal { signal, phase: Some((state.program, state.phase)), aspects: Vec::new() }
                }
            });
        }
    }

    /// The trips of own vehicles that are under way, in no particular order.
    pub fn unfinished(&self) -> Vec<TripRecord> {
        let on_lanes = self.scope.own_lanes.iter().flat_map(|l| self.lanes.on(*l));
        let beside = self.busy_transfers.iter().flat_map(|e| &self.transfers[e.index()]).map(|t| &t.vehicle);
        let trip =
            |vehicle: &Vehicle| TripRecord { edges: self.told_route(vehicle), ..trip_so_far(&self.world, vehicle) };
        let with_parking = |vehicle: &Vehicle| {
            let trip = trip(vehicle);
            let parked_ms = if vehicle.is(flags::TELEPORTING) { 0 } else { self.now_ms() - i64::from(vehicle.stop_ms) };
            TripRecord { stop_ms: trip.stop_ms + parked_ms, ..trip }
        };
        on_lanes.map(trip).chain(beside.map(with_parking)).collect()
    }

    /// Sum of the delays of vehicles that wait for their insertion, ms.
    pub fn waiting_delay_ms(&self) -> i64 {
        let now_ms = self.now_ms();
        let mut sum = 0;
        self.departures.each_waiting(|v| sum += now_ms - self.world.demand.departures[v.index()].depart_ms);
        sum
    }
}
