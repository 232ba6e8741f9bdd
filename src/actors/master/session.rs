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
    pub master: Recipient<FromSession>,
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

    fn send(&mut self, message: &ToWorker, ctx: &mut Context<Self>) {
        let Some(connection) = &self.connection else { return };
        let sent =
            encode(message).map_err(|e| e.to_string()).and_then(|b| connection.send(b).map_err(|e| e.to_string()));
        if let Err(reason) = sent {
            self.end(reason, ctx);
        }
    }

    fn end(&mut self, reason: String, ctx: &mut Context<Self>) {
        self.connection = None;
        let notice = SessionNotice::Ended { reason };
        if self.outlets.master.try_send(FromSession { session: self.id, notice }).is_err() {
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
                    Ok(message) => {
                        let notice = SessionNotice::Message(message);
                        outlets.master.send(FromSession { session: id, notice }).await.is_ok()
                    }
                    Err(error) => {
                        tracing::warn!(session = id.0, %error, "malformed message from worker");
                        false
                    }
                }
            }
        };
        let ended = move |reason| {
            if own.try_send(SessionMessage::Ended { reason }).is_err() {
                tracing::debug!(session = id.0, "connection open after its session ended");
            }
        };
        self.connection = Some(Connection::start(stream, self.limits, deliver, ended));
    }
}

/// What a session tells the master.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromSession {
    pub session: SessionId,
    pub notice: SessionNotice,
}

pub enum SessionNotice {
    /// A message of the worker, other than reports.
    Message(ToMaster),
    /// The connection has ended.
    Ended { reason: String },
}

/// What a session is told.
#[derive(Message)]
#[rtype(result = "()")]
pub enum SessionMessage {
    /// A message for the worker.
    Send(ToWorker),
    /// End the connection, when what was said before is written.
    Hangup,
    /// The connection has ended.
    Ended { reason: String },
}

impl Handler<SessionMessage> for WorkerSession {
    type Result = ();

    fn handle(&mut self, message: SessionMessage, ctx: &mut Self::Context) {
        match message {
            SessionMessage::Send(message) => self.send(&message, ctx),
            SessionMessage::Hangup => {
                if let Some(connection) = self.connection.take() {
                    connection.finish();
                }
                ctx.stop();
            }
            SessionMessage::Ended { reason } => self.end(reason, ctx),
        }
    }
}
