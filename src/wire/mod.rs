//! The only cursor over received bytes, its mirror that writes them, and what can be wrong with them.
//!
//! All integers are big-endian; a string ends with a zero byte.

mod error;
mod read;
mod write;

pub use error::{DecodeError, DecodeErrorKind};
pub(crate) use read::Reader;
pub(crate) use write::Write;
