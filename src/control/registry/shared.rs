//! Directions, run states and arguments that several commands share.

use crate::control::lifecycle::RunState::{
    self, Building, Failed, Finished, Idle, NetLoaded, Paused, Running, Stopped,
};
use crate::control::message::Direction;

pub(super) const UP: &[Direction] = &[Direction::Up];
pub(super) const DOWN: &[Direction] = &[Direction::Down, Direction::Load];
pub(super) const LOAD: &[Direction] = &[Direction::Load, Direction::Down];
pub(super) const ANY: &[Direction] = &[Direction::Up, Direction::Down, Direction::Load];

pub(super) const ALWAYS: &[RunState] = &RunState::ALL;
pub(super) const AT_REST: &[RunState] = &[Idle, NetLoaded, Finished, Stopped, Failed];
pub(super) const LOADED: &[RunState] = &[NetLoaded, Building, Running, Paused, Finished, Stopped, Failed];
pub(super) const WITH_RUN: &[RunState] = &[Building, Running, Paused];
pub(super) const STEPPING: &[RunState] = &[Running, Paused];

pub(super) const ACTION: (&str, &str) = ("action", "second word of the command's name");
