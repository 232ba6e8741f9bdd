//! `--record-crossings`: the ways of vehicles through a region and its surroundings, as JSON lines.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::graph::EdgeKind;
use crate::ids::{EdgeId, VehicleId};
use crate::output::collector::MergedStep;
use crate::output::document::{Document, Table};
use crate::output::sink::{Names, RunEnd, Sink};
use crate::scenario::{Crossing, CrossingEntry, CrossingsHead, CrossingsRequest};

/// How many short edges a vehicle may pass within one step.
const MAX_UNSEEN: usize = 4;

/// Writes a way when it ends. Knows the vehicles that are in the region at the moment.
pub struct Crossings {
    names: Names,
    edges: Box<[EdgeId]>,
    /// By edge.
    is_simulated: Vec<bool>,
    ways: BTreeMap<VehicleId, Way>,
}

/// A way that has not ended.
#[derive(Serialize, Deserialize)]
struct Way {
    entry: Option<CrossingEntry>,
    edges: Vec<EdgeId>,
}

impl Crossings {
    pub fn new(names: Names, request: &CrossingsRequest) -> Self {
        let mut is_simulated = vec![false; names.network.edges.len()];
        request.edges.iter().for_each(|edge| is_simulated[edge.index()] = true);
        Self { names, edges: request.edges.clone(), is_simulated, ways: BTreeMap::new() }
    }

    fn write(&self, vehicle: VehicleId, way: &Way, arrived: bool, out: &mut Document) -> io::Result<()> {
        let name = |edge: &EdgeId| (&*self.names.network.edge(*edge).name).into();
        let crossing = Crossing {
            vehicle: (&*self.names.departure(vehicle).name).into(),
            edges: way.edges.iter().map(name).collect(),
            entry: way.entry,
            arrived,
        };
        line(&crossing, out)
    }

    /// The simulated edges from one edge to another, the second included, if it is only few steps away.
    fn between(&self, from: EdgeId, to: EdgeId) -> Option<Vec<EdgeId>> {
        let network = &self.names.network;
        let mut found: Vec<(EdgeId, usize)> = vec![(from, 0)];
        let mut depths = vec![0usize];
        let mut at = 0;
        while at < found.len() {
            let (edge, depth) = (found[at].0, depths[at]);
            let links = network.edge(edge).lanes().flat_map(|lane| network.links_of(lane));
            for next in links.map(|link| network.lane(network.link(link).to).edge) {
                if next == to {
                    let mut way = vec![to];
                    let mut back = at;
                    while back > 0 {
                        way.push(found[back].0);
                        back = found[back].1;
                    }
                    way.reverse();
                    return Some(way);
                }
                if depth < MAX_UNSEEN && self.is_simulated[next.index()] && !found.iter().any(|(f, _)| *f == next) {
                    found.push((next, at));
                    depths.push(depth + 1);
                }
            }
            at += 1;
        }
        None
    }
}

fn line(value: &impl Serialize, out: &mut Document) -> io::Result<()> {
    serde_json::to_writer(out.raw(), value)?;
    out.raw().push(b'\n');
    Ok(())
}

impl Sink for Crossings {
    fn table(&self) -> Table {
        Table::plain()
    }

    fn begin(&mut self, out: &mut Document) -> io::Result<()> {
        line(&CrossingsHead::of(&self.names.network, &self.edges), out)
    }

    fn step(&mut self, step: &MergedStep, out: &mut Document) -> io::Result<()> {
        let network = std::sync::Arc::clone(&self.names.network);
        for record in &step.fcd {
            let lane = network.lane(record.lane);
            let (vehicle, edge) = (record.vehicle, lane.edge);
            // Between two roads nothing is decided yet.
            if network.edge(edge).kind != EdgeKind::Normal {
                continue;
            }
            let is_simulated = self.is_simulated[edge.index()];
            if let Some(way) = self.ways.get(&vehicle) {
                let last = way.edges[way.edges.len() - 1];
                if edge == last {
                    continue;
                }
                let unseen = if is_simulated { self.between(last, edge) } else { None };
                if let Some(unseen) = unseen {
                    self.ways.entry(vehicle).and_modify(|way| way.edges.extend(unseen));
                    continue;
                }
                if let Some(way) = self.ways.remove(&vehicle) {
                    self.write(vehicle, &way, false, out)?;
                }
            }
            if is_simulated {
                let departed = step.departed.binary_search_by_key(&vehicle, |(vehicle, _)| *vehicle).is_ok();
                let (pos_m, speed_mps) = (record.pos_m, record.speed_mps);
                let entry = CrossingEntry { time_ms: step.time_ms, lane: lane.index, pos_m, speed_mps };
                self.ways.insert(vehicle, Way { entry: (!departed).then_some(entry), edges: vec![edge] });
            }
        }
        for trip in &step.arrivals {
            if let Some(way) = self.ways.remove(&trip.vehicle) {
                let last = way.edges[way.edges.len() - 1];
                let arrived_at = network.lane(trip.arrival_lane).edge;
                let unseen = if arrived_at == last { Some(Vec::new()) } else { self.between(last, arrived_at) };
                let is_whole = unseen.is_some() && self.is_simulated[arrived_at.index()];
                let rest = unseen.filter(|_| is_whole).unwrap_or_default();
                let way = Way { edges: way.edges.into_iter().chain(rest).collect(), ..way };
                self.write(trip.vehicle, &way, is_whole, out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &RunEnd, out: &mut Document) -> io::Result<()> {
        for (vehicle, way) in std::mem::take(&mut self.ways) {
            self.write(vehicle, &way, false, out)?;
        }
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        rmp_serde::to_vec(&self.ways).expect("numbers in memory can always be written")
    }

    fn restore(&mut self, state: &[u8]) -> io::Result<()> {
        let ways: BTreeMap<VehicleId, Way> = rmp_serde::from_slice(state).map_err(io::Error::other)?;
        let in_range = |way: &Way| way.edges.iter().all(|edge| edge.index() < self.is_simulated.len());
        let vehicles = self.names.demand.departures.len();
        if !ways.iter().all(|(vehicle, way)| vehicle.index() < vehicles && !way.edges.is_empty() && in_range(way)) {
            return Err(io::Error::other("it names vehicles or edges that there are not"));
        }
        self.ways = ways;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::Span;
    use crate::ids::LaneId;
    use crate::output::testing::{blank, trip, written};
    use crate::sim::report::StepReport;

    /// Everybody drives on the first edge only.
    fn names() -> Names {
        let mut names = crate::output::testing::names();
        let demand = Arc::make_mut(&mut names.demand);
        (demand.routes, demand.route_edges) = (vec![Span::new(0, 1)], vec![EdgeId(0)]);
        names
    }

    fn request() -> CrossingsRequest {
        CrossingsRequest { file: "c".into(), edges: Box::new([EdgeId(0)]) }
    }

    fn seen(time_ms: i64, vehicle: u32, lane: u32, pos_m: f64) -> StepReport {
        let fcd = vec![crate::output::testing::seen(VehicleId(vehicle), LaneId(lane), pos_m, 3.0)];
        StepReport { time_ms, fcd, ..StepReport::default() }
    }

    #[test]
    fn a_way_is_written_when_the_vehicle_leaves_or_arrives() {
        let departing = StepReport { departed: vec![(VehicleId(0), EdgeId(0))], ..seen(0, 0, 0, 5.1) };
        let arriving = StepReport { time_ms: 3000, arrivals: vec![trip(1)], ..StepReport::default() };
        // Lane 3 is of another edge.
        let steps = [departing, seen(1000, 0, 3, 1.0), seen(2000, 1, 0, 0.5), arriving].map(|s| MergedStep::of([s]));
        let text = written(&mut Crossings::new(names(), &request()), &steps, &RunEnd::default());
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                r#"{"vehicle":"a","edges":["west"],"arrived":false}"#,
                r#"{"vehicle":"b&1","edges":["west"],"entry":{"time_ms":2000,"lane":0,"pos_m":0.5,"speed_mps":3.0},"arrived":false}"#,
            ]
        );
    }

    #[test]
    fn a_recorder_that_goes_on_writes_what_it_would_have_written() {
        let mut first = Crossings::new(names(), &request());
        let mut out = blank();
        first.step(&MergedStep::of([seen(0, 0, 0, 1.0)]), &mut out).unwrap();
        let mut second = Crossings::new(names(), &request());
        second.restore(&first.save()).unwrap();
        let rest = |sink: &mut Crossings| {
            let mut out = blank();
            sink.finish(&RunEnd::default(), &mut out).unwrap();
            out.bytes().to_vec()
        };
        let expected = rest(&mut first);
        assert!(!expected.is_empty() && rest(&mut second) == expected);
        assert!(Crossings::new(names(), &request()).restore(b"x").is_err());
    }
}
