//! New routes, from who finds them to all partitions.

use serde::{Deserialize, Serialize};

use super::FencingToken;
use crate::sim::report::{RouteCause, RouteUpdate};

/// Routes that hold from the beginning of a step. Notices do not come in the order of their steps: ways round a road that
/// was closed just now hold sooner than routes by the traffic that were found before. Who waits for their step sorts them
/// by step and cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteNotice {
    pub token: FencingToken,
    /// The first step that is computed with them.
    pub at_step: u64,
    /// Of two for one step that by the traffic is taken over first. There is one of each cause at most.
    pub cause: RouteCause,
    pub updates: Vec<RouteUpdate>,
}
