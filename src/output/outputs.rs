//! All outputs of a run: opens the files that were asked for and feeds them the merged steps.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::collector::{CollectError, Collector, MergedStep};
use super::detector::Detectors;
use super::edgedata::MeanData;
use super::fcd::Fcd;
use super::files::{OutputFile, with_prefix};
use super::sink::{Names, RunEnd, Sink};
use super::statistics::{Statistics, TripTotals};
use super::summary::Summary;
use super::tripinfo::TripInfo;
use crate::diagnostics::InputError;
use crate::ids::LaneId;
use crate::scenario::{EmptyEdges, MeanDataLevel, MeanDataRequest, OutputPaths, OutputRequests};
use crate::sim::report::{Counts, StepReport};

/// Files are brought up to date after this many steps, for those who follow them.
const FLUSH_STEPS: u64 = 1000;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A file could not be written; the message names it.
    #[error("cannot write the output: {0}")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Collect(#[from] CollectError),
}

/// How the reports of the partitions come in.
#[derive(Clone, Copy, Debug)]
pub struct Reporting {
    pub partitions: usize,
    /// Time of the first step that is reported.
    pub begin_ms: i64,
    pub step_ms: i64,
    /// How many steps the fastest partition may be ahead of the slowest.
    pub capacity: usize,
}

/// Adds the requests behind `--edgedata-output` and `--lanedata-output`: one interval over the whole run, without what
/// no vehicle used. To be called once, before partitions and [`Outputs`] get the requests.
pub fn add_whole_run_requests(paths: &OutputPaths, requests: &mut OutputRequests) {
    let wanted = [
        (&paths.edgedata, MeanDataLevel::Edge, "DEFAULT_EDGEDATA"),
        (&paths.lanedata, MeanDataLevel::Lane, "DEFAULT_LANEDATA"),
    ];
    for (file, level, name) in wanted {
        if let Some(file) = file {
            requests.mean_data.push(MeanDataRequest {
                name: name.into(),
                level,
                file: file.clone(),
                period_ms: None,
                begin_ms: None,
                end_ms: None,
                empty: EmptyEdges::Exclude,
                with_internal: false,
                track_vehicles: false,
                min_samples_s: 0.0,
                max_travel_time_s: 100_000.0,
                waiting_speed_mps: 0.1,
                vtypes: Box::default(),
                edges: Box::default(),
            });
        }
    }
}

struct Output {
    file: OutputFile,
    sink: Box<dyn Sink>,
}

/// Collects the reports of all partitions and writes the files. Single-threaded; knows no clock.
pub struct Outputs {
    collector: Collector,
    outputs: Vec<Output>,
    /// What a sink made of one step; reused.
    buffer: Vec<u8>,
    counts: Counts,
    trips: TripTotals,
    digest: u128,
    steps: u64,
}

impl Outputs {
    /// Creates all files. `requests` are those that the partitions measure.
    ///
    /// # Errors
    /// A file that cannot be created, or that two different outputs ask for.
    pub fn open(
        names: &Names,
        paths: &OutputPaths,
        requests: &OutputRequests,
        reporting: Reporting,
    ) -> Result<Self, InputError> {
        let Reporting { partitions, begin_ms, step_ms, capacity } = reporting;
        let mut sinks: Vec<(PathBuf, Box<dyn Sink>)> = Vec::new();
        if let Some(path) = &paths.tripinfo {
            sinks.push((path.clone(), Box::new(TripInfo::new(names.clone(), paths.tripinfo_unfinished))));
        }
        if let Some(path) = &paths.summary {
            sinks.push((path.clone(), Box::new(Summary::new(begin_ms, paths.summary_period_ms))));
        }
        if let Some(path) = &paths.fcd {
            sinks.push((path.clone(), fcd_sink(path, names, begin_ms, paths.fcd_period_ms)?));
        }
        if let Some(path) = &paths.statistic {
            sinks.push((path.clone(), Box::new(Statistics::new(begin_ms))));
        }
        for path in distinct(requests.mean_data.iter().map(|r| &r.file)) {
            let sink = MeanData::new(names.clone(), &requests.mean_data, |r| r.file == *path);
            sinks.push((path.clone(), Box::new(sink)));
        }
        for path in distinct(requests.detectors.iter().map(|d| &d.file)) {
            let sink = Detectors::new(&requests.detectors, |d| d.file == *path);
            sinks.push((path.clone(), Box::new(sink)));
        }
        let mut all = Self {
            collector: Collector::new(partitions, begin_ms, step_ms, capacity),
            outputs: Vec::with_capacity(sinks.len()),
            buffer: Vec::new(),
            counts: Counts::default(),
            trips: TripTotals::default(),
            digest: 0,
            steps: 0,
        };
        let mut taken = BTreeMap::new();
        for (path, mut sink) in sinks {
            if is_a_file(&path) && taken.insert(path.clone(), ()).is_some() {
                return Err(InputError::file(
                    path.to_string_lossy(),
                    "two different outputs ask for this file; give each a file of its own",
                ));
            }
            let mut file = OutputFile::create(&with_prefix(&path, if is_a_file(&path) { &paths.prefix } else { "" }))?;
            sink.begin(&mut all.buffer)
                .and_then(|()| file.append(&all.buffer))
                .map_err(|error| InputError::file(path.to_string_lossy(), error.to_string()))?;
            all.buffer.clear();
            all.outputs.push(Output { file, sink });
        }
        Ok(all)
    }

    /// Takes the report of one partition and writes all steps that it completes. Repeated reports change nothing.
    ///
    /// # Errors
    /// [`OutputError::Write`] ends the outputs: a file is incomplete. After [`CollectError::TooFarAhead`] the report may be
    /// given again later.
    pub fn add(&mut self, partition: usize, report: StepReport) -> Result<(), OutputError> {
        self.add_and(partition, report, |_| {})
    }

    /// As [`Outputs::add`]; shows all steps that the report completes to `observe`, too.
    ///
    /// # Errors
    /// As [`Outputs::add`].
    pub fn add_and(
        &mut self,
        partition: usize,
        report: StepReport,
        mut observe: impl FnMut(&MergedStep),
    ) -> Result<(), OutputError> {
        self.collector.add(partition, report)?;
        while let Some(step) = self.collector.pop() {
            observe(&step);
            self.write(&step)?;
        }
        Ok(())
    }

    /// All reports that were added for steps that are not written; they never will be.
    pub fn take_pending(&mut self) -> Vec<StepReport> {
        self.collector.take_pending()
    }

    fn write(&mut self, step: &MergedStep) -> io::Result<()> {
        self.counts = step.counts;
        self.digest = step.digest;
        step.arrivals.iter().for_each(|trip| self.trips.add(trip));
        self.steps += 1;
        for output in &mut self.outputs {
            output.sink.step(step, &mut self.buffer)?;
            output.file.append(&self.buffer)?;
            self.buffer.clear();
            if self.steps.is_multiple_of(FLUSH_STEPS) {
                output.file.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what the end of the run adds, and closes all files. An error in one file does not keep the others open.
    ///
    /// # Errors
    /// The first error of a file.
    pub fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError> {
        debug_assert!(end.unfinished.iter().all(|trip| trip.arrival_lane == LaneId::NONE));
        let mut result = Ok(());
        for output in &mut self.outputs {
            let closed = output
                .sink
                .finish(end, &mut self.buffer)
                .and_then(|()| output.file.append(&self.buffer))
                .and_then(|()| output.file.close());
            self.buffer.clear();
            result = result.and(closed);
        }
        Ok(result?)
    }

    /// Brings the files up to date and gives the position of each, to which they can be cut back.
    pub fn commit(&mut self) -> io::Result<Vec<(PathBuf, u64)>> {
        self.outputs
            .iter_mut()
            .map(|output| {
                output.file.flush()?;
                Ok((output.file.path().to_owned(), output.file.position()))
            })
            .collect()
    }

    /// Time of the oldest step that is not yet written.
    pub fn next_ms(&self) -> i64 {
        self.collector.next_ms()
    }
    /// Steps written.
    pub fn steps(&self) -> u64 {
        self.steps
    }
    /// Counts after the last step written.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
    /// Sums over the trips written.
    pub fn trips(&self) -> &TripTotals {
        &self.trips
    }
    /// Digest of the last step written.
    pub fn digest(&self) -> u128 {
        self.digest
    }
}

fn is_a_file(path: &Path) -> bool {
    !path.file_name().is_some_and(|name| name == "NUL" || name == "stdout" || name == "-")
        && path != Path::new("/dev/null")
}

fn distinct<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<&'a PathBuf> {
    let mut seen = std::collections::BTreeSet::new();
    paths.filter(|path| seen.insert(*path)).collect()
}

fn fcd_sink(path: &Path, names: &Names, begin_ms: i64, period_ms: i64) -> Result<Box<dyn Sink>, InputError> {
    if path.extension().is_none_or(|extension| extension != "parquet") {
        return Ok(Box::new(Fcd::new(names.clone(), begin_ms, period_ms)));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{EdgeId, VehicleId};
    use crate::output::testing::{mean_data, names, names_of, trip};
    use crate::scenario::DetectorRequest;
    use crate::sim::report::{
        DetectorReport, DetectorStats, FcdRecord, IntervalReport, LaneStats, Teleport, TeleportCause,
    };

    const REPORTING: Reporting = Reporting { partitions: 1, begin_ms: 0, step_ms: 1000, capacity: 64 };

    /// Everything at once, in a folder of its own.
    fn all_outputs(folder: &Path) -> (OutputPaths, OutputRequests) {
        let file = |name: &str| Some(folder.join(name));
        let paths = OutputPaths {
            tripinfo: file("tripinfo.xml"),
            summary: file("summary.xml"),
            edgedata: file("edgedata.xml"),
            lanedata: file("lanedata.xml.gz"),
            fcd: file("fcd.xml"),
            statistic: file("statistic.xml"),
            ..OutputPaths::default()
        };
        let mut requests = OutputRequests::default();
        add_whole_run_requests(&paths, &mut requests);
        let mut periodic = mean_data(MeanDataLevel::Edge);
        periodic.file = folder.join("m.xml");
        requests.mean_data.push(periodic);
        for name in ["d0", "d1"] {
            requests.detectors.push(DetectorRequest {
                name: name.into(),
                lane: LaneId(0),
                pos_m: 1.0,
                period_ms: Some(1000),
                file: folder.join("e1.xml"),
                vtypes: Box::default(),
            });
        }
        (paths, requests)
    }

    fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect()
    }

    /// Something that happened in a step, and the number by which a cut assigns it to a partition.
    type Happening = (u32, u32);

    fn reports(time_ms: i64, happenings: &[Happening], partitions: usize) -> Vec<StepReport> {
        let mut reports = vec![StepReport { time_ms, ..StepReport::default() }; partitions];
        for (vehicle, &(owner, value)) in happenings.iter().enumerate() {
            let vehicle = VehicleId(vehicle as u32);
            let report = &mut reports[owner as usize % partitions];
            let lane = LaneId(value % 4);
            report.counts.running += 1;
            report.counts.speed_um += i64::from(value);
            report.digest = report.digest.wrapping_add(u128::from(value) << 100);
            report.fcd.push(FcdRecord { vehicle, lane, pos_m: f64::from(value % 20), speed_mps: 1.0 / 3.0 });
            report.departed.push((vehicle, EdgeId(0)));
            report.teleports.push(Teleport { vehicle, lane, cause: TeleportCause::Jam });
            if value.is_multiple_of(3) {
                let time_loss_s = f64::from(value) / 7.0;
                report.arrivals.push(crate::sim::report::TripRecord { time_loss_s, ..trip(vehicle.0) });
            }
            if value.is_multiple_of(2) {
                let stats = DetectorStats { contributed: 1, speed_um: value.into(), ..DetectorStats::default() };
                let detector = value / 2 % 2;
                report.detectors.push(DetectorReport { detector, begin_ms: 0, end_ms: time_ms, stats });
            }
            let stats = LaneStats { sampled_us: 1_000_000, distance_um: value.into(), ..LaneStats::default() };
            let lanes = vec![(lane, stats)];
            report.intervals.push(IntervalReport { request: value % 3, begin_ms: 0, end_ms: time_ms + 1000, lanes });
        }
        reports
    }

    fn files_of(steps: &[Vec<Happening>], partitions: usize, order: &[(usize, usize)]) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let (paths, requests) = all_outputs(folder.path());
        let mut outputs =
            Outputs::open(&names_of(40), &paths, &requests, Reporting { partitions, ..REPORTING }).unwrap();
        let reports: Vec<_> =
            steps.iter().enumerate().map(|(i, step)| reports(i as i64 * 1000, step, partitions)).collect();
        for &(step, partition) in order {
            outputs.add(partition, reports[step][partition].clone()).unwrap();
        }
        assert_eq!(outputs.steps(), steps.len() as u64);
        let end = RunEnd { end_ms: steps.len() as i64 * 1000, ..RunEnd::default() };
        outputs.finish(&end).unwrap();
        read_all(folder.path())
    }

    fn shuffled_run() -> impl Strategy<Value = (Vec<Vec<Happening>>, usize, Vec<(usize, usize)>)> {
        let steps = prop::collection::vec(prop::collection::vec((0..100u32, 0..1000u32), 0..40), 1..8);
        (steps, 1..6usize).prop_flat_map(|(steps, partitions)| {
            let order: Vec<_> = (0..steps.len()).flat_map(|s| (0..partitions).map(move |p| (s, p))).collect();
            (Just(steps), Just(partitions), Just(order).prop_shuffle())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn files_do_not_depend_on_the_cut_or_on_the_order_of_reports((steps, partitions, order) in shuffled_run()) {
            let in_order: Vec<_> = (0..steps.len()).map(|step| (step, 0)).collect();
            prop_assert_eq!(files_of(&steps, 1, &in_order), files_of(&steps, partitions, &order));
        }
    }

    #[test]
    fn the_files_grow_while_the_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (paths, requests) = all_outputs(folder.path());
        let mut outputs = Outputs::open(&names(), &paths, &requests, REPORTING).unwrap();
        outputs.add(0, StepReport::default()).unwrap();
        let positions = outputs.commit().unwrap();
        let summary = positions.iter().find(|(path, _)| path.ends_with("summary.xml")).unwrap();
        assert_eq!(summary.1, std::fs::metadata(&summary.0).unwrap().len());
        assert!(summary.1 > 200);
    }

    #[test]
    fn two_outputs_into_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut paths, requests) = all_outputs(folder.path());
        paths.summary = paths.tripinfo.clone();
        let error = Outputs::open(&names(), &paths, &requests, REPORTING).err().unwrap().to_string();
        assert!(error.contains("two different outputs"), "{error}");
    }

    #[test]
    fn the_prefix_changes_every_file_name() {
        let folder = tempfile::tempdir().unwrap();
        let (mut paths, requests) = all_outputs(folder.path());
        paths.prefix = "x_".into();
        Outputs::open(&names(), &paths, &requests, REPORTING).unwrap();
        assert!(read_all(folder.path()).keys().all(|name| name.starts_with("x_")));
    }

    #[cfg(not(feature = "parquet"))]
    #[test]
    fn parquet_without_the_feature_is_an_error_that_names_it() {
        let paths = OutputPaths { fcd: Some("fcd.parquet".into()), ..OutputPaths::default() };
        let error = Outputs::open(&names(), &paths, &OutputRequests::default(), REPORTING).err().unwrap();
        assert!(error.to_string().contains("--features parquet"));
    }
}
