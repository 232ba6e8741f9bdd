//! What operators change in a world that is being simulated. An [`Order`] is applied before a definite step, by all
//! partitions that know what it is about, and is part of what the state is a function of (I1).

mod order;
mod watch;

pub use order::{NewVehicle, Order};
pub use watch::{Observation, SeenEdge, SeenSignal, SeenVehicle, Watch};
