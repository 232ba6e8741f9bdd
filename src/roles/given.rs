//! What the command line names becomes a scenario that is cut: from SUMO's files, or from a compiled scenario.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::Arc;

use super::cutting::{Hosts, cut_as_asked};
use super::launch::LoadedScenario;
use super::scenarios::{CompiledInput, open_compiled};
use super::standalone::RunError;
use crate::cli::InputArgs;
use crate::control::edits::edits_of_lines;
use crate::control::lines::read_file;
use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::edit::EditedNetwork;
use crate::observe::{report_as, warn_all};
use crate::output::remove_whole_run_requests;
use crate::scenario::{CompiledScenario, OutputPaths, Region, RunConfig, Scenario, SumoOption, Topic, load};
use crate::settings::{ProcessSettings, RegionSettings};

/// SUMO's options of these topics say what is written and told; all others are part of a compiled scenario.
const OUTPUT_TOPICS: &[Topic] = &[Topic::Configuration, Topic::Output, Topic::Report, Topic::Gui];

/// Reads the scenario that the command line names, and cuts it for those who share the work. `compiled`: instead of files a
/// compiled scenario, and the store that it may be in.
///
/// # Errors
/// [`RunError::Input`] for all that is wrong with files, options and numbers.
pub fn given(
    args: &InputArgs,
    compiled: Option<CompiledInput<'_>>,
    process: &ProcessSettings,
    hosts: Hosts,
) -> Result<LoadedScenario, RunError> {
    let mut warnings = Warnings::default();
    let (scenario, outputs, cut) = match compiled {
        Some(input) => {
            let outputs = outputs_only(args, &mut warnings)?;
            let CompiledScenario { network, demand, settings, mut requests, cut, .. } = open_compiled(input)?;
            // The files of the run that it comes from are not asked for again.
            remove_whole_run_requests(&mut requests);
            requests.crossings = None;
            let network = Arc::unwrap_or_clone(network);
            let demand = Arc::unwrap_or_clone(demand);
            (Scenario { network, demand, settings, requests }, outputs, Some(cut))
        }
        None => {
            let config = configuration(args.configuration.as_deref(), args, &mut warnings)?;
            (load(&config, &mut warnings)?, config.outputs, None)
        }
    };
    let (scenario, is_regional) = regional(scenario, &process.region, &mut warnings)?;
    let is_changed = is_regional || args.edits.is_some();
    let scenario = as_edited(scenario, args, &mut warnings)?;
    warn_all(&warnings);
    let partition = &process.partition;
    let asks = partition.count > 0 || !partition.assignment.as_os_str().is_empty();
    let cut = match cut {
        Some(cut) if !is_changed && !asks && (partition.min..=partition.max).contains(&cut.parts) => cut,
        _ => cut_as_asked(&scenario.network, &scenario.demand, scenario.settings.seed, partition, hosts)?,
    };
    Ok(LoadedScenario { scenario, cut, outputs })
}

/// The scenario with the edits of the command line.
///
/// # Errors
/// The file cannot be read, or says what cannot be done.
pub fn as_edited(scenario: Scenario, args: &InputArgs, warnings: &mut Warnings) -> Result<Scenario, InputError> {
    let Some(file) = &args.edits else { return Ok(scenario) };
    let lines = edits_of_lines(&file.display().to_string(), &read_file(file)?)?;
    let mut edited = EditedNetwork::new(&scenario.network);
    for (at, edits) in lines {
        edited.apply(&edits).map_err(|error| InputError::new(at, error.to_string()))?;
    }
    Ok(scenario.edited(edited, warnings))
}

/// The part of a scenario that is to be simulated, and whether it is another one than before.
///
/// # Errors
/// The region or the file of crossings is bad.
pub fn regional(
    mut scenario: Scenario,
    settings: &RegionSettings,
    warnings: &mut Warnings,
) -> Result<(Scenario, bool), InputError> {
    let Some(source) = settings.source().map_err(|message| InputError::file("region", message))? else {
        return Ok((scenario, false));
    };
    let region = Region::find(&source, &scenario.network, warnings)?;
    let (inside, simulated) = (region.inside().len(), region.simulated().len());
    if !settings.record.as_os_str().is_empty() {
        tracing::info!(edges = inside, recorded = simulated, "recording crossings of the region");
        region.record(&settings.record, &mut scenario.requests);
        return Ok((scenario, false));
    }
    let crossings = Some(settings.crossings.as_path()).filter(|path| !path.as_os_str().is_empty());
    let whole = scenario.demand.departures.len();
    let scenario = region.cut_out(scenario, crossings, warnings)?;
    let trips = scenario.demand.departures.len();
    tracing::info!(
        edges = inside,
        simulated,
        trips,
        vehicles_of_the_whole = whole,
        "simulating a region of the network"
    );
    Ok((scenario, true))
}

/// A SUMO configuration, with what the command line says over it.
///
/// # Errors
/// The file cannot be read, or an option has a bad value.
pub fn configuration(file: Option<&Path>, args: &InputArgs, warnings: &mut Warnings) -> Result<RunConfig, InputError> {
    let mut config = match file {
        Some(path) => RunConfig::read(path, warnings)?,
        None => RunConfig::default(),
    };
    take_options(args, &mut config, warnings)?;
    report_as(&config.report)?;
    if config.random_seed {
        // The standard library seeds its hash maps from the operating system's randomness.
        config.settings.seed = std::collections::hash_map::RandomState::new().build_hasher().finish();
    }
    Ok(config)
}

fn take_options(args: &InputArgs, config: &mut RunConfig, warnings: &mut Warnings) -> Result<(), InputError> {
    args.sumo_options()
        .try_for_each(|(option, value)| config.set(option, value, Path::new(""), command_line(), warnings))
}

fn command_line() -> Location {
    Location::file("command line")
}

/// The outputs of a run whose scenario is compiled.
fn outputs_only(args: &InputArgs, warnings: &mut Warnings) -> Result<OutputPaths, InputError> {
    let is_output = |name: &str| {
        name == "device.fcd.period"
            || SumoOption::find(name).is_some_and(|option| OUTPUT_TOPICS.contains(&option.topic))
    };
    if let Some((option, _)) = args.sumo_options().find(|(option, _)| !is_output(option)) {
        let message =
            format!("option {option} is compiled into the scenario; leave it out, or compile the scenario with it");
        return Err(InputError::new(command_line(), message));
    }
    let mut config = RunConfig::default();
    take_options(args, &mut config, warnings)?;
    report_as(&config.report)?;
    Ok(config.outputs)
}
