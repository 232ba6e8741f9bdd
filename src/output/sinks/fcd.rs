//! `fcd-output`: where every vehicle is in every step (floating-car data), as XML.

use std::io;

use super::summary::is_due;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::lane_shapes::LaneShapes;
use crate::output::sink::{Names, Sink};
use crate::sim::NewVehicle;

/// Writes the vehicles of each step, or of each `period_ms` when that is more than 0, by id.
pub struct Fcd {
    names: Names,
    shapes: LaneShapes,
    begin_ms: i64,
    period_ms: i64,
}

impl Fcd {
    pub fn new(names: Names, begin_ms: i64, period_ms: i64) -> Self {
        let shapes = LaneShapes::new(names.network.clone());
        Self { names, shapes, begin_ms, period_ms }
    }
}

impl Sink for Fcd {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("fcd-export", "fcd_file")
            .with("timestep", Time, &["time"])
            .with("vehicle", Text, &["id"])
            .with("vehicle", Number, &["x", "y", "angle"])
            .with("vehicle", Text, &["type"])
            .with("vehicle", Number, &["speed", "pos"])
            .with("vehicle", Text, &["lane", "edge"])
            .with("vehicle", Number, &["slope"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        if !is_due(step.time_ms, self.begin_ms, self.period_ms) {
            return Ok(());
        }
        let head = Tag::new(out, 1, "timestep").time("time", step.time_ms);
        if step.fcd.is_empty() {
            head.empty();
            return Ok(());
        }
        head.open();
        for record in &step.fcd {
            let vtype = self.names.vehicle_type(record.vehicle);
            let pose = self.shapes.pose(record.lane, record.pos_m, vtype.length_m);
            Tag::new(out, 2, "vehicle")
                .text("id", &self.names.departure(record.vehicle).name)
                .number("x", pose.x_m)
                .number("y", pose.y_m)
                .number("angle", pose.bearing_deg)
                .text("type", &vtype.name)
                .number("speed", record.speed_mps)
                .number("pos", record.pos_m)
                .lane("lane", &self.names.network, record.lane)
                // Elevation is not simulated.
                .number("slope", 0.0)
                .empty();
        }
        out.end_tag(1, "timestep");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LaneId, VehicleId};
    use crate::output::sink::RunEnd;
    use crate::output::testing::{names, seen, written};
    use crate::sim::report::{FcdRecord, StepReport};

    fn step(time_ms: i64, fcd: Vec<FcdRecord>) -> MergedStep {
        MergedStep::of([StepReport { time_ms, fcd, ..StepReport::default() }])
    }

    #[test]
    fn vehicles_are_written_as_sumo_does() {
        let fcd = vec![seen(VehicleId(1), LaneId(3), 50.0, 0.0), seen(VehicleId(0), LaneId(0), 5.1, 8.326)];
        let text = written(&mut Fcd::new(names(), 0, 2000), &[step(0, vec![]), step(2000, fcd)], &RunEnd::default());
        assert_eq!(
            text,
            r#"<?xml version="1.0" encoding="UTF-8"?>

<fcd-export xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://sumo.dlr.de/xsd/fcd_file.xsd">
    <timestep time="0.00"/>
    <timestep time="2.00">
        <vehicle id="a" x="5.10" y="0.00" angle="90.00" type="car" speed="8.33" pos="5.10" lane="west_0" slope="0.00"/>
        <vehicle id="b&amp;1" x="23.16" y="54.00" angle="0.00" type="bus" speed="0.00" pos="50.00" lane="east_1" slope="0.00"/>
    </timestep>
</fcd-export>
"#
        );
    }

    #[test]
    fn a_period_leaves_out_the_steps_between() {
        let record = seen(VehicleId(0), LaneId(0), 1.0, 1.0);
        let steps: Vec<_> = (0..5).map(|i| step(i * 1000, vec![record])).collect();
        let text = written(&mut Fcd::new(names(), 0, 2000), &steps, &RunEnd::default());
        assert_eq!(text.matches("<vehicle ").count(), 3);
    }
}
