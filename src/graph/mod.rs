//! The road network: its types, the SUMO reader, and how it is cut into partitions.
//!
//! Pure: nothing here knows a file, a clock, a socket or an actor.

mod area;
mod assembly;
mod assignment;
pub mod edit;
mod loops;
mod network;
pub mod partition;
mod signal;
mod signal_groups;
mod subnetwork;
pub mod sumo;
mod surroundings;
mod vehicle_class;
pub mod view;

pub use area::{Area, middle};
pub use assignment::Assignment;
pub use loops::{DetectorLoop, loops_of, signal_approaches};
pub use network::{
    ClassLimits, Conflict, Edge, EdgeKind, Junction, JunctionKind, Lane, Link, Location, Network, Permissions,
    RightOfWay, Span, Turn,
};
pub use signal::{Actuation, Aspect, LaneParameter, Phase, Program, ProgramKind, Signal, Switch};
pub use signal_groups::join_actuated_signals;
pub use subnetwork::Subnetwork;
pub use surroundings::Surroundings;
pub use vehicle_class::VehicleClass;
