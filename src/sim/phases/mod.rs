//! The phases of a step, in the order in which [`Partition::step`](super::Partition::step) runs them:
//!
//! 1. [`detection`] and the signals: what the loops have felt, and what the signals show;
//! 2. [`stops`]: stops that are over;
//! 3. [`planning`], which decides all moves from state(t) by [`following`] (pass one) and [`deciding`] (pass two);
//! 4. [`driving`]: the moves are carried out; vehicles that end their trips or are teleported go through [`leaving`], and
//!    [`collisions`] are settled;
//! 5. [`lane_changes`] and [`insertions`], decided from the places reached;
//! 6. [`reporting`]: counts, measurements and digest, with [`standstill`] and what [`rerouting`] asks for.

pub mod collisions;
pub mod deciding;
pub mod detection;
pub mod driving;
pub mod following;
pub mod insertions;
pub mod lane_changes;
pub mod leaving;
pub mod planning;
pub mod reporting;
pub mod rerouting;
pub mod standstill;
pub mod stops;
