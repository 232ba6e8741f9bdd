//! Networks that are edited, before a run and while it goes on (docs/editing.md).

mod front;
mod properties;
mod random;
mod running;

use crate::control::program;
