//! `summary-output`: one element per step with the counts of the whole network.

use std::io;

use crate::output::collector::MergedStep;
use crate::output::document::Kind::{Count, Number, Time};
use crate::output::document::{Document, Table, Tag};
use crate::output::sink::Sink;
use crate::sim::report::{Counts, MICRO};

/// Mean over `count` of a whole-number sum, divided by `unit`; `None` over nothing.
pub(in crate::output) fn mean(sum: i64, count: u64, unit: f64) -> Option<f64> {
    (count > 0).then(|| sum as f64 / unit / count as f64)
}

/// Writes the state after each step, or after each `period_ms` when that is more than 0.
pub struct Summary {
    begin_ms: i64,
    period_ms: i64,
}

impl Summary {
    pub fn new(begin_ms: i64, period_ms: i64) -> Self {
        Self { begin_ms, period_ms }
    }

    fn counts(time_ms: i64, counts: &Counts, out: &mut Document) {
        let ended = counts.arrived + counts.discarded;
        let driving = counts.running.saturating_sub(counts.stopped);
        Tag::new(out, 1, "step")
            .time("time", time_ms)
            .count("loaded", counts.loaded)
            .count("inserted", counts.inserted)
            .count("running", counts.running)
            .count("waiting", counts.waiting)
            .count("ended", ended)
            .count("arrived", counts.arrived)
            .count("collisions", counts.collisions)
            .count("teleports", counts.teleports())
            .count("halting", counts.halting)
            .count("stopped", counts.stopped)
            .known("meanWaitingTime", mean(counts.depart_delay_ms, counts.inserted, 1e3))
            // As SUMO has it: over all that ended, among them the discarded, who never drove.
            .known("meanTravelTime", mean(counts.travel_time_ms, ended, 1e3))
            .known("meanSpeed", mean(counts.speed_um, driving, MICRO))
            .known("meanSpeedRelative", mean(counts.relative_speed_millionths, driving, MICRO))
            .count("discarded", counts.discarded)
            // The computing time of the step, which would differ from run to run.
            .count("duration", 0)
            .empty();
    }
}

/// Whether a step at `time_ms` is one in `period_ms`; every step when that is not more than 0.
pub(in crate::output) fn is_due(time_ms: i64, begin_ms: i64, period_ms: i64) -> bool {
    period_ms <= 0 || (time_ms - begin_ms) % period_ms == 0
}

impl Sink for Summary {
    fn table(&self) -> Table {
        let counts = [
            "loaded",
            "inserted",
            "running",
            "waiting",
            "ended",
            "arrived",
            "collisions",
            "teleports",
            "halting",
            "stopped",
        ];
        Table::new("summary", "summary_file")
            .with("step", Time, &["time"])
            .with("step", Count, &counts)
            .with("step", Number, &["meanWaitingTime", "meanTravelTime", "meanSpeed", "meanSpeedRelative"])
            .with("step", Count, &["discarded", "duration"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        if is_due(step.time_ms, self.begin_ms, self.period_ms) {
            Self::counts(step.time_ms, &step.counts, out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sink::RunEnd;
    use crate::output::testing::written;
    use crate::sim::report::StepReport;

    fn step(time_ms: i64, counts: Counts) -> MergedStep {
        MergedStep::of([StepReport { time_ms, counts, ..StepReport::default() }])
    }

    #[test]
    fn counts_and_means_are_written_as_sumo_does() {
        let counts = Counts {
            loaded: 20,
            inserted: 8,
            running: 4,
            waiting: 10,
            arrived: 4,
            discarded: 2,
            teleports_jam: 1,
            halting: 3,
            stopped: 1,
            speed_um: 12_690_000,
            relative_speed_millionths: 1_080_000,
            depart_delay_ms: 52_480,
            travel_time_ms: 600_000,
            ..Counts::default()
        };
        let text =
            written(&mut Summary::new(0, 0), &[step(0, Counts::default()), step(1000, counts)], &RunEnd::default());
        assert_eq!(
            text,
            r#"<?xml version="1.0" encoding="UTF-8"?>

<summary xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://sumo.dlr.de/xsd/summary_file.xsd">
    <step time="0.00" loaded="0" inserted="0" running="0" waiting="0" ended="0" arrived="0" collisions="0" teleports="0" halting="0" stopped="0" meanWaitingTime="-1.00" meanTravelTime="-1.00" meanSpeed="-1.00" meanSpeedRelative="-1.00" discarded="0" duration="0"/>
    <step time="1.00" loaded="20" inserted="8" running="4" waiting="10" ended="6" arrived="4" collisions="0" teleports="1" halting="3" stopped="1" meanWaitingTime="6.56" meanTravelTime="100.00" meanSpeed="4.23" meanSpeedRelative="0.36" discarded="2" duration="0"/>
</summary>
"#
        );
    }

    #[test]
    fn a_period_leaves_out_the_steps_between() {
        let steps: Vec<_> = (0..7).map(|i| step(500 + i * 1000, Counts::default())).collect();
        let text = written(&mut Summary::new(500, 3000), &steps, &RunEnd::default());
        let times: Vec<_> = text.matches("time=\"").collect();
        assert_eq!(times.len(), 3);
    }
}
