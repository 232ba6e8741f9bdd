//! The front of the program: takes the commands of clients before, while and after a run is there.

mod actor;
mod core;
mod display;
mod library;

pub use self::actor::{Cutting, First, FirstFailed, Front, FrontSetup, Reader, Starter, ToStart, take_commands};
pub use self::core::{Core, Effect, Event, Loaded, RunEnd};
pub use self::display::page;
pub use self::library::{Library, LibraryError};
