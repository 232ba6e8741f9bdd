//! Which output files a run was asked for, and who makes what is in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::crossings::Crossings;
use super::detector::Detectors;
use super::edgedata::MeanData;
use super::fcd::Fcd;
use super::files::with_prefix;
use super::outputs::Reporting;
use super::sink::{Names, Sink};
use super::statistics::Statistics;
use super::summary::Summary;
use super::tripinfo::TripInfo;
use crate::diagnostics::InputError;
use crate::scenario::{OutputPaths, OutputRequests};

/// A file and what is in it.
pub type NamedSink = (PathBuf, Box<dyn Sink>);

/// The files in a fixed order, under their final names.
///
/// # Errors
/// Two different outputs ask for one file, or Parquet is asked for and cannot be written.
pub fn sinks(
    names: &Names,
    paths: &OutputPaths,
    requests: &OutputRequests,
    reporting: Reporting,
) -> Result<Vec<NamedSink>, InputError> {
    let begin_ms = reporting.begin_ms;
    let mut sinks: Vec<(&PathBuf, Box<dyn Sink>)> = Vec::new();
    if let Some(path) = &paths.tripinfo {
        sinks.push((path, Box::new(TripInfo::new(names.clone(), paths.tripinfo_unfinished))));
    }
    if let Some(path) = &paths.summary {
        sinks.push((path, Box::new(Summary::new(begin_ms, paths.summary_period_ms))));
    }
    if let Some(path) = &paths.fcd {
        sinks.push((path, fcd_sink(path, names, paths.fcd_period_ms, reporting)?));
    }
    if let Some(path) = &paths.statistic {
        sinks.push((path, Box::new(Statistics::new(begin_ms))));
    }
    for path in distinct(requests.mean_data.iter().map(|r| &r.file)) {
        sinks.push((path, Box::new(MeanData::new(names.clone(), &requests.mean_data, |r| r.file == *path))));
    }
    for path in distinct(requests.detectors.iter().map(|d| &d.file)) {
        sinks.push((path, Box::new(Detectors::new(&requests.detectors, |d| d.file == *path))));
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
        named.push((with_prefix(path, if is_a_file(path) { &paths.prefix } else { "" }), sink));
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

fn fcd_sink(path: &Path, names: &Names, period_ms: i64, reporting: Reporting) -> Result<Box<dyn Sink>, InputError> {
    let begin_ms = reporting.begin_ms;
    if path.extension().is_none_or(|extension| extension != "parquet") {
        return Ok(Box::new(Fcd::new(names.clone(), begin_ms, period_ms)));
    }
    if reporting.checkpoints {
        return Err(InputError::file(
            path.to_string_lossy(),
            "a run with checkpoints cannot write Parquet, which is not written step by step; give the file a name that \
             ends in .xml, or switch checkpoints off",
        ));
    }
    #[cfg(feature = "parquet")]
    return super::parquet::ParquetFcd::new(names.clone(), begin_ms, period_ms)
        .map(|sink| Box::new(sink) as Box<dyn Sink>)
        .map_err(|error| InputError::file(path.to_string_lossy(), error.to_string()));
    #[cfg(not(feature = "parquet"))]
    Err(InputError::file(
        path.to_string_lossy(),
        "this build cannot write Parquet; build with '--features parquet', or give the file a name that ends in .xml",
    ))
}
