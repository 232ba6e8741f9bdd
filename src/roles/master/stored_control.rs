//! How a run is driven, which timed commands it has and what its command log says: from the store, or as it is started.

use std::time::Duration;

use super::{RunControl, TimedFile};
use crate::actors::master::{LoggedCommand, PACE, Pace, ScheduledCommand, StoredPace, Tenure, persist};
use crate::control::NameResolver;
use crate::control::timed::{TimedCommand, parse};
use crate::persist::SnapshotStore;
use crate::roles::standalone::RunError;
use crate::sim::RunRules;

/// Under this name the timed commands are stored.
const TIMED: &str = "timed";

/// How a run is driven: as an earlier master was told, or as it is started. Who can be told to go on is the only one who waits.
pub(super) async fn pace_of(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    kept: Option<StoredPace>,
    control: Option<&RunControl>,
    start: u64,
    rules: &RunRules,
) -> Result<Pace, RunError> {
    let step = Duration::from_millis(rules.step_ms as u64);
    let Some(control) = control.filter(|control| control.requests.is_some()) else {
        if kept.is_some_and(|kept| kept.paused_at.is_some()) {
            tracing::warn!(run = %tenure.run, "paused run resumed, because this process accepts no commands");
        }
        return Ok(Pace::new(step, None, None));
    };
    let given = StoredPace { paused_at: control.paused.then_some(start), factor: control.factor };
    if kept.is_none() && given != StoredPace::default() {
        let (run, epoch) = (&tenure.run, tenure.epoch);
        let kept = persist(async || store.put_record(run, epoch, PACE, &given.encode()).await).await;
        kept.map_err(|error| RunError::Failed(format!("pace and pause state cannot be stored: {error}")))?;
    }
    let StoredPace { paused_at, factor } = kept.unwrap_or(given);
    Ok(Pace::new(step, paused_at, factor))
}

/// The command log with the partitions that its entries concern, as far as they are for the present network; the resolver learns
/// the names that they brought.
pub(super) fn scheduled(log: Vec<LoggedCommand>, edits: u32, resolver: &mut NameResolver) -> Vec<ScheduledCommand> {
    let mut before = 0;
    let tell = |(entry, number): (LoggedCommand, u64)| {
        if before <= edits {
            entry.learn(resolver);
        }
        let is_present = before == edits;
        before += u32::from(entry.is_edit());
        if is_present { entry.told(number, resolver) } else { ScheduledCommand { number, entry, parts: Vec::new() } }
    };
    log.into_iter().zip(0..).map(tell).collect()
}

/// Commands that are given at their steps: those of a new run are kept in the store, for who resumes it; a run that goes on has
/// its own.
pub(super) async fn timed_commands(
    store: &mut dyn SnapshotStore,
    tenure: &Tenure,
    given: Option<TimedFile>,
    is_new: bool,
) -> Result<Vec<TimedCommand>, RunError> {
    let Tenure { run, epoch, .. } = tenure;
    let failed = |error| RunError::Failed(format!("the timed commands cannot be stored: {error}"));
    let file = if is_new {
        let Some(file) = given else { return Ok(Vec::new()) };
        let bytes = rmp_serde::to_vec(&file).expect("a text can always be written");
        persist(async || store.put_record(run, *epoch, TIMED, &bytes).await).await.map_err(failed)?;
        file
    } else {
        let kept = persist(async || store.get_record(run, TIMED).await).await.map_err(failed)?;
        match kept.map(|bytes: Vec<u8>| rmp_serde::from_slice(&bytes)) {
            None => return Ok(Vec::new()),
            Some(Ok(file)) => file,
            Some(Err(error)) => {
                return Err(RunError::Failed(format!("the timed commands of '{run}' cannot be read: {error}")));
            }
        }
    };
    Ok(parse(&file.name, &file.text)?)
}
