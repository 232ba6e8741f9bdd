//! TessDS is a microscopic simulator of road traffic: fast, deterministic, parallel. It reads the scenarios of SUMO.
//!
//! This is the library. The program `tessds`, with its cluster, control interface and stores, stands on it
//! (`docs/ARCHITECTURE.md`).
//!
//! # A tour
//!
//! A [`Simulation`] is made of a SUMO configuration, and steps:
//!
//! ```
//! # fn main() -> Result<(), tessds::SimulationError> {
//! use tessds::Simulation;
//!
//! # let sumocfg = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
//! let mut simulation = Simulation::from_sumocfg(sumocfg)?.seed(1).build()?;
//! simulation.run_until(60_000)?; // simulated time, in milliseconds
//! for vehicle in simulation.vehicles().take(3) {
//!     println!("{} drives {:.1} m/s on {}", vehicle.name(), vehicle.speed_mps(), simulation.network().lane_name(vehicle.lane()));
//! }
//! assert_eq!(simulation.counts().running, simulation.vehicles().count() as u64);
//! # Ok(())
//! # }
//! ```
//!
//! or of values: a [`Network`] that [`Edit`]s build, and a [`Demand`]:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tessds::{Demand, Edit, Network, NewEdge, NewJunction, Simulation, VehicleClass, VehicleType};
//!
//! let network = Network::made_of(&[
//!     Edit::AddJunction(NewJunction::new("west", 0.0, 0.0)),
//!     Edit::AddJunction(NewJunction::new("east", 500.0, 0.0)),
//!     Edit::AddEdge(Box::new(NewEdge::new("road", "west", "east"))),
//! ])?;
//! let road = tessds::EdgeId::new(0);
//! let mut demand = Demand::default();
//! let car = demand.add_type(VehicleType::default_of("car", VehicleClass::Passenger));
//! demand.add_vehicle("first", car, &[road], 0);
//! let mut simulation = Simulation::from_parts(network, demand).build()?;
//! simulation.run_to_end()?;
//! assert_eq!(simulation.counts().arrived, 1);
//! # Ok(())
//! # }
//! ```
//!
//! **Reading.** [`Simulation::vehicles`], [`vehicle`](Simulation::vehicle), [`edge`](Simulation::edge),
//! [`lane`](Simulation::lane), [`signal`](Simulation::signal) and [`detectors`](Simulation::detectors) borrow from the state;
//! [`Simulation::step`] returns what happened in a step ([`MergedStep`]): departures, arrivals with their trips, teleports,
//! collisions. Objects are named by ids ([`EdgeId`] …), which [`find_edge`](Simulation::find_edge) and its sisters make of
//! names.
//!
//! **Changing.** [`Simulation::order`] takes an [`Order`]: close a lane, set a signal, add a vehicle or reroute one. It is checked
//! at once and applied before the next step.
//!
//! **Going back.** [`Simulation::save`] makes a [`Snapshot`], also as bytes; [`restore`](Simulation::restore) returns to it and
//! [`fork`](Simulation::fork) makes a second simulation, to compare what would be:
//!
//! ```
//! # fn main() -> Result<(), tessds::SimulationError> {
//! # use tessds::{Order, Simulation};
//! # let sumocfg = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helsinki/run.sumocfg");
//! # let mut simulation = Simulation::from_sumocfg(sumocfg)?.build()?;
//! simulation.run_until(30_000)?;
//! let mut other = simulation.fork()?;
//! let lanes = other.vehicles().next().map(|vehicle| vehicle.lane()).into_iter().collect();
//! other.order(Order::LimitSpeed { lanes, mps: Some(3.0) })?;
//! simulation.run_until(40_000)?;
//! other.run_until(40_000)?;
//! assert_ne!(simulation.digest(), other.digest());
//! # Ok(())
//! # }
//! ```
//!
//! **Writing.** [`SimulationBuilder::outputs`] names the files that are written, as SUMO writes them;
//! [`Simulation::add_sink`] shows every step to a closure.
//!
//! **Several threads.** [`SimulationBuilder::partitions`] cuts the network into parts, each on a thread of its own. The result is
//! the same to the last bit: equal scenarios, seeds and orders give equal [digests](Simulation::digest).
//!
//! A simulation is synchronous and owns nothing but its threads: no runtime, no global state. Any number of them can live in one
//! process. The examples show more: `junction`, `step_and_read`, `signal_control`, `fork_and_compare`, `write_outputs`.
//!
//! # Features
//!
//! Without features this library alone is built. `cluster` adds actors, protocol and stores, `control` the gateway, `program` (the
//! default) all that the program `tessds` needs; `parquet` and `otel` are additions to outputs and logs.

#[doc(hidden)]
pub mod attributes;
#[doc(hidden)]
pub mod coverage;
#[doc(hidden)]
pub mod demand;
#[doc(hidden)]
pub mod diagnostics;
#[doc(hidden)]
pub mod graph;
#[doc(hidden)]
pub mod ids;
#[doc(hidden)]
pub mod output;
#[doc(hidden)]
pub mod planted;
#[doc(hidden)]
pub mod scenario;
#[doc(hidden)]
pub mod sim;
#[doc(hidden)]
pub mod simulation;
#[doc(hidden)]
pub mod suggest;
#[doc(hidden)]
pub mod xml;

#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod actors;
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod control;
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod observe;
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod persist;
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod protocol;
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod tls;

#[cfg(feature = "program")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod roles;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod settings;

pub use demand::{
    ArrivalPos, CarFollowing, Demand, DepartLane, DepartPos, DepartSpeed, Departure, VehicleClass, VehicleType,
};
pub use diagnostics::{InputError, Warnings};
pub use graph::edit::{
    Edit, EditError, EditedNetwork, LaneLook, NewConnection, NewEdge, NewJunction, NewPhase, NewProgram,
};
pub use graph::partition::Cut;
pub use graph::{Aspect, JunctionKind, Network, Permissions, Phase as SignalPhase, ProgramKind};
pub use ids::{EdgeId, JunctionId, LaneId, RouteId, SignalId, TypeId, VehicleId};
pub use output::{MergedStep, Pose, TripTotals};
pub use scenario::{
    AreaRequest, DetectorRequest, MeanDataLevel, MeanDataRequest, OutputPaths, OutputRequests, RunConfig, Scenario,
    Settings, load,
};
pub use sim::{EditTally, NewVehicle, Observation, Order, OrderError, Watch, report};
pub use simulation::{
    DetectorKind, DetectorReading, EdgeView, Finished, LaneView, SignalView, Simulation, SimulationBuilder,
    SimulationError, Snapshot, SnapshotError, StepSink, VehicleView,
};
