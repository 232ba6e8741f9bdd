//! Cutting by hand, simulating a part of a network, and compiled scenarios as input.

mod assignments;
mod compiled;
mod numbers;
mod program;
mod region_files;
mod regions;
