//! Drives a run whose partitions are in workers, and writes its outputs.

mod preparing;
mod serving;
mod stored_control;

use std::time::Duration;

use actix::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_local};

use self::preparing::{Prepared, Wanted, prepare};
use self::serving::{accept_until, hand_on};
use super::launch::Launch;
use super::standalone::RunError;
use crate::actors::master::{
    ClusterMaster, ClusterOutcome, Leave, Outcome, Pace, RunController, StoreWriter, SubmitRequest,
};
use crate::actors::recorder::{Recorder, RecorderMessage, Recording};
use crate::actors::threads::Threads;
use crate::control::live::{LiveOut, live};
use crate::observe::{Instruments, Progress};
use crate::persist::SnapshotStore;
use crate::protocol::{Limits, Listener};
use crate::scenario::Settings;
use crate::settings::ClusterSettings;

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
    let settings = launch.compiled.settings.clone();
    let partitions = launch.compiled.cut.parts as usize;
    let wanted = Wanted { options: &options, workers, gather, pace, control: control.as_ref(), timed };
    let Prepared { tenure, token, horizon, master: core, recorder, orders, commands, meter } =
        prepare(&mut *store, wanted, launch).await?;
    let MasterOptions { limits, threads, quiet, instruments, .. } = options;

    let recorder_meter = instruments.as_ref().map(|instruments| {
        let (steps, _, counts) = recorder.progress();
        instruments.recorder(steps, counts.vehicle_updates)
    });
    let progress = Progress::new(settings.begin_ms, settings.end_ms, settings.step_ms, quiet);
    let recording = threads.start();
    let mailbox = Recorder::mailbox(partitions, 2);
    let recorder = recording.start(move |ctx: &mut Context<Recorder>| {
        ctx.set_mailbox_capacity(mailbox);
        Recorder::new(recorder, progress).with_meter(recorder_meter)
    });
    let (to_store, queue) = StoreWriter::queue();
    let (sender, outcome) = oneshot::channel();
    let live_out = control.as_ref().map(|control| control.live.clone());
    let (controller, requests) = match (control, commands) {
        (Some(RunControl { requests, live, .. }), Some((names, timed))) => {
            (Some(RunController::new(names, live, timed)), requests)
        }
        // Timed commands alone: there is nobody to show the run to.
        (None, Some((names, timed))) => (Some(RunController::new(names, live().0, timed)), None),
        (_, None) => (None, None),
    };
    let (for_master, epoch) = (recorder.clone(), tenure.epoch);
    let master = ClusterMaster::create(move |ctx| {
        ctx.set_mailbox_capacity(ClusterMaster::mailbox(horizon.ahead()));
        ClusterMaster::new(core, token.run, limits, for_master, Some(to_store), epoch, sender)
            .with_controller(controller)
            .with_meter(meter)
    });
    let no_recorder = |error| RunError::Failed(format!("the recorder actor ended before the run: {error}"));
    recorder.send(RecorderMessage::Open(master.clone().recipient())).await.map_err(no_recorder)?;
    for notice in orders {
        recorder.send(RecorderMessage::Orders(notice)).await.map_err(no_recorder)?;
    }
    let storing = spawn_local(StoreWriter::new(store, tenure, master.clone().recipient()).run(queue));
    tracing::info!(address = listener.address(), workers, partitions, "master waits for workers");
    // Both end when the other side of this is dropped.
    let (ends, is_over) = watch::channel(());
    let accepting = spawn_local(accept_until(listener, master.clone(), is_over.clone()));
    let listening = requests.map(|requests| spawn_local(hand_on(requests, master.clone(), is_over)));
    instruments.iter().for_each(|instruments| instruments.health().takes_workers());

    let ended = outcome.await;
    drop(ends);
    tokio::time::sleep(LAST_WORDS).await;
    storing.abort();
    let ended = ended.map_err(|_| master_is_gone())?;
    match ended.outcome {
        Outcome::Finished(recording) => Ok(Driven::Finished(Box::new(Finished {
            recording: *recording,
            settings,
            partitions,
            recoveries: ended.recoveries,
            replayed_steps: ended.replayed_steps,
        }))),
        Outcome::Edited => hand_over(accepting, listening, live_out, &master, &ended).await,
        Outcome::Failed(reason) => Err(RunError::Failed(reason)),
    }
}

fn master_is_gone() -> RunError {
    RunError::Failed("the master actor ended before the run".to_owned())
}

/// Takes listener and requests back from a master whose network is edited, and lets it end.
async fn hand_over(
    accepting: JoinHandle<Box<dyn Listener>>,
    listening: Option<JoinHandle<mpsc::Receiver<SubmitRequest>>>,
    live_out: Option<LiveOut>,
    master: &Addr<ClusterMaster>,
    ended: &ClusterOutcome,
) -> Result<Driven, RunError> {
    let panicked = |_| RunError::Failed("the accept task panicked".to_owned());
    let listener = accepting.await.map_err(panicked)?;
    let requests = match listening {
        Some(listening) => Some(listening.await.map_err(panicked)?),
        None => None,
    };
    let (workers, pace) = (ended.workers, ended.pace);
    let control = live_out.map(|live| RunControl { requests, live, paused: pace.is_paused(), factor: pace.factor() });
    // It has answered all requests that were sent to it before.
    master.send(Leave).await.map_err(|_| master_is_gone())?;
    Ok(Driven::Edited(Box::new(EditHandover { listener, control, pace, workers })))
}
