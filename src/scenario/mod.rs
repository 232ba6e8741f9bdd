//! From files to a [`Network`](crate::graph::Network) and a [`Demand`](crate::demand::Demand): finding, opening,
//! unpacking and joining the files that a SUMO configuration names.

mod requests;
mod settings;

pub use requests::{
    DetectorRequest, EmptyEdges, MeanDataLevel, MeanDataRequest, OutputPaths, OutputRequests, PlaceKind, StoppingPlace,
};
pub use settings::{Rerouting, Settings};
