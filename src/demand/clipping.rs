//! The demand of a part of a network: vehicles with those pieces of their ways that lie in it.

use crate::graph::{Span, Subnetwork};
use crate::ids::{EdgeId, VehicleId};

use super::routes::Routes;
use super::{
    ArrivalLane, ArrivalPos, ArrivalSpeed, Demand, DepartLane, DepartPos, DepartSpeed, Departure, RouteOrigin, Stop,
};

/// How a vehicle comes onto the first edge of a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry {
    /// It departs there, as it does in the whole network.
    Departure,
    /// It would get there at this time on empty roads.
    Expected { time_ms: i64 },
    /// It was seen there.
    Seen { time_ms: i64, lane_index: u32, pos_m: f64, speed_mps: f64 },
}

/// A part of a vehicle's way without a gap.
#[derive(Clone, Debug)]
pub struct Piece {
    pub vehicle: VehicleId,
    /// Edges of the whole network; none of them is outside of the part.
    pub edges: Vec<EdgeId>,
    pub entry: Entry,
    /// Its last edge is where the vehicle's whole way ends.
    pub arrives: bool,
    /// Stops on the way, with their place in `edges`.
    pub stops: Vec<Stop>,
}

/// Collects pieces into a [`Demand`]. A vehicle with several pieces becomes several: `ID`, `ID#2`, `ID#3` …
pub struct Clipper<'a> {
    whole: &'a Demand,
    part: &'a Subnetwork,
    routes: Routes,
    /// (departure, vehicle in the whole demand, its piece).
    departures: Vec<(Departure, VehicleId, u32)>,
    /// By vehicle in the whole demand.
    pieces: Vec<u32>,
    demand: Demand,
}

impl<'a> Clipper<'a> {
    pub fn new(whole: &'a Demand, part: &'a Subnetwork) -> Self {
        Self {
            whole,
            part,
            routes: Routes::default(),
            departures: Vec::new(),
            pieces: vec![0; whole.departures.len()],
            demand: Demand { types: whole.types.clone(), places: whole.places.clone(), ..Demand::default() },
        }
    }

    /// Whether a piece of this vehicle was added.
    pub fn has(&self, vehicle: VehicleId) -> bool {
        self.pieces[vehicle.index()] > 0
    }

    /// Adds a piece; those of one vehicle in their order.
    pub fn add(&mut self, piece: &Piece) {
        let Piece { vehicle, edges, entry, arrives, stops } = piece;
        let original = &self.whole.departures[vehicle.index()];
        let number = &mut self.pieces[vehicle.index()];
        *number += 1;
        let moved = |edges: &[EdgeId]| edges.iter().map(|edge| self.part.edges[edge.index()]).collect::<Vec<_>>();
        let is_whole = *entry == Entry::Departure && *arrives && self.whole.route(original.route) == edges;
        let via = if is_whole { moved(&self.whole.vias[original.via.range()]) } else { Vec::new() };
        let route = self.routes.intern(&moved(edges));
        let demand = &mut self.demand;
        let first_stop = demand.stops.len();
        let moved_stop = |stop: &Stop| Stop { lane: self.part.lanes[stop.lane.index()], ..stop.clone() };
        demand.stops.extend(stops.iter().map(moved_stop));
        let first_via = demand.vias.len();
        demand.vias.extend(via);
        let mut departure = Departure {
            route,
            stops: Span::new(first_stop, stops.len()),
            via: Span::new(first_via, demand.vias.len() - first_via),
            route_origin: if is_whole { original.route_origin } else { RouteOrigin::Given },
            has_rerouting_device: original.has_rerouting_device && is_whole,
            ..original.clone()
        };
        if *number > 1 {
            departure.name = format!("{}#{number}", original.name).into();
        }
        match *entry {
            Entry::Departure => {}
            Entry::Expected { time_ms } => {
                departure.depart_ms = time_ms;
                departure.depart_lane = DepartLane::BestProb;
                departure.depart_pos = DepartPos::Base;
                departure.depart_speed = DepartSpeed::Max;
            }
            Entry::Seen { time_ms, lane_index, pos_m, speed_mps } => {
                departure.depart_ms = time_ms;
                departure.depart_lane = DepartLane::Given(lane_index);
                departure.depart_pos = DepartPos::Given(pos_m);
                departure.depart_speed = DepartSpeed::UpTo(speed_mps);
            }
        }
        if !arrives {
            (departure.arrival_lane, departure.arrival_pos) = (ArrivalLane::Current, ArrivalPos::Max);
            departure.arrival_speed = ArrivalSpeed::Current;
        }
        self.departures.push((departure, *vehicle, *number));
    }

    /// The demand of the part, in the order of the steps of departure; within a step as in the whole demand.
    pub fn finish(self, begin_ms: i64, step_ms: i64) -> Demand {
        let Self { routes, mut departures, mut demand, .. } = self;
        departures.sort_by_key(|(departure, vehicle, piece)| (departure.step(begin_ms, step_ms), *vehicle, *piece));
        demand.departures = departures.into_iter().map(|(departure, ..)| departure).collect();
        routes.move_into(&mut demand);
        demand
    }
}
