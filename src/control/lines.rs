//! Files of commands: one message, or one timed command, on each line.

use std::path::Path;

use crate::diagnostics::{InputError, Location};
use crate::scenario::Source;

/// Longest file, bytes.
const MAX_FILE: u64 = 64 << 20;

/// The text of such a file.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn read_file(path: &Path) -> Result<String, InputError> {
    Source::text(path, MAX_FILE)
}

/// The lines that are not empty, with their places. `file` is the name for messages.
pub(super) fn lines<'t>(file: &'t str, text: &'t str) -> impl Iterator<Item = (Location, &'t str)> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(move |(number, line)| (Location::line(file, number), line))
}
