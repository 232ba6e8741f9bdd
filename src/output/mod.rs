//! What a run writes: tripinfo, summary, mean data, detectors, floating-car data and statistics, as SUMO 1.28 writes them,
//! so that the tools made for SUMO read them.
//!
//! [`Outputs`] takes the reports of the partitions, a [`Collector`] joins them into steps, and each file has a [`Sink`]
//! that turns steps into bytes. Nothing that reaches a file comes from a clock, so equal runs write equal files; only
//! [`RunReport`] and [`EndSummary`] speak of wall-clock time.

mod alerts;
mod bearing;
mod collector;
mod columns;
mod console;
mod document;
mod files;
mod lane_shapes;
mod numbers;
mod outputs;
mod outputs_state;
mod packing;
#[cfg(feature = "parquet")]
mod parquet;
mod report_json;
#[cfg(test)]
mod resume_tests;
mod sink;
mod sinks;
#[cfg(test)]
pub(crate) mod testing;

pub use alerts::Alerts;
pub use collector::{CollectError, Collector, MergedStep};
pub use console::EndSummary;
pub use lane_shapes::{LaneShapes, Pose};
pub use outputs::{OutputError, Outputs, Reporting, add_whole_run_requests, remove_whole_run_requests};
pub use outputs_state::OutputsState;
pub use report_json::RunReport;
pub use sink::{Names, RunEnd, Sink};
pub use sinks::TripTotals;
