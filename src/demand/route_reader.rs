//! The builder's reading of routes: `route`, `routeDistribution` and the stops that belong to them.

use std::io::BufRead;

use crate::attributes::Attributes;
use crate::coverage::check_attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::graph::EdgeKind;
use crate::ids::{EdgeId, RouteId};
use crate::xml::{Element, Node, XmlReader, shorten};

use super::Stop;
use super::builder::{DemandBuilder, Fault, skip_unknown};
use super::routes::{NamedRoute, StoppingRoute};
use super::stops::{StopContext, StopRequest, read_stop};
use super::weighted::Weighted;

/// Bound of memory.
const MAX_ROUTE_EDGES: usize = 1 << 30;
/// Vehicles keep their place on the route in 16 bits.
const MAX_EDGES_OF_ROUTE: usize = u16::MAX as usize;

impl DemandBuilder<'_> {
    pub(super) fn read_named_route<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let route = self.read_route(reader, element, warnings);
        let attributes = Attributes::new(reader.file(), element);
        let probability = attributes.non_negative("probability")?.unwrap_or(1.0);
        let named = match route {
            Ok(route) => Weighted::new([(route, 1.0)]).map(NamedRoute::Choice),
            Err(Fault::Route(error)) if self.options.ignore_route_errors => Ok(NamedRoute::Broken(error.message)),
            Err(Fault::Route(error) | Fault::Input(error)) => return Err(error),
        };
        self.routes.probabilities.insert(attributes.id()?.into(), probability);
        self.define_route(attributes, named)
    }

    pub(super) fn read_named_distribution<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let choice = self.read_distribution(reader, element, warnings);
        let attributes = Attributes::new(reader.file(), element);
        let named = match choice {
            Ok(choice) => Ok(NamedRoute::Choice(choice)),
            Err(Fault::Route(error)) if self.options.ignore_route_errors => Ok(NamedRoute::Broken(error.message)),
            Err(Fault::Route(error) | Fault::Input(error)) => return Err(error),
        };
        self.define_route(attributes, named)
    }

    fn define_route(
        &mut self,
        attributes: Attributes<'_>,
        named: Result<NamedRoute, &'static str>,
    ) -> Result<(), InputError> {
        let named = named.map_err(|message| attributes.error(message))?;
        match self.routes.named.insert(attributes.id()?.into(), named) {
            None => Ok(()),
            Some(_) => Err(attributes.error("a route or distribution with this id exists already")),
        }
    }

    /// A `route` with its stops, to its end tag, also when the route is bad.
    pub(super) fn read_route<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<StoppingRoute, Fault> {
        let mut stops = Vec::new();
        while let Some(Node::Start(child)) = reader.next()? {
            match child.name.as_str() {
                "stop" => stops.extend(self.read_stop(reader, &child, warnings)?),
                _ => skip_unknown(reader, &child, "route", warnings)?,
            }
        }
        let attributes = Attributes::new(reader.file(), element);
        check_attributes(attributes, warnings);
        let repeats = attributes.integer::<i64>("repeat")?.unwrap_or(0).max(0) as usize;
        let id = self.read_route_edges(attributes, repeats)?;
        // The stops of a named route are made in each round, `until` a cycle later; those of a vehicle's own route once.
        if attributes.has("id") && repeats > 0 {
            let cycle_ms = attributes.time_ms("cycleTime")?.unwrap_or(0);
            let round = stops.clone();
            for n in 1..=repeats as i64 {
                let shifted = |stop: &StopRequest| {
                    let until_ms = stop.stop.until_ms.map(|until| until.saturating_add(cycle_ms.saturating_mul(n)));
                    StopRequest { stop: Stop { until_ms, ..stop.stop.clone() }, ..stop.clone() }
                };
                stops.extend(round.iter().map(shifted));
            }
        }
        Ok(StoppingRoute { id, stops: stops.into() })
    }

    fn read_route_edges(&mut self, attributes: Attributes<'_>, repeats: usize) -> Result<RouteId, Fault> {
        let mut edges = Vec::new();
        for name in attributes.required("edges")?.split_whitespace() {
            edges.push(self.find_edge(attributes, name)?);
        }
        if edges.is_empty() {
            return Err(Fault::Route(attributes.error("the route has no edges")));
        }
        if repeats > 0 {
            if edges.len().saturating_mul(repeats.saturating_add(1)) > MAX_EDGES_OF_ROUTE {
                let message = format!("the repeated route has more than {MAX_EDGES_OF_ROUTE} edges");
                return Err(attributes.error(message).into());
            }
            edges = edges.repeat(repeats + 1);
        }
        self.intern(attributes, &edges).map_err(Fault::Input)
    }

    pub(super) fn intern(&mut self, attributes: Attributes<'_>, edges: &[EdgeId]) -> Result<RouteId, InputError> {
        if edges.len() > MAX_EDGES_OF_ROUTE {
            let message = format!("the route has {} edges, at most {MAX_EDGES_OF_ROUTE} are supported", edges.len());
            return Err(attributes.error(message));
        }
        if self.routes.edge_count() + edges.len() > MAX_ROUTE_EDGES {
            return Err(attributes.error(format!("the routes have more than {MAX_ROUTE_EDGES} edges altogether")));
        }
        Ok(self.routes.intern(edges))
    }

    pub(super) fn find_edge(&self, attributes: Attributes<'_>, name: &str) -> Result<EdgeId, Fault> {
        let fault = |message: String| Fault::Route(attributes.error(message));
        let edge = self.index.edge(name).ok_or_else(|| fault(self.index.unknown_edge(name)))?;
        match self.network.edge(edge).kind {
            EdgeKind::Normal => Ok(edge),
            _ => Err(fault(format!("edge '{name}' is inside of a junction; name roads only"))),
        }
    }

    /// A `routeDistribution` to its end tag.
    pub(super) fn read_distribution<R: BufRead>(
        &mut self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<Weighted<StoppingRoute>, Fault> {
        let mut members = Vec::new();
        let mut fault = None;
        while let Some(Node::Start(child)) = reader.next()? {
            if child.name != "route" {
                skip_unknown(reader, &child, "routeDistribution", warnings)?;
                continue;
            }
            let attributes = Attributes::new(reader.file(), &child);
            let weight = attributes.number("probability")?.map(|weight| weight.max(0.0));
            let routes = match attributes.text("refId") {
                Some(name) => {
                    let routes = self.weighted_routes(attributes, name, weight);
                    reader.skip()?;
                    routes
                }
                None => self.read_route(reader, &child, warnings).map(|route| vec![(route, weight.unwrap_or(1.0))]),
            };
            match routes {
                Ok(routes) => members.extend(routes),
                // Read on to the end tag first.
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        let attributes = Attributes::new(reader.file(), element);
        let weights = Weighted::<StoppingRoute>::listed_weights(attributes, "routes", warnings)?;
        for (place, name) in attributes.text("routes").unwrap_or_default().split_whitespace().enumerate() {
            let weight = weights.as_ref().and_then(|weights| weights.get(place)).copied();
            members.extend(self.weighted_routes(attributes, name, weight)?);
        }
        match fault {
            Some(fault) => Err(fault),
            None => Ok(Weighted::new(members).map_err(|message| attributes.error(message))?),
        }
    }

    /// The routes that a member of a distribution stands for, with weights that add up to its own.
    fn weighted_routes(
        &self,
        attributes: Attributes<'_>,
        name: &str,
        weight: Option<f64>,
    ) -> Result<Vec<(StoppingRoute, f64)>, Fault> {
        match self.routes.named.get(name) {
            Some(NamedRoute::Choice(choice)) => {
                let own = || self.routes.probabilities.get(name).copied().unwrap_or(1.0);
                let share = weight.unwrap_or_else(own) / choice.total();
                Ok(choice.weighted().map(|(route, weight)| (route.clone(), weight * share)).collect())
            }
            Some(NamedRoute::Broken(message)) => Err(Fault::Route(attributes.error(message.as_str()))),
            None => Err(unknown_route(attributes, name).into()),
        }
    }

    pub(super) fn read_stop<R: BufRead>(
        &self,
        reader: &mut XmlReader<R>,
        element: &Element,
        warnings: &mut Warnings,
    ) -> Result<Option<StopRequest>, InputError> {
        let context = StopContext { network: self.network, index: self.index, places: &self.places };
        let stop = read_stop(Attributes::new(reader.file(), element), &context, warnings)?;
        reader.skip()?;
        Ok(stop)
    }
}

pub(super) fn unknown_route(attributes: Attributes<'_>, name: &str) -> InputError {
    attributes.error(format!("route '{}' is not known; define it before it is used", shorten(name)))
}
