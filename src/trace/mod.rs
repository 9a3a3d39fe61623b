//! Diagnostics: the same names whether the feature is on or not.

#[cfg(not(feature = "tracing"))]
mod disabled;
#[cfg(feature = "tracing")]
mod enabled;

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::{debug, info, trace, warn};
#[cfg(feature = "tracing")]
pub(crate) use enabled::{debug, info, trace, warn};
