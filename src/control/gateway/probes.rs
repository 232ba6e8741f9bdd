//! Health and metrics, which every process shows. They need no token: probes and Prometheus have none, and nothing in them is
//! worth one. Who may reach the address is a matter of the network.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::control::RunState;
use crate::control::live::LiveIn;
use crate::observe::metrics::TEXT_FORMAT;
use crate::observe::{Instruments, Readiness};

/// What is asked.
#[derive(Clone)]
pub struct Probes {
    pub instruments: Instruments,
    /// `None`: there is no run to be seen from here.
    pub live: Option<LiveIn>,
}

/// The routes of probes.
pub fn routes(probes: Probes) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probes)
}

/// Whether the process has to be restarted.
async fn alive(State(probes): State<Probes>) -> Response {
    if probes.instruments.health().is_alive().await {
        return Json(json!({"status": "ok"})).into_response();
    }
    let body = json!({"status": "the main loop does not respond"});
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// Whether the process is of use: a master to workers and clients, a worker to its master.
async fn ready(State(probes): State<Probes>) -> Response {
    let state = probes.live.as_ref().map(|live| live.status.borrow().state);
    let reason = match (probes.instruments.health().readiness(), state) {
        (Readiness::Waits(reason), _) => Some(reason),
        (Readiness::Ready, Some(RunState::Failed)) => Some("the run failed"),
        (Readiness::Ready, _) => None,
    };
    let own = if probes.instruments.health().is_resting() { RunState::Finished.name() } else { "worker" };
    let status = state.map_or(own, RunState::name);
    match reason {
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": status, "reason": reason}))).into_response()
        }
        None => Json(json!({"status": status})).into_response(),
    }
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let Probes { instruments, live } = probes;
    if let Some(live) = live {
        let status = live.status.borrow().clone();
        instruments.show(&status);
    }
    ([(CONTENT_TYPE, TEXT_FORMAT)], instruments.text()).into_response()
}
