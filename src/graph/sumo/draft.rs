//! What the reader holds between reading the files and assembling the network: names are resolved to ids as soon as
//! they are read, objects that are named before they are defined are drafts.

use crate::graph::{Junction, Program, RightOfWay, Turn};
use crate::ids::{LaneId, LinkId, SignalId};

/// Where an object was read: index into the builder's file names, and the line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub file: u32,
    pub line: u64,
}

impl Place {
    /// Says of an id that the object which was read here has it.
    pub fn is_taken(self) -> String {
        format!("this id was already used in line {}; ids must be unique", self.line)
    }
}

/// One row of the right-of-way matrix of a junction.
pub(super) struct Request {
    response: Box<str>,
    foes: Box<str>,
    pub cont: bool,
}

impl Request {
    pub fn new(response: &str, foes: &str, cont: bool) -> Self {
        Self { response: response.into(), foes: foes.into(), cont }
    }
    /// Must yield to the connection with this request index.
    pub fn yields_to(&self, other: usize) -> bool {
        bit(&self.response, other)
    }
    /// Is in conflict with the connection with this request index.
    pub fn is_foe(&self, other: usize) -> bool {
        bit(&self.foes, other)
    }
}

/// The rightmost character is index 0.
fn bit(bits: &str, index: usize) -> bool {
    let bits = bits.as_bytes();
    index < bits.len() && bits[bits.len() - 1 - index] == b'1'
}

/// A junction that was named by an edge, or read.
pub(super) struct JunctionDraft {
    pub junction: Junction,
    /// Of the definition, or of the element that named it first.
    pub place: Place,
    pub defined: bool,
    pub rail: bool,
    pub incoming: Box<[LaneId]>,
    pub requests: Vec<Request>,
    /// Entry link of each request; filled while assembling. NONE for pedestrian crossings.
    pub links: Vec<LinkId>,
}

/// A place inside a junction where vehicles wait (`type="internal"`).
pub(super) struct InternalJunction {
    /// The lane at whose end they wait.
    pub lane: LaneId,
    /// The incoming lanes of the junction whose vehicles go first.
    pub foe_lanes: Box<[LaneId]>,
}

/// A `<connection>` between lanes for vehicles.
pub(super) struct Connection {
    pub from: LaneId,
    pub to: LaneId,
    /// The internal lane between, or NONE.
    pub via: LaneId,
    pub signal: SignalId,
    pub signal_index: u32,
    pub turn: Turn,
    pub right_of_way: RightOfWay,
    pub keep_clear: bool,
    pub visibility_m: f64,
    pub place: Place,
}

/// A signal that was named by a connection, or read.
pub(super) struct SignalDraft {
    pub name: Box<str>,
    pub programs: Vec<Program>,
    pub place: Place,
    /// Controls rails (which are not simulated): may have no program.
    pub rail: bool,
}

/// A `<WAUT>`: a plan of program switches.
pub(super) struct SwitchPlan {
    pub start_program: Option<Box<str>>,
    /// Absolute time in milliseconds and program name, ordered by time.
    pub switches: Vec<(i64, Box<str>)>,
    pub place: Place,
}

/// A `<wautJunction>`: a signal that follows a plan.
pub(super) struct PlanUse {
    pub plan: Box<str>,
    pub signal: Box<str>,
    pub place: Place,
}
