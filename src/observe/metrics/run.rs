//! What a master counts of its run.

use std::time::SystemTime;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::{counters, gauge, gauges, registered};
use crate::observe::{Cause, RunState, RunStatus, Tallies};

pub struct Metrics {
    state: IntGaugeVec,
    recorded_step: IntGauge,
    granted_steps: IntGauge,
    committed_step: IntGauge,
    real_time_factor: Gauge,
    vehicles: IntGaugeVec,
    workers: IntGaugeVec,
    recorded_steps: IntCounter,
    vehicle_updates: IntCounter,
    recoveries: IntCounterVec,
    replayed_steps: IntCounter,
    /// Without labels, and yet a family: it is not there before the first commit.
    last_commit: GaugeVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Self {
        let counter = |name: &str, help: &str| registered(registry, IntCounter::new(name, help));
        let last_commit =
            Opts::new("tessds_last_commit_timestamp_seconds", "When the newest commit was made, since 1970.");
        let factor = Gauge::new("tessds_real_time_factor", "Simulated seconds per second, lately.");
        let recoveries =
            counters(registry, "tessds_recoveries_total", "Partitions that were placed anew, by cause.", &["cause"]);
        for cause in Cause::ALL {
            recoveries.with_label_values(&[cause.name()]);
        }
        Self {
            state: gauges(registry, "tessds_run_state", "1 for the state that the run is in.", &["state"]),
            recorded_step: gauge(registry, "tessds_recorded_step", "Steps of the run that are recorded."),
            granted_steps: gauge(registry, "tessds_granted_steps", "The horizon: steps before this one may be done."),
            committed_step: gauge(registry, "tessds_committed_step", "Step of the newest commit."),
            real_time_factor: registered(registry, factor),
            vehicles: gauges(registry, "tessds_vehicles", "Vehicles by state, at the last recorded step.", &["state"]),
            workers: gauges(registry, "tessds_workers", "Workers of the run by state.", &["state"]),
            recorded_steps: counter("tessds_recorded_steps_total", "Steps that this process has recorded; none twice."),
            vehicle_updates: counter("tessds_vehicle_updates_total", "Vehicles moved, summed over recorded steps."),
            replayed_steps: counter("tessds_replayed_steps_total", "Steps computed again after recoveries."),
            last_commit: registered(registry, GaugeVec::new(last_commit, &[])),
            recoveries,
        }
    }

    pub fn recorder(&self, steps: u64, vehicle_updates: u64) -> RecorderMeter {
        let (all_steps, all_updates) = (self.recorded_steps.clone(), self.vehicle_updates.clone());
        RecorderMeter { all_steps, all_updates, steps, vehicle_updates }
    }

    pub fn meter(&self, store_orders: IntGauge, before: Tallies) -> RunMeter {
        RunMeter {
            recoveries: Cause::ALL.map(|cause| self.recoveries.with_label_values(&[cause.name()])),
            replayed_steps: self.replayed_steps.clone(),
            last_commit: self.last_commit.clone(),
            store_orders,
            told: before,
        }
    }

    pub fn show(&self, status: &RunStatus) {
        for state in RunState::ALL {
            self.state.with_label_values(&[label(state)]).set(i64::from(state == status.state));
        }
        self.recorded_step.set(status.step as i64);
        self.granted_steps.set(status.granted as i64);
        self.committed_step.set(status.committed as i64);
        self.real_time_factor.set(status.real_time_factor);
        let vehicles = &status.vehicles;
        for (state, count) in [
            ("running", vehicles.running),
            ("waiting", vehicles.waiting),
            ("arrived", vehicles.arrived),
            ("discarded", vehicles.discarded),
            ("teleported", vehicles.teleports),
        ] {
            self.vehicles.with_label_values(&[state]).set(count as i64);
        }
        let here = || status.workers.iter().filter(|worker| worker.connected);
        let hosting = here().filter(|worker| !worker.partitions.is_empty()).count();
        // Who is away for a moment may come back before it is lost.
        let away = status.workers.iter().filter(|worker| !worker.connected).count() + status.lost_workers.len();
        for (state, count) in [("hosting", hosting), ("standby", here().count() - hosting), ("lost", away)] {
            self.workers.with_label_values(&[state]).set(count as i64);
        }
    }
}

/// As docs/metrics.md has it: Prometheus knows no capitals in the middle of a name.
fn label(state: RunState) -> &'static str {
    if state == RunState::NetLoaded { "net_loaded" } else { state.name() }
}

/// For the recorder of one run.
pub struct RecorderMeter {
    all_steps: IntCounter,
    all_updates: IntCounter,
    /// Counted already, or before this process came.
    steps: u64,
    vehicle_updates: u64,
}

impl RecorderMeter {
    /// So many steps of the run are recorded, with so many vehicle updates.
    pub fn recorded(&mut self, steps: u64, vehicle_updates: u64) {
        if steps > self.steps {
            self.all_steps.inc_by(steps - self.steps);
            self.all_updates.inc_by(vehicle_updates.saturating_sub(self.vehicle_updates));
            (self.steps, self.vehicle_updates) = (steps, vehicle_updates);
        }
    }
}

/// For the master of one run.
pub struct RunMeter {
    /// By cause.
    recoveries: [IntCounter; Cause::ALL.len()],
    replayed_steps: IntCounter,
    last_commit: GaugeVec,
    store_orders: IntGauge,
    /// Counted already, or under an earlier master.
    told: Tallies,
}

impl RunMeter {
    /// What has been recovered of the run so far.
    pub fn tell(&mut self, tallies: Tallies) {
        if tallies == self.told {
            return;
        }
        for (cause, counter) in Cause::ALL.into_iter().zip(&self.recoveries) {
            counter.inc_by(tallies.of(cause) - self.told.of(cause));
        }
        self.replayed_steps.inc_by(tallies.replayed_steps - self.told.replayed_steps);
        self.told = tallies;
    }

    /// A commit was made.
    pub fn committed(&self, at: SystemTime) {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        self.last_commit.with_label_values::<&str>(&[]).set(since);
    }

    /// So many orders wait for the store.
    pub fn store_orders(&self, waiting: usize) {
        self.store_orders.set(waiting as i64);
    }
}
