//! All outputs of a run: opens the files that were asked for and feeds them the merged steps.

use std::io;

use super::collector::{CollectError, Collector, MergedStep};
use super::document::Document;
use super::files::OutputFile;
use super::numbers::Numbers;
use super::outputs_state::{FileState, OutputsState};
use super::sink::{Names, RunEnd, Sink};
use super::sinks::TripTotals;
use super::sinks::sinks;
use crate::diagnostics::InputError;
use crate::ids::LaneId;
use crate::scenario::{EmptyEdges, MeanDataLevel, MeanDataRequest, OutputPaths, OutputRequests, RecordedEvents};
use crate::sim::report::{Counts, StepReport};
use crate::sim::{Closing, NewVehicle};

/// Files are brought up to date after this many steps, for those who follow them.
const FLUSH_STEPS: u64 = 1000;

/// SUMO's names for the measurements behind `--edgedata-output` and `--lanedata-output`.
const WHOLE_RUN: [&str; 2] = ["DEFAULT_EDGEDATA", "DEFAULT_LANEDATA"];

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
    /// The run may be resumed from an [`OutputsState`]. Compressed files are then written as plain text to `NAME.gz.part`
    /// and compressed at the end, and Parquet cannot be written.
    pub checkpoints: bool,
}

/// Adds what the outputs of a run need to be measured or reported: the events, and the requests behind `--edgedata-output` and
/// `--lanedata-output`, one interval over the whole run, without what no vehicle used. To be called once, before partitions and [`Outputs`] get the requests.
pub fn add_whole_run_requests(paths: &OutputPaths, requests: &mut OutputRequests) {
    requests.events = paths.events();
    let [edgedata, lanedata] = WHOLE_RUN;
    let wanted = [(&paths.edgedata, MeanDataLevel::Edge, edgedata), (&paths.lanedata, MeanDataLevel::Lane, lanedata)];
    for (file, level, name) in wanted {
        if let Some(file) = file {
            let request = MeanDataRequest::new(name, level, file.clone());
            requests.mean_data.push(MeanDataRequest { empty: EmptyEdges::Exclude, ..request });
        }
    }
}

/// Takes back what [`add_whole_run_requests`] added: these files were asked for by one run of the scenario.
pub fn remove_whole_run_requests(requests: &mut OutputRequests) {
    requests.mean_data.retain(|request| !WHOLE_RUN.contains(&&*request.name));
    requests.events = RecordedEvents::default();
}

struct Output {
    file: OutputFile,
    sink: Box<dyn Sink>,
    /// What the sink made of a step; empty between steps.
    document: Document,
}

/// Collects the reports of all partitions and writes the files. Single-threaded; knows no clock.
pub struct Outputs {
    collector: Collector,
    outputs: Vec<Output>,
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
        let mut all = Self::new(reporting, reporting.begin_ms);
        let numbers = Numbers::new(&paths.style, reporting.step_ms);
        for (path, mut sink) in sinks(names, paths, requests, reporting)? {
            let failed = |error: String| InputError::file(path.to_string_lossy(), error);
            let format = paths.style.format_of(&path);
            let mut document = Document::begin(&sink.table(), format, &paths.style, numbers)
                .map_err(|reason| failed(reason.to_owned()))?;
            let mut file = OutputFile::create(&path, reporting.checkpoints)?;
            sink.begin(&mut document)
                .and_then(|()| file.append(document.bytes()))
                .map_err(|error| failed(error.to_string()))?;
            document.clear();
            all.outputs.push(Output { file, sink, document });
        }
        Ok(all)
    }

    /// Goes on where a run was when it made a [`checkpoint`](Self::checkpoint): cuts all files back to what was written
    /// then. The arguments are those of the run's [`open`](Self::open), but for the number of partitions. Files that were
    /// finished are reopened as well. On the console, the lines since then appear once more.
    ///
    /// # Errors
    /// A file is missing or shorter than it was, other outputs are asked for, or the state is not of this run.
    pub fn resume(
        names: &Names,
        paths: &OutputPaths,
        requests: &OutputRequests,
        reporting: Reporting,
        state: &OutputsState,
    ) -> Result<Self, InputError> {
        let reporting = Reporting { checkpoints: true, ..reporting };
        let OutputsState { files, counts, trips, digest, steps, next_ms } = state;
        let expected_ms = i64::try_from(*steps).ok().and_then(|steps| steps.checked_mul(reporting.step_ms));
        if expected_ms.and_then(|since_ms| since_ms.checked_add(reporting.begin_ms)) != Some(*next_ms) {
            let message = "the checkpoint is of a run with another begin or step length; start the run anew";
            return Err(InputError::file("outputs", message));
        }
        let asked = sinks(names, paths, requests, reporting)?;
        state.check_files(&asked.iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect::<Vec<_>>())?;
        let mut all = Self::new(reporting, *next_ms);
        let numbers = Numbers::new(&paths.style, reporting.step_ms);
        for ((path, mut sink), FileState { position, sink: remembered, .. }) in asked.into_iter().zip(files) {
            sink.restore(remembered).map_err(|error| {
                let message = format!("the checkpoint of this output is damaged ({error}); start the run anew");
                InputError::file(path.to_string_lossy(), message)
            })?;
            let document = Document::resumed(&sink.table(), paths.style.format_of(&path), &paths.style, numbers)
                .map_err(|reason| InputError::file(path.to_string_lossy(), reason))?;
            all.outputs.push(Output { file: OutputFile::resume(&path, *position)?, sink, document });
        }
        Ok(Self { counts: *counts, trips: *trips, digest: *digest, steps: *steps, ..all })
    }

    fn new(reporting: Reporting, next_ms: i64) -> Self {
        let Reporting { partitions, step_ms, capacity, .. } = reporting;
        Self {
            collector: Collector::new(partitions, next_ms, step_ms, capacity),
            outputs: Vec::new(),
            counts: Counts::default(),
            trips: TripTotals::default(),
            digest: 0,
            steps: 0,
        }
    }

    /// Makes a vehicle known that an order adds; to be called before the step of the order is written.
    pub fn admit(&mut self, new: &NewVehicle) {
        self.outputs.iter_mut().for_each(|output| output.sink.admit(new));
    }

    /// Takes the report of one partition. Repeated reports change nothing.
    ///
    /// # Errors
    /// After [`CollectError::TooFarAhead`] the report may be given again later.
    pub fn add(&mut self, partition: usize, report: StepReport) -> Result<(), CollectError> {
        self.collector.add(partition, report)?;
        Ok(())
    }

    /// Writes the next step, when all partitions have reported it, and shows it.
    ///
    /// # Errors
    /// A file cannot be written. This ends the outputs: a file is incomplete.
    pub fn write_next(&mut self) -> io::Result<Option<MergedStep>> {
        let Some(step) = self.collector.pop() else { return Ok(None) };
        self.write(&step)?;
        Ok(Some(step))
    }

    /// All reports that were added for steps that are not written; they never will be.
    fn take_pending(&mut self) -> Vec<StepReport> {
        self.collector.take_pending()
    }

    fn write(&mut self, step: &MergedStep) -> io::Result<()> {
        self.counts = step.counts;
        self.digest = step.digest;
        step.arrivals.iter().for_each(|trip| self.trips.add(trip));
        self.steps += 1;
        for Output { file, sink, document } in &mut self.outputs {
            sink.step(step, document)?;
            file.append(document.bytes())?;
            document.clear();
            if self.steps.is_multiple_of(FLUSH_STEPS) {
                file.flush()?;
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
        for Output { file, sink, document } in &mut self.outputs {
            let closed = sink
                .finish(end, document)
                .and_then(|()| document.end())
                .and_then(|()| file.append(document.bytes()))
                .and_then(|()| file.close());
            document.clear();
            result = result.and(closed);
        }
        Ok(result?)
    }

    /// Ends the run at `end_ms`: writes what the partitions still held, and closes all files. Returns the digest of the whole
    /// state.
    ///
    /// # Errors
    /// The first error of a file.
    pub fn close(&mut self, closings: Vec<Closing>, end_ms: i64) -> Result<u128, OutputError> {
        let mut tails: Vec<StepReport> = self.take_pending();
        let mut end = RunEnd { end_ms, ..RunEnd::default() };
        let mut digest = 0u128;
        for closing in closings {
            digest = digest.wrapping_add(closing.digest);
            end.waiting_delay_ms += closing.waiting_delay_ms;
            end.unfinished.extend(closing.unfinished);
            tails.push(StepReport { intervals: closing.intervals, ..StepReport::default() });
        }
        for tail in &mut tails {
            cut_short(tail, end_ms);
        }
        end.unfinished.sort_unstable_by_key(|trip| trip.vehicle);
        end.tail = MergedStep::of(tails).with_counts(self.counts);
        self.finish(&end)?;
        Ok(digest)
    }

    /// Where the outputs are after the last step written, for [`resume`](Self::resume). All files are on disk when this
    /// returns. Reports of later steps are not part of it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn checkpoint(&mut self) -> io::Result<OutputsState> {
        let mut files = Vec::with_capacity(self.outputs.len());
        for Output { file, sink, .. } in &mut self.outputs {
            file.sync()?;
            let path = file.path().to_string_lossy().into_owned();
            files.push(FileState { path, position: file.position(), sink: sink.save() });
        }
        let Self { counts, trips, digest, steps, .. } = *self;
        Ok(OutputsState { files, counts, trips, digest, steps, next_ms: self.next_ms() })
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

/// Keeps of a report what was measured until `end_ms`. Nothing happens after the end, so an interval that was measured
/// longer holds the values that it had then.
fn cut_short(report: &mut StepReport, end_ms: i64) {
    report.intervals.retain(|i| i.begin_ms < end_ms);
    report.intervals.iter_mut().for_each(|i| i.end_ms = i.end_ms.min(end_ms));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::output::testing::{
        Happening, REPORTING, add_and_write, all_outputs, names, names_of, read_all, reports,
    };

    fn files_of(steps: &[Vec<Happening>], partitions: usize, order: &[(usize, usize)]) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let (paths, requests) = all_outputs(folder.path());
        let mut outputs =
            Outputs::open(&names_of(40), &paths, &requests, Reporting { partitions, ..REPORTING }).unwrap();
        let reports: Vec<_> =
            steps.iter().enumerate().map(|(i, step)| reports(i as i64 * 1000, step, partitions)).collect();
        for &(step, partition) in order {
            add_and_write(&mut outputs, partition, reports[step][partition].clone());
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
        add_and_write(&mut outputs, 0, StepReport::default());
        let state = outputs.checkpoint().unwrap();
        let summary = state.files.iter().find(|file| file.path.ends_with("summary.xml")).unwrap();
        assert_eq!(summary.position, std::fs::metadata(&summary.path).unwrap().len());
        assert!(summary.position > 200);
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
