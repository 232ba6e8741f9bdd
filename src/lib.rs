//! TessDS: a fast, deterministic, parallel microscopic road-traffic simulator. See `docs/ARCHITECTURE.md` for the map.

pub mod actors;
pub mod attributes;
pub mod cli;
pub mod control;
pub mod coverage;
pub mod demand;
pub mod diagnostics;
pub mod graph;
pub mod ids;
pub mod observe;
pub mod output;
pub mod persist;
pub mod planted;
pub mod protocol;
pub mod roles;
pub mod scenario;
pub mod settings;
pub mod sim;
pub mod suggest;
pub mod tls;
pub mod xml;
