//! From files to a [`Network`](crate::graph::Network) and a [`Demand`](crate::demand::Demand): finding, opening,
//! unpacking and joining the files that a SUMO configuration names.

mod compiled;
mod config;
mod detectors;
mod indices;
mod load;
mod options;
mod path_bytes;
mod requests;
mod settings;
mod source;
mod walk;

pub use compiled::{CompiledError, CompiledScenario};
pub use config::RunConfig;
pub use load::{Scenario, load};
pub use requests::{DetectorRequest, EmptyEdges, MeanDataLevel, MeanDataRequest, OutputPaths, OutputRequests};
pub use settings::{Rerouting, Settings};
pub use source::Source;
