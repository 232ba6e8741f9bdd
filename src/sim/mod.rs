//! The kernel: how vehicles move in one step. Pure: no actor, socket, clock, file or store, and no arithmetic beyond
//! `+ - * / sqrt` and comparisons, so that every machine computes the same bits.
//!
//! A step reads state(t) and writes state(t+1): `motion` decides how far everyone drives, by the [`models`] of car following
//! and right of way; `advance` drives; the models of lane changing and insertion decide from the places reached; and
//! `partition` puts it together.

mod advance;
mod bounds;
mod closing;
mod collision;
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
mod measure_spec;
mod measures;
mod models;
mod motion;
mod orders;
mod partition;
mod prefetch;
mod random;
mod reading;
pub mod report;
mod rerouting;
mod route_guidance;
mod routes;
mod routing_schedule;
mod run_rules;
mod scope;
mod sensing;
mod settings;
mod standstill;
mod state;
mod stopping;
mod transfer;
mod validation;
mod vehicle;
mod view;
mod world;

pub use digest::Digest;
pub use edited::{Carried, EditTally, EditedWorld};
pub use halo::{HaloError, Mirror};
pub use measure_spec::{MeanDataSpec, MeasureSpec, RecordedEvents};
pub use models::car_following::Driver;
pub use orders::{NewVehicle, Observation, Order, OrderError, SeenEdge, SeenSignal, SeenVehicle, Watch};
pub use partition::{Partition, ReportOptions};
pub use route_guidance::{GuidanceState, RouteGuidance, RouteOrders};
pub use routing_schedule::RoutingSchedule;
pub use run_rules::{Closing, RunRules};
pub use scope::Scope;
pub use settings::{CollisionAction, Collisions, Rerouting, Settings};
pub use standstill::{NAMED, NAMED_EVERY_STEPS};
pub use state::{PartitionState, StateError, check_routes};
pub use vehicle::flags::STOPPED;
pub use vehicle::{HALTING_SPEED, Vehicle};
pub use world::World;
