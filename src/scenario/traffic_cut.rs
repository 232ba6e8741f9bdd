//! How a scenario is cut into partitions where no assignment says it: by the traffic that its routes promise.

use super::Scenario;
use crate::demand::Demand;
use crate::diagnostics::InputError;
use crate::graph::Network;
use crate::graph::partition::{Cut, CutWeights, cut};

/// Below this a step is too short to be shared out between threads.
const LANES_WORTH_CUTTING: usize = 20_000;

/// Number of partitions for a network when nobody says.
pub fn default_partitions(network: &Network, cores: usize) -> u32 {
    if network.lanes.len() >= LANES_WORTH_CUTTING { cores.clamp(1, 64) as u32 } else { 1 }
}

/// Cuts a scenario's network by the traffic that its routes promise.
///
/// # Errors
/// `parts` is 0, or the network is too small for it.
pub fn cut_scenario(scenario: &Scenario, parts: u32) -> Result<Cut, InputError> {
    cut_by_traffic(&scenario.network, &scenario.demand, scenario.settings.seed, parts)
}

/// As [`cut_scenario`].
///
/// # Errors
/// As [`cut_scenario`].
pub fn cut_by_traffic(network: &Network, demand: &Demand, seed: u64, parts: u32) -> Result<Cut, InputError> {
    let weights = weights_of_traffic(network, demand);
    cut(network, &weights, parts, seed).map_err(|error| InputError::file("partitions", error.to_string()))
}

/// What a cut should balance and avoid, by the routes of the demand.
pub fn weights_of_traffic(network: &Network, demand: &Demand) -> CutWeights {
    CutWeights::of_usage(network, &passages(network, demand))
}

/// By edge: how many vehicles pass it on their routes.
fn passages(network: &Network, demand: &Demand) -> Vec<u32> {
    let mut vehicles = vec![0u32; network.edges.len()];
    for departure in &demand.departures {
        for edge in demand.route(departure.route) {
            vehicles[edge.index()] = vehicles[edge.index()].saturating_add(1);
        }
    }
    vehicles
}
