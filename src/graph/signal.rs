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

    /// May pass, with or without priority.
    pub fn is_green(self) -> bool {
        matches!(self, Self::Green | Self::GreenMajor)
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
    /// Times in the cycle between which an actuated phase ends (`earliestEnd`, `latestEnd`).
    pub earliest_end_ms: Option<i64>,
    pub latest_end_ms: Option<i64>,
}

impl Phase {
    /// Its length depends on the vehicles, in an actuated program.
    pub fn is_actuated(&self) -> bool {
        self.min_duration_ms < self.max_duration_ms
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramKind {
    Static,
    /// Gap-based extension of green phases.
    Actuated,
    /// `programID="off"`-like: signals off.
    Off,
}

/// Parameters of an actuated program; the names in SUMO are those of the fields with `-`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Actuation {
    pub max_gap_s: f64,
    pub detector_gap_s: f64,
    pub passing_time_s: f64,
    pub detector_length_m: f64,
    /// A vehicle that stands on a loop this long does not count any more; 0 or less: it always does. `None`: as the run's
    /// settings say.
    pub jam_threshold_s: Option<f64>,
    /// Seconds after which a loop that was not served is preferred where phases are chosen.
    pub inactive_threshold_s: f64,
    /// Names of the vehicle types that loops detect; empty: all.
    pub vtypes: Box<[Box<str>]>,
    /// Times in the cycle count from the offset, with this cycle; `None`: from the last switch into phase 0.
    pub coordinated_ms: Option<i64>,
    /// Values that hold for the loop of one lane only, with the name of the lane.
    pub of_lanes: Box<[(LaneParameter, Box<str>, f64)]>,
}

/// Parameters that can be given for a single lane, as `KEY:LANE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaneParameter {
    MaxGap,
    JamThreshold,
    DetectorLength,
}

impl Default for Actuation {
    fn default() -> Self {
        Self {
            max_gap_s: 3.0,
            detector_gap_s: 2.0,
            passing_time_s: 1.9,
            detector_length_m: 0.0,
            jam_threshold_s: None,
            inactive_threshold_s: 180.0,
            vtypes: Box::default(),
            coordinated_ms: None,
            of_lanes: Box::default(),
        }
    }
}

impl Actuation {
    /// What is given for a single lane.
    pub fn of_lane(&self, parameter: LaneParameter, name: impl FnOnce() -> String) -> Option<f64> {
        if self.of_lanes.is_empty() {
            return None;
        }
        let name = name();
        let found = self.of_lanes.iter().rfind(|(which, lane, _)| *which == parameter && **lane == *name);
        found.map(|(_, _, value)| *value)
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
