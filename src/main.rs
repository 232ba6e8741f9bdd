//! The `tessds` program: reads the command line, runs, and says how it went.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use tessds::cli::{Cli, Command, Role, RunArgs, SnapshotArgs};
use tessds::diagnostics::{InputError, Location, Warnings};
use tessds::observe::{start_logging, warn_all};
use tessds::output::{EndSummary, RunReport};
use tessds::persist::StoreError;
use tessds::roles::master::Finished;
use tessds::roles::snapshots::snapshots;
use tessds::roles::standalone::{Division, RunError, cut_scenario, default_partitions, run};
use tessds::scenario::{OutputPaths, RunConfig, Scenario, load};
use tessds::settings::{ProcessSettings, Progress};

mod cluster;
mod ctl;
mod serve;

/// Bad usage, configuration or input.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => simulate_and_report(&args),
        Command::Snapshot(args) => look_at_snapshots(&args),
        Command::Ctl(args) => ctl::ctl(&args),
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
    if args.cluster.role == Role::Worker {
        return cluster::work(args, &process);
    }
    if let Some(path) = &args.report_json {
        RunReport::prepare(path)?;
    }
    let is_served = !process.control.http.is_empty() || args.control.paused || is_idle(args);
    let is_kept = args.cluster.role == Role::Master || args.cluster.resume.is_some() || !process.store.is_empty();
    let finished = if is_served && args.cluster.resume.is_none() {
        match serve::serve(args.clone(), process)? {
            Some(finished) => finished,
            None => return Ok(()),
        }
    } else if is_kept || args.control.command_log.is_some() {
        match cluster::drive(args, &process)? {
            Some(finished) => finished,
            None => return Ok(()),
        }
    } else {
        whole_run(args, &process)?
    };
    let Finished { recording, settings, partitions, recoveries, replayed_steps } = finished;
    let report = RunReport {
        recoveries,
        replayed_steps,
        ..RunReport::new(
            recording.steps,
            settings.step_ms,
            &recording.counts,
            recording.wall,
            recording.digest,
            partitions,
        )
    };
    if let Some(path) = &args.report_json {
        report.write(path).map_err(|error| RunError::Failed(error.to_string()))?;
    }
    if !args.quiet {
        let reason = if settings.end_ms.is_some() {
            "The final simulation step has been reached"
        } else {
            "All vehicles have left the simulation"
        };
        let summary = EndSummary {
            begin_ms: settings.begin_ms,
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

/// Nothing says what to simulate, so commands will.
fn is_idle(args: &RunArgs) -> bool {
    let names_input = |(option, _): &(&str, &str)| option.ends_with("-files") || *option == "net-file";
    args.configuration.is_none() && !args.sumo_options().iter().any(names_input)
}

/// A run in this process, of which nothing is kept.
fn whole_run(args: &RunArgs, process: &ProcessSettings) -> Result<Finished, RunError> {
    let (scenario, outputs) = given_scenario(args)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let parts = match process.partitions {
        0 => default_partitions(&scenario.network, cores),
        given => given,
    };
    let threads = if process.threads == 0 { cores } else { process.threads as usize };
    let (cut, settings) = (cut_scenario(&scenario, parts)?, scenario.settings.clone());
    let quiet = process.progress == Progress::Never;
    let recording = run(scenario, &outputs, Division { cut, threads, quiet })?;
    Ok(Finished { recording, settings, partitions: parts as usize, recoveries: 0, replayed_steps: 0 })
}

/// The scenario that the command line names, and the outputs that are asked for.
fn given_scenario(args: &RunArgs) -> Result<(Scenario, OutputPaths), RunError> {
    let mut warnings = Warnings::default();
    let config = configuration(args.configuration.as_deref(), args, &mut warnings)?;
    let scenario = load(&config, &mut warnings)?;
    warn_all(&warnings);
    Ok((scenario, config.outputs))
}

/// The SUMO configuration, with what the command line says over it.
fn configuration(file: Option<&Path>, args: &RunArgs, warnings: &mut Warnings) -> Result<RunConfig, InputError> {
    let mut config = match file {
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
