//! Reads SUMO's `.net.xml` and traffic light programs into a [`Network`](crate::graph::Network).
//!
//! Reading is one pass that resolves names at once ([`NetworkBuilder`]); assembling then links lanes, resolves right of
//! way, and finds where paths inside junctions cross. Semantics follow the SUMO manual, pages "SUMO Road Networks" and
//! "Traffic Lights".

mod assemble;
mod builder;
mod conflicts;
mod connections;
mod draft;
mod edge_types;
mod index;
mod junctions;
mod net;
mod permissions;
mod polyline;
mod right_of_way;
mod signals;
mod switching;

pub use builder::NetworkBuilder;
pub(in crate::graph) use conflicts::{Body, Parting, meeting};
pub use index::NetworkIndex;
pub(in crate::graph) use index::split_lane_name;

#[cfg(test)]
mod tests;
