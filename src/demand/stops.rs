//! Reads `stop` elements, and finds where on a route they are made.

use crate::attributes::Attributes;
use crate::coverage::check_attributes;
use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::sumo::NetworkIndex;
use crate::graph::{EdgeKind, Network, Permissions};
use crate::ids::{EdgeId, LaneId};

use super::stopping_place::{StopRange, StoppingPlace, StoppingPlaces};
use super::type_reader::parse_distribution;
use super::{SpeedFactor, Stop, VehicleClass};

/// Longest time of a stop that is drawn, seconds.
pub(super) const MAX_STOP_S: f64 = 1e9;

/// Duration of a stop that nothing ends.
const FOR_EVER_MS: i64 = 1 << 50;

const PLACES: [&str; 5] = ["busStop", "trainStop", "parkingArea", "containerStop", "chargingStation"];

/// `index` of a stop: its place among the stops of the vehicle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum StopIndex {
    /// Behind all that came before it in the file.
    End,
    At(usize),
    /// Where the route passes it.
    Fit,
}

/// A stop as it stands in a file, before the route is known.
#[derive(Clone, Debug)]
pub(super) struct StopRequest {
    /// `route_index` is not set yet.
    pub stop: Stop,
    /// Where it goes among the other stops.
    pub index: StopIndex,
    /// Distribution of `duration` in seconds, of which each vehicle draws its own.
    pub spread: Option<SpeedFactor>,
    pub at: Location,
}

impl StopRequest {
    /// The same with times that count from `by_ms`.
    pub fn shifted(&self, by_ms: i64) -> Self {
        let shift = |time_ms: Option<i64>| time_ms.map(|ms| ms.saturating_add(by_ms));
        let Stop { until_ms, arrival_ms, .. } = self.stop;
        let stop = Stop { until_ms: shift(until_ms), arrival_ms: shift(arrival_ms), ..self.stop.clone() };
        Self { stop, ..self.clone() }
    }
}

/// What a stop refers to.
pub(super) struct StopContext<'a> {
    pub network: &'a Network,
    pub index: &'a NetworkIndex,
    pub places: &'a StoppingPlaces,
}

/// `None`: the stop is left out, with a warning.
pub(super) fn read_stop(
    attributes: Attributes<'_>,
    context: &StopContext<'_>,
    warnings: &mut Warnings,
) -> Result<Option<StopRequest>, InputError> {
    let mut stop = read_place(attributes, context)?;
    let spread = attributes.text("duration").filter(|text| text.contains('(')).map(|text| {
        let default = SpeedFactor { mean: 0.0, deviation: 0.0, min: 0.0, max: f64::MAX };
        let spread = parse_distribution(text, default);
        spread.ok_or_else(|| attributes.bad("duration", text, "a time, norm(mean,dev) or normc(mean,dev,min,max)"))
    });
    let spread = spread.transpose()?;
    stop.duration_ms = match spread {
        Some(spread) => Some((spread.mean.clamp(0.0, MAX_STOP_S) * 1000.0) as i64),
        None => attributes.time_ms("duration")?,
    };
    stop.until_ms = attributes.time_ms("until")?;
    for (key, time) in [("duration", stop.duration_ms), ("until", stop.until_ms)] {
        if time.is_some_and(|ms| ms < 0) {
            return Err(attributes.error(format!("attribute '{key}' must not be negative")));
        }
    }
    let index = match attributes.text("index") {
        None | Some("end") => StopIndex::End,
        Some("fit") => StopIndex::Fit,
        Some(_) => StopIndex::At(attributes.required_integer("index")?),
    };
    if attributes.boolean("onDemand")?.unwrap_or(false) {
        // Nobody is on board or waits there.
        return Ok(None);
    }
    stop.arrival_ms = attributes.time_ms("arrival")?.filter(|u| *u >= 0);
    stop.speed_mps = attributes.non_negative("speed")?.unwrap_or(0.0);
    let flag = |key| -> Result<bool, InputError> { Ok(attributes.boolean(key)?.unwrap_or(false)) };
    // `triggered` also comes as a list of what triggers ("person", "join").
    stop.triggered = ["triggered", "containerTriggered"]
        .iter()
        .any(|key| attributes.text(key).is_some_and(|v| crate::attributes::parse_bool(v).unwrap_or(true)));
    stop.parking = match attributes.text("parking") {
        Some("opportunistic") => {
            warnings.add(
                "parking=\"opportunistic\" is not supported",
                attributes.at(),
                "the vehicle parks beside the lane",
            );
            true
        }
        Some(_) => flag("parking")?,
        None => stop.parking || stop.triggered,
    };
    let timed = stop.duration_ms.is_some() || stop.until_ms.is_some() || stop.speed_mps > 0.0;
    if !timed && !stop.triggered {
        stop.duration_ms = Some(FOR_EVER_MS);
        warnings.add(
            "stop without 'duration' and 'until'",
            attributes.at(),
            "the vehicle stands there until the run ends, as in SUMO",
        );
    }
    if stop.triggered {
        warnings.add(
            "a stop waits for persons or containers, which are not simulated",
            attributes.at(),
            "the vehicle goes on after 'duration' and 'until', at once if it has neither",
        );
    }
    check_attributes(attributes, warnings);
    Ok(Some(StopRequest { stop, index, spread, at: attributes.at() }))
}

fn read_place(attributes: Attributes<'_>, context: &StopContext<'_>) -> Result<Stop, InputError> {
    let new = |lane, start_m, end_m, place: Option<&StoppingPlace>| Stop {
        lane,
        route_index: 0,
        start_m,
        end_m,
        duration_ms: None,
        until_ms: None,
        parking: place.is_some_and(|place| place.beside),
        triggered: false,
        arrival_ms: None,
        speed_mps: 0.0,
        place: place.map_or("", |place| &place.name).into(),
        place_index: place.map(|place| place.index),
    };
    for key in PLACES {
        if let Some(name) = attributes.text(key) {
            let place = context.places.get(name).ok_or_else(|| {
                attributes.error(format!("{key} '{name}' is not known; define it in an additional file before"))
            })?;
            return Ok(new(place.lane, place.start_m, place.end_m, Some(place)));
        }
    }
    let lane = match (attributes.text("lane"), attributes.text("edge")) {
        (Some(name), _) => {
            context.index.lane(name).ok_or_else(|| attributes.error(context.index.unknown_lane(name)))?
        }
        (None, Some(name)) => {
            let edge = context.index.edge(name).ok_or_else(|| attributes.error(context.index.unknown_edge(name)))?;
            stopping_lane(context.network, edge)
        }
        (None, None) => return Err(attributes.error("the stop has no place: give lane, edge, busStop or parkingArea")),
    };
    if !matches!(context.network.edge_of(lane).kind, EdgeKind::Normal | EdgeKind::Internal) {
        return Err(attributes.error("stops are possible on roads and on ways through junctions for vehicles only"));
    }
    let range = StopRange {
        start_m: attributes.number("startPos")?,
        end_m: attributes.number("endPos")?,
        friendly: attributes.boolean("friendlyPos")?.unwrap_or(false),
    };
    let length_m = context.network.lane(lane).length_m;
    let (start_m, end_m, _) = range.on_lane(length_m, f64::MAX).map_err(|message| attributes.error(message))?;
    Ok(new(lane, start_m, end_m, None))
}

/// The rightmost lane of an edge for cars, or the rightmost that is not only for pedestrians.
fn stopping_lane(network: &Network, edge: EdgeId) -> LaneId {
    let edge = network.edge(edge);
    let walkers = Permissions(VehicleClass::Pedestrian.bit());
    let for_cars = |lane: &LaneId| network.lane(*lane).allowed.allows(VehicleClass::Passenger);
    let for_others = |lane: &LaneId| network.lane(*lane).allowed.0 & !walkers.0 != 0;
    edge.lanes().find(for_cars).or_else(|| edge.lanes().find(for_others)).unwrap_or(edge.first_lane)
}

/// Whether a route leads over a lane where it leaves its `index`-th edge, or on that edge.
fn passes(network: &Network, edges: &[EdgeId], index: usize, lane: LaneId) -> bool {
    if !network.lane(lane).internal {
        return network.lane(lane).edge == edges[index];
    }
    let mut links = network.edge(edges[index]).lanes().flat_map(|from| network.links_of(from));
    let next = edges.get(index + 1);
    links.any(|link| Some(&network.lane(network.link(link).to).edge) == next && network.leads_through(link, lane))
}

/// Stops with their places, and those that have none, with the reason.
pub(super) type Placed<'r> = (Vec<(Stop, &'r StopRequest)>, Vec<(&'r StopRequest, String)>);

/// Finds the places of stops on a route, in order, for a vehicle that departs `depart_m` from the start of its first edge or
/// wherever it can (0). Stops that are not ahead on the route are given back with the reason.
pub(super) fn place_on_route<'r>(
    network: &Network,
    edges: &[EdgeId],
    depart_m: f64,
    class: VehicleClass,
    requests: impl IntoIterator<Item = &'r StopRequest>,
) -> Placed<'r> {
    let way = StoppingWay { network, edges, depart_m, class };
    let mut ordered: Vec<&StopRequest> = Vec::new();
    for request in requests {
        let at = match request.index {
            StopIndex::End => ordered.len(),
            StopIndex::At(at) => at.min(ordered.len()),
            StopIndex::Fit => (0..ordered.len()).find(|at| fits(&way, &ordered, *at, request)).unwrap_or(ordered.len()),
        };
        ordered.insert(at, request);
    }
    place_in_order(&way, ordered)
}

/// The way of a vehicle, as far as it matters for its stops.
struct StoppingWay<'a> {
    network: &'a Network,
    edges: &'a [EdgeId],
    depart_m: f64,
    class: VehicleClass,
}

/// Whether all stops are still ahead of each other with another one at a place.
fn fits(way: &StoppingWay<'_>, ordered: &[&StopRequest], at: usize, request: &StopRequest) -> bool {
    let (before, behind) = ordered.split_at(at);
    let all = before.iter().copied().chain([request]).chain(behind.iter().copied());
    place_in_order(way, all).1.is_empty()
}

fn place_in_order<'r>(way: &StoppingWay<'_>, requests: impl IntoIterator<Item = &'r StopRequest>) -> Placed<'r> {
    let &StoppingWay { network, edges, depart_m, class } = way;
    let mut placed: Vec<(Stop, &StopRequest)> = Vec::new();
    let mut refused = Vec::new();
    for request in requests {
        let lane = request.stop.lane;
        // A junction is behind the road that leads to it.
        let along = |stop: &Stop| (network.lane(stop.lane).internal, stop.end_m);
        let (from, behind) =
            placed.last().map_or((0, (false, depart_m)), |(last, _)| (last.route_index as usize, along(last)));
        let ahead =
            |&index: &usize| passes(network, edges, index, lane) && (index > from || along(&request.stop) >= behind);
        match (from..edges.len()).find(ahead) {
            Some(_) if !network.lane(lane).allowed.allows(class) => refused.push((
                request,
                format!("vClass '{}' may not stop on lane '{}'", class.name(), network.lane_name(lane)),
            )),
            Some(index) => placed.push((Stop { route_index: index as u32, ..request.stop.clone() }, request)),
            None => refused
                .push((request, format!("the stop on lane '{}' is not ahead on the route", network.lane_name(lane)))),
        }
    }
    (placed, refused)
}
