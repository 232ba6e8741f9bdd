//! How a scenario is cut: by METIS or by hand, and into how many partitions.

use crate::demand::Demand;
use crate::diagnostics::InputError;
use crate::graph::Network;
use crate::graph::partition::Cut;
use crate::graph::sumo::NetworkIndex;
use crate::scenario::{Source, read_assignment};
use crate::scenario::{cut_by_traffic, default_partitions, weights_of_traffic};
use crate::settings::PartitionSettings;

/// More lanes make it worth while to divide the work of a worker further: a part that is lost is loaded and computed again by
/// one thread.
const MOST_LANES: usize = 100_000;
/// Longest assignment that is read, bytes.
const MAX_FILE: u64 = 1 << 30;

/// Who is to share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Cores of this process.
    Cores(usize),
    Workers(usize),
}

impl Hosts {
    /// The cores of this machine.
    pub fn here() -> Self {
        Self::Cores(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// A good number of partitions, before bounds are looked at.
    fn request(self, network: &Network) -> u32 {
        match self {
            Self::Cores(cores) => default_partitions(network, cores),
            Self::Workers(workers) => workers.max(network.lanes.len() / MOST_LANES).max(1) as u32,
        }
    }
}

/// Cuts a network as the settings ask for.
///
/// # Errors
/// The assignment cannot be read or is bad, or the network cannot be cut into as many partitions as are asked for.
pub fn cut_as_asked(
    network: &Network,
    demand: &Demand,
    seed: u64,
    settings: &PartitionSettings,
    hosts: Hosts,
) -> Result<Cut, InputError> {
    if !settings.assignment.as_os_str().is_empty() {
        return assigned(network, demand, settings);
    }
    let parts = if settings.count > 0 {
        settings.count
    } else {
        // Who asks for many workers and not for a number of partitions takes what a small network gives.
        let most = (crate::graph::partition::most_parts(network)).max(settings.min);
        hosts.request(network).min(most).clamp(settings.min, settings.max)
    };
    cut_by_traffic(network, demand, seed, parts)
}

fn assigned(network: &Network, demand: &Demand, settings: &PartitionSettings) -> Result<Cut, InputError> {
    let PartitionSettings { min, max, count, assignment: path } = settings;
    let file = path.display().to_string();
    let refused = |what: String| InputError::file(file.as_str(), what);
    let text = Source::text(path, MAX_FILE)?;
    let mut assignment = read_assignment(&file, &text, network, &NetworkIndex::new(network))?;
    let parts = if *count > 0 { *count } else { assignment.parts };
    if assignment.parts > parts {
        return Err(refused(format!(
            "the file has {} partitions, and {parts} are asked for; take some out, or ask for as many",
            assignment.parts
        )));
    }
    if !(*min..=*max).contains(&parts) {
        let bounds = format!("partition.min is {min} and partition.max {max}");
        return Err(refused(format!("the file has {parts} partitions, but {bounds}; change one of them")));
    }
    assignment.parts = parts;
    if !assignment.workers.is_empty() {
        assignment.workers.resize(parts as usize, None);
    }
    let weights = weights_of_traffic(network, demand);
    assignment.complete(network, &weights).map_err(|error| refused(error.to_string()))
}
