//! Counting and averaging on the own lanes of a partition, and what detectors see of single vehicles.

use serde::{Deserialize, Serialize};

use crate::ids::{LaneId, VehicleId};

use super::edited::Renumbering;
use super::measure_spec::MeanDataSpec;
use super::report::{IntervalReport, LanePassage, LaneStats, micro};
use super::settings::Settings;
use super::validation::is_time;
use super::vehicle::{Vehicle, flags};
use super::world::World;

/// By how much vehicles are followed farther than detectors look, metres: what they compute may be rounded.
const FOLLOW_MARGIN_M: f64 = 1.0;

/// How a vehicle used one lane during one step.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    pub lane: LaneId,
    /// Front at the beginning and the end of the passage, metres along the lane.
    pub from_m: f64,
    pub to_m: f64,
    /// Seconds on the lane in this step.
    pub time_s: f64,
    pub speed: f64,
    /// Allowed speed for this vehicle, m/s.
    pub allowed: f64,
    /// It stands at a stop: it neither waits nor loses time.
    pub stopped: bool,
    pub length_m: f64,
    pub vtype: u16,
    pub vehicle: VehicleId,
    pub entered: bool,
    pub left: bool,
}

#[derive(Clone, Debug)]
struct MeanData {
    request: u32,
    begin_ms: i64,
    stats: Vec<LaneStats>,
}

/// The running intervals of a partition.
#[derive(Clone, Debug, Default)]
pub struct Measures {
    mean_data: Vec<MeanData>,
    /// By lane: where single vehicles are followed, metres from its start; empty when they are followed on no lane.
    watched: Vec<[f64; 2]>,
    /// Of the present step.
    passages: Vec<LanePassage>,
}

type SavedLanes = Vec<(LaneId, LaneStats)>;

/// Open intervals: by request its begin and the lanes that saw a vehicle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedMeasures {
    mean_data: Vec<(u32, i64, SavedLanes)>,
}

impl SavedMeasures {
    /// Whether these are intervals of so many requests, on lanes that there are.
    pub(super) fn fit(&self, requests: usize, is_lane: impl Fn(LaneId) -> bool) -> bool {
        let is_interval = |(at, (request, begin_ms, lanes)): (usize, &(u32, i64, SavedLanes))| {
            *request as usize == at
                && is_time(*begin_ms)
                && lanes.iter().all(|(lane, stats)| is_lane(*lane) && stats.are_plausible())
        };
        self.mean_data.len() == requests && self.mean_data.iter().enumerate().all(is_interval)
    }

    /// Names lanes as in another network; what was measured on lanes that were taken out is gone.
    pub(super) fn renumber(&mut self, to: &Renumbering<'_>) {
        for (_, _, lanes) in &mut self.mean_data {
            lanes.iter_mut().for_each(|(lane, _)| *lane = to.lane(*lane));
            lanes.retain(|(lane, _)| lane.is_some());
        }
    }
}

impl Measures {
    /// Vehicles are followed on all lanes with detectors: one on an own lane may reach back to a lane of another partition.
    pub fn new(world: &World) -> Self {
        let spec = &world.measures;
        let settings = &world.settings;
        let mean_data = spec
            .mean_data
            .iter()
            .enumerate()
            .map(|(i, r)| MeanData {
                request: i as u32,
                begin_ms: r.begin_ms.unwrap_or(settings.begin_ms).max(settings.begin_ms),
                stats: vec![LaneStats::default(); world.network.lanes.len()],
            })
            .collect();
        let mut watched = Vec::new();
        for &(lane, [from_m, to_m]) in &spec.stretches {
            watched.resize(world.network.lanes.len(), [f64::INFINITY, f64::NEG_INFINITY]);
            let [first_m, last_m] = &mut watched[lane.index()];
            (*first_m, *last_m) = (first_m.min(from_m), last_m.max(to_m));
        }
        Self { mean_data, watched, passages: Vec::new() }
    }

    /// Gives out what was seen of single vehicles in this step, in exchange for an empty list.
    pub fn swap_passages(&mut self, passages: &mut Vec<LanePassage>) {
        std::mem::swap(&mut self.passages, passages);
    }

    /// Notes a vehicle that is on a lane, or whose rear is, if it is on a watched stretch at some time of the step; `to_m` is
    /// where its front is after the step.
    #[inline]
    fn follow(&mut self, lane: LaneId, p: &Passage, to_m: f64, dt: f64) {
        let Some([first_m, last_m]) = self.watched.get(lane.index()) else { return };
        let from_m = to_m - p.speed * dt;
        if to_m < first_m - FOLLOW_MARGIN_M || from_m - p.length_m > last_m + FOLLOW_MARGIN_M {
            return;
        }
        self.passages.push(LanePassage {
            lane,
            vehicle: p.vehicle,
            from_m,
            to_m,
            speed_mps: p.speed,
            allowed_mps: p.allowed,
        });
    }

    pub fn save(&self) -> SavedMeasures {
        let seen = |m: &MeanData| {
            let stats = m.stats.iter().enumerate().filter(|(_, s)| **s != LaneStats::default());
            stats.map(|(i, s)| (LaneId::new(i), *s)).collect()
        };
        SavedMeasures { mean_data: self.mean_data.iter().map(|m| (m.request, m.begin_ms, seen(m))).collect() }
    }

    /// Adds what was measured on the lanes that are wanted.
    pub fn take(&mut self, saved: &SavedMeasures, wants: impl Fn(LaneId) -> bool) {
        for (m, (_, begin_ms, lanes)) in self.mean_data.iter_mut().zip(&saved.mean_data) {
            m.begin_ms = *begin_ms;
            for (lane, stats) in lanes.iter().filter(|(lane, _)| wants(*lane)) {
                m.stats[lane.index()] += *stats;
            }
        }
    }

    /// Nothing is to be measured.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.mean_data.is_empty() && self.watched.is_empty()
    }

    /// Applies `change` to the statistics of a lane in every running interval that counts the type.
    pub fn update(&mut self, world: &World, lane: LaneId, vtype: u16, now_ms: i64, change: impl Fn(&mut LaneStats)) {
        for m in &mut self.mean_data {
            let request = &world.measures.mean_data[m.request as usize];
            if running(request, &world.settings, now_ms) && counts(&request.vtypes, vtype) {
                change(&mut m.stats[lane.index()]);
            }
        }
    }

    /// A vehicle drove (or stood) on an own lane.
    pub fn pass(&mut self, world: &World, p: &Passage, now_ms: i64) {
        for m in &mut self.mean_data {
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
        self.follow(p.lane, p, p.to_m, world.dt);
    }

    /// A body hangs over the end of a lane: its front is `from_m` to `to_m` beyond the end in this step.
    pub fn overhang(&mut self, world: &World, lane: LaneId, p: &Passage, now_ms: i64) {
        let length = p.length_m;
        let (from, to) = (p.from_m.max(0.0), p.to_m.min(length));
        if p.from_m >= length || to < from {
            return;
        }
        // A vehicle whose front was on the lane in this step has been seen there.
        if p.from_m >= 0.0 {
            self.follow(lane, p, p.to_m + world.network.lane(lane).length_m, world.dt);
        }
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

    /// Ends the intervals that are over with the step at `now_ms`; all of them when the run is.
    pub fn finish(&mut self, world: &World, lanes: &[LaneId], now_ms: i64, last: bool) -> Vec<IntervalReport> {
        let end_ms = now_ms + world.settings.step_ms;
        let mut intervals = Vec::new();
        for m in &mut self.mean_data {
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

fn running(request: &MeanDataSpec, settings: &Settings, now_ms: i64) -> bool {
    now_ms >= request.begin_ms.unwrap_or(settings.begin_ms) && request.end_ms.is_none_or(|e| now_ms < e)
}

fn counts(types: &[crate::ids::TypeId], vtype: u16) -> bool {
    types.is_empty() || types.iter().any(|t| t.0 == u32::from(vtype))
}

/// The passage of a vehicle that stays on its lane the whole step.
#[inline]
pub fn stay(vehicle: &Vehicle, lane: LaneId, from_m: f64, speed: f64, allowed: f64, length_m: f64, dt: f64) -> Passage {
    Passage {
        lane,
        from_m,
        to_m: vehicle.pos_m,
        time_s: dt,
        speed,
        allowed,
        stopped: vehicle.is(flags::STOPPED),
        length_m,
        vtype: vehicle.vtype,
        vehicle: vehicle.id,
        entered: false,
        left: false,
    }
}
