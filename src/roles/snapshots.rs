//! `tessds snapshot`: looks at what is stored of runs, checks it, and removes it.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::actors::master::LoggedCommand;
use crate::cli::{SnapshotArgs, SnapshotCommand};
use crate::control::timed::timed_line;
use crate::persist::{Holder, Manifest, PartRef, RunName, SnapshotStore, StoreError, open, read_log};

/// What is to be printed, and whether all of it is sound.
pub struct Findings {
    pub text: String,
    pub sound: bool,
}

/// A line of `ls`.
#[derive(Serialize)]
struct RunLine {
    run: RunName,
    epoch: u64,
    /// Step of the newest commit.
    step: Option<u64>,
    commits: usize,
    /// Of the parts of all commits.
    bytes: u64,
    age_s: Option<u64>,
    holder: Option<Holder>,
}

/// What `show` says of a commit.
#[derive(Serialize)]
struct CommitLines {
    step: u64,
    epoch: u64,
    scenario: String,
    created_ms: u64,
    bytes: u64,
    parts: Vec<PartLine>,
}

#[derive(Serialize)]
struct PartLine {
    part: String,
    epoch: u64,
    attempt: u32,
    bytes: u64,
    hash: String,
}

/// What `verify` says of a commit.
#[derive(Serialize)]
struct Check {
    run: RunName,
    step: u64,
    parts: usize,
    bytes: u64,
    faults: Vec<String>,
}

/// Does what the command line asks for.
pub async fn snapshots(args: &SnapshotArgs) -> Result<Findings, StoreError> {
    let sound = |text| Findings { text, sound: true };
    match &args.command {
        SnapshotCommand::Ls { store, json } => {
            let runs = list(&mut *open(store)?).await?;
            Ok(sound(if *json { to_json(&runs) } else { table(&runs) }))
        }
        SnapshotCommand::Show { store, run, step, json } => {
            let run = RunName::new(run)?;
            let mut store = open(store)?;
            let commits: Vec<_> = commits(&mut *store, &run, *step).await?.iter().map(CommitLines::of).collect();
            Ok(sound(if *json { to_json(&commits) } else { details(&commits) }))
        }
        SnapshotCommand::Verify { store, run, step, json } => {
            let mut store = open(store)?;
            let runs = match run {
                Some(run) => vec![RunName::new(run)?],
                None => store.runs().await?,
            };
            let mut checks = Vec::new();
            for run in &runs {
                verify(&mut *store, run, *step, &mut checks).await?;
            }
            let sound = checks.iter().all(|check| check.faults.is_empty());
            Ok(Findings { text: if *json { to_json(&checks) } else { verdicts(&checks) }, sound })
        }
        SnapshotCommand::Commands { store, run } => {
            let run = RunName::new(run)?;
            let mut store = open(store)?;
            store.status(&run).await?.ok_or_else(|| no_run(&run))?;
            Ok(sound(commands(&mut *store, &run).await?))
        }
        SnapshotCommand::Rm { store, run, force } => {
            let run = RunName::new(run)?;
            let mut store = open(store)?;
            if store.status(&run).await?.is_none() && !force {
                return Err(no_run(&run));
            }
            store.remove_run(&run, *force).await?;
            Ok(sound(format!("removed run {run}\n")))
        }
    }
}

fn no_run(run: &RunName) -> StoreError {
    StoreError::Missing { what: format!("no run '{run}' in this store; 'tessds snapshot ls' lists the runs") }
}

/// The command log, as it can be given to another run.
async fn commands(store: &mut dyn SnapshotStore, run: &RunName) -> Result<String, StoreError> {
    let mut text = String::new();
    for (number, bytes) in (0..).zip(read_log(store, run).await?) {
        let entry = LoggedCommand::decode(&bytes);
        let damaged =
            |error| StoreError::Damaged { what: format!("entry {number} of the command log of '{run}': {error}") };
        let LoggedCommand { at_step, text: command, .. } = entry.map_err(damaged)?;
        text.push_str(&timed_line(at_step, &command));
        text.push('\n');
    }
    Ok(text)
}

async fn list(store: &mut dyn SnapshotStore) -> Result<Vec<RunLine>, StoreError> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let mut lines = Vec::new();
    for run in store.runs().await? {
        // It may have been removed in between.
        let Some(status) = store.status(&run).await? else { continue };
        let commits = store.commits(&run).await?;
        lines.push(RunLine {
            epoch: status.epoch.0,
            step: status.committed,
            commits: commits.len(),
            bytes: commits.iter().map(Manifest::bytes).sum(),
            age_s: commits.first().map(|commit| now_ms.saturating_sub(commit.created_ms) / 1000),
            holder: status.holder,
            run,
        });
    }
    Ok(lines)
}

async fn commits(store: &mut dyn SnapshotStore, run: &RunName, step: Option<u64>) -> Result<Vec<Manifest>, StoreError> {
    store.status(run).await?.ok_or_else(|| no_run(run))?;
    let mut commits = store.commits(run).await?;
    if let Some(step) = step {
        commits.retain(|commit| commit.step == step);
        if commits.is_empty() {
            return Err(StoreError::Missing { what: format!("run '{run}' has no intact commit of step {step}") });
        }
    }
    Ok(commits)
}

/// Reads everything that the commits name. Only a store that cannot be read is an error; what is wrong is noted.
async fn verify(
    store: &mut dyn SnapshotStore,
    run: &RunName,
    step: Option<u64>,
    checks: &mut Vec<Check>,
) -> Result<(), StoreError> {
    let newest = store.status(run).await?.ok_or_else(|| no_run(run))?.committed;
    let commits = commits(store, run, step).await?;
    if let Some(newest) = newest
        && step.is_none()
        && commits.first().map(|commit| commit.step) != Some(newest)
    {
        let faults = vec!["the newest commit is missing or damaged".to_owned()];
        checks.push(Check { run: run.clone(), step: newest, parts: 0, bytes: 0, faults });
    }
    for commit in commits {
        let mut faults = Vec::new();
        note(store.get_blob(run, commit.scenario).await, "the scenario", &mut faults)?;
        for part in &commit.parts {
            note(store.get_part(run, part).await, &format!("part {}", part.id.part), &mut faults)?;
        }
        let (step, parts, bytes) = (commit.step, commit.parts.len(), commit.bytes());
        checks.push(Check { run: run.clone(), step, parts, bytes, faults });
    }
    Ok(())
}

fn note(read: Result<Vec<u8>, StoreError>, name: &str, faults: &mut Vec<String>) -> Result<(), StoreError> {
    match read {
        Ok(_) => {}
        Err(error @ (StoreError::Damaged { .. } | StoreError::Missing { .. })) => {
            faults.push(format!("{name}: {error}"))
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

impl CommitLines {
    fn of(commit: &Manifest) -> Self {
        let part = |part: &PartRef| PartLine {
            part: part.id.part.to_string(),
            epoch: part.id.epoch.0,
            attempt: part.id.attempt,
            bytes: part.bytes,
            hash: part.hash.to_string(),
        };
        Self {
            step: commit.step,
            epoch: commit.epoch.0,
            scenario: commit.scenario.to_string(),
            created_ms: commit.created_ms,
            bytes: commit.bytes(),
            parts: commit.parts.iter().map(part).collect(),
        }
    }
}

pub(super) fn to_json(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value).expect("numbers and strings in memory can always be written");
    json + "\n"
}

fn table(runs: &[RunLine]) -> String {
    let rows = runs.iter().map(|line| {
        let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        [
            line.run.to_string(),
            line.epoch.to_string(),
            number(line.step),
            line.commits.to_string(),
            line.bytes.to_string(),
            line.age_s.map_or_else(|| "-".to_owned(), age),
            line.holder.as_ref().map_or_else(|| "-".to_owned(), |holder| holder.name.clone()),
        ]
    });
    let head = ["RUN", "EPOCH", "STEP", "COMMITS", "BYTES", "AGE", "HOLDER"].map(str::to_owned);
    columns(std::iter::once(head).chain(rows).collect())
}

/// In the greatest unit that leaves at least 2 of them.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn columns<const N: usize>(rows: Vec<[String; N]>) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default());
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn details(commits: &[CommitLines]) -> String {
    let mut text = String::new();
    for commit in commits {
        let CommitLines { step, epoch, scenario, bytes, parts, .. } = commit;
        let _ =
            writeln!(text, "step {step}, epoch {epoch}, {bytes} bytes in {} parts, scenario {scenario}", parts.len());
        let rows = parts.iter().map(|part| {
            let PartLine { part, epoch, attempt, bytes, hash } = part;
            [
                format!("  {part}"),
                format!("epoch {epoch}"),
                format!("attempt {attempt}"),
                bytes.to_string(),
                hash.clone(),
            ]
        });
        text += &columns(rows.collect());
    }
    text
}

fn verdicts(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { run, step, parts, bytes, faults } in checks {
        let verdict = if faults.is_empty() { "sound" } else { "DAMAGED" };
        let _ = writeln!(text, "run {run} step {step}: {verdict}, {parts} parts, {bytes} bytes");
        for fault in faults {
            let _ = writeln!(text, "  {fault}");
        }
    }
    text
}
