//! What can go wrong with a [`Simulation`](super::Simulation).

use crate::diagnostics::InputError;
use crate::graph::edit::EditError;
use crate::graph::partition::CutError;
use crate::ids::VehicleId;
use crate::output::OutputError;
use crate::scenario::sealed::SealError;
use crate::sim::OrderError;

/// Why a simulation cannot be built, or cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// A file is missing or wrong, or an output file cannot be created.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Network, demand, settings and measurements that were given do not fit each other.
    #[error("the parts of the scenario do not fit each other: {0}")]
    Parts(String),
    #[error(transparent)]
    Cut(#[from] CutError),
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A network can be edited, but not below these measurements.
    #[error("the network cannot be edited during the run: {0}")]
    Measured(String),
    /// The order can never be carried out. Nothing was changed.
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("the order is for {at_ms} ms, but the next step computes {now_ms} ms")]
    Past { at_ms: i64, now_ms: i64 },
    #[error("the next new vehicle has the id {expected:?}, not {found:?}")]
    VehicleId { expected: VehicleId, found: VehicleId },
    /// A file could not be written and is incomplete.
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("the simulation writes output files, which cannot go back to a snapshot")]
    OutputsOpen,
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A fault of the program. The simulation has no state any more; its outputs are incomplete.
    #[error("the simulation failed in step {step}: {reason}")]
    Failed { step: u64, reason: String },
}

/// Why a snapshot cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    #[error("the bytes are not a snapshot of a simulation")]
    NotASnapshot,
    #[error("the snapshot was made by tessds {version} (format {format}), which this version does not read")]
    OtherVersion { version: String, format: u32 },
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
    #[error("the snapshot is of a run with another network, demand, settings or measurements")]
    OtherScenario,
}

impl From<SealError> for SnapshotError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::OtherKind => Self::NotASnapshot,
            SealError::OtherVersion { version, format } => Self::OtherVersion { version, format },
            SealError::Damaged(what) => Self::Damaged(what.to_owned()),
        }
    }
}
