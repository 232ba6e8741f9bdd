//! Roundabouts with several lanes: who does not leave at the next exit may use the inner lanes.

use crate::ids::{LaneId, LinkId};

use crate::sim::vehicle::Vehicle;
use crate::sim::view::View;

/// Exits that make the inner lane worth while.
const MIN_JUNCTIONS: u32 = 2;
/// Metres that each junction in the roundabout adds to the room of the outer lane.
const JUNCTION_BONUS_M: f64 = 7.5;
/// Weight of the distance in the roundabout.
const BONUS_FACTOR: f64 = 9.0;

/// Whether one of the next edges of the route is part of a roundabout.
pub fn roundabouts_ahead(view: &View<'_>, vehicle: &Vehicle) -> bool {
    let network = &view.world.network;
    let mut seen = 0.0;
    for edge in view.route(vehicle).iter().skip(usize::from(vehicle.route_index)) {
        let edge = network.edge(*edge);
        if edge.roundabout {
            return true;
        }
        seen += edge.length_m;
        if seen > view.world.scan_m {
            return false;
        }
    }
    false
}

/// Metres by which lanes count as longer before and in a roundabout, so that vehicles fill its inner lanes; 0 where the
/// inner lane does not lead round or is as full as the outer one. `outer` and `inner` are lanes of the `index`-th road of the
/// route.
pub fn roundabout_bonus(view: &View<'_>, vehicle: &Vehicle, index: usize, outer: LaneId, inner: LaneId) -> f64 {
    let network = &view.world.network;
    let route = view.route(vehicle);
    let on_road = index == usize::from(vehicle.route_index);
    let mut index = index;
    let (mut outer_lane, mut inner_lane) = (Some(outer), Some(inner));
    let (mut seen, mut entered, mut junctions) = (-vehicle.pos_m, false, 0);
    let (mut outer_m, mut inner_m, mut distance_m) = (0.0, 0.0, 0.0);
    // In small roundabouts the ways through the junctions are most of it.
    let (mut outer_way, mut inner_way) = (Way::default(), Way::default());
    while let Some(outer) = outer_lane {
        let lane = view.lane(outer);
        let edge = network.edge(lane.edge);
        if !edge.roundabout && entered {
            break;
        }
        if inner_lane.is_none() || seen > view.world.scan_m {
            return 0.0;
        }
        if edge.roundabout {
            entered = true;
            distance_m += lane.length_m + outer_way.length_m;
            junctions += u32::from(view.world.junction_degree[edge.to.index()] > 2);
        }
        // Vehicles behind do not count.
        let share = if on_road && index == usize::from(vehicle.route_index) {
            (lane.length_m - vehicle.pos_m) / lane.length_m
        } else {
            1.0
        };
        outer_m += share * view.lanes.occupied_m[outer.index()] + outer_way.taken_m;
        inner_m += inner_lane.map_or(0.0, |l| share * view.lanes.occupied_m[l.index()]) + inner_way.taken_m;
        seen += lane.length_m + outer_way.length_m;
        let next = |lane: LaneId| {
            let link = view.plans.choice(view.world, vehicle.plan, index, lane).link;
            link.is_some().then_some(link)
        };
        let (outer_link, inner_link) = (next(outer), inner_lane.and_then(next));
        (outer_way, inner_way) = (Way::behind(view, outer_link), Way::behind(view, inner_link));
        (outer_lane, inner_lane) = (outer_link.map(|l| view.link(l).to), inner_link.map(|l| view.link(l).to));
        index += 1;
        if index >= route.len() {
            break;
        }
    }
    let fullest = f64::max(outer_m, inner_m);
    if junctions < MIN_JUNCTIONS || fullest == 0.0 {
        return 0.0;
    }
    let extra = f64::from(junctions) * JUNCTION_BONUS_M;
    distance_m * ((outer_m - inner_m + extra) / (fullest + extra)).max(0.0) * BONUS_FACTOR
}

/// The lanes inside a junction that a link leads over.
#[derive(Clone, Copy, Default)]
struct Way {
    length_m: f64,
    /// Metres taken by vehicles.
    taken_m: f64,
}

impl Way {
    fn behind(view: &View<'_>, link: Option<LinkId>) -> Self {
        let mut way = Self::default();
        let mut at = link;
        while let Some(lane_id) = at.map(|l| view.link(l).next).filter(|l| view.lane(*l).internal) {
            let lane = view.lane(lane_id);
            way.length_m += lane.length_m;
            way.taken_m += view.lanes.occupied_m[lane_id.index()];
            at = Some(lane.only_link()).filter(|l| l.is_some());
        }
        way
    }
}
