//! The actor around [`ClusterCore`]: the master of a run over many processes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use actix::prelude::*;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::cluster_core::{ClusterCore, Effect, Event};
use super::core::Outcome;
use super::instruction::{Instruction, Pace, Ticket};
use super::run_controller::RunController;
use super::session::{FromSession, SessionMessage, SessionNotice, SessionOutlets, WorkerSession};
use super::store_writer::{Order, StoreEvent};
use super::workers::SessionId;
use crate::actors::oldest_and_newest::OldestAndNewest;
use crate::actors::recorder::{Checkpoint, FromRecorder, Recorder, RecorderMessage};
use crate::control::CommandError;
use crate::control::command::ClientRequest;
use crate::observe::metrics::RunMeter;
use crate::protocol::{Epoch, Limits, RunId, Stream, answer};

/// How often the master looks for workers that have not been heard of.
const TICK: Duration = Duration::from_millis(25);
/// What a session holds for a worker that reads slowly. A worker that is so far behind is given up.
const SESSION_MAILBOX: usize = 4096;

/// How a run over many processes ended.
#[derive(Debug)]
pub struct ClusterOutcome {
    pub outcome: Outcome,
    /// Workers that were connected, and how the run was driven.
    pub workers: usize,
    pub pace: Pace,
    pub recoveries: u64,
    pub replayed_steps: u64,
}

/// The master of a run whose partitions are in other processes.
pub struct ClusterMaster {
    core: ClusterCore,
    run: RunId,
    limits: Limits,
    sessions: BTreeMap<SessionId, Addr<WorkerSession>>,
    next_session: u64,
    recorder: Addr<Recorder>,
    /// `None`: there is no store, and nothing is kept.
    orders: Option<mpsc::Sender<Order>>,
    /// The newest state of the recorder, while the store is so far behind that it takes none.
    unsaved: OldestAndNewest<Checkpoint>,
    epoch: Epoch,
    /// `None`: it has ended.
    outcome: Option<oneshot::Sender<ClusterOutcome>>,
    /// `None`: nobody drives the run from outside.
    controller: Option<RunController>,
    /// `None`: nobody asks.
    meter: Option<RunMeter>,
    effects: Vec<Effect>,
}

/// What is left to do when all effects of an event are carried out.
#[derive(Default)]
struct After {
    /// Sessions that take no messages.
    gone: Vec<SessionId>,
    /// An observation was shown: the next may be due.
    shown: bool,
}

impl ClusterMaster {
    pub fn new(
        core: ClusterCore,
        run: RunId,
        limits: Limits,
        recorder: Addr<Recorder>,
        orders: Option<mpsc::Sender<Order>>,
        epoch: Epoch,
        outcome: oneshot::Sender<ClusterOutcome>,
    ) -> Self {
        let (sessions, next_session, effects) = (BTreeMap::new(), 0, Vec::new());
        let (outcome, unsaved, controller, meter) = (Some(outcome), OldestAndNewest::new(1), None, None);
        Self {
            core,
            run,
            limits,
            sessions,
            next_session,
            recorder,
            orders,
            unsaved,
            epoch,
            outcome,
            controller,
            meter,
            effects,
        }
    }

    /// Lets clients drive the run and look at it.
    #[must_use]
    pub fn with_controller(self, controller: Option<RunController>) -> Self {
        Self { controller, ..self }
    }

    /// Counts what is recovered and committed.
    #[must_use]
    pub fn with_meter(self, meter: Option<RunMeter>) -> Self {
        Self { meter, ..self }
    }

    /// Mailbox that holds what recorder and store writer have to say; workers wait until there is room.
    pub fn mailbox(steps: u64) -> usize {
        256 + 4 * steps as usize
    }

    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        if self.outcome.is_none() {
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(event, Instant::now(), &mut effects);
        if let Some(meter) = &mut self.meter {
            meter.tell(self.core.tallies());
        }
        let mut after = After::default();
        for effect in effects.drain(..) {
            self.carry_out(effect, &mut after, ctx);
        }
        self.effects = effects;
        for session in after.gone {
            self.sessions.remove(&session);
            self.feed(
                Event::SessionEnded { session, reason: "its session's mailbox is full or closed".to_owned() },
                ctx,
            );
        }
        if after.shown {
            self.look(ctx);
        }
    }

    fn carry_out(&mut self, effect: Effect, after: &mut After, ctx: &mut Context<Self>) {
        match effect {
            Effect::SendToWorker { session, message } => {
                if let Some(worker) = self.sessions.get(&session)
                    && worker.try_send(SessionMessage::Send(message)).is_err()
                {
                    after.gone.push(session);
                }
            }
            Effect::Hangup { session } => {
                if let Some(worker) = self.sessions.remove(&session)
                    && worker.try_send(SessionMessage::Hangup).is_err()
                {
                    tracing::debug!(session = session.0, "session ended before its stop message");
                }
            }
            Effect::RaiseEpoch { epoch } => self.order(Order::RaiseEpoch { epoch }, ctx),
            Effect::Commit { epoch, complete } => self.order(Order::Commit { epoch, complete }, ctx),
            Effect::SavePlaces { epoch, places, tallies } => {
                self.epoch = epoch;
                if self.orders.is_some() {
                    let places = rmp_serde::to_vec(&places).expect("names and numbers can always be written");
                    let tallies = rmp_serde::to_vec(&tallies).expect("numbers can always be written");
                    self.order(Order::SavePlaces { epoch, places, tallies }, ctx);
                }
            }
            Effect::Conclude { epoch, result } => match &self.orders {
                Some(_) => self.order(Order::Conclude { epoch, result: result.map(|result| result.encode()) }, ctx),
                None => ctx.notify(StoreEvent::Concluded),
            },
            Effect::Log { number, entry } => {
                if let Some(controller) = &mut self.controller {
                    controller.learn(&entry.act);
                }
                let entry = entry.encode();
                match &self.orders {
                    Some(_) => self.order(Order::Log { number, entry }, ctx),
                    None => ctx.notify(StoreEvent::Logged(number)),
                }
            }
            Effect::SavePace { epoch, pace } => match &self.orders {
                Some(_) => self.order(Order::SavePace { epoch, pace }, ctx),
                None => ctx.notify(StoreEvent::PaceKept(true)),
            },
            Effect::NotifyRecorder(notice) => {
                let (recorder, number) = (self.recorder.clone(), notice.number);
                let informing = async move { recorder.send(RecorderMessage::Orders(notice)).await };
                ctx.spawn(informing.into_actor(self).map(move |sent, master, ctx| match sent {
                    Ok(()) => master.feed(Event::RecorderKnows(number), ctx),
                    Err(_) => master.end(Outcome::Failed("the recorder actor ended before the run".to_owned()), ctx),
                }));
            }
            Effect::Due { place } => {
                let now_ms = self.core.time_ms(self.core.first_free_step());
                let instruction = self.controller.as_mut().and_then(|controller| controller.timed(place, now_ms));
                // After what is being carried out.
                ctx.notify(TimedCommandDue(instruction));
            }
            Effect::Answer { ticket, outcome } => self.answer(ticket, outcome),
            Effect::Show { step, observation } => {
                if let Some(controller) = &self.controller {
                    controller.show(step, self.core.time_ms(step) as f64 / 1000.0, observation);
                }
                after.shown = true;
            }
            Effect::Close { closings, wall } => {
                let recorder = self.recorder.clone();
                let closing = async move { recorder.send(RecorderMessage::Close { closings, wall }).await };
                ctx.spawn(closing.into_actor(self).map(|sent, master, ctx| {
                    if sent.is_err() {
                        master.end(Outcome::Failed("the recorder actor ended before the run".to_owned()), ctx);
                    }
                }));
            }
            Effect::End(outcome) => self.end(outcome, ctx),
        }
    }

    /// The store writer is never so far behind in a correct run: there are few orders a snapshot, and one snapshot at a time.
    fn order(&mut self, order: Order, ctx: &mut Context<Self>) {
        let Some(orders) = &self.orders else { return };
        if let Err(error) = orders.try_send(order) {
            self.end(Outcome::Failed(format!("the master's connection to the store failed: {error}")), ctx);
        }
    }

    /// A slow store leaves snapshots out, as partitions do; only what the run depends on may fill the queue. The earliest ones are
    /// kept, so one of the next commits has all its parts, and the newest, for an edit of the network may wait for it.
    fn save_recorder(&mut self, checkpoint: Checkpoint, ctx: &mut Context<Self>) {
        let is_behind = self.orders.as_ref().is_some_and(|orders| orders.capacity() <= orders.max_capacity() / 2);
        let left_out = if is_behind {
            self.unsaved.push(checkpoint)
        } else {
            let Checkpoint { step, state } = checkpoint;
            self.order(Order::SaveRecorder { epoch: self.epoch, step, state }, ctx);
            self.unsaved.pop()
        };
        if let Some(Checkpoint { step, .. }) = left_out {
            tracing::warn!(step, "recorder state skipped: the store is slow");
        }
    }

    fn answer(&mut self, ticket: Ticket, outcome: Result<serde_json::Value, CommandError>) {
        if let Some(controller) = &mut self.controller {
            controller.answer(ticket, outcome);
        }
    }

    /// Shows where the run stands, and asks the partitions for what somebody wants to see.
    fn show(&mut self, ctx: &mut Context<Self>) {
        let Some(controller) = &mut self.controller else { return };
        let now = Instant::now();
        if controller.is_status_due(now) {
            controller.tell(self.core.status(), now);
        }
        self.look(ctx);
    }

    /// One look at a time: the next begins when it is due and the last has been answered.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        if !self.core.is_looking(now)
            && let Some(watch) = self.controller.as_mut().and_then(|controller| controller.look(now))
        {
            self.feed(Event::LookAt(watch), ctx);
        }
    }

    fn end(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        if let Some(controller) = &mut self.controller {
            controller.tell(self.core.status(), Instant::now());
        }
        let is_edited = outcome == Outcome::Edited;
        if let Some(sender) = self.outcome.take() {
            let tallies = self.core.tallies();
            let (recoveries, replayed_steps) = (tallies.recoveries(), tallies.replayed_steps);
            let (workers, pace) = (self.core.connected(), self.core.pace());
            // Nobody waits any more only when the program is ending.
            let _ = sender.send(ClusterOutcome { outcome, workers, pace, recoveries, replayed_steps });
        }
        // Sessions write what they have been told before they close.
        for session in std::mem::take(&mut self.sessions).into_values() {
            if session.try_send(SessionMessage::Hangup).is_err() {
                tracing::debug!("session ended before its stop message");
            }
        }
        // Commands that are on their way are answered until those that come after are kept for the edited network.
        if !is_edited {
            ctx.stop();
        }
    }
}

impl Actor for ClusterMaster {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |master, ctx| {
            master.feed(Event::Tick, ctx);
            if let Some(checkpoint) = master.unsaved.pop() {
                master.save_recorder(checkpoint, ctx);
            }
            master.show(ctx);
            if let (Some(meter), Some(orders)) = (&master.meter, &master.orders) {
                meter.store_orders(orders.max_capacity() - orders.capacity());
            }
        });
    }
}

/// A client wants something of the run. It is answered once, or told by the end of `reply` that the run is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SubmitRequest {
    pub request: ClientRequest,
    /// As it was given, JSON.
    pub text: String,
    pub reply: oneshot::Sender<Result<serde_json::Value, CommandError>>,
}

impl Handler<SubmitRequest> for ClusterMaster {
    type Result = ();

    fn handle(&mut self, message: SubmitRequest, ctx: &mut Self::Context) {
        let SubmitRequest { request, text, reply } = message;
        if self.outcome.is_none() {
            // Who gave up waiting needs no answer.
            let _ = reply.send(Err(CommandError::being_edited()));
            return;
        }
        let now_ms = self.core.time_ms(self.core.first_free_step());
        let Some(controller) = &mut self.controller else { return };
        let ticket = controller.ticket(reply);
        match controller.instruction(request, text, now_ms) {
            Ok(instruction) => self.feed(Event::Instructed { ticket, instruction }, ctx),
            Err(error) => controller.answer(ticket, Err(error)),
        }
    }
}

/// Nobody has anything to ask any more of a master whose network is edited.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave;

impl Handler<Leave> for ClusterMaster {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// A timed command, with its names looked up; `None`: it cannot be given.
#[derive(Message)]
#[rtype(result = "()")]
struct TimedCommandDue(Option<Instruction>);

impl Handler<TimedCommandDue> for ClusterMaster {
    type Result = ();

    fn handle(&mut self, message: TimedCommandDue, ctx: &mut Self::Context) {
        let event = match message.0 {
            // Nobody waits for its answer.
            Some(instruction) => Event::Instructed { ticket: Ticket(0), instruction },
            None => Event::NotGiven,
        };
        self.feed(event, ctx);
    }
}

/// A worker has connected, and not been answered yet.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WorkerCalls {
    pub stream: Box<dyn Stream>,
}

impl Handler<WorkerCalls> for ClusterMaster {
    type Result = ();

    fn handle(&mut self, message: WorkerCalls, ctx: &mut Self::Context) {
        let mut stream = message.stream;
        let answering = async move { answer(&mut *stream, Ok(())).await.map(|()| stream) };
        ctx.spawn(answering.into_actor(self).map(|answered, master, ctx| {
            let Ok(stream) = answered else { return };
            master.next_session += 1;
            let id = SessionId(master.next_session);
            let outlets =
                SessionOutlets { master: ctx.address().recipient(), reports: master.recorder.clone().recipient() };
            let (run, limits) = (master.run, master.limits);
            let session = WorkerSession::create(move |ctx| {
                ctx.set_mailbox_capacity(SESSION_MAILBOX);
                WorkerSession::new(id, run, stream, limits, outlets)
            });
            master.sessions.insert(id, session);
        }));
    }
}

impl Handler<StoreEvent> for ClusterMaster {
    type Result = ();

    fn handle(&mut self, message: StoreEvent, ctx: &mut Self::Context) {
        let event = match message {
            StoreEvent::EpochRaised(epoch) => {
                self.epoch = epoch;
                Event::EpochRaised(epoch)
            }
            StoreEvent::Committed => {
                self.meter.iter().for_each(|meter| meter.committed(SystemTime::now()));
                Event::Committed
            }
            StoreEvent::CommitFailed(reason) => Event::CommitFailed(reason),
            StoreEvent::RecorderStored(reference) => Event::RecorderStored(reference),
            StoreEvent::Logged(number) => Event::Logged(number),
            StoreEvent::PaceKept(is_stored) => Event::PaceKept(is_stored),
            StoreEvent::Fenced(reason) => Event::Fenced(reason),
            StoreEvent::Concluded => Event::Concluded,
        };
        self.feed(event, ctx);
    }
}

impl Handler<FromSession> for ClusterMaster {
    type Result = ();

    fn handle(&mut self, message: FromSession, ctx: &mut Self::Context) {
        let FromSession { session, notice } = message;
        match notice {
            // What a session sent before it was given up changes nothing (I3).
            SessionNotice::Message(message) if self.sessions.contains_key(&session) => {
                self.feed(Event::Message { session, message }, ctx);
            }
            SessionNotice::Ended { reason } if self.sessions.remove(&session).is_some() => {
                self.feed(Event::SessionEnded { session, reason }, ctx);
            }
            SessionNotice::Message(_) | SessionNotice::Ended { .. } => {}
        }
    }
}

impl Handler<FromRecorder> for ClusterMaster {
    type Result = ();

    fn handle(&mut self, message: FromRecorder, ctx: &mut Self::Context) {
        let event = match message {
            FromRecorder::Recorded { steps, over, hold, counts } => Event::Recorded { steps, over, hold, counts },
            FromRecorder::RoutesFound(notice) => Event::RoutesFound(notice),
            FromRecorder::Checkpointed(checkpoint) => return self.save_recorder(checkpoint, ctx),
            FromRecorder::Done(recording) => Event::RecorderDone(recording),
            FromRecorder::Failed(reason) => Event::RecorderFailed(reason),
        };
        self.feed(event, ctx);
    }
}
