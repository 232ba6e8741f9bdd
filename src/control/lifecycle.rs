//! The life of a run, from nothing loaded to its end.

use std::fmt;

pub use crate::observe::RunState;

/// What moves a run from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Load,
    Start,
    /// All partitions stand; the run waits for its first step when it was started paused.
    Built {
        paused: bool,
    },
    Pause,
    Resume,
    /// The last step is recorded.
    Finish,
    /// It was told to stop, and has.
    Stop,
    Fail,
}

/// A turn that a state does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{turn:?} is not possible while the run is {from}")]
pub struct NotAllowed {
    pub from: RunState,
    pub turn: Turn,
}

impl RunState {
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::NetLoaded,
        Self::Building,
        Self::Running,
        Self::Paused,
        Self::Finished,
        Self::Stopped,
        Self::Failed,
    ];

    /// The state that follows. This is the only place that says so.
    ///
    /// # Errors
    /// There is none.
    pub fn after(self, turn: Turn) -> Result<Self, NotAllowed> {
        Ok(match (self, turn) {
            // Another network may be loaded as long as nothing runs.
            (Self::Idle | Self::NetLoaded | Self::Finished | Self::Stopped | Self::Failed, Turn::Load) => {
                Self::NetLoaded
            }
            (Self::NetLoaded, Turn::Start) => Self::Building,
            (Self::Building, Turn::Built { paused: false }) | (Self::Paused, Turn::Resume) => Self::Running,
            (Self::Building, Turn::Built { paused: true }) | (Self::Running, Turn::Pause) => Self::Paused,
            (Self::Building | Self::Running | Self::Paused, Turn::Finish) => Self::Finished,
            (Self::Building | Self::Running | Self::Paused, Turn::Stop) => Self::Stopped,
            (Self::Building | Self::Running | Self::Paused, Turn::Fail) => Self::Failed,
            (from, turn) => return Err(NotAllowed { from, turn }),
        })
    }

    /// Partitions are built, or being built.
    pub fn has_run(self) -> bool {
        matches!(self, Self::Building | Self::Running | Self::Paused)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::NetLoaded => "netLoaded",
            Self::Building => "building",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: [Turn; 9] = [
        Turn::Load,
        Turn::Start,
        Turn::Built { paused: false },
        Turn::Built { paused: true },
        Turn::Pause,
        Turn::Resume,
        Turn::Finish,
        Turn::Stop,
        Turn::Fail,
    ];

    #[test]
    fn a_run_goes_from_idle_to_its_end() {
        let turns = [Turn::Load, Turn::Start, Turn::Built { paused: true }, Turn::Resume, Turn::Pause, Turn::Stop];
        let end = turns.iter().try_fold(RunState::Idle, |state, turn| state.after(*turn));
        assert_eq!(end, Ok(RunState::Stopped));
    }

    #[test]
    fn nothing_but_a_new_network_leads_on_from_the_end() {
        for end in [RunState::Finished, RunState::Stopped, RunState::Failed] {
            for turn in TURNS {
                let expected = (turn == Turn::Load).then_some(RunState::NetLoaded);
                assert_eq!(end.after(turn).ok(), expected, "{end} {turn:?}");
            }
        }
    }

    #[test]
    fn who_has_no_run_can_neither_pause_nor_stop() {
        for state in RunState::ALL.into_iter().filter(|state| !state.has_run()) {
            for turn in [Turn::Pause, Turn::Resume, Turn::Stop, Turn::Finish, Turn::Fail, Turn::Built { paused: false }]
            {
                assert_eq!(state.after(turn), Err(NotAllowed { from: state, turn }));
            }
        }
    }
}
