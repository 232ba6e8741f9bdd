//! Between the master and its workers.

use serde::{Deserialize, Serialize};

use super::{Epoch, ExitStatus, ObservationRequest, Observed, OrderNotice, RouteNotice, RunId};
use crate::persist::{ContentHash, PartRef, RunName};
use crate::sim::report::StepReport;
use crate::sim::{Closing, ReportOptions};

/// A partition that a worker has, as it tells a master that may be a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    pub part: u16,
    /// In which it was placed on the worker.
    pub epoch: Epoch,
    pub steps: u64,
}

/// A part of a snapshot is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub part: u16,
    pub epoch: Epoch,
    pub reference: PartRef,
}

/// Where a partition is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub part: u16,
    pub epoch: Epoch,
    /// Where its worker listens.
    pub address: String,
}

/// What all processes of a run have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Steps between two snapshots; `None`: fault tolerance is off.
    pub snapshot_interval: Option<u64>,
    /// Steps that may be done beyond the last commit: the bound of what links and workers keep.
    pub uncommitted_steps: Option<u64>,
    /// A store that is out of order is not waited for: the oldest of what is kept is given up instead.
    pub outlive_store: bool,
    /// How often workers tell their progress; `None`: heartbeats are off.
    pub heartbeat_ms: Option<u64>,
    /// How long nothing may be heard.
    pub timeout_ms: u64,
    /// What partitions report for the outputs.
    pub report: ReportOptions,
}

impl Policy {
    /// Steps beyond the last commit at which the run waits for the store.
    pub fn bound(&self) -> Option<u64> {
        self.uncommitted_steps.filter(|_| !self.outlive_store)
    }
}

/// What a worker needs to know before it hosts a partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    pub run: RunId,
    pub name: RunName,
    /// The master's epoch.
    pub epoch: Epoch,
    pub scenario: ContentHash,
    pub policy: Policy,
    /// Steps that are committed; snapshots and logs before are not needed any more.
    pub committed: u64,
    /// The first step that the master has no reports of.
    pub recorded: u64,
    pub horizon: u64,
}

/// From a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToMaster {
    /// The first message.
    Join {
        name: String,
        /// Drawn anew by every process.
        incarnation: u64,
        /// Where other workers reach it.
        address: String,
        /// The run it works for already, if it does.
        run: Option<RunId>,
        hosted: Vec<Hosted>,
        /// Parts in the store that it has not seen committed.
        stored: Vec<Stored>,
        /// The newest placement of each partition that it has been told of.
        told: Vec<(u16, Epoch)>,
        /// Steps that it was granted in this run.
        horizon: u64,
    },
    /// A partition stands where it was to go on from.
    Ready {
        part: u16,
        epoch: Epoch,
        steps: u64,
    },
    /// Steps done by each partition: a sign of life.
    Progress {
        steps: Vec<(u16, u64)>,
    },
    /// `until`: steps that the partition had done with the last of them.
    Reports {
        part: u16,
        epoch: Epoch,
        until: u64,
        reports: Vec<StepReport>,
    },
    Stored(Stored),
    /// A snapshot could not be stored; for the log and the metrics of the master.
    NotStored {
        part: u16,
        step: u64,
        reason: String,
    },
    /// What a partition had left when the run was over.
    Closed {
        part: u16,
        epoch: Epoch,
        closing: Box<Closing>,
    },
    Exited {
        part: u16,
        epoch: Epoch,
        status: ExitStatus,
    },
    /// A second opinion: `part` hears nothing of its neighbour `peer`.
    PeerSilent {
        part: u16,
        peer: u16,
        peer_epoch: Epoch,
    },
    /// What a look has shown.
    Seen(Box<Observed>),
    /// The worker is to end, and asks for its partitions to be taken off it.
    Leaving,
}

/// From the master.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    Welcome(Box<Welcome>),
    /// Nobody is welcome who belongs to another run, or comes when the run is over.
    Refused {
        reason: String,
    },
    /// Where all partitions are now.
    Places(Vec<Place>),
    /// Host a partition; `from`: its part of the last commit, or its beginning.
    Host {
        part: u16,
        epoch: Epoch,
        from: Option<PartRef>,
    },
    /// Stop hosting it.
    Drop {
        part: u16,
        epoch: Epoch,
    },
    /// Steps before `horizon` may be done; reports of the steps before `recorded` have come.
    Grant {
        horizon: u64,
        recorded: u64,
    },
    Routes(RouteNotice),
    /// Orders, for these partitions; they come before the grant of their step.
    Orders {
        parts: Vec<u16>,
        notice: OrderNotice,
    },
    /// To all partitions.
    Look(ObservationRequest),
    Committed {
        step: u64,
    },
    /// The run is over after this many steps.
    Finish {
        steps: u64,
    },
    /// All is written; the worker may end.
    End {
        failure: Option<String>,
    },
}
