//! What can be changed, with everything named as in the files.

use serde::{Deserialize, Serialize};

use crate::graph::{JunctionKind, Permissions, ProgramKind, Turn};

/// One change of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Edit {
    AddJunction(NewJunction),
    AddEdge(Box<NewEdge>),
    /// With its lanes, and all connections from and to it.
    RemoveEdge {
        edge: String,
    },
    ChangeEdge {
        edge: String,
        priority: Option<i32>,
        /// Lanes are added and taken away on the left.
        lanes: Option<u32>,
        /// Of all its lanes.
        look: LaneLook,
    },
    /// Lanes from `index` on move one to the left; `None`: a new leftmost lane.
    AddLane {
        edge: String,
        index: Option<u32>,
        look: LaneLook,
        /// It leads where the lane beside it leads, and is led to from there.
        connect: bool,
    },
    /// Lanes to the left of it move one to the right.
    RemoveLane {
        lane: String,
    },
    ChangeLane {
        lane: String,
        look: LaneLook,
    },
    AddConnection(Box<NewConnection>),
    /// Without lanes: all between the two edges.
    RemoveConnection {
        from: String,
        to: String,
        from_lane: Option<u32>,
        to_lane: Option<u32>,
    },
    /// A program of a signal, new or instead of the one with its name.
    SetProgram(Box<NewProgram>),
}

/// A place where roads can meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJunction {
    pub id: String,
    /// Metres in the network's coordinates.
    pub x: f64,
    pub y: f64,
    pub kind: JunctionKind,
}

impl NewJunction {
    /// A junction where roads with a higher priority go first.
    pub fn new(id: impl Into<String>, x: f64, y: f64) -> Self {
        Self { id: id.into(), x, y, kind: JunctionKind::Priority }
    }
}

/// A road from one junction to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEdge {
    pub id: String,
    pub from: String,
    pub to: String,
    pub lanes: u32,
    pub priority: i32,
    /// Metres; `None`: as long as its shape.
    pub length_m: Option<f64>,
    /// Centre line of the road, metres, two points or more; `None`: straight from junction to junction.
    pub shape: Option<Vec<[f64; 2]>>,
    pub look: LaneLook,
    /// If nothing connects it, it gets connections by the angles of the roads at its ends.
    pub connect: bool,
}

impl NewEdge {
    /// A straight road with one lane, as where nothing more is said.
    pub fn new(id: impl Into<String>, from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            from: from.into(),
            to: to.into(),
            lanes: 1,
            priority: -1,
            length_m: None,
            shape: None,
            look: LaneLook::default(),
            connect: true,
        }
    }
}

/// How lanes are; `None`: as they were, or as SUMO's are where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneLook {
    pub speed_mps: Option<f64>,
    pub width_m: Option<f64>,
    pub allowed: Option<Permissions>,
}

/// A way through a junction, from an edge that leads there to one that leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewConnection {
    pub from: String,
    pub to: String,
    /// `None`: by the angle, the right, left or same lane.
    pub from_lane: Option<u32>,
    pub to_lane: Option<u32>,
    /// `None`: by the angle.
    pub turn: Option<Turn>,
    /// Signal and link index; `None`: at a junction with a signal those of the movement that is most like it.
    pub signal: Option<(String, u32)>,
}

impl NewConnection {
    /// Lanes, turn and signal as the angle has it.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into(), from_lane: None, to_lane: None, turn: None, signal: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewProgram {
    pub signal: String,
    /// `programID`.
    pub program: String,
    pub kind: ProgramKind,
    pub offset_ms: i64,
    pub phases: Vec<NewPhase>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewPhase {
    pub duration_ms: i64,
    pub min_duration_ms: Option<i64>,
    pub max_duration_ms: Option<i64>,
    /// A letter for each link index, as in `tlLogic`.
    pub state: String,
}
