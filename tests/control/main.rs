//! The real program, driven over HTTP and WebSocket.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may as well panic; the lint sees that only in test functions"
)]

mod access;
mod front;
mod program;
mod runs;
mod streams;
