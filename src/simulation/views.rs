//! What can be read of a simulation between two steps. Views borrow the state; nothing is copied but the numbers asked for.

use std::collections::HashMap;

use super::core::Simulation;
use crate::graph::sumo::NetworkIndex;
use crate::graph::{Aspect, Edge, Lane, Network, Signal};
use crate::ids::{EdgeId, LaneId, SignalId, TypeId, VehicleId};
use crate::output::{LaneShapes, Pose};
use crate::sim::{HALTING_SPEED, Observation, Partition, Vehicle, Watch, World};

/// Where a vehicle is in the state of its partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    part: u32,
    lane: LaneId,
    /// Among the vehicles of the lane.
    index: u32,
}

/// A vehicle on a lane.
#[derive(Clone, Copy)]
pub struct VehicleView<'s> {
    partition: &'s Partition,
    lane: LaneId,
    state: &'s Vehicle,
}

impl<'s> VehicleView<'s> {
    pub fn id(&self) -> VehicleId {
        self.state.id
    }
    /// As in the files.
    pub fn name(&self) -> &'s str {
        &self.partition.world().demand.departures[self.state.id.index()].name
    }
    pub fn vehicle_type(&self) -> TypeId {
        TypeId(u32::from(self.state.vtype))
    }
    /// As in the files.
    pub fn type_name(&self) -> &'s str {
        &self.partition.world().demand.types[usize::from(self.state.vtype)].name
    }
    pub fn lane(&self) -> LaneId {
        self.lane
    }
    pub fn edge(&self) -> EdgeId {
        self.partition.world().network.lane(self.lane).edge
    }
    /// Front bumper along the lane, metres.
    pub fn position_m(&self) -> f64 {
        self.state.pos_m
    }
    pub fn speed_mps(&self) -> f64 {
        self.state.speed_mps
    }
    /// Change of speed in the last step.
    pub fn acceleration_mps2(&self) -> f64 {
        f64::from(self.state.accel_mps2)
    }
    pub fn length_m(&self) -> f64 {
        self.partition.world().demand.types[usize::from(self.state.vtype)].length_m
    }
    /// Time since it last moved, seconds; 0 at a stop.
    pub fn waiting_s(&self) -> f64 {
        f64::from(self.state.waiting_ms) / 1e3
    }
    /// Sum of waiting times, seconds.
    pub fn waiting_total_s(&self) -> f64 {
        f64::from(self.state.waiting_total_ms) / 1e3
    }
    /// Time lost so far against the speed that the driver wishes, seconds.
    pub fn time_loss_s(&self) -> f64 {
        self.state.time_loss_s
    }
    /// Distance driven, metres.
    pub fn odometer_m(&self) -> f64 {
        self.state.odometer_m
    }
    /// Simulated time of its insertion, ms.
    pub fn departed_ms(&self) -> i64 {
        i64::from(self.state.depart_ms)
    }
    /// It stands at a stop.
    pub fn is_stopped(&self) -> bool {
        self.state.is(crate::sim::STOPPED)
    }
    /// The edges of its route, from departure to arrival.
    pub fn route(&self) -> &'s [EdgeId] {
        self.partition.route(self.state.route)
    }
    /// Its place on the route: index of the edge that it is on, or came from where it is inside a junction.
    pub fn route_index(&self) -> usize {
        usize::from(self.state.route_index)
    }
}

/// A lane with its vehicles.
#[derive(Clone, Copy)]
pub struct LaneView<'s> {
    partition: &'s Partition,
    id: LaneId,
}

impl<'s> LaneView<'s> {
    pub fn id(&self) -> LaneId {
        self.id
    }
    /// SUMO's lane id.
    pub fn name(&self) -> String {
        self.partition.world().network.lane_name(self.id)
    }
    /// The lane of the network.
    pub fn lane(&self) -> &'s Lane {
        self.partition.world().network.lane(self.id)
    }
    /// The foremost first.
    pub fn vehicles(&self) -> impl ExactSizeIterator<Item = VehicleView<'s>> + use<'s> {
        let (partition, lane) = (self.partition, self.id);
        partition.vehicles_on(lane).iter().map(move |state| VehicleView { partition, lane, state })
    }
    /// Vehicles whose front is on the lane.
    pub fn vehicle_count(&self) -> usize {
        self.partition.vehicles_on(self.id).len()
    }
    /// Those of them below 0.1 m/s that are not at a stop.
    pub fn halting_count(&self) -> usize {
        self.vehicles().filter(is_halting).count()
    }
    /// `None` without vehicles.
    pub fn mean_speed_mps(&self) -> Option<f64> {
        mean_speed_mps(self.vehicles())
    }
}

/// An edge with its vehicles.
#[derive(Clone, Copy)]
pub struct EdgeView<'s> {
    partition: &'s Partition,
    id: EdgeId,
}

impl<'s> EdgeView<'s> {
    pub fn id(&self) -> EdgeId {
        self.id
    }
    /// As in the files.
    pub fn name(&self) -> &'s str {
        &self.edge().name
    }
    /// The edge of the network.
    pub fn edge(&self) -> &'s Edge {
        self.partition.world().network.edge(self.id)
    }
    /// From the right to the left.
    pub fn lanes(&self) -> impl Iterator<Item = LaneView<'s>> + use<'s> {
        let partition = self.partition;
        self.edge().lanes().map(move |id| LaneView { partition, id })
    }
    /// By lane; on a lane the foremost first.
    pub fn vehicles(&self) -> impl Iterator<Item = VehicleView<'s>> + use<'s> {
        self.lanes().flat_map(|lane| lane.vehicles())
    }
    /// Vehicles whose front is on the edge.
    pub fn vehicle_count(&self) -> usize {
        self.lanes().map(|lane| lane.vehicle_count()).sum()
    }
    /// Those of them below 0.1 m/s that are not at a stop.
    pub fn halting_count(&self) -> usize {
        self.vehicles().filter(is_halting).count()
    }
    /// `None` without vehicles.
    pub fn mean_speed_mps(&self) -> Option<f64> {
        mean_speed_mps(self.vehicles())
    }
}

fn is_halting(vehicle: &VehicleView<'_>) -> bool {
    vehicle.speed_mps() < HALTING_SPEED && !vehicle.is_stopped()
}

fn mean_speed_mps<'s>(vehicles: impl Iterator<Item = VehicleView<'s>>) -> Option<f64> {
    let (count, sum) = vehicles.fold((0u32, 0.0), |(count, sum), vehicle| (count + 1, sum + vehicle.speed_mps()));
    (count > 0).then(|| sum / f64::from(count))
}

/// A traffic light.
#[derive(Clone, Copy)]
pub struct SignalView<'s> {
    partition: &'s Partition,
    id: SignalId,
}

impl<'s> SignalView<'s> {
    pub fn id(&self) -> SignalId {
        self.id
    }
    /// As in the files.
    pub fn name(&self) -> &'s str {
        &self.signal().name
    }
    /// The signal of the network, with its programs.
    pub fn signal(&self) -> &'s Signal {
        self.partition.world().network.signal(self.id)
    }
    /// Indices of the program and of its phase; both stand still while [`is_fixed`](Self::is_fixed).
    pub fn program_and_phase(&self) -> (u32, u32) {
        self.partition.program_and_phase(self.id)
    }
    /// What the links saw in the last step, by link index.
    pub fn aspects(&self) -> &'s [Aspect] {
        self.partition.shown(self.id)
    }
    /// Aspects as SUMO writes them: a letter for each link index.
    pub fn state(&self) -> String {
        self.aspects().iter().map(|aspect| aspect.letter()).collect()
    }
    /// An order says what it shows, and no program.
    pub fn is_fixed(&self) -> bool {
        self.partition.is_fixed(self.id)
    }
}

/// What a detector of an additional file saw.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorReading<'s> {
    /// As in the file.
    pub name: &'s str,
    pub kind: DetectorKind,
    /// Loops: vehicles that were over the loop at some time of the last step. Areas: vehicles in the area now, those that only
    /// their rear is in left out.
    pub vehicles: u32,
    /// Of these; `None` without vehicles.
    pub mean_speed_mps: Option<f64>,
    /// Those of them below 0.1 m/s.
    pub halting: u32,
    /// Loops: vehicles whose front passed the loop in the last step. Areas: 0.
    pub passed: u32,
}

/// What a detector looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectorKind {
    /// `inductionLoop`.
    Loop,
    /// `laneAreaDetector`.
    Area,
}

impl Simulation {
    fn world(&self) -> &World {
        let first = self.engine.partitions().first();
        first.map_or(&*self.base.world, |partition| partition.world())
    }

    pub fn network(&self) -> &Network {
        &self.base.world.network
    }

    /// Vehicle types, departures and routes; vehicles that orders added come last.
    pub fn demand(&self) -> &crate::demand::Demand {
        &self.world().demand
    }

    fn index(&self) -> &NetworkIndex {
        self.base.index.get_or_init(|| NetworkIndex::new(&self.base.world.network))
    }

    /// The edge with this id of the files.
    pub fn find_edge(&self, name: &str) -> Option<EdgeId> {
        self.index().edge(name)
    }

    /// The lane with this id of the files.
    pub fn find_lane(&self, name: &str) -> Option<LaneId> {
        self.index().lane(name)
    }

    /// The signal with this id of the files.
    pub fn find_signal(&self, name: &str) -> Option<SignalId> {
        self.index().signal(name)
    }

    /// The vehicle with this id of the files, wherever it is: also one that is still to come, or has arrived.
    pub fn find_vehicle(&self, name: &str) -> Option<VehicleId> {
        let known = self.base.vehicles().get(name).copied();
        let first = self.base.world.demand.departures.len();
        let added = self.demand().departures.iter().enumerate().skip(first);
        known.or_else(|| added.into_iter().find(|(_, d)| &*d.name == name).map(|(id, _)| VehicleId::new(id)))
    }

    /// The vehicle type with this id of the files.
    pub fn find_type(&self, name: &str) -> Option<TypeId> {
        self.demand().types.iter().position(|vtype| &*vtype.name == name).map(TypeId::new)
    }

    /// All vehicles on lanes. Parked and teleporting ones are not.
    pub fn vehicles(&self) -> impl Iterator<Item = VehicleView<'_>> {
        self.engine
            .partitions()
            .iter()
            .flat_map(|partition| partition.vehicles().map(move |(lane, state)| VehicleView { partition, lane, state }))
    }

    /// A vehicle, if it is on a lane.
    pub fn vehicle(&self, id: VehicleId) -> Option<VehicleView<'_>> {
        let Place { part, lane, index } = *self.places.get_or_init(|| self.all_places()).get(&id)?;
        let partition = self.engine.partitions().get(part as usize)?;
        let state = partition.vehicles_on(lane).get(index as usize)?;
        Some(VehicleView { partition, lane, state })
    }

    fn all_places(&self) -> HashMap<VehicleId, Place> {
        let mut places = HashMap::new();
        for (partition, part) in self.engine.partitions().iter().zip(0..) {
            for &lane in &partition.scope().own_lanes {
                let on_lane = partition.vehicles_on(lane).iter().zip(0..);
                places.extend(on_lane.map(|(vehicle, index)| (vehicle.id, Place { part, lane, index })));
            }
        }
        places
    }

    /// The vehicles of a lane; `None` where the network has no such lane.
    pub fn lane(&self, id: LaneId) -> Option<LaneView<'_>> {
        let edge = self.network().lanes.get(id.index())?.edge;
        Some(LaneView { partition: self.part_of(edge)?, id })
    }

    /// The vehicles of an edge; `None` where the network has no such edge.
    pub fn edge(&self, id: EdgeId) -> Option<EdgeView<'_>> {
        Some(EdgeView { partition: self.part_of(id)?, id })
    }

    /// All edges, also those inside junctions.
    pub fn edges(&self) -> impl Iterator<Item = EdgeView<'_>> {
        (0..self.network().edges.len()).filter_map(|index| self.edge(EdgeId::new(index)))
    }

    /// A traffic light; `None` where the network has no such one.
    pub fn signal(&self, id: SignalId) -> Option<SignalView<'_>> {
        let network = self.network();
        network.signals.get(id.index())?;
        let owner = |partition: &&Partition| partition.scope().owns_signal(network, id);
        let partition = self.engine.partitions().iter().find(owner)?;
        Some(SignalView { partition, id })
    }

    /// All traffic lights.
    pub fn signals(&self) -> impl Iterator<Item = SignalView<'_>> {
        (0..self.network().signals.len()).filter_map(|index| self.signal(SignalId::new(index)))
    }

    /// What is seen on some roads, as plain values.
    pub fn observe(&self, watch: &Watch) -> Observation {
        let mut all = Observation::default();
        self.engine.partitions().iter().for_each(|partition| all.append(partition.observe(watch)));
        all
    }

    /// Where a vehicle is on the map, and whither it points.
    pub fn pose(&self, vehicle: &VehicleView<'_>) -> Pose {
        let shapes = || LaneShapes::new(std::sync::Arc::clone(&self.base.world.network));
        let shapes = self.base.shapes.get_or_init(shapes);
        shapes.pose(vehicle.lane, vehicle.position_m(), vehicle.length_m())
    }

    /// What the loops and areas of additional files see, in the order of the files, loops first.
    pub fn detectors(&self) -> impl Iterator<Item = DetectorReading<'_>> {
        let requests = &self.base.requests;
        let loops = requests.detectors.iter().map(|request| {
            let on_lane = self.last.passages.iter().filter(|passage| passage.lane == request.lane);
            let length_m = |id: VehicleId| {
                let demand = self.demand();
                demand.types[demand.departures[id.index()].vtype.index()].length_m
            };
            let over = on_lane.filter(|passage| {
                passage.to_m >= request.pos_m && passage.from_m - length_m(passage.vehicle) <= request.pos_m
            });
            let (mut vehicles, mut halting, mut passed, mut sum_mps) = (0, 0, 0, 0.0);
            for passage in over {
                vehicles += 1;
                halting += u32::from(passage.speed_mps < HALTING_SPEED);
                passed += u32::from(passage.from_m < request.pos_m);
                sum_mps += passage.speed_mps;
            }
            let mean_speed_mps = (vehicles > 0).then(|| sum_mps / f64::from(vehicles));
            DetectorReading { name: &request.name, kind: DetectorKind::Loop, vehicles, mean_speed_mps, halting, passed }
        });
        let areas = requests.areas.iter().map(|request| {
            let (first, last) = (request.lanes.first(), request.lanes.last());
            let (mut vehicles, mut halting, mut sum_mps) = (0, 0, 0.0);
            for vehicle in request.lanes.iter().filter_map(|lane| self.lane(*lane)).flat_map(|lane| lane.vehicles()) {
                let is_before = first == Some(&vehicle.lane) && vehicle.position_m() < request.from_m;
                let is_behind = last == Some(&vehicle.lane) && vehicle.position_m() > request.to_m;
                if !is_before && !is_behind {
                    vehicles += 1;
                    halting += u32::from(is_halting(&vehicle));
                    sum_mps += vehicle.speed_mps();
                }
            }
            let mean_speed_mps = (vehicles > 0).then(|| sum_mps / f64::from(vehicles));
            let (name, kind) = (&*request.name, DetectorKind::Area);
            DetectorReading { name, kind, vehicles, mean_speed_mps, halting, passed: 0 }
        });
        loops.chain(areas)
    }
}
