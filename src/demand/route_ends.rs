//! Checks where a vehicle departs and arrives against its route, so that no vehicle waits for what cannot be.

use crate::attributes::Attributes;
use crate::diagnostics::Warnings;
use crate::graph::Network;
use crate::ids::EdgeId;

use super::departure_attributes::DepartureRules;
use super::{ArrivalLane, ArrivalPos, DepartLane, DepartPos, DepartSpeed, VehicleType};

/// By how much `departSpeed` may exceed what is possible on the edge, m/s, as in SUMO.
const SPEED_SLACK_MPS: f64 = 0.1;

/// Brings given lanes, positions and speeds onto the first and last edge of a route, with a warning where SUMO gives one.
/// A departure speed that is too high raises the speed factor of a driver whose type lets it vary, as in SUMO.
/// `Err`: the departure lane does not exist or is forbidden, or the departure speed is impossible.
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
    let lane_of = |edge: &crate::graph::Edge, index: u32| {
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
        let limit = first.lanes().map(|lane| network.lane(lane).speed_mps).fold(0.0, f64::max);
        let possible = (limit * f64::from(speed_factor)).min(vtype.max_speed_mps);
        if speed > possible + SPEED_SLACK_MPS {
            let varies = vtype.speed_factor.deviation > 0.0 && speed <= vtype.max_speed_mps && limit > 0.0;
            if !varies {
                return Err(format!("departSpeed {speed} m/s is too high for the departure edge '{}'", first.name));
            }
            let factor = (speed / limit * 1e4).ceil() / 1e4;
            if factor > vtype.speed_factor.max {
                let message = format!("the speed factor is raised to {factor}, beyond what its type allows");
                warnings.add("departSpeed is higher than the type allows on the edge", attributes.at(), message);
            }
            rules.speed_factor = Some(factor);
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

/// Metres from the start (negative positions count from the end), and whether that is on the edge.
fn on_edge(position: f64, length_m: f64) -> (f64, bool) {
    let position = if position < 0.0 { position + length_m } else { position };
    (position, (0.0..=length_m).contains(&position))
}
