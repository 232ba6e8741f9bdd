//! Checks of vehicles and signals that come from outside a partition: from the frame of a neighbour or from a snapshot. The
//! kernel indexes by what they hold without further checks, so everything is compared with network, demand and routes first.

use crate::graph::Network;
use crate::ids::{EdgeId, LaneId, SignalId, VehicleId};

use super::models::signals::{OCCUPIED, SignalState};
use super::routes::Routes;
use super::transfer::Transfer;
use super::vehicle::{Vehicle, flags};
use super::world::World;

/// Times beyond this many ms would overflow when they are added, 30 million years.
pub(super) const MAX_TIME_MS: u64 = 1 << 60;
/// The same for signals, whose loops count in µs.
const MAX_SIGNAL_TIME_MS: u64 = 1 << 48;
/// Greatest speed of a vehicle, m/s, and greatest magnitude of its other numbers: sums of them are exact enough to be counted in
/// millionths.
const MAX_SPEED_MPS: f64 = 1e9;
const MAX_NUMBER: f64 = 1e12;
/// How far a front may be beyond the ends of its lane, metres: positions are rounded.
const POS_EPS_M: f64 = 1e-3;
/// Longest chain of internal lanes through a junction; two are usual.
const MAX_INTERNAL_LANES: usize = 1000;

/// The field of a vehicle or signal that is wrong.
pub(super) type BadField = &'static str;

pub(super) fn is_time(ms: i64) -> bool {
    ms.unsigned_abs() < MAX_TIME_MS
}

fn ensure(condition: bool, field: BadField) -> Result<(), BadField> {
    if condition { Ok(()) } else { Err(field) }
}

/// A lane as the routes of its vehicles see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// The edge that `route_index` of a vehicle points to: the road, or on an internal lane the road before the junction.
    at: EdgeId,
    /// On an internal lane the road behind the junction; else NONE.
    onto: EdgeId,
    length_m: f64,
}

impl Site {
    pub fn of_lane(network: &Network, lane: LaneId) -> Self {
        let l = network.lane(lane);
        let mut onto = EdgeId::NONE;
        let mut before = l;
        if l.internal {
            let link = l.only_link();
            if link.is_some() {
                onto = network.lane(network.link(link).to).edge;
            }
            for _ in 0..MAX_INTERNAL_LANES {
                if !before.internal || before.entry.is_none() {
                    break;
                }
                before = network.lane(network.link(before.entry).from);
            }
        }
        Self { at: before.edge, onto, length_m: l.length_m }
    }
}

/// What vehicles and signals are compared with. The routes are passed to each check, for the plans change meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validator<'a> {
    world: &'a World,
    /// Time since the begin of the run, one step included: no vehicle can have waited for longer. ms.
    elapsed_ms: u32,
}

impl<'a> Validator<'a> {
    /// For the state before the step that computes `now_ms`.
    pub fn new(world: &'a World, now_ms: i64) -> Self {
        let elapsed_ms = now_ms.saturating_sub(world.settings.begin_ms).saturating_add(world.settings.step_ms);
        Self { world, elapsed_ms: u32::try_from(elapsed_ms.max(0)).unwrap_or(u32::MAX) }
    }

    pub fn world(&self) -> &'a World {
        self.world
    }

    /// A vehicle on a lane.
    ///
    /// # Errors
    /// The field that does not fit.
    #[inline]
    pub fn on_lane(&self, v: &Vehicle, site: &Site, routes: &Routes) -> Result<(), BadField> {
        self.vehicle(v, site, routes)?;
        ensure(v.pos_m >= -POS_EPS_M && v.pos_m <= site.length_m + POS_EPS_M, "pos")?;
        ensure(!v.is(flags::TELEPORTING), "flags")
    }

    /// A vehicle beside the lanes of `edge`.
    ///
    /// # Errors
    /// The field that does not fit.
    pub fn beside(&self, transfer: &Transfer, edge: EdgeId, routes: &Routes) -> Result<(), BadField> {
        let network = &self.world.network;
        let v = &transfer.vehicle;
        let mut lane = network.edge(edge).first_lane;
        if !v.is(flags::TELEPORTING) {
            // A parked vehicle keeps the lane that it stands beside.
            ensure(network.lanes.get(v.came_from.index()).is_some_and(|l| l.edge == edge), "came_from")?;
            lane = v.came_from;
        }
        self.vehicle(v, &Site::of_lane(network, lane), routes)?;
        ensure(v.pos_m.abs() <= MAX_NUMBER, "pos")
    }

    #[inline]
    fn vehicle(&self, v: &Vehicle, site: &Site, routes: &Routes) -> Result<(), BadField> {
        let World { network, demand, .. } = self.world;
        let Some(departure) = demand.departures.get(v.id.index()) else { return Err("id") };
        ensure(u32::from(v.vtype) == departure.vtype.0, "vtype")?;
        ensure(v.speed_factor.to_bits() == departure.speed_factor.to_bits(), "speed_factor")?;
        ensure(u32::from(v.stops_done) <= departure.stops.len, "stops_done")?;
        let Some(edges) = routes.get(demand, v.route) else { return Err("route") };
        let index = usize::from(v.route_index);
        let is_on_route = edges.get(index) == Some(&site.at);
        ensure(is_on_route && (site.onto.is_none() || edges.get(index + 1) == Some(&site.onto)), "route_index")?;
        let lanes = network.lanes.len();
        ensure(v.came_from.is_none() || v.came_from.index() < lanes, "came_from")?;
        ensure(v.depart_lane.index() < lanes, "depart_lane")?;
        ensure(v.flags & !flags::ALL == 0, "flags")?;
        // Comparisons with NaN are false.
        ensure(v.speed_mps >= 0.0 && v.speed_mps <= MAX_SPEED_MPS, "speed")?;
        ensure(!v.advice_mps.is_nan(), "advice")?;
        let sums = v.time_loss_s.abs() <= MAX_NUMBER && v.odometer_m.abs() <= MAX_NUMBER;
        let inclinations = [v.speed_gain_left, v.speed_gain_right, v.keep_right];
        let numbers = [v.accel_mps2, v.look_ahead_speed_mps, v.depart_pos_m, v.depart_speed_mps];
        ensure(sums && numbers.iter().chain(&inclinations).all(|number| number.is_finite()), "number")?;
        let longest_ms = v.waiting_ms.max(v.waiting_total_ms).max(v.stop_total_ms);
        ensure(longest_ms <= self.elapsed_ms, "waiting or stopping time")
    }

    /// The state of a signal of the network.
    ///
    /// # Errors
    /// The field that does not fit.
    pub fn signal(&self, id: SignalId, state: &SignalState) -> Result<(), BadField> {
        let signal = self.world.network.signal(id);
        let Some(program) = signal.programs.get(state.program as usize) else { return Err("program") };
        // A program without phases shows its first one forever.
        let count = program.phases.len().max(1);
        ensure((state.phase as usize) < count, "phase")?;
        ensure(!program.phases.is_empty() || state.until_ms == i64::MAX, "until_ms")?;
        ensure(state.switched as usize <= signal.switches.len(), "switched")?;
        let is_time = |ms: i64| ms.unsigned_abs() < MAX_SIGNAL_TIME_MS;
        ensure(is_time(state.since_ms) && is_time(state.cycle_ms), "since_ms or cycle_ms")?;
        // A phase may last forever.
        ensure(state.until_ms >= 0 || is_time(state.until_ms), "until_ms")?;
        let expected = self.world.loops.of(id).map_or(0, |loops| loops.loops.len());
        ensure(state.loops.len() == expected, "loops")?;
        let is_time = |us: i64| is_time(us / 1000);
        let felt = state.loops.iter().all(|felt| {
            is_time(felt.entered_us) && is_time(felt.green_us) && (felt.left_us == OCCUPIED || is_time(felt.left_us))
        });
        ensure(felt, "loops")
    }

    pub fn is_lane(&self, lane: LaneId) -> bool {
        lane.index() < self.world.network.lanes.len()
    }

    pub fn is_edge(&self, edge: EdgeId) -> bool {
        edge.index() < self.world.network.edges.len()
    }

    pub fn is_signal(&self, signal: SignalId) -> bool {
        signal.index() < self.world.network.signals.len()
    }

    pub fn is_vehicle(&self, vehicle: VehicleId) -> bool {
        vehicle.index() < self.world.demand.departures.len()
    }

    /// A way that a vehicle can have: not empty, countable with 16 bits, and of edges of the network.
    pub fn is_way(&self, edges: &[EdgeId]) -> bool {
        !edges.is_empty() && edges.len() <= usize::from(u16::MAX) && edges.iter().all(|edge| self.is_edge(*edge))
    }
}
