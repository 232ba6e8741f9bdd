//! The builder's reading of vehicles: `vehicle`, `trip` and `flow`, each expanded into departures.

use std::io::BufRead;

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::graph::Span;
use crate::ids::{EdgeId, RouteId, TypeId};
use crate::xml::{Element, Node, XmlReader, shorten};

use super::builder::{DemandBuilder, Fault, read_param, skip_unknown};
use super::departure_attributes::{DepartureRules, read_rules};
use super::flow::{Flow, RunTimes};
use super::random::{Purpose, Stream};
use super::route_ends::check_ends;
use super::route_search::Travel;
use super::scaling::copies;
use super::stops::{MAX_STOP_S, StopRequest, place_on_route};
use super::type_reader::check_id;
use super::type_registry::draw_speed_factor;
use super::ways::Way;
use super::{ArrivalPos, DepartPos, Departure, RouteOrigin, SpeedFactor, Stop, is_equipped};

/// Bound of memory (about 4 GB): a flow or a scale that would exceed it is an error.
const MAX_DEPARTURES: usize = 1 << 24;
/// Vehicles keep times in 32 bits, in milliseconds; a day is left for those under way.
const LATEST_DEPARTURE_MS: i64 = i32::MAX as i64 - 86_400_000;

/// A `vehicle`, `trip` or `flow` with everything inside it.
pub(super) struct Request<'e> {
    pub(super) attributes: Attributes<'e>,
    pub(super) name: &'e str,
    pub(super) type_name: &'e str,
    pub(super) rules: DepartureRules,
    pub(super) way: Way,
    pub(super) stops: Vec<StopRequest>,
    /// `has.rerouting.device`, or what the type says of it.
    pub(super) reroutes: Option<bool>,
    /// `reroute`: the route is looked for anew at the departure.
    pub(super) route_anew: bool,
}

/// A vehicle that makes the stops of its route and its own.
struct Stopping<'a> {
    name: &'a str,
    vtype: TypeId,
    route: RouteId,
    depart_pos: DepartPos,
    /// With the times of this vehicle.
    stops: &'a [StopRequest],
}

/// What stands inside of a `vehicle`, `trip` or `flow`.
#[derive(Default)]
struct Nested {
    way: Option<Result<Way, Fault>>,
    stops: Vec<StopRequest>,
    reroutes: Option<bool>,
}

impl DemandBuilder<'_> {
    pub(super) fn read_vehicle<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let mut nested = Nested::default();
        while let Some(Node::Start(child)) = reader.next()? {
            let is_second = nested.way.is_some();
            match child.name.as_str() {
                name @ ("route" | "routeDistribution") => {
                    let way = match name {
                        "route" => self.read_route(reader, &child, warnings).map(Way::Fixed),
                        _ => self.read_distribution(reader, &child, warnings).map(Way::Drawn),
                    };
                    if element.get("route").is_some() {
                        let message = "the route that the attribute 'route' names is driven";
                        warnings.add("nested route beside the attribute 'route'", reader.at(&child), message);
                    } else if is_second || element.name == "trip" {
                        return Err(reader.error(element, "has a route besides its own; take one out"));
                    } else {
                        nested.way = Some(way);
                    }
                }
                "stop" => nested.stops.extend(self.read_stop(reader, &child, warnings)?),
                "param" => {
                    read_param(Attributes::new(reader.file(), &child), &mut nested.reroutes)?;
                    reader.skip()?;
                }
                _ => skip_unknown(reader, &child, &element.name, warnings)?,
            }
        }
        let attributes = Attributes::new(reader.file(), element);
        match self.take_vehicle(attributes, nested, warnings) {
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
        nested: Nested,
        warnings: &mut Warnings,
    ) -> Result<(), Fault> {
        let name = attributes.id()?;
        check_id(attributes)?;
        let type_name = attributes.text("type").unwrap_or("DEFAULT_VEHTYPE");
        if !self.types.contains(type_name) {
            let message = format!("vehicle type '{}' is not known; define it before it is used", shorten(type_name));
            return Err(attributes.error(message).into());
        }
        let rules = read_rules(attributes, &self.options.departure_defaults, warnings)?;
        let Nested { way, stops, reroutes } = nested;
        let way = match way {
            Some(way) => way.map_err(|fault| in_vehicle(fault, name))?,
            None => self.read_way(attributes, &stops)?,
        };
        let route_anew = attributes.boolean("reroute")?.unwrap_or(false);
        let request = Request { attributes, name, type_name, rules, way, stops, reroutes, route_anew };
        if attributes.element().name == "flow" {
            self.expand_flow(&request, warnings)
        } else {
            self.expand_vehicle(&request, warnings)
        }
    }

    fn expand_vehicle(&mut self, request: &Request<'_>, warnings: &mut Warnings) -> Result<(), Fault> {
        let attributes = request.attributes;
        let depart_ms = match attributes.required("depart")? {
            "now" | "begin" => self.options.begin_ms,
            word @ ("triggered" | "containerTriggered" | "split") => {
                left_out(attributes, "depart", word, warnings);
                return Ok(());
            }
            text => match attributes.time_ms("depart")? {
                Some(time) if time >= 0 => time,
                _ => return Err(attributes.bad("depart", text, "a time that is not negative").into()),
            },
        };
        if self.is_out_of_order(attributes, depart_ms, warnings) {
            return Ok(());
        }
        let Some(vtype) = self.choose_type(request, request.name) else { return Ok(()) };
        let copies = copies(self.listed, self.options.scale * self.types.scale(vtype));
        self.listed += 1;
        self.claim_name(attributes, request.name, depart_ms)?;
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
            self.claim_name(attributes, &name, depart_ms)?;
            let Some(vtype) = self.choose_type(request, &name) else { return Ok(()) };
            self.add(request, name, vtype, depart_ms, 0, warnings)?;
        }
        Ok(())
    }

    fn expand_flow(&mut self, request: &Request<'_>, warnings: &mut Warnings) -> Result<(), Fault> {
        let attributes = request.attributes;
        if let Some(word @ ("triggered" | "containerTriggered" | "split")) = attributes.text("begin") {
            left_out(attributes, "begin", word, warnings);
            return Ok(());
        }
        let times =
            RunTimes { begin_ms: self.options.begin_ms, end_ms: self.options.end_ms, step_ms: self.options.step_ms };
        let Some(first_type) = self.choose_type(request, request.name) else { return Ok(()) };
        let scale = self.options.scale * self.types.scale(first_type);
        if scale == 0.0 {
            return Ok(());
        }
        let flow = Flow::read(attributes, times, scale, warnings)?;
        if self.is_out_of_order(attributes, flow.begin_ms(), warnings) {
            return Ok(());
        }
        if flow.is_endless(times.begin_ms, times.step_ms) {
            return Err(attributes.error("the flow lasts too long; give 'end' or an end of the simulation").into());
        }
        self.reserve(attributes, flow.expected(times.begin_ms, times.step_ms))?;
        if !self.flows.insert(request.name.into()) {
            return Err(attributes.error("a flow with this id exists already").into());
        }
        let seed = self.options.seed;
        flow.departures(times.begin_ms, times.step_ms, seed, request.name, |n, depart_ms| {
            let name = format!("{}.{n}", request.name);
            self.claim_name(attributes, &name, depart_ms)?;
            let Some(vtype) = self.choose_type(request, &name) else { return Ok(()) };
            // SUMO shifts `until` by the time since the first vehicle of the flow.
            let until_shift_ms = n as i64 * flow.period_ms();
            self.add(request, name, vtype, depart_ms, until_shift_ms, warnings)
        })
    }

    fn choose_type(&self, request: &Request<'_>, vehicle: &str) -> Option<TypeId> {
        self.types.choose(request.type_name, self.options.seed, vehicle)
    }

    /// Whether a vehicle departs before one that stands before it in a file that has to be sorted.
    fn is_out_of_order(&mut self, attributes: Attributes<'_>, depart_ms: i64, warnings: &mut Warnings) -> bool {
        let Some(last_ms) = &mut self.last_depart_ms else { return false };
        if depart_ms < *last_ms {
            let message = "left out, as in SUMO: it departs before the one above it; sort the file by time, or set route-steps to 0";
            warnings.add("route file is not sorted by departure time", attributes.at(), message);
            return true;
        }
        *last_ms = depart_ms;
        false
    }

    /// An id may be used again by a vehicle that departs when the one before has arrived, as in SUMO.
    fn claim_name(&mut self, attributes: Attributes<'_>, name: &str, depart_ms: i64) -> Result<(), InputError> {
        let key = xxhash_rust::xxh3::xxh3_128(name.as_bytes());
        let next = self.departures.len() as u32;
        let Some(before) = self.names.insert(key, next) else { return Ok(()) };
        let before = self.departures.get(before as usize).filter(|departure| &*departure.name == name);
        match before {
            Some(before) if depart_ms <= self.earliest_arrival_ms(before) => {
                Err(attributes.error(format!("a vehicle with the id '{}' exists already", shorten(name))))
            }
            _ => Ok(()),
        }
    }

    /// When a vehicle could arrive if it drove freely; edges on which it departs or arrives anywhere count as driven at once.
    fn earliest_arrival_ms(&self, departure: &Departure) -> i64 {
        let travel = Travel::of(self.types.get(departure.vtype), departure.speed_factor);
        let edges = self.routes.get(departure.route);
        let seconds: f64 = edges.iter().map(|edge| self.router.along_s(*edge, travel)).sum();
        let share =
            |edge: EdgeId, metres: f64| metres / self.network.edge(edge).length_m * self.router.along_s(edge, travel);
        let (first, last) = (edges[0], edges[edges.len() - 1]);
        let before_s = match departure.depart_pos {
            DepartPos::Base => share(first, self.types.get(departure.vtype).length_m),
            DepartPos::Given(metres) => share(first, metres),
            _ => share(first, self.network.edge(first).length_m),
        };
        let behind_s = match departure.arrival_pos {
            ArrivalPos::Max => 0.0,
            ArrivalPos::Center => share(last, self.network.edge(last).length_m / 2.0),
            ArrivalPos::Given(metres) => share(last, self.network.edge(last).length_m - metres),
            ArrivalPos::Random => share(last, self.network.edge(last).length_m),
        };
        departure.depart_ms.saturating_add(((seconds - before_s - behind_s).max(0.0) * 1000.0) as i64)
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
        let (mut route, is_cut) = self.cut_route(request, &name, route)?;
        let is_trip = matches!(request.way, Way::Trip(_) | Way::Zones(_)) && !is_cut;
        let mut route_origin = if is_trip { RouteOrigin::Found } else { RouteOrigin::Given };
        let has_rerouting_device = is_trip || request.route_anew || self.is_equipped(request, &name, vtype);
        // Stops are tied to places on a route, which is not looked for again when the vehicle departs.
        let has_stops = !request.stops.is_empty() || !route_stops.is_empty();
        if has_rerouting_device
            && !is_trip
            && (has_stops || depart_ms < self.options.unmeasured_until_ms)
            && let Some(faster) = self.faster_route(request, route, &route_stops, vtype, speed_factor)?
            && faster != route
        {
            route = faster;
            route_origin = RouteOrigin::Replaced;
        }
        self.check_route(attributes, route, vtype, warnings)?;
        self.check_length(attributes, route, vtype, warnings);
        let via = self.vias_of(request, is_trip)?;
        let (edges, kind) = (self.routes.get(route), self.types.get(vtype));
        let rules = check_ends(attributes, self.network, edges, kind, speed_factor, rules, warnings)
            .map_err(|message| Fault::Route(attributes.error(message)))?;
        let speed_factor = rules.speed_factor.map_or(speed_factor, |given| given as f32);
        // Times of stops in a route count from the departure, but in the route of a flow as those of its own stops do.
        let is_of_flow = attributes.element().name == "flow" && !matches!(request.way, Way::Named(_));
        let route_shift_ms = if is_of_flow { until_shift_ms } else { depart_ms };
        let shifted: Vec<StopRequest> = (route_stops.iter().map(|stop| stop.shifted(route_shift_ms)))
            .chain(request.stops.iter().map(|stop| stop.shifted(until_shift_ms)))
            .collect();
        let stopping = Stopping { name: &name, vtype, route, depart_pos: rules.depart_pos, stops: &shifted };
        let stops = self.place_stops(request, stopping, warnings)?;
        if is_trip && !stops.is_empty() {
            let message = "its route is the fastest on the empty network and does not follow the traffic";
            warnings.add("trip with stops", attributes.at(), message);
        }
        let via_span = Span::new(self.vias.len(), via.len());
        self.vias.extend(via);
        self.flow_of.push(if attributes.element().name == "flow" { self.flows.len() as u32 } else { 0 });
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
            route_origin,
            has_rerouting_device,
            via: via_span,
        });
        Ok(())
    }

    /// Whether a vehicle has a rerouting device: it says so itself, or its type does, or it is among the share that gets one.
    fn is_equipped(&self, request: &Request<'_>, name: &str, vtype: TypeId) -> bool {
        let said = request.reroutes.or(self.types.reroutes(vtype));
        said.unwrap_or_else(|| is_equipped(self.options.seed, name, self.options.rerouting_share))
    }

    /// The edges that a vehicle has to pass whatever its route is. Those of stops are no wish of their own.
    fn vias_of(&self, request: &Request<'_>, is_trip: bool) -> Result<Vec<EdgeId>, Fault> {
        let Some(names) = request.attributes.text("via") else { return Ok(Vec::new()) };
        match &request.way {
            Way::Trip(way) if is_trip && way.len() > 2 => Ok(way[1..way.len() - 1].to_vec()),
            Way::Trip(_) | Way::Zones(_) => Ok(Vec::new()),
            _ => names.split_whitespace().map(|name| self.find_edge(request.attributes, name)).collect(),
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
        of: Stopping<'_>,
        warnings: &mut Warnings,
    ) -> Result<Span, InputError> {
        let Stopping { name, vtype, route, depart_pos, stops } = of;
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
        let stream = Stream::new(self.options.seed, name, Purpose::StopDuration);
        self.stops.extend(placed.into_iter().enumerate().map(|(at, (stop, of))| Stop {
            duration_ms: match of.spread {
                Some(spread) => Some(draw_duration_ms(&spread, stream, at as u64)),
                None => stop.duration_ms,
            },
            ..stop
        }));
        Ok(span)
    }
}

/// The duration of the `n`-th stop of a vehicle.
fn draw_duration_ms(spread: &SpeedFactor, stream: Stream, n: u64) -> i64 {
    let drawn_s = (spread.mean + spread.deviation * stream.normal(n)).max(spread.min).min(spread.max);
    (drawn_s.clamp(0.0, MAX_STOP_S) * 1000.0).round() as i64
}

/// Who departs when something else happens does not depart here.
fn left_out(attributes: Attributes<'_>, key: &str, word: &str, warnings: &mut Warnings) {
    let message = format!("the {} is left out", attributes.element().name);
    warnings.add(format!("{key}=\"{word}\" is not supported"), attributes.at(), message);
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
