//! The output files of a run: a file here for what is in each of them, and in this one which of them a run was asked for.

mod area_detector;
mod by_lane;
mod collisions;
mod crossings;
mod detector;
mod edgedata;
mod entry_exit;
mod fcd;
mod instant_loop;
mod lane_changes;
mod signal_states;
mod statistics;
mod stop_output;
mod summary;
mod tripinfo;
mod vehroute;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::diagnostics::InputError;
use crate::output::files::with_prefix;
use crate::output::outputs::Reporting;
use crate::output::sink::{Names, Sink};
use crate::scenario::{OutputFormat, OutputPaths, OutputRequests};
use area_detector::Areas;
use by_lane::{Netstate, Queues};
use collisions::Collisions;
use crossings::Crossings;
use detector::Detectors;
use edgedata::MeanData;
use entry_exit::EntryExits;
use fcd::Fcd;
use instant_loop::InstantLoops;
use lane_changes::LaneChanges;
use signal_states::SignalStates;
use statistics::Statistics;
pub use statistics::TripTotals;
use stop_output::Stops;
use summary::Summary;
use tripinfo::{Devices, TripInfo};
use vehroute::Vehroute;

/// What several detectors remember, as bytes.
fn save_states<'s, S: Serialize + 's>(states: impl Iterator<Item = &'s S>) -> Vec<u8> {
    rmp_serde::to_vec(&states.collect::<Vec<_>>()).expect("plain data is saved without error")
}

/// Puts what [`save_states`] gave into the states of as many detectors.
fn restore_states<'s, S: DeserializeOwned + 's>(
    bytes: &[u8],
    states: impl ExactSizeIterator<Item = &'s mut S>,
) -> io::Result<()> {
    let saved: Vec<S> = rmp_serde::from_slice(bytes).map_err(io::Error::other)?;
    if saved.len() != states.len() {
        return Err(io::Error::other("there are other detectors than before"));
    }
    states.zip(saved).for_each(|(state, saved)| *state = saved);
    Ok(())
}

/// A file and what is in it.
pub type NamedSink = (PathBuf, Box<dyn Sink>);

/// The files in a fixed order, under their final names.
///
/// # Errors
/// Two different outputs ask for one file, or Parquet is asked for in a run with checkpoints.
pub fn sinks(
    names: &Names,
    paths: &OutputPaths,
    requests: &OutputRequests,
    reporting: Reporting,
) -> Result<Vec<NamedSink>, InputError> {
    let begin_ms = reporting.begin_ms;
    let mut sinks: Vec<(&PathBuf, Box<dyn Sink>)> = Vec::new();
    let devices = Devices { vehroute: paths.vehroute.is_some(), fcd: paths.fcd.is_some() };
    if let Some(path) = &paths.tripinfo {
        sinks.push((path, Box::new(TripInfo::new(names.clone(), paths.tripinfo_unfinished, devices))));
    }
    if let Some(path) = &paths.summary {
        sinks.push((path, Box::new(Summary::new(begin_ms, paths.summary_period_ms))));
    }
    if let Some(path) = &paths.fcd {
        sinks.push((path, Box::new(Fcd::new(names.clone(), begin_ms, paths.fcd_period_ms))));
    }
    if let Some(path) = &paths.statistic {
        sinks.push((path, Box::new(Statistics::new(names.clone(), begin_ms))));
    }
    if let Some(path) = &paths.vehroute {
        sinks.push((path, Box::new(Vehroute::new(names.clone(), paths.vehroute_options))));
    }
    if let Some(path) = &paths.lane_changes {
        sinks.push((path, Box::new(LaneChanges::new(names.clone()))));
    }
    if let Some(path) = &paths.collisions {
        sinks.push((path, Box::new(Collisions::new(names.clone()))));
    }
    if let Some(path) = &paths.stops {
        sinks.push((path, Box::new(Stops::new(names.clone()))));
    }
    if let Some(path) = &paths.queues {
        sinks.push((path, Box::new(Queues::new(names.clone(), begin_ms, paths.queue_options))));
    }
    if let Some(path) = &paths.netstate {
        let (empty_edges, decimals) = (paths.netstate_empty_edges, paths.netstate_precision);
        sinks.push((path, Box::new(Netstate::new(names.clone(), empty_edges, decimals))));
    }
    for path in distinct(requests.mean_data.iter().map(|r| &r.file)) {
        sinks.push((path, Box::new(MeanData::new(names.clone(), &requests.mean_data, |r| r.file == *path))));
    }
    for path in distinct(requests.detectors.iter().map(|d| &d.file)) {
        let here = requests.detectors.iter().filter(|d| d.file == *path);
        sinks.push((path, Box::new(Detectors::new(names.clone(), here, begin_ms, reporting.step_ms))));
    }
    for path in distinct(requests.areas.iter().map(|area| &area.file)) {
        let here = requests.areas.iter().filter(|area| area.file == *path);
        sinks.push((path, Box::new(Areas::new(names.clone(), here, begin_ms, reporting.step_ms))));
    }
    for path in distinct(requests.entry_exits.iter().map(|request| &request.file)) {
        let here = requests.entry_exits.iter().filter(|request| request.file == *path);
        sinks.push((path, Box::new(EntryExits::new(names.clone(), here, begin_ms, reporting.step_ms))));
    }
    for path in distinct(requests.instants.iter().map(|request| &request.file)) {
        let here = requests.instants.iter().filter(|request| request.file == *path);
        sinks.push((path, Box::new(InstantLoops::new(names.clone(), here, reporting.step_ms))));
    }
    let mut recorded = BTreeSet::new();
    for request in requests.signals.iter().filter(|request| recorded.insert((request.record, &request.file))) {
        let alike =
            requests.signals.iter().filter(|other| (other.record, &other.file) == (request.record, &request.file));
        let signals = alike.map(|other| other.signal).collect();
        sinks.push((&request.file, Box::new(SignalStates::new(names.clone(), request.record, signals))));
    }
    if let Some(request) = &requests.crossings {
        sinks.push((&request.file, Box::new(Crossings::new(names.clone(), request))));
    }
    let mut taken = BTreeSet::new();
    let mut named = Vec::with_capacity(sinks.len());
    for (path, sink) in sinks {
        if is_a_file(path) && !taken.insert(path) {
            return Err(InputError::file(
                path.to_string_lossy(),
                "two different outputs ask for this file; give each a file of its own",
            ));
        }
        if reporting.checkpoints && paths.style.format_of(path) == OutputFormat::Parquet {
            return Err(InputError::file(
                path.to_string_lossy(),
                "a run with checkpoints cannot write Parquet, which is not written step by step; give the file a name that \
                 ends in .xml, or switch checkpoints off",
            ));
        }
        let (prefix, suffix) = if is_a_file(path) { (paths.prefix.as_str(), paths.suffix.as_str()) } else { ("", "") };
        named.push((with_prefix(path, prefix, suffix), sink));
    }
    Ok(named)
}

fn is_a_file(path: &Path) -> bool {
    !path.file_name().is_some_and(|name| name == "NUL" || name == "stdout" || name == "-")
        && path != Path::new("/dev/null")
}

fn distinct<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<&'a PathBuf> {
    let mut seen = BTreeSet::new();
    paths.filter(|path| seen.insert(*path)).collect()
}
