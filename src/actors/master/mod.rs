//! The master: how far a run may go, when it is over, and how it ended; and in a cluster, who hosts what.

mod actor;
mod cluster;
mod cluster_core;
mod commits;
mod core;
mod instruction;
mod lead;
mod pace_keeping;
mod run_controller;
mod run_result;
mod schedule;
mod session;
mod store_writer;
mod workers;

pub use self::actor::{Begin, Master};
pub use self::cluster::{ClusterMaster, ClusterOutcome, Leave, SubmitRequest, WorkerCalls};
pub use self::cluster_core::{ClusterCore, PlacedPart, Plan, Resumed};
pub use self::commits::{Commits, Complete};
pub use self::core::{Core, Effect, Event, Horizon, Outcome};
pub use self::instruction::{Instruction, Pace, StoredPace, Ticket};
pub use self::run_controller::RunController;
pub use self::run_result::RunResult;
pub use self::schedule::{LoggedAction, LoggedCommand, ScheduledCommand, of_network};
pub use self::store_writer::{
    OUTCOME, Order, PACE, PLACES, StoreEvent, StoreWriter, TALLIES, TRIES, Tenure, fenced_off, persist, persist_within,
};
pub use crate::observe::{Cause, Tallies};
