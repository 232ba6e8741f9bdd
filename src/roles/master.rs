//! Drives a run whose partitions are in workers, and writes its outputs.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::launch::Launch;
use super::standalone::{RunError, WINDOW};
use super::timed_check::check;
use crate::actors::accept_from;
use crate::actors::master::{
    ClusterCore, ClusterMaster, ClusterOutcome, Horizon, Leave, LogEntry, Outcome, PACE, Pace, Plan, Resumed,
    RunController, ScheduledCommand, StoreWriter, StoredPace, SubmitRequest, Tenure, WorkerCalls, of_network, persist,
};
use crate::actors::recorder::{self, Recorder, RecorderMessage, Recording};
use crate::actors::threads::Threads;
use crate::control::NameResolver;
use crate::control::live::{LiveOut, live};
use crate::control::timed::{TimedCommand, parse};
use crate::observe::{Instruments, Progress};
use crate::output::{Alerts, Names, Outputs, Reporting};
use crate::persist::SnapshotStore;
use crate::protocol::{FencingToken, Limits, Listener, OrderNotice, Policy, Purpose, RunId, answer};
use crate::scenario::Settings;
use crate::settings::{ClusterSettings, OnOutage};
use crate::sim::{RouteGuidance, RunRules, Scope, World, check_routes};

/// Steps beyond the last commit that may be done, in intervals: the bound of the logs (I7).
const UNCOMMITTED_INTERVALS: u64 = 8;
/// Under this name the timed commands are stored.
const TIMED: &str = "timed";
/// What a master waits for its last words to be written.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How a master works, whatever the run.
#[derive(Clone)]
pub struct MasterOptions {
    pub limits: Limits,
    pub cluster: ClusterSettings,
    pub threads: Threads,
    pub quiet: bool,
    /// `None`: nobody asks for metrics.
    pub instruments: Option<Instruments>,
}

/// Where and how a master works.
pub struct MasterSetup {
    pub options: MasterOptions,
    pub store: Box<dyn SnapshotStore>,
    pub listener: Box<dyn Listener>,
    /// Start when so many workers have come.
    pub workers: usize,
    /// Start with fewer when they have not come by then; `None`: never.
    pub gather: Option<Duration>,
    /// How the run is driven, when it is not as `control` says.
    pub pace: Option<Pace>,
    /// `None`: nobody drives the run from outside.
    pub control: Option<RunControl>,
    /// Commands to be given at their steps.
    pub timed: Option<TimedFile>,
}

/// A file of timed commands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimedFile {
    pub name: String,
    pub text: String,
}

/// How a run is driven from outside.
pub struct RunControl {
    /// `None`: it is only looked at.
    pub requests: Option<mpsc::Receiver<SubmitRequest>>,
    pub live: LiveOut,
    /// Pause before the first step.
    pub paused: bool,
    /// Simulated seconds a second; `None`: as fast as it can.
    pub factor: Option<f64>,
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    pub recording: Recording,
    pub settings: Settings,
    pub partitions: usize,
    pub recoveries: u64,
    pub replayed_steps: u64,
}

/// What driving has come to.
pub enum Driven {
    Finished(Box<Finished>),
    /// The network is edited at this step: to be launched and driven again.
    Edited(Box<EditHandover>),
}

/// What goes over from one network of a run to the next.
pub struct EditHandover {
    pub listener: Box<dyn Listener>,
    pub control: Option<RunControl>,
    pub pace: Pace,
    /// That were connected.
    pub workers: usize,
}

/// Drives a run to its end, or to where its network is edited. To be called in an actix system.
///
/// # Errors
/// [`RunError::Input`] when an output cannot be opened, [`RunError::Failed`] when the run ends early; then it can be resumed.
pub async fn drive(setup: MasterSetup, launch: Launch) -> Result<Driven, RunError> {
    let MasterSetup { options, mut store, listener, workers, gather, pace, control, timed } = setup;
    let MasterOptions { limits, cluster, threads, quiet, instruments } = options;
    let Launch { tenure, compiled, outputs: paths, standing, placed, tallies, recut, log, pace: kept } = launch;
    let partitions = compiled.cut.parts as u16;
    let settings = compiled.settings.clone();
    let world = Arc::new(World::new(
        Arc::clone(&compiled.network),
        Arc::clone(&compiled.demand),
        settings.clone(),
        &compiled.requests,
    ));
    let requests = compiled.requests.clone();
    let rules = RunRules::of(&world);
    let is_driven = control.as_ref().is_some_and(|control| control.requests.is_some());
    let horizon = Horizon { window: WINDOW, end: rules.steps, is_driven };
    let interval = cluster.fault_tolerance.then_some(cluster.snapshot_interval).and_then(NonZeroU64::new);
    let uncommitted = interval.map(|interval| (UNCOMMITTED_INTERVALS * interval.get()).max(2 * horizon.ahead()));
    let token = FencingToken { run: RunId::of(tenure.run.as_str()), epoch: tenure.epoch };
    let policy = Policy {
        snapshot_interval: interval.map(NonZeroU64::get),
        uncommitted_steps: uncommitted,
        outlive_store: cluster.on_outage == OnOutage::Continue,
        heartbeat_ms: cluster.heartbeat.then_some(cluster.heartbeat_ms),
        timeout_ms: cluster.timeout_ms,
        report: paths.report_options(&requests),
    };
    let start = standing.as_ref().map_or(0, |standing| standing.step);
    let run_meter = instruments.as_ref().map(|instruments| {
        let meter = instruments.run(tallies);
        if interval.is_some() {
            // What is not committed yet is at risk since the run began.
            meter.committed(standing.as_ref().map_or_else(SystemTime::now, |standing| standing.committed_at));
        }
        meter
    });
    let pace = match pace {
        Some(pace) => pace,
        None => pace_of(&mut *store, &tenure, kept, control.as_ref(), start, &rules).await?,
    };
    let plan = Plan {
        pace,
        begin_ms: rules.begin_ms,
        step_ms: rules.step_ms,
        run: token.run,
        name: tenure.run.clone(),
        scenario: tenure.scenario,
        partitions,
        preferred: compiled.cut.workers.clone(),
        workers,
        gather,
        policy,
        grace: Duration::from_millis(cluster.grace_ms),
        adoption_grace: Duration::from_millis(cluster.adoption_ms),
        horizon,
    };

    // The recorder, from the beginning or from where it stood.
    let names = Names::new(Arc::clone(&world.network), Arc::clone(&world.demand));
    let reporting = Reporting {
        partitions: usize::from(partitions),
        begin_ms: rules.begin_ms,
        step_ms: rules.step_ms,
        capacity: uncommitted.unwrap_or(0).max(horizon.ahead()) as usize + 1,
        checkpoints: interval.is_some(),
    };
    // Who gives commands has to know the names, and which partitions know what.
    let is_new = standing.is_none() && log.is_empty() && placed.is_empty();
    let timed = timed_commands(&mut *store, &tenure, timed, is_new).await?;
    let needs_names = control.is_some() || !log.is_empty() || !timed.is_empty();
    let scopes =
        |world: &World| (0..partitions).map(|part| Scope::new(world, part, &compiled.cut.part_of_edge)).collect();
    let scopes = Arc::new(if needs_names { scopes(&world) } else { Vec::new() });
    if is_new {
        // What is misspelt should be said before the run begins.
        check(&timed, &rules, &compiled)?;
    }
    let edits = compiled.revision.edits;
    let (resolver, log) = if needs_names {
        let mut resolver = NameResolver::new(Arc::clone(&world), requests.clone(), scopes);
        let log = told(log, edits, &mut resolver);
        (Some(resolver), log)
    } else {
        (None, Vec::new())
    };
    let steps = timed.iter().map(|command| command.step(|ms| rules.step_of(ms))).collect();
    let since = compiled.revision.epoch;
    // Nobody needs the network any more who gives no commands.
    drop(compiled);
    let mut resumed = Resumed { placed, recut, since, edits, log, timed: steps, tallies, ..Resumed::default() };
    let alerts = Alerts::new(names.clone(), &world.settings, is_driven || !resumed.timed.is_empty());
    let alerts = alerts.resumed(standing.as_ref().and_then(|standing| standing.recorder.still_since));
    let core = match standing {
        Some(standing) => {
            let outputs = Outputs::resume(&names, &paths, &requests, reporting, &standing.recorder.outputs)?;
            let damaged = |error| RunError::Failed(format!("snapshot of step {}: {error}", standing.step));
            let ways = standing.recorder.notices.iter().flat_map(|notice| &notice.updates);
            check_routes(&world.network, ways).map_err(damaged)?;
            let guidance = RouteGuidance::restored(&world, standing.recorder.guidance).map_err(damaged)?;
            let core = recorder::Core::resumed(token, rules, outputs, guidance, standing.recorder.notices);
            (resumed.steps, resumed.parts) = (standing.step, Some(standing.parts));
            tracing::info!(run = %tenure.run, step = standing.step, "run resumed from its last snapshot");
            core
        }
        None => {
            let outputs = Outputs::open(&names, &paths, &requests, reporting)?;
            recorder::Core::new(token, rules, outputs, RouteGuidance::new(&world))
        }
    };
    let core = core.with_alerts(alerts);
    let core = match interval {
        Some(interval) => core.with_checkpoints(interval),
        None => core,
    };
    let recorder_meter = instruments.as_ref().map(|instruments| {
        let (steps, _, counts) = core.progress();
        instruments.recorder(steps, counts.vehicle_updates)
    });
    resumed.notices = core.notices().to_vec();
    resumed.hold = core.hold();
    let orders_before: Vec<OrderNotice> = of_network(resumed.log.clone(), edits)
        .iter()
        .filter(|told| told.entry.at_step >= start)
        .filter_map(|told| told.notice(token.run, token.epoch))
        .collect();
    drop(world);

    // Actors.
    let progress = Progress::new(settings.begin_ms, settings.end_ms, settings.step_ms, quiet);
    let recording = threads.start();
    let mailbox = Recorder::mailbox(usize::from(partitions), 2);
    let recorder = recording.start(move |ctx: &mut Context<Recorder>| {
        ctx.set_mailbox_capacity(mailbox);
        Recorder::new(core, progress).with_meter(recorder_meter)
    });
    let (orders, queue) = StoreWriter::queue();
    let (sender, outcome) = oneshot::channel();
    let live_out = control.as_ref().map(|control| control.live.clone());
    let (controller, requests) = match (control, resolver) {
        (Some(RunControl { requests, live, .. }), Some(resolver)) => {
            (Some(RunController::new(resolver, live, timed)), requests)
        }
        // Nobody looks on.
        (None, Some(resolver)) => (Some(RunController::new(resolver, live().0, timed)), None),
        (_, None) => (None, None),
    };
    let cluster_core = ClusterCore::new(plan, tenure.epoch, resumed, Instant::now());
    let (for_master, epoch) = (recorder.clone(), tenure.epoch);
    let master = ClusterMaster::create(move |ctx| {
        ctx.set_mailbox_capacity(ClusterMaster::mailbox(horizon.ahead()));
        ClusterMaster::new(cluster_core, token.run, limits, for_master, Some(orders), epoch, sender)
            .with_controller(controller)
            .with_meter(run_meter)
    });
    let opened = recorder.send(RecorderMessage::Open(master.clone().recipient()));
    let no_recorder = |error| RunError::Failed(format!("the recorder actor ended before the run: {error}"));
    opened.await.map_err(no_recorder)?;
    for notice in orders_before {
        recorder.send(RecorderMessage::Orders(notice)).await.map_err(no_recorder)?;
    }
    let keeping = spawn_local(StoreWriter::new(store, tenure, master.clone().recipient()).run(queue));
    tracing::info!(address = listener.address(), workers, partitions, "master waits for workers");
    // Both end when the other side of this is dropped.
    let (ends, is_over) = watch::channel(());
    let accepting = spawn_local(accept_until(listener, master.clone(), is_over.clone()));
    let listening = requests.map(|requests| spawn_local(hand_on(requests, master.clone(), is_over)));
    instruments.iter().for_each(|instruments| instruments.health().takes_workers());

    let ended = outcome.await;
    drop(ends);
    tokio::time::sleep(LAST_WORDS).await;
    keeping.abort();
    let gone = |_| RunError::Failed("the master actor ended before the run".to_owned());
    let ClusterOutcome { outcome, workers, pace, recoveries, replayed_steps } = ended.map_err(gone)?;
    match outcome {
        Outcome::Finished(recording) => Ok(Driven::Finished(Box::new(Finished {
            recording: *recording,
            settings,
            partitions: usize::from(partitions),
            recoveries,
            replayed_steps,
        }))),
        Outcome::Edited => {
            let panicked = |_| RunError::Failed("the accept task panicked".to_owned());
            let listener = accepting.await.map_err(panicked)?;
            let requests = match listening {
                Some(listening) => Some(listening.await.map_err(panicked)?),
                None => None,
            };
            let control =
                live_out.map(|live| RunControl { requests, live, paused: pace.is_paused(), factor: pace.factor() });
            // It has answered who was on the way to it.
            master
                .send(Leave)
                .await
                .map_err(|error| RunError::Failed(format!("the master actor ended before the run: {error}")))?;
            Ok(Driven::Edited(Box::new(EditHandover { listener, control, pace, workers })))
        }
        Outcome::Failed(reason) => Err(RunError::Failed(reason)),
    }
}

/// How a run is driven: as an earlier master was told, or as it is started. Who can be told to go on is the only one who waits.
async fn pace_of(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    kept: Option<StoredPace>,
    control: Option<&RunControl>,
    start: u64,
    rules: &RunRules,
) -> Result<Pace, RunError> {
    let step = Duration::from_millis(rules.step_ms as u64);
    let Some(control) = control.filter(|control| control.requests.is_some()) else {
        if kept.is_some_and(|kept| kept.paused_at.is_some()) {
            tracing::warn!(run = %tenure.run, "paused run resumed, because this process accepts no commands");
        }
        return Ok(Pace::new(step, None, None));
    };
    let given = StoredPace { paused_at: control.paused.then_some(start), factor: control.factor };
    if kept.is_none() && given != StoredPace::default() {
        let (run, epoch) = (&tenure.run, tenure.epoch);
        let kept = persist(async || store.put_record(run, epoch, PACE, &given.encode()).await).await;
        kept.map_err(|error| RunError::Failed(format!("pace and pause state cannot be stored: {error}")))?;
    }
    let StoredPace { paused_at, factor } = kept.unwrap_or(given);
    Ok(Pace::new(step, paused_at, factor))
}

/// The command log with the partitions that its entries concern, as far as they are for the present network; the resolver learns
/// the names that they brought.
fn told(log: Vec<LogEntry>, edits: u32, resolver: &mut NameResolver) -> Vec<ScheduledCommand> {
    let mut before = 0;
    let tell = |(entry, number): (LogEntry, u64)| {
        if before <= edits {
            entry.learn(resolver);
        }
        let is_present = before == edits;
        before += u32::from(entry.is_edit());
        if is_present { entry.told(number, resolver) } else { ScheduledCommand { number, entry, parts: Vec::new() } }
    };
    log.into_iter().zip(0..).map(tell).collect()
}

/// Accepts connections until `is_over`, and gives the listener back.
async fn accept_until(
    mut listener: Box<dyn Listener>,
    master: Addr<ClusterMaster>,
    mut is_over: watch::Receiver<()>,
) -> Box<dyn Listener> {
    tokio::select! {
        // Not by lot, so that a simulated run is deterministic.
        biased;
        _ = is_over.changed() => {}
        () = accept_from(&mut *listener, move |purpose, stream| serve(&master, purpose, stream)) => {}
    }
    listener
}

/// Forwards requests one at a time; a request that cannot be forwarded is answered with the error that the run is gone.
/// Gives those that are still to come back when it `is_over`.
async fn hand_on(
    mut requests: mpsc::Receiver<SubmitRequest>,
    master: Addr<ClusterMaster>,
    mut is_over: watch::Receiver<()>,
) -> mpsc::Receiver<SubmitRequest> {
    loop {
        let request = tokio::select! {
            biased;
            _ = is_over.changed() => return requests,
            request = requests.recv() => request,
        };
        let Some(request) = request else { return requests };
        if master.send(request).await.is_err() {
            return requests;
        }
    }
}

/// Commands that are given at their steps: those of a new run are kept in the store, for who resumes it; a run that goes on has
/// its own.
async fn timed_commands(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    given: Option<TimedFile>,
    is_new: bool,
) -> Result<Vec<TimedCommand>, RunError> {
    let Tenure { run, epoch, .. } = tenure;
    let failed = |error| RunError::Failed(format!("the timed commands cannot be stored: {error}"));
    let file = if is_new {
        let Some(file) = given else { return Ok(Vec::new()) };
        let bytes = rmp_serde::to_vec(&file).expect("a text can always be written");
        persist(async || store.put_record(run, *epoch, TIMED, &bytes).await).await.map_err(failed)?;
        file
    } else {
        let kept = persist(async || store.get_record(run, TIMED).await).await.map_err(failed)?;
        match kept.map(|bytes: Vec<u8>| rmp_serde::from_slice(&bytes)) {
            None => return Ok(Vec::new()),
            Some(Ok(file)) => file,
            Some(Err(error)) => {
                return Err(RunError::Failed(format!("the timed commands of '{run}' cannot be read: {error}")));
            }
        }
    };
    Ok(parse(&file.name, &file.text)?)
}

fn serve(master: &Addr<ClusterMaster>, purpose: Purpose, mut stream: Box<dyn crate::protocol::Stream>) {
    match purpose {
        Purpose::Work => {
            if master.try_send(WorkerCalls { stream }).is_err() {
                tracing::warn!("too many workers connect at once; they will retry");
            }
        }
        Purpose::Neighbour { .. } => {
            let reason = "this is a master, not a worker";
            tracing::warn!(error = reason, "connection refused");
            spawn_local(async move {
                // Whoever hangs up before needs no answer.
                let _ = answer(&mut *stream, Err(reason.to_owned())).await;
            });
        }
    }
}
