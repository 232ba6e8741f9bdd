//! The `tessds` program: reads the command line, runs, and says how it went.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use tessds::cli::{Cli, Command, RunArgs, SnapshotArgs};
use tessds::diagnostics::{InputError, Location, Warnings};
use tessds::observe::{start_logging, warn_all};
use tessds::output::{EndSummary, RunReport};
use tessds::persist::StoreError;
use tessds::roles::snapshots::snapshots;
use tessds::roles::standalone::{Division, RunError, cut_scenario, default_partitions, run};
use tessds::scenario::{RunConfig, load};
use tessds::settings::{ProcessSettings, Progress};

/// Bad usage, configuration or input.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => simulate_and_report(&args),
        Command::Snapshot(args) => look_at_snapshots(&args),
    }
}

fn look_at_snapshots(args: &SnapshotArgs) -> ExitCode {
    match actix_rt::System::new().block_on(snapshots(args)) {
        Ok(findings) => {
            print!("{}", findings.text);
            if findings.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            if matches!(error, StoreError::Config { .. }) { ExitCode::from(BAD_INPUT) } else { ExitCode::FAILURE }
        }
    }
}

fn simulate_and_report(args: &RunArgs) -> ExitCode {
    match simulate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                RunError::Input(_) => ExitCode::from(BAD_INPUT),
                RunError::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn simulate(args: &RunArgs) -> Result<(), RunError> {
    let process = ProcessSettings::load(&args.settings_files, args.overrides())?;
    start_logging(&process.log);
    let mut warnings = Warnings::default();
    let config = configuration(args, &mut warnings)?;
    let scenario = load(&config, &mut warnings)?;
    warn_all(&warnings);
    if let Some(path) = &args.report_json {
        RunReport::prepare(path)?;
    }

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let parts = match process.partitions {
        0 => default_partitions(&scenario.network, cores),
        given => given,
    };
    let threads = if process.threads == 0 { cores } else { process.threads as usize };
    let cut = cut_scenario(&scenario, parts)?;
    let (begin_ms, end_given, step_ms) =
        (scenario.settings.begin_ms, scenario.settings.end_ms.is_some(), scenario.settings.step_ms);
    let quiet = process.progress == Progress::Never;
    let recording = run(scenario, &config.outputs, Division { cut, threads, quiet })?;

    let report =
        RunReport::new(recording.steps, step_ms, &recording.counts, recording.wall, recording.digest, parts as usize);
    if let Some(path) = &args.report_json {
        report.write(path).map_err(|error| RunError::Failed(error.to_string()))?;
    }
    if !args.quiet {
        let reason = if end_given {
            "The final simulation step has been reached"
        } else {
            "All vehicles have left the simulation"
        };
        let summary = EndSummary {
            begin_ms,
            end_ms: recording.end_ms,
            reason,
            report: &report,
            counts: &recording.counts,
            trips: &recording.trips,
        };
        print!("{summary}");
    }
    Ok(())
}

/// The SUMO configuration, with what the command line says over it.
fn configuration(args: &RunArgs, warnings: &mut Warnings) -> Result<RunConfig, InputError> {
    let mut config = match &args.configuration {
        Some(path) => RunConfig::read(path, warnings)?,
        None => RunConfig::default(),
    };
    for (option, value) in args.sumo_options() {
        let at = Location { file: "command line".to_owned(), ..Location::default() };
        config.set(option, value, Path::new(""), at, warnings)?;
    }
    if config.random_seed {
        // The standard library seeds its hash maps from the operating system's randomness.
        config.settings.seed = std::collections::hash_map::RandomState::new().build_hasher().finish();
    }
    Ok(config)
}
