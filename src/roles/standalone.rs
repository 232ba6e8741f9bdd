//! A whole run in one process: partitions, each on a thread, with in-process links.

use std::ops::Range;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::actors::master::{self, Horizon, Master, Outcome};
use crate::actors::neighbor_handler::{self, End, LinkMessage, NeighborHandler, PeerAddress, Retention};
use crate::actors::partition::{self, Neighbourhood, Outlets, Partition, Place, Region};
use crate::actors::recorder::{self, Recorder, RecorderMessage, Recording};
use crate::diagnostics::InputError;
use crate::graph::join_actuated_signals;
use crate::graph::partition::Cut;
use crate::observe::Progress;
use crate::output::{Alerts, Names, Outputs, Reporting, add_whole_run_requests};
use crate::protocol::{Epoch, FencingToken, RunId};
use crate::scenario::{OutputPaths, Scenario, Settings};
use crate::sim::{ReportOptions, RouteGuidance, RunRules, Scope, World};

/// Steps by which the horizon moves.
pub(super) const WINDOW: u64 = 64;

/// How the work of a run is divided, and what is shown meanwhile. No result depends on it (I1).
#[derive(Clone, Debug)]
pub struct Division {
    pub cut: Cut,
    /// Threads that step; partitions share them when there are fewer.
    pub threads: usize,
    pub quiet: bool,
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What was asked for cannot be done.
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("{0}")]
    Failed(String),
}

/// Simulates a scenario and writes its outputs.
///
/// # Errors
/// [`RunError::Input`] when an output cannot be opened, [`RunError::Failed`] when the run ends early.
pub fn run(scenario: Scenario, paths: &OutputPaths, division: Division) -> Result<Recording, RunError> {
    let Scenario { network, demand, settings, mut requests } = scenario;
    add_whole_run_requests(paths, &mut requests);
    let world = Arc::new(World::new(network, demand, settings, &requests));
    let Division { mut cut, threads, quiet } = division;
    join_actuated_signals(&world.network, &mut cut);
    let rules = RunRules::of(&world);
    let horizon = Horizon { window: WINDOW, end: rules.steps, is_driven: false };
    let reporting = Reporting {
        partitions: cut.parts as usize,
        begin_ms: rules.begin_ms,
        step_ms: rules.step_ms,
        capacity: horizon.ahead() as usize + 1,
        checkpoints: false,
    };
    let names = Names::new(Arc::clone(&world.network), Arc::clone(&world.demand));
    let outputs = Outputs::open(&names, paths, &requests, reporting)?;
    let Settings { begin_ms, end_ms, step_ms, .. } = world.settings;
    let progress = Progress::new(begin_ms, end_ms, step_ms, quiet);
    let report = paths.report_options(&requests);
    let regions = regions(&world, &cut, report)?;
    let guidance = RouteGuidance::new(&world);
    let alerts = Alerts::new(names, &world.settings, false);
    drop(world);
    let wiring = Wiring { rules, horizon, threads: threads.clamp(1, regions.len()) };
    let outcome = System::new().block_on(wiring.run(regions, outputs, guidance, alerts, progress));
    match outcome {
        Outcome::Finished(recording) => Ok(*recording),
        Outcome::Edited => Err(RunError::Failed("editing a run needs a store; start it with --store".to_owned())),
        Outcome::Failed(reason) => Err(RunError::Failed(reason)),
    }
}

/// Builds all partitions, several at once.
fn regions(world: &Arc<World>, cut: &Cut, report: ReportOptions) -> Result<Vec<Neighbourhood>, RunError> {
    let parts = 0..cut.parts as u16;
    let scopes: Vec<Scope> = in_parallel(parts.clone(), |part| Scope::new(world, part, &cut.part_of_edge));
    let built = in_parallel(parts, |part| Region::build(world, &scopes, part, report, None));
    built.into_iter().collect::<Result<_, _>>().map_err(|error| RunError::Failed(error.to_string()))
}

fn in_parallel<T: Send>(parts: Range<u16>, work: impl Fn(u16) -> T + Sync) -> Vec<T> {
    std::thread::scope(|threads| {
        let work = &work;
        let working: Vec<_> = parts.map(|part| threads.spawn(move || work(part))).collect();
        working.into_iter().map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

struct Wiring {
    rules: RunRules,
    horizon: Horizon,
    threads: usize,
}

impl Wiring {
    /// Starts all actors, connects them, and waits for the outcome.
    async fn run(
        self,
        regions: Vec<Neighbourhood>,
        outputs: Outputs,
        guidance: RouteGuidance,
        alerts: Alerts,
        progress: Progress,
    ) -> Outcome {
        let Self { rules, horizon, threads } = self;
        let token = FencingToken { run: RunId(1), epoch: Epoch(1) };
        let count = regions.len();
        let hold = guidance.hold_ms().map(|ms| rules.step_of(ms));
        let recording = Arbiter::new();
        let recorder = Recorder::start_in_arbiter(&recording.handle(), move |ctx| {
            ctx.set_mailbox_capacity(Recorder::mailbox(count, horizon.ahead()));
            Recorder::new(recorder::Core::new(token, rules, outputs, guidance).with_alerts(alerts), progress)
        });
        let (sender, outcome) = oneshot::channel();
        let for_master = recorder.clone();
        let master = Master::create(move |ctx| {
            ctx.set_mailbox_capacity(Master::mailbox(count, horizon.ahead()));
            Master::new(master::Core::new(count, horizon, hold), for_master, sender)
        });
        let stepping: Vec<Arbiter> = (0..threads).map(|_| Arbiter::new()).collect();
        let mut partitions = Vec::with_capacity(count);
        let mut handlers: Vec<Vec<(u16, Addr<NeighborHandler>)>> = Vec::with_capacity(count);
        for (part, Neighbourhood { region, neighbours }) in regions.into_iter().enumerate() {
            let arbiter = stepping[part % threads].handle();
            let part = part as u16;
            let core = partition::Core::new(Place { token, part }, region, neighbours.len(), None);
            let degree = neighbours.len();
            let outlets =
                Outlets { reports: recorder.clone().recipient(), notices: master.clone().recipient(), snapshots: None };
            let address = Partition::start_in_arbiter(&arbiter, move |ctx| {
                ctx.set_mailbox_capacity(Partition::mailbox(degree));
                Partition::new(core, outlets, Arc::default())
            });
            let handlers_here = neighbours.iter().enumerate().map(|(neighbour, &peer)| {
                let partition = address.clone().recipient();
                let (own, other) = (End { part, epoch: token.epoch }, End { part: peer, epoch: token.epoch });
                let core = neighbor_handler::Core::new(token.run, own, other, Retention::UntilRead, 0);
                let handler = NeighborHandler::start_in_arbiter(&arbiter, move |_| {
                    NeighborHandler::new(core, neighbour, None, partition)
                });
                (peer, handler)
            });
            handlers.push(handlers_here.collect());
            partitions.push(address);
        }
        let begun = begin(&master, &recorder, partitions, &handlers, token.epoch).await;
        let result = match begun {
            Ok(()) => {
                outcome.await.unwrap_or_else(|_| Outcome::Failed("the master actor ended before the run".to_owned()))
            }
            Err(error) => Outcome::Failed(format!("an actor ended before the run began: {error}")),
        };
        for arbiter in stepping.into_iter().chain([recording]) {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("a partition thread panicked");
            }
        }
        result
    }
}

/// Connects the actors and starts the run.
async fn begin(
    master: &Addr<Master>,
    recorder: &Addr<Recorder>,
    partitions: Vec<Addr<Partition>>,
    handlers: &[Vec<(u16, Addr<NeighborHandler>)>],
    epoch: Epoch,
) -> Result<(), MailboxError> {
    recorder.send(RecorderMessage::Open(master.clone().recipient())).await?;
    for (part, here) in handlers.iter().enumerate() {
        // The side with the smaller number dials.
        for (peer, handler) in here.iter().filter(|(peer, _)| usize::from(*peer) > part) {
            let other = handlers[usize::from(*peer)].iter().find(|(p, _)| usize::from(*p) == part);
            let Some((_, other)) = other else { continue };
            handler.send(LinkMessage::PeerAt { epoch, address: PeerAddress::Local(other.clone()) }).await?;
        }
    }
    for (partition, here) in partitions.iter().zip(handlers) {
        partition.send(partition::Begin { handlers: here.iter().map(|(_, h)| h.clone()).collect() }).await?;
    }
    master.send(master::Begin { partitions }).await
}
