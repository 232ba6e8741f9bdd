//! Settings of this process, which no result depends on: how the work is divided, what is logged and shown. Layers, later
//! wins: built-in defaults, TOML files, `TESSDS__…` environment variables, command line. Unknown keys are errors.

use std::path::PathBuf;

use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;

use crate::diagnostics::InputError;

const ENVIRONMENT: &str = "TESSDS";
const SEPARATOR: &str = "__";
/// More partitions than this only talk to each other.
const MAX_PARTITIONS: u32 = 4096;
const MAX_THREADS: u32 = 4096;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessSettings {
    /// Parts that the network is cut into; 0: chosen from cores and size.
    pub partitions: u32,
    /// Greatest number of threads; 0: one per core.
    pub threads: u32,
    pub progress: Progress,
    pub log: LogSettings,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self { partitions: 0, threads: 0, progress: Progress::Auto, log: LogSettings::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    pub format: LogFormat,
    /// Levels as `tracing` writes them: `info`, or `warn,tessds::sim=debug`.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

/// Whether a progress bar is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

/// What the command line says about process settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    pub partitions: Option<u32>,
    pub threads: Option<u32>,
    pub log_format: Option<LogFormat>,
    pub no_progress: bool,
    pub errors_only: bool,
}

impl ProcessSettings {
    /// Reads all layers and validates the outcome.
    pub fn load(files: &[PathBuf], overrides: Overrides) -> Result<Self, InputError> {
        let environment = Environment::with_prefix(ENVIRONMENT).prefix_separator(SEPARATOR).separator(SEPARATOR);
        Self::layered(files, environment, overrides)
    }

    fn layered(files: &[PathBuf], environment: Environment, overrides: Overrides) -> Result<Self, InputError> {
        let mut builder = Config::builder();
        for file in files {
            builder = builder.add_source(File::from(file.as_path()).format(FileFormat::Toml));
        }
        // Numbers are strings in the environment.
        let environment = environment.try_parsing(true).ignore_empty(true);
        let source = files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ");
        let source =
            if source.is_empty() { format!("command line or environment {ENVIRONMENT}{SEPARATOR}…") } else { source };
        let fail = |error: config::ConfigError| InputError::file(source.as_str(), format!("bad setting: {error}"));
        let mut settings: Self =
            builder.add_source(environment).build().map_err(fail)?.try_deserialize().map_err(fail)?;
        settings.take(overrides);
        settings.validate().map_err(|message| InputError::file(source.as_str(), message))?;
        Ok(settings)
    }

    fn take(&mut self, overrides: Overrides) {
        self.partitions = overrides.partitions.unwrap_or(self.partitions);
        self.threads = overrides.threads.unwrap_or(self.threads);
        self.log.format = overrides.log_format.unwrap_or(self.log.format);
        if overrides.no_progress {
            self.progress = Progress::Never;
        }
        if overrides.errors_only {
            self.log.filter = "error".to_owned();
        }
    }

    /// Checks ranges and what settings demand of each other.
    pub fn validate(&self) -> Result<(), String> {
        if self.partitions > MAX_PARTITIONS {
            return Err(format!("partitions is {}, at most {MAX_PARTITIONS} are allowed", self.partitions));
        }
        if self.threads > MAX_THREADS {
            return Err(format!("threads is {}, at most {MAX_THREADS} are allowed", self.threads));
        }
        tracing_subscriber::EnvFilter::try_new(&self.log.filter)
            .map_err(|error| format!("log.filter '{}' is not a filter: {error}", self.log.filter))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)], overrides: Overrides) -> Result<ProcessSettings, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("t.toml");
        std::fs::write(&file, toml).expect("writing");
        let variables = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let environment = Environment::with_prefix(ENVIRONMENT)
            .prefix_separator(SEPARATOR)
            .separator(SEPARATOR)
            .source(Some(variables));
        ProcessSettings::layered(&[file], environment, overrides).map_err(|e| e.to_string())
    }

    #[test]
    fn later_layers_win() {
        let toml = "partitions = 2\nthreads = 3\n[log]\nformat = \"json\"\nfilter = \"warn\"";
        let environment = [("TESSDS__PARTITIONS", "4"), ("TESSDS__LOG__FILTER", "debug"), ("OTHER", "x")];
        let overrides = Overrides { log_format: Some(LogFormat::Text), ..Overrides::default() };
        let settings = load(toml, &environment, overrides).expect("good settings");
        assert_eq!((settings.partitions, settings.threads), (4, 3));
        assert_eq!(settings.log, LogSettings { format: LogFormat::Text, filter: "debug".to_owned() });
    }

    #[test]
    fn unknown_keys_and_bad_values_are_errors() {
        let check = |toml: &str, environment: &[(&str, &str)], expected: &str| {
            let error = load(toml, environment, Overrides::default()).expect_err(toml);
            assert!(error.contains(expected), "{error}");
        };
        check("partition = 2", &[], "partition");
        check("[log]\nformt = \"json\"", &[], "formt");
        check("", &[("TESSDS__LOG__COLOUR", "red")], "colour");
        check("partitions = -1", &[], "bad setting");
        check("partitions = 100000", &[], "at most 4096");
        check("progress = \"maybe\"", &[], "maybe");
        check("[log]\nfilter = \"=,=\"", &[], "is not a filter");
        check("not toml at all", &[], "bad setting");
    }

    #[test]
    fn the_documented_file_holds_the_defaults() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/tessds.toml");
        let text = std::fs::read_to_string(file).expect("config/tessds.toml");
        assert_eq!(load(&text, &[], Overrides::default()).expect("good file"), ProcessSettings::default());
        assert!(["partitions", "threads", "progress", "format", "filter"].iter().all(|key| text.contains(key)));
    }
}
