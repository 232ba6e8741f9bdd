//! Logs and traces.

use std::path::PathBuf;

use axum::http::Uri;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    pub format: LogFormat,
    /// Levels as `tracing` writes them: `info`, or `warn,tessds::sim=debug`.
    pub filter: String,
    /// Where the log is written besides; empty: nowhere.
    pub file: PathBuf,
    /// How lines in the file look; JSON if nothing is said.
    pub file_format: LogFormat,
    /// When a new file is begun.
    pub rotate: Rotate,
    /// Greatest size of a file that is rotated by size, MiB.
    pub file_mib: u64,
    /// Earlier files that are kept.
    pub keep: u32,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".to_owned(),
            file: PathBuf::new(),
            file_format: LogFormat::Auto,
            rotate: Rotate::Daily,
            file_mib: 100,
            keep: 7,
        }
    }
}

impl LogSettings {
    pub(super) fn validate(&self) -> Result<(), String> {
        tracing_subscriber::EnvFilter::try_new(&self.filter)
            .map_err(|error| format!("log.filter '{}' is not a filter: {error}", self.filter))?;
        if !(1..=1000).contains(&self.keep) {
            return Err(format!("log.keep is {}, 1 to 1000 are allowed", self.keep));
        }
        if !(1..=1 << 20).contains(&self.file_mib) {
            return Err(format!("log.file_mib is {}, 1 to 1048576 are allowed", self.file_mib));
        }
        Ok(())
    }
}

/// Traces (docs/traces.md).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtelSettings {
    /// `http://HOST:PORT` of an OpenTelemetry collector; empty: no traces.
    pub endpoint: String,
}

impl OtelSettings {
    pub(super) fn validate(&self) -> Result<(), String> {
        let endpoint = &self.endpoint;
        let is_good = |uri: Uri| uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty());
        if !endpoint.is_empty() && !endpoint.parse().is_ok_and(is_good) {
            return Err(format!(
                "otel.endpoint is '{endpoint}', http://HOST:PORT is expected; use a local collector to forward traces over TLS"
            ));
        }
        Ok(())
    }
}

/// When a new log file is begun; days and hours are those of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotate {
    Daily,
    Hourly,
    Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}
