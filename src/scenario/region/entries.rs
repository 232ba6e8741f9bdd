//! Reads crossings that were recorded, and finds the vehicles and stops behind them.

use std::collections::HashMap;
use std::path::Path;

use super::source::read_line;
use crate::demand::{Demand, Entry, Piece, RoadGraph, Stop};
use crate::diagnostics::{InputError, Location};
use crate::graph::sumo::NetworkIndex;
use crate::graph::{Network, Surroundings};
use crate::ids::{EdgeId, VehicleId};
use crate::scenario::{Crossing, CrossingEntry, CrossingsHead, Source};
use crate::xml::shorten;

/// Longest line: a way of 65,535 edges with long names.
const MAX_LINE: usize = 1 << 24;

/// The pieces in a file of crossings, one after the other.
pub(super) struct Entries<'a> {
    file: String,
    line: u64,
    reader: Source,
    network: &'a Network,
    demand: &'a Demand,
    surroundings: &'a Surroundings,
    graph: RoadGraph,
    index: NetworkIndex,
    vehicles: HashMap<&'a str, VehicleId>,
    /// By vehicle: it was seen.
    seen: Vec<bool>,
    /// By vehicle: which of its stops are behind it.
    stopped: HashMap<VehicleId, Vec<bool>>,
}

impl<'a> Entries<'a> {
    /// Opens the file and checks that it is of this region, which is called `region` in messages.
    pub fn open(
        path: &Path,
        region: &str,
        network: &'a Network,
        demand: &'a Demand,
        surroundings: &'a Surroundings,
    ) -> Result<Self, InputError> {
        let mut entries = Self {
            file: path.display().to_string(),
            line: 0,
            reader: Source::open(path)?,
            network,
            demand,
            surroundings,
            graph: RoadGraph::new(network),
            index: NetworkIndex::new(network),
            vehicles: demand.departures.iter().enumerate().map(|(at, d)| (&*d.name, VehicleId::new(at))).collect(),
            seen: vec![false; demand.departures.len()],
            stopped: HashMap::new(),
        };
        let head = entries.read_line()?.unwrap_or_default();
        let head: CrossingsHead = serde_json::from_str(&head).map_err(|error| {
            let what = "this is no file of crossings; a run with --record-crossings writes one";
            entries.error(format!("{what} ({error})"))
        })?;
        if head != CrossingsHead::of(network, &surroundings.simulated()) {
            let message = format!(
                "the crossings were recorded for another region or network than '{}'; record them again with the same --region",
                shorten(region)
            );
            return Err(entries.error(message));
        }
        Ok(entries)
    }

    pub fn saw(&self, vehicle: VehicleId) -> bool {
        self.seen[vehicle.index()]
    }

    /// The next piece; those of one vehicle come in their order.
    pub fn next(&mut self) -> Result<Option<Piece>, InputError> {
        let Some(text) = self.read_line()? else { return Ok(None) };
        let crossing: Crossing<'_> = serde_json::from_str(&text)
            .map_err(|error| self.error(format!("the line is damaged ({error}); record the crossings again")))?;
        self.piece(&crossing).map(Some)
    }

    fn piece(&mut self, crossing: &Crossing<'_>) -> Result<Piece, InputError> {
        let Crossing { vehicle: name, edges, entry, arrived } = crossing;
        let vehicle = self.vehicles.get(&**name).copied().ok_or_else(|| {
            let name = shorten(name);
            self.error(format!("vehicle '{name}' is not in the demand; record the crossings of this scenario"))
        })?;
        let known = |name: &std::borrow::Cow<'_, str>| {
            let edge = self.index.edge(name).filter(|edge| self.surroundings.is_simulated[edge.index()]);
            edge.ok_or_else(|| self.error(format!("edge '{}' is not in or around the region", shorten(name))))
        };
        let edges: Vec<EdgeId> = edges.iter().map(known).collect::<Result<_, _>>()?;
        if edges.is_empty() || edges.len() > usize::from(u16::MAX) {
            return Err(self.error(format!("a way has 1 to {} edges, not {}", u16::MAX, edges.len())));
        }
        let class = self.demand.types[self.demand.departures[vehicle.index()].vtype.index()].class;
        self.graph.check_route(self.network, &edges, class).map_err(|what| self.error(what))?;
        let entry = match *entry {
            None => Entry::Departure,
            Some(CrossingEntry { time_ms, lane, pos_m, speed_mps }) => {
                let edge = self.network.edge(edges[0]);
                let on_edge = (0.0..=edge.length_m).contains(&pos_m) && lane < edge.lane_count;
                if !(on_edge && speed_mps.is_finite() && speed_mps >= 0.0 && time_ms.unsigned_abs() < 1 << 60) {
                    return Err(self.error("the entry is not on the edge; record the crossings again"));
                }
                Entry::Seen { time_ms, lane_index: lane, pos_m, speed_mps }
            }
        };
        let stops = self.stops_on(vehicle, &edges, entry);
        self.seen[vehicle.index()] = true;
        Ok(Piece { vehicle, edges, entry, arrives: *arrived, stops })
    }

    /// The stops of a vehicle that are on a way and not behind it.
    fn stops_on(&mut self, vehicle: VehicleId, edges: &[EdgeId], entry: Entry) -> Vec<Stop> {
        let stops = &self.demand.stops[self.demand.departures[vehicle.index()].stops.range()];
        if stops.is_empty() {
            return Vec::new();
        }
        let made = self.stopped.entry(vehicle).or_insert_with(|| vec![false; stops.len()]);
        let entered_at_m = match entry {
            Entry::Seen { pos_m, .. } => pos_m,
            Entry::Departure | Entry::Expected { .. } => 0.0,
        };
        let (mut from, mut behind_m) = (0, entered_at_m);
        let mut here = Vec::new();
        for (stop, made) in stops.iter().zip(made).filter(|(_, made)| !**made) {
            let edge = self.network.lane(stop.lane).edge;
            let ahead = |at: &usize| edges[*at] == edge && (*at > from || stop.end_m >= behind_m);
            if let Some(at) = (from..edges.len()).find(ahead) {
                (from, behind_m, *made) = (at, stop.end_m, true);
                here.push(Stop { route_index: at as u32, ..stop.clone() });
            }
        }
        here
    }

    fn read_line(&mut self) -> Result<Option<String>, InputError> {
        self.line += 1;
        read_line(&mut self.reader, MAX_LINE).map_err(|what| self.error(what))
    }

    fn error(&self, message: impl Into<String>) -> InputError {
        InputError::new(Location::line(self.file.as_str(), self.line), message)
    }
}
