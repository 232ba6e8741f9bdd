//! The builder's reading of vehicles: `vehicle`, `trip` and `flow`, each expanded into departures.

use std::io::BufRead;
use std::rc::Rc;

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::graph::Span;
use crate::ids::{EdgeId, RouteId, TypeId};
use crate::xml::{Element, Node, XmlReader, shorten};

use super::builder::{DemandBuilder, Fault, skip_unknown};
use super::departure_attributes::{DepartureRules, read_rules};
use super::flow::{Flow, RunTimes};
use super::random::{Purpose, Stream};
use super::route_ends::check_ends;
use super::route_reader::unknown_route;
use super::route_search::Travel;
use super::routes::{NamedRoute, StoppingRoute};
use super::scaling::copies;
use super::stops::{StopRequest, place_on_route};
use super::type_registry::draw_speed_factor;
use super::weighted::Weighted;
use super::{DepartPos, Departure, has_rerouting_device};

/// Bound of memory (about 4 GB): a flow or a scale that would exceed it is an error.
const MAX_DEPARTURES: usize = 1 << 24;
/// Vehicles keep times in 32 bits, in milliseconds; a day is left for those under way.
const LATEST_DEPARTURE_MS: i64 = i32::MAX as i64 - 86_400_000;

/// Where a vehicle wants to go.
enum Way {
    Fixed(StoppingRoute),
    Drawn(Weighted<StoppingRoute>),
    /// Drawn anew for each vehicle from a named distribution.
    Named(Box<str>),
    Trip {
        from: EdgeId,
        via: Vec<EdgeId>,
        to: EdgeId,
    },
}

/// A `vehicle`, `trip` or `flow` with everything inside it.
struct Request<'e> {
    attributes: Attributes<'e>,
    name: &'e str,
    type_name: &'e str,
    rules: DepartureRules,
    way: Way,
    stops: Vec<StopRequest>,
}

impl DemandBuilder<'_> {
    pub(super) fn read_vehicle<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let mut nested = None;
        let mut stops = Vec::new();
        while let Some(Node::Start(child)) = reader.next()? {
            match child.name.as_str() {
                "route" => nested = Some(self.read_route(reader, &child, warnings).map(Way::Fixed)),
                "routeDistribution" => {
                    nested = Some(self.read_distribution(reader, &child, warnings).map(Way::Drawn));
                }
                "stop" => stops.extend(self.read_stop(reader, &child, warnings)?),
                _ => skip_unknown(reader, &child, &element.name, warnings)?,
            }
        }
        let attributes = Attributes::new(reader.file(), element);
        match self.take_vehicle(attributes, nested, stops, warnings) {
            Err(Fault::Route(error)) if self.options.ignore_route_errors => {
                let message = format!("{}; the vehicle is left out, as ignore-route-errors asks for", error.message);
                warnings.add("vehicle without a usable route", error.at, message);
                Ok(())
            }
            Err(Fault::Route(error) | Fault::Input(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    fn take_vehicle(
        &mut self,
        attributes: Attributes<'_>,
        nested: Option<Result<Way, Fault>>,
        stops: Vec<StopRequest>,
        warnings: &mut Warnings,
    ) -> Result<(), Fault> {
        let name = attributes.id()?;
        let type_name = attributes.text("type").unwrap_or("DEFAULT_VEHTYPE");
        if !self.types.contains(type_name) {
            let message = format!("vehicle type '{}' is not known; define it before it is used", shorten(type_name));
            return Err(attributes.error(message).into());
        }
        let rules = read_rules(attributes, &self.options.departure_defaults, warnings)?;
        let way = match nested {
            Some(way) => way.map_err(|fault| in_vehicle(fault, name))?,
            None => self.read_way(attributes)?,
        };
        let request = Request { attributes, name, type_name, rules, way, stops };
        if attributes.element().name == "flow" {
            self.expand_flow(&request, warnings)
        } else {
            self.expand_vehicle(&request, warnings)
        }
    }

    fn read_way(&self, attributes: Attributes<'_>) -> Result<Way, Fault> {
        if let Some(name) = attributes.text("route") {
            return match self.routes.named.get(name) {
                Some(NamedRoute::Choice(_)) => Ok(Way::Named(name.into())),
                Some(NamedRoute::Broken(message)) => Err(Fault::Route(attributes.error(message.as_str()))),
                None => Err(unknown_route(attributes, name).into()),
            };
        }
        let is_vehicle = attributes.element().name == "vehicle";
        match (attributes.text("from"), attributes.text("to")) {
            (Some(from), Some(to)) if !is_vehicle => Ok(Way::Trip {
                from: self.find_edge(attributes, from)?,
                via: attributes
                    .text("via")
                    .unwrap_or_default()
                    .split_whitespace()
                    .map(|name| self.find_edge(attributes, name))
                    .collect::<Result<_, _>>()?,
                to: self.find_edge(attributes, to)?,
            }),
            _ if is_vehicle => Err(attributes.error("the vehicle has no route").into()),
            _ => {
                let message = "the trip needs 'from' and 'to' edges; trips between districts, junctions or coordinates \
                               are not supported: convert them with duarouter";
                Err(attributes.error(message).into())
            }
        }
    }

    fn expand_vehicle(&mut self, request: &Request<'_>, warnings: &mut Warnings) -> Result<(), Fault> {
        let attributes = request.attributes;
        let depart_ms = match attributes.required("depart")? {
            "now" | "begin" => self.options.begin_ms,
            word @ ("triggered" | "containerTriggered" | "split") => {
                let kind = format!("depart=\"{word}\" is not supported");
                warnings.add(kind, attributes.at(), "the vehicle is left out");
                return Ok(());
            }
            text => match attributes.time_ms("depart")? {
                Some(time) if time >= 0 => time,
                _ => return Err(attributes.bad("depart", text, "a time that is not negative").into()),
            },
        };
        let Some(vtype) = self.choose_type(request, request.name) else { return Ok(()) };
        let copies = copies(self.listed, self.options.scale * self.types.scale(vtype));
        self.listed += 1;
        self.claim_name(attributes, request.name)?;
        if depart_ms < self.options.begin_ms {
            warnings.add("vehicle departs before the begin", attributes.at(), "the vehicle is left out");
            return Ok(());
        }
        if self.options.end_ms.is_some_and(|end| depart_ms >= end) {
            warnings.add("vehicle departs at or after the end", attributes.at(), "the vehicle is left out");
            return Ok(());
        }
        self.reserve(attributes, copies as f64)?;
        for copy in 0..copies {
            if copy == 0 {
                self.add(request, request.name.into(), vtype, depart_ms, 0, warnings)?;
                continue;
            }
            let name = format!("{}.{copy}", request.name);
            self.claim_name(attributes, &name)?;
            let Some(vtype) = self.choose_type(request, &name) else { return Ok(()) };
            self.add(request, name, vtype, depart_ms, 0, warnings)?;
        }
        Ok(())
    }

    fn expand_flow(&mut self, request: &Request<'_>, warnings: &mut Warnings) -> Result<(), Fault> {
        let attributes = request.attributes;
        let times =
            RunTimes { begin_ms: self.options.begin_ms, end_ms: self.options.end_ms, step_ms: self.options.step_ms };
        let Some(first_type) = self.choose_type(request, request.name) else { return Ok(()) };
        let scale = self.options.scale * self.types.scale(first_type);
        if scale == 0.0 {
            return Ok(());
        }
        let flow = Flow::read(attributes, times, scale, warnings)?;
        if flow.is_endless(times.begin_ms, times.step_ms) {
            return Err(attributes.error("the flow lasts too long; give 'end' or an end of the simulation").into());
        }
        self.reserve(attributes, flow.expected(times.begin_ms, times.step_ms))?;
        self.claim_name(attributes, &format!("flow {}", request.name))?;
        let seed = self.options.seed;
        flow.departures(times.begin_ms, times.step_ms, seed, request.name, |n, depart_ms| {
            let name = format!("{}.{n}", request.name);
            self.claim_name(attributes, &name)?;
            let Some(vtype) = self.choose_type(request, &name) else { return Ok(()) };
            // SUMO shifts `until` by the time since the first vehicle of the flow.
            let until_shift_ms = n as i64 * flow.period_ms();
            self.add(request, name, vtype, depart_ms, until_shift_ms, warnings)
        })
    }

    fn choose_type(&self, request: &Request<'_>, vehicle: &str) -> Option<TypeId> {
        self.types.choose(request.type_name, self.options.seed, vehicle)
    }

    fn claim_name(&mut self, attributes: Attributes<'_>, name: &str) -> Result<(), InputError> {
        if self.names.insert(xxhash_rust::xxh3::xxh3_128(name.as_bytes())) {
            return Ok(());
        }
        Err(attributes.error(format!("a vehicle with the id '{}' exists already", shorten(name))))
    }

    /// Refuses demand that would not fit before it fills the memory.
    fn reserve(&self, attributes: Attributes<'_>, more: f64) -> Result<(), InputError> {
        if self.departures.len() as f64 + more > MAX_DEPARTURES as f64 {
            return Err(attributes.error(format!("more than {MAX_DEPARTURES} vehicles are not supported")));
        }
        Ok(())
    }

    /// Adds one vehicle.
    fn add(
        &mut self,
        request: &Request<'_>,
        name: String,
        vtype: TypeId,
        depart_ms: i64,
        until_shift_ms: i64,
        warnings: &mut Warnings,
    ) -> Result<(), Fault> {
        let attributes = request.attributes;
        // Random flows may exceed what was expected of them.
        self.reserve(attributes, 1.0)?;
        if depart_ms > LATEST_DEPARTURE_MS {
            let (depart_s, latest_s) = (depart_ms / 1000, LATEST_DEPARTURE_MS / 1000);
            let message = format!(
                "departs at {depart_s} s, the latest possible time is {latest_s} s; let the scenario's times begin near 0"
            );
            return Err(attributes.error(message).into());
        }
        let rules = request.rules;
        let speed_factor = rules.speed_factor.map_or_else(
            || draw_speed_factor(&self.types.get(vtype).speed_factor, self.options.seed, &name),
            |given| given as f32,
        );
        let (route, route_stops) = self.resolve_way(request, &name, vtype, speed_factor)?;
        self.check_route(attributes, route, vtype, warnings)?;
        self.check_length(attributes, route, vtype, warnings);
        let via = self.vias_of(request)?;
        let has_stops = !request.stops.is_empty() || !route_stops.is_empty();
        let is_rerouted = self.options.rerouted_until.is_some_and(|(share, until_ms)| {
            depart_ms < until_ms && !has_stops && has_rerouting_device(self.options.seed, &name, share)
        });
        let route = if is_rerouted { self.fastest(attributes, route, &via, vtype, speed_factor)? } else { route };
        let (edges, kind) = (self.routes.get(route), self.types.get(vtype));
        let rules = check_ends(attributes, self.network, edges, kind, speed_factor, rules, warnings)
            .map_err(|message| Fault::Route(attributes.error(message)))?;
        let speed_factor = rules.speed_factor.map_or(speed_factor, |factor| factor as f32);
        // Times of stops in a route count from the departure, but in the route of a flow as those of its own stops do.
        let is_of_flow = attributes.element().name == "flow" && !matches!(request.way, Way::Named(_));
        let route_shift_ms = if is_of_flow { until_shift_ms } else { depart_ms };
        let shifted: Vec<StopRequest> = (route_stops.iter().map(|stop| stop.shifted(route_shift_ms)))
            .chain(request.stops.iter().map(|stop| stop.shifted(until_shift_ms)))
            .collect();
        let stops = self.place_stops(request, route, vtype, rules.depart_pos, &shifted, warnings)?;
        let is_trip = matches!(request.way, Way::Trip { .. });
        if is_trip && !stops.is_empty() {
            let message = "its route is the fastest on the empty network and does not follow the traffic";
            warnings.add("trip with stops", attributes.at(), message);
        }
        let via_span = Span::new(self.vias.len(), via.len());
        self.vias.extend(via);
        self.departures.push(Departure {
            name: name.into(),
            depart_ms,
            vtype,
            route,
            speed_factor,
            depart_lane: rules.depart_lane,
            depart_pos: rules.depart_pos,
            depart_speed: rules.depart_speed,
            arrival_lane: rules.arrival_lane,
            arrival_pos: rules.arrival_pos,
            arrival_speed: rules.arrival_speed,
            stops,
            given_route: !is_trip,
            via: via_span,
        });
        Ok(())
    }

    /// The edges that a vehicle has to pass whatever its route is.
    fn vias_of(&self, request: &Request<'_>) -> Result<Vec<EdgeId>, Fault> {
        if let Way::Trip { via, .. } = &request.way {
            return Ok(via.clone());
        }
        let names = request.attributes.text("via").unwrap_or_default().split_whitespace();
        names.map(|name| self.find_edge(request.attributes, name)).collect()
    }

    /// The fastest route on the empty network with the same ends; the given one where there is none.
    fn fastest(
        &mut self,
        attributes: Attributes<'_>,
        route: RouteId,
        via: &[EdgeId],
        vtype: TypeId,
        speed_factor: f32,
    ) -> Result<RouteId, Fault> {
        let edges = self.routes.get(route);
        let (from, to) = (edges[0], edges[edges.len() - 1]);
        let travel = Travel::of(self.types.get(vtype), speed_factor);
        match self.router.route(from, via, to, travel) {
            Ok(edges) => Ok(self.intern(attributes, &edges)?),
            Err(_) => Ok(route),
        }
    }

    fn resolve_way(
        &mut self,
        request: &Request<'_>,
        name: &str,
        vtype: TypeId,
        speed_factor: f32,
    ) -> Result<(RouteId, Rc<[StopRequest]>), Fault> {
        let attributes = request.attributes;
        let draw = |choice: &Weighted<StoppingRoute>| {
            let route = choice.choose(Stream::new(self.options.seed, name, Purpose::Route).uniform(0));
            (route.id, route.stops.clone())
        };
        match &request.way {
            Way::Fixed(route) => Ok((route.id, route.stops.clone())),
            Way::Drawn(choice) => Ok(draw(choice)),
            Way::Named(named) => match self.routes.named.get(named) {
                Some(NamedRoute::Choice(choice)) => Ok(draw(choice)),
                _ => Err(unknown_route(attributes, named).into()),
            },
            Way::Trip { from, via, to } => {
                let at_stops: Vec<EdgeId>;
                let via = if via.is_empty() {
                    let lanes = request.stops.iter().map(|s| self.network.lane(s.stop.lane));
                    at_stops = lanes.filter(|lane| !lane.internal).map(|lane| lane.edge).collect();
                    &at_stops
                } else {
                    via
                };
                let travel = Travel::of(self.types.get(vtype), speed_factor);
                let edges = self.router.route(*from, via, *to, travel).map_err(|(from, to)| {
                    let (from, to) = (&self.network.edge(from).name, &self.network.edge(to).name);
                    let class = travel.class.name();
                    let message = format!("no route from edge '{from}' to edge '{to}' for vClass '{class}'");
                    Fault::Route(attributes.error(message))
                })?;
                Ok((self.intern(attributes, &edges)?, Rc::new([])))
            }
        }
    }

    /// A route that cannot be driven is an error, unless route errors are ignored and the vehicle can depart at least: it is
    /// teleported over the gap then, as in SUMO.
    fn check_route(
        &mut self,
        attributes: Attributes<'_>,
        route: RouteId,
        vtype: TypeId,
        warnings: &mut Warnings,
    ) -> Result<(), Fault> {
        let class = self.types.get(vtype).class;
        let (graph, network, routes) = (self.graph, self.network, &self.routes);
        let checked =
            self.checked.entry((route, class)).or_insert_with(|| graph.check_route(network, routes.get(route), class));
        match checked {
            Ok(()) => Ok(()),
            Err(message) if self.options.ignore_route_errors && graph.allows(routes.get(route)[0], class) => {
                let message = format!("{message}; the vehicle is teleported over the gap");
                warnings.add("route with a gap", attributes.at(), message);
                Ok(())
            }
            Err(message) => {
                let message = format!("{message}; correct the route or run with ignore-route-errors");
                Err(Fault::Route(attributes.error(message)))
            }
        }
    }

    fn check_length(&self, attributes: Attributes<'_>, route: RouteId, vtype: TypeId, warnings: &mut Warnings) {
        let vtype = self.types.get(vtype);
        let start = self.network.edge(self.routes.get(route)[0]);
        if vtype.length_m > start.length_m {
            warnings.add(
                "vehicle is longer than the edge on which it departs",
                attributes.at(),
                format!(
                    "its {} m reach back beyond the start of edge '{}' ({} m)",
                    vtype.length_m, start.name, start.length_m
                ),
            );
        }
    }

    fn place_stops(
        &mut self,
        request: &Request<'_>,
        route: RouteId,
        vtype: TypeId,
        depart_pos: DepartPos,
        stops: &[StopRequest],
        warnings: &mut Warnings,
    ) -> Result<Span, InputError> {
        let edges = self.routes.get(route);
        let depart_m = match depart_pos {
            DepartPos::Given(pos) if pos < 0.0 => self.network.edge(edges[0]).length_m + pos,
            DepartPos::Given(pos) => pos,
            _ => 0.0,
        };
        let (placed, refused) = place_on_route(self.network, edges, depart_m, self.types.get(vtype).class, stops);
        if let Some((stop, message)) = refused.into_iter().next() {
            let mut at = stop.at.clone();
            at.element = format!("{} of {}", at.element, request.attributes.element().describe());
            if !self.options.ignore_route_errors {
                return Err(InputError::new(at, message));
            }
            warnings.add("stop that cannot be made", at, format!("{message}; it is left out"));
        }
        let span = Span::new(self.stops.len(), placed.len());
        self.stops.extend(placed);
        Ok(span)
    }
}

/// A nested route has no name; the message says whose it is.
fn in_vehicle(fault: Fault, vehicle: &str) -> Fault {
    let name = |mut error: InputError| {
        error.at.element = format!("{} of vehicle '{}'", error.at.element, shorten(vehicle));
        error
    };
    match fault {
        Fault::Route(error) => Fault::Route(name(error)),
        Fault::Input(error) => Fault::Input(name(error)),
    }
}
