//! Who wants to drive: vehicle types, routes, departures and stops, all expanded before the run starts.
//!
//! Flows, distributions and trips are resolved at load with counter-based random numbers, so the demand is one flat,
//! immutable list that every partition shares.

mod builder;
mod by_hand;
pub mod car_following;
mod clipping;
mod departing;
mod departure_attributes;
mod edge_delays;
mod edited;
mod flow;
mod free_flow;
mod random;
mod road_graph;
mod route_ends;
mod route_reader;
mod route_search;
mod router;
mod routes;
mod scaling;
mod stopping_place;
mod stops;
mod type_reader;
mod type_registry;
mod vehicle_reader;
mod vehicle_type;
mod ways;
mod weighted;
mod zones;

pub use crate::graph::VehicleClass;
pub use builder::{DemandBuilder, DemandOptions};
pub use car_following::{CarFollowing, Idm};
pub use clipping::{Clipper, Entry, Piece};
pub use departure_attributes::DepartureDefaults;
pub use edge_delays::EdgeDelays;
pub use edited::{Adapted, fit_demand, keep_places};
pub use free_flow::FreeFlow;
pub use road_graph::RoadGraph;
pub use route_search::{Roads, RouteSearch, Travel};
pub use router::Router;
pub use stopping_place::{PlaceKind, StoppingPlace, StoppingPlaces};
pub use vehicle_type::{DefaultEmergencyDecel, LaneChangeParams, SpeedFactor, VehicleType};

use serde::{Deserialize, Serialize};

use crate::graph::Span;
use crate::ids::{EdgeId, LaneId, RouteId, TypeId};

/// `departLane`. Of several lanes that with the longest free way is taken: where the hindmost vehicle is farthest ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DepartLane {
    /// Lane index.
    Given(u32),
    /// `first`: the rightmost lane that the vehicle may use.
    First,
    /// `free`: of all allowed lanes.
    Free,
    /// `allowed`: of the lanes that continue the route.
    Allowed,
    /// `best`: of the lanes that continue the route farthest.
    Best,
    /// `best_prob`, SUMO's default: SUMO 1.28 chooses the same lanes as for `best`.
    BestProb,
    /// `random`: an allowed lane, drawn anew at each attempt.
    Random,
}

/// `departPos` in metres from the lane's start (front of the vehicle).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum DepartPos {
    /// `base`: the back of the vehicle at the lane's start (SUMO's default).
    Base,
    /// Negative values count from the lane's end.
    Given(f64),
    Random,
    /// `random_free`: some random places, then the first free one.
    RandomFree,
    /// `free`: the first free place from the start of the lane on.
    Free,
    /// `last`: as close behind the last vehicle on the lane as its speed allows, or at the end of the lane when it is empty.
    Last,
    /// `stop`: at the first stop.
    Stop,
}

/// `departSpeed` in m/s. All but a given speed are lowered where the road ahead asks for it: slower lanes, junctions, stops.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum DepartSpeed {
    /// Just so fast; a vehicle for which the road ahead rules that out can never depart.
    Given(f64),
    /// At most so fast, slower where that is safer: a vehicle that comes driving from outside of what is simulated.
    UpTo(f64),
    /// Drawn anew at each attempt, slower where that is safer.
    Random,
    /// `max`: the greatest safe speed.
    Max,
    /// `desired`: the vehicle's wish; it waits until no vehicle ahead rules that out.
    Desired,
    /// `speedLimit`: that of the lane, likewise.
    SpeedLimit,
    /// `last`, `avg`: the last vehicle's (the lane's mean) speed, likewise.
    Last,
    Avg,
}

/// `arrivalPos` in metres.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum ArrivalPos {
    /// The end of the last edge (default).
    Max,
    /// Negative values count from the end.
    Given(f64),
    /// Drawn by the vehicle's own random numbers as a fraction of the lane.
    Random,
    /// The middle of the last edge.
    Center,
}

/// `arrivalSpeed` in m/s.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum ArrivalSpeed {
    Current,
    Given(f64),
}

/// `arrivalLane`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrivalLane {
    Current,
    Given(u32),
}

/// A stop on the way. Its lane is on the route, in route order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stop {
    pub lane: LaneId,
    /// Position in the route (index into its edges) where the stop is made.
    pub route_index: u32,
    pub start_m: f64,
    pub end_m: f64,
    /// Standing time; `None`: only `until_ms` counts.
    pub duration_ms: Option<i64>,
    /// Absolute time before which it does not go on.
    pub until_ms: Option<i64>,
    /// Stands beside the lane, out of the way of others.
    pub parking: bool,
    /// Waits to be triggered (by persons, who are not simulated): treated as over when `duration`/`until` are; warned.
    pub triggered: bool,
    /// Planned time of arrival, for outputs.
    pub arrival_ms: Option<i64>,
    /// Not 0: a waypoint. The vehicle does not stop but drives no faster than this from `start_m` to `end_m`, m/s.
    pub speed_mps: f64,
    /// Id of the busStop/parkingArea, for outputs; may be empty.
    pub place: Box<str>,
    /// Index into [`Demand::places`]; `None`: the stop is just on a lane.
    pub place_index: Option<u32>,
}

/// A named place as far as it matters who stands there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StopPlace {
    /// Where vehicles stand, one in each lot: fronts in metres from the lane's start. Empty: they stand one behind the other.
    pub lots_m: Vec<f64>,
}

/// A route: a span of [`Demand::route_edges`].
pub type Route = Span;

/// One vehicle to be inserted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Departure {
    /// `id` in the file, or `flow.n`.
    pub name: Box<str>,
    pub depart_ms: i64,
    pub vtype: TypeId,
    pub route: RouteId,
    /// Multiplies speed limits; drawn at load from the type's distribution.
    pub speed_factor: f32,
    pub depart_lane: DepartLane,
    pub depart_pos: DepartPos,
    pub depart_speed: DepartSpeed,
    pub arrival_lane: ArrivalLane,
    pub arrival_pos: ArrivalPos,
    pub arrival_speed: ArrivalSpeed,
    /// A span of [`Demand::stops`].
    pub stops: Span,
    pub route_origin: RouteOrigin,
    /// The vehicle looks for a faster route when it departs and on its way, as all trips do.
    pub has_rerouting_device: bool,
    /// Edges that a trip has to pass, in this order: a span of [`Demand::vias`].
    pub via: Span,
}

impl Departure {
    /// Number of the step in which the vehicle may be inserted first. Steps begin at `begin_ms` and last `step_ms`.
    pub fn step(&self, begin_ms: i64, step_ms: i64) -> i64 {
        let since_begin_ms = self.depart_ms - begin_ms;
        since_begin_ms.div_euclid(step_ms) + i64::from(since_begin_ms.rem_euclid(step_ms) > 0)
    }
}

/// Where the route of a departure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteOrigin {
    /// The file gives it.
    Given,
    /// The file gives another one; a faster one was found at load, because the vehicle has a rerouting device.
    Replaced,
    /// The file gives only the ends and edges to pass (`trip`); it was found at load.
    Found,
}

/// The immutable demand of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Demand {
    pub types: Vec<VehicleType>,
    pub routes: Vec<Route>,
    /// Pool of `routes`.
    pub route_edges: Vec<EdgeId>,
    /// In the order of insertion: by the step of departure, within a step as the reader says. `VehicleId` indexes this list.
    pub departures: Vec<Departure>,
    /// Pool of `Departure::stops`.
    pub stops: Vec<Stop>,
    /// Named places that stops refer to.
    pub places: Vec<StopPlace>,
    /// Pool of `Departure::via`.
    pub vias: Vec<EdgeId>,
}

impl Demand {
    #[inline]
    pub fn route(&self, id: RouteId) -> &[EdgeId] {
        &self.route_edges[self.routes[id.index()].range()]
    }
}

/// Whether a vehicle with this name, of which nothing else is said, is among the share that has a rerouting device.
pub fn is_equipped(seed: u64, name: &str, share: f64) -> bool {
    share > 0.0 && random::Stream::new(seed, name, random::Purpose::ReroutingDevice).uniform(0) < share
}
