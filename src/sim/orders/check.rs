//! Whether an order makes sense, before it is logged: afterwards nobody can be told any more.

use super::{NewVehicle, Order};
use crate::demand::VehicleClass;
use crate::graph::{EdgeKind, ProgramKind, Signal};
use crate::ids::{EdgeId, LaneId, SignalId, VehicleId};
use crate::sim::validation::Validator;
use crate::sim::world::World;

/// Slowest limit, m/s: who drives slower counts as halting, and is teleported some time.
pub const SLOWEST_MPS: f64 = 0.2;

/// An order that cannot be carried out. Objects are named as in the files.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OrderError {
    #[error("the {what} with number {index} does not exist; there are {count}")]
    Unknown { what: &'static str, index: u32, count: usize },
    #[error("the order names no {0}; name at least one")]
    Nothing(&'static str),
    #[error("lane '{0}' is part of a junction; name lanes of roads")]
    Internal(String),
    #[error(
        "a limit of {mps} m/s is out of range; give {SLOWEST_MPS} to {fastest_mps} m/s, which is the fastest road of the network"
    )]
    Speed { mps: f64, fastest_mps: f64 },
    #[error(
        "a speed factor of {factor} is out of range; give more than 0 and at most {greatest}, the greatest of the demand"
    )]
    SpeedFactor { factor: f32, greatest: f64 },
    #[error("signal '{signal}' has no phase {phase}; its programs have up to {phases}")]
    Phase { signal: Box<str>, phase: u32, phases: usize },
    #[error("signal '{signal}' shows {links} aspects, one per link index, but the order gives {given}")]
    Aspects { signal: Box<str>, links: usize, given: usize },
    #[error("a duration of {0} ms makes no sense; give more than 0")]
    Duration(i64),
    #[error(
        "section {from_m} to {to_m} m is not on lane '{lane}', which is {length_m} m long; it begins before it ends"
    )]
    Section { lane: String, from_m: f64, to_m: f64, length_m: f64 },
    #[error("a way has 1 to 65535 edges, not {0}")]
    Length(usize),
    #[error("no connection from edge '{from}' to edge '{to}' for vClass '{class}'; give every edge of the way")]
    Unconnected { from: Box<str>, to: Box<str>, class: &'static str },
    #[error("edge '{edge}' is not a road for vClass '{class}'")]
    Forbidden { edge: Box<str>, class: &'static str },
    #[error("edge '{edge}' has no lane {lane}; it has {count}")]
    DepartLane { edge: Box<str>, lane: u32, count: u32 },
    #[error("a new vehicle needs a name")]
    Nameless,
    #[error("'{0}' is not a number that a place or a speed can have")]
    Number(f64),
}

impl Order {
    /// Says what is wrong with an order, for a world of network and demand alone. What cannot be known before it is applied
    /// is not checked: whether a vehicle is still there, and which program a signal runs then.
    ///
    /// # Errors
    /// The order can never be carried out.
    pub fn check(&self, world: &World) -> Result<(), OrderError> {
        match self {
            Self::LimitSpeed { lanes, mps } => {
                exist(world, lanes)?;
                mps.map_or(Ok(()), |mps| speed(world, mps))
            }
            Self::Close { lanes } | Self::Open { lanes } => {
                exist(world, lanes)?;
                lanes.iter().try_for_each(|lane| on_road(world, *lane))
            }
            Self::ShowPhase { signal, phase, hold_ms } => {
                let signal = known(world, *signal)?;
                let phases = signal.programs.iter().filter(|p| p.kind != ProgramKind::Off).map(|p| p.phases.len());
                let phases = phases.max().unwrap_or(0);
                if *phase as usize >= phases {
                    return Err(OrderError::Phase { signal: signal.name.clone(), phase: *phase, phases });
                }
                hold_ms.filter(|ms| *ms <= 0).map_or(Ok(()), |ms| Err(OrderError::Duration(ms)))
            }
            Self::RunProgram { signal, program } => {
                let count = known(world, *signal)?.programs.len();
                has("signal program", *program, count)
            }
            Self::ShowAspects { signal, aspects } => {
                let signal = known(world, *signal)?;
                let links = crate::sim::models::signals::links_of(signal);
                if aspects.len() == links {
                    return Ok(());
                }
                Err(OrderError::Aspects { signal: signal.name.clone(), links, given: aspects.len() })
            }
            Self::AddVehicle(new) => new_vehicle(world, new),
            Self::RemoveVehicle { .. } => Ok(()),
            Self::Reroute { vehicle, edges } => way(world, edges, class_of(world, *vehicle)),
            Self::LimitVehicle { mps, .. } => mps.map_or(Ok(()), |mps| speed(world, mps)),
            Self::Block { lane, from_m, to_m, .. } => {
                exist(world, &[*lane])?;
                on_road(world, *lane)?;
                let length_m = world.network.lane(*lane).length_m;
                if 0.0 <= *from_m && from_m < to_m && *to_m <= length_m {
                    return Ok(());
                }
                let lane = world.network.lane_name(*lane);
                Err(OrderError::Section { lane, from_m: *from_m, to_m: *to_m, length_m })
            }
            Self::Unblock { lane } => exist(world, &[*lane]),
        }
    }
}

impl Order {
    /// Whether lanes, signals and edges of an order that was stored exist; it was [checked](Self::check) when it was given.
    pub(in crate::sim) fn is_within(&self, validator: &Validator<'_>) -> bool {
        match self {
            Self::LimitSpeed { lanes, .. } | Self::Close { lanes } | Self::Open { lanes } => {
                lanes.iter().all(|lane| validator.is_lane(*lane))
            }
            Self::ShowPhase { signal, .. } | Self::RunProgram { signal, .. } | Self::ShowAspects { signal, .. } => {
                validator.is_signal(*signal)
            }
            Self::AddVehicle(new) => {
                new.vtype.index() < validator.world().demand.types.len() && validator.is_way(&new.edges)
            }
            Self::Reroute { edges, .. } => validator.is_way(edges),
            Self::RemoveVehicle { .. } | Self::LimitVehicle { .. } => true,
            Self::Block { lane, .. } | Self::Unblock { lane } => validator.is_lane(*lane),
        }
    }
}

fn has(what: &'static str, index: u32, count: usize) -> Result<(), OrderError> {
    if (index as usize) < count { Ok(()) } else { Err(OrderError::Unknown { what, index, count }) }
}

fn exist(world: &World, lanes: &[LaneId]) -> Result<(), OrderError> {
    if lanes.is_empty() {
        return Err(OrderError::Nothing("lane"));
    }
    lanes.iter().try_for_each(|lane| has("lane", lane.0, world.network.lanes.len()))
}

fn on_road(world: &World, lane: LaneId) -> Result<(), OrderError> {
    let is_road = world.network.edge_of(lane).kind == EdgeKind::Normal;
    if is_road { Ok(()) } else { Err(OrderError::Internal(world.network.lane_name(lane))) }
}

fn known(world: &World, signal: SignalId) -> Result<&Signal, OrderError> {
    has("signal", signal.0, world.network.signals.len())?;
    Ok(world.network.signal(signal))
}

/// Partitions know of others what vehicles reach that drive as fast as the network allows, and no more.
fn speed(world: &World, mps: f64) -> Result<(), OrderError> {
    let fastest_mps = world.fastest_mps;
    if (SLOWEST_MPS..=fastest_mps).contains(&mps) { Ok(()) } else { Err(OrderError::Speed { mps, fastest_mps }) }
}

/// `None` for vehicles that were added: the demand does not tell.
fn class_of(world: &World, vehicle: VehicleId) -> Option<VehicleClass> {
    let departure = world.demand.departures.get(vehicle.index())?;
    Some(world.demand.types[departure.vtype.index()].class)
}

fn way(world: &World, edges: &[EdgeId], class: Option<VehicleClass>) -> Result<(), OrderError> {
    let network = &world.network;
    if edges.is_empty() || edges.len() > usize::from(u16::MAX) {
        return Err(OrderError::Length(edges.len()));
    }
    let name = class.map_or("any", VehicleClass::name);
    let allows = |lane: LaneId| class.is_none_or(|class| network.lane(lane).allowed.allows(class));
    for edge in edges {
        has("edge", edge.0, network.edges.len())?;
        let e = network.edge(*edge);
        if e.kind != EdgeKind::Normal || !e.lanes().any(allows) {
            return Err(OrderError::Forbidden { edge: e.name.clone(), class: name });
        }
    }
    for pair in edges.windows(2) {
        let links = network.edge(pair[0]).lanes().filter(|lane| allows(*lane)).flat_map(|lane| network.links_of(lane));
        let mut ends = links.map(|link| network.link(link)).filter(|link| allows(link.next)).map(|link| link.to);
        if !ends.any(|to| network.lane(to).edge == pair[1] && allows(to)) {
            let [from, to] = [pair[0], pair[1]].map(|edge| network.edge(edge).name.clone());
            return Err(OrderError::Unconnected { from, to, class: name });
        }
    }
    Ok(())
}

fn new_vehicle(world: &World, new: &NewVehicle) -> Result<(), OrderError> {
    use crate::demand::{ArrivalPos, DepartLane, DepartPos, DepartSpeed};
    if new.name.is_empty() {
        return Err(OrderError::Nameless);
    }
    has("vehicle type", new.vtype.0, world.demand.types.len())?;
    way(world, &new.edges, Some(world.demand.types[new.vtype.index()].class))?;
    let greatest = world.greatest_factor;
    if !(new.speed_factor > 0.0 && f64::from(new.speed_factor) <= greatest) {
        return Err(OrderError::SpeedFactor { factor: new.speed_factor, greatest });
    }
    let edge = world.network.edge(new.edges[0]);
    if let DepartLane::Given(lane) = new.depart_lane
        && lane >= edge.lane_count
    {
        return Err(OrderError::DepartLane { edge: edge.name.clone(), lane, count: edge.lane_count });
    }
    if let DepartPos::Given(at_m) = new.depart_pos
        && !at_m.is_finite()
    {
        return Err(OrderError::Number(at_m));
    }
    if let DepartSpeed::Given(mps) = new.depart_speed
        && !(mps >= 0.0 && mps.is_finite())
    {
        return Err(OrderError::Number(mps));
    }
    if let ArrivalPos::Given(at_m) = new.arrival_pos
        && !at_m.is_finite()
    {
        return Err(OrderError::Number(at_m));
    }
    Ok(())
}
