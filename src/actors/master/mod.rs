//! The master: how far a run may go, when it is over, and how it ended; and in a cluster, who hosts what.

mod actor;
mod cluster;
mod cluster_core;
mod commits;
mod core;
mod instruction;
mod keeper;
mod lead;
mod pace_keeping;
mod panel;
mod run_result;
mod schedule;
mod session;
mod workers;

pub use self::actor::{Begin, Exited, Master, PartitionClosed, Recorded, RecorderDone, RecorderFailed, RoutesFound};
pub use self::cluster::{ClusterMaster, ClusterOutcome, Instruct, Leave, WorkerCalls};
pub use self::cluster_core::{ClusterCore, PlacedPart, Plan, Resumed};
pub use self::commits::{Commits, Complete};
pub use self::core::{Core, Effect, Event, Horizon, Outcome};
pub use self::instruction::{Instruction, KeptPace, Pace, Ticket};
pub use self::keeper::{
    Keeper, Kept, OUTCOME, Order, PACE, PLACES, TALLIES, TRIES, Tenure, fenced_off, persist, persist_within,
};
pub use self::panel::{Panel, Wish};
pub use self::run_result::RunResult;
pub use self::schedule::{Act, LogEntry, Told, of_network};
pub use crate::observe::{Cause, Tallies};
