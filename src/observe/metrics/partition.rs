//! What a partition counts.

use std::time::{Duration, Instant};

use prometheus::{Counter, CounterVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use prometheus::{Opts, Registry};

use super::{counters, gauges, histograms, registered};

/// From a few vehicles to a large network on a slow machine, seconds.
const STEP_BUCKETS: &[f64] =
    &[1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Of all partitions of the process.
pub struct Metrics {
    steps: IntCounterVec,
    seconds: HistogramVec,
    lag: IntGaugeVec,
    waits: CounterVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Self {
        let waits = Opts::new(
            "tessds_halo_wait_seconds_total",
            "Time in which a partition could not step because a frame of this neighbour was missing.",
        );
        Self {
            steps: counters(
                registry,
                "tessds_steps_total",
                "Steps that partitions here have done, repeated ones too.",
                &["partition"],
            ),
            seconds: histograms(
                registry,
                "tessds_step_seconds",
                "Time of a step, without waiting for neighbours.",
                &["partition"],
                STEP_BUCKETS,
            ),
            lag: gauges(
                registry,
                "tessds_horizon_lag_steps",
                "How far the partition is behind the horizon.",
                &["partition"],
            ),
            waits: registered(registry, CounterVec::new(waits, &["partition", "neighbour"])),
        }
    }

    pub fn meter(&self, part: u16, neighbours: &[u16]) -> PartitionMeter {
        let part = part.to_string();
        let wait = |peer: &u16| Wait { total: self.waits.with_label_values(&[&part, &peer.to_string()]), since: None };
        PartitionMeter {
            steps: self.steps.with_label_values(&[&part]),
            seconds: self.seconds.with_label_values(&[&part]),
            lag: self.lag.with_label_values(&[&part]),
            waits: neighbours.iter().map(wait).collect(),
        }
    }

    /// Counters stay, for the partition may come back; what it was is not true any more.
    pub fn forget(&self, part: &str) {
        // Not there if it was never built.
        let _ = self.lag.remove_label_values(&[part]);
    }
}

/// For one placement of a partition.
pub struct PartitionMeter {
    steps: IntCounter,
    seconds: Histogram,
    lag: IntGauge,
    /// By neighbour.
    waits: Vec<Wait>,
}

struct Wait {
    total: Counter,
    /// A frame has been missing since then.
    since: Option<Instant>,
}

impl PartitionMeter {
    /// A step was done.
    pub fn stepped(&self, took: Duration) {
        self.steps.inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Where the partition stands after something has happened. `lacks`: whether the frame of a neighbour is missing, and nothing
    /// but frames.
    pub fn stands(&mut self, lag_steps: u64, lacks: impl Fn(usize) -> bool) {
        self.lag.set(lag_steps as i64);
        for (neighbour, wait) in self.waits.iter_mut().enumerate() {
            match (wait.since, lacks(neighbour)) {
                (None, true) => wait.since = Some(Instant::now()),
                (Some(since), false) => {
                    wait.total.inc_by(since.elapsed().as_secs_f64());
                    wait.since = None;
                }
                (None, false) | (Some(_), true) => {}
            }
        }
    }

    /// Counts what has been waited so far; a wait that lasts for minutes should be seen before it is over.
    pub fn count_waits(&mut self) {
        for Wait { total, since } in &mut self.waits {
            if let Some(since) = since {
                let now = Instant::now();
                total.inc_by((now - *since).as_secs_f64());
                *since = now;
            }
        }
    }
}
