//! The kernel: how vehicles move in one step. Pure: no actor, socket, clock, file or store, and no arithmetic beyond
//! `+ - * / sqrt` and comparisons, so that every machine computes the same bits.

pub mod report;
