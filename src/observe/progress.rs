//! The progress bar on a terminal. The only part of the outputs that reads a clock.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::sim::report::Counts;

/// Redrawing more often than this is not seen and costs time.
const REDRAW: Duration = Duration::from_millis(100);

/// Shows step, simulated time, running vehicles, updates a second, real-time factor and remaining time.
pub struct Progress {
    bar: ProgressBar,
    step_ms: i64,
    last: Instant,
    last_steps: u64,
    last_updates: u64,
}

impl Progress {
    /// Hidden when `quiet` (`--no-step-log`) or when standard error is not a terminal.
    pub fn new(begin_ms: i64, end_ms: Option<i64>, step_ms: i64, quiet: bool) -> Self {
        let bar = if quiet || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            let steps = end_ms.map(|end_ms| ((end_ms - begin_ms) / step_ms.max(1)).max(0) as u64);
            let template = match steps {
                Some(_) => "{bar:24} step {pos}/{len}  {msg}  ETA {eta}",
                None => "{spinner} step {pos}  {msg}",
            };
            let bar = steps.map_or_else(ProgressBar::no_length, ProgressBar::new);
            bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
            bar
        };
        Self { bar, step_ms, last: Instant::now(), last_steps: 0, last_updates: 0 }
    }

    /// To be called after each step with the steps done so far.
    pub fn update(&mut self, steps: u64, time_ms: i64, counts: &Counts) {
        if self.bar.is_hidden() {
            return;
        }
        let elapsed = self.last.elapsed();
        if elapsed < REDRAW {
            return;
        }
        let elapsed_s = elapsed.as_secs_f64();
        let updates = counts.vehicle_updates.saturating_sub(self.last_updates) as f64;
        let simulated_s = steps.saturating_sub(self.last_steps) as f64 * self.step_ms as f64 / 1e3;
        self.bar.set_position(steps);
        self.bar.set_message(message(time_ms, counts.running, updates / elapsed_s, simulated_s / elapsed_s));
        self.last = Instant::now();
        self.last_steps = steps;
        self.last_updates = counts.vehicle_updates;
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn message(time_ms: i64, running: u64, ups: f64, rtf: f64) -> String {
    let time_s = time_ms.div_euclid(1000);
    let (hours, minutes, seconds) = (time_s / 3600, time_s / 60 % 60, time_s % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}  {running} vehicles  {} UPS  {rtf:.0}x real time", short(ups))
}

/// A number with two or three significant digits and a unit prefix.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.1}M", v / 1e6),
        v if v >= 1e3 => format!("{:.0}k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_where_the_run_is() {
        assert_eq!(message(25_261_000, 4711, 5_230_000.0, 812.4), "07:01:01  4711 vehicles  5.2M UPS  812x real time");
        assert_eq!(message(0, 0, 950.0, 0.0), "00:00:00  0 vehicles  950 UPS  0x real time");
    }

    #[test]
    fn a_quiet_bar_is_hidden() {
        let mut progress = Progress::new(0, None, 1000, true);
        progress.update(1, 1000, &Counts::default());
        assert!(progress.bar.is_hidden());
        progress.finish();
    }
}
