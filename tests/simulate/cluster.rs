//! One run of a whole cluster: real actors on simulated hosts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tessds::actors::threads::Threads;
use tessds::actors::worker::OpenStore;
use tessds::persist::{MemoryStore, RunName, SnapshotStore};
use tessds::protocol::{Limits, Networking};
use tessds::roles::launch::LeaseRequest;
use tessds::roles::master::MasterOptions;
use tessds::roles::standalone::RunError;
use tessds::roles::whole_run::{WholeRun, drive_through};
use tessds::roles::worker::{WorkerSetup, work};
use tessds::settings::ClusterSettings;
use tokio::sync::Notify;

use super::faults::Faults;
use super::hub::{Ended, Hub, Outcome, now_ms};
use super::network::SimNetwork;
use super::oracle::{check, compare, undisturbed};
use super::plan::Plan;
use super::store::{FaultyStore, Planted};
use super::weather::Weather;
use crate::common::demand::Random;

/// Without faults a run has to end within so much simulated time.
pub const LIVENESS: Duration = Duration::from_secs(90);
/// What the last messages may take.
const AFTERMATH: Duration = Duration::from_millis(400);
pub const MASTERS: [&str; 2] = ["master-0", "master-1"];
/// The name of the run.
pub const RUN: &str = "simulated";

/// How simulated masters work.
pub fn master_options(cluster: ClusterSettings) -> MasterOptions {
    MasterOptions { limits: Limits::default(), cluster, threads: Threads::Shared, quiet: true, instruments: None }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Equal for two runs of one seed.
    pub trace: u64,
    pub simulated: Duration,
    pub recoveries: u64,
    pub processes: u64,
    /// How often things happened.
    pub seen: BTreeMap<&'static str, u64>,
}

/// What processes of all hosts start with.
pub struct Site {
    pub plan: Rc<Plan>,
    pub hub: Arc<Hub>,
    pub weather: Arc<Mutex<Weather>>,
    pub memory: MemoryStore,
    pub planted: Planted,
    folder: PathBuf,
}

impl Site {
    fn open_store(&self, process: u64) -> OpenStore {
        let (memory, weather, hub) = (self.memory.clone(), Arc::clone(&self.weather), Arc::clone(&self.hub));
        let planted = self.planted;
        Arc::new(move || {
            let (memory, weather, hub) = (memory.clone(), Arc::clone(&weather), Arc::clone(&hub));
            Ok(Box::new(FaultyStore { memory, weather, hub, process, planted }) as Box<dyn SnapshotStore>)
        })
    }

    fn network(&self, host: &str) -> SimNetwork {
        SimNetwork { hub: Arc::clone(&self.hub), host: host.to_owned() }
    }

    async fn master(self: Rc<Self>, host: &'static str) {
        let process = self.hub.start(host);
        let run = WholeRun {
            options: master_options(self.plan.cluster.clone()),
            claim: LeaseRequest {
                run: RunName::new(RUN).expect("a good name"),
                holder: if self.plan.seed.is_multiple_of(2) { "master".to_owned() } else { host.to_owned() },
                lease: Duration::from_millis(self.plan.cluster.lease_ms),
            },
            given: Some(self.plan.given(&self.folder)),
            partitions: None,
            open_store: self.open_store(process),
            listener: self.network(host).listen("0.0.0.0:7700").await.expect("a free port"),
            workers: self.plan.workers,
            control: None,
            timed: self.plan.timed(),
        };
        let (outcome, recoveries) = match drive_through(run, async |_| Ok(())).await {
            Ok(finished) => (Outcome::Finished(Box::new(finished.recording)), finished.recoveries),
            Err(RunError::Input(error)) => (Outcome::Refused(error.to_string()), 0),
            Err(error) => return self.ended(host, process, &error.to_string()),
        };
        self.hub.people().ended = Some(Ended { outcome, recoveries });
        self.ended(host, process, "is done");
    }

    async fn worker(self: Rc<Self>, host: String, after: Duration) {
        tokio::time::sleep(after).await;
        let process = self.hub.start(&host);
        let network = self.network(&host);
        let leave = Arc::new(Notify::new());
        self.hub.people().leave.insert(host.clone(), Arc::clone(&leave));
        let setup = WorkerSetup {
            name: host.clone(),
            incarnation: Random(self.plan.seed ^ process).next(),
            master: "master:7700".to_owned(),
            advertised: None,
            listener: network.listen("0.0.0.0:7800").await.expect("a free port"),
            networking: Arc::new(network),
            limits: Limits::default(),
            open_store: self.open_store(process),
            threads: Threads::Shared,
            patience: None,
            planned_panic: None,
            instruments: None,
        };
        let result = work(setup, async move { leave.notified().await }).await;
        let text = result.err().map_or_else(|| "done".to_owned(), |error| error.to_string());
        self.ended(&host, process, &text);
    }

    fn ended(&self, host: &str, process: u64, how: &str) {
        tracing::info!(host, process, how, "process ended");
        self.hub.judge().note(now_ms(), host, how, &process.to_le_bytes());
    }
}

/// Simulates the plan to its end, and checks everything.
///
/// # Errors
/// What was broken.
pub fn simulate(plan: Plan, planted: Planted) -> Result<Report, String> {
    let folders = Folders::new(plan.seed);
    let (expected, found) = (folders.base.join("expected"), folders.base.join("found"));
    let undisturbed = undisturbed(&plan, &expected)?;

    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(plan.seed)
        .epoch(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
        .simulation_duration(Duration::from_secs(3600))
        .tick_duration(plan.tick)
        .min_message_latency(plan.latency.0)
        .max_message_latency(plan.latency.1)
        .tcp_capacity(1024)
        .enable_random_order();
    let mut sim = builder.build();
    let weather =
        Weather { random: Random(plan.seed ^ 0x57_0ce), failing: 0, delay_ms: plan.store_delay_ms, outage: false };
    let site = Rc::new(Site {
        hub: Arc::new(Hub::new(&plan.scenario)),
        weather: Arc::new(Mutex::new(weather)),
        memory: MemoryStore::with_clock(now_ms),
        planted,
        folder: found.clone(),
        plan: Rc::new(plan),
    });
    let plan = Rc::clone(&site.plan);
    MASTERS[0].clone_into(&mut site.hub.people().master);
    for host in MASTERS {
        let site = Rc::clone(&site);
        sim.host(host, move || {
            let site = Rc::clone(&site);
            async move {
                site.master(host).await;
                Ok(())
            }
        });
    }
    sim.crash(MASTERS[1]);
    let mut random = Random(plan.seed ^ 0xc10c);
    let workers: Vec<String> = (0..plan.workers + plan.late_workers).map(|n| format!("worker-{n}")).collect();
    for (n, host) in workers.iter().enumerate() {
        let late = Duration::from_millis(if n < plan.workers { random.next() % 100 } else { random.next() % 4000 });
        let (site, host) = (Rc::clone(&site), host.clone());
        sim.host(host.as_str(), {
            let host = host.clone();
            move || {
                let (site, host) = (Rc::clone(&site), host.clone());
                async move {
                    site.worker(host, late).await;
                    Ok(())
                }
            }
        });
    }

    let mut faults = Faults::new(Rc::clone(&site), workers);
    let mut over_at = None;
    loop {
        sim.step().map_err(|error| error.to_string())?;
        let now = sim.elapsed();
        site.hub.judge().verdict()?;
        super::panicked()?;
        let is_over = site.hub.people().ended.is_some();
        if is_over && over_at.is_none() {
            over_at = Some(now);
            faults.end(&mut sim);
        }
        if over_at.is_some_and(|at| now > at + AFTERMATH) {
            break;
        }
        if over_at.is_none() {
            faults.go_on(&mut sim);
        }
        if now > plan.quiet_from + LIVENESS {
            return Err(format!("the run does not end: {:?} committed after {now:?}", site.hub.judge().committed()));
        }
    }
    let recoveries = match site.hub.people().ended.take() {
        Some(Ended { outcome, recoveries }) => {
            if matches!(outcome, Outcome::Refused(_)) {
                site.hub.judge().count("refused runs");
            }
            check(&undisturbed, outcome)?;
            recoveries
        }
        None => 0,
    };
    compare(&expected, &found)?;
    let judge = site.hub.judge();
    let (trace, seen) = (judge.trace(), judge.seen.clone());
    let processes = site.hub.people().started;
    Ok(Report { trace, simulated: sim.elapsed(), recoveries, processes, seen })
}

/// Folders for the outputs of one seed. Their names are in what is sent and stored, so they are the same in every run; who
/// simulates the same seed at the same time has to wait.
struct Folders {
    base: PathBuf,
    _lock: std::fs::File,
}

impl Folders {
    fn new(seed: u64) -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let parent = parent.join("tessds-simulate");
        std::fs::create_dir_all(&parent).expect("a folder");
        let lock = std::fs::File::create(parent.join(format!("{seed}.lock"))).expect("a lock file");
        lock.lock().expect("a lock");
        let base = parent.join(seed.to_string());
        drop(std::fs::remove_dir_all(&base));
        for name in ["expected", "found"] {
            std::fs::create_dir_all(base.join(name)).expect("a folder");
        }
        Self { base, _lock: lock }
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.base));
    }
}
