//! The command line, nothing else: what may be said, and how it maps to SUMO's options and to process settings.

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
    /// Simulate a scenario (`tessds sumo`: the same with SUMO's command line).
    Run(Box<RunArgs>),
    /// Show how a network is cut, and write the cut down.
    Partition(Box<PartitionArgs>),
    /// Compile scenarios into one file, and look at those in a store.
    Scenario(ScenarioArgs),
    /// Look at what is stored of runs, check it, remove it.
    Snapshot(SnapshotArgs),
    /// Drive a run that takes commands (docs/control.md).
    Ctl(CtlArgs),
}

#[derive(Args, Debug)]
pub struct CtlArgs {
    /// Where it takes them.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7780", global = true)]
    pub http: String,
    /// File with the token; TESSDS_TOKEN holds one, too.
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
    /// PEM file of the authority that vouches for the gateway; with it the connection is by TLS.
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// PEM files of the own certificate and key, where the gateway asks for one.
    #[arg(long, value_name = "FILE", requires = "key", global = true)]
    pub certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", global = true)]
    pub key: Option<PathBuf>,
    /// Print the answer as it comes.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: CtlCommand,
}

#[derive(Subcommand, Debug)]
pub enum CtlCommand {
    /// Load a scenario of the folder of scenarios: a .sumocfg, or a folder that holds one.
    Load {
        choice: String,
    },
    /// Build the graph and run.
    Start {
        /// Wait before the first step.
        #[arg(long)]
        paused: bool,
    },
    /// End the run.
    Stop,
    Pause,
    Resume,
    /// Do so many more steps.
    Step {
        #[arg(default_value_t = 1)]
        steps: u64,
    },
    /// Keep the run to a multiple of real time; 0: as fast as it can.
    Speed {
        factor: f64,
    },
    /// Where the run stands.
    Status {
        /// Twice a second.
        #[arg(long)]
        watch: bool,
    },
    /// List the commands.
    Commands {
        /// As the table of docs/commands.md.
        #[arg(long)]
        markdown: bool,
    },
    /// Send any message.
    Send {
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

    /// Write the edges with their partitions as GeoJSON, in the coordinates of the network.
    #[arg(long, value_name = "FILE")]
    pub geojson: Option<PathBuf>,

    /// Draw the network with its partitions.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Write the cut as an assignment that can be edited and given back with --assignment; JSON if the name ends in .json.
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
    /// Read a scenario and write it, with its cut, as one file that `tessds run --scenario` takes.
    Compile {
        #[command(flatten)]
        input: Box<InputArgs>,
        /// Where to write it.
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
    /// Read and check a scenario; exit code 1 if it is damaged.
    Verify {
        /// A file, or with --store a hash.
        #[arg(value_name = "FILE|HASH")]
        scenario: String,
        #[arg(long, value_name = "URL")]
        store: Option<String>,
    },
    /// Copy a scenario out of a store.
    Export {
        #[arg(value_name = "HASH")]
        scenario: String,
        #[arg(long, value_name = "URL")]
        store: String,
        /// Where to write it.
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
    /// List the runs: newest commit, its epoch, size and age, and who holds the run.
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
        /// Only the commit of this step.
        #[arg(long, value_name = "N")]
        step: Option<u64>,
        #[arg(long)]
        json: bool,
    },
    /// Read and check all that is committed; exit code 1 if anything is damaged.
    Verify {
        /// Without it: all runs.
        run: Option<String>,
        #[arg(long, value_name = "URL")]
        store: String,
        /// Only the commit of this step.
        #[arg(long, value_name = "N", requires = "run")]
        step: Option<u64>,
        #[arg(long)]
        json: bool,
    },
    /// Print the commands that a run was given, as --command-log takes them.
    Commands {
        run: String,
        #[arg(long, value_name = "URL")]
        store: String,
    },
    /// Remove all that is stored of a run.
    Rm {
        run: String,
        #[arg(long, value_name = "URL")]
        store: String,
        /// Also while somebody holds the run.
        #[arg(long)]
        force: bool,
    },
}

/// What is to be simulated, and how it is cut.
#[derive(Args, Clone, Debug)]
pub struct InputArgs {
    /// SUMO configuration (.sumocfg); options given here override what it says.
    #[arg(short = 'c', long = "configuration-file", value_name = "FILE")]
    pub configuration: Option<PathBuf>,

    /// Process settings (TOML); may be given several times, later ones win.
    #[arg(long = "config", value_name = "FILE")]
    pub settings_files: Vec<PathBuf>,

    /// Edit the network before it is cut: messages as clients send them, one a line (docs/editing.md).
    #[arg(long, value_name = "FILE")]
    pub edits: Option<PathBuf>,

    #[command(flatten)]
    pub cut: CutArgs,

    #[command(flatten)]
    pub region: RegionArgs,

    /// SUMO's options by their names, as they were told apart from the others.
    #[arg(skip)]
    sumo: Vec<(&'static str, String)>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How the network is cut")]
pub struct CutArgs {
    /// Exactly so many parts; 0: chosen from cores or workers and size.
    #[arg(long, alias = "partition-count", value_name = "N")]
    pub partitions: Option<u32>,
    /// At least so many parts, when the number is chosen.
    #[arg(long, value_name = "N")]
    pub partition_min: Option<u32>,
    /// At most so many parts, when the number is chosen.
    #[arg(long, value_name = "N")]
    pub partition_max: Option<u32>,
    /// Which edges go where; the rest is filled in (docs/cutting.md).
    #[arg(long, value_name = "FILE")]
    pub assignment: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Simulating a part of the network")]
pub struct RegionArgs {
    /// Only this part: a selection of edges (a file), a box x0,y0,x1,y1, or a polygon 'x,y x,y x,y …' in metres.
    #[arg(long, value_name = "FILE|BOX|POLYGON", allow_hyphen_values = true)]
    pub region: Option<String>,
    /// Vehicles come into the region as they did in the run that recorded this file.
    #[arg(long, value_name = "FILE", conflicts_with = "record_crossings")]
    pub crossings: Option<PathBuf>,
    /// Simulate the whole network, and write who comes into the region, when and how.
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

    /// A compiled scenario instead of a configuration: a file, or the hash of one in the store (docs/cutting.md).
    #[arg(long, value_name = "FILE|HASH", conflicts_with_all = ["configuration", "resume", "http", "paused"])]
    pub scenario: Option<String>,

    /// Greatest number of threads; 0: one per core.
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,

    /// Write counts, speed and digest of the run as JSON.
    #[arg(long, value_name = "FILE")]
    pub report_json: Option<PathBuf>,

    /// Show nothing but errors.
    #[arg(short, long)]
    pub quiet: bool,

    /// How log lines look; by default text on a terminal and JSON elsewhere.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    #[command(flatten)]
    pub cluster: ClusterArgs,

    #[command(flatten)]
    pub control: ControlArgs,

    /// SUMO's command line was used: exit codes and what is shown are SUMO's.
    #[arg(skip)]
    pub as_sumo: bool,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Runs over many processes, and resuming")]
pub struct ClusterArgs {
    /// What this process is.
    #[arg(long, value_enum, default_value_t)]
    pub role: Role,
    /// Where snapshots are kept: memory, dir:PATH, redis://HOST:PORT, rediss://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Name of the run in the store; a run of this name that is not finished is gone on with.
    #[arg(long, value_name = "NAME")]
    pub run_id: Option<String>,
    /// Go on with a run from its last snapshot. Scenario and outputs are those that it was started with.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["configuration", "run_id", "assignment", "region", "edits"])]
    pub resume: Option<String>,
    /// Where the process listens; by default 127.0.0.1:7700 for a master and a free port on loopback for a worker.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Where others reach this worker, if not where it listens.
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// Master: start when so many workers have come; later ones stand by.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub workers: usize,
    /// Worker: where the master is.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    pub master: String,
    /// Name of this process in logs and in the store.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Take snapshots and recover from them.
    #[arg(long, value_name = "BOOL")]
    pub fault_tolerance: Option<bool>,
    /// Watch over workers by signs of life.
    #[arg(long, value_name = "BOOL")]
    pub heartbeat: Option<bool>,
    /// Steps between two snapshots.
    #[arg(long, value_name = "N")]
    pub snapshot_interval: Option<u64>,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Driving a run from outside")]
pub struct ControlArgs {
    /// Take commands over HTTP and WebSocket here; without -c the program waits for them, by default at 127.0.0.1:7780.
    #[arg(long, value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Load the scenario and wait for the command to start.
    #[arg(long, requires = "configuration")]
    pub paused: bool,
    /// Give the commands of this file at their steps: JSON lines with step or time, and command.
    #[arg(long, value_name = "FILE")]
    pub command_log: Option<PathBuf>,
    /// Simulated seconds a second; 0: as fast as it can.
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// Folder of scenarios that clients may load.
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
