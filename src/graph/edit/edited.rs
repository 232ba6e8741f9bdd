//! A network and all that was edited of it.

use super::change::Edit;
use super::draft::Draft;
use super::error::EditError;
use crate::graph::Network;
use crate::ids::LaneId;

/// The most edges that a network can come to; ids have 32 bits, and lanes are more.
const MAX_EDGES: usize = 1 << 28;

/// What edits make of a network.
#[derive(Clone, Debug)]
pub struct EditedNetwork {
    pub network: Network,
    /// By lane of the network at the beginning: where it is now; NONE if it was taken out. Lanes of removed edges are still
    /// there, with their edges.
    pub lanes: Vec<LaneId>,
}

impl EditedNetwork {
    /// Nothing is edited yet.
    pub fn new(network: &Network) -> Self {
        Self { network: network.clone(), lanes: (0..network.lanes.len()).map(LaneId::new).collect() }
    }

    /// Makes all edits, in their order.
    ///
    /// # Errors
    /// One of them cannot be made; then nothing changes.
    pub fn apply(&mut self, edits: &[Edit]) -> Result<(), EditError> {
        let mut draft = Draft::of(&self.network);
        for edit in edits {
            draft.edit(edit)?;
        }
        draft.connect_new_edges()?;
        if draft.edges.len() > MAX_EDGES {
            return Err(EditError::value("network", "it would have too many edges"));
        }
        let (network, moved) = draft.assemble();
        self.network = network;
        for lane in self.lanes.iter_mut().filter(|lane| lane.is_some()) {
            *lane = moved[lane.index()];
        }
        Ok(())
    }
}

impl Network {
    /// A network of nothing but what these edits add.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub fn made_of(edits: &[Edit]) -> Result<Self, EditError> {
        let mut made = EditedNetwork::new(&Self::default());
        made.apply(edits)?;
        Ok(made.network)
    }
}

impl Draft {
    fn edit(&mut self, edit: &Edit) -> Result<(), EditError> {
        match edit {
            Edit::AddJunction(junction) => self.add_junction(junction),
            Edit::AddEdge(edge) => self.add_edge(edge),
            Edit::RemoveEdge { edge } => self.remove_edge(edge),
            Edit::ChangeEdge { edge, priority, lanes, look } => self.change_edge(edge, *priority, *lanes, look),
            Edit::AddLane { edge, index, look, connect } => {
                let edge = self.edge(edge)?;
                self.add_lane(edge, *index, look, *connect)
            }
            Edit::RemoveLane { lane } => {
                let (edge, index) = self.lane(lane)?;
                self.remove_lane(edge, index)
            }
            Edit::ChangeLane { lane, look } => {
                let (edge, index) = self.lane(lane)?;
                let key = self.lane_of(edge, index)?;
                self.change_lane(key, look)
            }
            Edit::AddConnection(connection) => self.add_connection(connection),
            Edit::RemoveConnection { from, to, from_lane, to_lane } => {
                self.remove_connection(from, to, *from_lane, *to_lane)
            }
            Edit::SetProgram(program) => self.set_program(program),
        }
    }
}
