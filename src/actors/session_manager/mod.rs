//! Takes the commands of clients before, during and after a run.

mod actor;
mod core;
mod display;
mod library;

pub use self::actor::{
    Cutting, First, FirstFailed, Reader, SessionManager, SessionManagerSetup, Starter, ToStart, take_commands,
};
pub use self::core::{Core, Effect, Event, Loaded, RunEnd};
pub use self::display::page;
pub use self::library::{Library, LibraryError};
