//! Diagnostics, by the `tracing` crate. No event holds a row's value or a password.

pub(crate) use tracing::{debug, info, trace, warn};
