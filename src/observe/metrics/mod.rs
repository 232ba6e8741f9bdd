//! The figures of a process, for Prometheus (docs/metrics.md). Every process has one [`Instruments`], which is handed down to
//! whoever has something to count. Counting is an atomic addition: nothing on the way of a step locks or allocates.

mod gateway;
mod link;
mod partition;
mod process;
mod run;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

pub use self::gateway::GatewayMeter;
pub use self::link::LinkMeter;
pub use self::partition::PartitionMeter;
pub use self::run::{RecorderMeter, RunMeter};
pub use self::store::{CountedStore, LastAnswer, StoreMeter};
use super::health::{Health, Pulse};
use crate::observe::Role;
use crate::observe::{RunStatus, Tallies};

/// Content type of [`Instruments::text`].
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// All metrics of a process, and its health. Clones share them.
#[derive(Clone)]
pub struct Instruments {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Registry,
    health: Health,
    epoch: IntGauge,
    queues: IntGaugeVec,
    partitions: partition::Metrics,
    links: link::Metrics,
    snapshot_bytes: IntGaugeVec,
    snapshot_seconds: prometheus::Histogram,
    run: run::Metrics,
    store: StoreMeter,
    gateway: GatewayMeter,
}

impl Instruments {
    /// The instruments of a process, and what has to be kept going on its main loop so that it counts as alive.
    pub fn new(role: Role) -> (Self, Pulse) {
        let registry = Registry::new();
        // What only one role knows, only that role shows.
        let unseen = Registry::new();
        let hosts = if role == Role::Master { &unseen } else { &registry };
        let drives = if role == Role::Worker { &unseen } else { &registry };
        let info = gauges(&registry, "tessds_build_info", "The release of this process.", &["version", "role"]);
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), role.name()]).set(1);
        process::register(&registry);
        let store = StoreMeter::new(&registry);
        let (health, pulse) = Health::new(role, store.clone());
        let shared = Shared {
            epoch: gauge(&registry, "tessds_epoch", "Rises with every takeover and recovery."),
            queues: gauges(
                &registry,
                "tessds_queue_length",
                "What waits in a bounded queue, or is kept in a bounded log.",
                &["queue"],
            ),
            partitions: partition::Metrics::new(hosts),
            links: link::Metrics::new(hosts),
            snapshot_bytes: gauges(
                hosts,
                "tessds_snapshot_bytes",
                "Size of the newest stored snapshot of a partition.",
                &["partition"],
            ),
            snapshot_seconds: histograms(
                hosts,
                "tessds_snapshot_seconds",
                "From the copy of a partition's state until it is in the store.",
                &[],
                &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
            )
            .with_label_values::<&str>(&[]),
            run: run::Metrics::new(drives),
            gateway: GatewayMeter::new(drives),
            store,
            health,
            registry,
        };
        (Self { shared: Arc::new(shared) }, pulse)
    }

    /// All metrics in the text format of Prometheus.
    pub fn text(&self) -> String {
        // Only a name that is no name or a value that is no text could fail, and there are none.
        TextEncoder::new().encode_to_string(&self.shared.registry.gather()).unwrap_or_default()
    }

    pub fn health(&self) -> &Health {
        &self.shared.health
    }

    /// For one placement of a partition, by its neighbours.
    pub fn partition(&self, part: u16, neighbours: &[u16]) -> PartitionMeter {
        self.shared.partitions.meter(part, neighbours)
    }

    /// For one side of the link between two partitions.
    pub fn link(&self, part: u16, peer: u16) -> LinkMeter {
        self.shared.links.meter(part, peer, self.queue("sent_frames"))
    }

    /// A snapshot of a partition is stored.
    pub fn stored_snapshot(&self, part: u16, bytes: u64, took: Duration) {
        self.shared.snapshot_seconds.observe(took.as_secs_f64());
        self.shared.snapshot_bytes.with_label_values(&[part.to_string()]).set(bytes as i64);
    }

    /// A partition is here no more: what was true of it a moment ago would be shown for ever.
    pub fn forget(&self, part: u16) {
        let part = part.to_string();
        self.shared.partitions.forget(&part);
        // Not there before its first snapshot.
        let _ = self.shared.snapshot_bytes.remove_label_values(&[&part]);
    }

    pub fn set_epoch(&self, epoch: u64) {
        self.shared.epoch.set(epoch as i64);
    }

    /// The length of a queue; names are those of docs/metrics.md.
    pub fn queue(&self, name: &str) -> IntGauge {
        self.shared.queues.with_label_values(&[name])
    }

    /// For a recorder that begins after so many steps and vehicle updates.
    pub fn recorder(&self, steps: u64, vehicle_updates: u64) -> RecorderMeter {
        self.shared.run.recorder(steps, vehicle_updates)
    }

    /// For the master of one run, of which earlier masters have recovered so much.
    pub fn run(&self, before: Tallies) -> RunMeter {
        self.shared.run.meter(self.queue("store_orders"), before)
    }

    /// Shows where the run stands.
    pub fn show(&self, status: &RunStatus) {
        self.shared.run.show(status);
        if status.epoch > 0 {
            self.set_epoch(status.epoch);
        }
    }

    pub fn store(&self) -> &StoreMeter {
        &self.shared.store
    }

    pub fn gateway(&self) -> &GatewayMeter {
        &self.shared.gateway
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let metric = made.expect("names and labels are constants, and good ones");
    registry.register(Box::new(metric.clone())).expect("no name is registered twice");
    metric
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    registered(registry, IntGauge::new(name, help))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registered(registry, HistogramVec::new(options, labels))
}
