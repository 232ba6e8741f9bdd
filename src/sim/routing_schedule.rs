//! When edge speeds are measured and routes are found. Fixed by demand and settings, so all partitions agree (I1).

use crate::demand::Demand;

use super::settings::Settings;
use crate::sim::phases::rerouting::is_routed_at_departure;

/// Wished interval between two snapshots of the traffic, ms.
const PERIOD_MS: i64 = 30_000;
/// Wished time between a snapshot and the use of the routes found in it, ms: long enough that no partition waits.
const LAG_MS: i64 = 10_000;
/// How often SUMO samples speeds, and over how many samples it averages, unless it is told otherwise.
const SAMPLE_MS: i64 = 1000;
const SAMPLES: i64 = 180;
/// SUMO's default of `device.rerouting.pre-period`.
const PRE_PERIOD_MS: i64 = 60_000;

/// Snapshot `n` is taken with the step at `begin + n · period`, and the routes found in it are used from the beginning of
/// the step `lag` later. Times in ms; all but `end_ms` are multiples of the step length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutingSchedule {
    pub begin_ms: i64,
    pub sample_ms: i64,
    pub period_ms: i64,
    pub lag_ms: i64,
    /// Routes are not used from later on.
    pub end_ms: i64,
    /// Snapshots over which speeds are averaged.
    pub window: u32,
    /// How often vehicles that wait for insertion are routed again; 0: never.
    pub waiting_period_ms: i64,
    /// How often vehicles on the road are routed again; 0: never.
    pub driving_period_ms: i64,
}

impl RoutingSchedule {
    /// `None`: routes stay as they were at load.
    pub fn of(demand: &Demand, settings: &Settings) -> Option<Self> {
        let step_ms = settings.step_ms;
        let whole = |wished_ms: i64, unit_ms: i64| {
            wished_ms.saturating_add(unit_ms - 1).div_euclid(unit_ms).max(1).saturating_mul(unit_ms)
        };
        let sample_ms = whole(SAMPLE_MS, step_ms);
        let period_ms = whole(PERIOD_MS, sample_ms);
        let (mut averaged_ms, mut waiting_period_ms, mut driving_period_ms) = (SAMPLES * SAMPLE_MS, PRE_PERIOD_MS, 0);
        let mut equipped = 0.0;
        if let Some(rerouting) = &settings.rerouting {
            averaged_ms = i64::from(rerouting.adaptation_steps).saturating_mul(rerouting.adaptation_interval_ms);
            waiting_period_ms = rerouting.pre_period_ms;
            driving_period_ms = rerouting.period_ms;
            equipped = rerouting.probability;
            if rerouting.adaptation_interval_ms == 0 {
                // Speeds are never taken over: all roads count as empty, as at load.
                return None;
            }
        }
        let last_trip_ms = demand
            .departures
            .iter()
            .filter(|departure| is_routed_at_departure(departure))
            .map(|departure| departure.depart_ms)
            .max();
        // Vehicles that orders add may have the device, too.
        let may_reroute = equipped > 0.0 || demand.departures.iter().any(|departure| departure.has_rerouting_device);
        let on_the_way = driving_period_ms > 0 && may_reroute;
        let end_ms = if on_the_way { i64::MAX } else { last_trip_ms? };
        Some(Self {
            begin_ms: settings.begin_ms,
            sample_ms,
            period_ms,
            lag_ms: whole(LAG_MS, step_ms).min(period_ms),
            end_ms,
            window: (averaged_ms / period_ms).clamp(1, 1 << 10) as u32,
            waiting_period_ms,
            driving_period_ms,
        })
    }

    /// Time of snapshot `n`.
    pub fn snapshot_ms(&self, n: i64) -> i64 {
        self.begin_ms.saturating_add(n.saturating_mul(self.period_ms))
    }

    /// When the routes found in snapshot `n` are used.
    pub fn use_ms(&self, n: i64) -> i64 {
        self.snapshot_ms(n).saturating_add(self.lag_ms)
    }

    /// Whether a snapshot is taken at some later time than `now_ms`, or then.
    pub fn is_measuring(&self, now_ms: i64) -> bool {
        let n = (now_ms - self.begin_ms).saturating_add(self.period_ms - 1).div_euclid(self.period_ms);
        self.use_ms(n) <= self.end_ms
    }

    pub fn is_sample(&self, now_ms: i64) -> bool {
        now_ms > self.begin_ms && (now_ms - self.begin_ms) % self.sample_ms == 0 && self.is_measuring(now_ms)
    }

    pub fn is_snapshot(&self, now_ms: i64) -> bool {
        now_ms > self.begin_ms && (now_ms - self.begin_ms) % self.period_ms == 0 && self.is_measuring(now_ms)
    }

    /// Whether a vehicle that asks every `every_ms` from `since_ms` on does so between the last snapshot and the one of now.
    pub fn asks(&self, since_ms: i64, every_ms: i64, now_ms: i64) -> bool {
        let asked = |at_ms: i64| (at_ms - since_ms).max(0) / every_ms.max(1);
        every_ms > 0 && asked(now_ms) > asked(now_ms - self.period_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Rerouting;

    fn rerouting() -> Rerouting {
        Rerouting {
            probability: 1.0,
            period_ms: 60_000,
            pre_period_ms: 0,
            adaptation_interval_ms: 1000,
            adaptation_steps: 180,
            adaptation_weight: 0.0,
        }
    }

    #[test]
    fn all_times_are_multiples_of_the_step() {
        for step_ms in [1, 100, 700, 1000, 2500, 45_000] {
            let settings = Settings { step_ms, rerouting: Some(rerouting()), ..Settings::default() };
            let schedule = RoutingSchedule::of(&Demand::default(), &settings).expect("a schedule");
            for time in [schedule.sample_ms, schedule.period_ms, schedule.lag_ms] {
                assert!(time > 0 && time % step_ms == 0, "{schedule:?}");
            }
            assert_eq!(schedule.period_ms % schedule.sample_ms, 0);
        }
    }

    #[test]
    fn without_trips_and_rerouting_there_is_nothing_to_do() {
        assert_eq!(RoutingSchedule::of(&Demand::default(), &Settings::default()), None);
        let settings =
            Settings { rerouting: Some(Rerouting { adaptation_interval_ms: 0, ..rerouting() }), ..Settings::default() };
        assert_eq!(RoutingSchedule::of(&Demand::default(), &settings), None);
    }

    #[test]
    fn vehicles_ask_once_in_each_of_their_periods() {
        let settings = Settings { rerouting: Some(rerouting()), ..Settings::default() };
        let schedule = RoutingSchedule::of(&Demand::default(), &settings).expect("a schedule");
        let asked: Vec<i64> = (1..8).map(|n| n * 30_000).filter(|at| schedule.asks(10_000, 60_000, *at)).collect();
        assert_eq!(asked, [90_000, 150_000, 210_000]);
    }
}
