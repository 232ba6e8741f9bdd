//! Changes of a network's structure: edges, lanes, connections and signals' programs are added, changed and removed
//! (docs/editing.md).
//!
//! Numbers of edges, junctions and signals stay: what is new comes after the old, and a removed edge keeps its number, as an
//! edge of the kind [`EdgeKind::Removed`](super::EdgeKind::Removed) that nothing leads to. Lanes and links are numbered anew
//! in the order of their edges; [`EditedNetwork::lanes`] says where each lane has gone.

mod assemble;
mod change;
mod connections;
mod defaults;
mod draft;
mod edges;
mod edited;
mod error;
mod geometry;
mod lanes;
mod precedence;
mod programs;

pub use change::{Edit, LaneLook, NewConnection, NewEdge, NewJunction, NewPhase, NewProgram};
pub use edited::EditedNetwork;
pub use error::EditError;

#[cfg(test)]
mod tests;
