//! What all clients share: who may come in, who is there, and what they want to see.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::auth::Access;
use super::limits::GatewayLimits;
use super::updates::Updates;
use crate::control::command::Subscription;
use crate::control::live::{Interest, LiveIn, RunStatus, View};
use crate::control::message::{Reply, Request};
use crate::control::registry::find;
use crate::control::{Asked, CommandError};
use crate::observe::Instruments;

/// Shared by the tasks of the gateway; none of its locks is held over a wait, and none guards a connection.
#[derive(Clone)]
pub struct Hub {
    pub limits: GatewayLimits,
    pub live: LiveIn,
    pub instruments: Instruments,
    front: mpsc::Sender<Asked>,
    let_in: LetIn,
    shared: Arc<Shared>,
}

/// Whether a caller has been let in.
#[derive(Clone, Debug, Default)]
pub struct LetIn(Arc<AtomicBool>);

impl LetIn {
    pub fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Shared {
    access: Mutex<Access>,
    /// By client and topic.
    subscriptions: Mutex<BTreeMap<(u64, &'static str), Subscription>>,
    updates: Mutex<Updates>,
    clients: AtomicUsize,
    next: AtomicU64,
}

/// A client's place in the hub; leaves with it.
pub struct Seat {
    pub number: u64,
    hub: Hub,
}

/// A panic of another task leaves lists that are still lists.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub fn new(
        limits: GatewayLimits,
        access: Access,
        front: mpsc::Sender<Asked>,
        live: LiveIn,
        instruments: Instruments,
    ) -> Self {
        let shared = Shared {
            access: Mutex::new(access),
            subscriptions: Mutex::default(),
            updates: Mutex::default(),
            clients: AtomicUsize::new(0),
            next: AtomicU64::new(0),
        };
        Self { limits, live, instruments, front, let_in: LetIn::default(), shared: Arc::new(shared) }
    }

    /// The same hub, for one caller.
    pub fn for_caller(&self, let_in: LetIn) -> Self {
        Self { let_in, ..self.clone() }
    }

    /// The caller has shown that it may come in.
    pub fn let_in(&self) {
        self.let_in.0.store(true, Ordering::Relaxed);
    }

    pub fn access(&self) -> MutexGuard<'_, Access> {
        lock(&self.shared.access)
    }

    /// `None`: there are as many as there may be.
    pub fn seat(&self) -> Option<Seat> {
        let limit = self.limits.clients;
        let taken = self
            .shared
            .clients
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |clients| (clients < limit).then_some(clients + 1));
        taken.ok()?;
        self.instruments.gateway().client_came();
        Some(Seat { number: self.shared.next.fetch_add(1, Ordering::Relaxed), hub: self.clone() })
    }

    /// What a stream sends of a state.
    pub fn update(&self, view: &Arc<View>, status: &Arc<RunStatus>, wanted: &Subscription) -> Utf8Bytes {
        lock(&self.shared.updates).text(view, status, wanted)
    }

    /// Has a command carried out. There is always one answer.
    pub async fn ask(&self, request: Request) -> Reply {
        let begun = Instant::now();
        let reply = self.carried_out(&request).await;
        self.answered(command_name(Some(&request)), begun, reply)
    }

    /// Counts a command that is answered.
    pub fn answered(&self, command: &'static str, begun: Instant, reply: Reply) -> Reply {
        let took = begun.elapsed();
        self.instruments.gateway().answered(command, reply.code, took);
        tracing::debug!(command, code = reply.code, took_ms = took.as_millis() as u64, "command answered");
        reply
    }

    async fn carried_out(&self, request: &Request) -> Reply {
        let (reply, answer) = oneshot::channel();
        let failed = |error| Reply::new(request.echo().clone(), Err(error));
        let asked = Asked { request: request.clone(), reply };
        let sent = self.front.try_send(asked);
        let waiting = self.front.max_capacity() - self.front.capacity();
        self.instruments.queue("commands").set(waiting as i64);
        if sent.is_err() {
            return failed(CommandError::Busy("too many concurrent commands; retry later".to_owned()));
        }
        match tokio::time::timeout(self.limits.answer_timeout, answer).await {
            Ok(Ok(outcome)) => Reply::new(request.echo().clone(), outcome),
            Ok(Err(_)) => failed(CommandError::Gone("the run ended before the command was executed".to_owned())),
            Err(_) => {
                let text = "the command has not been executed yet; query the status before sending it again";
                failed(CommandError::Busy(text.to_owned()))
            }
        }
    }

    fn tell_interest(&self) {
        let interest = Arc::new(Interest::of(lock(&self.shared.subscriptions).values()));
        self.live.interest.send_if_modified(|present| {
            let is_new = *present != interest;
            *present = interest;
            is_new
        });
    }
}

/// The name in the table of commands, under which it is counted; what is none of them has one name together.
pub fn command_name(request: Option<&Request>) -> &'static str {
    request.and_then(|request| find(request).ok()).map_or("unknown", |spec| spec.name)
}

impl Seat {
    pub fn subscribe(&self, subscription: Subscription) {
        lock(&self.hub.shared.subscriptions).insert((self.number, subscription.topic.name()), subscription);
        self.hub.tell_interest();
    }

    /// Of one topic, or of all.
    pub fn unsubscribe(&self, topic: Option<&'static str>) {
        lock(&self.hub.shared.subscriptions)
            .retain(|(client, of), _| *client != self.number || topic.is_some_and(|topic| topic != *of));
        self.hub.tell_interest();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.shared.clients.fetch_sub(1, Ordering::Relaxed);
        self.hub.instruments.gateway().client_went();
        self.unsubscribe(None);
    }
}
