//! The command line: its grammar, and its mapping to SUMO's options and to process settings.

mod line;
mod sumo_grammar;
mod sumo_help;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::attributes::parse_bool;
pub use crate::observe::Role;
use crate::settings::{LogFormat, Overrides};

pub use line::{Line, LineError, read_line};
pub use sumo_help::template;

/// Fast, deterministic, parallel microscopic road-traffic simulator that reads SUMO scenarios.
#[derive(Parser, Debug)]
#[command(name = "tessds", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Simulate a scenario (`tessds sumo` takes SUMO's command line instead).
    Run(Box<RunArgs>),
    /// Show how a network is partitioned; optionally write the assignment of edges to partitions.
    Partition(Box<PartitionArgs>),
    /// Compile a scenario into one file; list, verify and export compiled scenarios in a store.
    Scenario(ScenarioArgs),
    /// List, show, verify and remove stored runs.
    Snapshot(SnapshotArgs),
    /// Send commands to a running process (docs/control.md).
    Ctl(CtlArgs),
}

#[derive(Args, Debug)]
pub struct CtlArgs {
    /// Address of the process's HTTP gateway.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7780", global = true)]
    pub http: String,
    /// File with the access token; default: the environment variable TESSDS_TOKEN.
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
    /// PEM file of the certificate authority of the gateway; enables TLS.
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate, if the gateway requires mutual TLS.
    #[arg(long, value_name = "FILE", requires = "key", global = true)]
    pub certificate: Option<PathBuf>,
    /// PEM file of the client certificate's private key.
    #[arg(long, value_name = "FILE", global = true)]
    pub key: Option<PathBuf>,
    /// Print the response as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: CtlCommand,
}

#[derive(Subcommand, Debug)]
pub enum CtlCommand {
    /// Load a scenario from the scenario folder: a .sumocfg file, or a folder that contains one.
    Load {
        /// Path relative to the scenario folder.
        choice: String,
    },
    /// Partition the network and start the run.
    Start {
        /// Pause before the first step.
        #[arg(long)]
        paused: bool,
    },
    /// End the run after the steps already granted.
    Stop,
    /// Pause the run after the steps already granted.
    Pause,
    /// Resume a paused run.
    Resume,
    /// Execute a number of steps, then pause.
    Step {
        /// Number of steps.
        #[arg(default_value_t = 1)]
        steps: u64,
    },
    /// Limit the run to a multiple of real time.
    Speed {
        /// Simulated seconds per second; 0: unlimited.
        factor: f64,
    },
    /// Show the state of the run.
    Status {
        /// Repeat twice a second.
        #[arg(long)]
        watch: bool,
    },
    /// List the commands.
    Commands {
        /// Print the table of docs/commands.md.
        #[arg(long)]
        markdown: bool,
    },
    /// Send a message of the control protocol.
    Send {
        /// The message, as a JSON object.
        message: String,
    },
}

#[derive(Args, Debug)]
pub struct PartitionArgs {
    #[command(flatten)]
    pub input: InputArgs,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,

    /// Write the edges with their partitions as GeoJSON, in network coordinates.
    #[arg(long, value_name = "FILE")]
    pub geojson: Option<PathBuf>,

    /// Draw the network with its partitions as SVG.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Write the assignment of edges to partitions, for editing and reuse with --assignment; JSON if the name ends in .json.
    #[arg(long, value_name = "FILE")]
    pub write_assignment: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ScenarioArgs {
    #[command(subcommand)]
    pub command: ScenarioCommand,
}

#[derive(Subcommand, Debug)]
pub enum ScenarioCommand {
    /// Compile a scenario and its partitioning into one file for `tessds run --scenario`.
    Compile {
        #[command(flatten)]
        input: Box<InputArgs>,
        /// Output file.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// List the scenarios of the runs in a store.
    Ls {
        #[arg(long, value_name = "URL")]
        store: String,
        #[arg(long)]
        json: bool,
    },
    /// Verify a compiled scenario; exit code 1 if it is damaged.
    Verify {
        /// File, or with --store the hash of a compiled scenario.
        #[arg(value_name = "FILE|HASH")]
        scenario: String,
        #[arg(long, value_name = "URL")]
        store: Option<String>,
    },
    /// Copy a compiled scenario from a store into a file.
    Export {
        /// Hash of the compiled scenario.
        #[arg(value_name = "HASH")]
        scenario: String,
        #[arg(long, value_name = "URL")]
        store: String,
        /// Output file.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Args, Debug)]
pub struct SnapshotArgs {
    #[command(subcommand)]
    pub command: SnapshotCommand,
}

#[derive(Subcommand, Debug)]
pub enum SnapshotCommand {
    /// List the runs with newest commit, its epoch, size and age, and the holder of the lease.
    Ls {
        /// The store: dir:PATH, redis://HOST:PORT or rediss://HOST:PORT.
        #[arg(long, value_name = "URL")]
        store: String,
        #[arg(long)]
        json: bool,
    },
    /// Show the commits of a run and their parts.
    Show {
        run: String,
        #[arg(long, value_name = "URL")]
        store: String,
        /// Restrict to the commit of this step.
        #[arg(long, value_name = "N")]
        step: Option<u64>,
        #[arg(long)]
        json: bool,
    },
    /// Verify all committed snapshots; exit code 1 if one is damaged.
    Verify {
        /// Name of the run; default: all runs.
        run: Option<String>,
        #[arg(long, value_name = "URL")]
        store: String,
        /// Restrict to the commit of this step.
        #[arg(long, value_name = "N", requires = "run")]
        step: Option<u64>,
        #[arg(long)]
        json: bool,
    },
    /// Print the command log of a run, in the format of --command-log.
    Commands {
        run: String,
        #[arg(long, value_name = "URL")]
        store: String,
    },
    /// Remove a run and all its data from the store.
    Rm {
        run: String,
        #[arg(long, value_name = "URL")]
        store: String,
        /// Remove the run even if a master holds its lease.
        #[arg(long)]
        force: bool,
    },
}

/// The scenario, and its partitioning.
#[derive(Args, Clone, Debug)]
pub struct InputArgs {
    /// SUMO configuration (.sumocfg); options on the command line override it.
    #[arg(short = 'c', long = "configuration-file", value_name = "FILE")]
    pub configuration: Option<PathBuf>,

    /// Process settings (TOML); may be repeated, later files override earlier ones.
    #[arg(long = "config", value_name = "FILE")]
    pub settings_files: Vec<PathBuf>,

    /// Edit the network before partitioning: a file with one edit message per line (docs/editing.md).
    #[arg(long, value_name = "FILE")]
    pub edits: Option<PathBuf>,

    #[command(flatten)]
    pub cut: CutArgs,

    #[command(flatten)]
    pub region: RegionArgs,

    /// SUMO's options by long name, separated from the other options before parsing.
    #[arg(skip)]
    sumo: Vec<(&'static str, String)>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Partitioning")]
pub struct CutArgs {
    /// Number of partitions; 0: chosen from network size and cores or workers.
    #[arg(long, alias = "partition-count", value_name = "N")]
    pub partitions: Option<u32>,
    /// Lower bound of the chosen number of partitions.
    #[arg(long, value_name = "N")]
    pub partition_min: Option<u32>,
    /// Upper bound of the chosen number of partitions.
    #[arg(long, value_name = "N")]
    pub partition_max: Option<u32>,
    /// File that assigns edges to partitions; edges it does not name are assigned automatically (docs/cutting.md).
    #[arg(long, value_name = "FILE")]
    pub assignment: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Simulating a part of the network")]
pub struct RegionArgs {
    /// Simulate only this region: an edge selection (file), a box x0,y0,x1,y1, or a polygon 'x,y x,y x,y …' in metres.
    #[arg(long, value_name = "FILE|BOX|POLYGON", allow_hyphen_values = true)]
    pub region: Option<String>,
    /// Insert vehicles at the region's boundary as recorded in this file by --record-crossings.
    #[arg(long, value_name = "FILE", conflicts_with = "record_crossings")]
    pub crossings: Option<PathBuf>,
    /// Simulate the whole network and record each vehicle that enters the region, with time, lane and speed.
    #[arg(long, value_name = "FILE")]
    pub record_crossings: Option<PathBuf>,
}

impl InputArgs {
    /// SUMO's options that were given, by their long names.
    pub fn sumo_options(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.sumo.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Whether one of SUMO's switches was set.
    pub fn is_on(&self, switch: &str) -> bool {
        self.sumo_options().any(|(name, value)| name == switch && parse_bool(value) == Some(true))
    }

    /// Process settings that were given.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            partitions: self.cut.partitions,
            partition_min: self.cut.partition_min,
            partition_max: self.cut.partition_max,
            assignment: self.cut.assignment.clone(),
            region: self.region.region.clone(),
            crossings: self.region.crossings.clone(),
            record_crossings: self.region.record_crossings.clone(),
            ..Overrides::default()
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub input: InputArgs,

    /// Compiled scenario instead of a configuration: a file, or its hash in the store (docs/cutting.md).
    #[arg(long, value_name = "FILE|HASH", conflicts_with_all = ["configuration", "resume", "http", "paused"])]
    pub scenario: Option<String>,

    /// Maximum number of threads; 0: one per core.
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,

    /// Write counts, speed and state digest of the run as JSON.
    #[arg(long, value_name = "FILE")]
    pub report_json: Option<PathBuf>,

    /// Show errors only.
    #[arg(short, long)]
    pub quiet: bool,

    /// Format of log lines; default: text on a terminal, JSON otherwise.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    pub control: ControlArgs,

    /// SUMO's command line was used: exit codes and console output follow SUMO.
    #[arg(skip)]
    pub as_sumo: bool,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster and recovery")]
pub struct ClusterArgs {
    /// Role of this process.
    #[arg(long, value_enum, default_value_t)]
    pub role: Role,
    /// Snapshot store: memory, dir:PATH, redis://HOST:PORT or rediss://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Name of the run in the store; an unfinished run of this name is resumed.
    #[arg(long, value_name = "NAME")]
    pub run_id: Option<String>,
    /// Resume a run from its last snapshot, with the scenario and outputs it was started with.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["configuration", "run_id", "assignment", "region", "edits"])]
    pub resume: Option<String>,
    /// Listen address; default: 127.0.0.1:7700 for a master, a free loopback port for a worker.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Address at which other processes reach this worker; default: its listen address.
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// Master: start when this number of workers has joined; later workers stand by.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub workers: usize,
    /// Worker: address of the master.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    pub master: String,
    /// Name of this process in logs and in the store.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Take snapshots and recover from them.
    #[arg(long, value_name = "BOOL")]
    pub fault_tolerance: Option<bool>,
    /// Detect lost workers by heartbeats.
    #[arg(long, value_name = "BOOL")]
    pub heartbeat: Option<bool>,
    /// Steps between two snapshots.
    #[arg(long, value_name = "N")]
    pub snapshot_interval: Option<u64>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Remote control")]
pub struct ControlArgs {
    /// Listen address of the HTTP and WebSocket gateway; without a scenario the program waits for commands, by default at 127.0.0.1:7780.
    #[arg(long, value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Load the scenario and wait for the start command.
    #[arg(long, requires = "configuration")]
    pub paused: bool,
    /// Execute the commands of this file at their steps: JSON lines with 'step' or 'time', and 'command'.
    #[arg(long, value_name = "FILE")]
    pub command_log: Option<PathBuf>,
    /// Simulated seconds per second; 0: unlimited.
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// Folder of the scenarios that clients may load.
    #[arg(long, value_name = "FOLDER")]
    pub scenario_folder: Option<String>,
}

impl RunArgs {
    /// Process settings that were given.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            threads: self.threads,
            // SUMO writes text, wherever it goes.
            log_format: self.log_format.or(self.as_sumo.then_some(LogFormat::Text)),
            no_progress: self.quiet || self.input.is_on("no-step-log"),
            errors_only: self.quiet,
            store: self.cluster.store.clone(),
            fault_tolerance: self.cluster.fault_tolerance,
            heartbeat: self.cluster.heartbeat,
            snapshot_interval: self.cluster.snapshot_interval,
            http: self.control.http.clone(),
            speed: self.control.speed,
            scenarios: self.control.scenario_folder.clone(),
            ..self.input.overrides()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use clap::CommandFactory;

    fn run(line: &str) -> Result<Box<RunArgs>, LineError> {
        match read_line(format!("tessds run {line}").split_whitespace().map(OsString::from).collect())? {
            Line::Command(cli) => match cli.command {
                Command::Run(args) => Ok(args),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_sumo_are_handed_on_by_their_long_names() {
        let args = run("-c a.sumocfg -n x.net.xml -b 10 --end -1 --ignore-route-errors --random false --seed=7 \
                        --device.rerouting.period 60 --partitions 4 --no-step-log")
        .expect("a good line");
        assert_eq!(args.input.configuration, Some("a.sumocfg".into()));
        assert_eq!(
            args.input.sumo_options().collect::<Vec<_>>(),
            [
                ("net-file", "x.net.xml"),
                ("begin", "10"),
                ("end", "-1"),
                ("ignore-route-errors", "true"),
                ("random", "false"),
                ("seed", "7"),
                ("device.rerouting.period", "60"),
                ("no-step-log", "true"),
            ]
        );
        let overrides = args.overrides();
        assert_eq!(overrides.partitions, Some(4));
        assert!(overrides.no_progress && !overrides.errors_only);
    }

    #[test]
    fn a_scenario_that_is_compiled_comes_instead_of_a_configuration() {
        assert_eq!(run("--scenario s.bin").expect("a good line").scenario.as_deref(), Some("s.bin"));
        for line in
            ["--scenario s.bin -c a.sumocfg", "--scenario s.bin --resume r", "--crossings a --record-crossings b"]
        {
            assert!(run(line).is_err(), "{line}");
        }
        assert_eq!(run("--region -5,0,7,8").expect("a good line").input.region.region.as_deref(), Some("-5,0,7,8"));
    }

    #[test]
    fn unknown_options_are_a_usage_error() {
        for line in ["--no-such-option 3", "--partitions many", "--log-format xml", "-c a.sumocfg stray"] {
            assert!(run(line).is_err(), "{line}");
        }
    }
}
