//! What one seed decides.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tessds::graph::partition::random_cut;
use tessds::roles::launch::LoadedScenario;
use tessds::roles::master::TimedFile;
use tessds::scenario::{CompiledScenario, OutputPaths, OutputRequests, Rerouting, Revision, Scenario, Settings};
use tessds::settings::ClusterSettings;

use super::commands::Commands;
use crate::common::demand::{Random, random_walks};
use crate::common::scenarios::net;

/// Networks that are small enough to be simulated many times a second.
const NETS: [&str; 4] = ["no_internal_lanes", "right_before_left", "allway_stop", "zipper"];

/// A cluster, its work, and how its network behaves.
pub struct Plan {
    pub seed: u64,
    pub net: &'static str,
    pub vehicles: usize,
    pub steps: u64,
    pub partitions: u16,
    /// The run starts when so many have come.
    pub workers: usize,
    /// So many more come late.
    pub late_workers: usize,
    pub cluster: ClusterSettings,
    pub tick: Duration,
    pub latency: (Duration, Duration),
    /// Longest delay before and after a call of the store while nothing is wrong with it, ms.
    pub store_delay_ms: u64,
    /// Faults happen until then.
    pub quiet_from: Duration,
    /// Mean time from one fault to the next.
    pub fault_every: Duration,
    pub scenario: Arc<CompiledScenario>,
    /// Given at their steps.
    pub commands: Option<Commands>,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x5eed);
        let mut between = |low: u64, high: u64| low + random.next() % (high - low + 1);
        let millis = Duration::from_millis;
        let net_name = NETS[between(0, NETS.len() as u64 - 1) as usize];
        let (vehicles, steps) = (between(10, 60) as usize, between(60, 400));
        let (partitions, workers) = (between(1, 7) as u16, between(1, 4) as usize);
        let late_workers = between(0, 2) as usize;
        let heartbeat_ms = between(40, 200);
        let cluster = ClusterSettings {
            fault_tolerance: true,
            snapshot_interval: between(3, 40),
            heartbeat: between(0, 9) > 0,
            heartbeat_ms,
            timeout_ms: heartbeat_ms * between(3, 6),
            grace_ms: between(0, 300),
            adoption_ms: between(100, 1500),
            lease_ms: between(500, 2000),
            ..ClusterSettings::default()
        };
        let network = net(net_name);
        let demand = random_walks(&network, vehicles, steps * 2 / 3, between(0, u64::MAX - 1));
        let settings = Settings {
            // Some runs end when the last vehicle has arrived.
            end_ms: Some(steps as i64 * 1000),
            seed: between(0, 1 << 40),
            rerouting: (between(0, 2) == 0).then_some(Rerouting {
                probability: 1.0,
                period_ms: 20_000,
                pre_period_ms: 20_000,
                adaptation_interval_ms: 1000,
                adaptation_steps: 0,
                adaptation_weight: 0.5,
            }),
            ..Settings::default()
        };
        let cut = random_cut(&network, u32::from(partitions), between(0, 1 << 40)).expect("a network with junctions");
        let slowest = between(2, 25);
        let (quiet_from, fault_every) = (millis(between(500, 6000)), millis(between(25, 500)));
        let scenario = CompiledScenario {
            network: Arc::new(network),
            demand: Arc::new(demand),
            settings,
            requests: OutputRequests::default(),
            cut,
            revision: Revision::default(),
        };
        let mut random = Random(seed ^ 0xc0_33a4d);
        let commands = (random.below(3) == 0).then(|| Commands::of(&scenario, steps, &mut random));
        Self {
            seed,
            net: net_name,
            vehicles,
            steps,
            partitions,
            workers,
            late_workers,
            cluster,
            tick: millis(1),
            latency: (millis(0), millis(slowest)),
            store_delay_ms: 3,
            quiet_from,
            fault_every,
            scenario: Arc::new(scenario),
            commands,
        }
    }

    pub fn timed(&self) -> Option<TimedFile> {
        let text = self.commands.as_ref()?.text.clone();
        Some(TimedFile { name: "commands.jsonl".to_owned(), text })
    }

    pub fn given(&self, folder: &Path) -> LoadedScenario {
        let CompiledScenario { network, demand, settings, requests, cut, .. } = (*self.scenario).clone();
        let scenario = Scenario { network: (*network).clone(), demand: (*demand).clone(), settings, requests };
        LoadedScenario { scenario, cut, outputs: self.outputs(folder) }
    }

    pub fn outputs(&self, folder: &Path) -> OutputPaths {
        let file = |name: &str| Some(folder.join(name));
        OutputPaths {
            tripinfo: file("tripinfo.xml"),
            tripinfo_unfinished: self.seed.is_multiple_of(2),
            summary: file(if self.seed.is_multiple_of(5) { "summary.xml.gz" } else { "summary.xml" }),
            edgedata: file("edgedata.xml"),
            fcd: file("fcd.xml").filter(|_| self.seed.is_multiple_of(3)),
            statistic: file("statistic.xml"),
            ..OutputPaths::default()
        }
    }

    pub fn describe(&self) -> String {
        format!(
            "seed {}: {}, {} vehicles, {} steps, {} partitions on {} + {} workers, snapshot every {}, heartbeat {} {} ms, timeout \
             {} ms, grace {} ms, adoption {} ms, lease {} ms, latency to {:?}, faults to {:?} every {:?}, {} commands of which {} edit",
            self.seed,
            self.net,
            self.vehicles,
            self.steps,
            self.partitions,
            self.workers,
            self.late_workers,
            self.cluster.snapshot_interval,
            self.cluster.heartbeat,
            self.cluster.heartbeat_ms,
            self.cluster.timeout_ms,
            self.cluster.grace_ms,
            self.cluster.adoption_ms,
            self.cluster.lease_ms,
            self.latency.1,
            self.quiet_from,
            self.fault_every,
            self.commands.as_ref().map_or(0, |commands| commands.count),
            self.commands.as_ref().map_or(0, |commands| commands.edits),
        )
    }
}
