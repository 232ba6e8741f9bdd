//! TessDS: a fast, deterministic, parallel microscopic road-traffic simulator. See `docs/ARCHITECTURE.md` for the map.

pub mod attributes;
pub mod coverage;
pub mod demand;
pub mod diagnostics;
pub mod graph;
pub mod ids;
pub mod output;
pub mod planted;
pub mod scenario;
pub mod sim;
pub mod simulation;
pub mod suggest;
pub mod xml;

#[cfg(feature = "cluster")]
pub mod actors;
#[cfg(feature = "cluster")]
pub mod control;
#[cfg(feature = "cluster")]
pub mod observe;
#[cfg(feature = "cluster")]
pub mod persist;
#[cfg(feature = "cluster")]
pub mod protocol;
#[cfg(feature = "cluster")]
pub mod tls;

#[cfg(feature = "program")]
pub mod cli;
#[cfg(feature = "program")]
pub mod roles;
#[cfg(feature = "program")]
pub mod settings;
