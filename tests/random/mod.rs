//! Databases and changes out of a seed.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "test helpers fail the test by a panic"
)]

mod changes;
mod schema;
mod types;

pub(crate) use changes::stage;
pub(crate) use schema::Schema;

use crate::support::Random;
