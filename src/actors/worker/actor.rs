//! The actor around [`Core`]: the parent of all that runs in a worker process.

mod messages;

pub use self::messages::{LoadedWorld, WorkerMessage};

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::core::{Core, Effect, Event, Identity};
use super::hosted_partition::{HostedPartition, HostedPartitionConfig};
use super::master_link::{Heartbeat, MasterLink, MasterLinkMessage};
use super::planned_panic::PlannedPanic;
use super::snapshot_uploader::{OpenStore, SnapshotUploader, UploaderMessage};
use crate::actors::ExitStatus;
use crate::actors::accept_all;
use crate::actors::neighbor_handler::{Accepted, Network, PeerAddress, Retention};
use crate::actors::partition::{FromPartition, Neighbourhood, Outlets, PartitionNotice, Region};
use crate::actors::recorder::ReportBatch;
use crate::actors::threads::{Thread, Threads};
use crate::observe::Instruments;
use crate::persist::PartRef;
use crate::protocol::{
    Epoch, Limits, Listener, Networking, OrderNotice, Place, Purpose, Stored, Stream, Welcome, answer,
};
use crate::sim::PartitionState;

/// What a leaving worker waits for its partitions to be taken off it.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(25);
/// How often a worker without a master asks the store whether the run is over: its master may have ended unheard.
const ASK_OUTCOME: Duration = Duration::from_secs(2);
/// How often a worker looks how long it has been without a master.
const LOOK_FOR_MASTER: Duration = Duration::from_secs(1);
/// How often it is counted what is kept for another master.
const COUNT_REPORTS: Duration = Duration::from_secs(1);
/// Frames that a link keeps beyond what the horizon lets be uncommitted.
const SPARE_FRAMES: usize = 8;

/// What a worker is made of.
pub struct Setup {
    pub name: String,
    /// Drawn anew by every process.
    pub incarnation: u64,
    /// `HOST:PORT` of the master.
    pub master: String,
    /// Where other workers reach this one, if not where it listens.
    pub advertised: Option<String>,
    pub listener: Box<dyn Listener>,
    pub networking: Arc<dyn Networking>,
    pub limits: Limits,
    pub open_store: OpenStore,
    pub threads: Threads,
    /// How long it looks for a master while it hosts nothing; `None`: for ever.
    pub patience: Option<Duration>,
    /// For tests.
    pub planned_panic: Option<PlannedPanic>,
    /// `None`: nobody asks for metrics.
    pub instruments: Option<Instruments>,
}

/// A worker process.
pub struct Worker {
    core: Core,
    own_address: String,
    setup: Setup,
    link: Option<(Addr<MasterLink>, Thread)>,
    uploader: Option<(Addr<SnapshotUploader>, Thread)>,
    welcome: Option<Box<Welcome>>,
    scenario: Option<LoadedWorld>,
    /// Partitions that wait for the scenario.
    waiting: Vec<(u16, Epoch, Option<PartRef>)>,
    partitions: BTreeMap<u16, HostedPartition>,
    places: BTreeMap<u16, Place>,
    /// While there is no connection to a master that was there before.
    asking: Option<SpawnHandle>,
    /// Since when there has been no connection to a master.
    alone_since: Option<Instant>,
    /// Told how it ended.
    end: Option<oneshot::Sender<Result<(), String>>>,
    effects: Vec<Effect>,
}

impl Worker {
    /// A worker that tells `end` how it ended.
    pub fn new(setup: Setup, end: oneshot::Sender<Result<(), String>>) -> Self {
        let own_address = setup.advertised.clone().unwrap_or_else(|| setup.listener.address());
        let identity =
            Identity { name: setup.name.clone(), incarnation: setup.incarnation, address: own_address.clone() };
        Self {
            core: Core::new(identity),
            own_address,
            setup,
            link: None,
            uploader: None,
            welcome: None,
            scenario: None,
            waiting: Vec::new(),
            partitions: BTreeMap::new(),
            places: BTreeMap::new(),
            asking: None,
            alone_since: Some(Instant::now()),
            end: Some(end),
            effects: Vec::new(),
        }
    }

    /// Bound of what waits for the worker.
    pub const MAILBOX: usize = 8192;

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(event, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect, ctx);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::SendToMaster(message) => self.to_link(MasterLinkMessage::Send(message)),
            Effect::Prepare(welcome) => self.prepare(welcome),
            Effect::Build { part, epoch, from } => self.build(part, epoch, from, ctx),
            Effect::Drop { part, epoch } => self.stop_partition(part, epoch),
            Effect::Grant { part, horizon } => self.each(part, |hosted| hosted.grant(horizon)),
            Effect::Routes { part, notice } => self.each(part, |hosted| hosted.routes(Arc::clone(&notice))),
            Effect::Orders { part, notices } => self.order(part, notices, ctx),
            Effect::Look(look) => self.each(None, |hosted| hosted.look(Arc::clone(&look))),
            Effect::Finish { part, steps } => self.each(part, |hosted| hosted.finish(steps)),
            Effect::Committed { step } => {
                self.each(None, |hosted| hosted.committed(step));
                if let Err(reason) = self.to_uploader(UploaderMessage::Superseded { step }) {
                    tracing::debug!(reason, "commit notice to the store connection dropped; the next one replaces it");
                }
            }
            Effect::Link(places) => {
                self.places = places.into_iter().map(|place| (place.part, place)).collect();
                self.link_all();
            }
            Effect::End(result) => self.end(result, ctx),
        }
    }

    /// A partition that cannot take its orders would go on in another world; it has to begin again from the last commit.
    fn order(&mut self, part: u16, notices: Vec<Arc<OrderNotice>>, ctx: &mut Context<Self>) {
        let Some(hosted) = self.partitions.get(&part) else { return };
        if hosted.orders(notices) {
            return;
        }
        let epoch = hosted.epoch;
        self.stop_partition(part, epoch);
        let status = ExitStatus::Failed { reason: "its mailbox is full or closed".to_owned() };
        ctx.notify(FromPartition { part, epoch, notice: PartitionNotice::Exited(status) });
    }

    fn each(&self, part: Option<u16>, order: impl Fn(&HostedPartition)) {
        match part {
            Some(part) => self.partitions.get(&part).iter().for_each(|hosted| order(hosted)),
            None => self.partitions.values().for_each(order),
        }
    }

    fn to_link(&self, message: MasterLinkMessage) {
        if let Some((link, _)) = &self.link
            && let Err(error) = link.try_send(message)
        {
            tracing::warn!(%error, "the mailbox of the master connection is full or closed");
        }
    }

    fn to_uploader(&self, message: UploaderMessage) -> Result<(), String> {
        let (uploader, _) = self.uploader.as_ref().ok_or("no store connection is open")?;
        uploader.try_send(message).map_err(|error| format!("the store connection: {error}"))
    }

    fn prepare(&mut self, welcome: Box<Welcome>) {
        if let Some(instruments) = &self.setup.instruments {
            instruments.set_epoch(welcome.epoch.0);
            instruments.health().has_master(true);
        }
        tracing::info!(run = %welcome.name, epoch = welcome.epoch.0, "joined a run");
        let timeout = Duration::from_millis(welcome.policy.timeout_ms);
        let beat = |period_ms| Heartbeat { period: Duration::from_millis(period_ms), timeout };
        self.to_link(MasterLinkMessage::Beat(welcome.policy.heartbeat_ms.map(beat)));
        // A run that was resumed in another number of partitions has another scenario than before.
        if self.welcome.as_ref().is_none_or(|before| before.scenario != welcome.scenario) {
            self.scenario = None;
            let prepare = UploaderMessage::Prepare { run: welcome.name.clone(), scenario: welcome.scenario };
            if let Err(reason) = self.to_uploader(prepare) {
                tracing::error!(reason, "the scenario cannot be loaded from the store");
            }
        }
        self.welcome = Some(welcome);
    }

    // Building partitions.

    fn build(&mut self, part: u16, epoch: Epoch, from: Option<PartRef>, ctx: &mut Context<Self>) {
        self.setup.instruments.iter().for_each(|instruments| instruments.set_epoch(epoch.0));
        self.partitions.insert(part, HostedPartition::new(epoch, self.setup.threads.start()));
        if self.scenario.is_none() {
            return self.waiting.push((part, epoch, from));
        }
        match from {
            None => self.start_building(part, epoch, None, ctx),
            Some(from) => {
                if let Err(reason) = self.to_uploader(UploaderMessage::Load { part, epoch, from }) {
                    self.not_built(part, epoch, reason, ctx);
                }
            }
        }
    }

    /// Builds on the partition's own thread, for it takes a while.
    fn start_building(&mut self, part: u16, epoch: Epoch, state: Option<Box<PartitionState>>, ctx: &mut Context<Self>) {
        let (Some((world, scopes)), Some(welcome)) = (&self.scenario, &self.welcome) else { return };
        let Some(hosted) = self.partitions.get(&part).filter(|hosted| hosted.epoch == epoch) else { return };
        let (world, scopes, worker) = (Arc::clone(world), Arc::clone(scopes), ctx.address());
        let report = welcome.policy.report;
        let planned_panic = self.setup.planned_panic.as_ref().and_then(|plan| plan.of(part));
        let started = hosted.thread.call(move || {
            let build = || Region::build(&world, &scopes, part, report, state.as_deref());
            let built = match catch_unwind(AssertUnwindSafe(build)) {
                Ok(built) => built.map_err(|error| error.to_string()).map(|mut built| {
                    built.region.planned_panic = planned_panic;
                    Box::new(built)
                }),
                Err(_) => Err("the kernel panicked while the partition was built".to_owned()),
            };
            if worker.try_send(WorkerMessage::Built { part, epoch, built }).is_err() {
                tracing::error!(
                    partition = part,
                    "a built partition could not be passed to the worker: its mailbox is full or closed"
                );
            }
        });
        if !started {
            self.not_built(part, epoch, "its thread ended".to_owned(), ctx);
        }
    }

    fn not_built(&mut self, part: u16, epoch: Epoch, reason: String, ctx: &mut Context<Self>) {
        tracing::error!(partition = part, epoch = epoch.0, reason, "partition cannot be built");
        self.stop_partition(part, epoch);
        self.feed(Event::NotBuilt { part, epoch, reason }, ctx);
    }

    fn start_partition(&mut self, part: u16, epoch: Epoch, built: Neighbourhood, ctx: &mut Context<Self>) {
        let Some(welcome) = &self.welcome else { return };
        let policy = welcome.policy;
        let Some(hosted) = self.partitions.get_mut(&part).filter(|hosted| hosted.epoch == epoch) else { return };
        let snapshots =
            policy.snapshot_interval.and(self.uploader.as_ref()).map(|(uploader, _)| uploader.clone().recipient());
        let address = ctx.address();
        hosted.start(
            part,
            built,
            HostedPartitionConfig {
                network: Network {
                    run: welcome.run,
                    networking: Arc::clone(&self.setup.networking),
                    limits: self.setup.limits,
                    timeout: policy.heartbeat_ms.map(|_| Duration::from_millis(policy.timeout_ms)),
                    silent: address.clone().recipient(),
                },
                outlets: Outlets {
                    reports: address.clone().recipient::<ReportBatch>(),
                    notices: address.recipient(),
                    snapshots,
                },
                retention: match policy.uncommitted_steps {
                    Some(steps) => Retention::UntilCommitted {
                        frames: steps as usize + SPARE_FRAMES,
                        forget: policy.outlive_store,
                    },
                    None => Retention::UntilRead,
                },
                snapshot_interval: policy.snapshot_interval,
                instruments: self.setup.instruments.clone(),
            },
        );
        let (steps, progress) = (hosted.steps(), Arc::clone(&hosted.progress));
        let took_ms = hosted.since.elapsed().as_millis() as u64;
        tracing::debug!(partition = part, epoch = epoch.0, step = steps, took_ms, "partition built");
        self.to_link(MasterLinkMessage::Watch { part, progress: Some(progress) });
        self.link_all();
        self.feed(Event::Built { part, epoch, steps }, ctx);
    }

    fn stop_partition(&mut self, part: u16, epoch: Epoch) {
        if self.partitions.get(&part).is_some_and(|hosted| hosted.epoch == epoch) {
            self.partitions.remove(&part);
            self.setup.instruments.iter().for_each(|instruments| instruments.forget(part));
            self.to_link(MasterLinkMessage::Watch { part, progress: None });
        }
    }

    // Links.

    /// Tells every handler where its neighbour is now.
    fn link_all(&mut self) {
        let parts: Vec<u16> = self.partitions.keys().copied().collect();
        for part in parts {
            for peer in self.partitions[&part].neighbours() {
                let Some(place) = self.places.get(&peer) else { continue };
                let here = self.partitions.get(&peer).filter(|hosted| hosted.epoch == place.epoch);
                let address = match here {
                    Some(hosted) => hosted.handler(part).map(PeerAddress::Local),
                    // It is being built here, or was and is to be placed elsewhere.
                    None if place.address == self.own_address => None,
                    None => Some(PeerAddress::Remote(place.address.clone())),
                };
                let epoch = place.epoch;
                if let (Some(address), Some(hosted)) = (address, self.partitions.get_mut(&part)) {
                    hosted.link(peer, epoch, address);
                }
            }
        }
    }

    fn end(&mut self, result: Result<(), String>, ctx: &mut Context<Self>) {
        self.partitions.clear();
        self.to_link(MasterLinkMessage::Hangup);
        if self.end.take().is_none_or(|end| end.send(result).is_err()) {
            tracing::debug!("the worker actor had already ended");
        }
        ctx.stop();
    }

    fn link_up(&mut self, ctx: &mut Context<Self>) {
        self.alone_since = None;
        if let Some(asking) = self.asking.take() {
            ctx.cancel_future(asking);
        }
        let steps = self.partitions.iter().map(|(part, hosted)| (*part, hosted.steps())).collect();
        self.feed(Event::Connected(steps), ctx);
    }

    fn link_down(&mut self, ctx: &mut Context<Self>) {
        self.feed(Event::Disconnected, ctx);
        self.setup.instruments.iter().for_each(|instruments| instruments.health().has_master(false));
        self.alone_since.get_or_insert_with(Instant::now);
        if self.asking.is_none() {
            self.asking = Some(ctx.run_interval(ASK_OUTCOME, |worker, _| {
                if let Err(reason) = worker.to_uploader(UploaderMessage::AskOutcome) {
                    tracing::debug!(reason, "query for the end of the run not sent to the store");
                }
            }));
        }
    }

    fn run_is_over(&mut self, ctx: &mut Context<Self>) {
        if self.asking.is_some() {
            tracing::info!("the run finished and its master has exited");
            self.end(Ok(()), ctx);
        }
    }

    fn prepared(&mut self, prepared: Result<LoadedWorld, String>, ctx: &mut Context<Self>) {
        match prepared {
            Ok(scenario) => {
                self.scenario = Some(scenario);
                for (part, epoch, from) in std::mem::take(&mut self.waiting) {
                    let is_wanted = self.partitions.get(&part).is_some_and(|hosted| hosted.epoch == epoch);
                    if is_wanted {
                        self.build(part, epoch, from, ctx);
                    }
                }
            }
            Err(reason) => self.end(Err(format!("the scenario of the run cannot be read: {reason}")), ctx),
        }
    }

    fn snapshot_stored(&mut self, stored: Stored, took: Duration, ctx: &mut Context<Self>) {
        let is_here = self.partitions.get(&stored.part).is_some_and(|hosted| hosted.epoch == stored.epoch);
        if let Some(instruments) = self.setup.instruments.as_ref().filter(|_| is_here) {
            instruments.stored_snapshot(stored.part, stored.reference.bytes, took);
        }
        let (id, took_ms) = (stored.reference.id, took.as_millis() as u64);
        tracing::debug!(partition = stored.part, epoch = id.epoch.0, step = id.step, took_ms, "snapshot stored");
        self.feed(Event::Stored(stored), ctx);
    }

    fn peer_calls(&self, purpose: Purpose, mut stream: Box<dyn Stream>, ctx: &mut Context<Self>) {
        let own_run = self.welcome.as_ref().map(|welcome| welcome.run);
        let refusal = match purpose {
            Purpose::Neighbour { run, from, from_epoch, to, to_epoch, generation } if Some(run) == own_run => {
                let call = Accepted { stream, from_epoch, to_epoch, generation };
                let Some(hosted) = self.partitions.get(&to) else {
                    return refuse(call.stream, format!("this worker does not host partition {to}"), self, ctx);
                };
                let Err(call) = hosted.accept(from, call) else { return };
                stream = call.stream;
                format!("partition {to} does not accept a connection from partition {from} now")
            }
            Purpose::Neighbour { .. } => stray("this worker belongs to another run"),
            Purpose::Work => stray("this is a worker, not a master"),
        };
        refuse(stream, refusal, self, ctx);
    }

    /// A run that is over when a worker comes has no master to say so.
    fn lose_patience(&mut self, ctx: &mut Context<Self>) {
        if let (Some(patience), Some(since)) = (self.setup.patience, self.alone_since)
            && self.partitions.is_empty()
            && since.elapsed() >= patience
        {
            let text = format!(
                "no master at {} for {} s: start one, or end this worker; cluster.master_patience_s is the \
                 time limit (0: none)",
                self.setup.master,
                patience.as_secs()
            );
            self.end(Err(text), ctx);
        }
    }
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let address = ctx.address();
        let thread = self.setup.threads.start();
        let (open, worker) = (Arc::clone(&self.setup.open_store), address.clone());
        let waiting = self.setup.instruments.as_ref().map(|instruments| instruments.queue("snapshots"));
        match open() {
            // Opening makes no connection yet; it only checks the address. The uploader opens its own, on its thread.
            Ok(_) => {
                let uploader = thread.start(move |ctx: &mut Context<SnapshotUploader>| {
                    ctx.set_mailbox_capacity(SnapshotUploader::MAILBOX);
                    SnapshotUploader::new(open().expect("it could be opened a moment ago"), worker, waiting)
                });
                self.uploader = Some((uploader, thread));
            }
            Err(error) => return self.end(Err(error.to_string()), ctx),
        }
        let thread = self.setup.threads.start();
        let (master, networking) = (self.setup.master.clone(), Arc::clone(&self.setup.networking));
        let (limits, worker, spread) = (self.setup.limits, address.clone(), self.setup.incarnation as u32);
        let link = thread.start(move |ctx: &mut Context<MasterLink>| {
            ctx.set_mailbox_capacity(MasterLink::MAILBOX);
            MasterLink::new(master, networking, limits, worker, spread)
        });
        self.link = Some((link, thread));
        let listener = std::mem::replace(&mut self.setup.listener, Box::new(Closed));
        let serve = move |purpose, stream| {
            if address.try_send(WorkerMessage::PeerCalls { purpose, stream }).is_err() {
                tracing::warn!("the worker's mailbox is full");
            }
        };
        ctx.spawn(accept_all(listener, serve).into_actor(self));
        ctx.run_interval(LOOK_FOR_MASTER, Self::lose_patience);
        if let Some(instruments) = &self.setup.instruments {
            let reports = instruments.queue("reports");
            ctx.run_interval(COUNT_REPORTS, move |worker, _| reports.set(worker.core.kept_reports() as i64));
        }
    }
}

/// What a worker listens with after its listener has been handed on.
struct Closed;

impl Listener for Closed {
    fn address(&self) -> String {
        String::new()
    }
    fn accept(&mut self) -> crate::protocol::NetworkFuture<'_, (Box<dyn Stream>, String)> {
        Box::pin(std::future::pending())
    }
}

/// Neighbours may call a little early or late; these callers are wrong here at any time.
fn stray(reason: &str) -> String {
    tracing::warn!(error = reason, "connection refused");
    reason.to_owned()
}

fn refuse(mut stream: Box<dyn Stream>, reason: String, worker: &Worker, ctx: &mut Context<Worker>) {
    tracing::debug!(reason, "call refused");
    let refusing = async move {
        // Whoever hangs up before needs no answer.
        let _ = answer(&mut *stream, Err(reason)).await;
    };
    ctx.spawn(refusing.into_actor(worker));
}
