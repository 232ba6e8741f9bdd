//! What a partition tells when nothing on its roads moves: whether that can change by itself, and which vehicles wait for
//! whom. Who sees the reports of all partitions can tell from that whether the run makes progress.

use crate::ids::LaneId;

use crate::sim::partition::Partition;
use crate::sim::report::{Counts, Standing, StepReport, WaitsFor};
use crate::sim::vehicle::{Vehicle, flags};

/// Standing vehicles are named every so many steps.
pub const NAMED_EVERY_STEPS: u64 = 16;
/// How many vehicles are named, of a partition and in all.
pub const NAMED: usize = 8;

impl Partition {
    /// Fills in what the report of a step tells of a standstill.
    pub(in crate::sim) fn report_standstill(&self, counts: &Counts, report: &mut StepReport) {
        let is_eventful = !report.departed.is_empty()
            || !report.arrivals.is_empty()
            || !report.teleports.is_empty()
            || !report.discards.is_empty()
            || !report.removals.is_empty()
            || report.orders_met > 0;
        report.is_still = counts.speed_um == 0
            && counts.stopped == 0
            && !is_eventful
            && self.busy_transfers.is_empty()
            && self.departures.have_all_come();
        if report.is_still && self.steps.is_multiple_of(NAMED_EVERY_STEPS) {
            self.name_standing(&mut report.standing);
        }
    }

    /// The foremost vehicles of their lanes and of the queues of those that wait to depart, those with the lowest ids.
    fn name_standing(&self, all: &mut Vec<Standing>) {
        let first_of = |lane: &LaneId| self.lanes.on(*lane).first().map(|vehicle| (*lane, vehicle));
        let on_road = self.scope.own_lanes.iter().filter_map(first_of).map(|(lane, vehicle)| Standing {
            vehicle: vehicle.id,
            lane,
            waits_for: self.blocker_of(vehicle, lane),
        });
        let waiting = self.departures.first_waiting().map(|(edge, vehicle)| Standing {
            vehicle,
            lane: self.world.network.edge(edge).first_lane,
            waits_for: WaitsFor::Departure,
        });
        all.extend(on_road.chain(waiting));
        all.sort_unstable_by_key(|standing| standing.vehicle);
        all.truncate(NAMED);
    }

    /// What the foremost vehicle of a lane waits for.
    fn blocker_of(&self, vehicle: &Vehicle, lane: LaneId) -> WaitsFor {
        let network = &self.world.network;
        let link = vehicle.own_link(network.lane(lane));
        if link.is_none() {
            return WaitsFor::LaneEnd;
        }
        if vehicle.is(flags::WAITS_AT_LINK) {
            return WaitsFor::Junction;
        }
        let link = network.link(link);
        let ahead = [link.next, link.to].into_iter().find_map(|lane| self.lanes.on(lane).last());
        ahead.map_or(WaitsFor::Junction, |leader| WaitsFor::Vehicle(leader.id))
    }
}
