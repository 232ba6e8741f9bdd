//! What one partition tells about one step: events, counts and finished measuring intervals. Everything that is summed
//! over partitions is an integer, so the sum does not depend on the cut (I1).

use serde::{Deserialize, Serialize};

use crate::graph::Aspect;
use crate::ids::{EdgeId, LaneId, RouteId, SignalId, VehicleId};

/// Micro-units per unit: sums of metres, seconds and metres per second are kept as whole millionths.
pub const MICRO: f64 = 1e6;

/// Whole millionths of `value`.
#[inline]
pub fn micro(value: f64) -> i64 {
    (value * MICRO) as i64
}

/// A finished trip, with what `tripinfo-output` needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TripRecord {
    pub vehicle: VehicleId,
    pub depart_ms: i64,
    pub depart_lane: LaneId,
    pub depart_pos_m: f64,
    pub depart_speed_mps: f64,
    pub depart_delay_ms: i64,
    pub arrival_ms: i64,
    pub arrival_lane: LaneId,
    pub arrival_pos_m: f64,
    pub arrival_speed_mps: f64,
    pub route_length_m: f64,
    /// Time with speed below 0.1 m/s, stops excluded.
    pub waiting_ms: i64,
    /// How often it came to such a halt.
    pub waiting_count: u32,
    pub stop_ms: i64,
    /// Time lost against driving at the allowed (and wished) speed.
    pub time_loss_s: f64,
    pub reroute_count: u32,
    pub speed_factor: f64,
    /// The edges of its route, where they are asked for; else empty.
    pub edges: Vec<EdgeId>,
    pub vaporized: Vaporized,
}

/// Why a vehicle was taken out of the simulation before its destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vaporized {
    /// It was not.
    #[default]
    No,
    /// `collision.action="remove"`.
    Collision,
    /// `time-to-teleport.remove`.
    Teleport,
}

/// A route that a vehicle was on and gave up for another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedRoute {
    pub vehicle: VehicleId,
    pub edges: Vec<EdgeId>,
    /// Index in the route of the edge on which that happened, and when.
    pub at_index: u16,
    pub time_ms: i64,
    /// An order said so, and not the traffic.
    pub ordered: bool,
}

/// A vehicle that a lane changer minds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapTo {
    /// Bumper to bumper, metres.
    pub gap_m: f64,
    /// What the rear vehicle of both needs, metres.
    pub secure_gap_m: f64,
    pub speed_mps: f64,
}

/// Why a vehicle changes lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeReason {
    Strategic,
    Cooperative,
    SpeedGain,
    KeepRight,
}

/// What a lane changer saw when it changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeMotive {
    pub reason: ChangeReason,
    pub urgent: bool,
    /// On the new lane.
    pub leader: Option<GapTo>,
    pub follower: Option<GapTo>,
    /// On the old lane.
    pub old_leader: Option<GapTo>,
}

/// A vehicle changed lanes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneChange {
    pub vehicle: VehicleId,
    pub from: LaneId,
    pub to: LaneId,
    pub pos_m: f64,
    pub speed_mps: f64,
    pub motive: ChangeMotive,
}

/// Two vehicles overlap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collision {
    pub lane: LaneId,
    /// The rear vehicle and the one that it ran into.
    pub collider: VehicleId,
    pub victim: VehicleId,
    pub collider_speed_mps: f64,
    pub victim_speed_mps: f64,
    /// Fronts along the lane, metres.
    pub collider_pos_m: f64,
    pub victim_pos_m: f64,
}

/// A vehicle on a lane with detectors that follow single vehicles, during one step. Positions are of its front, along the lane;
/// they may lie before its start and beyond its end as long as a part of the vehicle was on the lane.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanePassage {
    pub lane: LaneId,
    pub vehicle: VehicleId,
    pub from_m: f64,
    pub to_m: f64,
    pub speed_mps: f64,
    /// Speed that it would like to drive here.
    pub allowed_mps: f64,
}

/// What a signal shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSignal {
    pub signal: SignalId,
    /// Indices of the program and its phase; `None`: an order says what it shows.
    pub phase: Option<(u32, u32)>,
    /// By link index; empty where the phase tells it.
    pub aspects: Vec<Aspect>,
}

/// One vehicle at one time, for floating-car data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FcdRecord {
    pub vehicle: VehicleId,
    pub lane: LaneId,
    /// Front of the vehicle along the lane.
    pub pos_m: f64,
    pub speed_mps: f64,
    pub accel_mps2: f32,
    /// Time since it last moved, ms.
    pub waiting_ms: u32,
    /// Driven so far.
    pub odometer_m: f64,
    /// Lost so far.
    pub time_loss_s: f64,
}

/// A stop that a vehicle made, or makes when the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopRecord {
    pub vehicle: VehicleId,
    /// Index into the stops of the demand.
    pub stop: u32,
    pub lane: LaneId,
    /// Front of the vehicle along the lane.
    pub pos_m: f64,
    /// It stood beside the lane.
    pub parking: bool,
    pub started_ms: i64,
    /// When it drove on; −1 while the stop lasts.
    pub ended_ms: i64,
}

/// Why a vehicle was taken off its lane and put back further along its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TeleportCause {
    /// Stood too long behind others.
    Jam,
    /// Stood too long before a foe stream.
    Yield,
    /// Stood too long on a lane that does not continue its route.
    WrongLane,
    Collision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Teleport {
    pub vehicle: VehicleId,
    pub lane: LaneId,
    pub cause: TeleportCause,
}

/// Why a vehicle can never depart as it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiscardCause {
    /// It could not slow down enough before a lane with a lower limit.
    SlowLaneAhead,
    /// It could not halt before a junction where it has to give way.
    JunctionTooClose,
    /// It could not halt at its stop.
    StopTooClose,
}

/// A vehicle that is discarded because it can never depart as it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discard {
    pub vehicle: VehicleId,
    pub lane: LaneId,
    pub cause: DiscardCause,
}

/// What a standing vehicle waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitsFor {
    /// Another vehicle beyond the end of its lane.
    Vehicle(VehicleId),
    /// Right of way or a signal at the next junction.
    Junction,
    /// Its lane does not continue its route.
    LaneEnd,
    /// Room on the edge where it departs.
    Departure,
}

/// A vehicle that stands in a run without progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub vehicle: VehicleId,
    /// Of a vehicle that waits to depart, the first lane of its edge.
    pub lane: LaneId,
    pub waits_for: WaitsFor,
}

/// Counts of one partition. `loaded = waiting + running + arrived + discarded` over all partitions (I2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Departure time reached (or the vehicle was loaded), so far.
    pub loaded: u64,
    pub inserted: u64,
    pub running: u64,
    /// Departure time reached and not yet inserted.
    pub waiting: u64,
    pub arrived: u64,
    pub discarded: u64,
    pub teleports_jam: u64,
    pub teleports_yield: u64,
    pub teleports_wrong_lane: u64,
    pub collisions: u64,
    pub emergency_stops: u64,
    pub emergency_brakings: u64,
    /// Running vehicles below 0.1 m/s on lanes, those at a stop among them (as in SUMO's summary); now.
    pub halting: u64,
    /// Vehicles at a stop; now.
    pub stopped: u64,
    /// Sum over running vehicles but those at a stop, in micrometres per second; now.
    pub speed_um: i64,
    /// Sum of speed / speed limit of the road over running vehicles but those at a stop, in millionths; now.
    pub relative_speed_millionths: i64,
    /// Sum of the waiting (before insertion: depart delay) times of inserted vehicles, ms.
    pub depart_delay_ms: i64,
    /// Sum of the durations of arrived vehicles, ms.
    pub travel_time_ms: i64,
    /// Vehicles moved, summed over all steps.
    pub vehicle_updates: u64,
}

impl StepReport {
    /// Empties it; the memory of its lists stays.
    pub fn clear(&mut self) {
        let Self { time_ms, counts, is_still, orders_met, digest, .. } = self;
        (*time_ms, *counts, *is_still, *orders_met, *digest) = (0, Counts::default(), false, 0, 0);
        let Self { arrivals, teleports, stops, discards, standing, departed, fcd, intervals, edge_speeds, .. } = self;
        arrivals.clear();
        teleports.clear();
        stops.clear();
        discards.clear();
        standing.clear();
        departed.clear();
        fcd.clear();
        intervals.clear();
        edge_speeds.clear();
        let Self { route_requests, removals, detour_requests, edges_left, replaced_routes, .. } = self;
        route_requests.clear();
        removals.clear();
        detour_requests.clear();
        edges_left.clear();
        replaced_routes.clear();
        let Self { lane_changes, collisions, passages, signals, .. } = self;
        lane_changes.clear();
        collisions.clear();
        passages.clear();
        signals.clear();
    }
}

impl Counts {
    /// Whether sums that were stored can be those of a run: adding to them does not overflow.
    pub(super) fn are_plausible(&self) -> bool {
        let Self { loaded, inserted, running, waiting, arrived, discarded, collisions, halting, stopped, .. } = *self;
        let Self { teleports_jam, teleports_yield, teleports_wrong_lane, emergency_stops, emergency_brakings, .. } =
            *self;
        let Self { speed_um, relative_speed_millionths, depart_delay_ms, travel_time_ms, vehicle_updates, .. } = *self;
        let vehicles = [loaded, inserted, running, waiting, arrived, discarded, collisions, halting, stopped];
        let events = [
            teleports_jam,
            teleports_yield,
            teleports_wrong_lane,
            emergency_stops,
            emergency_brakings,
            vehicle_updates,
        ];
        let sums = [speed_um, relative_speed_millionths, depart_delay_ms, travel_time_ms].map(i64::unsigned_abs);
        vehicles.into_iter().chain(events).chain(sums).all(|number| number < GREATEST_SUM)
    }

    /// Teleports for all reasons but collisions.
    pub fn teleports(&self) -> u64 {
        self.teleports_jam + self.teleports_yield + self.teleports_wrong_lane
    }
}

/// No sum of a run grows so large; several of them can be added without overflow.
const GREATEST_SUM: u64 = 1 << 56;

/// Measures of one lane over one interval (`edgeData`, `laneData`).
///
/// SUMO counts a vehicle on a lane in two ways: while its front is there, and while any part of it is there. The fields
/// follow the front; the `tail_…` fields add the time after the front has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneStats {
    /// Vehicle-seconds with the front on the lane, µs.
    pub sampled_us: i64,
    /// Distance driven by fronts on the lane, µm.
    pub distance_um: i64,
    /// Vehicle-seconds with the front beyond the lane's end and the back still on the lane, µs.
    pub tail_us: i64,
    /// Distance driven meanwhile, µm.
    pub tail_distance_um: i64,
    /// Vehicle length × (sampled + tail) time, µm·s: their mean length is this over that time.
    pub length_um_s: i64,
    /// Vehicle-time below 0.1 m/s, ms.
    pub waiting_ms: i64,
    /// Time lost against the allowed speed, µs.
    pub time_loss_us: i64,
    /// Covered length of the lane × time, µm·s: occupancy is this over (lane length × interval).
    pub occupied_um_s: i64,
    /// Sum of speed / allowed speed × time, millionths of a second.
    pub relative_speed_us: i64,
    pub departed: u32,
    pub arrived: u32,
    pub entered: u32,
    pub left: u32,
    pub lane_changed_from: u32,
    pub lane_changed_to: u32,
    pub teleported: u32,
    pub vaporized: u32,
}

/// Lane measures of one `edgeData`/`laneData` request whose interval ended with this step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalReport {
    /// Index of the request.
    pub request: u32,
    pub begin_ms: i64,
    pub end_ms: i64,
    /// Lanes of the partition that saw a vehicle, by id.
    pub lanes: Vec<(LaneId, LaneStats)>,
}

/// Where in its trip a vehicle gets a new route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoutingStage {
    /// Its departure time comes.
    Departing,
    /// It waits for its insertion.
    Waiting,
    /// It is on the road.
    Driving,
}

/// Why routes were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RouteCause {
    /// The present traffic.
    Traffic,
    /// An order closed or opened roads.
    Closure,
}

/// A vehicle asks for a faster route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRequest {
    pub vehicle: VehicleId,
    pub stage: RoutingStage,
    /// Its present route.
    pub route: RouteId,
    /// Index in that route of the edge from which a new way is wanted.
    pub from_index: u16,
}

/// A new route for a vehicle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteUpdate {
    pub vehicle: VehicleId,
    pub stage: RoutingStage,
    /// The whole route, with the edges already driven.
    pub edges: Vec<EdgeId>,
}

/// All that a partition reports of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Time of the step (the state that it shows), ms.
    pub time_ms: i64,
    pub counts: Counts,
    pub arrivals: Vec<TripRecord>,
    pub teleports: Vec<Teleport>,
    /// Stops that ended with this step.
    pub stops: Vec<StopRecord>,
    /// Vehicles that can never depart as they ask for.
    pub discards: Vec<Discard>,
    /// No vehicle of the partition has moved, none is to come, and nothing but signals can change that by itself.
    pub is_still: bool,
    /// Some of the vehicles that stand or wait then, at every so many steps.
    pub standing: Vec<Standing>,
    /// Vehicles inserted in this step, and where.
    pub departed: Vec<(VehicleId, EdgeId)>,
    /// Only filled when floating-car data are asked for.
    pub fcd: Vec<FcdRecord>,
    pub intervals: Vec<IntervalReport>,
    /// Snapshots of the traffic: per own edge the sum over samples since the last one of speed limit − mean speed, µm/s.
    pub edge_speeds: Vec<(EdgeId, i64)>,
    /// Vehicles that ask for a route at a snapshot.
    pub route_requests: Vec<RouteRequest>,
    /// Trips that orders ended; not among the arrivals.
    pub removals: Vec<TripRecord>,
    /// Orders before this step that found their vehicle or signal.
    pub orders_met: u32,
    /// Vehicles that ask for a way round closed roads, in a step with orders.
    pub detour_requests: Vec<RouteRequest>,
    /// Digest of the partition's state after the step, when it was asked for.
    pub digest: u128,
    /// What follows is only filled when it is asked for. Vehicles that left an edge of their route, and its index there.
    pub edges_left: Vec<(VehicleId, u16)>,
    /// Routes given up before this step.
    pub replaced_routes: Vec<ReplacedRoute>,
    pub lane_changes: Vec<LaneChange>,
    pub collisions: Vec<Collision>,
    pub passages: Vec<LanePassage>,
    pub signals: Vec<ShownSignal>,
}

impl LaneStats {
    /// Whether sums that were stored can be those of a run: adding to them does not overflow.
    pub(super) fn are_plausible(&self) -> bool {
        let Self { sampled_us, distance_um, tail_us, tail_distance_um, length_um_s, waiting_ms, time_loss_us, .. } =
            *self;
        let Self { occupied_um_s, relative_speed_us, departed, arrived, entered, left, .. } = *self;
        let Self { lane_changed_from, lane_changed_to, teleported, vaporized, .. } = *self;
        let times = [sampled_us, tail_us, waiting_ms, time_loss_us, relative_speed_us];
        let lengths = [distance_um, tail_distance_um, length_um_s, occupied_um_s];
        let events = [departed, arrived, entered, left, lane_changed_from, lane_changed_to, teleported, vaporized];
        times.into_iter().chain(lengths).all(|sum| sum.unsigned_abs() < GREATEST_SUM)
            && events.into_iter().all(|count| count < u32::MAX / 2)
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, o: Self) {
        self.loaded += o.loaded;
        self.inserted += o.inserted;
        self.running += o.running;
        self.waiting += o.waiting;
        self.arrived += o.arrived;
        self.discarded += o.discarded;
        self.teleports_jam += o.teleports_jam;
        self.teleports_yield += o.teleports_yield;
        self.teleports_wrong_lane += o.teleports_wrong_lane;
        self.collisions += o.collisions;
        self.emergency_stops += o.emergency_stops;
        self.emergency_brakings += o.emergency_brakings;
        self.halting += o.halting;
        self.stopped += o.stopped;
        self.speed_um += o.speed_um;
        self.relative_speed_millionths += o.relative_speed_millionths;
        self.depart_delay_ms += o.depart_delay_ms;
        self.travel_time_ms += o.travel_time_ms;
        self.vehicle_updates += o.vehicle_updates;
    }
}

impl std::ops::AddAssign for LaneStats {
    fn add_assign(&mut self, o: Self) {
        self.sampled_us += o.sampled_us;
        self.distance_um += o.distance_um;
        self.tail_us += o.tail_us;
        self.tail_distance_um += o.tail_distance_um;
        self.length_um_s += o.length_um_s;
        self.waiting_ms += o.waiting_ms;
        self.time_loss_us += o.time_loss_us;
        self.occupied_um_s += o.occupied_um_s;
        self.relative_speed_us += o.relative_speed_us;
        self.departed += o.departed;
        self.arrived += o.arrived;
        self.entered += o.entered;
        self.left += o.left;
        self.lane_changed_from += o.lane_changed_from;
        self.lane_changed_to += o.lane_changed_to;
        self.teleported += o.teleported;
        self.vaporized += o.vaporized;
    }
}
