//! How many steps are granted beyond what is recorded when commands may come: few enough that a command, which gets the first
//! step that is not granted, holds soon, and so many that nobody waits for a grant. Pure: time is passed in.

use std::time::{Duration, Instant};

/// What is granted should not take longer than this.
const AHEAD: Duration = Duration::from_millis(250);
/// Partitions report when half of it is done, and the next grant has to come within the other half.
const LEAST: u64 = 4;
/// A pace is measured over this time, or over so many steps if they take less.
const MEASURED: Duration = Duration::from_millis(50);
const MEASURED_STEPS: u64 = 64;

/// How far ahead steps are granted.
#[derive(Debug)]
pub struct Lead {
    /// Steps at most.
    most: u64,
    /// What a step takes at present, about; `None`: nobody knows yet.
    step: Option<Duration>,
    /// From when and which recorded step on the pace is being measured; `None` while there is nothing to be done.
    since: Option<(Instant, u64)>,
}

impl Lead {
    pub fn new(most: u64) -> Self {
        Self { most, step: None, since: None }
    }

    /// What a step takes at present, about.
    pub fn step(&self) -> Option<Duration> {
        self.step
    }

    /// Steps to be granted beyond those that are recorded.
    pub fn steps(&self) -> u64 {
        let steps = self.step.map_or(0.0, |step| AHEAD.as_secs_f64() / step.as_secs_f64().max(1e-9));
        (steps as u64).clamp(LEAST.min(self.most), self.most)
    }

    /// `recorded` of the `granted` steps are recorded.
    pub fn recorded(&mut self, recorded: u64, granted: u64, now: Instant) {
        let Some((since, from)) = self.since else { return };
        let (took, steps) = (now - since, recorded.saturating_sub(from));
        let is_idle = recorded >= granted;
        if steps > 0 && (took >= MEASURED || steps >= MEASURED_STEPS || is_idle) {
            let new = took / u32::try_from(steps).unwrap_or(u32::MAX);
            self.step = Some(self.step.map_or(new, |step| match () {
                // Who waited for a recovery was not slow.
                () if new > step => step + (new - step) / 4,
                () if took >= MEASURED => new,
                // A recorder that was held up records much at once.
                () => new.max(step / 2),
            }));
            self.since = Some((now, recorded));
        }
        if is_idle {
            self.since = None;
        }
    }

    /// Steps beyond those that are `recorded` may be done from now on.
    pub fn granted(&mut self, recorded: u64, now: Instant) {
        self.since.get_or_insert((now, recorded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 128;

    /// A run whose steps take so long, which is recorded every half lead; how far ahead is granted in the end.
    fn after(step: Duration, steps: u64) -> (u64, Lead) {
        let (mut lead, mut now) = (Lead::new(MOST), Instant::now());
        let (mut recorded, mut granted) = (0, LEAST);
        lead.granted(0, now);
        while recorded < steps {
            let done = lead.steps().div_ceil(2).min(granted - recorded);
            now += step * done as u32;
            recorded += done;
            lead.recorded(recorded, granted, now);
            granted = granted.max(recorded + lead.steps());
            lead.granted(recorded, now);
        }
        (lead.steps(), lead)
    }

    #[test]
    fn what_is_granted_ahead_takes_a_quarter_of_a_second() {
        for (step_ms, ahead) in [(1, MOST), (5, 50), (40, 6), (100, LEAST), (1000, LEAST)] {
            assert_eq!(after(Duration::from_millis(step_ms), 300).0, ahead, "{step_ms} ms a step");
        }
        assert_eq!(after(Duration::from_micros(5), 300).0, MOST);
    }

    #[test]
    fn a_pause_and_a_burst_are_no_pace() {
        let (_, mut lead) = after(Duration::from_millis(40), 100);
        let mut now = Instant::now() + Duration::from_secs(60);
        // All is done: nobody is slow who waits.
        lead.recorded(1000, 1000, now);
        let before = lead.step();
        now += Duration::from_secs(600);
        lead.granted(1000, now);
        lead.recorded(1001, 1006, now + Duration::from_millis(40));
        assert_eq!(lead.step(), before);
        // After a hold-up much is recorded at once.
        lead.recorded(1006, 1006, now + Duration::from_millis(41));
        assert!(lead.steps() <= 12, "{lead:?}");
    }

    #[test]
    fn after_a_recovery_the_lead_is_soon_what_it_was() {
        let (ahead, mut lead) = after(Duration::from_millis(10), 300);
        let mut now = Instant::now() + Duration::from_secs(9);
        lead.recorded(2000, 2000, now);
        lead.granted(2000, now);
        now += Duration::from_secs(5);
        lead.recorded(2013, 2025, now);
        assert_eq!(lead.steps(), LEAST);
        for i in 1..10 {
            now += Duration::from_millis(60);
            lead.recorded(2013 + 6 * i, 2025 + 6 * i, now);
        }
        assert_eq!(lead.steps(), ahead);
    }
}
