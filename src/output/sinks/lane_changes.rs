//! `lanechange-output`: every lane change and its motive.

use std::io;

use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Number, Text, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::{Names, Sink};
use crate::sim::NewVehicle;
use crate::sim::report::{ChangeReason, GapTo, LaneChange};

pub struct LaneChanges {
    names: Names,
}

/// The attributes of a vehicle that the lane changer minded.
const LEADER: [&str; 3] = ["leaderGap", "leaderSecureGap", "leaderSpeed"];
const FOLLOWER: [&str; 3] = ["followerGap", "followerSecureGap", "followerSpeed"];
const OLD_LEADER: [&str; 3] = ["origLeaderGap", "origLeaderSecureGap", "origLeaderSpeed"];

impl LaneChanges {
    pub fn new(names: Names) -> Self {
        Self { names }
    }

    fn change(&self, time_ms: i64, change: &LaneChange, out: &mut Document) {
        let network = &self.names.network;
        let motive = &change.motive;
        let reason = match motive.reason {
            ChangeReason::Strategic => "strategic",
            ChangeReason::Cooperative => "cooperative",
            ChangeReason::SpeedGain => "speedGain",
            ChangeReason::KeepRight => "keepRight",
        };
        let to_the_left = network.lane(change.to).index > network.lane(change.from).index;
        let tag = Tag::new(out, 1, "change")
            .text("id", &self.names.departure(change.vehicle).name)
            .text("type", &self.names.vehicle_type(change.vehicle).name)
            .time("time", time_ms)
            .lane("from", network, change.from)
            .lane("to", network, change.to)
            .text("dir", if to_the_left { "1" } else { "-1" })
            .number("speed", change.speed_mps)
            .number("pos", change.pos_m)
            .joined("reason", [reason, "urgent"].into_iter().take(1 + usize::from(motive.urgent)), b'|');
        let tag = gap(tag, LEADER, motive.leader);
        let tag = gap(tag, FOLLOWER, motive.follower);
        gap(tag, OLD_LEADER, motive.old_leader).empty();
    }
}

fn gap<'d>(tag: Tag<'d>, [gap, secure, speed]: [&'static str; 3], to: Option<GapTo>) -> Tag<'d> {
    tag.or_none(gap, to.map(|to| to.gap_m))
        .or_none(secure, to.map(|to| to.secure_gap_m))
        .or_none(speed, to.map(|to| to.speed_mps))
}

impl Sink for LaneChanges {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn table(&self) -> Table {
        Table::new("lanechanges", "")
            .with("change", Text, &["id", "type"])
            .with("change", Time, &["time"])
            .with("change", Text, &["from", "to", "dir"])
            .with("change", Number, &["speed", "pos"])
            .with("change", Text, &["reason"])
            .with("change", Number, &LEADER)
            .with("change", Number, &FOLLOWER)
            .with("change", Number, &OLD_LEADER)
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        step.lane_changes.iter().for_each(|change| self.change(step.time_ms, change, out));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LaneId, VehicleId};
    use crate::output::sink::RunEnd;
    use crate::output::testing::{names, written};
    use crate::sim::report::{ChangeMotive, StepReport};

    #[test]
    fn changes_are_written_as_sumo_does() {
        let leader = Some(GapTo { gap_m: 64.45, secure_gap_m: 13.89, speed_mps: 13.89 });
        let motive =
            ChangeMotive { reason: ChangeReason::Strategic, urgent: true, leader, follower: None, old_leader: None };
        let change = LaneChange {
            vehicle: VehicleId(0),
            from: LaneId(2),
            to: LaneId(3),
            pos_m: 66.07,
            speed_mps: 13.89,
            motive,
        };
        let step =
            MergedStep::of([StepReport { time_ms: 20_000, lane_changes: vec![change], ..StepReport::default() }]);
        assert_eq!(
            written(&mut LaneChanges::new(names()), &[step], &RunEnd::default()),
            r#"<?xml version="1.0" encoding="UTF-8"?>

<lanechanges>
    <change id="a" type="car" time="20.00" from="east_0" to="east_1" dir="1" speed="13.89" pos="66.07" reason="strategic|urgent" leaderGap="64.45" leaderSecureGap="13.89" leaderSpeed="13.89" followerGap="None" followerSecureGap="None" followerSpeed="None" origLeaderGap="None" origLeaderSecureGap="None" origLeaderSpeed="None"/>
</lanechanges>
"#
        );
    }
}
