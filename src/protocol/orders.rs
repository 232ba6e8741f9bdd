//! Orders of operators, from the master to all partitions that they concern and to the recorder.

use serde::{Deserialize, Serialize};

use super::FencingToken;
use crate::sim::Order;

/// Orders that are applied at the beginning of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderNotice {
    pub token: FencingToken,
    /// Place in the command log; who has a notice of this number does not need it again.
    pub number: u64,
    /// The first step that is computed with them.
    pub at_step: u64,
    /// In the order in which they were given.
    pub orders: Vec<Order>,
    /// A snapshot of the state before the step is to be stored.
    pub snapshot: bool,
}
