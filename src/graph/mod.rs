//! The road network: its types, the SUMO reader, and how it is cut into partitions.
//!
//! Pure: nothing here knows a file, a clock, a socket or an actor.

mod network;
pub mod partition;
mod signal;
mod signal_groups;
pub mod sumo;
pub mod view;

pub use network::{
    Conflict, Edge, EdgeKind, Junction, JunctionKind, Lane, Link, Location, Network, Permissions, RightOfWay, Span,
    Turn,
};
pub use signal::{Actuation, Aspect, Phase, Program, ProgramKind, Signal, Switch};
pub use signal_groups::join_actuated_signals;
