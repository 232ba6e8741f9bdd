//! Log lines on standard error, and in a file if that is wished: text for people, JSON for log collectors.

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::log_file::RotatingFile;
use super::messages::{ToMessageFiles, is_shown};
use super::traces::{Origin, TracesGuard, traces};
use crate::diagnostics::InputError;
use crate::settings::{LogFormat, LogSettings, OtelSettings};

/// Lines that wait for the disk. Further ones are left out of the file, not of standard error (I7).
const WAITING_LINES: usize = 65_536;

/// Writes what waits for the disk, and sends what waits for the collector of traces, when it is dropped.
#[must_use]
pub struct LogGuard {
    _traces: Option<TracesGuard>,
    _file: Option<WorkerGuard>,
}

/// Sends the events of this process to standard error, and to the file of the settings, and makes traces of them if that is wished.
/// To be called once; a second call changes nothing.
///
/// # Errors
/// The file cannot be written, or there can be no traces.
pub fn start_logging(settings: &LogSettings, otel: &OtelSettings, origin: &Origin) -> Result<LogGuard, InputError> {
    let is_terminal = std::io::stderr().is_terminal();
    let json = match settings.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    // The settings were validated, so the filter is well-formed.
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let to_people = || {
        // Who reads along knows the time and does not care for modules.
        let layer = tracing_subscriber::fmt::layer().with_ansi(is_terminal).without_time().with_target(false);
        layer.with_writer(std::io::stderr.with_filter(is_shown)).boxed()
    };
    let to_error = if json { json_lines(std::io::stderr.with_filter(is_shown)) } else { to_people() };
    let (to_file, file) = file_lines(settings)?.unzip();
    let (to_collector, traces) = traces(otel, origin)?.unzip();
    // Traces are made of more than what is logged.
    let lines = to_error.and_then(to_file).and_then(ToMessageFiles).with_filter(filter);
    if tracing_subscriber::registry().with(lines).with(to_collector).try_init().is_err() {
        tracing::debug!("logging was already started");
    }
    Ok(LogGuard { _traces: traces, _file: file })
}

/// Something that is done with the lines of the log.
pub(super) type Lines<S> = Box<dyn Layer<S> + Send + Sync>;

fn json_lines<S, W>(writer: W) -> Lines<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(writer).boxed()
}

fn file_lines<S>(settings: &LogSettings) -> Result<Option<(Lines<S>, WorkerGuard)>, InputError>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    if settings.file.as_os_str().is_empty() {
        return Ok(None);
    }
    let name = settings.file.display().to_string();
    let file = RotatingFile::open(settings)
        .map_err(|error| InputError::file(name, format!("the log file cannot be written: {error}; see log.file")))?;
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).thread_name("log").finish(file);
    let lines = match settings.file_format {
        LogFormat::Auto | LogFormat::Json => json_lines(writer),
        LogFormat::Text => tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer).boxed(),
    };
    Ok(Some((lines, guard)))
}
