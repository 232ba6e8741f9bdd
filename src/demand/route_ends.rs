//! Checks where a vehicle departs and arrives against its route, so that no vehicle waits for what cannot be.

use crate::attributes::Attributes;
use crate::diagnostics::Warnings;
use crate::graph::{Edge, Network};
use crate::ids::EdgeId;

use super::departure_attributes::DepartureRules;
use super::{ArrivalLane, ArrivalPos, DepartLane, DepartPos, DepartSpeed, VehicleType};

/// Speeds may be rounded in files.
const SPEED_SLACK_MPS: f64 = 0.05;

/// Brings given lanes and positions onto the first and last edge of a route, with a warning where SUMO gives one, and gives
/// the vehicle a speed factor with which it may drive its departure speed. `Err`: the departure lane does not exist or is
/// forbidden, or the departure speed is impossible.
pub(super) fn check_ends(
    attributes: Attributes<'_>,
    network: &Network,
    route: &[EdgeId],
    vtype: &VehicleType,
    speed_factor: f32,
    mut rules: DepartureRules,
    warnings: &mut Warnings,
) -> Result<DepartureRules, String> {
    let (first, last) = (network.edge(route[0]), network.edge(route[route.len() - 1]));
    let lane_of = |edge: &Edge, index: u32| {
        let lane = edge.lanes().nth(index as usize).map(|lane| network.lane(lane));
        lane.filter(|lane| lane.allowed.allows(vtype.class))
    };
    if let DepartLane::Given(index) = rules.depart_lane
        && lane_of(first, index).is_none()
    {
        return Err(format!(
            "departLane {index} of edge '{}' does not exist or is forbidden for vClass '{}'",
            first.name,
            vtype.class.name()
        ));
    }
    if let DepartPos::Given(position) = rules.depart_pos {
        let (position, valid) = on_edge(position, first.length_m);
        if !valid {
            let message = format!("the vehicle departs at the end of edge '{}'", first.name);
            warnings.add("departPos is not on the edge", attributes.at(), message);
        }
        rules.depart_pos = DepartPos::Given(if valid { position } else { first.length_m });
    }
    if let DepartSpeed::Given(speed) = rules.depart_speed {
        let possible_mps = limit_of(network, first, vtype) * f64::from(speed_factor);
        let is_fixed = rules.speed_factor.is_some() && vtype.speed_factor.deviation > 0.0;
        if is_fixed && speed > possible_mps {
            rules.depart_speed = DepartSpeed::Given(possible_mps.min(vtype.max_speed_mps));
        } else {
            rules.speed_factor = Some(factor_for(attributes, network, first, vtype, speed_factor, speed, warnings)?);
        }
    }
    if let ArrivalLane::Given(index) = rules.arrival_lane
        && lane_of(last, index).is_none()
    {
        let message = "the vehicle arrives on any lane";
        warnings.add("arrivalLane does not exist or is forbidden", attributes.at(), message);
        rules.arrival_lane = ArrivalLane::Current;
    }
    if let ArrivalPos::Given(position) = rules.arrival_pos {
        let (position, valid) = on_edge(position, last.length_m);
        if !valid {
            let message = format!("the vehicle arrives at the nearest end of edge '{}'", last.name);
            warnings.add("arrivalPos is not on the edge", attributes.at(), message);
        }
        rules.arrival_pos = ArrivalPos::Given(position.clamp(0.0, last.length_m));
    }
    Ok(rules)
}

/// Greatest speed on any lane of an edge for a driver who keeps to the limits, m/s.
fn limit_of(network: &Network, edge: &Edge, vtype: &VehicleType) -> f64 {
    let limits = edge.lanes().map(|lane| network.limit_mps(network.lane(lane), vtype.class));
    limits.fold(0.0, f64::max).min(vtype.desired_max_speed_mps)
}

/// The speed factor with which a vehicle may depart at `speed_mps`: its own, or one that is high enough if factors differ.
fn factor_for(
    attributes: Attributes<'_>,
    network: &Network,
    edge: &Edge,
    vtype: &VehicleType,
    speed_factor: f32,
    speed_mps: f64,
    warnings: &mut Warnings,
) -> Result<f64, String> {
    if speed_mps > vtype.max_speed_mps {
        let max_mps = vtype.max_speed_mps;
        return Err(format!("departSpeed {speed_mps} is above maxSpeed ({max_mps:.2} m/s) of type '{}'", vtype.name));
    }
    let own = f64::from(speed_factor);
    let limit_mps = limit_of(network, edge, vtype);
    if speed_mps <= limit_mps * own + SPEED_SLACK_MPS {
        return Ok(own);
    }
    if vtype.speed_factor.deviation <= 0.0 || limit_mps <= 0.0 {
        let possible_mps = limit_mps * own;
        return Err(format!("departSpeed {speed_mps} is too high for edge '{}' ({possible_mps:.2} m/s)", edge.name));
    }
    let factor = (speed_mps / limit_mps * 1e4).ceil() / 1e4;
    let message = format!("the vehicle drives at {factor:.2} times the speed limits to match it");
    warnings.add("departSpeed is too high for the edge", attributes.at(), message);
    Ok(factor)
}

/// Metres from the start (negative positions count from the end), and whether that is on the edge.
fn on_edge(position: f64, length_m: f64) -> (f64, bool) {
    let position = if position < 0.0 { position + length_m } else { position };
    (position, (0.0..=length_m).contains(&position))
}
