//! One WebSocket client: its commands, its answers, its streams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::hub::{Hub, Seat, command_name};
use super::limits::Rate;
use crate::control::CommandError;
use crate::control::command::{Command, Subscription, Topic};
use crate::control::live::View;
use crate::control::message::{Reply, read};
use crate::control::registry::find;

/// Commands of one client that wait for their answers; more are answered with an error.
const MAX_UNANSWERED: usize = 64;
/// Commands that are nonsense, in a row, until the connection is closed.
const MAX_NONSENSE: u32 = 20;

/// A stream that a client has asked for.
struct Stream {
    subscription: Subscription,
    due: Instant,
    /// Step of the last update that was sent.
    last: Option<u64>,
    /// There was nothing new when it was due: the next view is sent at once.
    waits: bool,
}

impl Stream {
    fn period(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.subscription.rate_hz)
    }

    /// Something is sent: the rate holds over time, and who is late catches nothing up.
    fn next(&mut self, now: Instant) {
        self.due = (self.due + self.period()).max(now);
        self.waits = false;
    }
}

/// Why a connection is closed.
enum End {
    Gone,
    Close(u16, &'static str),
}

/// Serves a client until it goes.
pub async fn serve(socket: WebSocket, hub: Hub, seat: Seat) {
    let mut client = Client {
        rate: Rate::new(hub.limits.messages_per_s, hub.limits.burst, Instant::now()),
        view: hub.live.view.clone(),
        socket,
        hub,
        seat,
        streams: BTreeMap::new(),
        nonsense: 0,
    };
    if let End::Close(code, reason) = client.run().await {
        tracing::info!(client = client.seat.number, reason, "connection to client closed");
        let frame = CloseFrame { code, reason: reason.into() };
        // Who is gone does not hear it.
        let _ = timeout(Duration::from_secs(1), client.socket.send(Message::Close(Some(frame)))).await;
    }
}

struct Client {
    socket: WebSocket,
    hub: Hub,
    /// The newest view of the roads.
    view: watch::Receiver<Arc<View>>,
    seat: Seat,
    rate: Rate,
    streams: BTreeMap<Topic, Stream>,
    nonsense: u32,
}

impl Client {
    async fn run(&mut self) -> End {
        let mut unanswered = FuturesUnordered::new();
        loop {
            let due = self.streams.values().filter(|stream| !stream.waits).map(|stream| stream.due).min();
            let waits = self.streams.values().any(|stream| stream.waits);
            let next_update = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let ended = tokio::select! {
                Some(reply) = unanswered.next(), if !unanswered.is_empty() => self.send(Reply::to_text(&reply)).await,
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let hub = self.hub.clone();
                        match self.hear(&text, unanswered.len()) {
                            Heard::Answer(reply) => self.send(reply.to_text()).await,
                            Heard::Ask(request) => {
                                unanswered.push(async move { hub.ask(request).await });
                                None
                            }
                        }
                    }
                    Some(Ok(Message::Binary(_))) => Some(End::Close(close_code::UNSUPPORTED, "messages are JSON texts")),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Close(_))) | None => Some(End::Gone),
                    Some(Err(error)) => Some(self.broken(&error.to_string()).await),
                },
                () = next_update => self.update().await,
                Ok(()) = self.view.changed(), if waits => self.update().await,
            };
            if self.nonsense > MAX_NONSENSE {
                return End::Close(close_code::POLICY, "too many malformed messages");
            }
            if let Some(end) = ended {
                return end;
            }
        }
    }

    /// A message that is too long cannot be read to its end, so there is nothing to go on with.
    async fn broken(&mut self, error: &str) -> End {
        if !error.contains("too long") && !error.contains("too big") && !error.contains("Space limit") {
            return End::Gone;
        }
        let limit = self.hub.limits.message_bytes;
        let text = format!("a message has at most {limit} bytes; the connection is closed");
        let reply = Reply::new(Default::default(), Err(CommandError::Malformed(text)));
        match self.send(reply.to_text()).await {
            Some(end) => end,
            None => End::Close(close_code::SIZE, "message too long"),
        }
    }

    fn hear(&mut self, text: &str, unanswered: usize) -> Heard {
        let begun = Instant::now();
        let (echo, request) = read(text);
        let (hub, name) = (self.hub.clone(), command_name(request.as_ref().ok()));
        let answer = |outcome| Heard::Answer(hub.answered(name, begun, Reply::new(echo.clone(), outcome)));
        let refuse = |error| answer(Err(error));
        if !self.rate.admits(Instant::now()) {
            let limit = self.hub.limits.messages_per_s;
            return refuse(CommandError::Busy(format!(
                "more than {limit} messages per second; this message was dropped"
            )));
        }
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                self.nonsense += 1;
                return refuse(error);
            }
        };
        self.nonsense = 0;
        let outcome = find(&request).and_then(|spec| match spec.subject {
            "subscribe" | "unsubscribe" => Command::read(spec, &request).map(Some),
            _ => Ok(None),
        });
        match outcome {
            Err(error) => refuse(error),
            Ok(Some(command)) => answer(Ok(self.streamed(command))),
            Ok(None) if unanswered >= MAX_UNANSWERED => refuse(CommandError::Busy(format!(
                "{MAX_UNANSWERED} commands of this connection are unanswered; wait for a response first"
            ))),
            Ok(None) => Heard::Ask(request),
        }
    }

    fn streamed(&mut self, command: Command) -> Value {
        match command {
            Command::Subscribe(subscription) => {
                self.seat.subscribe(subscription.clone());
                let (due, last, waits) = (Instant::now(), None, false);
                let stream = Stream { subscription: subscription.clone(), due, last, waits };
                self.streams.insert(subscription.topic, stream);
                json!({"topic": subscription.topic.name(), "rate": subscription.rate_hz})
            }
            Command::Unsubscribe(topic) => {
                self.seat.unsubscribe(topic.map(Topic::name));
                self.streams.retain(|of, _| topic.is_some_and(|topic| topic != *of));
                json!({"topics": self.streams.keys().map(|topic| topic.name()).collect::<Vec<_>>()})
            }
            _ => Value::Null,
        }
    }

    /// Sends what is due, as long as there is something new. What a client missed is not sent later.
    async fn update(&mut self) -> Option<End> {
        let now = Instant::now();
        let mut texts = Vec::new();
        let view = self.view.borrow_and_update().clone();
        let status = self.hub.live.status.borrow().clone();
        for stream in self.streams.values_mut().filter(|stream| stream.due <= now) {
            if stream.subscription.topic.shows_roads() {
                let nothing_yet = view.time <= 0.0 && view.step == 0 && view.signals.is_empty();
                if stream.last == Some(view.step) || nothing_yet {
                    stream.waits = true;
                    continue;
                }
                stream.last = Some(view.step);
            }
            stream.next(now);
            texts.push(self.hub.update(&view, &status, &stream.subscription));
        }
        for text in texts {
            if let Some(end) = self.send(text).await {
                return Some(end);
            }
        }
        None
    }

    /// A client that does not read is given up; nothing piles up for it but what its socket holds.
    async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Option<End> {
        let message = Message::Text(text.into());
        match timeout(self.hub.limits.send_timeout, self.socket.send(message)).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(End::Gone),
            Err(_) => {
                self.hub.instruments.gateway().client_dropped();
                Some(End::Close(close_code::POLICY, "the client reads too slowly"))
            }
        }
    }
}

enum Heard {
    Answer(Reply),
    Ask(crate::control::message::Request),
}
