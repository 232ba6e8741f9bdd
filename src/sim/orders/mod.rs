//! What operators change in a world that is being simulated. An [`Order`] is applied before a definite step, by all
//! partitions that know what it is about, and is part of what the state is a function of (I1).

mod apply;
mod asking;
mod check;
mod diversions;
mod log;
mod observe;
mod order;
mod overlay;
mod signals;
mod standing;
mod vehicles;
mod watch;

pub use apply::Ordered;
pub use check::OrderError;
pub use diversions::Assigned;
pub use log::OrderLog;
pub use order::{NewVehicle, Order};
pub use overlay::Overlay;
pub use standing::{Section, Standing};
pub use watch::{Observation, SeenEdge, SeenSignal, SeenVehicle, Watch};
