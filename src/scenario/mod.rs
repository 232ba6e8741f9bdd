//! From files to a [`Network`](crate::graph::Network) and a [`Demand`](crate::demand::Demand): finding, opening,
//! unpacking and joining the files that a SUMO configuration names.

mod assignment_file;
mod compiled;
mod config;
mod crossings;
mod decoding;
mod detectors;
mod edited;
mod expand;
mod indices;
mod load;
mod nearest_file;
mod option_table;
mod options;
mod path_bytes;
mod region;
mod report;
mod requests;
pub(crate) mod sealed;
mod source;
mod sumo_option;
mod traffic_cut;
mod walk;

pub use self::config::RunConfig;
pub use crate::sim::{CollisionAction, Collisions, RecordedEvents, Rerouting, Settings};
pub use assignment_file::{read_assignment, write_assignment};
pub use compiled::{CompiledError, CompiledScenario, Revision};
pub use crossings::{Crossing, CrossingEntry, CrossingsHead};
pub use indices::check as check_indices;
pub use load::{Scenario, load};
pub use option_table::SUMO_OPTIONS;
pub use region::{Region, RegionSource};
pub use report::Report;
pub use requests::{
    AreaRequest, ColumnHeader, CrossingsRequest, DetectorRequest, EmptyEdges, EntryExitRequest, HaltThresholds,
    InstantRequest, MeanDataLevel, MeanDataRequest, OutputFormat, OutputPaths, OutputRequests, OutputStyle,
    QueueOptions, SignalRecord, SignalRequest, VehrouteOptions,
};
pub use source::Source;
pub use sumo_option::{Kind as OptionKind, Status, SumoOption, Topic};
pub use traffic_cut::{cut_by_traffic, cut_scenario, default_partitions, weights_of_traffic};
