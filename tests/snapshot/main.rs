//! The copy of published tables at a snapshot, on servers of one version and from an old one to a new one.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod ahead;
mod chunks;
mod fidelity;
mod lost;
mod refused;
mod resume;
mod rows;
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../workload/mod.rs"]
mod workload;
