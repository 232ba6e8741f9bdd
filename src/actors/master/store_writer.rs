//! The master's side of the store: the lease, commits, the recorder's part of snapshots, and where partitions are. A store
//! that fails stops nobody; the master hears of it and the last commit stays.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::prelude::*;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::commits::Complete;
use super::instruction::StoredPace;
use crate::actors::oldest_and_newest::OldestAndNewest;
use crate::persist::{ContentHash, Envelope, Manifest, PartId, PartName, PartRef, RunName, SnapshotStore, StoreError};
use crate::protocol::Epoch;

/// Under this name it is stored where partitions are.
pub const PLACES: &str = "places";
/// Under this name it is stored what has been recovered.
pub const TALLIES: &str = "tallies";
/// Under this name it is stored how the run ended.
pub const OUTCOME: &str = "outcome";
/// Under this name it is stored how the run is driven.
pub const PACE: &str = "pace";
/// Tries of a call that the run does not depend on, and pauses between them.
pub const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// States of the recorder that wait until the store takes them, as many as snapshots in a worker.
const UNSAVED: usize = 9;
/// Orders that wait for the store. The master gives few: at most some for each snapshot.
const QUEUE: usize = 64;

/// What the store writer is asked to do, in this order.
#[derive(Debug)]
pub enum Order {
    RaiseEpoch {
        epoch: Epoch,
    },
    Commit {
        epoch: Epoch,
        complete: Complete,
    },
    SaveRecorder {
        epoch: Epoch,
        step: u64,
        state: Vec<u8>,
    },
    SavePlaces {
        epoch: Epoch,
        places: Vec<u8>,
        /// They change when partitions are placed, and only then.
        tallies: Vec<u8>,
    },
    /// How the run is driven.
    SavePace {
        epoch: Epoch,
        pace: StoredPace,
    },
    /// An entry of the command log.
    Log {
        number: u64,
        entry: Vec<u8>,
    },
    Conclude {
        epoch: Epoch,
        result: Option<Vec<u8>>,
    },
}

/// What came of it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum StoreEvent {
    EpochRaised(Epoch),
    Committed,
    CommitFailed(String),
    RecorderStored(PartRef),
    /// Acknowledged, and durable (I6).
    Logged(u64),
    /// It is stored how the run is driven, or it cannot be.
    PaceKept(bool),
    /// Another master has taken over.
    Fenced(String),
    Concluded,
}

/// Whose lease it is.
#[derive(Clone, Debug)]
pub struct Tenure {
    pub run: RunName,
    pub holder: String,
    pub epoch: Epoch,
    pub ttl: Duration,
    pub scenario: ContentHash,
}

/// A state of the recorder that is to be stored.
struct Unsaved {
    id: PartId,
    sealed: Vec<u8>,
}

/// Owns the master's connection to the store (I3).
pub struct StoreWriter {
    store: Box<dyn SnapshotStore>,
    tenure: Tenure,
    /// What the store did not take, and what came meanwhile.
    unsaved: OldestAndNewest<Unsaved>,
    answers: Recipient<StoreEvent>,
}

impl StoreWriter {
    pub fn new(store: Box<dyn SnapshotStore>, tenure: Tenure, answers: Recipient<StoreEvent>) -> Self {
        Self { store, tenure, unsaved: OldestAndNewest::new(UNSAVED), answers }
    }

    /// Where orders go.
    pub fn queue() -> (mpsc::Sender<Order>, mpsc::Receiver<Order>) {
        mpsc::channel(QUEUE)
    }

    /// Works until nobody gives orders any more, or another master has taken over. Keeps the lease meanwhile.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut renewal = interval(self.tenure.ttl / 4);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut retry = interval(LONGEST_PAUSE);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In this order and not by lot, so that a simulated run is deterministic; the first two are due now and then only.
            let done = tokio::select! {
                biased;
                _ = renewal.tick() => self.renew().await,
                _ = retry.tick(), if !self.unsaved.is_empty() => {
                    self.save_recorder(1).await;
                    Ok(())
                }
                order = orders.recv() => match order {
                    Some(order) => self.carry_out(order).await,
                    None => break,
                },
            };
            if let Err(fenced) = done {
                self.answer(StoreEvent::Fenced(fenced_off(&self.tenure.run, &fenced)));
                break;
            }
        }
    }

    /// `Err`: fenced off.
    async fn carry_out(&mut self, order: Order) -> Result<(), StoreError> {
        let run = self.tenure.run.clone();
        match order {
            Order::RaiseEpoch { epoch } => {
                let raised = self.raise(epoch).await?;
                self.tenure.epoch = raised;
                self.answer(StoreEvent::EpochRaised(raised));
            }
            Order::Commit { epoch, complete } => {
                let created_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
                let Complete { step, mut parts, recorder } = complete;
                parts.push(recorder);
                let manifest = Manifest { step, epoch, scenario: self.tenure.scenario, parts, created_ms };
                match self.commit(&manifest).await {
                    Ok(()) => self.answer(StoreEvent::Committed),
                    Err(fenced @ StoreError::Fenced { .. }) => return Err(fenced),
                    Err(error) => self.answer(StoreEvent::CommitFailed(error.to_string())),
                }
            }
            Order::SaveRecorder { epoch, step, state } => {
                if self.unsaved.len() < UNSAVED {
                    self.sweep(epoch).await;
                }
                let id = PartId { step, epoch, part: PartName::Recorder, attempt: 0 };
                let scenario = self.tenure.scenario;
                let sealed = Envelope { scenario, step, epoch, part: PartName::Recorder }.seal(&state);
                if let Some(Unsaved { id, .. }) = self.unsaved.push(Unsaved { id, sealed }) {
                    tracing::warn!(step = id.step, "recorder state skipped: store outage, the backlog is full");
                }
                if self.unsaved.len() == 1 {
                    self.save_recorder(TRIES).await;
                }
            }
            Order::SavePlaces { epoch, places, tallies } => {
                for (name, bytes) in [(PLACES, places), (TALLIES, tallies)] {
                    let store = &mut self.store;
                    match persist(async || store.put_record(&run, epoch, name, &bytes).await).await {
                        Err(fenced @ StoreError::Fenced { .. }) => return Err(fenced),
                        // A next master learns the places from the workers themselves, and counts too little.
                        Err(error) => tracing::warn!(%error, "placement of partitions not stored"),
                        Ok(()) => {}
                    }
                }
            }
            Order::SavePace { epoch, pace } => {
                let (store, pace) = (&mut self.store, pace.encode());
                match persist(async || store.put_record(&run, epoch, PACE, &pace).await).await {
                    Err(fenced @ StoreError::Fenced { .. }) => return Err(fenced),
                    Err(error) => {
                        tracing::warn!(%error, "pace and pause state not stored; a restarted master would not restore them");
                        self.answer(StoreEvent::PaceKept(false));
                    }
                    Ok(()) => self.answer(StoreEvent::PaceKept(true)),
                }
            }
            Order::Log { number, entry } => {
                self.log(number, &entry).await?;
                self.answer(StoreEvent::Logged(number));
            }
            Order::Conclude { epoch, result } => {
                // The epoch may have been raised after the order was given.
                let epoch = epoch.max(self.tenure.epoch);
                let store = &mut self.store;
                let stored = match result {
                    Some(result) => persist(async || store.put_record(&run, epoch, OUTCOME, &result).await).await,
                    None => Ok(()),
                };
                let released = match &stored {
                    Err(StoreError::Fenced { .. }) => Ok(()),
                    _ => persist(async || store.release(&run, epoch).await).await,
                };
                concluded(stored, released)?;
                self.answer(StoreEvent::Concluded);
            }
        }
        Ok(())
    }

    /// Stores the oldest state of the recorder that waits for it. What the store does not take is tried again later: a run
    /// whose logs are full waits for a commit, and that for the earliest of its parts (I7).
    async fn save_recorder(&mut self, tries: u32) {
        let mut tries = tries;
        while let Some(Unsaved { mut id, sealed }) = self.unsaved.pop() {
            let (run, store) = (&self.tenure.run, &mut self.store);
            let stored = persist_within(tries, async || {
                let this = id;
                id.attempt += 1;
                store.put_part(run, this, &sealed).await
            });
            match stored.await {
                Ok(reference) => self.answer(StoreEvent::RecorderStored(reference)),
                Err(error) if error.is_outage() => {
                    tracing::error!(step = id.step, %error, "recorder state and commits are waiting for the store");
                    return self.unsaved.put_back(Unsaved { id, sealed });
                }
                Err(error) => {
                    tracing::error!(step = id.step, %error, "recorder state not stored; this step is not committed")
                }
            }
            tries = 1;
        }
    }

    /// Commits, however long it takes: as long as it is not known whether the pointer has moved, nobody can know what a lost
    /// partition has to go on from, nor which parts are not needed any more (I5).
    async fn commit(&mut self, manifest: &Manifest) -> Result<(), StoreError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.store.commit(&self.tenure.run, manifest).await {
                Err(error) if error.is_outage() => {
                    tracing::warn!(step = manifest.step, %error, "commit is waiting for the store");
                }
                done => return done,
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Raises the epoch, however long it takes: without it nothing can be recovered.
    async fn raise(&mut self, epoch: Epoch) -> Result<Epoch, StoreError> {
        let (mut pause, mut unsure) = (FIRST_PAUSE, false);
        loop {
            // Whether it was raised is not known after a time-out; taking the own lease again raises it for certain.
            let Tenure { run, holder, ttl, .. } = &self.tenure;
            let raised = if unsure {
                self.store.acquire(run, holder, *ttl).await.map(|lease| lease.epoch)
            } else {
                self.store.raise_epoch(run, epoch).await
            };
            match raised {
                Err(error) if error.is_outage() => {
                    tracing::warn!(%error, "recovery of lost partitions is waiting for the store");
                    unsure |= matches!(error, StoreError::Ambiguous { .. });
                }
                raised => return raised,
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Appends, however long it takes: after a time-out nobody knows whether the entry is there, and a command that may come back
    /// in a replay must not be answered with an error.
    async fn log(&mut self, number: u64, entry: &[u8]) -> Result<(), StoreError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let Tenure { run, epoch, .. } = &self.tenure;
            match self.store.append_log(run, *epoch, number, entry).await {
                Err(error) if error.is_outage() => tracing::warn!(number, %error, "command is waiting for the store"),
                logged => return logged,
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let Tenure { run, holder, epoch, ttl, .. } = &self.tenure;
        match self.store.renew(run, holder, *epoch, *ttl).await {
            Err(fenced @ StoreError::Fenced { .. }) => Err(fenced),
            Err(error) => {
                tracing::warn!(%error, "lease not renewed");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn sweep(&mut self, epoch: Epoch) {
        let kept = self.store.kept_commits();
        loop {
            match self.store.sweep(&self.tenure.run, epoch, kept).await {
                Ok(swept) if swept.more => {}
                Ok(_) => return,
                // The next commit sweeps again.
                Err(error) => return tracing::warn!(%error, "old snapshots not deleted"),
            }
        }
    }

    fn answer(&self, kept: StoreEvent) {
        if self.answers.try_send(kept).is_err() {
            tracing::debug!("the master actor ended before its store connection");
        }
    }
}

/// Whether a run is over, after it was tried to store how it ended and to give up the lease. It is not when another master has
/// taken over and cannot know the end: that one repeats the run and writes the outputs anew, and what it finds counts (I4).
fn concluded(stored: Result<(), StoreError>, released: Result<(), StoreError>) -> Result<(), StoreError> {
    match (stored, released) {
        (Err(fenced @ StoreError::Fenced { .. }), _) | (Err(_), Err(fenced @ StoreError::Fenced { .. })) => Err(fenced),
        (Err(error), _) => {
            tracing::warn!(%error, "end of the run not stored; a new master would repeat the run");
            Ok(())
        }
        (Ok(()), Err(error)) => {
            tracing::debug!(%error, "lease not released; it will expire");
            Ok(())
        }
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// Repeats a call that may be repeated while the store is out of order, some times.
pub async fn persist<T>(call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    persist_within(TRIES, call).await
}

/// The same, with so many tries.
pub async fn persist_within<T>(
    tries: u32,
    mut call: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..tries {
        match call().await {
            Err(error) if error.is_outage() => tracing::debug!(%error, "retrying the store operation"),
            done => return done,
        }
        sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    call().await
}

/// What a master has to say that was fenced off.
pub fn fenced_off(run: &RunName, fenced: &StoreError) -> String {
    match fenced {
        StoreError::Fenced { current: Epoch(0) } => format!(
            "the store has lost the run '{run}', as a Redis that is restarted without persistence does; nothing can be \
             recovered, so start the run again"
        ),
        fenced => format!("another master has taken over the run '{run}': {fenced}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A master could not store that the run was over, and another one began it anew, and emptied its outputs. The first was told
    /// so when it gave up its lease, and reported success all the same (simulated seed 3451).
    #[test]
    fn a_run_that_another_master_repeats_is_not_over() {
        let fenced = || Err(StoreError::Fenced { current: Epoch(2) });
        let outage = || Err(StoreError::Unavailable { what: "a test".to_owned() });
        for (stored, released, is_over) in [
            (Ok(()), Ok(()), true),
            // Whoever takes over now reads how the run ended.
            (Ok(()), fenced(), true),
            (Ok(()), outage(), true),
            (outage(), Ok(()), true),
            (outage(), fenced(), false),
            (fenced(), Ok(()), false),
        ] {
            assert_eq!(concluded(stored.clone(), released.clone()).is_ok(), is_over, "{stored:?} {released:?}");
        }
    }
}
