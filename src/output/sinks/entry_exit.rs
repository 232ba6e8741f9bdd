//! Files of `entryExitDetector` (E3): vehicles on their way from an entry to an exit.
//!
//! The measures are those of SUMO's manual ("Multi-Entry-Exit Detectors (E3)"); times are interpolated within a step. The mean
//! speed is over the time in which any part of a vehicle is inside, and time that is lost at stops does not count.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::area_detector::on_lane;
use super::{restore_states, save_states};
use crate::ids::VehicleId;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::scenario::EntryExitRequest;
use crate::sim::NewVehicle;
use crate::sim::report::{FcdRecord, LanePassage};

/// One file; several detectors may share it.
pub struct EntryExits {
    names: Names,
    detectors: Vec<(EntryExitRequest, State)>,
    step_ms: i64,
}

/// What is remembered between steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    begin_ms: i64,
    inside: BTreeMap<VehicleId, Inside>,
    left: Vec<Left>,
}

/// What a vehicle had driven and lost at some time.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Mark {
    time_s: f64,
    odometer_m: f64,
    loss_s: f64,
    halts: u32,
}

/// A vehicle that has entered.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Inside {
    entry: Mark,
    /// When the interval began, if it was inside then.
    interval: Mark,
    /// When its front reached an exit, s.
    front_out_s: Option<f64>,
    slow_ms: i64,
    halts: u32,
    odometer_m: f64,
    loss_s: f64,
}

/// A vehicle that has left.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Left {
    travel_s: f64,
    overlap_s: f64,
    speed_mps: f64,
    halts: u32,
    loss_s: f64,
}

impl EntryExits {
    /// The file of the given detectors.
    pub fn new<'r>(
        names: Names,
        requests: impl Iterator<Item = &'r EntryExitRequest>,
        begin_ms: i64,
        step_ms: i64,
    ) -> Self {
        let state = State { begin_ms, ..State::default() };
        Self { names, detectors: requests.map(|request| (request.clone(), state.clone())).collect(), step_ms }
    }

    /// Brings vehicles inside to the end of the step; those that are gone for other reasons than leaving are forgotten.
    fn follow(request: &EntryExitRequest, state: &mut State, step: &MergedStep, step_ms: i64) {
        for (vehicle, inside) in &mut state.inside {
            // Parked vehicles are on no lane and stay inside.
            let Ok(at) = step.fcd.binary_search_by_key(vehicle, |record| record.vehicle) else { continue };
            let FcdRecord { speed_mps, odometer_m, time_loss_s, .. } = step.fcd[at];
            (inside.odometer_m, inside.loss_s) = (odometer_m, time_loss_s);
            if speed_mps < request.halt.speed_mps {
                let before_ms = inside.slow_ms;
                inside.slow_ms += step_ms;
                let threshold_ms = request.halt.time_ms;
                inside.halts += u32::from(before_ms <= threshold_ms && inside.slow_ms > threshold_ms);
            } else {
                inside.slow_ms = 0;
            }
        }
        for trip in step.arrivals.iter().chain(&step.removals) {
            if let Some(inside) = state.inside.remove(&trip.vehicle)
                && request.expect_arrival
            {
                let time_s = step.time_ms as f64 / 1e3;
                let end = Inside { odometer_m: trip.route_length_m, loss_s: trip.time_loss_s, ..inside };
                state.left.push(end.left(time_s, time_s, 0.0));
            }
        }
        for teleport in &step.teleports {
            state.inside.remove(&teleport.vehicle);
        }
    }

    fn step(names: &Names, request: &EntryExitRequest, state: &mut State, step: &MergedStep, step_ms: i64) {
        let began_s = (step.time_ms - step_ms) as f64 / 1e3;
        let counts =
            |p: &&LanePassage| request.vtypes.is_empty() || request.vtypes.contains(&names.departure(p.vehicle).vtype);
        let at_s = |p: &LanePassage, pos_m: f64| began_s + (pos_m - p.from_m) / p.speed_mps;
        for &(lane, pos_m) in &request.entries {
            for passage in on_lane(&step.passages, lane).iter().filter(counts) {
                if passage.from_m <= pos_m && passage.to_m > pos_m && !state.inside.contains_key(&passage.vehicle) {
                    let found = step.fcd.binary_search_by_key(&passage.vehicle, |record| record.vehicle);
                    let (odometer_m, loss_s) =
                        found.map_or((0.0, 0.0), |at| (step.fcd[at].odometer_m, step.fcd[at].time_loss_s));
                    let entry = Mark {
                        time_s: at_s(passage, pos_m),
                        odometer_m: odometer_m - (passage.to_m - pos_m),
                        loss_s,
                        halts: 0,
                    };
                    state.inside.insert(passage.vehicle, Inside { entry, interval: entry, ..Inside::default() });
                }
            }
        }
        Self::follow(request, state, step, step_ms);
        for &(lane, pos_m) in &request.exits {
            for passage in on_lane(&step.passages, lane).iter().filter(counts) {
                let Some(inside) = state.inside.get_mut(&passage.vehicle) else { continue };
                if passage.from_m <= pos_m && passage.to_m > pos_m {
                    inside.front_out_s = Some(at_s(passage, pos_m));
                }
                let length_m = names.vehicle_type(passage.vehicle).length_m;
                if passage.to_m - length_m > pos_m
                    && passage.from_m - length_m <= pos_m
                    && let Some(front_out_s) = inside.front_out_s
                {
                    let beyond_m = passage.to_m - length_m - pos_m;
                    state.left.push(inside.left(front_out_s, at_s(passage, pos_m + length_m), beyond_m));
                    state.inside.remove(&passage.vehicle);
                }
            }
        }
    }

    fn write(request: &EntryExitRequest, state: &mut State, end_ms: i64, out: &mut Document) {
        let end_s = end_ms as f64 / 1e3;
        let State { begin_ms, inside, left } = state;
        let mean = |of: &dyn Fn(&Left) -> f64| {
            (!left.is_empty()).then(|| left.iter().map(of).sum::<f64>() / left.len() as f64)
        };
        let within = |of: &dyn Fn(&Inside) -> f64| {
            (!inside.is_empty()).then(|| inside.values().map(of).sum::<f64>() / inside.len() as f64)
        };
        let speed = |inside: &Inside, since: &Mark| {
            let (way_m, time_s) = (inside.odometer_m - since.odometer_m, end_s - since.time_s);
            if time_s > 0.0 { way_m / time_s } else { 0.0 }
        };
        Tag::new(out, 1, "interval")
            .time("begin", *begin_ms)
            .time("end", end_ms)
            .text("id", &request.name)
            .known("meanTravelTime", mean(&|left| left.travel_s))
            .known("meanOverlapTravelTime", mean(&|left| left.overlap_s))
            .known("meanSpeed", mean(&|left| left.speed_mps))
            .known("meanHaltsPerVehicle", mean(&|left| f64::from(left.halts)))
            .known("meanTimeLoss", mean(&|left| left.loss_s))
            .count("vehicleSum", left.len() as u64)
            .known("meanSpeedWithin", within(&|inside| speed(inside, &inside.entry)))
            .known("meanHaltsPerVehicleWithin", within(&|inside| f64::from(inside.halts)))
            .known("meanDurationWithin", within(&|inside| end_s - inside.entry.time_s))
            .count("vehicleSumWithin", inside.len() as u64)
            .known("meanIntervalSpeedWithin", within(&|inside| speed(inside, &inside.interval)))
            .known(
                "meanIntervalHaltsPerVehicleWithin",
                within(&|inside| f64::from(inside.halts - inside.interval.halts)),
            )
            .known("meanIntervalDurationWithin", within(&|inside| end_s - inside.interval.time_s))
            .known("meanTimeLossWithin", within(&|inside| inside.loss_s - inside.interval.loss_s))
            .empty();
        *begin_ms = end_ms;
        left.clear();
        for now in inside.values_mut() {
            let Inside { odometer_m, loss_s, halts, .. } = *now;
            now.interval = Mark { time_s: end_s, odometer_m, loss_s, halts };
        }
    }
}

impl Inside {
    /// `beyond_m`: how far the back is beyond the exit at the end of the step.
    fn left(&self, front_out_s: f64, back_out_s: f64, beyond_m: f64) -> Left {
        let overlap_s = back_out_s - self.entry.time_s;
        let way_m = self.odometer_m - self.entry.odometer_m - beyond_m;
        Left {
            travel_s: front_out_s - self.entry.time_s,
            overlap_s,
            speed_mps: if overlap_s > 0.0 { way_m / overlap_s } else { 0.0 },
            halts: self.halts,
            loss_s: self.loss_s - self.entry.loss_s,
        }
    }
}

impl Sink for EntryExits {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        let means = ["meanTravelTime", "meanOverlapTravelTime", "meanSpeed", "meanHaltsPerVehicle", "meanTimeLoss"];
        let of_interval = [
            "meanIntervalSpeedWithin",
            "meanIntervalHaltsPerVehicleWithin",
            "meanIntervalDurationWithin",
            "meanTimeLossWithin",
        ];
        Table::new("e3Detector", "det_e3_file")
            .with("interval", Time, &["begin", "end"])
            .with("interval", Text, &["id"])
            .with("interval", Number, &means)
            .with("interval", Count, &["vehicleSum"])
            .with("interval", Number, &["meanSpeedWithin", "meanHaltsPerVehicleWithin", "meanDurationWithin"])
            .with("interval", Count, &["vehicleSumWithin"])
            .with("interval", Number, &of_interval)
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        let step_ms = self.step_ms;
        for (request, state) in &mut self.detectors {
            Self::step(&self.names, request, state, step, step_ms);
            let end_ms = step.time_ms + step_ms;
            if request.period_ms.is_some_and(|period_ms| end_ms >= state.begin_ms + period_ms) {
                Self::write(request, state, end_ms, out);
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        for (request, state) in &mut self.detectors {
            if end.end_ms > state.begin_ms {
                Self::write(request, state, end.end_ms, out);
            }
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        save_states(self.detectors.iter().map(|(_, state)| state))
    }

    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        restore_states(state, self.detectors.iter_mut().map(|(_, state)| state))
    }
}
