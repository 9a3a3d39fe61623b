//! The same input, given to others who do the same: published decoders, and the server's own subscription.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod decoders;
#[path = "../golden/frames.rs"]
mod frames;
mod subscription;
#[path = "../support/mod.rs"]
mod support;
#[path = "../workload/mod.rs"]
mod workload;
