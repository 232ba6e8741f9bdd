//! Accepts connections: hears in time and in few bytes what each is for, and moves it to who serves that.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;

use crate::protocol::{Listener, Purpose, Stream, accept};

/// Callers that may be between connecting and saying what they want. Whoever is one of us says it at once, so when there are
/// more, the one that has said nothing for longest makes room (I7): callers that keep silent hold nobody up.
const OPENINGS: usize = 256;

/// Accepts on this thread until the task is aborted. `serve` owes every caller an answer.
pub async fn accept_all(mut listener: Box<dyn Listener>, serve: impl Fn(Purpose, Box<dyn Stream>) + 'static) {
    accept_from(&mut *listener, serve).await;
}

/// The same with a listener that is used again when this future is dropped.
pub async fn accept_from(listener: &mut dyn Listener, serve: impl Fn(Purpose, Box<dyn Stream>) + 'static) {
    let serve = Rc::new(serve);
    // The oldest first.
    let mut openings: VecDeque<(String, AbortHandle)> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((mut stream, from)) => {
                openings.retain(|(_, opening)| !opening.is_finished());
                if openings.len() >= OPENINGS
                    && let Some((from, oldest)) = openings.pop_front()
                {
                    oldest.abort();
                    tracing::warn!(from, error = "too many connections without a handshake", "connection refused");
                }
                let (serve, caller) = (Rc::clone(&serve), from.clone());
                let opening = spawn_local(async move {
                    match accept(&mut *stream).await {
                        Ok(purpose) => serve(purpose, stream),
                        Err(error) => tracing::warn!(from, %error, "connection refused"),
                    }
                });
                openings.push_back((caller, opening.abort_handle()));
            }
            Err(error) => {
                // Out of file descriptors, for example: others may free some.
                tracing::warn!(%error, "cannot accept connections");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
