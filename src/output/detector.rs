//! Files of induction loops (`inductionLoop`, `e1Detector`).

use std::io;

use super::collector::MergedStep;
use super::document::Kind::{Count, Number, Text, Time};
use super::document::{Document, Table, Tag};
use super::sink::{RunEnd, Sink};
use crate::scenario::DetectorRequest;
use crate::sim::report::{DetectorReport, MICRO};

/// One file; several detectors may share it.
pub struct Detectors {
    /// Name by index of the detector; `None`: writes to another file.
    names: Vec<Option<Box<str>>>,
}

impl Detectors {
    /// The file of those detectors of the run that `writes_here` selects.
    pub fn new(requests: &[DetectorRequest], mut writes_here: impl FnMut(&DetectorRequest) -> bool) -> Self {
        Self { names: requests.iter().map(|r| writes_here(r).then(|| r.name.clone())).collect() }
    }

    fn intervals(&self, reports: &[DetectorReport], out: &mut Document) {
        for report in reports {
            let Some(Some(name)) = self.names.get(report.detector as usize) else { continue };
            let stats = &report.stats;
            let period_s = (report.end_ms - report.begin_ms) as f64 / 1e3;
            let per_period = |sum: f64| if period_s > 0.0 { sum / period_s } else { 0.0 };
            let count = f64::from(stats.contributed);
            let seen = stats.contributed > 0;
            Tag::new(out, 1, "interval")
                .time("begin", report.begin_ms)
                .time("end", report.end_ms)
                .text("id", name)
                .count("nVehContrib", stats.contributed.into())
                .number("flow", per_period(count * 3600.0))
                .number("occupancy", per_period(stats.occupied_us as f64 / MICRO * 100.0))
                .known("speed", seen.then(|| stats.speed_um as f64 / MICRO / count))
                .known(
                    "harmonicMeanSpeed",
                    (seen && stats.inverse_speed_us > 0).then(|| count / (stats.inverse_speed_us as f64 / MICRO)),
                )
                .known("length", seen.then(|| stats.length_um as f64 / MICRO / count))
                .count("nVehEntered", stats.entered.into())
                .empty();
        }
    }
}

impl Sink for Detectors {
    fn table(&self) -> Table {
        Table::new("detector", "det_e1_file")
            .with("interval", Time, &["begin", "end"])
            .with("interval", Text, &["id"])
            .with("interval", Count, &["nVehContrib"])
            .with("interval", Number, &["flow", "occupancy", "speed", "harmonicMeanSpeed", "length"])
            .with("interval", Count, &["nVehEntered"])
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        self.intervals(&step.detectors, out);
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd, out: &mut Document) -> io::Result<()> {
        self.intervals(&end.tail.detectors, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LaneId;
    use crate::output::testing::written;
    use crate::sim::report::{DetectorStats, StepReport};

    fn request(name: &str, file: &str) -> DetectorRequest {
        DetectorRequest {
            name: name.into(),
            lane: LaneId(0),
            pos_m: 10.0,
            period_ms: Some(300_000),
            file: file.into(),
            vtypes: Box::default(),
        }
    }

    #[test]
    fn detectors_of_one_file_are_written_as_sumo_does() {
        let requests = [request("a", "x.xml"), request("b", "y.xml"), request("c", "x.xml")];
        let busy = DetectorStats {
            contributed: 5,
            entered: 5,
            speed_um: 53_200_000,
            inverse_speed_us: 476_644,
            length_um: 21_500_000,
            occupied_us: 2_040_000,
        };
        let report = |detector, stats| DetectorReport { detector, begin_ms: 0, end_ms: 300_000, stats };
        let detectors = vec![
            report(2, DetectorStats { entered: 1, occupied_us: 30_000, ..DetectorStats::default() }),
            report(1, busy),
            report(0, busy),
        ];
        let step = MergedStep::of([StepReport { detectors, ..StepReport::default() }]);
        let mut sink = Detectors::new(&requests, |r| r.file.ends_with("x.xml"));
        assert_eq!(
            written(&mut sink, &[step], &RunEnd::default()),
            r#"<?xml version="1.0" encoding="UTF-8"?>

<detector xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://sumo.dlr.de/xsd/det_e1_file.xsd">
    <interval begin="0.00" end="300.00" id="a" nVehContrib="5" flow="60.00" occupancy="0.68" speed="10.64" harmonicMeanSpeed="10.49" length="4.30" nVehEntered="5"/>
    <interval begin="0.00" end="300.00" id="c" nVehContrib="0" flow="0.00" occupancy="0.01" speed="-1.00" harmonicMeanSpeed="-1.00" length="-1.00" nVehEntered="1"/>
</detector>
"#
        );
    }
}
