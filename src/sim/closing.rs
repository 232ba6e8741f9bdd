//! What a partition tells of trips: finished ones, and at the end of a run those that are not.

use crate::ids::LaneId;

use super::partition::Partition;
use super::report::TripRecord;
use super::vehicle::Vehicle;
use super::world::World;

/// What is known of a trip while it is under way; the arrival is left open.
pub(super) fn trip_so_far(world: &World, vehicle: &Vehicle) -> TripRecord {
    let depart_ms = i64::from(vehicle.depart_ms);
    TripRecord {
        vehicle: vehicle.id,
        depart_ms,
        depart_lane: vehicle.depart_lane,
        depart_pos_m: f64::from(vehicle.depart_pos),
        depart_speed_mps: f64::from(vehicle.depart_speed),
        depart_delay_ms: depart_ms - world.demand.departures[vehicle.id.index()].depart_ms,
        arrival_ms: -1,
        arrival_lane: LaneId::NONE,
        arrival_pos_m: -1.0,
        arrival_speed_mps: -1.0,
        route_length_m: vehicle.odometer,
        waiting_ms: i64::from(vehicle.waiting_total_ms),
        waiting_count: u32::from(vehicle.waiting_count),
        stop_ms: i64::from(vehicle.stop_total_ms),
        time_loss_s: vehicle.time_loss,
        reroute_count: u32::from(vehicle.reroutes),
        speed_factor: f64::from(vehicle.speed_factor),
    }
}

impl Partition {
    /// The trips of own vehicles that are under way, in no particular order.
    pub fn unfinished(&self) -> Vec<TripRecord> {
        let on_lanes = self.scope.own_lanes.iter().flat_map(|l| self.lanes.on(*l));
        let beside = self.busy_transfers.iter().flat_map(|e| &self.transfers[e.index()]).map(|t| &t.vehicle);
        on_lanes.chain(beside).map(|vehicle| trip_so_far(&self.world, vehicle)).collect()
    }

    /// Sum of the delays of vehicles that wait for their insertion, ms.
    pub fn waiting_delay_ms(&self) -> i64 {
        let now_ms = self.now_ms();
        let mut sum = 0;
        self.departures.each_waiting(|v| sum += now_ms - self.world.demand.departures[v.index()].depart_ms);
        sum
    }
}
