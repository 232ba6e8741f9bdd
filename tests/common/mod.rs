//! What the integration tests share.
#![allow(dead_code)] // each test uses a part

pub mod demand;
pub mod exchange;
pub mod invariants;
pub mod orders;
pub mod runs;
pub mod saved_form;
pub mod scenarios;
