//! Networks that are edited, before a run and while it goes on (docs/editing.md).

#[path = "../common/mod.rs"]
mod common;

mod front;
#[path = "../control/program.rs"]
#[allow(dead_code)] // these tests use a part
mod program;
mod properties;
mod random;
mod running;
