//! Accepts connections: hears in time and in few bytes what each is for, and moves it to who serves that.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::protocol::{Listener, Purpose, Stream, accept};

/// Callers that may be between connecting and saying what they want; more have to wait (I7).
const OPENINGS: usize = 256;

/// Accepts on this thread until the task is aborted. `serve` owes every caller an answer.
pub async fn accept_all(mut listener: Box<dyn Listener>, serve: impl Fn(Purpose, Box<dyn Stream>) + 'static) {
    let (openings, serve) = (std::sync::Arc::new(Semaphore::new(OPENINGS)), Rc::new(serve));
    loop {
        let Ok(permit) = std::sync::Arc::clone(&openings).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((mut stream, from)) => {
                let serve = Rc::clone(&serve);
                spawn_local(async move {
                    match accept(&mut *stream).await {
                        Ok(purpose) => serve(purpose, stream),
                        Err(error) => tracing::warn!(from, %error, "connection refused"),
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, for example: others may free some.
                tracing::warn!(%error, "cannot accept connections");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
