//! The attributes that `vehicle`, `trip` and `flow` share: where and how fast to depart and to arrive.

use std::str::FromStr;

use crate::attributes::Attributes;
use crate::coverage::check_attributes;
use crate::diagnostics::{InputError, Warnings};

use super::departing::Expected;
use super::{ArrivalLane, ArrivalPos, ArrivalSpeed, DepartLane, DepartPos, DepartSpeed};

/// `departEdge`, `arrivalEdge`: where on its route a vehicle begins or ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RouteEdge {
    /// At the end of the route where it does anyway.
    End,
    /// Index of the route's edges.
    Given(usize),
    Random,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct DepartureRules {
    pub depart_edge: RouteEdge,
    pub arrival_edge: RouteEdge,
    pub depart_lane: DepartLane,
    pub depart_pos: DepartPos,
    pub depart_speed: DepartSpeed,
    pub arrival_lane: ArrivalLane,
    pub arrival_pos: ArrivalPos,
    pub arrival_speed: ArrivalSpeed,
    /// `speedFactor` of this vehicle instead of one drawn from its type.
    pub speed_factor: Option<f64>,
}

/// What counts where a vehicle says nothing; SUMO's options `default.departlane` and `default.departspeed`.
#[derive(Clone, Debug, PartialEq)]
pub struct DepartureDefaults {
    pub lane: String,
    pub speed: String,
}

impl Default for DepartureDefaults {
    fn default() -> Self {
        Self { lane: "best_prob".to_owned(), speed: "avg".to_owned() }
    }
}

pub(super) fn read_rules(
    attributes: Attributes<'_>,
    defaults: &DepartureDefaults,
    warnings: &mut Warnings,
) -> Result<DepartureRules, InputError> {
    check_attributes(attributes, warnings);
    let text = |key, default| attributes.text(key).unwrap_or(default);
    Ok(DepartureRules {
        depart_edge: route_edge(attributes, "departEdge", warnings)?,
        arrival_edge: route_edge(attributes, "arrivalEdge", warnings)?,
        depart_lane: parse(attributes, "departLane", text("departLane", &defaults.lane))?,
        depart_pos: depart_pos(attributes)?,
        depart_speed: parse(attributes, "departSpeed", text("departSpeed", &defaults.speed))?,
        arrival_lane: arrival_lane(attributes, warnings)?,
        arrival_pos: arrival_pos(attributes)?,
        arrival_speed: arrival_speed(attributes, warnings)?,
        speed_factor: attributes.positive("speedFactor")?,
    })
}

fn replaced(attributes: Attributes<'_>, key: &str, value: &str, instead: &str, warnings: &mut Warnings) {
    let kind = format!("{key}=\"{value}\" is not supported");
    warnings.add(kind, attributes.at(), format!("'{instead}' is used instead"));
}

/// A value of one of the attributes that say how to depart.
fn parse<T: FromStr<Err = Expected>>(attributes: Attributes<'_>, key: &str, value: &str) -> Result<T, InputError> {
    value.parse().map_err(|Expected(what)| attributes.bad(key, value, what))
}

fn depart_pos(attributes: Attributes<'_>) -> Result<DepartPos, InputError> {
    match attributes.text("departPos") {
        None => Ok(DepartPos::Base),
        // Only where a train is split SUMO makes something else of it.
        Some("splitFront") => Ok(DepartPos::Base),
        Some(value) => parse(attributes, "departPos", value),
    }
}

fn route_edge(attributes: Attributes<'_>, key: &str, warnings: &mut Warnings) -> Result<RouteEdge, InputError> {
    Ok(match attributes.text(key) {
        None => RouteEdge::End,
        Some("random") => RouteEdge::Random,
        Some(word @ "free") if key == "departEdge" => {
            replaced(attributes, key, word, "0", warnings);
            RouteEdge::End
        }
        Some(value) => RouteEdge::Given(
            value.trim().parse().map_err(|_| attributes.bad(key, value, "an index of the route's edges or random"))?,
        ),
    })
}

fn arrival_lane(attributes: Attributes<'_>, warnings: &mut Warnings) -> Result<ArrivalLane, InputError> {
    Ok(match attributes.text("arrivalLane") {
        None | Some("current") => ArrivalLane::Current,
        Some(word @ ("random" | "first")) => {
            replaced(attributes, "arrivalLane", word, "current", warnings);
            ArrivalLane::Current
        }
        Some(value) => {
            let index = value.trim().parse();
            let lane = index.map_err(|_| attributes.bad("arrivalLane", value, "a lane index or one of current"))?;
            let instead = "the vehicle arrives on the lane that it is on";
            warnings.add("arrivalLane is not supported", attributes.at(), instead);
            ArrivalLane::Given(lane)
        }
    })
}

fn arrival_speed(attributes: Attributes<'_>, warnings: &mut Warnings) -> Result<ArrivalSpeed, InputError> {
    if matches!(attributes.text("arrivalSpeed"), None | Some("current")) {
        return Ok(ArrivalSpeed::Current);
    }
    let speed = attributes.non_negative("arrivalSpeed")?;
    warnings.add("arrivalSpeed is not supported", attributes.at(), "the vehicle arrives with the speed that it has");
    Ok(speed.map_or(ArrivalSpeed::Current, ArrivalSpeed::Given))
}

fn arrival_pos(attributes: Attributes<'_>) -> Result<ArrivalPos, InputError> {
    Ok(match attributes.text("arrivalPos") {
        None | Some("max") => ArrivalPos::Max,
        Some("random") => ArrivalPos::Random,
        Some("center") => ArrivalPos::Center,
        Some(value) => match attributes.number("arrivalPos") {
            Ok(Some(position)) => ArrivalPos::Given(position),
            _ => return Err(attributes.bad("arrivalPos", value, "metres or one of max, center, random")),
        },
    })
}
