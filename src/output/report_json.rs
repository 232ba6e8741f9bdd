//! `--report-json`: what a run did and how fast, for scripts.

use std::path::Path;

use serde::Serialize;

use super::files::OutputFile;
use crate::diagnostics::InputError;
use crate::sim::report::Counts;

/// The fields and their order are an interface to scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    pub steps: u64,
    pub loaded: u64,
    pub inserted: u64,
    pub arrived: u64,
    pub running: u64,
    pub waiting: u64,
    pub teleports: u64,
    pub vehicle_updates: u64,
    /// Seconds of wall-clock time from the first step to the last.
    pub wall_s: f64,
    /// Vehicle updates a second of `wall_s`.
    pub ups: f64,
    /// Simulated seconds a second of `wall_s`.
    pub rtf: f64,
    /// Of the state after the last step, 32 hexadecimal digits.
    pub digest: String,
    pub partitions: usize,
    pub recoveries: u64,
    pub replayed_steps: u64,
}

impl RunReport {
    /// The report of a run without recoveries.
    pub fn new(
        steps: u64,
        step_ms: i64,
        counts: &Counts,
        wall: std::time::Duration,
        digest: u128,
        partitions: usize,
    ) -> Self {
        let wall_s = wall.as_secs_f64();
        let rate = |amount: f64| if wall_s > 0.0 { amount / wall_s } else { 0.0 };
        Self {
            steps,
            loaded: counts.loaded,
            inserted: counts.inserted,
            arrived: counts.arrived,
            running: counts.running,
            waiting: counts.waiting,
            teleports: counts.teleports(),
            vehicle_updates: counts.vehicle_updates,
            wall_s,
            ups: rate(counts.vehicle_updates as f64),
            rtf: rate(steps as f64 * step_ms as f64 / 1e3),
            digest: format!("{digest:032x}"),
            partitions,
            recoveries: 0,
            replayed_steps: 0,
        }
    }

    /// Makes sure that a report can be written, before the run that it is about. Leaves an empty file.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn prepare(path: &Path) -> Result<(), InputError> {
        OutputFile::create(path, false).map(drop)
    }

    /// Writes the report as one JSON object.
    ///
    /// # Errors
    /// The file cannot be written; the message names it.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        let mut file = OutputFile::create(path, false).map_err(std::io::Error::other)?;
        file.append(&json)?;
        file.close()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_report_without_a_place_is_refused_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RunReport::prepare(&folder.path().join("report.json")).is_ok());
        let message = RunReport::prepare(&folder.path().join("none/report.json")).unwrap_err().to_string();
        assert!(message.contains("create the folder"), "{message}");
    }

    #[test]
    fn the_report_has_all_fields_in_order() {
        let counts = Counts { loaded: 3, vehicle_updates: 5000, teleports_jam: 1, ..Counts::default() };
        let report = RunReport::new(100, 500, &counts, Duration::from_secs(2), 0xab, 4);
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"steps":100,"loaded":3,"inserted":0,"arrived":0,"running":0,"waiting":0,"teleports":1,"vehicle_updates":5000,"wall_s":2.0,"ups":2500.0,"rtf":25.0,"digest":"000000000000000000000000000000ab","partitions":4,"recoveries":0,"replayed_steps":0}"#
        );
    }
}
