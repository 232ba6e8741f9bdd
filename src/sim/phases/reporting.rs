//! What a partition tells of a step.

use crate::ids::LaneId;

use crate::sim::partition::{Partition, ReportOptions};
use crate::sim::prefetch::{Ahead, prefetch_head};
use crate::sim::report::{FcdRecord, StepReport, micro};
use crate::sim::vehicle::{HALTING_SPEED, Vehicle, flags};

impl Partition {
    pub(in crate::sim) fn finish_report(&mut self, now_ms: i64, options: ReportOptions, report: &mut StepReport) {
        let mut counts = self.counts;
        counts.waiting = self.departures.waiting();
        counts.loaded = self.departures.loaded();
        let world = &self.world;
        let own_lanes = &self.scope.own_lanes;
        let coming = Ahead::new(own_lanes, world.network.lanes.len());
        for (at, &lane) in own_lanes.iter().enumerate() {
            if let Some(&soon) = coming.get(at + 24)
                && !self.lanes.vehicles.is_empty(soon)
            {
                self.lanes.vehicles.prefetch(soon);
                prefetch_head(&world.network.lanes, soon.index());
            }
            if self.lanes.vehicles.is_empty(lane) {
                continue;
            }
            // Inside a junction the limit of the road before it counts, as in SUMO.
            let l = world.network.lane(lane);
            let road =
                if l.internal && l.entry.is_some() { world.network.lane(world.network.link(l.entry).from) } else { l };
            let limit_mps = road.speed_mps;
            for v in self.lanes.on(lane) {
                counts.running += 1;
                counts.halting += u64::from(v.speed_mps < HALTING_SPEED);
                if v.is(flags::STOPPED) {
                    counts.stopped += 1;
                    continue;
                }
                counts.speed_um += micro(v.speed_mps);
                counts.relative_speed_millionths += micro(v.speed_mps / limit_mps.max(HALTING_SPEED));
            }
        }
        for edge in &self.busy_transfers {
            let here = &self.transfers[edge.index()];
            counts.running += here.len() as u64;
            counts.stopped += here.iter().filter(|t| !t.vehicle.is(flags::TELEPORTING)).count() as u64;
        }
        report.counts = counts;
        self.report_standstill(&counts, report);
        if options.fcd {
            let record = |lane: LaneId, v: &Vehicle| FcdRecord {
                vehicle: v.id,
                lane,
                pos_m: v.pos_m,
                speed_mps: v.speed_mps,
                accel_mps2: v.accel_mps2,
                waiting_ms: v.waiting_ms,
                odometer_m: v.odometer_m,
                time_loss_s: v.time_loss_s,
            };
            for &lane in &self.scope.own_lanes {
                report.fcd.extend(self.lanes.on(lane).iter().map(|v| record(lane, v)));
            }
            let beside = self.busy_transfers.iter().flat_map(|edge| &self.transfers[edge.index()]);
            let parked = beside.map(|transfer| &transfer.vehicle).filter(|v| !v.is(flags::TELEPORTING));
            report.fcd.extend(parked.map(|v| record(v.came_from, v)));
        }
        if !self.probes.is_idle() {
            self.probes.report(&self.world, &self.scope.known_lanes, now_ms, report);
        }
        self.report_signals(report);
        self.report_for_routing(now_ms, report);
        if options.digest {
            report.digest = self.digest().0;
        }
    }
}
