//! The file of crossings: who came into a region in a run of the whole network, and which way it went there. One JSON object a
//! line: first a [`CrossingsHead`], then a [`Crossing`] for each way, in the order in which the ways ended.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::graph::Network;
use crate::ids::EdgeId;

/// Of the file; to be raised when lines change their meaning.
const VERSION: u32 = 1;

/// For which region the file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossingsHead {
    tessds_crossings: u32,
    /// Number of edges that are simulated, and a hash of their names.
    edges: usize,
    hash: String,
}

impl CrossingsHead {
    /// `simulated`: the edges of the region and around it, by id.
    pub fn of(network: &Network, simulated: &[EdgeId]) -> Self {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for edge in simulated {
            hash.update(network.edge(*edge).name.as_bytes());
            hash.update(b"\n");
        }
        Self { tessds_crossings: VERSION, edges: simulated.len(), hash: format!("{:016x}", hash.digest()) }
    }
}

/// A vehicle's way through the region and its surroundings, without a gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crossing<'t> {
    #[serde(borrow)]
    pub vehicle: Cow<'t, str>,
    /// The edges that it drove on.
    #[serde(borrow)]
    pub edges: Vec<Cow<'t, str>>,
    /// Where it was seen first; `None`: it departed on the first edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<CrossingEntry>,
    /// It came to the end of its whole way.
    pub arrived: bool,
}

/// When, where and how a vehicle came in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossingEntry {
    /// Of the step after which it was seen first.
    pub time_ms: i64,
    pub lane: u32,
    pub pos_m: f64,
    pub speed_mps: f64,
}
