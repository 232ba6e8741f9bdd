//! The demand on a network that was edited before the run: routes that do not lead through any more are found anew, and trips
//! take what became faster.

use std::collections::HashMap;

use crate::graph::{EdgeKind, Network, Span};
use crate::ids::{EdgeId, LaneId, RouteId};

use super::routes::Routes;
use super::{ArrivalLane, Demand, DepartLane, Departure, RoadGraph, Router, Stop, Travel, VehicleClass};

/// What an edit of the network did to the demand; numbers of vehicles, and of stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adapted {
    /// Their given route did not lead through any more.
    pub diverted: u64,
    /// Trips that take another way than they would have taken.
    pub rerouted: u64,
    /// No way leads to where they want to go.
    pub discarded: u64,
    pub stops_lost: u64,
    /// Their departure or arrival lane is gone.
    pub other_lane: u64,
}

/// A network before and after edits, as traffic sees it.
struct Change<'n> {
    after: &'n Network,
    graphs: [RoadGraph; 2],
    before: &'n Network,
    lanes: &'n [LaneId],
    /// By edge: vehicles may drive there as they could not before, or faster.
    is_better: Vec<bool>,
}

/// Fits a demand to the edited network `after`. `lanes`: by lane of the network before, where it is now.
pub fn fit_demand(demand: &mut Demand, before: &Network, after: &Network, lanes: &[LaneId]) -> Adapted {
    let change = Change::new(before, after, lanes);
    let mut router = Router::new(after, &change.graphs[1]);
    let mut adapted = Adapted::default();
    let mut routes = Routes::take_from(demand);
    let mut broken: HashMap<(RouteId, VehicleClass), bool> = HashMap::new();
    let (departures, stops) = (std::mem::take(&mut demand.departures), std::mem::take(&mut demand.stops));
    for mut departure in departures {
        let class = demand.types[departure.vtype.index()].class;
        let all = departure.stops.len;
        let mut kept: Vec<Stop> =
            stops[departure.stops.range()].iter().filter_map(|stop| change.stop(stop, class)).collect();
        let old = routes.get(departure.route).to_vec();
        let is_broken = *broken.entry((departure.route, class)).or_insert_with(|| change.breaks(&old, class));
        let may_choose = departure.has_rerouting_device && all == 0 && change.is_better.contains(&true);
        if is_broken || may_choose {
            let travel = Travel::of(&demand.types[departure.vtype.index()], departure.speed_factor);
            let is_road = |edge: &EdgeId| after.edge(*edge).kind == EdgeKind::Normal;
            let via: Vec<EdgeId> = if kept.is_empty() {
                demand.vias[departure.via.range()].iter().copied().filter(is_road).collect()
            } else {
                kept.iter().map(|stop| after.lane(stop.lane).edge).collect()
            };
            let ends = [old[0], old[old.len() - 1]];
            let found = if ends.iter().all(is_road) { router.route(ends[0], &via, ends[1], travel).ok() } else { None };
            match found.filter(|route| route.len() <= usize::from(u16::MAX)) {
                Some(route) if is_broken => {
                    place_stops(&mut kept, &route, after);
                    departure.route = routes.intern(&route);
                    adapted.diverted += 1;
                }
                Some(route) if route != old && route.iter().any(|edge| change.is_better[edge.index()]) => {
                    departure.route = routes.intern(&route);
                    adapted.rerouted += 1;
                }
                None if is_broken => {
                    adapted.discarded += 1;
                    continue;
                }
                _ => {}
            }
        }
        adapted.stops_lost += u64::from(all) - kept.len() as u64;
        let route = routes.get(departure.route);
        adapted.other_lane += u64::from(fit_ends(&mut departure, route, after, class));
        departure.stops = Span::new(demand.stops.len(), kept.len());
        demand.stops.extend(kept);
        demand.departures.push(departure);
    }
    routes.move_into(demand);
    adapted
}

/// Fits stops and lanes of departure to an edited network in which a run goes on: all vehicles stay, and so do their routes and
/// the number of their stops. A stop whose lane is gone is on the lane beside it.
pub fn keep_places(demand: &mut Demand, before: &Network, after: &Network, lanes: &[LaneId]) {
    for stop in &mut demand.stops {
        let (old, moved) = (before.lane(stop.lane), lanes[stop.lane.index()]);
        let edge = after.edge(old.edge);
        let beside = LaneId(edge.first_lane.0 + old.index.min(edge.lane_count - 1));
        stop.lane = if moved.is_some() { moved } else { beside };
    }
    let mut departures = std::mem::take(&mut demand.departures);
    for departure in &mut departures {
        let class = demand.types[departure.vtype.index()].class;
        let route = demand.route(departure.route);
        let ends = [route[0], route[route.len() - 1]];
        if ends.iter().all(|edge| after.edge(*edge).kind == EdgeKind::Normal) {
            fit_ends(departure, route, after, class);
        }
    }
    demand.departures = departures;
}

impl<'n> Change<'n> {
    fn new(before: &'n Network, after: &'n Network, lanes: &'n [LaneId]) -> Self {
        let graphs = [RoadGraph::new(before), RoadGraph::new(after)];
        let is_better = |at: usize| {
            let edge = EdgeId::new(at);
            if after.edges[at].kind != EdgeKind::Normal {
                return false;
            }
            let Some(old) = before.edges.get(at) else { return true };
            let speeds = |network: &Network, edge: &crate::graph::Edge| {
                edge.lanes().map(|lane| network.lane(lane).speed_mps).fold(0.0, f64::max)
            };
            let known = graphs[0].arcs(edge);
            let leads_on = graphs[1]
                .arcs(edge)
                .iter()
                .any(|arc| !known.iter().any(|old| old.to == arc.to && old.allowed.0 & arc.allowed.0 == arc.allowed.0));
            leads_on || speeds(after, &after.edges[at]) > speeds(before, old)
        };
        let is_better = (0..after.edges.len()).map(is_better).collect();
        Self { after, graphs, before, lanes, is_better }
    }

    /// A route that led through and does not any more.
    fn breaks(&self, route: &[EdgeId], class: VehicleClass) -> bool {
        let is_gone = |edge: &EdgeId| self.after.edge(*edge).kind == EdgeKind::Removed;
        route.iter().any(is_gone)
            || (self.graphs[1].check_route(self.after, route, class).is_err()
                && self.graphs[0].check_route(self.before, route, class).is_ok())
    }

    /// A stop where its lane is now, if vehicles of the class may still be there.
    fn stop(&self, stop: &Stop, class: VehicleClass) -> Option<Stop> {
        let lane = self.lanes[stop.lane.index()];
        if lane.is_none() {
            return None;
        }
        let could = self.before.lane(stop.lane).allowed.allows(class);
        let may = self.after.lane(lane).allowed.allows(class);
        (may || !could).then(|| Stop { lane, ..stop.clone() })
    }
}

/// Finds the places of stops on another route; those that it does not pass are left out.
fn place_stops(stops: &mut Vec<Stop>, route: &[EdgeId], network: &Network) {
    let mut from = 0;
    stops.retain_mut(|stop| {
        let edge = network.lane(stop.lane).edge;
        let found = route[from..].iter().position(|other| *other == edge);
        if let Some(at) = found {
            from += at;
            stop.route_index = from as u32;
        }
        found.is_some()
    });
}

/// Whether a lane of departure or arrival is gone, and another one is taken.
fn fit_ends(departure: &mut Departure, route: &[EdgeId], network: &Network, class: VehicleClass) -> bool {
    let is_there = |edge: EdgeId, index: u32| {
        network.edge(edge).lanes().nth(index as usize).is_some_and(|lane| network.lane(lane).allowed.allows(class))
    };
    let mut changed = false;
    if let DepartLane::Given(index) = departure.depart_lane
        && !is_there(route[0], index)
    {
        departure.depart_lane = DepartLane::BestProb;
        changed = true;
    }
    if let ArrivalLane::Given(index) = departure.arrival_lane
        && !is_there(route[route.len() - 1], index)
    {
        departure.arrival_lane = ArrivalLane::Current;
        changed = true;
    }
    changed
}
