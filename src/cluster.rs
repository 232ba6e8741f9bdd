//! The command line of runs over many processes, and of runs that are kept in a store.

use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_rt::System;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};

use tessds::actors::threads::Threads;
use tessds::actors::worker::OpenStore;
use tessds::cli::{ClusterArgs, Role, RunArgs};
use tessds::control::RunState;
use tessds::control::lines::read_file;
use tessds::control::live::{RunStatus, live};
use tessds::control::timed::parse;
use tessds::diagnostics::InputError;
use tessds::graph::partition::Cut;
use tessds::observe::{Health, Instruments};
use tessds::persist::{MemoryStore, RunName, SnapshotStore, StoreError, open};
use tessds::protocol::{Limits, LocalNetwork, Networking, TcpNetwork, TlsNetwork};
use tessds::roles::cutting::{Hosts, cut_as_asked};
use tessds::roles::given::given;
use tessds::roles::launch::{LeaseRequest, LoadedScenario};
use tessds::roles::master::{Finished, MasterOptions, RunControl, TimedFile};
use tessds::roles::rest::rest;
use tessds::roles::standalone::RunError;
use tessds::roles::whole_run::{WholeRun, drive_through};
use tessds::roles::worker::{WorkerSetup, work as work_for};
use tessds::scenario::Scenario;
use tessds::settings::{ProcessSettings, Progress};

use super::compiled;
use super::probes::{counted, show};

const MASTER_ADDRESS: &str = "127.0.0.1:7700";
const WORKER_ADDRESS: &str = "127.0.0.1:0";
/// A fault that a worker has for tests (docs/chaos.md).
const FAULT: &str = "TESSDS_FAULT";
const DEFAULT_STORE: &str = "dir:tessds-store";
/// Said by who lingers.
const STAYS: &str = "the run has ended; the process stays up until it is terminated";

/// Says how a run went, in the report and on the screen.
pub type Tell<'a> = &'a dyn Fn(Finished) -> Result<(), RunError>;

/// Runs as a worker.
pub fn work(args: &RunArgs, process: &ProcessSettings) -> Result<(), RunError> {
    let url = store_url(process);
    if url == "memory" {
        return Err(InputError::file(
            "store",
            "a worker cannot use the memory store of its master; use dir: or redis:",
        )
        .into());
    }
    check_store(&url)?;
    let planned_panic = match std::env::var(FAULT) {
        Ok(plan) => Some(plan.parse().map_err(|error: String| InputError::file(FAULT, error))?),
        Err(_) => None,
    };
    let networking = networking(process)?;
    let cluster = &args.cluster;
    System::new().block_on(async {
        let (instruments, _gateway) = show(&process.control, Role::Worker, None)?.unzip();
        let listen = cluster.listen.as_deref().unwrap_or(WORKER_ADDRESS);
        let listener = networking.listen(listen).await.map_err(|e| cannot_listen(listen, &e))?;
        warn_if_open(process, &listener.address());
        let setup = WorkerSetup {
            name: cluster.name.clone().unwrap_or_else(|| format!("worker-{}", std::process::id())),
            incarnation: draw(),
            master: cluster.master.clone(),
            advertised: cluster.advertise.clone(),
            listener,
            networking,
            limits: Limits::default(),
            open_store: counted(Arc::new(move || open(&url)), instruments.as_ref()),
            threads: Threads::Own,
            patience: NonZeroU64::new(process.cluster.master_patience_s).map(|s| Duration::from_secs(s.get())),
            planned_panic,
            instruments,
        };
        let told_to_end = terminated().boxed_local().shared();
        let health = setup.instruments.as_ref().map(|instruments| instruments.health().clone());
        work_for(setup, told_to_end.clone()).await?;
        if process.cluster.linger {
            health.iter().for_each(Health::rests);
            tracing::info!("{STAYS}");
            told_to_end.await;
        }
        Ok(())
    })
}

/// All that it takes to drive runs, one after the other.
#[derive(Clone)]
pub struct Driver {
    cluster: ClusterArgs,
    process: ProcessSettings,
    /// To workers in other processes.
    networking: Arc<dyn Networking>,
    open_store: OpenStore,
    /// `None`: nobody asks for metrics.
    instruments: Option<Instruments>,
}

impl Driver {
    /// # Errors
    /// The store, or a certificate, cannot be used.
    pub fn new(args: &RunArgs, process: &ProcessSettings, instruments: Option<Instruments>) -> Result<Self, RunError> {
        let url = store_url(process);
        let cluster = args.cluster.clone();
        if url == "memory" && cluster.role != Role::Standalone {
            return Err(InputError::file(
                "store",
                "workers cannot use the memory store of their master; use dir: or redis:",
            )
            .into());
        }
        let open_store: OpenStore = if url == "memory" {
            let shared = MemoryStore::new();
            Arc::new(move || Ok(Box::new(shared.clone()) as Box<dyn SnapshotStore>))
        } else {
            check_store(&url)?;
            Arc::new(move || open(&url))
        };
        let open_store = counted(open_store, instruments.as_ref());
        Ok(Self { cluster, process: process.clone(), networking: networking(process)?, open_store, instruments })
    }

    /// Counts from now on, if somebody asks.
    fn observe(&mut self, instruments: Option<Instruments>) {
        self.open_store = counted(Arc::clone(&self.open_store), instruments.as_ref());
        self.instruments = instruments;
    }

    /// For outputs that cannot be gone on with.
    pub fn take_no_snapshots(&mut self) {
        self.process.cluster.fault_tolerance = false;
    }

    fn is_alone(&self) -> bool {
        self.cluster.role == Role::Standalone
    }

    /// Cuts a scenario for the workers that are expected.
    ///
    /// # Errors
    /// It cannot be cut so often.
    pub fn cut(&self, scenario: &Scenario, partitions: Option<u32>) -> Result<Cut, InputError> {
        let mut settings = self.process.partition.clone();
        settings.count = partitions.unwrap_or(settings.count);
        cut_as_asked(&scenario.network, &scenario.demand, scenario.settings.seed, &settings, self.hosts())
    }

    /// Who is expected to share the work.
    fn hosts(&self) -> Hosts {
        if self.is_alone() { Hosts::here() } else { Hosts::Workers(self.cluster.workers) }
    }

    /// Drives a run to its end; `given` is `None` for one that is resumed. To be called in an actix system.
    ///
    /// # Errors
    /// As [`drive_through`].
    pub async fn run(
        &self,
        name: String,
        given: Option<LoadedScenario>,
        control: Option<RunControl>,
        timed: Option<TimedFile>,
    ) -> Result<Finished, RunError> {
        let health = self.instruments.as_ref().map(Instruments::health);
        health.iter().for_each(|health| health.launches());
        let finished = self.launch_and_drive(name.clone(), given, control, timed).await;
        match &finished {
            Ok(finished) => tracing::info!(run = name, step = finished.recording.steps, "run finished"),
            Err(error) => tracing::error!(run = name, %error, "run failed"),
        }
        // Nothing is being prepared any more, also when it failed.
        health.iter().for_each(|health| health.takes_workers());
        finished
    }

    async fn launch_and_drive(
        &self,
        name: String,
        given: Option<LoadedScenario>,
        control: Option<RunControl>,
        timed: Option<TimedFile>,
    ) -> Result<Finished, RunError> {
        let Self { cluster, process, networking, open_store, instruments } = self;
        let run = RunName::new(name).map_err(|error| InputError::file("run-id", error.to_string()))?;
        // Who cannot listen must not take the run from a master that does.
        let networking: Arc<dyn Networking> =
            if self.is_alone() { Arc::new(LocalNetwork::default()) } else { Arc::clone(networking) };
        let listen = self.listens_at();
        let listener = networking.listen(listen).await.map_err(|e| cannot_listen(listen, &e))?;
        warn_if_open(process, &listener.address());
        let holder = match &cluster.name {
            Some(name) => name.clone(),
            None if self.is_alone() => format!("standalone-{}", std::process::id()),
            // The store takes no colons and brackets in names, which addresses have.
            None => format!("master-{}", listen.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-")),
        };
        let options = MasterOptions {
            limits: Limits::default(),
            cluster: process.cluster.clone(),
            threads: Threads::Own,
            quiet: process.progress == Progress::Never,
            instruments: instruments.clone(),
        };
        let run = WholeRun {
            options,
            claim: LeaseRequest { run, holder, lease: Duration::from_millis(process.cluster.lease_ms) },
            given,
            partitions: cluster.resume.as_ref().and(Some(process.partitions)).filter(|given| *given > 0),
            open_store: Arc::clone(open_store),
            listener,
            workers: if self.is_alone() { 1 } else { cluster.workers },
            control,
            timed,
        };
        let mut worker: Option<JoinHandle<()>> = None;
        let finished = drive_through(run, async |address| {
            if self.is_alone() && worker.is_none() {
                worker = Some(self.host(&networking, address).await?);
            }
            Ok(())
        });
        let finished = finished.await;
        // It has ended by itself, unless the run failed.
        worker.iter().for_each(JoinHandle::abort);
        finished
    }

    /// Stays after a run, if the settings say so, and tells workers that call that there is nothing to do.
    ///
    /// # Errors
    /// The address is somebody else's now.
    pub async fn linger(&self, told_to_end: impl Future<Output = ()>) -> Result<(), RunError> {
        if self.is_alone() || !self.process.cluster.linger {
            return Ok(());
        }
        let listen = self.listens_at();
        let mut listener = self.networking.listen(listen).await.map_err(|e| cannot_listen(listen, &e))?;
        self.instruments.iter().for_each(|instruments| instruments.health().rests());
        tracing::info!(address = listener.address(), "{STAYS}");
        tokio::select! {
            () = rest(&mut *listener, Limits::default()) => {}
            () = told_to_end => {}
        }
        Ok(())
    }

    fn listens_at(&self) -> &str {
        self.cluster.listen.as_deref().unwrap_or(MASTER_ADDRESS)
    }

    /// A worker in this process.
    async fn host(&self, networking: &Arc<dyn Networking>, master: String) -> Result<JoinHandle<()>, RunError> {
        let setup = WorkerSetup {
            name: "standalone".to_owned(),
            incarnation: draw(),
            master,
            advertised: None,
            listener: networking.listen(WORKER_ADDRESS).await.map_err(|e| cannot_listen(WORKER_ADDRESS, &e))?,
            networking: Arc::clone(networking),
            limits: Limits::default(),
            open_store: Arc::clone(&self.open_store),
            threads: Threads::Own,
            patience: None,
            planned_panic: None,
            instruments: self.instruments.clone(),
        };
        Ok(spawn_local(async move {
            if let Err(error) = work_for(setup, std::future::pending()).await {
                tracing::error!(%error, "the worker of this process failed");
            }
        }))
    }
}

/// Runs as a master, or as a master with a worker of its own in the same process. Tells nothing of a run that it was told to stop.
pub fn drive(args: &RunArgs, process: &ProcessSettings, tell: Tell<'_>) -> Result<(), RunError> {
    let mut driver = Driver::new(args, process, None)?;
    let timed = timed_file(args)?;
    let name = args.cluster.resume.clone().or_else(|| args.cluster.run_id.clone()).unwrap_or_else(new_name);
    System::new().block_on(async {
        // From now on, so that nothing it is told while it reads is lost.
        let mut told_to_end = pin!(terminated());
        let given = match &args.cluster.resume {
            Some(_) => None,
            None => tokio::select! {
                given = read(args.clone(), process.clone(), driver.hosts()) => Some(given?),
                () = &mut told_to_end => {
                    tracing::info!(run = name, "terminated before the run started");
                    return Ok(());
                }
            },
        };
        let (live_out, live_in) = live();
        let (instruments, _gateway) = show(&process.control, args.cluster.role, Some(live_in))?.unzip();
        let control = instruments.as_ref().map(|_| RunControl {
            // It is only looked at.
            requests: None,
            live: live_out.clone(),
            paused: false,
            factor: None,
        });
        driver.observe(instruments);
        tokio::select! {
            finished = driver.run(name.clone(), given, control, timed) => tell(finished?)?,
            () = &mut told_to_end => {
                tracing::info!(run = name, "terminated; workers wait for the next master, and --resume continues the run");
                return Ok(());
            }
        }
        live_out.status.send_modify(|status| {
            *status = Arc::new(RunStatus { state: RunState::Finished, ..(**status).clone() });
        });
        driver.linger(told_to_end).await
    })
}

/// Reads what is to be run, on a thread of its own: the program can be told to end meanwhile, and then waits for nobody.
async fn read(args: RunArgs, process: ProcessSettings, hosts: Hosts) -> Result<LoadedScenario, RunError> {
    let (sender, given_to_run) = oneshot::channel();
    std::thread::spawn(move || {
        let url = store_url(&process);
        // Nobody listens any more when the program ends.
        let _ = sender.send(given(&args.input, compiled(&args, &url), &process, hosts));
    });
    let panicked =
        |_| RunError::Failed("the scenario reader panicked; this is a bug in TessDS, please report it".to_owned());
    given_to_run.await.map_err(panicked)?
}

/// The file of timed commands that the command line names.
pub fn timed_file(args: &RunArgs) -> Result<Option<TimedFile>, InputError> {
    let Some(path) = &args.control.command_log else { return Ok(None) };
    let (name, text) = (path.display().to_string(), read_file(path)?);
    // What is no command should be said before a scenario is read.
    parse(&name, &text)?;
    Ok(Some(TimedFile { name, text }))
}

fn store_url(process: &ProcessSettings) -> String {
    if process.store.is_empty() { DEFAULT_STORE.to_owned() } else { process.store.clone() }
}

/// A bad address should be said before a scenario is read.
fn check_store(url: &str) -> Result<(), RunError> {
    open(url).map(drop).map_err(|error| bad_store(&error))
}

fn bad_store(error: &StoreError) -> RunError {
    InputError::file("store", error.to_string()).into()
}

/// How processes of a run reach each other: by TLS, where there are certificates.
fn networking(process: &ProcessSettings) -> Result<Arc<dyn Networking>, RunError> {
    let tcp: Arc<dyn Networking> = Arc::new(TcpNetwork);
    let Some(files) = process.tls.files() else { return Ok(tcp) };
    let network = TlsNetwork::new(tcp, files).map_err(|error| InputError::file("tls", error.to_string()))?;
    Ok(Arc::new(network))
}

/// Whoever reaches a process that asks for no certificate can be a master or a worker.
fn warn_if_open(process: &ProcessSettings, address: &str) {
    let is_open = address.parse().is_ok_and(|address: SocketAddr| !address.ip().is_loopback());
    if is_open && process.tls.files().is_none() {
        tracing::warn!(address, "the listen address is reachable from other machines without mutual TLS; set [tls]");
    }
}

fn cannot_listen(address: &str, error: &std::io::Error) -> RunError {
    InputError::file("listen", format!("cannot listen on {address}: {error}; choose another address with --listen"))
        .into()
}

/// Asked to end, by a signal.
pub async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

/// A number that no other process draws: the standard library seeds its hash maps from the system's randomness.
fn draw() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// A name for a run that got none.
pub fn new_name() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    format!("run-{seconds}-{:08x}", draw() as u32)
}
