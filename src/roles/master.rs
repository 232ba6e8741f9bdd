//! Drives a run whose partitions are in workers, and writes its outputs.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::launch::Launch;
use super::standalone::{RunError, WINDOW, rules_of};
use crate::actors::accept_all;
use crate::actors::master::{
    ClusterCore, ClusterMaster, ClusterOutcome, Horizon, Keeper, Outcome, Plan, Resumed, WorkerCalls,
};
use crate::actors::recorder::{self, Open, Recorder, Recording};
use crate::actors::threads::Threads;
use crate::output::{Names, Outputs, Progress, Reporting};
use crate::persist::SnapshotStore;
use crate::protocol::{Limits, Listener, Policy, Purpose, RunId, Scene, answer};
use crate::scenario::Settings;
use crate::settings::{ClusterSettings, OnOutage};
use crate::sim::{RouteGuidance, World};

/// Steps beyond the last commit that may be done, in intervals: the bound of the logs (I7).
const UNCOMMITTED_INTERVALS: u64 = 8;
/// What a master waits for its last words to be written.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Where and how a master works.
pub struct MasterSetup {
    pub store: Box<dyn SnapshotStore>,
    pub listener: Box<dyn Listener>,
    pub limits: Limits,
    /// Start when so many workers have come.
    pub workers: usize,
    pub cluster: ClusterSettings,
    pub threads: Threads,
    pub quiet: bool,
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

/// Drives a run to its end. To be called in an actix system.
///
/// # Errors
/// [`RunError::Input`] when an output cannot be opened, [`RunError::Failed`] when the run ends early; then it can be resumed.
pub async fn drive(setup: MasterSetup, launch: Launch) -> Result<Finished, RunError> {
    let MasterSetup { store, listener, limits, workers, cluster, threads, quiet } = setup;
    let Launch { tenure, compiled, outputs: paths, standing, placed, recut } = launch;
    let partitions = compiled.cut.parts as u16;
    let settings = compiled.settings.clone();
    let world =
        Arc::new(World::new(compiled.network, compiled.demand, compiled.settings.clone(), compiled.requests.clone()));
    let rules = rules_of(&world);
    let horizon = Horizon { window: WINDOW, end: rules.steps };
    let interval = cluster.fault_tolerance.then_some(cluster.snapshot_interval).and_then(NonZeroU64::new);
    let uncommitted = interval.map(|interval| (UNCOMMITTED_INTERVALS * interval.get()).max(2 * horizon.ahead()));
    let scene = Scene { run: RunId::of(tenure.run.as_str()), epoch: tenure.epoch };
    let policy = Policy {
        snapshot_interval: interval.map(NonZeroU64::get),
        uncommitted_steps: uncommitted,
        outlive_store: cluster.on_outage == OnOutage::Continue,
        heartbeat_ms: cluster.heartbeat.then_some(cluster.heartbeat_ms),
        timeout_ms: cluster.timeout_ms,
        fcd: paths.fcd.is_some(),
    };
    let plan = Plan {
        run: scene.run,
        name: tenure.run.clone(),
        scenario: tenure.scenario,
        partitions,
        workers,
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
    let mut resumed = Resumed { placed, recut, ..Resumed::default() };
    let core = match standing {
        Some(standing) => {
            let outputs = Outputs::resume(&names, &paths, &world.requests, reporting, &standing.recorder.outputs)?;
            let guidance = RouteGuidance::restored(&world, standing.recorder.guidance);
            let core = recorder::Core::resumed(scene, rules, outputs, guidance, standing.recorder.notices);
            (resumed.steps, resumed.parts) = (standing.step, Some(standing.parts));
            tracing::info!(run = %tenure.run, step = standing.step, "run goes on from its last snapshot");
            core
        }
        None => {
            let outputs = Outputs::open(&names, &paths, &world.requests, reporting)?;
            recorder::Core::new(scene, rules, outputs, RouteGuidance::new(&world))
        }
    };
    let core = match interval {
        Some(interval) => core.with_checkpoints(interval),
        None => core,
    };
    resumed.notices = core.notices().to_vec();
    resumed.hold = core.hold();
    drop(world);

    // Actors.
    let progress = Progress::new(settings.begin_ms, settings.end_ms, settings.step_ms, quiet);
    let recording = threads.start();
    let mailbox = Recorder::mailbox(usize::from(partitions), 2);
    let recorder = recording.start(move |ctx: &mut Context<Recorder>| {
        ctx.set_mailbox_capacity(mailbox);
        Recorder::new(core, progress)
    });
    let (orders, queue) = Keeper::queue();
    let (sender, outcome) = oneshot::channel();
    let cluster_core = ClusterCore::new(plan, tenure.epoch, resumed, Instant::now());
    let (for_master, epoch) = (recorder.clone(), tenure.epoch);
    let master = ClusterMaster::create(move |ctx| {
        ctx.set_mailbox_capacity(ClusterMaster::mailbox(horizon.ahead()));
        ClusterMaster::new(cluster_core, scene.run, limits, for_master, Some(orders), epoch, sender)
    });
    let opened = recorder.send(Open {
        recorded: master.clone().recipient(),
        routes: master.clone().recipient(),
        done: master.clone().recipient(),
        failed: master.clone().recipient(),
        checkpoints: Some(master.clone().recipient()),
    });
    opened.await.map_err(|error| RunError::Failed(format!("the recorder ended before the run: {error}")))?;
    let keeping = spawn_local(Keeper::new(store, tenure, master.clone().recipient()).run(queue));
    tracing::info!(address = listener.address(), workers, partitions, "master waits for workers");
    let calls = master.clone();
    let serve = move |purpose, stream| serve(&calls, purpose, stream);
    let accepting = spawn_local(accept_all(listener, serve));

    let ended = outcome.await;
    accepting.abort();
    tokio::time::sleep(LAST_WORDS).await;
    keeping.abort();
    let ClusterOutcome { outcome, recoveries, replayed_steps } =
        ended.map_err(|_| RunError::Failed("the master ended before the run".to_owned()))?;
    match outcome {
        Outcome::Finished(recording) => Ok(Finished {
            recording: *recording,
            settings,
            partitions: usize::from(partitions),
            recoveries,
            replayed_steps,
        }),
        Outcome::Failed(reason) => Err(RunError::Failed(reason)),
    }
}

fn serve(master: &Addr<ClusterMaster>, purpose: Purpose, mut stream: Box<dyn crate::protocol::Stream>) {
    match purpose {
        Purpose::Work => {
            if master.try_send(WorkerCalls { stream }).is_err() {
                tracing::warn!("too many workers call at once; they will call again");
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
