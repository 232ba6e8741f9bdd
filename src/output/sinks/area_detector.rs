//! Files of `laneAreaDetector` (E2): vehicles on a stretch of lanes, and the jams that they form.
//!
//! The measures are those of SUMO's manual ("Lanearea Detectors (E2)"). Experiments with SUMO 1.28 say what it leaves open: a
//! vehicle stands when it has been slower than `speedThreshold` for longer than `timeThreshold`; vehicles that stand one behind
//! the other form one jam, however far apart they are, until one comes that does not stand (`jamThreshold` has no effect); a halt
//! counts in the interval in which it ends and in those in which it goes on, and not at all when the vehicle leaves meanwhile.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::{restore_states, save_states};
use crate::ids::{LaneId, VehicleId};
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::scenario::AreaRequest;
use crate::sim::NewVehicle;
use crate::sim::report::LanePassage;

/// One file; several detectors may share it.
pub struct Areas {
    names: Names,
    areas: Vec<Area>,
    begin_ms: i64,
    step_ms: i64,
}

struct Area {
    request: AreaRequest,
    length_m: f64,
    /// By lane: what to add to a position on it for one along the detector, metres.
    offsets_m: Vec<f64>,
    state: State,
}

/// What is remembered between steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    begin_ms: i64,
    inside: BTreeMap<VehicleId, Inside>,
    sums: Sums,
}

/// A vehicle on the detector.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Inside {
    /// How long it has been slow, ms, and how much of that in this interval.
    slow_ms: i64,
    interval_slow_ms: i64,
}

/// Of one interval.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    sampled_s: f64,
    way_m: f64,
    loss_s: f64,
    entered: u64,
    left: u64,
    seen: u64,
    steps: u64,
    /// Sums of shares of the steps.
    occupancy: f64,
    most_occupied: f64,
    vehicles: u64,
    most_vehicles: u64,
    longest_jams: u64,
    longest_jams_m: f64,
    longest_jam: u64,
    longest_jam_m: f64,
    jams: u64,
    jams_m: f64,
    started_halts: u64,
    /// Halts that ended.
    halts: Halts,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Halts {
    count: u64,
    sum_ms: i64,
    longest_ms: i64,
    interval_sum_ms: i64,
    interval_longest_ms: i64,
}

impl Halts {
    fn add(&mut self, inside: &Inside) {
        self.count += 1;
        self.sum_ms += inside.slow_ms;
        self.longest_ms = self.longest_ms.max(inside.slow_ms);
        self.interval_sum_ms += inside.interval_slow_ms;
        self.interval_longest_ms = self.interval_longest_ms.max(inside.interval_slow_ms);
    }

    fn mean_s(&self, sum_ms: i64) -> f64 {
        if self.count == 0 { 0.0 } else { sum_ms as f64 / 1e3 / self.count as f64 }
    }
}

/// A vehicle in one step, along the detector.
struct Seen {
    vehicle: VehicleId,
    /// Front before and after the step, metres.
    from_m: f64,
    to_m: f64,
    length_m: f64,
    speed_mps: f64,
    allowed_mps: f64,
}

impl Area {
    fn new(names: &Names, request: &AreaRequest, begin_ms: i64) -> Self {
        let mut offsets_m = Vec::with_capacity(request.lanes.len());
        let mut length_m = -request.from_m;
        for (at, lane) in request.lanes.iter().enumerate() {
            offsets_m.push(length_m);
            let is_last = at + 1 == request.lanes.len();
            length_m += if is_last { request.to_m } else { names.network.lane(*lane).length_m };
        }
        let state = State { begin_ms, ..State::default() };
        Self { request: request.clone(), length_m, offsets_m, state }
    }

    fn counts(&self, names: &Names, vehicle: VehicleId) -> bool {
        let vtypes = &self.request.vtypes;
        vtypes.is_empty() || vtypes.contains(&names.departure(vehicle).vtype)
    }

    /// The vehicles that are or were on the detector in the step, the foremost first.
    fn seen(&self, names: &Names, passages: &[LanePassage]) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::new();
        for (lane, offset_m) in self.request.lanes.iter().zip(&self.offsets_m) {
            for passage in on_lane(passages, *lane).iter().filter(|p| self.counts(names, p.vehicle)) {
                let length_m = names.vehicle_type(passage.vehicle).length_m;
                let (from_m, to_m) = (passage.from_m + offset_m, passage.to_m + offset_m);
                let is_known = seen.iter().any(|other| other.vehicle == passage.vehicle);
                if !is_known && to_m > 0.0 && from_m - length_m < self.length_m {
                    let LanePassage { vehicle, speed_mps, allowed_mps, .. } = *passage;
                    seen.push(Seen { vehicle, from_m, to_m, length_m, speed_mps, allowed_mps });
                }
            }
        }
        seen.sort_by(|a, b| b.to_m.total_cmp(&a.to_m).then(a.vehicle.cmp(&b.vehicle)));
        seen
    }

    fn step(&mut self, names: &Names, step: &MergedStep, step_ms: i64) {
        let seen = self.seen(names, &step.passages);
        let (dt, length_m) = (step_ms as f64 / 1e3, self.length_m);
        let State { inside, sums, .. } = &mut self.state;
        sums.steps += 1;
        sums.vehicles += seen.len() as u64;
        sums.most_vehicles = sums.most_vehicles.max(seen.len() as u64);
        // Who is not seen any more has changed lanes, arrived or was taken off the road.
        let before = inside.len();
        inside.retain(|vehicle, _| seen.iter().any(|seen| seen.vehicle == *vehicle));
        sums.left += (before - inside.len()) as u64;
        let mut covered_m = 0.0;
        let mut jams = Jams::default();
        for vehicle in &seen {
            let Seen { from_m, to_m, length_m: vehicle_m, speed_mps, allowed_mps, .. } = *vehicle;
            let mut now = inside.remove(&vehicle.vehicle).unwrap_or_else(|| {
                sums.entered += 1;
                sums.seen += 1;
                Inside::default()
            });
            let leaves = to_m - vehicle_m >= length_m;
            let enters_s = if from_m < 0.0 && speed_mps > 0.0 { (-from_m / speed_mps).min(dt) } else { 0.0 };
            let leaves_s = if leaves && speed_mps > 0.0 { (length_m - (from_m - vehicle_m)) / speed_mps } else { dt };
            let time_s = (leaves_s.min(dt) - enters_s).max(0.0);
            sums.sampled_s += time_s;
            sums.way_m += speed_mps * time_s;
            if allowed_mps > 0.0 {
                sums.loss_s += time_s * (allowed_mps - speed_mps).max(0.0) / allowed_mps;
            }
            if leaves {
                sums.left += 1;
                jams.end();
                continue;
            }
            let (back_m, front_m) = ((to_m - vehicle_m).max(0.0), to_m.min(length_m));
            covered_m += front_m - back_m;
            let threshold_ms = self.request.halt.time_ms;
            if speed_mps < self.request.halt.speed_mps {
                sums.started_halts += u64::from(now.slow_ms <= threshold_ms && now.slow_ms + step_ms > threshold_ms);
                now.slow_ms += step_ms;
                now.interval_slow_ms += step_ms;
            } else {
                if now.slow_ms > threshold_ms {
                    sums.halts.add(&now);
                }
                (now.slow_ms, now.interval_slow_ms) = (0, 0);
            }
            if now.slow_ms > threshold_ms {
                jams.add(front_m, back_m)
            } else {
                jams.end()
            }
            inside.insert(vehicle.vehicle, now);
        }
        jams.end();
        sums.add_step(covered_m / length_m, &jams);
    }

    fn write(&mut self, end_ms: i64, out: &mut Document) {
        let State { begin_ms, inside, sums } = &mut self.state;
        let per_step = |sum: f64| if sums.steps == 0 { 0.0 } else { sum / sums.steps as f64 };
        let mut halts = sums.halts;
        inside.values().filter(|now| now.slow_ms > self.request.halt.time_ms).for_each(|now| halts.add(now));
        let seconds = |ms: i64| ms as f64 / 1e3;
        let of = |sum: f64, count: f64| (count > 0.0).then(|| sum / count);
        Tag::new(out, 1, "interval")
            .time("begin", *begin_ms)
            .time("end", end_ms)
            .text("id", &self.request.name)
            .number("sampledSeconds", sums.sampled_s)
            .count("nVehEntered", sums.entered)
            .count("nVehLeft", sums.left)
            .count("nVehSeen", sums.seen)
            .known("meanSpeed", of(sums.way_m, sums.sampled_s))
            .known("meanTimeLoss", of(sums.loss_s, sums.seen as f64))
            .number("meanOccupancy", per_step(sums.occupancy) * 100.0)
            .number("maxOccupancy", sums.most_occupied * 100.0)
            .number("meanMaxJamLengthInVehicles", per_step(sums.longest_jams as f64))
            .number("meanMaxJamLengthInMeters", per_step(sums.longest_jams_m))
            .count("maxJamLengthInVehicles", sums.longest_jam)
            .number("maxJamLengthInMeters", sums.longest_jam_m)
            .count("jamLengthInVehiclesSum", sums.jams)
            .number("jamLengthInMetersSum", sums.jams_m)
            .number("meanHaltingDuration", halts.mean_s(halts.sum_ms))
            .number("maxHaltingDuration", seconds(halts.longest_ms))
            .number("haltingDurationSum", seconds(halts.sum_ms))
            .number("meanIntervalHaltingDuration", halts.mean_s(halts.interval_sum_ms))
            .number("maxIntervalHaltingDuration", seconds(halts.interval_longest_ms))
            .number("intervalHaltingDurationSum", seconds(halts.interval_sum_ms))
            .count("startedHalts", sums.started_halts)
            .number("meanVehicleNumber", per_step(sums.vehicles as f64))
            .count("maxVehicleNumber", sums.most_vehicles)
            .empty();
        *begin_ms = end_ms;
        *sums = Sums { seen: inside.len() as u64, ..Sums::default() };
        inside.values_mut().for_each(|now| now.interval_slow_ms = 0);
    }
}

/// The passages of one lane; they are ordered by lane.
pub(in crate::output) fn on_lane(passages: &[LanePassage], lane: LaneId) -> &[LanePassage] {
    let from = passages.partition_point(|passage| passage.lane < lane);
    let to = passages.partition_point(|passage| passage.lane <= lane);
    &passages[from..to]
}

/// The jams of a step, found from front to back.
#[derive(Default)]
struct Jams {
    /// Vehicles of the present jam, and where it begins and ends so far.
    vehicles: u64,
    front_m: f64,
    back_m: f64,
    longest: u64,
    longest_m: f64,
    sum: u64,
    sum_m: f64,
}

impl Jams {
    fn add(&mut self, front_m: f64, back_m: f64) {
        if self.vehicles == 0 {
            self.front_m = front_m;
        }
        self.vehicles += 1;
        self.back_m = back_m;
    }

    fn end(&mut self) {
        if self.vehicles > 0 {
            let length_m = self.front_m - self.back_m;
            self.longest = self.longest.max(self.vehicles);
            self.longest_m = self.longest_m.max(length_m);
            self.sum += self.vehicles;
            self.sum_m += length_m;
            self.vehicles = 0;
        }
    }
}

impl Sums {
    fn add_step(&mut self, occupied: f64, jams: &Jams) {
        self.occupancy += occupied;
        self.most_occupied = self.most_occupied.max(occupied);
        self.longest_jams += jams.longest;
        self.longest_jams_m += jams.longest_m;
        self.longest_jam = self.longest_jam.max(jams.longest);
        self.longest_jam_m = self.longest_jam_m.max(jams.longest_m);
        self.jams += jams.sum;
        self.jams_m += jams.sum_m;
    }
}

impl Areas {
    /// The file of the given detectors.
    pub fn new<'r>(names: Names, requests: impl Iterator<Item = &'r AreaRequest>, begin_ms: i64, step_ms: i64) -> Self {
        let areas = requests.map(|request| Area::new(&names, request, begin_ms)).collect();
        Self { names, areas, begin_ms, step_ms }
    }
}

impl Sink for Areas {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("detector", "det_e2_file")
            .with("interval", Time, &["begin", "end"])
            .with("interval", Text, &["id"])
            .with("interval", Number, &["sampledSeconds"])
            .with("interval", Count, &["nVehEntered", "nVehLeft", "nVehSeen"])
            .with("interval", Number, &["meanSpeed", "meanTimeLoss", "meanOccupancy", "maxOccupancy"])
            .with("interval", Number, &["meanMaxJamLengthInVehicles", "meanMaxJamLengthInMeters"])
            .with("interval", Count, &["maxJamLengthInVehicles"])
            .with("interval", Number, &["maxJamLengthInMeters"])
            .with("interval", Count, &["jamLengthInVehiclesSum"])
            .with("interval", Number, &["jamLengthInMetersSum"])
            .with("interval", Number, &["meanHaltingDuration", "maxHaltingDuration", "haltingDurationSum"])
            .with("interval", Number, &["meanIntervalHaltingDuration", "maxIntervalHaltingDuration"])
            .with("interval", Number, &["intervalHaltingDurationSum"])
            .with("interval", Count, &["startedHalts"])
            .with("interval", Number, &["meanVehicleNumber"])
            .with("interval", Count, &["maxVehicleNumber"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        for area in &mut self.areas {
            area.step(&self.names, step, self.step_ms);
            let end_ms = step.time_ms + self.step_ms;
            if area.request.period_ms.is_some_and(|period_ms| end_ms >= area.state.begin_ms + period_ms) {
                area.write(end_ms, out);
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        for area in &mut self.areas {
            if end.end_ms > area.state.begin_ms.max(self.begin_ms) {
                area.write(end.end_ms, out);
            }
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        save_states(self.areas.iter().map(|area| &area.state))
    }

    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        restore_states(state, self.areas.iter_mut().map(|area| &mut area.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{names, written};
    use crate::scenario::HaltThresholds;
    use crate::sim::report::StepReport;

    fn request() -> AreaRequest {
        AreaRequest {
            name: "d".into(),
            lanes: Box::new([LaneId(2)]),
            from_m: 20.0,
            to_m: 70.0,
            period_ms: Some(10_000),
            file: "d.xml".into(),
            vtypes: Box::default(),
            halt: HaltThresholds { time_ms: 1000, speed_mps: 1.39 },
        }
    }

    fn passage(vehicle: u32, from_m: f64, to_m: f64) -> LanePassage {
        let (lane, vehicle, speed_mps) = (LaneId(2), VehicleId(vehicle), to_m - from_m);
        LanePassage { lane, vehicle, from_m, to_m, speed_mps, allowed_mps: 10.0 }
    }

    fn step(n: i64, passages: Vec<LanePassage>) -> MergedStep {
        MergedStep::of([StepReport { time_ms: n * 1000, passages, ..StepReport::default() }])
    }

    /// A car of 5 m drives in and stands from second 4 to 8.
    fn steps() -> Vec<MergedStep> {
        let at = |n: i64| match n {
            0..4 => (10.0 * n as f64, 10.0 * (n + 1) as f64),
            4..9 => (40.0, 40.0),
            _ => (40.0, 50.0),
        };
        (0..10).map(|n| step(n, vec![passage(0, at(n).0, at(n).1)])).collect()
    }

    #[test]
    fn a_vehicle_that_halts_is_measured_as_in_sumo() {
        let text = written(&mut Areas::new(names(), [request()].iter(), 0, 1000), &steps(), &RunEnd::default());
        for part in [
            r#"begin="0.00" end="10.00" id="d" sampledSeconds="8.00" nVehEntered="1" nVehLeft="0" nVehSeen="1""#,
            r#"meanSpeed="3.75" meanTimeLoss="5.00" meanOccupancy="8.00" maxOccupancy="10.00""#,
            r#"maxJamLengthInVehicles="1" maxJamLengthInMeters="5.00" jamLengthInVehiclesSum="4""#,
            r#"meanHaltingDuration="5.00" maxHaltingDuration="5.00" haltingDurationSum="5.00""#,
            r#"startedHalts="1" meanVehicleNumber="0.80" maxVehicleNumber="1""#,
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn standing_vehicles_form_a_jam_until_one_that_drives() {
        let mut area = Area::new(&names(), &request(), 0);
        let stand = |vehicle, at_m| passage(vehicle, at_m, at_m);
        let standing = vec![stand(0, 65.0), stand(1, 40.0)];
        for n in 0..3 {
            area.step(&names(), &step(n, standing.clone()), 1000);
        }
        assert_eq!((area.state.sums.longest_jam, area.state.sums.longest_jam_m), (2, 37.0), "one is a bus of 12 m");
    }

    #[test]
    fn a_detector_that_goes_on_writes_what_it_would_have_written() {
        let (mut first, mut second) =
            (Areas::new(names(), [request()].iter(), 0, 1000), Areas::new(names(), [request()].iter(), 0, 1000));
        let whole = written(&mut Areas::new(names(), [request()].iter(), 0, 1000), &steps(), &RunEnd::default());
        let mut out = crate::output::testing::blank();
        steps()[..5].iter().for_each(|step| first.step(step, &mut out).unwrap());
        second.restore(&first.save()).unwrap();
        assert_eq!(written(&mut second, &steps()[5..], &RunEnd::default()), whole);
        assert!(Areas::new(names(), [].iter(), 0, 1000).restore(&first.save()).is_err());
    }
}
