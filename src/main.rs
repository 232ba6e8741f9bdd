//! The `tessds` program: reads the command line, runs, and says how it went.

use std::process::ExitCode;

use tessds::cli::{ClusterArgs, Command, Line, LineError, Role, RunArgs, SnapshotArgs, read_line};
use tessds::observe::{self, Origin, Severity, start_logging, tell_files};
use tessds::output::{EndSummary, RunReport};
use tessds::persist::StoreError;
use tessds::roles::cutting::Hosts;
use tessds::roles::given::given;
use tessds::roles::launch::LoadedScenario;
use tessds::roles::master::Finished;
use tessds::roles::partition::partition;
use tessds::roles::saved_options::wrote_options;
use tessds::roles::scenarios::{CompiledInput, scenarios};
use tessds::roles::snapshots::{Findings, snapshots};
use tessds::roles::standalone::{Division, RunError, run};
use tessds::settings::{ProcessSettings, Progress};

mod allocator;
mod cluster;
mod ctl;
mod probes;
mod serve;

/// Bad usage, configuration or input.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    allocator::return_large_blocks();
    let command = match read_line(std::env::args_os().collect()) {
        Ok(Line::Command(cli)) => cli.command,
        Ok(Line::Text(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(LineError::Clap(error)) => error.exit(),
        Err(LineError::Usage { message, sumo }) => {
            eprintln!("error: {message}");
            return if sumo { ExitCode::FAILURE } else { ExitCode::from(BAD_INPUT) };
        }
    };
    match command {
        Command::Run(args) => simulate_and_report(&args),
        Command::Partition(args) => say(partition(&args).map(|text| Findings { text, sound: true })),
        Command::Scenario(args) => say(scenarios(&args)),
        Command::Snapshot(args) => look_at_snapshots(&args),
        Command::Ctl(args) => ctl::ctl(&args),
    }
}

fn say(findings: Result<Findings, RunError>) -> ExitCode {
    match findings {
        Ok(findings) => print_findings(&findings),
        Err(error) => exit_code(&error),
    }
}

fn print_findings(findings: &Findings) -> ExitCode {
    print!("{}", findings.text);
    if findings.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn exit_code(error: &RunError) -> ExitCode {
    eprintln!("error: {error}");
    tell_files(Severity::Error, &error.to_string());
    match error {
        RunError::Input(_) => ExitCode::from(BAD_INPUT),
        RunError::Failed(_) => ExitCode::FAILURE,
    }
}

fn look_at_snapshots(args: &SnapshotArgs) -> ExitCode {
    match actix_rt::System::new().block_on(snapshots(args)) {
        Ok(findings) => print_findings(&findings),
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
            let code = exit_code(&error);
            // SUMO has one code for all errors.
            if args.as_sumo { ExitCode::FAILURE } else { code }
        }
    }
}

fn simulate(args: &RunArgs) -> Result<(), RunError> {
    if wrote_options(&args.input)? {
        return Ok(());
    }
    let process = ProcessSettings::load(&args.input.settings_files, args.overrides())?;
    // Lines that are on their way to a file are written when it is dropped.
    let ClusterArgs { role, name, .. } = &args.cluster;
    let origin =
        Origin { role: *role, name: name.clone().unwrap_or_else(|| format!("{}-{}", role.name(), std::process::id())) };
    let _log = start_logging(&process.log, &process.otel, &origin)?;
    if args.cluster.role == Role::Worker {
        return cluster::work(args, &process);
    }
    if let Some(path) = &args.report_json {
        RunReport::prepare(path)?;
    }
    let is_served = !process.control.http.is_empty() || args.control.paused || is_idle(args);
    let is_kept = args.cluster.role == Role::Master || args.cluster.resume.is_some() || !process.store.is_empty();
    let tell = |finished| tell(args, finished);
    if is_served && args.cluster.resume.is_none() {
        serve::serve(args.clone(), process, &tell)
    } else if is_kept || args.control.command_log.is_some() {
        cluster::drive(args, &process, &tell)
    } else {
        tell(whole_run(args, &process)?)
    }
}

/// Writes the report of a run, and says how it went.
fn tell(args: &RunArgs, finished: Finished) -> Result<(), RunError> {
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
    let wishes = observe::report();
    let nobody = recording.counts.loaded == 0 && recording.counts.arrived == 0;
    if nobody && !args.quiet {
        let message = "no vehicle departed in this run; check route-files, begin and end";
        eprintln!("warning: {message}");
        tell_files(Severity::Warning, message);
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
            performance: !wishes.no_performance,
            statistics: !args.as_sumo || wishes.statistics,
        };
        tell_files(Severity::Message, &summary.to_string());
        // Without these options SUMO ends without a word.
        if !args.as_sumo || wishes.verbose || wishes.statistics {
            print!("{summary}");
        }
    }
    Ok(())
}

/// Nothing says what to simulate, so commands will.
fn is_idle(args: &RunArgs) -> bool {
    let names_input = |(option, _): (&str, &str)| option.ends_with("-files") || option == "net-file";
    !args.as_sumo
        && args.input.configuration.is_none()
        && args.scenario.is_none()
        && !args.input.sumo_options().any(names_input)
}

/// A run in this process, of which nothing is kept.
fn whole_run(args: &RunArgs, process: &ProcessSettings) -> Result<Finished, RunError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let LoadedScenario { scenario, cut, outputs } =
        given(&args.input, compiled(args, ""), process, Hosts::Cores(cores))?;
    let threads = if process.threads == 0 { cores } else { process.threads as usize };
    let (partitions, settings) = (cut.parts as usize, scenario.settings.clone());
    let quiet = process.progress == Progress::Never || observe::report().no_step_log;
    let recording = run(scenario, &outputs, Division { cut, threads, quiet })?;
    Ok(Finished { recording, settings, partitions, recoveries: 0, replayed_steps: 0 })
}

/// The compiled scenario that the command line names, if it does.
fn compiled<'a>(args: &'a RunArgs, store: &'a str) -> Option<CompiledInput<'a>> {
    args.scenario.as_deref().map(|name| CompiledInput { name, store })
}
