//! What the gateway counts.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};

use super::{counters, gauge, histograms, registered};

/// Commands and clients.
pub struct GatewayMeter {
    commands: IntCounterVec,
    seconds: Histogram,
    clients: IntGauge,
    dropped: IntCounter,
}

impl GatewayMeter {
    pub fn new(registry: &Registry) -> Self {
        let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];
        let seconds = histograms(registry, "tessds_command_seconds", "From a command to its answer.", &[], &buckets);
        let dropped = IntCounter::new("tessds_clients_dropped_total", "Clients dropped because they read too slowly.");
        Self {
            commands: counters(registry, "tessds_commands_total", "Answered commands.", &["command", "code"]),
            seconds: seconds.with_label_values::<&str>(&[]),
            clients: gauge(registry, "tessds_clients", "Clients that are connected to the gateway."),
            dropped: registered(registry, dropped),
        }
    }

    /// A command was answered; `command` is one of the registry's names, so there are not many.
    pub fn answered(&self, command: &'static str, code: u16, took: Duration) {
        self.commands.with_label_values(&[command, &code.to_string()]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub fn client_came(&self) {
        self.clients.inc();
    }

    pub fn client_went(&self) {
        self.clients.dec();
    }

    /// A client did not read what it was sent.
    pub fn client_dropped(&self) {
        self.dropped.inc();
    }
}
