//! Runs that clients control over the gateway.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use tessds::actors::session_manager::{
    Cutting, First, FirstFailed, Library, Reader, SessionManager, SessionManagerSetup, Starter, ToStart, take_commands,
};
use tessds::cli::{Role, RunArgs};
use tessds::control::command::Globals;
use tessds::control::gateway::{Access, Gateway, GatewayLimits, GatewaySetup};
use tessds::control::live::live;
use tessds::diagnostics::{InputError, Warnings};
use tessds::observe::{Instruments, warn_all};
use tessds::roles::given::{as_edited, configuration, regional};
use tessds::roles::launch::LoadedScenario;
use tessds::roles::master::{Finished, RunControl, TimedFile};
use tessds::roles::standalone::RunError;
use tessds::scenario::load;
use tessds::settings::{ControlSettings, ProcessSettings, RegionSettings};
use tessds::tls::TlsFiles;

use super::cluster::{Driver, Tell, new_name, terminated, timed_file};

const DEFAULT_ADDRESS: &str = "127.0.0.1:7780";
/// Requests queued for the session manager.
const REQUESTS: usize = 1024;

/// Takes commands until the run that was given is over, or without one until the program is told to end.
pub fn serve(args: RunArgs, mut process: ProcessSettings, tell: Tell<'_>) -> Result<(), RunError> {
    if args.cluster.role == Role::Standalone && process.store.is_empty() {
        // Nothing outlives this process, so nothing is written to disk for that; snapshots are what a running network is
        // edited by.
        process.store = "memory".to_owned();
    }
    let (instruments, pulse) = Instruments::new(args.cluster.role);
    let only_in_memory = process.store == "memory" && args.cluster.fault_tolerance.is_none();
    let driver = Driver::new(&args, &process, Some(instruments.clone()))?;
    let timed = timed_file(&args)?;
    let args = Arc::new(args);
    let settings = process.control.clone();
    System::new().block_on(async {
        spawn_local(pulse.beat());
        let (live_out, live_in) = live();
        let (requests, commands) = mpsc::channel(REQUESTS);
        let setup = GatewaySetup {
            address: if settings.http.is_empty() { DEFAULT_ADDRESS.to_owned() } else { settings.http.clone() },
            access: access(&settings)?,
            tls: tls(&settings),
            limits: limits(&settings),
            front: requests,
            live: live_in,
            instruments: instruments.clone(),
        };
        if args.input.configuration.is_some() && !args.control.paused {
            // Its run begins by itself, and there is nothing for workers before.
            instruments.health().launches();
        }
        let gateway = Gateway::open(setup).map_err(|error| InputError::file("control", error.to_string()))?;
        let finished: Rc<RefCell<Option<Finished>>> = Rc::default();
        let (over, ended) = oneshot::channel();
        let first =
            args.input.configuration.clone().map(|configuration| First { configuration, start: !args.control.paused });
        let scenarios = Some(PathBuf::from(&settings.scenarios)).filter(|folder| !folder.as_os_str().is_empty());
        let (lingering, for_cut) = (driver.clone(), driver.clone());
        let starter = Starting {
            driver,
            timed,
            run: args.cluster.run_id.clone(),
            factor: (settings.speed > 0.0).then_some(settings.speed),
            only_in_memory,
            finished: Rc::clone(&finished),
        };
        let cutting: Cutting = Arc::new(move |scenario, partitions| for_cut.cut(scenario, partitions));
        let front = SessionManagerSetup {
            library: Library::new(scenarios),
            reader: reader(Arc::clone(&args), process.region.clone()),
            cutting,
            starter: starter.starter(),
            live: live_out,
            first,
            over,
        };
        let front = SessionManager::new(front).start();
        let listening = spawn_local(take_commands(commands, front));
        let mut told_to_end = pin!(terminated());
        let result = tokio::select! {
            ended = ended => match ended {
                Ok(Ok(())) => Ok(finished.borrow_mut().take()),
                Ok(Err(FirstFailed::Input(error))) => Err(error.into()),
                Ok(Err(FirstFailed::Run(reason))) => Err(RunError::Failed(reason)),
                Err(_) => Err(RunError::Failed("the session manager ended before the run".to_owned())),
            },
            () = &mut told_to_end => {
                tracing::info!("shutdown signal received");
                Ok(None)
            }
        };
        let result = match result {
            Ok(Some(finished)) => match tell(finished) {
                Ok(()) => lingering.linger(told_to_end).await,
                failed => failed,
            },
            other => other.map(drop),
        };
        listening.abort();
        drop(gateway);
        result
    })
}

/// What every run of the process is started with.
struct Starting {
    driver: Driver,
    timed: Option<TimedFile>,
    /// Name of the first run; those after it are numbered. `None`: drawn for each.
    run: Option<String>,
    /// Simulated seconds a second; `None`: as fast as it can.
    factor: Option<f64>,
    /// Snapshots are kept in memory and fault tolerance is not asked for.
    only_in_memory: bool,
    /// Takes the run that finished last.
    finished: Rc<RefCell<Option<Finished>>>,
}

impl Starting {
    fn starter(self) -> Starter {
        let Self { driver, timed, run, factor, only_in_memory, finished } = self;
        let runs = Cell::new(0u32);
        Rc::new(move |start: ToStart| {
            runs.set(runs.get() + 1);
            let name = match (&run, runs.get()) {
                (Some(name), 1) => name.clone(),
                (Some(name), number) => format!("{name}-{number}"),
                (None, _) => new_name(),
            };
            let (mut driver, timed, finished) = (driver.clone(), timed.clone(), Rc::clone(&finished));
            if only_in_memory && start.outputs.writes_parquet(&start.scenario.requests) {
                driver.take_no_snapshots();
            }
            async move {
                let ToStart { scenario, cut, outputs, requests, live, paused } = start;
                let control = RunControl { requests: Some(requests), live, paused, factor };
                let ended =
                    driver.run(name, Some(LoadedScenario { scenario, cut, outputs }), Some(control), timed).await;
                let ended = ended.map_err(|error| error.to_string())?;
                let digest = ended.recording.digest;
                *finished.borrow_mut() = Some(ended);
                Ok(digest)
            }
            .boxed_local()
        })
    }
}

fn reader(args: Arc<RunArgs>, region: RegionSettings) -> Reader {
    Arc::new(move |path: Option<PathBuf>, globals: &Globals| {
        let mut warnings = Warnings::default();
        let mut config =
            configuration(path.as_deref().or(args.input.configuration.as_deref()), &args.input, &mut warnings)?;
        let Globals { begin_ms, end_ms, step_length_ms, seed, scale, .. } = globals;
        config.settings.begin_ms = begin_ms.unwrap_or(config.settings.begin_ms);
        config.settings.end_ms = end_ms.map_or(config.settings.end_ms, |end_ms| (end_ms > 0).then_some(end_ms));
        config.settings.step_ms = step_length_ms.unwrap_or(config.settings.step_ms);
        config.settings.seed = seed.unwrap_or(config.settings.seed);
        config.scale = scale.unwrap_or(config.scale);
        let scenario = load(&config, &mut warnings)?;
        let (scenario, _) = regional(scenario, &region, &mut warnings)?;
        let scenario = as_edited(scenario, &args.input, &mut warnings)?;
        warn_all(&warnings);
        Ok((scenario, config.outputs))
    })
}

fn access(settings: &ControlSettings) -> Result<Access, InputError> {
    let origins = settings.origins.clone();
    if settings.token_file.is_empty() {
        return Ok(Access::new(Vec::new(), origins));
    }
    Access::from_file(Path::new(&settings.token_file), origins)
        .map_err(|error| InputError::file("control.token_file", error.to_string()))
}

/// Bounds of what clients may ask.
pub fn limits(settings: &ControlSettings) -> GatewayLimits {
    GatewayLimits {
        clients: settings.max_clients,
        message_bytes: settings.message_bytes,
        messages_per_s: settings.messages_per_s,
        burst: settings.messages_per_s.saturating_mul(2),
        ..GatewayLimits::default()
    }
}

/// The certificates that the gateway shows, if it does.
pub fn tls(settings: &ControlSettings) -> Option<TlsFiles> {
    let given = |path: &str| (!path.is_empty()).then(|| PathBuf::from(path));
    Some(TlsFiles {
        certificate: given(&settings.certificate)?,
        key: given(&settings.key)?,
        ca: given(&settings.client_ca),
    })
}
