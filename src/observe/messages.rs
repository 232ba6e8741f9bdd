//! The files of SUMO's options `log`, `message-log` and `error-log`: messages as SUMO writes them, one a line, each in the file as
//! soon as it is given.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::diagnostics::InputError;
use crate::scenario::Report;

/// Greatest size of such a file; further messages are left out (I7).
const MAX_FILE_BYTES: u64 = 64 << 20;

static FILES: Mutex<Vec<MessageFile>> = Mutex::new(Vec::new());
static REPORT: Mutex<Option<Report>> = Mutex::new(None);
static HIDES_WARNINGS: AtomicBool = AtomicBool::new(false);

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Message,
    Warning,
    Error,
}

impl Severity {
    fn prefix(self) -> &'static str {
        match self {
            Self::Message => "",
            Self::Warning => "Warning: ",
            Self::Error => "Error: ",
        }
    }
}

/// Which messages a file gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    All,
    Messages,
    Faults,
}

#[derive(Debug)]
struct MessageFile {
    content: Content,
    file: File,
    bytes: u64,
    timestamps: bool,
    process_id: bool,
}

impl MessageFile {
    fn takes(&self, severity: Severity) -> bool {
        match self.content {
            // As in SUMO, warnings that are not wished are only in the file that is for them.
            Content::All => severity != Severity::Warning || !hides_warnings(),
            Content::Messages => severity == Severity::Message,
            Content::Faults => severity != Severity::Message,
        }
    }

    fn write(&mut self, severity: Severity, text: &str) {
        if self.bytes >= MAX_FILE_BYTES {
            return;
        }
        let mut line = String::new();
        if self.timestamps {
            line.push_str(&format!("[{}] ", chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, false)));
        }
        if self.process_id {
            line.push_str(&format!("[PID: {}] ", std::process::id()));
        }
        line.push_str(severity.prefix());
        line.push_str(text.trim_end());
        line.push('\n');
        self.bytes += line.len() as u64;
        if self.bytes >= MAX_FILE_BYTES {
            line.push_str("Warning: size limit of this file reached; further messages are dropped.\n");
        }
        // A log that cannot be written ends no run.
        let _ = self.file.write_all(line.as_bytes());
    }
}

/// From now on messages go where a run wishes them.
///
/// # Errors
/// A file cannot be made.
pub fn report_as(report: &Report) -> Result<(), InputError> {
    let wished: [(Content, &Option<PathBuf>); 3] =
        [(Content::All, &report.log), (Content::Messages, &report.message_log), (Content::Faults, &report.error_log)];
    let mut files = Vec::new();
    for (content, path) in wished {
        let Some(path) = path else { continue };
        let file = File::create(path).map_err(|error| {
            InputError::file(path.display().to_string(), format!("the file for messages cannot be written: {error}"))
        })?;
        let Report { timestamps, process_id, .. } = *report;
        files.push(MessageFile { content, file, bytes: 0, timestamps, process_id });
    }
    HIDES_WARNINGS.store(report.no_warnings, Ordering::Relaxed);
    *lock(&FILES) = files;
    *lock(&REPORT) = Some(report.clone());
    Ok(())
}

/// How the run that was read last wishes to be reported.
pub fn report() -> Report {
    lock(&REPORT).clone().unwrap_or_default()
}

/// Writes a message that is not an event of the log into the files that it belongs to.
pub fn tell_files(severity: Severity, text: &str) {
    for file in lock(&FILES).iter_mut().filter(|file| file.takes(severity)) {
        file.write(severity, text);
    }
}

/// Whether an event is to be shown on the console.
pub(super) fn is_shown(metadata: &Metadata<'_>) -> bool {
    *metadata.level() != Level::WARN || !hides_warnings()
}

fn hides_warnings() -> bool {
    HIDES_WARNINGS.load(Ordering::Relaxed)
}

/// A thread that panicked has left a file that is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Hands the events of the log on to the files.
pub(super) struct ToMessageFiles;

impl<S: Subscriber> Layer<S> for ToMessageFiles {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let severity = match *event.metadata().level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Message,
            _ => return,
        };
        if lock(&FILES).is_empty() {
            return;
        }
        let mut text = EventText::default();
        event.record(&mut text);
        tell_files(severity, &(text.message + &text.fields));
    }
}

/// The message of an event, and its other fields behind it.
#[derive(Default)]
struct EventText {
    message: String,
    fields: String,
}

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, ", {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_gets_its_messages_with_their_prefixes() {
        let folder = tempfile::tempdir().unwrap();
        let open = |content, name: &str| MessageFile {
            content,
            file: File::create(folder.path().join(name)).unwrap(),
            bytes: 0,
            timestamps: false,
            process_id: name == "log",
        };
        let mut files =
            [open(Content::All, "log"), open(Content::Messages, "messages"), open(Content::Faults, "errors")];
        for (severity, text) in
            [(Severity::Message, "Loading done.\n"), (Severity::Warning, "a"), (Severity::Error, "b")]
        {
            for file in files.iter_mut().filter(|file| file.takes(severity)) {
                file.write(severity, text);
            }
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let id = format!("[PID: {}] ", std::process::id());
        assert_eq!(read("log"), format!("{id}Loading done.\n{id}Warning: a\n{id}Error: b\n"));
        assert_eq!(read("messages"), "Loading done.\n");
        assert_eq!(read("errors"), "Warning: a\nError: b\n");
    }

    #[test]
    fn a_file_that_is_full_says_so_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = File::create(&path).unwrap();
        let mut file = MessageFile {
            content: Content::All,
            file,
            bytes: MAX_FILE_BYTES - 3,
            timestamps: false,
            process_id: false,
        };
        for _ in 0..5 {
            file.write(Severity::Message, "text");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "text\nWarning: size limit of this file reached; further messages are dropped.\n");
    }
}
