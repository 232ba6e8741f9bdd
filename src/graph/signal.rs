//! Traffic lights: programs of phases, and when which program is shown.

use serde::{Deserialize, Serialize};

use crate::ids::LaneId;

/// What a signal shows to one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Aspect {
    /// `r`, `u` (red+yellow).
    Red,
    /// `y`.
    Yellow,
    /// `Y`: yellow of a major link.
    YellowMajor,
    /// `g`: may pass, yields to its foes.
    Green,
    /// `G`: has priority.
    GreenMajor,
    /// `s`: right turn on red, after a stop.
    StopThenGo,
    /// `o`: blinking, yields like a minor link.
    OffBlinking,
    /// `O`: off; the link's own right of way counts.
    Off,
}

impl Aspect {
    /// By a letter of a `state`.
    pub fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'r' | 'u' | 'R' => Self::Red,
            'y' => Self::Yellow,
            'Y' => Self::YellowMajor,
            'g' => Self::Green,
            'G' => Self::GreenMajor,
            's' => Self::StopThenGo,
            'o' => Self::OffBlinking,
            'O' => Self::Off,
            _ => return None,
        })
    }

    pub fn letter(self) -> char {
        match self {
            Self::Red => 'r',
            Self::Yellow => 'y',
            Self::YellowMajor => 'Y',
            Self::Green => 'g',
            Self::GreenMajor => 'G',
            Self::StopThenGo => 's',
            Self::OffBlinking => 'o',
            Self::Off => 'O',
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Phase {
    pub duration_ms: i64,
    /// Bounds for actuated programs; equal to `duration_ms` when not given.
    pub min_duration_ms: i64,
    pub max_duration_ms: i64,
    /// One aspect per link index.
    pub aspects: Box<[Aspect]>,
    /// Phases that may follow (`next`); empty: the next in order.
    pub next: Box<[u32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramKind {
    Static,
    /// Gap-based extension of green phases.
    Actuated,
    /// `programID="off"`-like: signals off.
    Off,
}

/// Gap control parameters of an actuated program (SUMO `max-gap`, `detector-gap`, `passing-time`).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Actuation {
    pub max_gap_s: f64,
    pub detector_gap_s: f64,
    pub passing_time_s: f64,
}

impl Default for Actuation {
    fn default() -> Self {
        Self { max_gap_s: 3.0, detector_gap_s: 2.0, passing_time_s: 1.9 }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// `programID`.
    pub name: Box<str>,
    pub kind: ProgramKind,
    pub offset_ms: i64,
    pub phases: Box<[Phase]>,
    pub actuation: Actuation,
}

/// One entry of a WAUT: from `time_ms` on the signal shows program `program`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Switch {
    pub time_ms: i64,
    pub program: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// `id` of the `tlLogic`.
    pub name: Box<str>,
    pub programs: Box<[Program]>,
    /// The program shown at the start: as in SUMO the one loaded last.
    pub initial: u32,
    /// Switches by WAUT, ordered by time.
    pub switches: Box<[Switch]>,
    /// The incoming lane of each link index (NONE where the index is unused), for actuated detectors.
    pub lanes: Box<[LaneId]>,
}

impl Signal {
    /// Whether its state depends on the vehicles before it.
    pub fn is_actuated(&self) -> bool {
        self.programs.iter().any(|p| p.kind == ProgramKind::Actuated)
    }
}
