//! What the gateway answers over HTTP.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::auth::Refused;
use super::client;
use super::hub::{Hub, command_name};
use super::openapi::openapi;
use super::probes::{Probes, routes};
use crate::control::CommandError;
use crate::control::documentation::commands_json;
use crate::control::message::{Echo, Reply, read};

/// All routes of a process that takes commands.
pub fn router(hub: Hub) -> Router {
    let limit = hub.limits.message_bytes;
    let probes = routes(Probes { instruments: hub.instruments.clone(), live: Some(hub.live.clone()) });
    Router::new()
        .route("/ws", get(web_socket))
        .route("/command", post(command))
        .route("/ticket", post(ticket))
        .route("/status", get(status))
        .route("/commands", get(|| async { Json(commands_json()) }))
        .route("/openapi.json", get(|| async { Json(openapi()) }))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(hub)
        .merge(probes)
        .fallback(|| async { error(StatusCode::NOT_FOUND, "unknown path; see /openapi.json") })
}

/// The routes of a process that takes no commands.
pub fn probe_router(probes: Probes) -> Router {
    let nothing = || async {
        error(
            StatusCode::NOT_FOUND,
            "unknown path; this process serves /healthz, /readyz and /metrics, commands go to the master",
        )
    };
    routes(probes).fallback(nothing)
}

fn error(status: StatusCode, text: impl Into<String>) -> Response {
    let body = json!({"code": status.as_u16(), "msg": text.into(), "data": Value::Null});
    (status, Json(body)).into_response()
}

fn refused(refused: Refused) -> Response {
    let status = if refused == Refused::BadOrigin { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
    error(status, refused.text())
}

fn check(hub: &Hub, head: &HeaderMap, ticket: Option<&str>) -> Result<(), Box<Response>> {
    hub.access().check(head, ticket, Instant::now()).map_err(|reason| {
        tracing::warn!(error = reason.text(), "client refused");
        Box::new(refused(reason))
    })?;
    hub.let_in();
    Ok(())
}

#[derive(Deserialize)]
struct Ticket {
    ticket: Option<String>,
}

async fn web_socket(
    State(hub): State<Hub>,
    Query(Ticket { ticket }): Query<Ticket>,
    head: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Err(response) = check(&hub, &head, ticket.as_deref()) {
        return *response;
    }
    let Some(seat) = hub.seat() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many clients; see control.max_clients");
    };
    let limit = hub.limits.message_bytes;
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        // What a client does not read waits here and in its socket, and no more than this.
        .max_write_buffer_size(16 * limit)
        .on_upgrade(move |socket| client::serve(socket, hub, seat))
}

async fn command(State(hub): State<Hub>, head: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    if let Err(response) = check(&hub, &head, None) {
        return *response;
    }
    let begun = Instant::now();
    let reply = match body {
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let text = format!("a message has at most {} bytes", hub.limits.message_bytes);
            return error(StatusCode::PAYLOAD_TOO_LARGE, text);
        }
        Err(rejection) => return error(rejection.status(), rejection.body_text()),
        Ok(body) => match std::str::from_utf8(&body).map(read) {
            Ok((_, Ok(request))) if matches!(&*request.subject, "subscribe" | "unsubscribe") => {
                let text = "subscriptions need a WebSocket connection to /ws".to_owned();
                let reply = Reply::new(request.echo().clone(), Err(CommandError::Malformed(text)));
                hub.answered(command_name(Some(&request)), begun, reply)
            }
            Ok((_, Ok(request))) => hub.ask(request).await,
            Ok((echo, Err(error))) => hub.answered(command_name(None), begun, Reply::new(echo, Err(error))),
            Err(_) => {
                let error = CommandError::Malformed("not UTF-8".to_owned());
                hub.answered(command_name(None), begun, Reply::new(Echo::default(), Err(error)))
            }
        },
    };
    let status = StatusCode::from_u16(reply.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(reply)).into_response()
}

async fn ticket(State(hub): State<Hub>, head: HeaderMap) -> Response {
    if let Err(response) = check(&hub, &head, None) {
        return *response;
    }
    let ticket = hub.access().ticket(Instant::now());
    match ticket {
        Some(ticket) => {
            let seconds = super::auth::TICKET_LIFE.as_secs();
            Json(json!({"code": 200, "msg": "ok", "data": {"ticket": ticket, "seconds": seconds}})).into_response()
        }
        None => error(StatusCode::SERVICE_UNAVAILABLE, "no random numbers available from the operating system"),
    }
}

async fn status(State(hub): State<Hub>, head: HeaderMap) -> Response {
    if let Err(response) = check(&hub, &head, None) {
        return *response;
    }
    let status = hub.live.status.borrow().clone();
    Json(json!({"code": 200, "msg": "ok", "data": &*status})).into_response()
}
