//! Where vehicles want to go: reading it, and finding the route of each vehicle.

use std::rc::Rc;

use crate::attributes::Attributes;
use crate::diagnostics::InputError;
use crate::ids::{EdgeId, RouteId, TypeId};
use crate::xml::shorten;

use super::builder::{DemandBuilder, Fault};
use super::departure_attributes::{DepartureRules, RouteEdge};
use super::random::{Purpose, Stream};
use super::route_reader::unknown_route;
use super::route_search::Travel;
use super::routes::{NamedRoute, StoppingRoute};
use super::stops::{StopRequest, place_on_route};
use super::vehicle_reader::Request;
use super::weighted::Weighted;
use super::zones::Zone;

/// Where a vehicle wants to go.
pub(super) enum Way {
    Fixed(StoppingRoute),
    Drawn(Weighted<StoppingRoute>),
    /// Drawn anew for each vehicle from a named distribution.
    Named(Box<str>),
    /// The fastest one over these edges; `via` holds also those of stops before the first or behind the last given edge.
    Trip(Vec<EdgeId>),
    /// The fastest one over some edge of each of these lists.
    Zones(Vec<Rc<[EdgeId]>>),
}

impl DemandBuilder<'_> {
    pub(super) fn read_way(&mut self, attributes: Attributes<'_>, stops: &[StopRequest]) -> Result<Way, Fault> {
        if let Some(name) = attributes.text("route") {
            return match self.routes.named.get(name) {
                Some(NamedRoute::Choice(_)) => Ok(Way::Named(name.into())),
                Some(NamedRoute::Broken(message)) => Err(Fault::Route(attributes.error(message.as_str()))),
                None => Err(unknown_route(attributes, name).into()),
            };
        }
        if attributes.element().name == "vehicle" {
            return Err(attributes.error("the vehicle has no route").into());
        }
        const ZONES: [&str; 5] = ["fromTaz", "toTaz", "fromJunction", "toJunction", "viaJunctions"];
        if ZONES.iter().any(|key| attributes.has(key)) {
            return self.read_zones(attributes);
        }
        let named = |key| -> Result<Vec<EdgeId>, Fault> {
            let names = attributes.text(key).unwrap_or_default().split_whitespace();
            names.map(|name| self.find_edge(attributes, name)).collect()
        };
        let (mut way, via, to) = (named("from")?, named("via")?, named("to")?);
        // A trip without an origin (destination) begins (ends) where it stops first (last).
        let has_via = !via.is_empty();
        way.extend(via);
        if !has_via {
            let lanes = stops.iter().map(|stop| self.network.lane(stop.stop.lane));
            way.extend(lanes.filter(|lane| !lane.internal).map(|lane| lane.edge));
        }
        way.extend(to);
        if way.is_empty() {
            let message = "the trip has neither 'from' nor 'to' edges nor stops; trips between coordinates are not \
                           supported: convert them with duarouter";
            return Err(attributes.error(message).into());
        }
        Ok(Way::Trip(way))
    }

    /// A trip from or to districts or junctions.
    fn read_zones(&mut self, attributes: Attributes<'_>) -> Result<Way, Fault> {
        let mut way: Vec<Rc<[EdgeId]>> = Vec::new();
        for (edge, district, junction, is_origin) in
            [("from", "fromTaz", "fromJunction", true), ("to", "toTaz", "toJunction", false)]
        {
            if !is_origin {
                for name in attributes.text("via").unwrap_or_default().split_whitespace() {
                    way.push([self.find_edge(attributes, name)?].into());
                }
                for name in attributes.text("viaJunctions").unwrap_or_default().split_whitespace() {
                    way.push(self.zone(attributes, "junction", name)?.sinks);
                }
            }
            let zone = match (attributes.text(edge), attributes.text(district), attributes.text(junction)) {
                (_, Some(name), _) => self.zone(attributes, "taz", name)?,
                (_, _, Some(name)) => self.zone(attributes, "junction", name)?,
                (Some(name), ..) => {
                    way.push([self.find_edge(attributes, name.trim())?].into());
                    continue;
                }
                _ => continue,
            };
            way.push(if is_origin { zone.sources } else { zone.sinks });
        }
        Ok(Way::Zones(way))
    }

    fn zone(&mut self, attributes: Attributes<'_>, kind: &str, name: &str) -> Result<Zone, InputError> {
        let is_junction = kind == "junction";
        if is_junction && !self.options.junction_zones {
            let message = "trips from and to junctions need the option 'junction-taz'";
            return Err(attributes.error(message));
        }
        let zone = match is_junction {
            true => self.zones.junction(self.network, self.index, name),
            false => self.zones.district(name),
        };
        zone.cloned().ok_or_else(|| attributes.error(format!("{kind} '{}' is not known", shorten(name))))
    }

    pub(super) fn resolve_way(
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
            Way::Zones(way) => {
                let travel = Travel::of(self.types.get(vtype), speed_factor);
                let edges = self.router.route_between(way, travel).ok_or_else(|| {
                    let message = format!("no route between the zones for vClass '{}'", travel.class.name());
                    Fault::Route(attributes.error(message))
                })?;
                Ok((self.intern(attributes, &edges)?, Rc::new([])))
            }
            Way::Trip(way) => {
                let (&from, rest) = way.split_first().ok_or_else(|| attributes.error("the trip has no edges"))?;
                let (&to, via) = rest.split_last().unwrap_or((&from, &[]));
                let travel = Travel::of(self.types.get(vtype), speed_factor);
                let edges = self.router.route(from, via, to, travel).map_err(|(from, to)| {
                    let (from, to) = (&self.network.edge(from).name, &self.network.edge(to).name);
                    let class = travel.class.name();
                    let message = format!("no route from edge '{from}' to edge '{to}' for vClass '{class}'");
                    Fault::Route(attributes.error(message))
                })?;
                Ok((self.intern(attributes, &edges)?, Rc::new([])))
            }
        }
    }

    /// The fastest route on the empty network over the stops of a vehicle, as it has it with a rerouting device. `None`: there is
    /// none, and the one of the file stays.
    pub(super) fn faster_route(
        &mut self,
        request: &Request<'_>,
        route: RouteId,
        route_stops: &[StopRequest],
        vtype: TypeId,
        speed_factor: f32,
    ) -> Result<Option<RouteId>, Fault> {
        let given = self.routes.get(route);
        let (from, to) = (given[0], given[given.len() - 1]);
        let requests = route_stops.iter().chain(&request.stops);
        let class = self.types.get(vtype).class;
        let (placed, _) = place_on_route(self.network, given, 0.0, class, requests);
        let mut via: Vec<EdgeId> = placed.iter().map(|(stop, _)| given[stop.route_index as usize]).collect();
        for name in request.attributes.text("via").unwrap_or_default().split_whitespace() {
            via.push(self.find_edge(request.attributes, name)?);
        }
        // A route that comes back to where it begins is not to be cut short.
        if from == to && given.len() > 1 && via.is_empty() {
            return Ok(None);
        }
        let travel = Travel::of(self.types.get(vtype), speed_factor);
        match self.router.route(from, &via, to, travel) {
            Ok(edges) => Ok(Some(self.intern(request.attributes, &edges)?)),
            Err(_) => Ok(None),
        }
    }

    /// `departEdge` and `arrivalEdge`: the part of the route that is driven, and whether that is not all of it.
    pub(super) fn cut_route(
        &mut self,
        request: &Request<'_>,
        name: &str,
        route: RouteId,
    ) -> Result<(RouteId, bool), Fault> {
        let DepartureRules { depart_edge, arrival_edge, .. } = request.rules;
        if (depart_edge, arrival_edge) == (RouteEdge::End, RouteEdge::End) {
            return Ok((route, false));
        }
        let attributes = request.attributes;
        let stream = Stream::new(self.options.seed, name, Purpose::RouteEnds);
        let count = self.routes.get(route).len();
        let place = |edge, key: &str, end, low: usize, draw| match edge {
            RouteEdge::End => Ok(end),
            RouteEdge::Random => Ok(low + (stream.uniform(draw) * (count - low) as f64) as usize),
            RouteEdge::Given(index) if index < count => Ok(index),
            RouteEdge::Given(index) => {
                Err(attributes.error(format!("{key} is {index}, but the route has {count} edges")))
            }
        };
        let first = place(depart_edge, "departEdge", 0, 0, 0)?;
        // A vehicle whose route would end before it begins ends where it begins.
        let last = place(arrival_edge, "arrivalEdge", count - 1, first, 1)?.max(first);
        let edges = self.routes.get(route)[first..=last].to_vec();
        Ok((self.intern(attributes, &edges)?, edges.len() < count))
    }
}
