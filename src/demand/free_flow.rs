//! When vehicles would come by on empty roads.

use crate::graph::Network;
use crate::ids::{EdgeId, VehicleId};

use super::road_graph::RoadGraph;
use super::route_search::{Roads, Travel};
use super::{Demand, Departure, Entry, Piece, Stop};

/// Follows routes at the speed of empty roads.
#[derive(Debug)]
pub struct FreeFlow<'n> {
    network: &'n Network,
    graph: RoadGraph,
}

impl<'n> FreeFlow<'n> {
    pub fn new(network: &'n Network) -> Self {
        Self { network, graph: RoadGraph::new(network) }
    }

    /// The pieces of a vehicle's route over edges that are in the part.
    pub fn pieces(&self, demand: &Demand, vehicle: VehicleId, is_in_part: &[bool]) -> Vec<Piece> {
        let departure = &demand.departures[vehicle.index()];
        let route = demand.route(departure.route);
        let is_in = |edge: &EdgeId| is_in_part[edge.index()];
        if !route.iter().any(is_in) {
            return Vec::new();
        }
        let stops = &demand.stops[departure.stops.range()];
        let times = self.times_ms(demand, departure, stops);
        let mut pieces: Vec<Piece> = Vec::new();
        let mut before = false;
        for (at, (edge, time_ms)) in route.iter().zip(times).enumerate() {
            let inside = is_in(edge);
            if inside && !before {
                let entry = if at == 0 { Entry::Departure } else { Entry::Expected { time_ms } };
                pieces.push(Piece { vehicle, edges: Vec::new(), entry, arrives: false, stops: Vec::new() });
            }
            if inside && let Some(piece) = pieces.last_mut() {
                let here = stops.iter().filter(|stop| stop.route_index as usize == at);
                let route_index = piece.edges.len() as u32;
                piece.stops.extend(here.map(|stop| Stop { route_index, ..stop.clone() }));
                piece.edges.push(*edge);
                piece.arrives = at + 1 == route.len();
            }
            before = inside;
        }
        pieces
    }

    /// When the vehicle comes to the start of each edge.
    fn times_ms(&self, demand: &Demand, departure: &Departure, stops: &[Stop]) -> Vec<i64> {
        let travel = Travel::of(&demand.types[departure.vtype.index()], departure.speed_factor);
        let roads = Roads { network: self.network, graph: &self.graph, delays: None };
        let route = demand.route(departure.route);
        let mut now_ms = departure.depart_ms;
        let mut times = Vec::with_capacity(route.len());
        for (at, &edge) in route.iter().enumerate() {
            times.push(now_ms);
            let along_s = roads.along_s(edge, travel);
            now_ms += (along_s * 1000.0) as i64;
            for stop in stops.iter().filter(|stop| stop.route_index as usize == at) {
                now_ms = (now_ms + stop.duration_ms.unwrap_or(0)).max(stop.until_ms.unwrap_or(i64::MIN));
            }
            if let Some(next) = route.get(at + 1) {
                let ways = self.graph.arcs(edge).iter().filter(|arc| arc.to == *next);
                let through_s = ways.map(|arc| roads.seconds(arc, travel)).fold(f64::INFINITY, f64::min);
                let through_s = if through_s.is_finite() { through_s - roads.along_s(*next, travel) } else { 0.0 };
                now_ms += (through_s.max(0.0) * 1000.0) as i64;
            }
        }
        times
    }
}
