//! One worker's connection, on the master.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;

use super::workers::SessionId;
use crate::actors::recorder::ReportBatch;
use crate::protocol::{Connection, FencingToken, Limits, RunId, Stream, ToMaster, ToWorker, decode, encode};

/// A worker joins at once; who has said nothing for so long is none, or is gone.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a session delivers.
#[derive(Clone)]
pub struct SessionOutlets {
    pub messages: Recipient<FromWorker>,
    pub ends: Recipient<SessionEnded>,
    pub reports: Recipient<ReportBatch>,
}

/// Owns the socket of one worker (I3). Ends with it.
pub struct WorkerSession {
    id: SessionId,
    run: RunId,
    stream: Option<Box<dyn Stream>>,
    connection: Option<Connection>,
    limits: Limits,
    outlets: SessionOutlets,
}

impl WorkerSession {
    /// A session over a stream that has been opened and answered.
    pub fn new(id: SessionId, run: RunId, stream: Box<dyn Stream>, limits: Limits, outlets: SessionOutlets) -> Self {
        Self { id, run, stream: Some(stream), connection: None, limits, outlets }
    }

    fn end(&mut self, reason: String, ctx: &mut Context<Self>) {
        self.connection = None;
        if self.outlets.ends.try_send(SessionEnded { session: self.id, reason }).is_err() {
            tracing::debug!(session = self.id.0, "the master actor ended before a worker session");
        }
        ctx.stop();
    }
}

impl Actor for WorkerSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(stream) = self.stream.take() else { return };
        let (outlets, id, run, own) = (self.outlets.clone(), self.id, self.run, ctx.address());
        let heard = Rc::new(Cell::new(false));
        let is_heard = Rc::clone(&heard);
        ctx.run_later(JOIN_TIMEOUT, move |session, ctx| {
            if !is_heard.get() {
                session.end(format!("no handshake within {} s", JOIN_TIMEOUT.as_secs()), ctx);
            }
        });
        let deliver = move |bytes: Vec<u8>| {
            heard.set(true);
            let outlets = outlets.clone();
            async move {
                match decode::<ToMaster>(&bytes) {
                    Ok(ToMaster::Reports { part, epoch, until, reports }) => {
                        // The recorder takes reports of any placement: they are equal whoever computes them (I1).
                        let token = FencingToken { run, epoch };
                        outlets.reports.send(ReportBatch { token, part, until, reports }).await.is_ok()
                    }
                    Ok(message) => outlets.messages.send(FromWorker { session: id, message }).await.is_ok(),
                    Err(error) => {
                        tracing::warn!(session = id.0, %error, "malformed message from worker");
                        false
                    }
                }
            }
        };
        let ended = move |reason| {
            if own.try_send(Ended(reason)).is_err() {
                tracing::debug!(session = id.0, "connection open after its session ended");
            }
        };
        self.connection = Some(Connection::start(stream, self.limits, deliver, ended));
    }
}

/// A message of a worker, other than reports.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromWorker {
    pub session: SessionId,
    pub message: ToMaster,
}

/// A connection of a worker has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SessionEnded {
    pub session: SessionId,
    pub reason: String,
}

/// A message for the worker.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SendToWorker(pub ToWorker);

impl Handler<SendToWorker> for WorkerSession {
    type Result = ();

    fn handle(&mut self, message: SendToWorker, ctx: &mut Self::Context) {
        let Some(connection) = &self.connection else { return };
        let sent =
            encode(&message.0).map_err(|e| e.to_string()).and_then(|b| connection.send(b).map_err(|e| e.to_string()));
        if let Err(reason) = sent {
            self.end(reason, ctx);
        }
    }
}

/// End the connection, when what was said before is written.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Hangup;

impl Handler<Hangup> for WorkerSession {
    type Result = ();

    fn handle(&mut self, _: Hangup, ctx: &mut Self::Context) {
        if let Some(connection) = self.connection.take() {
            connection.finish();
        }
        ctx.stop();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Ended(String);

impl Handler<Ended> for WorkerSession {
    type Result = ();

    fn handle(&mut self, message: Ended, ctx: &mut Self::Context) {
        self.end(message.0, ctx);
    }
}
