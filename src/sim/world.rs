//! Network, demand, settings and tables made from them, shared by all partitions. Nothing in it changes by itself; a partition
//! that gets orders goes on with a copy of its own, in which these are laid over network and demand.

use std::sync::Arc;

use crate::demand::{Demand, LaneChangeParams, VehicleClass};
use crate::graph::{EdgeKind, Link, Network, RightOfWay};
use crate::ids::{EdgeId, LaneId, RouteId, VehicleId};

use super::lane_plan::brake_m;
use super::marks::Marks;
use super::models::car_following::Driver;
use super::orders::Overlay;
use super::probes::MeasureSpec;
use super::routing_schedule::RoutingSchedule;
use super::settings::Settings;
use crate::sim::phases::collisions::widest_collision_gap_m;
use crate::sim::phases::detection::SignalLoops;

/// How far beyond their edge lane changers see roundabouts, and jams as they are after the move; of farther lanes they know what was
/// taken at the end of the last step.
const SCAN_M: f64 = 250.0;

/// Seconds before its arrival from which a vehicle counts for those that would cross its way; slow ones take about that
/// long over a junction.
const ANNOUNCE_S: f64 = 10.0;

/// A vehicle type as the kernel uses it.
#[derive(Clone, Copy, Debug)]
pub struct TypeParams {
    pub driver: Driver,
    pub lane_change: LaneChangeParams,
    pub class: VehicleClass,
    /// Index into [`World::classes`].
    pub class_slot: u16,
    pub impatience: f64,
    pub time_gap_minor_s: f64,
}

/// Input of a run.
#[derive(Clone, Debug)]
pub struct World {
    /// Shared with the outputs, which need the names.
    pub network: Arc<Network>,
    pub demand: Arc<Demand>,
    pub settings: Settings,
    pub measures: MeasureSpec,
    pub types: Vec<TypeParams>,
    /// Vehicle classes that occur in the demand.
    pub classes: Vec<VehicleClass>,
    /// By class: metres in which its vehicles brake from their greatest speed.
    pub brake_m: Vec<f64>,
    /// Step length, seconds.
    pub dt: f64,
    /// How far a vehicle looks ahead or back at most, metres; bounds every read in the kernel and with it the halo.
    pub reach_m: f64,
    /// How far before a junction vehicles tell that they come, metres.
    pub announce_m: f64,
    /// How far beyond their edge lane changers see roundabouts, and jams as they are after the move, metres; 0 where no road has two
    /// lanes.
    pub scan_m: f64,
    /// Some edge is part of a roundabout.
    pub has_roundabouts: bool,
    /// Somewhere a road has several lanes to choose between.
    pub has_wide_roads: bool,
    /// Road edges at each junction, in and out.
    pub junction_degree: Vec<u32>,
    /// Greatest speed limit of the network, m/s, and greatest factor by which somebody exceeds it: no order may go beyond.
    pub fastest_mps: f64,
    pub greatest_factor: f64,
    /// Farthest that a vehicle moves in one step, metres.
    pub stride_m: f64,
    /// By vehicle: its departure has stops. Apart from the departures because it is asked for every vehicle in every step.
    pub(super) stopping: Vec<bool>,
    /// Gap below which two vehicles may have collided, metres (`collision.mingap-factor`).
    pub(super) collision_gap_m: f64,
    /// Links that somebody yields to.
    pub watched: Marks,
    /// Links onto the first part of a way in two parts, at whose end vehicles wait inside the junction.
    pub two_part: Marks,
    /// Links at which vehicles merge like a zipper.
    pub merges: Marks,
    /// Lanes beside which there are others.
    pub wide: Marks,
    /// Loops of actuated signals.
    pub loops: SignalLoops,
    /// By conflict: the other lane.
    pub conflict_foes: Vec<LaneId>,
    /// When routes are found by the traffic; `None`: never.
    pub routing: Option<RoutingSchedule>,
    /// What orders made of it.
    pub overlay: Overlay,
}

impl World {
    pub fn new(
        network: impl Into<Arc<Network>>,
        demand: impl Into<Arc<Demand>>,
        settings: Settings,
        measures: impl Into<MeasureSpec>,
    ) -> Self {
        let (network, demand) = (network.into(), demand.into());
        let dt = settings.step_ms as f64 / 1000.0;
        let mut classes: Vec<VehicleClass> = Vec::new();
        let types: Vec<TypeParams> = demand
            .types
            .iter()
            .map(|t| {
                let slot = classes.iter().position(|c| *c == t.class).unwrap_or_else(|| {
                    classes.push(t.class);
                    classes.len() - 1
                });
                TypeParams {
                    driver: Driver::new(t, dt),
                    lane_change: t.lane_change,
                    class: t.class,
                    class_slot: slot as u16,
                    impatience: t.impatience,
                    time_gap_minor_s: t.time_gap_minor_s,
                }
            })
            .collect();
        let limit = network.highest_limit_mps();
        let factor = demand.departures.iter().map(|d| f64::from(d.speed_factor)).fold(1.0, f64::max);
        // Vehicles fall in at an alternating merge from where they see it on.
        let is_merge = |link: &Link| link.right_of_way == RightOfWay::Zipper;
        let mut reach_m: f64 =
            network.links.iter().filter(|link| is_merge(link)).map(|link| link.visibility_m).fold(0.0, f64::max);
        let mut stride_m: f64 = 0.0;
        let mut announce_m: f64 = 0.0;
        let longest = types.iter().map(|t| t.driver.length_with_gap()).fold(0.0, f64::max);
        for t in &types {
            let v = (limit * factor).min(t.driver.max_speed_mps);
            reach_m = reach_m.max(v * dt + t.driver.brake_gap(v + t.driver.accel_mps2 * dt) + longest);
            stride_m = stride_m.max(v * dt);
            announce_m = announce_m.max(v * ANNOUNCE_S);
        }
        let announce_m = announce_m.max(reach_m);
        let has_wide_roads = network.edges.iter().any(|e| e.lane_count > 1 && !e.is_internal());
        let has_roundabouts = network.edges.iter().any(|e| e.roundabout);
        let scan_m = if has_wide_roads { SCAN_M } else { 0.0 };
        let mut junction_degree = vec![0; network.junctions.len()];
        for edge in network.edges.iter().filter(|e| e.kind == EdgeKind::Normal) {
            junction_degree[edge.from.index()] += 1;
            junction_degree[edge.to.index()] += 1;
        }
        let stopping = demand.departures.iter().map(|d| !d.stops.is_empty()).collect();
        let watched = Marks::of(network.links.iter().map(|l| l.watched));
        let waits_inside = |l: &Link| {
            let first = network.lane(l.next);
            let second = first.only_link();
            l.is_entry(&network) && first.internal && second.is_some() && !network.link(second).exit
        };
        let two_part = Marks::of(network.links.iter().map(waits_inside));
        let merges = Marks::of(network.links.iter().map(is_merge));
        let wide = Marks::of(network.lanes.iter().map(|l| network.edge(l.edge).lane_count > 1));
        let loops = SignalLoops::new(&network, &demand, &settings);
        let conflict_foes = network.conflicts.iter().map(|c| c.foe).collect();
        let routing = RoutingSchedule::of(&demand, &settings);
        let collision_gap_m = widest_collision_gap_m(&settings, &types);
        Self {
            network,
            demand,
            settings,
            measures: measures.into(),
            types,
            brake_m: classes.iter().map(|class| brake_m(*class)).collect(),
            classes,
            dt,
            reach_m,
            announce_m,
            scan_m,
            has_roundabouts,
            has_wide_roads,
            junction_degree,
            fastest_mps: limit,
            greatest_factor: factor,
            stride_m,
            stopping,
            collision_gap_m,
            watched,
            two_part,
            merges,
            wide,
            loops,
            conflict_foes,
            routing,
            overlay: Overlay::default(),
        }
    }

    /// Whether a vehicle has stops on its way.
    #[inline]
    pub fn has_stops(&self, vehicle: VehicleId) -> bool {
        self.stopping[vehicle.index()]
    }

    /// Speed limit of a lane for a driver, m/s.
    #[inline]
    pub fn allowed_speed(&self, lane: LaneId, driver: &Driver, speed_factor: f32) -> f64 {
        let lane = &self.network.lanes[lane.index()];
        driver.desired_speed(self.overlay.limit_mps(&self.network, lane, driver.class), speed_factor)
    }

    /// A route of the demand; routes found during the run are in `LanePlans` only.
    #[inline]
    pub fn route(&self, id: RouteId) -> &[EdgeId] {
        self.demand.route(id)
    }
}
