//! Reads `stop` elements, and finds where on a route they are made.

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::sumo::NetworkIndex;
use crate::graph::{EdgeKind, Network, Permissions};
use crate::ids::{EdgeId, LaneId};

use super::stopping_place::{PlaceKind, StopRange, StoppingPlaces};
use super::{Stop, VehicleClass};

const PLACES: [&str; 5] = ["busStop", "trainStop", "parkingArea", "containerStop", "chargingStation"];

/// Attributes about persons, goods, timetables and the sublane model: no effect on traffic here.
const WITHOUT_EFFECT: &[&str] = &[
    "triggered",
    "containerTriggered",
    "expected",
    "expectedContainers",
    "permitted",
    "arrival",
    "started",
    "ended",
    "actType",
    "tripId",
    "line",
    "posLat",
    "priority",
    "index",
    "collision",
    "id",
];

/// A stop as it stands in a file, before the route is known.
#[derive(Clone, Debug)]
pub(super) struct StopRequest {
    /// `route_index` is not set yet.
    pub stop: Stop,
    pub at: Location,
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
    if attributes.non_negative("speed")?.is_some_and(|speed| speed > 0.0) {
        warnings.add("waypoint (stop with 'speed') is not supported", attributes.at(), "the vehicle drives on");
        return Ok(None);
    }
    let mut stop = read_place(attributes, context)?;
    stop.duration_ms = attributes.time_ms("duration")?.filter(|d| *d >= 0);
    stop.until_ms = attributes.time_ms("until")?.filter(|u| *u >= 0);
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
    let timed = stop.duration_ms.is_some() || stop.until_ms.is_some();
    if stop.triggered || !timed {
        stop.triggered = true;
        warnings.add(
            "a stop waits for persons or containers, which are not simulated",
            attributes.at(),
            "the vehicle goes on after 'duration' and 'until', at once if it has neither",
        );
    }
    for (key, _) in attributes.element().attributes() {
        let taken = ["lane", "edge", "startPos", "endPos", "friendlyPos", "duration", "until", "parking", "speed"];
        if !taken.contains(&key) && !PLACES.contains(&key) && !WITHOUT_EFFECT.contains(&key) {
            let kind = format!("attribute '{key}' of stop is not supported");
            warnings.add(kind, attributes.at(), "the attribute has no effect");
        }
    }
    Ok(Some(StopRequest { stop, at: attributes.at() }))
}

fn read_place(attributes: Attributes<'_>, context: &StopContext<'_>) -> Result<Stop, InputError> {
    let new = |lane, start_m, end_m, parking, place: &str| Stop {
        lane,
        route_index: 0,
        start_m,
        end_m,
        duration_ms: None,
        until_ms: None,
        parking,
        triggered: false,
        place: place.into(),
    };
    for key in PLACES {
        if let Some(name) = attributes.text(key) {
            let place = context.places.get(name).ok_or_else(|| {
                attributes.error(format!("{key} '{name}' is not known; define it in an additional file before"))
            })?;
            return Ok(new(place.lane, place.start_m, place.end_m, place.kind == PlaceKind::ParkingArea, name));
        }
    }
    let lane = match (attributes.text("lane"), attributes.text("edge")) {
        (Some(name), _) => {
            context.index.lane(name).ok_or_else(|| attributes.error(format!("lane '{name}' is not in the network")))?
        }
        (None, Some(name)) => {
            let edge = context
                .index
                .edge(name)
                .ok_or_else(|| attributes.error(format!("edge '{name}' is not in the network")))?;
            stopping_lane(context.network, edge)
        }
        (None, None) => return Err(attributes.error("the stop has no place: give lane, edge, busStop or parkingArea")),
    };
    if context.network.edge_of(lane).kind != EdgeKind::Normal {
        return Err(attributes.error("stops inside of junctions are not supported; put it on a road"));
    }
    let range = StopRange {
        start_m: attributes.number("startPos")?,
        end_m: attributes.number("endPos")?,
        friendly: attributes.boolean("friendlyPos")?.unwrap_or(false),
    };
    let length_m = context.network.lane(lane).length_m;
    let (start_m, end_m, _) = range.on_lane(length_m, f64::MAX).map_err(|message| attributes.error(message))?;
    Ok(new(lane, start_m, end_m, false, ""))
}

/// The rightmost lane of an edge for cars, or the rightmost that is not only for pedestrians.
fn stopping_lane(network: &Network, edge: EdgeId) -> LaneId {
    let edge = network.edge(edge);
    let walkers = Permissions(VehicleClass::Pedestrian.bit());
    let for_cars = |lane: &LaneId| network.lane(*lane).allowed.allows(VehicleClass::Passenger);
    let for_others = |lane: &LaneId| network.lane(*lane).allowed.0 & !walkers.0 != 0;
    edge.lanes().find(for_cars).or_else(|| edge.lanes().find(for_others)).unwrap_or(edge.first_lane)
}

/// Finds the places of stops on a route, in order. Stops that are not ahead on the route are given back with the reason.
pub(super) fn place_on_route<'r>(
    network: &Network,
    edges: &[EdgeId],
    requests: impl IntoIterator<Item = &'r StopRequest>,
) -> (Vec<Stop>, Vec<(&'r StopRequest, String)>) {
    let mut placed: Vec<Stop> = Vec::new();
    let mut refused = Vec::new();
    for request in requests {
        let edge = network.lane(request.stop.lane).edge;
        let (from, behind_m) = placed.last().map_or((0, 0.0), |last| (last.route_index as usize, last.end_m));
        let ahead = |&index: &usize| edges[index] == edge && (index > from || request.stop.end_m >= behind_m);
        match (from..edges.len()).find(ahead) {
            Some(index) => placed.push(Stop { route_index: index as u32, ..request.stop.clone() }),
            None => refused.push((
                request,
                format!("the stop on lane '{}' is not ahead on the route", network.lane_name(request.stop.lane)),
            )),
        }
    }
    (placed, refused)
}
