//! The kernel: how vehicles move in one step. Pure: no actor, socket, clock, file or store, and no arithmetic beyond
//! `+ - * / sqrt` and comparisons, so that every machine computes the same bits.
//!
//! A step reads state(t) and writes state(t+1). [`partition`] holds the state and runs the [`phases`] of a step, a file each; these ask
//! the [`models`] of car following, right of way, lane changing, insertion and signals.

mod bounds;
mod closing;
mod departures;
mod digest;
mod edge_speeds;
mod edited;
mod exchange;
mod halo;
mod lane_plan;
mod lane_store;
mod lanes;
mod marks;
mod models;
mod orders;
mod partition;
mod phases;
mod prefetch;
mod probes;
mod random;
mod reading;
pub mod report;
mod route_guidance;
mod routes;
mod routing_schedule;
mod run_rules;
mod scope;
mod settings;
mod transfer;
mod validation;
mod vehicle;
mod view;
mod world;

pub use digest::Digest;
pub use edited::{Carried, EditTally, EditedWorld};
pub use halo::{HaloError, Mirror};
pub use models::car_following::Driver;
pub use orders::{NewVehicle, Observation, Order, OrderError, SeenEdge, SeenSignal, SeenVehicle, Watch};
pub use partition::state::{PartitionState, StateError, check_routes};
pub use partition::{Partition, ReportOptions};
pub use phases::standstill::{NAMED, NAMED_EVERY_STEPS};
pub use probes::{MeanDataSpec, MeasureSpec, RecordedEvents};
pub use route_guidance::{GuidanceState, RouteGuidance, RouteOrders};
pub use routing_schedule::RoutingSchedule;
pub use run_rules::{Closing, RunRules};
pub use scope::Scope;
pub use settings::{CollisionAction, Collisions, Rerouting, Settings};
pub use vehicle::flags::STOPPED;
pub use vehicle::{HALTING_SPEED, Vehicle};
pub use world::World;
