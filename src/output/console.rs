//! What the terminal shows at the end of a run, after SUMO's `--duration-log.statistics`.

use std::fmt;

use super::report_json::RunReport;
use super::sinks::TripTotals;
use crate::sim::report::Counts;

/// Displays as plain text of several lines.
pub struct EndSummary<'a> {
    pub begin_ms: i64,
    pub end_ms: i64,
    /// Why the run ended, a sentence without full stop.
    pub reason: &'a str,
    pub report: &'a RunReport,
    pub counts: &'a Counts,
    pub trips: &'a TripTotals,
    /// How long it took, and how fast it was.
    pub performance: bool,
    /// Means over all trips.
    pub statistics: bool,
}

impl fmt::Display for EndSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { begin_ms, end_ms, reason, report, counts, trips, performance, statistics } = self;
        let seconds = |ms: i64| ms as f64 / 1e3;
        writeln!(f, "Simulated from {:.2} to {:.2}.", seconds(*begin_ms), seconds(*end_ms))?;
        writeln!(f, "Reason: {reason}.")?;
        if *performance {
            writeln!(f, "Performance:")?;
            writeln!(f, " Duration: {:.2}s", report.wall_s)?;
            writeln!(f, " Real time factor: {:.2}", report.rtf)?;
            writeln!(f, " UPS: {:.0}", report.ups)?;
            writeln!(f, " Partitions: {}", report.partitions)?;
        }
        writeln!(f, "Vehicles:")?;
        write!(f, " Inserted: {}", counts.inserted)?;
        if counts.loaded == counts.inserted {
            writeln!(f)?;
        } else {
            writeln!(f, " (Loaded: {})", counts.loaded)?;
        }
        writeln!(f, " Running: {}", counts.running)?;
        writeln!(f, " Waiting: {}", counts.waiting)?;
        if counts.discarded > 0 {
            writeln!(f, " Discarded: {}", counts.discarded)?;
        }
        if counts.teleports() + counts.collisions > 0 {
            write!(f, "Teleports: {}", counts.teleports() + counts.collisions)?;
            let causes = [
                ("Collisions", counts.collisions),
                ("Jam", counts.teleports_jam),
                ("Yield", counts.teleports_yield),
                ("Wrong Lane", counts.teleports_wrong_lane),
            ];
            let mut separator = " (";
            for (cause, count) in causes.into_iter().filter(|&(_, count)| count > 0) {
                write!(f, "{separator}{cause}: {count}")?;
                separator = ", ";
            }
            writeln!(f, ")")?;
        }
        if counts.emergency_stops > 0 {
            writeln!(f, "Emergency stops: {}", counts.emergency_stops)?;
        }
        if counts.emergency_brakings > 0 {
            writeln!(f, "Emergency braking: {}", counts.emergency_brakings)?;
        }
        if *statistics && trips.count > 0 {
            writeln!(f, "Statistics (avg of {}):", trips.count)?;
            writeln!(f, " RouteLength: {:.2}", trips.mean_route_length_m())?;
            writeln!(f, " Speed: {:.2}", trips.mean_speed_mps())?;
            writeln!(f, " Duration: {:.2}", seconds(trips.mean_duration_ms()))?;
            writeln!(f, " WaitingTime: {:.2}", seconds(trips.mean_waiting_ms()))?;
            writeln!(f, " TimeLoss: {:.2}", seconds(trips.mean_time_loss_ms()))?;
            writeln!(f, " DepartDelay: {:.2}", seconds(trips.mean_depart_delay_ms()))?;
        }
        writeln!(f, "Digest: {}", report.digest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::output::testing::trip;

    #[test]
    fn the_end_of_a_run_is_summed_up() {
        let counts =
            Counts { loaded: 3, inserted: 2, running: 1, teleports_jam: 2, teleports_yield: 1, ..Counts::default() };
        let mut trips = TripTotals::default();
        trips.add(&trip(0));
        let report = RunReport::new(100, 1000, &counts, Duration::from_secs(2), 1, 2);
        let summary = EndSummary {
            begin_ms: 0,
            end_ms: 100_000,
            reason: "The final simulation step has been reached",
            report: &report,
            counts: &counts,
            trips: &trips,
            performance: true,
            statistics: true,
        };
        assert_eq!(
            summary.to_string(),
            "Simulated from 0.00 to 100.00.\n\
             Reason: The final simulation step has been reached.\n\
             Performance:\n Duration: 2.00s\n Real time factor: 50.00\n UPS: 0\n Partitions: 2\n\
             Vehicles:\n Inserted: 2 (Loaded: 3)\n Running: 1\n Waiting: 0\n\
             Teleports: 3 (Jam: 2, Yield: 1)\n\
             Statistics (avg of 1):\n RouteLength: 295.00\n Speed: 7.38\n Duration: 60.00\n WaitingTime: 10.00\n \
             TimeLoss: 12.35\n DepartDelay: 1.00\n\
             Digest: 00000000000000000000000000000001\n"
        );
    }
}
