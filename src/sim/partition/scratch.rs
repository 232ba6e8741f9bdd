//! The working memory of a step: buffers that are filled and used up within it. Nothing here is state; it is kept so that no step
//! allocates.

use crate::graph::Network;
use crate::ids::{EdgeId, LaneId};

use crate::sim::models::insertion::entrance::Entrance;
use crate::sim::models::lane_change::{Change, LaneChanger};
use crate::sim::models::right_of_way::approach::Approaches;
use crate::sim::phases::deciding::Move;
use crate::sim::phases::following::FollowPlan;
use crate::sim::transfer::Transfer;
use crate::sim::vehicle::Vehicle;

/// A vehicle whose motion depends on who else approaches a junction.
#[derive(Clone, Copy, Debug)]
pub struct Yielding {
    pub lane: LaneId,
    /// Among the vehicles of the lane, and among all moves.
    pub index: u32,
    pub at: u32,
    pub plan: FollowPlan,
}

/// The buffers of a partition.
#[derive(Debug)]
pub struct Scratch {
    pub(in crate::sim) approaches: Approaches,
    /// By lane: where its vehicles begin in `moves`.
    pub(in crate::sim) first: Vec<u32>,
    pub(in crate::sim) yielding: Vec<Yielding>,
    pub(in crate::sim) moves: Vec<Move>,
    pub(in crate::sim) entering: Vec<(LaneId, Vehicle)>,
    /// Lanes on which vehicles may have come to overlap in this step.
    pub(in crate::sim) crowded: Vec<LaneId>,
    pub(in crate::sim) entering_transfers: Vec<(EdgeId, Transfer)>,
    pub(in crate::sim) changer: LaneChanger,
    pub(in crate::sim) changes: Vec<Change>,
    /// By edge with lane changes, ascending: where these begin in `changes`.
    pub(in crate::sim) changes_on: Vec<(EdgeId, u32)>,
    pub(in crate::sim) entrance: Entrance,
    pub(in crate::sim) inserted: Vec<(LaneId, Vehicle)>,
    /// The changes in the order in which vehicles are taken off their lanes, and those vehicles with their new lanes.
    pub(in crate::sim) change_order: Vec<u32>,
    pub(in crate::sim) changed: Vec<(LaneId, Vehicle)>,
    /// Edges with vehicles that want to get onto the road.
    pub(in crate::sim) entered_edges: Vec<EdgeId>,
    pub(in crate::sim) edge_lanes: Vec<Vec<Vehicle>>,
    /// Own edges with vehicles on which lanes can be changed.
    pub(in crate::sim) busy_wide: Vec<EdgeId>,
}

impl Scratch {
    /// `expected`: how many vehicles are to be expected at once.
    pub(super) fn new(network: &Network, expected: usize) -> Self {
        Self {
            approaches: Approaches::new(network.links.len(), expected),
            first: vec![0; network.lanes.len()],
            yielding: Vec::new(),
            moves: Vec::with_capacity(expected),
            entering: Vec::new(),
            crowded: Vec::new(),
            entering_transfers: Vec::new(),
            changer: LaneChanger::default(),
            changes: Vec::new(),
            changes_on: Vec::new(),
            entrance: Entrance::default(),
            inserted: Vec::new(),
            change_order: Vec::new(),
            changed: Vec::new(),
            entered_edges: Vec::new(),
            edge_lanes: Vec::new(),
            busy_wide: Vec::new(),
        }
    }
}
