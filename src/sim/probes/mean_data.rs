//! Sums per lane and interval: `edgeData`, `laneData` and loops over all vehicles of some types.

use serde::{Deserialize, Serialize};

use crate::ids::{LaneId, TypeId};
use crate::sim::edited::Renumbering;
use crate::sim::report::{IntervalReport, LaneStats, StepReport, micro};
use crate::sim::settings::Settings;
use crate::sim::validation::is_time;
use crate::sim::world::World;

use super::{LaneEvent, MeanDataSpec, Passage, Probe};

#[derive(Clone, Debug)]
struct MeanData {
    request: u32,
    begin_ms: i64,
    stats: Vec<LaneStats>,
}

/// The running intervals of a partition.
#[derive(Clone, Debug, Default)]
pub struct MeanDataProbe {
    running: Vec<MeanData>,
}

type SavedLanes = Vec<(LaneId, LaneStats)>;

/// Open intervals: by request its begin and the lanes that saw a vehicle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedMeanData(Vec<(u32, i64, SavedLanes)>);

impl SavedMeanData {
    /// Whether these are intervals of so many requests, on lanes that there are.
    pub(super) fn fit(&self, requests: usize, is_lane: impl Fn(LaneId) -> bool) -> bool {
        let is_interval = |(at, (request, begin_ms, lanes)): (usize, &(u32, i64, SavedLanes))| {
            *request as usize == at
                && is_time(*begin_ms)
                && lanes.iter().all(|(lane, stats)| is_lane(*lane) && stats.are_plausible())
        };
        self.0.len() == requests && self.0.iter().enumerate().all(is_interval)
    }

    /// Names lanes as in another network; what was measured on lanes that were taken out is gone.
    pub(super) fn renumber(&mut self, to: &Renumbering<'_>) {
        for (_, _, lanes) in &mut self.0 {
            lanes.iter_mut().for_each(|(lane, _)| *lane = to.lane(*lane));
            lanes.retain(|(lane, _)| lane.is_some());
        }
    }
}

impl MeanDataProbe {
    pub fn new(world: &World) -> Self {
        let settings = &world.settings;
        let interval = |(i, spec): (usize, &MeanDataSpec)| MeanData {
            request: i as u32,
            begin_ms: spec.begin_ms.unwrap_or(settings.begin_ms).max(settings.begin_ms),
            stats: vec![LaneStats::default(); world.network.lanes.len()],
        };
        Self { running: world.measures.mean_data.iter().enumerate().map(interval).collect() }
    }

    pub fn save(&self) -> SavedMeanData {
        let seen = |m: &MeanData| {
            let stats = m.stats.iter().enumerate().filter(|(_, s)| **s != LaneStats::default());
            stats.map(|(i, s)| (LaneId::new(i), *s)).collect()
        };
        SavedMeanData(self.running.iter().map(|m| (m.request, m.begin_ms, seen(m))).collect())
    }

    /// Adds what was measured on the lanes that are wanted.
    pub fn take(&mut self, saved: &SavedMeanData, wants: impl Fn(LaneId) -> bool) {
        for (m, (_, begin_ms, lanes)) in self.running.iter_mut().zip(&saved.0) {
            m.begin_ms = *begin_ms;
            for (lane, stats) in lanes.iter().filter(|(lane, _)| wants(*lane)) {
                m.stats[lane.index()] += *stats;
            }
        }
    }

    /// Applies `change` to the statistics of a lane in every running interval that counts the type.
    fn update(&mut self, world: &World, lane: LaneId, vtype: u16, now_ms: i64, change: impl Fn(&mut LaneStats)) {
        for m in &mut self.running {
            let request = &world.measures.mean_data[m.request as usize];
            if running(request, &world.settings, now_ms) && counts(&request.vtypes, vtype) {
                change(&mut m.stats[lane.index()]);
            }
        }
    }

    /// Ends the intervals that are over with the step at `now_ms`; all of them when the run is.
    pub fn finish(&mut self, world: &World, lanes: &[LaneId], now_ms: i64, last: bool) -> Vec<IntervalReport> {
        let end_ms = now_ms + world.settings.step_ms;
        let mut intervals = Vec::new();
        for m in &mut self.running {
            let request = &world.measures.mean_data[m.request as usize];
            let planned = request.period_ms.map(|p| m.begin_ms + p);
            let over = planned.is_some_and(|e| end_ms >= e) || request.end_ms.is_some_and(|e| end_ms >= e);
            let finished = request.end_ms.is_some_and(|e| m.begin_ms >= e);
            if (over || last) && end_ms > m.begin_ms && !finished {
                let until = planned.map_or(end_ms, |p| p.min(end_ms));
                let lanes = lanes
                    .iter()
                    .filter(|l| m.stats[l.index()] != LaneStats::default())
                    .map(|l| (*l, m.stats[l.index()]))
                    .collect();
                intervals.push(IntervalReport { request: m.request, begin_ms: m.begin_ms, end_ms: until, lanes });
                m.stats.fill(LaneStats::default());
                m.begin_ms = until;
            }
        }
        intervals
    }
}

impl Probe for MeanDataProbe {
    #[inline]
    fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    fn pass(&mut self, world: &World, p: &Passage, now_ms: i64) {
        for m in &mut self.running {
            let request = &world.measures.mean_data[m.request as usize];
            if !running(request, &world.settings, now_ms) || !counts(&request.vtypes, p.vtype) {
                continue;
            }
            let s = &mut m.stats[p.lane.index()];
            s.sampled_us += micro(p.time_s);
            s.distance_um += micro(p.speed * p.time_s);
            if p.speed < request.waiting_speed_mps && !p.stopped {
                s.waiting_ms += (p.time_s * 1000.0) as i64;
            }
            if p.allowed > 0.0 {
                if !p.stopped {
                    s.time_loss_us += micro(p.time_s * (p.allowed - p.speed).max(0.0) / p.allowed);
                }
                s.relative_speed_us += micro(p.time_s * p.speed / p.allowed);
            }
            s.length_um_s += micro(p.length_m * p.time_s);
            let covered = |front: f64| front.min(p.length_m).max(0.0);
            s.occupied_um_s += micro(0.5 * (covered(p.from_m) + covered(p.to_m)) * p.time_s);
            s.entered += u32::from(p.entered);
            s.left += u32::from(p.left);
        }
    }

    fn overhang(&mut self, world: &World, lane: LaneId, p: &Passage, now_ms: i64) {
        let length = p.length_m;
        let (from, to) = (p.from_m.max(0.0), p.to_m.min(length));
        let driven = p.to_m - p.from_m;
        let time_s = if driven > 0.0 { p.time_s * (to - from) / driven } else { p.time_s };
        let covered_m = length - 0.5 * (from + to);
        self.update(world, lane, p.vtype, now_ms, |s| {
            s.tail_us += micro(time_s);
            s.tail_distance_um += micro(to - from);
            s.length_um_s += micro(length * time_s);
            s.occupied_um_s += micro(covered_m * time_s);
        });
    }

    fn note(&mut self, world: &World, lane: LaneId, vtype: u16, event: LaneEvent, now_ms: i64) {
        self.update(world, lane, vtype, now_ms, |s| {
            let count = match event {
                LaneEvent::Departed => &mut s.departed,
                LaneEvent::Arrived => &mut s.arrived,
                LaneEvent::Teleported => &mut s.teleported,
                LaneEvent::Vaporized => &mut s.vaporized,
                LaneEvent::ChangedFrom => &mut s.lane_changed_from,
                LaneEvent::ChangedTo => &mut s.lane_changed_to,
            };
            *count += 1;
        });
    }

    fn report(&mut self, world: &World, lanes: &[LaneId], now_ms: i64, report: &mut StepReport) {
        report.intervals = self.finish(world, lanes, now_ms, false);
    }
}

fn running(request: &MeanDataSpec, settings: &Settings, now_ms: i64) -> bool {
    now_ms >= request.begin_ms.unwrap_or(settings.begin_ms) && request.end_ms.is_none_or(|e| now_ms < e)
}

fn counts(types: &[TypeId], vtype: u16) -> bool {
    types.is_empty() || types.iter().any(|t| t.0 == u32::from(vtype))
}
