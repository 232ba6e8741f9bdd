//! Turns the elements of route and additional files into a [`Demand`].

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use crate::attributes::Attributes;
use crate::coverage::{check_attributes, check_left_out};
use crate::diagnostics::{InputError, Warnings};
use crate::graph::Network;
use crate::graph::sumo::NetworkIndex;
use crate::ids::{EdgeId, RouteId, TypeId};
use crate::xml::{Element, Node, XmlReader};

use super::departure_attributes::DepartureDefaults;
use super::random::{Purpose, Stream};
use super::road_graph::RoadGraph;
use super::router::Router;
use super::routes::Routes;
use super::type_registry::TypeRegistry;
use super::zones::Zones;
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
    /// `junction-taz`: trips may begin and end at junctions.
    pub junction_zones: bool,
    /// `default.speeddev`.
    pub default_speed_deviation: Option<f64>,
    /// `default.departlane`, `default.departspeed`.
    pub departure_defaults: DepartureDefaults,
    /// `default.emergencydecel`.
    pub emergency_decel: DefaultEmergencyDecel,
    /// `random-depart-offset`: each departure is later by a random time up to this.
    pub random_depart_offset_ms: i64,
    /// Share of vehicles with a rerouting device, among those that do not say themselves whether they have one.
    pub rerouting_share: f64,
    /// Vehicles with a rerouting device that depart before this time, ms, get their route on the empty network, later ones by the
    /// traffic when they depart.
    pub unmeasured_until_ms: i64,
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
    pub(super) zones: Zones,
    pub(super) types: TypeRegistry,
    pub(super) routes: Routes,
    pub(super) checked: HashMap<(RouteId, VehicleClass), Result<(), String>>,
    pub(super) departures: Vec<Departure>,
    /// By departure: the number of its flow in the order of the files, from 1 on; 0 where it is of none.
    pub(super) flow_of: Vec<u32>,
    pub(super) stops: Vec<Stop>,
    pub(super) vias: Vec<EdgeId>,
    /// By 128-bit hash of a vehicle's id: the last departure with it.
    pub(super) names: HashMap<u128, u32>,
    pub(super) flows: HashSet<Box<str>>,
    /// The file has to be sorted by time: when the vehicle before departs; `None`: in any order.
    pub(super) last_depart_ms: Option<i64>,
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
            zones: Zones::default(),
            routes: Routes::default(),
            checked: HashMap::new(),
            departures: Vec::new(),
            flow_of: Vec::new(),
            stops: Vec::new(),
            vias: Vec::new(),
            names: HashMap::new(),
            flows: HashSet::new(),
            last_depart_ms: None,
            listed: 0,
        }
    }

    /// All types that a name stands for: itself, or the members of a distribution; `None`: not defined.
    pub fn types_named(&self, name: &str) -> Option<Vec<TypeId>> {
        self.types.members(name)
    }

    /// A new file. As SUMO does where it reads one piece by piece, vehicles that are not in order of time are left out of a file
    /// that `is_sorted`.
    pub fn begin_file(&mut self, is_sorted: bool) {
        self.last_depart_ms = is_sorted.then_some(i64::MIN);
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
            "taz" => self.zones.read(reader, element, self.index, warnings)?,
            "interval" => self.read_interval(reader, element, warnings)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The demand in order of departure.
    pub fn finish(mut self, warnings: &mut Warnings) -> Demand {
        self.shift_departures();
        let mut demand = Demand {
            types: self.types.into_types(),
            departures: in_order(self.departures, &self.flow_of, self.options.begin_ms, self.options.step_ms),
            stops: self.stops,
            places: self.places.into_places(),
            vias: self.vias,
            ..Demand::default()
        };
        self.routes.move_into(&mut demand);
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

    /// Flows within an `interval` have its times where they give none: an old form that SUMO still takes.
    fn read_interval<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        while let Some(Node::Start(mut child)) = reader.next()? {
            if child.name != "flow" {
                skip_unknown(reader, &child, "interval", warnings)?;
                continue;
            }
            for key in ["begin", "end"] {
                if let Some(time) = element.get(key) {
                    child.add_missing(key, time);
                }
            }
            self.read_vehicle(reader, &child, warnings)?;
        }
        Ok(())
    }

    fn read_type<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<TypeId, InputError> {
        let mut element = element.clone();
        let mut reroutes = None;
        while let Some(Node::Start(child)) = reader.next()? {
            if child.name == "param" {
                read_param(Attributes::new(reader.file(), &child), &mut reroutes)?;
            } else if let Some(model) = child.name.strip_prefix("carFollowing-") {
                let message = "its attributes are taken; write them into the vType";
                warnings.add("nested elements of car following are deprecated", reader.at(&child), message);
                element.add_missing("carFollowModel", model);
                for (key, value) in child.attributes() {
                    element.add_missing(key, value);
                }
            } else {
                skip_unknown(reader, &child, "vType", warnings)?;
                continue;
            }
            reader.skip()?;
        }
        self.types.define(Attributes::new(reader.file(), &element), reroutes, warnings)
    }

    fn read_type_distribution<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        check_attributes(Attributes::new(reader.file(), element), warnings);
        let mut members = Vec::new();
        while let Some(Node::Start(child)) = reader.next()? {
            match (child.name.as_str(), child.get("refId")) {
                ("vType", Some(name)) => {
                    let attributes = Attributes::new(reader.file(), &child);
                    let weight = attributes.non_negative("probability")?;
                    members.extend(self.types.weighted_members(attributes, name, weight)?);
                    reader.skip()?;
                }
                ("vType", None) => {
                    let id = self.read_type(reader, &child, warnings)?;
                    members.push((id, self.types.probability(id)));
                }
                _ => skip_unknown(reader, &child, "vTypeDistribution", warnings)?,
            }
        }
        self.types.define_distribution(Attributes::new(reader.file(), element), members, warnings)
    }
}

pub(super) fn skip_unknown<R: BufRead>(
    reader: &mut XmlReader<R>,
    element: &Element,
    parent: &str,
    warnings: &mut Warnings,
) -> Result<(), InputError> {
    check_left_out(element, parent, reader.at(element), warnings);
    reader.skip()
}

/// Parameters are notes for others, but for the one that gives a vehicle the rerouting device, or takes it away.
pub(super) fn read_param(param: Attributes<'_>, reroutes: &mut Option<bool>) -> Result<(), InputError> {
    if param.text("key") == Some("has.rerouting.device") {
        *reroutes = param.boolean("value")?;
    }
    Ok(())
}

/// Departures in the order in which SUMO inserts them: by steps; within a step single vehicles by time, and then those of flows by
/// flow. What is equal keeps the order of the files.
fn in_order(departures: Vec<Departure>, flow_of: &[u32], begin_ms: i64, step_ms: i64) -> Vec<Departure> {
    let mut numbered: Vec<(u32, Departure)> = flow_of.iter().copied().zip(departures).collect();
    numbered.sort_by_key(|(flow, departure)| (departure.step(begin_ms, step_ms), *flow, departure.depart_ms));
    numbered.into_iter().map(|(_, departure)| departure).collect()
}
