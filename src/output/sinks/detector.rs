//! Files of induction loops (`inductionLoop`, `e1Detector`).
//!
//! The measures are those of SUMO's manual ("Induction Loops Detectors (E1)"). The speed of a vehicle is the mean over the time that
//! it is on the loop: its length over that time.

use std::io;

use serde::{Deserialize, Serialize};

use super::area_detector::on_lane;
use super::{restore_states, save_states};
use crate::ids::VehicleId;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::scenario::DetectorRequest;
use crate::sim::NewVehicle;
use crate::sim::report::LanePassage;

/// One file; several detectors may share it.
pub struct Detectors {
    names: Names,
    loops: Vec<(DetectorRequest, State)>,
    step_ms: i64,
}

/// What is remembered between steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    begin_ms: i64,
    /// Vehicles on the loop, and since when; `None`: they came onto it from beside, and count for the occupancy only.
    inside: Vec<(VehicleId, Option<f64>)>,
    sums: Sums,
}

/// Of one interval; of vehicles that left the loop where nothing else is said.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    entered: u64,
    left: u64,
    occupied_s: f64,
    speed_mps: f64,
    /// Sum of 1/speed, for the harmonic mean.
    inverse_speed: f64,
    length_m: f64,
}

impl State {
    fn see(&mut self, passage: &LanePassage, pos_m: f64, length_m: f64, began_s: f64, ended_s: f64) {
        let LanePassage { vehicle, from_m, to_m, speed_mps, .. } = *passage;
        if to_m < pos_m || from_m - length_m > pos_m {
            return;
        }
        let at_s = |place_m: f64| began_s + (place_m - from_m) / speed_mps;
        let known = self.inside.iter().position(|(other, _)| *other == vehicle);
        let at = known.unwrap_or_else(|| {
            let enters = from_m < pos_m;
            self.sums.entered += u64::from(enters);
            self.inside.push((vehicle, enters.then(|| at_s(pos_m))));
            self.inside.len() - 1
        });
        let since_s = self.inside[at].1;
        let leaves = to_m - length_m > pos_m;
        let until_s = if leaves { at_s(pos_m + length_m) } else { ended_s };
        self.sums.occupied_s += until_s - since_s.unwrap_or(began_s).max(began_s);
        if leaves {
            self.inside.remove(at);
            if let Some(time_s) = since_s.map(|since_s| until_s - since_s).filter(|time_s| *time_s > 0.0) {
                self.sums.left += 1;
                self.sums.speed_mps += length_m / time_s;
                self.sums.inverse_speed += time_s / length_m;
                self.sums.length_m += length_m;
            }
        }
    }

    fn write(&mut self, name: &str, end_ms: i64, out: &mut Document) {
        let Self { begin_ms, sums, .. } = self;
        let period_s = (end_ms - *begin_ms) as f64 / 1e3;
        let count = sums.left as f64;
        let of_left = |sum: f64| (sums.left > 0).then(|| sum / count);
        Tag::new(out, 1, "interval")
            .time("begin", *begin_ms)
            .time("end", end_ms)
            .text("id", name)
            .count("nVehContrib", sums.left)
            .number("flow", count * 3600.0 / period_s)
            .number("occupancy", sums.occupied_s / period_s * 100.0)
            .known("speed", of_left(sums.speed_mps))
            .known("harmonicMeanSpeed", (sums.left > 0).then(|| count / sums.inverse_speed))
            .known("length", of_left(sums.length_m))
            .count("nVehEntered", sums.entered)
            .empty();
        *begin_ms = end_ms;
        *sums = Sums::default();
    }
}

impl Detectors {
    /// The file of the given detectors.
    pub fn new<'r>(
        names: Names,
        requests: impl Iterator<Item = &'r DetectorRequest>,
        begin_ms: i64,
        step_ms: i64,
    ) -> Self {
        let state = State { begin_ms, ..State::default() };
        Self { names, loops: requests.map(|request| (request.clone(), state.clone())).collect(), step_ms }
    }
}

impl Sink for Detectors {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("detector", "det_e1_file")
            .with("interval", Time, &["begin", "end"])
            .with("interval", Text, &["id"])
            .with("interval", Count, &["nVehContrib"])
            .with("interval", Number, &["flow", "occupancy", "speed", "harmonicMeanSpeed", "length"])
            .with("interval", Count, &["nVehEntered"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        let Self { names, loops, step_ms } = self;
        let (began_s, ended_s) = ((step.time_ms - *step_ms) as f64 / 1e3, step.time_ms as f64 / 1e3);
        for (request, state) in loops {
            let passages = on_lane(&step.passages, request.lane);
            // Who changed lanes or was taken off the road is on the loop no more.
            state.inside.retain(|(vehicle, _)| passages.binary_search_by_key(vehicle, |p| p.vehicle).is_ok());
            for passage in passages {
                let vtype = names.departure(passage.vehicle).vtype;
                if request.vtypes.is_empty() || request.vtypes.contains(&vtype) {
                    let length_m = names.demand.types[vtype.index()].length_m;
                    state.see(passage, request.pos_m, length_m, began_s, ended_s);
                }
            }
            let end_ms = step.time_ms + *step_ms;
            if request.period_ms.is_some_and(|period_ms| end_ms >= state.begin_ms + period_ms) {
                state.write(&request.name, end_ms, out);
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        for (request, state) in self.loops.iter_mut().filter(|(_, state)| end.end_ms > state.begin_ms) {
            state.write(&request.name, end.end_ms, out);
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        save_states(self.loops.iter().map(|(_, state)| state))
    }

    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        restore_states(state, self.loops.iter_mut().map(|(_, state)| state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LaneId;
    use crate::output::testing::{names, written};
    use crate::sim::report::StepReport;

    fn request(name: &str) -> DetectorRequest {
        DetectorRequest {
            name: name.into(),
            lane: LaneId(2),
            pos_m: 50.0,
            period_ms: Some(10_000),
            file: "x.xml".into(),
            vtypes: Box::default(),
        }
    }

    /// A car of 5 m reaches the loop after 0.8 s at 5 m/s, stands on it and leaves it 0.25 s into the ninth second at 4 m/s.
    fn steps() -> Vec<MergedStep> {
        let fronts = [46.0, 51.0, 51.0, 51.0, 51.0, 51.0, 51.0, 52.0, 54.0, 58.0];
        let step = |n: usize| {
            let (from_m, to_m) = (fronts[n - 1], fronts[n]);
            let passage = LanePassage {
                lane: LaneId(2),
                vehicle: VehicleId(0),
                from_m,
                to_m,
                speed_mps: to_m - from_m,
                allowed_mps: 10.0,
            };
            MergedStep::of([StepReport { time_ms: n as i64 * 1000, passages: vec![passage], ..StepReport::default() }])
        };
        (1..fronts.len()).map(step).collect()
    }

    #[test]
    fn a_vehicle_that_stands_on_a_loop_is_measured_as_in_sumo() {
        let requests = [request("a"), request("c")];
        let text = written(&mut Detectors::new(names(), requests.iter(), 0, 1000), &steps(), &RunEnd::default());
        let line = |id: &str| {
            format!(
                r#"    <interval begin="0.00" end="10.00" id="{id}" nVehContrib="1" flow="360.00" occupancy="74.50" speed="0.67" harmonicMeanSpeed="0.67" length="5.00" nVehEntered="1"/>"#
            )
        };
        let body: Vec<_> = text.lines().skip(3).collect();
        assert_eq!(body, [line("a"), line("c"), "</detector>".to_owned()]);
    }

    #[test]
    fn a_loop_that_goes_on_writes_what_it_would_have_written() {
        let requests = [request("a")];
        let new = || Detectors::new(names(), requests.iter(), 0, 1000);
        let whole = written(&mut new(), &steps(), &RunEnd::default());
        let (mut first, mut second) = (new(), new());
        let mut out = crate::output::testing::blank();
        steps()[..4].iter().for_each(|step| first.step(step, &mut out).unwrap());
        second.restore(&first.save()).unwrap();
        assert_eq!(written(&mut second, &steps()[4..], &RunEnd::default()), whole);
    }
}
