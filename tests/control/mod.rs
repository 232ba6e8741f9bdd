//! The real program, driven over HTTP and WebSocket.

mod access;
mod front;
pub mod program;
mod runs;
mod streams;
