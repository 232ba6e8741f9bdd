//! `collision-output`: vehicles that came to overlap.

use std::io;

use crate::ids::LaneId;
use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::lane_shapes::LaneShapes;
use crate::output::numbers;
use crate::output::sink::{Names, Sink};
use crate::sim::NewVehicle;
use crate::sim::report::Collision;

pub struct Collisions {
    names: Names,
    shapes: LaneShapes,
}

impl Collisions {
    pub fn new(names: Names) -> Self {
        let shapes = LaneShapes::new(names.network.clone());
        Self { names, shapes }
    }

    /// A place as "x,y".
    fn place(&self, lane: LaneId, pos_m: f64) -> String {
        let pose = self.shapes.pose(lane, pos_m, 0.0);
        let mut text = Vec::new();
        numbers::fixed(&mut text, pose.x_m, 2);
        text.push(b',');
        numbers::fixed(&mut text, pose.y_m, 2);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn collision(&self, time_ms: i64, collision: &Collision, out: &mut Document) {
        let Collision { lane, collider, victim, collider_pos_m, victim_pos_m, .. } = *collision;
        let (collider_type, victim_type) = (self.names.vehicle_type(collider), self.names.vehicle_type(victim));
        Tag::new(out, 1, "collision")
            .time("time", time_ms)
            .text("type", "collision")
            .lane("lane", &self.names.network, lane)
            .number("pos", collider_pos_m)
            .text("collider", &self.names.departure(collider).name)
            .text("victim", &self.names.departure(victim).name)
            .text("colliderType", &collider_type.name)
            .text("victimType", &victim_type.name)
            .number("colliderSpeed", collision.collider_speed_mps)
            .number("victimSpeed", collision.victim_speed_mps)
            .text("colliderFront", &self.place(lane, collider_pos_m))
            .text("colliderBack", &self.place(lane, collider_pos_m - collider_type.length_m))
            .text("victimFront", &self.place(lane, victim_pos_m))
            .text("victimBack", &self.place(lane, victim_pos_m - victim_type.length_m))
            .empty();
    }
}

impl Sink for Collisions {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("collisions", "collision_file")
            .with("collision", Time, &["time"])
            .with("collision", Text, &["type", "lane"])
            .with("collision", Number, &["pos"])
            .with("collision", Text, &["collider", "victim", "colliderType", "victimType"])
            .with("collision", Number, &["colliderSpeed", "victimSpeed"])
            .with("collision", Text, &["colliderFront", "colliderBack", "victimFront", "victimBack"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        step.collisions.iter().for_each(|collision| self.collision(step.time_ms, collision, out));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::VehicleId;
    use crate::output::sink::RunEnd;
    use crate::output::testing::{names, written};
    use crate::sim::report::StepReport;

    #[test]
    fn collisions_are_written_as_sumo_does() {
        let collision = Collision {
            lane: LaneId(2),
            collider: VehicleId(0),
            victim: VehicleId(1),
            collider_speed_mps: 5.06,
            victim_speed_mps: 0.0,
            collider_pos_m: 50.0,
            victim_pos_m: 60.0,
        };
        let step =
            MergedStep::of([StepReport { time_ms: 21_000, collisions: vec![collision], ..StepReport::default() }]);
        let text = written(&mut Collisions::new(names()), &[step], &RunEnd::default());
        assert!(
            text.contains(
                r#"    <collision time="21.00" type="collision" lane="east_0" pos="50.00" collider="a" victim="b&amp;1" colliderType="car" victimType="bus" colliderSpeed="5.06" victimSpeed="0.00" colliderFront="26.36,54.00" colliderBack="26.36,49.00" victimFront="26.36,64.00" victimBack="26.36,52.00"/>"#
            ),
            "{text}"
        );
    }
}
