//! Whether a process is alive, and whether it is of use: what probes ask (docs/control.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::metrics::{LastAnswer, StoreMeter};
use crate::observe::Role;

/// A loop that takes longer for a word than this hangs; probes of deploy/ wait 5 s.
const ANSWER: Duration = Duration::from_secs(2);
/// Probes at once.
const PROBES: usize = 16;

/// Whether a process is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Not yet, or not any more; this is why.
    Waits(&'static str),
}

/// The health of a process. Clones share it.
#[derive(Clone)]
pub struct Health {
    role: Role,
    shared: Arc<Shared>,
    store: StoreMeter,
    probes: mpsc::Sender<oneshot::Sender<()>>,
}

#[derive(Default)]
struct Shared {
    launches: AtomicBool,
    has_master: AtomicBool,
    rests: AtomicBool,
}

impl Health {
    pub(super) fn new(role: Role, store: StoreMeter) -> (Self, Pulse) {
        let (probes, pulse) = mpsc::channel(PROBES);
        (Self { role, shared: Arc::default(), store, probes }, Pulse(pulse))
    }

    /// A run is to be driven, which takes the lease, the store, and some computing: from now on until
    /// [`takes_workers`](Self::takes_workers) the process is of no use to workers, and its main loop may be busy for minutes.
    pub fn launches(&self) {
        self.shared.launches.store(true, Ordering::Relaxed);
    }

    /// The run is driven, and calls of workers are taken; or there is no run any more.
    pub fn takes_workers(&self) {
        self.shared.launches.store(false, Ordering::Relaxed);
    }

    /// Whether a master has welcomed this worker.
    pub fn has_master(&self, has_master: bool) {
        self.shared.has_master.store(has_master, Ordering::Relaxed);
    }

    /// The run is over, and the process stays: it is well although it has nothing to do.
    pub fn rests(&self) {
        self.shared.rests.store(true, Ordering::Relaxed);
    }

    pub fn is_resting(&self) -> bool {
        self.shared.rests.load(Ordering::Relaxed)
    }

    /// Whether the main loop does its work.
    pub async fn is_alive(&self) -> bool {
        if self.shared.launches.load(Ordering::Relaxed) {
            return true;
        }
        let (answer, answered) = oneshot::channel();
        self.probes.try_send(answer).is_ok() && timeout(ANSWER, answered).await.is_ok_and(|answer| answer.is_ok())
    }

    pub fn readiness(&self) -> Readiness {
        let Shared { launches, has_master, .. } = &*self.shared;
        match self.role {
            _ if self.is_resting() => Readiness::Ready,
            Role::Worker if !has_master.load(Ordering::Relaxed) => {
                Readiness::Waits("this worker has not joined a master")
            }
            Role::Master | Role::Standalone if launches.load(Ordering::Relaxed) => {
                Readiness::Waits(match self.store.last_answer() {
                    LastAnswer::Held => "another master holds the lease of the run",
                    LastAnswer::Outage => "store outage",
                    LastAnswer::Fine => "the run is being prepared",
                })
            }
            _ => Readiness::Ready,
        }
    }
}

/// Answers probes on the main loop.
pub struct Pulse(mpsc::Receiver<oneshot::Sender<()>>);

impl Pulse {
    /// Never ends while the health is of interest to anybody.
    pub async fn beat(mut self) {
        while let Some(probe) = self.0.recv().await {
            // Who asked may have lost patience.
            let _ = probe.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Instruments;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_beat_is_dead_unless_it_is_known_to_be_busy() {
        let (instruments, pulse) = Instruments::new(Role::Master);
        let health = instruments.health();
        assert!(!health.is_alive().await, "nobody answers");
        health.launches();
        assert!(health.is_alive().await);
        health.takes_workers();
        let beating = tokio::spawn(pulse.beat());
        assert!(health.is_alive().await);
        beating.abort();
        assert!(beating.await.is_err());
        assert!(!health.is_alive().await, "it has ended");
    }

    #[tokio::test]
    async fn a_worker_is_ready_with_a_master_and_a_master_when_it_takes_workers() {
        let (worker, _pulse) = Instruments::new(Role::Worker);
        assert!(matches!(worker.health().readiness(), Readiness::Waits(_)));
        worker.health().has_master(true);
        assert_eq!(worker.health().readiness(), Readiness::Ready);
        worker.health().has_master(false);
        worker.health().rests();
        assert_eq!(worker.health().readiness(), Readiness::Ready, "the run is over");
        let (master, _pulse) = Instruments::new(Role::Master);
        assert_eq!(master.health().readiness(), Readiness::Ready, "it takes commands");
        master.health().launches();
        assert_eq!(master.health().readiness(), Readiness::Waits("the run is being prepared"));
        master.health().takes_workers();
        assert_eq!(master.health().readiness(), Readiness::Ready);
    }
}
