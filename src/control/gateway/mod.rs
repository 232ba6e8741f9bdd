//! HTTP and WebSocket for front ends and operators. It has a thread of its own, so no client ever holds up the run; a client
//! that does not read is dropped. Processes that take no commands show health and metrics alone.

mod auth;
mod client;
mod http;
mod hub;
mod limits;
mod openapi;
mod probes;
mod serve;
mod updates;

pub use auth::{Access, AccessError, tokens_of};
pub use limits::GatewayLimits;
pub use serve::{Gateway, GatewayError, GatewaySetup, ProbeSetup};
