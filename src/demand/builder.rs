//! Turns the elements of route and additional files into a [`Demand`].

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::Network;
use crate::graph::sumo::NetworkIndex;
use crate::ids::{EdgeId, RouteId, TypeId};
use crate::xml::{Element, Node, XmlReader, shorten};

use super::departure_attributes::DepartureDefaults;
use super::random::{Purpose, Stream};
use super::road_graph::RoadGraph;
use super::router::Router;
use super::routes::Routes;
use super::type_registry::TypeRegistry;
use super::{DefaultEmergencyDecel, Demand, Departure, Stop, StoppingPlaces, VehicleClass};

/// What the demand depends on besides the files.
#[derive(Clone, Debug)]
pub struct DemandOptions {
    pub begin_ms: i64,
    pub end_ms: Option<i64>,
    pub step_ms: i64,
    pub seed: u64,
    /// `scale`: multiplies the demand.
    pub scale: f64,
    /// Vehicles with a bad route are left out with a warning instead of ending the load.
    pub ignore_route_errors: bool,
    /// `default.speeddev`.
    pub default_speed_deviation: Option<f64>,
    /// `default.departlane`, `default.departspeed`.
    pub departure_defaults: DepartureDefaults,
    /// `default.emergencydecel`.
    pub emergency_decel: DefaultEmergencyDecel,
    /// `random-depart-offset`: each departure is later by a random time up to this.
    pub random_depart_offset_ms: i64,
    /// Share of vehicles with a rerouting device. Those that depart before this time, ms, get their route on the empty network,
    /// later ones by the traffic when they depart.
    pub rerouted_until: Option<(f64, i64)>,
}

/// Something about a route is wrong, which `ignore_route_errors` forgives, or the input is bad altogether.
pub(super) enum Fault {
    Route(InputError),
    Input(InputError),
}

impl From<InputError> for Fault {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}

/// Reads the demand. Types, routes and places must be defined before they are used, as in SUMO.
pub struct DemandBuilder<'n> {
    pub(super) network: &'n Network,
    pub(super) index: &'n NetworkIndex,
    pub(super) graph: &'n RoadGraph,
    pub(super) router: Router<'n>,
    pub(super) options: DemandOptions,
    pub(super) places: StoppingPlaces,
    pub(super) types: TypeRegistry,
    pub(super) routes: Routes,
    pub(super) checked: HashMap<(RouteId, VehicleClass), Result<(), String>>,
    pub(super) departures: Vec<Departure>,
    pub(super) stops: Vec<Stop>,
    pub(super) vias: Vec<EdgeId>,
    /// 128-bit hashes of vehicle ids.
    pub(super) names: HashSet<u128>,
    /// `vehicle`s and `trip`s seen so far, for scaling.
    pub(super) listed: u64,
}

impl<'n> DemandBuilder<'n> {
    pub fn new(
        network: &'n Network,
        index: &'n NetworkIndex,
        graph: &'n RoadGraph,
        options: DemandOptions,
    ) -> DemandBuilder<'n> {
        Self {
            network,
            index,
            graph,
            router: Router::new(network, graph),
            types: TypeRegistry::new(options.default_speed_deviation, options.emergency_decel),
            options,
            places: StoppingPlaces::default(),
            routes: Routes::default(),
            checked: HashMap::new(),
            departures: Vec::new(),
            stops: Vec::new(),
            vias: Vec::new(),
            names: HashSet::new(),
            listed: 0,
        }
    }

    /// All types that a name stands for: itself, or the members of a distribution; `None`: not defined.
    pub fn types_named(&self, name: &str) -> Option<Vec<TypeId>> {
        self.types.members(name)
    }

    /// Reads the element whose start tag came last, up to and including its end tag. `false`: it is none of the demand's,
    /// and nothing was read.
    pub fn read<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<bool, InputError> {
        match element.name.as_str() {
            "vehicle" | "trip" | "flow" => self.read_vehicle(reader, element, warnings)?,
            "route" => self.read_named_route(reader, element, warnings)?,
            "routeDistribution" => self.read_named_distribution(reader, element, warnings)?,
            "vType" => {
                self.read_type(reader, element, warnings)?;
            }
            "vTypeDistribution" => self.read_type_distribution(reader, element, warnings)?,
            "busStop" | "trainStop" | "parkingArea" | "containerStop" | "chargingStation" => {
                let mut spaces = 0;
                while let Some(Node::Start(child)) = reader.next()? {
                    match child.name.as_str() {
                        "space" if element.name == "parkingArea" => {
                            spaces += 1;
                            reader.skip()?;
                        }
                        // Where persons come from.
                        "access" => reader.skip()?,
                        _ => skip_unknown(reader, &child, &element.name, warnings)?,
                    }
                }
                let attributes = Attributes::new(reader.file(), element);
                self.places.read(attributes, spaces, self.network, self.index, warnings)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The demand in order of departure.
    pub fn finish(mut self, warnings: &mut Warnings) -> Demand {
        self.shift_departures();
        let mut demand = Demand {
            types: self.types.into_types(),
            departures: self.departures,
            stops: self.stops,
            places: self.places.into_places(),
            vias: self.vias,
            ..Demand::default()
        };
        self.routes.move_into(&mut demand);
        // Stable: vehicles of the same time keep the order of the files.
        demand.departures.sort_by_key(|departure| departure.depart_ms);
        if demand.departures.is_empty() {
            warnings.add("no vehicles", Default::default(), "no vehicle departs during the simulated time");
        }
        demand
    }

    /// Puts departures off by random times, as `random-depart-offset` asks.
    fn shift_departures(&mut self) {
        let (seed, greatest_ms) = (self.options.seed, self.options.random_depart_offset_ms);
        if greatest_ms > 0 {
            for departure in &mut self.departures {
                let share = Stream::new(seed, &departure.name, Purpose::DepartOffset).uniform(0);
                departure.depart_ms += (share * greatest_ms as f64) as i64;
            }
        }
    }

    fn read_type<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<TypeId, InputError> {
        let id = self.types.define(Attributes::new(reader.file(), element), warnings)?;
        while let Some(Node::Start(child)) = reader.next()? {
            if child.name == "param" {
                check_param(&child, reader.at(&child), warnings);
            } else {
                let kind = format!("element '{}' in vType is not supported", shorten(&child.name));
                warnings.add(kind, reader.at(&child), "the element has no effect; write its attributes into the vType");
            }
            reader.skip()?;
        }
        Ok(id)
    }

    fn read_type_distribution<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let mut nested = Vec::new();
        while let Some(Node::Start(child)) = reader.next()? {
            match child.name.as_str() {
                "vType" => nested.push(self.read_type(reader, &child, warnings)?),
                _ => skip_unknown(reader, &child, "vTypeDistribution", warnings)?,
            }
        }
        self.types.define_distribution(Attributes::new(reader.file(), element), &nested)
    }
}

pub(super) fn skip_unknown<R: BufRead>(
    reader: &mut XmlReader<R>,
    element: &Element,
    parent: &str,
    warnings: &mut Warnings,
) -> Result<(), InputError> {
    if element.name == "param" {
        check_param(element, reader.at(element), warnings);
    } else {
        let kind = format!("element '{}' in {parent} is not supported", shorten(&element.name));
        warnings.add(kind, reader.at(element), "the element has no effect");
    }
    reader.skip()
}

/// Parameters are notes for others, but for those that give a device to a vehicle.
pub(super) fn check_param(param: &Element, at: Location, warnings: &mut Warnings) {
    let is_on = param.get("value").is_some_and(|value| matches!(value, "true" | "1"));
    if is_on && param.get("key") == Some("has.rerouting.device") {
        let message = "give the share of vehicles that reroute with device.rerouting.probability";
        warnings.add("parameter 'has.rerouting.device' is not supported", at, message);
    }
}
