//! The `migrate` program, from the first row to the last client, while people write.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod changed;
mod fence;
mod kills;
#[path = "../program/mod.rs"]
mod program;
mod several;
mod steps;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod uneven;
mod world;
