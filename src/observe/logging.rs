//! Log lines on standard error: text for people, JSON for log collectors.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::diagnostics::Warnings;
use crate::settings::{LogFormat, LogSettings};

/// Sends the events of this process to standard error. To be called once; a second call changes nothing.
pub fn start_logging(settings: &LogSettings) {
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    // The settings were validated, so the filter is well-formed.
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        // Who reads along knows the time and does not care for modules.
        builder.with_ansi(std::io::stderr().is_terminal()).without_time().with_target(false).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
}

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
