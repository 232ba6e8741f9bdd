//! A master whose run is over, and which stays.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::actors::accept_from;
use crate::protocol::{Connection, Limits, Listener, Purpose, Stream, ToWorker, answer, encode};

/// A worker that is told that the run is over hangs up at once.
const HANGUP: Duration = Duration::from_secs(10);

/// Tells every worker that calls that the run is over: one that is started after the end would look for its master for ever. Goes
/// on until it is dropped.
pub async fn rest(listener: &mut dyn Listener, limits: Limits) {
    accept_from(listener, move |purpose, stream| {
        spawn_local(send_off(purpose, stream, limits));
    })
    .await;
}

async fn send_off(purpose: Purpose, mut stream: Box<dyn Stream>, limits: Limits) {
    let verdict = match purpose {
        Purpose::Work => Ok(()),
        Purpose::Neighbour { .. } => Err("this is a master, and its run has ended".to_owned()),
    };
    let is_worker = verdict.is_ok();
    // Whoever hangs up before needs no answer.
    if answer(&mut *stream, verdict).await.is_err() || !is_worker {
        return;
    }
    let gone = Rc::new(Notify::new());
    let hangs_up = Rc::clone(&gone);
    let connection = Connection::start(stream, limits, |_| async { true }, move |_| hangs_up.notify_one());
    let end = encode(&ToWorker::End { failure: None }).expect("a word can always be written");
    if connection.send(end).is_ok() && timeout(HANGUP, gone.notified()).await.is_err() {
        tracing::debug!("worker did not disconnect after the end message");
    }
}
