//! The worker's connection to its master: made again whenever it is lost, with growing pauses. Lives on a thread of its own
//! and gives the signs of life, so that no work of the partitions holds them up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::actor::{Worker, WorkerMessage};
use super::master_watch::MasterWatch;
use crate::protocol::{Connection, Limits, Networking, Purpose, Stream, ToMaster, decode, encode, open};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the link looks after its master.
const LOOK: Duration = Duration::from_millis(100);

/// Owns the socket to the master (I3).
pub struct MasterLink {
    /// `HOST:PORT`.
    master: String,
    networking: Arc<dyn Networking>,
    limits: Limits,
    worker: Addr<Worker>,
    connection: Option<(Connection, MasterWatch)>,
    /// Counts the connections; what is left of older ones is dropped.
    generation: u64,
    failures: u32,
    /// Why the last attempt failed.
    failed_with: String,
    /// Sets the pauses of different workers apart.
    spread: u32,
    heartbeat: Option<SpawnHandle>,
    /// How long a master may be silent that answers heartbeats.
    timeout: Option<Duration>,
    progress: BTreeMap<u16, Arc<AtomicU64>>,
}

impl MasterLink {
    pub fn new(
        master: String,
        networking: Arc<dyn Networking>,
        limits: Limits,
        worker: Addr<Worker>,
        spread: u32,
    ) -> Self {
        Self {
            master,
            networking,
            limits,
            worker,
            connection: None,
            generation: 0,
            failures: 0,
            failed_with: String::new(),
            spread,
            heartbeat: None,
            timeout: None,
            progress: BTreeMap::new(),
        }
    }

    /// Bound of what waits to be said.
    pub const MAILBOX: usize = 4096;

    fn connect(&mut self, ctx: &mut Context<Self>) {
        let pause = match self.failures {
            0 => Duration::ZERO,
            n => {
                let pause = (FIRST_PAUSE * 2u32.pow(n.min(8) - 1)).min(LONGEST_PAUSE);
                pause + pause * (self.spread % 16) / 32
            }
        };
        let (networking, master) = (Arc::clone(&self.networking), self.master.clone());
        let connecting = async move {
            tokio::time::sleep(pause).await;
            let connecting = tokio::time::timeout(CONNECT_TIMEOUT, networking.connect(&master));
            let mut stream =
                connecting.await.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
            open(&mut *stream, Purpose::Work).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(stream)
        };
        ctx.spawn(connecting.into_actor(self).map(|connected, link, ctx| match connected {
            Ok(stream) => link.start(stream, ctx),
            Err(reason) => {
                link.failures += 1;
                // It may be for long, so each reason is said once.
                if reason != link.failed_with {
                    tracing::info!(master = link.master, reason, "cannot connect to the master; retrying");
                    link.failed_with = reason;
                }
                link.connect(ctx);
            }
        }));
    }

    fn start(&mut self, stream: Box<dyn Stream>, ctx: &mut Context<Self>) {
        self.generation += 1;
        self.failures = 0;
        self.failed_with.clear();
        let (generation, deliver_to, ended_for) = (self.generation, ctx.address(), ctx.address());
        let deliver = move |bytes| {
            let link = deliver_to.clone();
            async move { link.send(Incoming { generation, bytes }).await.unwrap_or(false) }
        };
        let ended = move |reason| {
            if ended_for.try_send(MasterLinkMessage::Ended { generation, reason }).is_err() {
                tracing::debug!("connection open after its worker ended");
            }
        };
        let connection = Connection::start(stream, self.limits, deliver, ended);
        self.connection = Some((connection, MasterWatch::new(Instant::now())));
        self.tell(WorkerMessage::LinkUp);
    }

    fn lost(&mut self, reason: &str, ctx: &mut Context<Self>) {
        if self.connection.take().is_some() {
            tracing::warn!(master = self.master, reason, "connection to the master lost");
            self.tell(WorkerMessage::LinkDown);
            self.failures += 1;
            self.connect(ctx);
        }
    }

    fn say(&mut self, message: &ToMaster, ctx: &mut Context<Self>) {
        let Some((connection, _)) = &self.connection else { return };
        let sent = encode(message)
            .map_err(|e| e.to_string())
            .and_then(|bytes| connection.send(bytes).map_err(|e| e.to_string()));
        if let Err(reason) = sent {
            self.lost(&reason, ctx);
        }
    }

    fn beat(&mut self, heartbeat: Option<Heartbeat>, ctx: &mut Context<Self>) {
        if let Some(beating) = self.heartbeat.take() {
            ctx.cancel_future(beating);
        }
        self.timeout = heartbeat.map(|beat| beat.timeout);
        self.heartbeat = heartbeat.map(|beat| {
            ctx.run_interval(beat.period, |link, ctx| {
                let steps = link.progress.iter().map(|(part, steps)| (*part, steps.load(Ordering::Relaxed))).collect();
                link.say(&ToMaster::Progress { steps }, ctx);
            })
        });
    }

    fn tell(&self, message: WorkerMessage) {
        if self.worker.try_send(message).is_err() {
            tracing::error!("the worker's mailbox is full; a message from its master is lost");
        }
    }
}

impl Actor for MasterLink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.connect(ctx);
        ctx.run_interval(LOOK, |link, ctx| {
            if link.connection.as_ref().is_some_and(|(_, watch)| watch.is_silent(Instant::now(), link.timeout)) {
                link.lost("no heartbeat response from the master within the time-out", ctx);
            }
        });
    }
}

#[derive(Message)]
#[rtype(result = "bool")]
struct Incoming {
    generation: u64,
    bytes: Vec<u8>,
}

impl Handler<Incoming> for MasterLink {
    type Result = bool;

    fn handle(&mut self, message: Incoming, _: &mut Self::Context) -> bool {
        let Some((_, watch)) = self.connection.as_mut().filter(|_| message.generation == self.generation) else {
            return false;
        };
        watch.heard(Instant::now());
        match decode(&message.bytes) {
            Ok(message) => {
                self.tell(WorkerMessage::FromMaster(message));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "malformed message from master");
                false
            }
        }
    }
}

/// Tell the progress every `period`, which the master answers; it is given up when nothing comes for `timeout`.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    pub period: Duration,
    pub timeout: Duration,
}

/// What the link is told by the worker and by its connection.
#[derive(Message)]
#[rtype(result = "()")]
pub enum MasterLinkMessage {
    /// Something for the master; dropped when there is no connection.
    Send(Arc<ToMaster>),
    /// How to give signs of life; `None`: not at all.
    Beat(Option<Heartbeat>),
    /// Watch over the progress of a partition; `None`: not any more.
    Watch { part: u16, progress: Option<Arc<AtomicU64>> },
    /// A connection has ended.
    Ended { generation: u64, reason: String },
    /// Write what has been said, and close the connection for good.
    Hangup,
}

impl Handler<MasterLinkMessage> for MasterLink {
    type Result = ();

    fn handle(&mut self, message: MasterLinkMessage, ctx: &mut Self::Context) {
        match message {
            MasterLinkMessage::Send(message) => self.say(&message, ctx),
            MasterLinkMessage::Beat(heartbeat) => self.beat(heartbeat, ctx),
            MasterLinkMessage::Watch { part, progress: Some(progress) } => drop(self.progress.insert(part, progress)),
            MasterLinkMessage::Watch { part, progress: None } => drop(self.progress.remove(&part)),
            MasterLinkMessage::Ended { generation, reason } if generation == self.generation => {
                self.lost(&reason, ctx);
            }
            MasterLinkMessage::Ended { .. } => {}
            MasterLinkMessage::Hangup => {
                if let Some((connection, _)) = self.connection.take() {
                    connection.finish();
                }
                ctx.stop();
            }
        }
    }
}
