//! What differs between two databases is found, all of it, and nothing else.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod faults;
mod finds;
mod load;
mod pair;
mod random;
mod shapes;
mod speed;

#[path = "../support/mod.rs"]
mod support;
#[path = "../random/types.rs"]
#[allow(dead_code, reason = "another test makes numbers of them")]
mod types;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
