//! The warnings of the readers, in the log.

use crate::diagnostics::Warnings;

/// Says what the readers met, once per kind.
pub fn warn_all(warnings: &Warnings) {
    for (kind, at, message, times) in warnings.iter() {
        if at.file.is_empty() {
            tracing::warn!(times, "{kind}: {message}");
        } else {
            tracing::warn!(%at, times, "{kind}: {message}");
        }
    }
}
