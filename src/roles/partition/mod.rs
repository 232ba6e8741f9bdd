//! `tessds partition`: shows how a network is cut, and writes the cut down.

mod drawing;
mod geojson;
mod report;
mod svg;

use std::path::Path;
use std::sync::Arc;

use super::cutting::Hosts;
use super::given::given;
use super::launch::LoadedScenario;
use super::standalone::RunError;
use crate::cli::PartitionArgs;
use crate::diagnostics::InputError;
use crate::graph::join_actuated_signals;
use crate::scenario::{Scenario, write_assignment};
use crate::settings::ProcessSettings;
use crate::sim::World;
use report::PartitionReport;

/// Cuts a scenario as a run of it would be cut, writes the files that are asked for, and gives the report.
///
/// # Errors
/// [`RunError::Input`] for bad input, and for files that cannot be written.
pub fn partition(args: &PartitionArgs) -> Result<String, RunError> {
    let process = ProcessSettings::load(&args.input.settings_files, args.input.overrides())?;
    let LoadedScenario { scenario, mut cut, .. } = given(&args.input, None, &process, Hosts::here())?;
    let Scenario { network, demand, settings, requests } = scenario;
    join_actuated_signals(&network, &mut cut);
    let world = Arc::new(World::new(network, demand, settings, requests));
    let network = &world.network;
    let report = PartitionReport::of(&world, &cut);
    if let Some(path) = &args.write_assignment {
        write(path, &write_assignment(&path.display().to_string(), network, &cut))?;
    }
    if let Some(path) = &args.geojson {
        write(path, &geojson::geojson(network, &cut))?;
    }
    if let Some(path) = &args.svg {
        write(path, &svg::svg(network, &cut, &report))?;
    }
    Ok(if args.json { super::snapshots::to_json(&report) } else { report.to_string() })
}

fn write(path: &Path, text: &str) -> Result<(), InputError> {
    let failed = |error| InputError::file(path.display().to_string(), format!("cannot be written: {error}"));
    std::fs::write(path, text).map_err(failed)
}
