//! A run that crashes and is resumed writes what it would have written anyway.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::outputs::{Outputs, Reporting};
use super::testing::{Happening, REPORTING, add_and_write, all_outputs, names, names_of, read_all, reports};
use super::{OutputsState, RunEnd};
use crate::scenario::{OutputPaths, OutputRequests};
use crate::sim::report::StepReport;

type Files = BTreeMap<String, Vec<u8>>;

fn reporting(partitions: usize, checkpoints: bool) -> Reporting {
    Reporting { partitions, checkpoints, ..REPORTING }
}

fn end_of(steps: &[Vec<Happening>]) -> RunEnd {
    RunEnd { end_ms: steps.len() as i64 * 1000, ..RunEnd::default() }
}

fn write(outputs: &mut Outputs, steps: &[Vec<Happening>], range: std::ops::Range<usize>, partitions: usize) {
    for step in range {
        for (partition, report) in reports(step as i64 * 1000, &steps[step], partitions).into_iter().enumerate() {
            add_and_write(outputs, partition, report);
        }
    }
}

/// How a run is disturbed.
#[derive(Clone, Debug)]
struct Crash {
    /// The checkpoint is made after this many steps.
    checkpoint: usize,
    /// Steps that are written after it and lost.
    lost: usize,
    flushed: bool,
    /// The files are finished before the crash.
    finished: bool,
    /// Partitions after the crash.
    partitions: usize,
}

fn undisturbed(steps: &[Vec<Happening>]) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let (paths, requests) = all_outputs(folder.path());
    let mut outputs = Outputs::open(&names_of(40), &paths, &requests, reporting(1, false)).unwrap();
    write(&mut outputs, steps, 0..steps.len(), 1);
    outputs.finish(&end_of(steps)).unwrap();
    read_all(folder.path())
}

fn disturbed(steps: &[Vec<Happening>], crashes: &[Crash]) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let (paths, requests) = all_outputs(folder.path());
    let mut outputs = Outputs::open(&names_of(40), &paths, &requests, reporting(2, true)).unwrap();
    let mut partitions = 2;
    let mut done = 0;
    for crash in crashes {
        let checkpoint = crash.checkpoint.clamp(done, steps.len());
        write(&mut outputs, steps, done..checkpoint, partitions);
        // As bytes, which is how a store keeps it.
        let saved = rmp_serde::to_vec(&outputs.checkpoint().unwrap()).unwrap();
        write(&mut outputs, steps, checkpoint..(checkpoint + crash.lost).min(steps.len()), partitions);
        if crash.flushed {
            outputs.checkpoint().unwrap();
        }
        if crash.finished {
            outputs.finish(&RunEnd::default()).unwrap();
        }
        drop(outputs);
        let state: OutputsState = rmp_serde::from_slice(&saved).unwrap();
        assert_eq!(state.steps(), checkpoint as u64);
        partitions = crash.partitions;
        outputs = Outputs::resume(&names_of(40), &paths, &requests, reporting(partitions, true), &state).unwrap();
        done = checkpoint;
    }
    // A partition that was not lost tells its steps again; what is on file already changes nothing.
    write(&mut outputs, steps, 0..steps.len(), partitions);
    outputs.finish(&end_of(steps)).unwrap();
    read_all(folder.path())
}

fn crash() -> impl Strategy<Value = Crash> {
    (0..12usize, 0..12usize, any::<bool>(), any::<bool>(), 1..4usize).prop_map(
        |(checkpoint, lost, flushed, finished, partitions)| Crash { checkpoint, lost, flushed, finished, partitions },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn files_after_crashes_are_those_of_an_undisturbed_run(
        steps in prop::collection::vec(prop::collection::vec((0..100u32, 0..1000u32), 0..40), 1..12),
        crashes in prop::collection::vec(crash(), 1..4),
    ) {
        prop_assert_eq!(disturbed(&steps, &crashes), undisturbed(&steps));
    }
}

/// A checkpoint after one step, in a folder.
fn checkpointed(folder: &Path) -> (OutputPaths, OutputRequests, OutputsState) {
    let (paths, requests) = all_outputs(folder);
    let mut outputs = Outputs::open(&names(), &paths, &requests, reporting(1, true)).unwrap();
    add_and_write(&mut outputs, 0, StepReport::default());
    let state = outputs.checkpoint().unwrap();
    (paths, requests, state)
}

fn refusal(paths: &OutputPaths, requests: &OutputRequests, reporting: Reporting, state: &OutputsState) -> String {
    Outputs::resume(&names(), paths, requests, reporting, state).err().unwrap().to_string()
}

#[test]
fn a_file_that_is_shorter_than_committed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (paths, requests, state) = checkpointed(folder.path());
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("summary.xml")).unwrap();
    file.set_len(10).unwrap();
    let error = refusal(&paths, &requests, reporting(1, true), &state);
    assert!(error.contains("summary.xml") && error.contains("has 10 bytes"), "{error}");
}

#[test]
fn other_outputs_than_those_of_the_checkpoint_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (paths, requests, state) = checkpointed(folder.path());
    let fewer = OutputPaths { summary: None, ..paths.clone() };
    let error = refusal(&fewer, &requests, reporting(1, true), &state);
    assert!(error.contains("summary.xml") && error.contains("not asked for any more"), "{error}");
    let mut more = requests.clone();
    more.detectors[0].file = folder.path().join("new.xml");
    let error = refusal(&paths, &more, reporting(1, true), &state);
    assert!(error.contains("new.xml") && error.contains("does not write this output"), "{error}");
    let error = refusal(&paths, &requests, Reporting { step_ms: 500, ..reporting(1, true) }, &state);
    assert!(error.contains("another begin or step length"), "{error}");
}

#[test]
fn a_run_with_checkpoints_refuses_parquet() {
    let paths = OutputPaths { fcd: Some("fcd.parquet".into()), ..OutputPaths::default() };
    let error = Outputs::open(&names(), &paths, &OutputRequests::default(), reporting(1, true)).err().unwrap();
    assert!(error.to_string().contains("with checkpoints cannot write Parquet"), "{error}");
}
