//! Drives a run through all edits of its network: each of them ends one world, and the run goes on in another.

use std::time::{Duration, Instant};

use super::launch::{Launched, LeaseRequest, LoadedScenario, launch};
use super::master::{Driven, EditHandover, Finished, MasterOptions, MasterSetup, RunControl, TimedFile, drive};
use super::standalone::RunError;
use crate::actors::worker::OpenStore;
use crate::diagnostics::InputError;
use crate::protocol::Listener;

/// After an edit of the network workers come back at once; who does not within this time is not waited for.
const GATHER: Duration = Duration::from_secs(5);

/// A run and how a master works on it.
pub struct WholeRun {
    pub options: MasterOptions,
    pub claim: LeaseRequest,
    /// `None`: one that is resumed.
    pub given: Option<LoadedScenario>,
    /// Cut an interrupted run anew.
    pub partitions: Option<u32>,
    /// A connection of its own for every world.
    pub open_store: OpenStore,
    pub listener: Box<dyn Listener>,
    /// Start when so many workers have come.
    pub workers: usize,
    /// `None`: nobody drives the run from outside.
    pub control: Option<RunControl>,
    /// Commands to be given at their steps.
    pub timed: Option<TimedFile>,
}

/// Launches a run and drives it to its end; a run that was finished before is not repeated. `launched` is called whenever it is
/// about to be driven, with the address where workers reach the master. To be called in an actix system.
///
/// # Errors
/// As [`launch`] and [`drive`]; the store cannot be opened; or what `launched` says.
pub async fn drive_through(
    run: WholeRun,
    mut launched: impl AsyncFnMut(String) -> Result<(), RunError>,
) -> Result<Finished, RunError> {
    let WholeRun {
        options,
        claim,
        mut given,
        mut partitions,
        open_store,
        mut listener,
        mut workers,
        mut control,
        mut timed,
    } = run;
    let (mut gather, mut pace) = (None, None);
    let mut wall = Duration::ZERO;
    loop {
        let mut store = open_store().map_err(|error| InputError::file("store", error.to_string()))?;
        let launch = match launch(&mut *store, claim.clone(), given.take(), partitions.take()).await? {
            Launched::Ready(launch) => *launch,
            Launched::Finished(finished) => {
                tracing::warn!(
                    run = %claim.run,
                    "run is already finished and is not repeated; choose another --run-id to repeat it"
                );
                return Ok(*finished);
            }
        };
        let started = Instant::now();
        launched(listener.address()).await?;
        tracing::info!(run = %claim.run, "run is stored under this name");
        let (options, timed) = (options.clone(), timed.take());
        let setup = MasterSetup { options, store, listener, workers, gather, pace, control, timed };
        match drive(setup, launch).await? {
            Driven::Finished(mut finished) => {
                finished.recording.wall += wall;
                return Ok(*finished);
            }
            Driven::Edited(handover) => {
                wall += started.elapsed();
                let handover = *handover;
                EditHandover { listener, control, .. } = handover;
                (workers, gather, pace) = (handover.workers.max(1), Some(GATHER), Some(handover.pace));
            }
        }
    }
}
