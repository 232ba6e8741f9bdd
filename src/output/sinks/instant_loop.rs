//! Files of `instantInductionLoop`: when vehicles reach and leave a point of a lane.

use std::io;

use serde::{Deserialize, Serialize};

use super::area_detector::on_lane;
use super::{restore_states, save_states};
use crate::ids::VehicleId;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, Sink};
use crate::scenario::InstantRequest;
use crate::sim::NewVehicle;
use crate::sim::report::LanePassage;

/// One file; several loops may share it.
pub struct InstantLoops {
    names: Names,
    loops: Vec<(InstantRequest, State)>,
    step_ms: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// When the last vehicle left, s.
    left_s: Option<f64>,
    /// Vehicles on the loop, and when they reached it, s.
    inside: Vec<(VehicleId, f64)>,
}

impl InstantLoops {
    pub fn new<'r>(names: Names, requests: impl Iterator<Item = &'r InstantRequest>, step_ms: i64) -> Self {
        Self { names, loops: requests.map(|request| (request.clone(), State::default())).collect(), step_ms }
    }
}

impl Sink for InstantLoops {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("instantE1", "instant_e1_file")
            .with("instantOut", Text, &["id"])
            .with("instantOut", Time, &["time"])
            .with("instantOut", Text, &["state", "vehID"])
            .with("instantOut", Number, &["speed", "length"])
            .with("instantOut", Text, &["type"])
            .with("instantOut", Number, &["occupancy", "gap"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        let began_s = (step.time_ms - self.step_ms) as f64 / 1e3;
        let Self { names, loops, .. } = self;
        for (request, state) in loops {
            let mut passages: Vec<_> = on_lane(&step.passages, request.lane).iter().collect();
            passages
                .retain(|p| request.vtypes.is_empty() || request.vtypes.contains(&names.departure(p.vehicle).vtype));
            passages.sort_by(|a, b| b.to_m.total_cmp(&a.to_m).then(a.vehicle.cmp(&b.vehicle)));
            // Who changed lanes or was taken off the road is on the loop no more.
            state.inside.retain(|(vehicle, _)| passages.iter().any(|p| p.vehicle == *vehicle));
            for passage in passages {
                let (from_m, to_m) = (passage.from_m, passage.to_m);
                let length_m = names.vehicle_type(passage.vehicle).length_m;
                let at_s = |pos_m: f64| began_s + (pos_m - from_m) / passage.speed_mps;
                let mut inside = state.inside.iter().position(|(vehicle, _)| *vehicle == passage.vehicle);
                if from_m < request.pos_m && to_m >= request.pos_m {
                    let reached_s = at_s(request.pos_m);
                    let gap_s = state.left_s.map(|left_s| reached_s - left_s);
                    let head = tag(names, request, passage, reached_s, "enter", out);
                    gap_s.into_iter().fold(head, |head, gap_s| head.number("gap", gap_s)).empty();
                    inside = Some(state.inside.len());
                    state.inside.push((passage.vehicle, reached_s));
                }
                let Some(place) = inside else { continue };
                if to_m - length_m > request.pos_m {
                    let left_s = at_s(request.pos_m + length_m);
                    let (_, reached_s) = state.inside.remove(place);
                    tag(names, request, passage, left_s, "leave", out).number("occupancy", left_s - reached_s).empty();
                    state.left_s = Some(left_s);
                } else {
                    tag(names, request, passage, step.time_ms as f64 / 1e3, "stay", out).empty();
                }
            }
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

fn tag<'d>(
    names: &Names,
    request: &InstantRequest,
    passage: &LanePassage,
    time_s: f64,
    what: &str,
    out: &'d mut Document,
) -> Tag<'d> {
    let vtype = names.vehicle_type(passage.vehicle);
    Tag::new(out, 1, "instantOut")
        .text("id", &request.name)
        .time("time", (time_s * 1e3).round() as i64)
        .text("state", what)
        .text("vehID", &names.departure(passage.vehicle).name)
        .number("speed", passage.speed_mps)
        .number("length", vtype.length_m)
        .text("type", &vtype.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LaneId;
    use crate::output::sink::RunEnd;
    use crate::output::testing::{names, written};
    use crate::sim::report::StepReport;

    #[test]
    fn vehicles_are_told_of_as_sumo_does() {
        let request = InstantRequest {
            name: "i".into(),
            lane: LaneId(2),
            pos_m: 50.0,
            file: "i.xml".into(),
            vtypes: Box::default(),
        };
        let passage = |from_m, to_m| LanePassage {
            lane: LaneId(2),
            vehicle: VehicleId(0),
            from_m,
            to_m,
            speed_mps: to_m - from_m,
            allowed_mps: 10.0,
        };
        let step = |time_ms, passages| MergedStep::of([StepReport { time_ms, passages, ..StepReport::default() }]);
        let steps = [step(30_000, vec![passage(46.0, 51.0)]), step(31_000, vec![passage(51.0, 56.0)])];
        let text = written(&mut InstantLoops::new(names(), [request].iter(), 1000), &steps, &RunEnd::default());
        let body: Vec<_> = text.lines().skip(3).collect();
        assert_eq!(
            body,
            [
                r#"    <instantOut id="i" time="29.80" state="enter" vehID="a" speed="5.00" length="5.00" type="car"/>"#,
                r#"    <instantOut id="i" time="30.00" state="stay" vehID="a" speed="5.00" length="5.00" type="car"/>"#,
                r#"    <instantOut id="i" time="30.80" state="leave" vehID="a" speed="5.00" length="5.00" type="car" occupancy="1.00"/>"#,
                "</instantE1>",
            ]
        );
    }
}
