//! Settings of this process: how the work is divided, what is logged and shown. No result depends on them, but for the region
//! that is simulated. Layers, later wins: built-in defaults, TOML files, `TESSDS__…` environment variables, command line. Unknown keys are errors.

mod cluster;
mod logging;

use std::path::PathBuf;

use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;

pub use self::cluster::{ClusterSettings, OnOutage, TlsSettings};
pub use self::logging::{LogFormat, LogSettings, OtelSettings, Rotate};
use crate::diagnostics::InputError;
use crate::graph::Area;
use crate::scenario::RegionSource;

const ENVIRONMENT: &str = "TESSDS";
const SEPARATOR: &str = "__";
/// More partitions than this only talk to each other.
const MAX_PARTITIONS: u32 = 4096;
const MAX_THREADS: u32 = 4096;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessSettings {
    /// Parts that the network is cut into; 0: chosen from cores or workers and size. Short for `partition.count`.
    pub partitions: u32,
    pub partition: PartitionSettings,
    pub region: RegionSettings,
    /// Maximum number of threads; 0: one per core.
    pub threads: u32,
    pub progress: Progress,
    /// Where snapshots are kept; empty: beside the program in a cluster, nowhere otherwise.
    pub store: String,
    pub log: LogSettings,
    pub otel: OtelSettings,
    pub cluster: ClusterSettings,
    pub tls: TlsSettings,
    pub control: ControlSettings,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        Self {
            partitions: 0,
            partition: PartitionSettings::default(),
            region: RegionSettings::default(),
            threads: 0,
            progress: Progress::Auto,
            store: String::new(),
            log: LogSettings::default(),
            otel: OtelSettings::default(),
            cluster: ClusterSettings::default(),
            tls: TlsSettings::default(),
            control: ControlSettings::default(),
        }
    }
}

/// Where and for whom the gateway is open (docs/control.md).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlSettings {
    /// `HOST:PORT`; empty: no gateway, unless the program has nothing else to do.
    pub http: String,
    /// Folder of scenarios that clients may load; empty: none.
    pub scenarios: String,
    /// File with a token on each line; empty: clients need none, and the gateway is open on this machine only.
    pub token_file: String,
    /// Origins of web pages that may use the gateway, besides its own.
    pub origins: Vec<String>,
    /// PEM files; empty: no TLS.
    pub certificate: String,
    pub key: String,
    /// PEM file; clients need a certificate of this authority.
    pub client_ca: String,
    pub max_clients: usize,
    pub message_bytes: usize,
    pub messages_per_s: u32,
    /// Simulated seconds per second; 0: unlimited.
    pub speed: f64,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self {
            http: String::new(),
            scenarios: String::new(),
            token_file: String::new(),
            origins: Vec::new(),
            certificate: String::new(),
            key: String::new(),
            client_ca: String::new(),
            max_clients: 1024,
            message_bytes: 1024 * 1024,
            messages_per_s: 100,
            speed: 0.0,
        }
    }
}

impl ControlSettings {
    fn validate(&self) -> Result<(), String> {
        if self.certificate.is_empty() != self.key.is_empty() {
            return Err("control.certificate and control.key belong together; set both or none".to_owned());
        }
        if !self.client_ca.is_empty() && self.certificate.is_empty() {
            return Err("control.client_ca needs control.certificate and control.key".to_owned());
        }
        if !(0.0..=1e6).contains(&self.speed) {
            return Err(format!("control.speed is {}, 0 to 1000000 are allowed", self.speed));
        }
        if !(1024..=64 * 1024 * 1024).contains(&self.message_bytes) {
            return Err(format!("control.message_bytes is {}, 1024 to 67108864 are allowed", self.message_bytes));
        }
        if self.max_clients == 0 || self.messages_per_s == 0 {
            return Err("control.max_clients and control.messages_per_s must be above 0".to_owned());
        }
        Ok(())
    }
}

/// How the network is cut.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartitionSettings {
    /// Bounds of the number of partitions, whether it is chosen, asked for, or in an assignment.
    pub min: u32,
    pub max: u32,
    /// Exactly so many; 0: chosen, or as many as the assignment has.
    pub count: u32,
    /// File that says which edges go where; empty: METIS cuts.
    pub assignment: PathBuf,
}

impl Default for PartitionSettings {
    fn default() -> Self {
        Self { min: 1, max: MAX_PARTITIONS, count: 0, assignment: PathBuf::new() }
    }
}

impl PartitionSettings {
    fn validate(&self) -> Result<(), String> {
        let Self { min, max, count, .. } = *self;
        if count > MAX_PARTITIONS || max > MAX_PARTITIONS {
            let (name, value) = if count > MAX_PARTITIONS { ("count", count) } else { ("max", max) };
            return Err(format!("partition.{name} is {value}, at most {MAX_PARTITIONS} are allowed"));
        }
        if min == 0 || min > max {
            return Err(format!("partition.min is {min} and partition.max {max}; 1 ≤ min ≤ max has to hold"));
        }
        if count > 0 && !(min..=max).contains(&count) {
            return Err(format!(
                "partition.count is {count}, which is not within partition.min {min} and partition.max {max}; change one of them"
            ));
        }
        Ok(())
    }
}

/// Which part of the network is simulated. Unlike all other settings this is about the result; it becomes a part of the
/// scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegionSettings {
    /// An edge selection; empty: none.
    pub edges: PathBuf,
    /// `x0,y0,x1,y1` in metres; empty: none.
    #[serde(rename = "box")]
    pub bounds: String,
    /// `x,y x,y x,y …` in metres; empty: none.
    pub polygon: String,
    /// Who comes in, as it was recorded; empty: as on empty roads.
    pub crossings: PathBuf,
    /// Where to record who comes in, in a run of the whole network; empty: nowhere.
    pub record: PathBuf,
}

impl RegionSettings {
    /// The region; `None`: the whole network.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn source(&self) -> Result<Option<RegionSource>, String> {
        let Self { edges, bounds, polygon, .. } = self;
        match (edges.as_os_str().is_empty(), bounds.is_empty(), polygon.is_empty()) {
            (true, true, true) => Ok(None),
            (false, true, true) => Ok(Some(RegionSource::Selection(edges.clone()))),
            (true, false, true) => RegionSource::from_box(bounds).map(Some),
            (true, true, false) => RegionSource::polygon(polygon).map(Some),
            _ => Err("region.edges, region.box and region.polygon exclude each other; set one of them".to_owned()),
        }
    }

    /// Replaces the region by one of the command line.
    fn take(&mut self, region: &str) -> Result<(), String> {
        (self.edges, self.bounds, self.polygon) = (PathBuf::new(), String::new(), String::new());
        match RegionSource::parse(region)? {
            RegionSource::Selection(path) => self.edges = path,
            RegionSource::Area(Area::Box { .. }) => self.bounds = region.to_owned(),
            RegionSource::Area(Area::Polygon(_)) => self.polygon = region.to_owned(),
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        let is_set = |path: &PathBuf| !path.as_os_str().is_empty();
        if self.source()?.is_none() && (is_set(&self.crossings) || is_set(&self.record)) {
            return Err("region.crossings and region.record need a region; set one with region.edges, region.box or \
                        region.polygon (--region)"
                .to_owned());
        }
        if is_set(&self.crossings) && is_set(&self.record) {
            return Err(
                "region.crossings is for a run of the region and region.record for one of the whole network; set one"
                    .to_owned(),
            );
        }
        Ok(())
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

/// What the command line says about process settings.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub partitions: Option<u32>,
    pub partition_min: Option<u32>,
    pub partition_max: Option<u32>,
    pub assignment: Option<PathBuf>,
    pub region: Option<String>,
    pub crossings: Option<PathBuf>,
    pub record_crossings: Option<PathBuf>,
    pub threads: Option<u32>,
    pub log_format: Option<LogFormat>,
    pub no_progress: bool,
    pub errors_only: bool,
    pub store: Option<String>,
    pub fault_tolerance: Option<bool>,
    pub heartbeat: Option<bool>,
    pub snapshot_interval: Option<u64>,
    pub http: Option<String>,
    pub speed: Option<f64>,
    pub scenarios: Option<String>,
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
        if let Some(region) = &overrides.region {
            settings.region.take(region).map_err(|message| InputError::file("region", message))?;
        }
        settings.take(overrides);
        settings.join_partitions().map_err(|message| InputError::file(source.as_str(), message))?;
        settings.validate().map_err(|message| InputError::file(source.as_str(), message))?;
        Ok(settings)
    }

    fn take(&mut self, overrides: Overrides) {
        if let Some(count) = overrides.partitions {
            (self.partitions, self.partition.count) = (count, count);
        }
        let partition = &mut self.partition;
        partition.min = overrides.partition_min.unwrap_or(partition.min);
        partition.max = overrides.partition_max.unwrap_or(partition.max);
        partition.assignment = overrides.assignment.unwrap_or(std::mem::take(&mut partition.assignment));
        let region = &mut self.region;
        region.crossings = overrides.crossings.unwrap_or(std::mem::take(&mut region.crossings));
        region.record = overrides.record_crossings.unwrap_or(std::mem::take(&mut region.record));
        self.threads = overrides.threads.unwrap_or(self.threads);
        self.log.format = overrides.log_format.unwrap_or(self.log.format);
        self.store = overrides.store.unwrap_or(std::mem::take(&mut self.store));
        let cluster = &mut self.cluster;
        cluster.fault_tolerance = overrides.fault_tolerance.unwrap_or(cluster.fault_tolerance);
        cluster.heartbeat = overrides.heartbeat.unwrap_or(cluster.heartbeat);
        cluster.snapshot_interval = overrides.snapshot_interval.unwrap_or(cluster.snapshot_interval);
        let control = &mut self.control;
        control.http = overrides.http.unwrap_or(std::mem::take(&mut control.http));
        control.scenarios = overrides.scenarios.unwrap_or(std::mem::take(&mut control.scenarios));
        control.speed = overrides.speed.unwrap_or(control.speed);
        if overrides.no_progress {
            self.progress = Progress::Never;
        }
        if overrides.errors_only {
            self.log.filter = "error".to_owned();
        }
    }

    /// `partitions` and `partition.count` are one setting with two names.
    fn join_partitions(&mut self) -> Result<(), String> {
        let (short, long) = (self.partitions, self.partition.count);
        if short > 0 && long > 0 && short != long {
            return Err(format!(
                "partitions is {short} and partition.count {long}; they mean the same, so set one of them"
            ));
        }
        (self.partitions, self.partition.count) = (short.max(long), short.max(long));
        Ok(())
    }

    /// Checks ranges and what settings demand of each other.
    pub fn validate(&self) -> Result<(), String> {
        self.partition.validate()?;
        self.region.validate()?;
        if self.threads > MAX_THREADS {
            return Err(format!("threads is {}, at most {MAX_THREADS} are allowed", self.threads));
        }
        self.log.validate()?;
        self.otel.validate()?;
        self.cluster.validate()?;
        self.tls.validate()?;
        self.control.validate()
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
        assert_eq!(
            settings.log,
            LogSettings { format: LogFormat::Text, filter: "debug".to_owned(), ..LogSettings::default() }
        );
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
        check("[log]\nkeep = 0", &[], "log.keep is 0");
        check("[log]\nrotate = \"weekly\"", &[], "weekly");
        check("not toml at all", &[], "bad setting");
        check("[partition]\nmin = 0", &[], "1 ≤ min ≤ max");
        check("[partition]\nmin = 5\nmax = 4", &[], "partition.min is 5 and partition.max 4");
        check(
            "[partition]\nmin = 2\nmax = 4",
            &[("TESSDS__PARTITIONS", "5")],
            "partition.count is 5, which is not within",
        );
        check("partitions = 2\n[partition]\ncount = 3", &[], "partitions is 2 and partition.count 3");
        check("[region]\nbox = \"1,2\"", &[], "is no box");
        check("[region]\nbox = \"0,0,1,1\"\nedges = \"e\"", &[], "exclude each other");
        check("[region]\ncrossings = \"c\"", &[], "set one with region.edges");
        check("[region]\nedges = \"e\"\ncrossings = \"c\"\nrecord = \"c\"", &[], "set one");
        check("[partition]\nmax = 5000", &[], "partition.max is 5000, at most 4096");
        check("[cluster]\ntimeout_ms = 600", &[], "two heartbeats");
        check("[otel]\nendpoint = \"https://c:4318\"", &[], "http://HOST:PORT is expected");
        check("[tls]\nkey = \"k\"\nca = \"c\"", &[], "set all or none");
        check("", &[("TESSDS__CLUSTER__SNAPSHOT_INTERVAL", "0")], "snapshot_interval is 0");
    }

    #[test]
    fn the_number_of_partitions_has_two_names_and_the_command_line_wins_over_both() {
        let toml = "[partition]\ncount = 3\nmin = 2\nassignment = \"a.txt\"";
        let settings = load(toml, &[], Overrides::default()).expect("good settings");
        assert_eq!((settings.partitions, settings.partition.count), (3, 3));
        assert_eq!(settings.partition.assignment, PathBuf::from("a.txt"));
        let overrides = Overrides { partitions: Some(4), partition_max: Some(4), ..Overrides::default() };
        let settings = load(toml, &[], overrides).expect("good settings");
        assert_eq!((settings.partitions, settings.partition.count), (4, 4));
        let settings = load("partitions = 4", &[], Overrides::default()).expect("good settings");
        assert_eq!((settings.partitions, settings.partition.count), (4, 4));
    }

    #[test]
    fn the_documented_file_holds_the_defaults() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/tessds.toml");
        let text = std::fs::read_to_string(file).expect("config/tessds.toml");
        assert_eq!(load(&text, &[], Overrides::default()).expect("good file"), ProcessSettings::default());
        assert!(
            [
                "partitions",
                "min",
                "max",
                "count",
                "assignment",
                "edges",
                "box",
                "polygon",
                "crossings",
                "record",
                "threads",
                "progress",
                "store",
                "format",
                "filter",
                "rotate",
                "keep",
                "fault_tolerance",
                "lease_ms",
                "endpoint",
                "ca",
                "http",
                "token_file"
            ]
            .iter()
            .all(|key| text.contains(key))
        );
    }
}
