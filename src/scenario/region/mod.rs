//! Simulating a part of a network: which part, and what of the scenario belongs to it.

mod entries;
mod source;

pub use source::RegionSource;

use std::path::Path;

use super::edited::signal_named;
use super::{CrossingsRequest, OutputRequests, Scenario, Settings};
use crate::demand::{Clipper, Demand, Entry, FreeFlow};
use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::sumo::NetworkIndex;
use crate::graph::{Network, Subnetwork, Surroundings};
use crate::ids::{EdgeId, LaneId, VehicleId};
use entries::Entries;

/// A part of a network that is to be simulated, or to be watched in a run of the whole.
#[derive(Clone, Debug)]
pub struct Region {
    /// As the user gave it, for messages.
    name: String,
    inside: Vec<EdgeId>,
    surroundings: Surroundings,
}

impl Region {
    /// Finds the edges of a region and what has to be simulated around it.
    ///
    /// # Errors
    /// The file cannot be read or names what is not in the network, or the region has no edge.
    pub fn find(source: &RegionSource, network: &Network, warnings: &mut Warnings) -> Result<Self, InputError> {
        let inside = source.edges(network, &NetworkIndex::new(network), warnings)?;
        let surroundings = Surroundings::of(network, &inside);
        Ok(Self { name: source.to_string(), inside, surroundings })
    }

    /// Edges of the region itself, by id.
    pub fn inside(&self) -> &[EdgeId] {
        &self.inside
    }

    /// Edges that are simulated: those inside and those around that share a junction with them, by id.
    pub fn simulated(&self) -> Vec<EdgeId> {
        self.surroundings.simulated()
    }

    /// Asks the run of a whole network to write to `file` who comes into the region, and how.
    pub fn record(&self, file: &Path, requests: &mut OutputRequests) {
        requests.crossings = Some(CrossingsRequest { file: file.to_owned(), edges: self.simulated().into() });
    }

    /// The scenario of the region alone. Vehicles come in where and when the file `crossings` saw them, or else as they would on
    /// empty roads.
    ///
    /// # Errors
    /// The file cannot be read, or is of another network or region.
    pub fn cut_out(
        &self,
        whole: Scenario,
        crossings: Option<&Path>,
        warnings: &mut Warnings,
    ) -> Result<Scenario, InputError> {
        let Scenario { network, demand, mut settings, requests } = whole;
        let part = Subnetwork::cut_out(&network, &self.surroundings.is_simulated);
        let demand = match crossings {
            Some(file) => {
                // The ways that were recorded are those that routing during the run has led to.
                settings.rerouting = None;
                self.recorded(file, &network, &demand, &part, &settings)?
            }
            None => self.expected(&network, &demand, &part, &settings),
        };
        let requests = self.requests_inside(&part, requests, warnings);
        Ok(Scenario { network: part.network, demand, settings, requests })
    }

    fn expected(&self, network: &Network, demand: &Demand, part: &Subnetwork, settings: &Settings) -> Demand {
        let free_flow = FreeFlow::new(network);
        let mut clipper = Clipper::new(demand, part);
        for vehicle in (0..demand.departures.len()).map(VehicleId::new) {
            for piece in free_flow.pieces(demand, vehicle, &self.surroundings.is_simulated) {
                clipper.add(&piece);
            }
        }
        clipper.finish(settings.begin_ms, settings.step_ms)
    }

    fn recorded(
        &self,
        file: &Path,
        network: &Network,
        demand: &Demand,
        part: &Subnetwork,
        settings: &Settings,
    ) -> Result<Demand, InputError> {
        let is_simulated = &self.surroundings.is_simulated;
        let mut clipper = Clipper::new(demand, part);
        let mut entries = Entries::open(file, &self.name, network, demand, &self.surroundings)?;
        while let Some(piece) = entries.next()? {
            clipper.add(&piece);
        }
        // Who departs inside but was never seen there still waits at the end of the recorded run.
        let free_flow = FreeFlow::new(network);
        for vehicle in (0..demand.departures.len()).map(VehicleId::new).filter(|vehicle| !entries.saw(*vehicle)) {
            let first = free_flow.pieces(demand, vehicle, is_simulated).into_iter().next();
            if let Some(piece) = first.filter(|piece| piece.entry == Entry::Departure) {
                clipper.add(&piece);
            }
        }
        Ok(clipper.finish(settings.begin_ms, settings.step_ms))
    }

    /// Measurements on roads that are simulated; one warning for the others.
    fn requests_inside(&self, part: &Subnetwork, requests: OutputRequests, warnings: &mut Warnings) -> OutputRequests {
        let (lane, edge) = (|id: LaneId| part.lanes[id.index()], |id: EdgeId| part.edges[id.index()]);
        let gone = ["detectors outside of the region", "edge data of edges outside of the region only"];
        let requests = OutputRequests { crossings: None, ..requests };
        let signal = |name: &str| signal_named(&part.network, name);
        requests.moved(lane, edge, signal, gone, &Location::file(self.name.as_str()), warnings)
    }
}
