//! A scenario whose network was edited before the run.

use super::{OutputRequests, Scenario};
use crate::demand::fit_demand;
use crate::diagnostics::{Location, Warnings};
use crate::graph::edit::EditedNetwork;
use crate::graph::{EdgeKind, Network};
use crate::ids::{EdgeId, LaneId, SignalId};

impl Scenario {
    /// The scenario on its network as it was edited: routes and measurements follow.
    #[must_use]
    pub fn edited(self, edited: EditedNetwork, warnings: &mut Warnings) -> Self {
        let Self { network: before, mut demand, settings, requests } = self;
        let EditedNetwork { network, lanes } = edited;
        let adapted = fit_demand(&mut demand, &before, &network, &lanes);
        let mut warn = |kind: &str, count: u64, message: &str| {
            for _ in 0..count {
                warnings.add(kind, edits_at(), message);
            }
        };
        warn("routes over what was edited away", adapted.diverted, "another way was found");
        warn("vehicles without a way on the edited network", adapted.discarded, "they are left out");
        warn("stops on what was edited away", adapted.stops_lost, "they are left out");
        warn("departure or arrival lanes that were edited away", adapted.other_lane, "another lane is taken");
        let requests = requests_on(&network, &lanes, requests, warnings);
        Self { network, demand, settings, requests }
    }
}

impl OutputRequests {
    /// The measurements of a run that goes on in an edited network. Files that it writes cannot end in the middle.
    ///
    /// # Errors
    /// Something is measured on a lane that is gone.
    pub fn follow(&mut self, network: &Network, lanes: &[LaneId]) -> Result<(), String> {
        if self.crossings.is_some() {
            return Err("the run records crossings of a region, whose roads have to stay as they are".to_owned());
        }
        let gone = self.renumber_detectors(|id| {
            let lane = lanes[id.index()];
            (lane.is_some() && network.edge_of(lane).kind != EdgeKind::Removed).then_some(lane)
        });
        self.signals.retain_mut(|request| {
            let found = signal_named(network, &request.name);
            request.signal = found.unwrap_or(request.signal);
            found.is_some()
        });
        match gone.first() {
            Some(name) => Err(format!("detector '{name}' is on a lane that would be gone; edit before the start")),
            None => Ok(()),
        }
    }
}

pub(super) fn signal_named(network: &Network, name: &str) -> Option<SignalId> {
    network.signals.iter().position(|signal| &*signal.name == name).map(SignalId::new)
}

fn edits_at() -> Location {
    Location::file("edits")
}

/// Measurements on roads that are still there; one warning for the others.
fn requests_on(
    network: &Network,
    lanes: &[LaneId],
    requests: OutputRequests,
    warnings: &mut Warnings,
) -> OutputRequests {
    let is_there = |edge: EdgeId| network.edge(edge).kind != EdgeKind::Removed;
    let lane = |lane: LaneId| {
        let moved = lanes[lane.index()];
        if moved.is_some() && is_there(network.lane(moved).edge) { moved } else { LaneId::NONE }
    };
    let edge = |edge: EdgeId| if is_there(edge) { edge } else { EdgeId::NONE };
    let gone = ["detectors on lanes that were edited away", "edge data of edges only that were edited away"];
    requests.moved(lane, edge, |name| signal_named(network, name), gone, &edits_at(), warnings)
}
