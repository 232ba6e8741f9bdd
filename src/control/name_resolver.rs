//! Looks up the names in commands, and makes orders for the kernel of them.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use super::command::{Place, VehicleWish, WorldCommand};
use super::error::CommandError;
use crate::demand::{DepartPos, RoadGraph, Roads, RouteSearch, Travel};
use crate::graph::edit::{Edit, EditedNetwork};
use crate::graph::sumo::NetworkIndex;
use crate::graph::{Aspect, EdgeKind, Signal};
use crate::ids::{EdgeId, LaneId, SignalId, TypeId, VehicleId};
use crate::scenario::OutputRequests;
use crate::sim::{NewVehicle, Order, Scope, World};

/// The type of vehicles of which none is named, as in SUMO.
const DEFAULT_TYPE: &str = "DEFAULT_VEHTYPE";

/// Knows the names of a run.
pub struct NameResolver {
    world: Arc<World>,
    /// What is measured.
    requests: OutputRequests,
    /// Of all partitions.
    scopes: Arc<Vec<Scope>>,
    index: NetworkIndex,
    types: HashMap<Box<str>, TypeId>,
    vehicles: HashMap<Box<str>, VehicleId>,
    /// Vehicles that were added, with their lengths in metres, after those of the demand.
    added: Vec<(Arc<str>, f64)>,
    /// Made when a route is asked for.
    roads: Option<(RoadGraph, RouteSearch)>,
}

impl NameResolver {
    pub fn new(world: Arc<World>, requests: OutputRequests, scopes: Arc<Vec<Scope>>) -> Self {
        let demand = &world.demand;
        let types = demand.types.iter().enumerate().map(|(i, vtype)| (vtype.name.clone(), TypeId::new(i))).collect();
        let vehicles = demand.departures.iter().enumerate().map(|(i, d)| (d.name.clone(), VehicleId::new(i))).collect();
        Self {
            index: NetworkIndex::new(&world.network),
            types,
            vehicles,
            added: Vec::new(),
            roads: None,
            requests,
            scopes,
            world,
        }
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Orders that do what the commands say, all or nothing. `now_ms` is the time that the step of the orders computes.
    ///
    /// # Errors
    /// A name is not known, or what it names cannot do what is asked.
    pub fn resolve(&mut self, commands: &[WorldCommand], now_ms: i64) -> Result<Vec<Order>, CommandError> {
        // Names of this very message, which count when all of it is good.
        let mut added: HashMap<Box<str>, VehicleId> = HashMap::new();
        let mut orders = Vec::with_capacity(commands.len());
        for command in commands {
            let order = match command {
                WorldCommand::Close(place) => Order::Close { lanes: self.lanes(place)? },
                WorldCommand::Open(place) => Order::Open { lanes: self.lanes(place)? },
                WorldCommand::LimitSpeed { place, mps } => Order::LimitSpeed { lanes: self.lanes(place)?, mps: *mps },
                WorldCommand::Phase { signal, phase, hold_ms } => {
                    Order::ShowPhase { signal: self.signal(signal)?, phase: *phase, hold_ms: *hold_ms }
                }
                WorldCommand::Program { signal, program } => self.program(signal, program)?,
                WorldCommand::Aspects { signal, state } => self.aspects(signal, state)?,
                WorldCommand::AddVehicle(request) => {
                    let id = VehicleId::new(self.world.demand.departures.len() + self.added.len() + added.len());
                    let vehicle = self.vehicle(request, id)?;
                    if self.vehicles.contains_key(&vehicle.name) || added.contains_key(&vehicle.name) {
                        let text =
                            format!("vehicle id '{}' is already used in this run; ids must be unique", request.id);
                        return Err(CommandError::Conflict(text));
                    }
                    added.insert(vehicle.name.clone(), id);
                    Order::AddVehicle(Box::new(vehicle))
                }
                WorldCommand::RemoveVehicle { vehicle } => {
                    Order::RemoveVehicle { vehicle: self.known_vehicle(vehicle, &added)? }
                }
                WorldCommand::Reroute { vehicle, edges } => Order::Reroute {
                    vehicle: self.known_vehicle(vehicle, &added)?,
                    edges: edges.iter().map(|edge| self.edge(edge)).collect::<Result<_, _>>()?,
                },
                WorldCommand::LimitVehicle { vehicle, mps } => {
                    Order::LimitVehicle { vehicle: self.known_vehicle(vehicle, &added)?, mps: *mps }
                }
                WorldCommand::Block { lane, from_m, to_m, duration_ms } => {
                    let lane = self.lane(lane)?;
                    let end_m = self.world.network.lane(lane).length_m;
                    let (from_m, to_m) = (from_m.unwrap_or(0.0), to_m.unwrap_or(end_m).min(end_m));
                    Order::Block { lane, from_m, to_m, until_ms: now_ms + duration_ms }
                }
                WorldCommand::Unblock { lane } => Order::Unblock { lane: self.lane(lane)? },
            };
            order.check(&self.world).map_err(|error| CommandError::Malformed(error.to_string()))?;
            orders.push(order);
        }
        Ok(orders)
    }

    /// Whether the network can be edited while the run goes on.
    ///
    /// # Errors
    /// An edit cannot be made, or what is measured would end in the middle of a file.
    pub fn check_edits(&self, edits: &[Edit]) -> Result<(), CommandError> {
        let mut edited = EditedNetwork::new(&self.world.network);
        edited.apply(edits)?;
        self.requests.clone().follow(&edited.network, &edited.lanes).map_err(CommandError::Conflict)
    }

    /// Notes the names of vehicles that are added, now or as the command log says.
    pub fn learn(&mut self, orders: &[Order]) {
        for order in orders {
            if let Order::AddVehicle(vehicle) = order {
                self.vehicles.insert(vehicle.name.clone(), vehicle.vehicle);
                let length_m = self.world.demand.types[vehicle.vtype.index()].length_m;
                self.added.push(((&*vehicle.name).into(), length_m));
            }
        }
    }

    /// Partitions that need the orders.
    pub fn parts(&self, orders: &[Order]) -> Vec<u16> {
        let network = &self.world.network;
        let concerns = |scope: &&Scope| orders.iter().any(|order| order.concerns(network, scope));
        self.scopes.iter().filter(concerns).map(|scope| scope.part).collect()
    }

    pub fn all_parts(&self) -> Vec<u16> {
        self.scopes.iter().map(|scope| scope.part).collect()
    }

    /// Name and length of a vehicle, metres.
    pub fn vehicle_look(&self, vehicle: VehicleId) -> (Arc<str>, f64) {
        let demand = &self.world.demand;
        match demand.departures.get(vehicle.index()) {
            Some(departure) => ((&*departure.name).into(), demand.types[departure.vtype.index()].length_m),
            None => {
                let at = vehicle.index() - demand.departures.len();
                self.added.get(at).cloned().unwrap_or_else(|| ("?".into(), 5.0))
            }
        }
    }

    fn edge(&self, name: &str) -> Result<EdgeId, CommandError> {
        let network = &self.world.network;
        let found = self.index.edge(name).filter(|edge| network.edge(*edge).kind == EdgeKind::Normal);
        found.ok_or_else(|| no_such("edge", name))
    }

    fn lane(&self, name: &str) -> Result<LaneId, CommandError> {
        let network = &self.world.network;
        let found =
            self.index.lane(name).filter(|lane| network.edge(network.lane(*lane).edge).kind == EdgeKind::Normal);
        found.ok_or_else(|| no_such("lane", name))
    }

    fn lanes(&self, place: &Place) -> Result<Vec<LaneId>, CommandError> {
        Ok(match place {
            Place::Edge(name) => self.world.network.edge(self.edge(name)?).lanes().collect(),
            Place::Lane(name) => vec![self.lane(name)?],
        })
    }

    fn signal(&self, name: &str) -> Result<SignalId, CommandError> {
        self.index.signal(name).ok_or_else(|| no_such("signal", name))
    }

    fn signal_of(&self, id: SignalId) -> &Signal {
        self.world.network.signal(id)
    }

    fn program(&self, name: &str, program: &str) -> Result<Order, CommandError> {
        let signal = self.signal(name)?;
        let at = self.signal_of(signal).programs.iter().position(|own| &*own.name == program);
        match at {
            Some(at) => Ok(Order::RunProgram { signal, program: at as u32 }),
            None => {
                let own: Vec<&str> = self.signal_of(signal).programs.iter().map(|own| &*own.name).collect();
                let text = format!("signal '{name}' has no program '{program}'; it has {}", own.join(", "));
                Err(CommandError::argument("signal program", text))
            }
        }
    }

    fn aspects(&self, name: &str, state: &str) -> Result<Order, CommandError> {
        let signal = self.signal(name)?;
        let bad = |text: String| CommandError::argument("signal state", text);
        let aspects = state.chars().map(|letter| {
            Aspect::of_letter(letter)
                .ok_or_else(|| bad(format!("'{letter}' is not a signal state; use the letters rugGyYsoO")))
        });
        Ok(Order::ShowAspects { signal, aspects: aspects.collect::<Result<_, _>>()? })
    }

    fn known_vehicle(&self, name: &str, added: &HashMap<Box<str>, VehicleId>) -> Result<VehicleId, CommandError> {
        self.vehicles.get(name).or_else(|| added.get(name)).copied().ok_or_else(|| no_such("vehicle", name))
    }

    fn vehicle(&mut self, request: &VehicleWish, id: VehicleId) -> Result<NewVehicle, CommandError> {
        let type_name = request.vtype.as_deref().unwrap_or(DEFAULT_TYPE);
        let vtype = *self.types.get(type_name).ok_or_else(|| no_such("vehicle type", type_name))?;
        let edges: Vec<EdgeId> = request.edges.iter().map(|edge| self.edge(edge)).collect::<Result<_, _>>()?;
        let edges = self.way(edges, vtype)?;
        let mut vehicle = NewVehicle::new(id, &request.id, vtype, edges);
        vehicle.depart_ms = request.depart_ms;
        if let Some(lane) = &request.depart_lane {
            vehicle.depart_lane = parse("departLane", lane)?;
        }
        if let Some(pos) = &request.depart_pos {
            vehicle.depart_pos = parse("departPos", pos)?;
            if vehicle.depart_pos == DepartPos::Stop {
                let text = "'departPos' cannot be 'stop': added vehicles have no stops";
                return Err(CommandError::argument("vehicle add", text));
            }
        }
        if let Some(speed) = &request.depart_speed {
            vehicle.depart_speed = parse("departSpeed", speed)?;
        }
        Ok(vehicle)
    }

    /// The way over these edges: as it is where one leads to the next, else the fastest one on empty roads.
    fn way(&mut self, edges: Vec<EdgeId>, vtype: TypeId) -> Result<Vec<EdgeId>, CommandError> {
        let Self { world, roads, .. } = self;
        let network = &*world.network;
        let (graph, search) = roads.get_or_insert_with(|| {
            let graph = RoadGraph::new(network);
            let search = RouteSearch::new(network, &graph);
            (graph, search)
        });
        let vtype = &world.demand.types[vtype.index()];
        if graph.check_route(network, &edges, vtype.class).is_ok() {
            return Ok(edges);
        }
        let (Some(&from), Some(&to)) = (edges.first(), edges.last()) else { return Ok(edges) };
        let via = if edges.len() > 2 { &edges[1..edges.len() - 1] } else { &[] };
        let roads = Roads { network, graph, delays: None };
        search.route(roads, from, via, to, Travel::of(vtype, 1.0)).map_err(|(from, to)| {
            let (from, to) = (&network.edge(from).name, &network.edge(to).name);
            CommandError::argument("vehicle add", format!("no route from edge '{from}' to edge '{to}'"))
        })
    }
}

fn parse<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<T, CommandError> {
    let bad = |expected| CommandError::argument("vehicle add", format!("'{key}' is '{text}'; it has to be {expected}"));
    text.parse().map_err(bad)
}

fn no_such(kind: &'static str, name: &str) -> CommandError {
    CommandError::NoSuchObject { kind, name: name.to_owned() }
}
