//! walferry carries PostgreSQL changes across exactly as they were written.

mod lsn;
mod time;
mod xid;

#[cfg(feature = "net")]
pub mod connection;
#[cfg(feature = "net")]
mod error;
pub mod quote;

#[cfg(feature = "net")]
pub use connection::{Config, Connection, SlotName, SlotOptions};
#[cfg(feature = "net")]
pub use error::Error;
pub use lsn::{Lsn, ParseLsnError};
pub use time::Timestamp;
pub use xid::{Oid, RelationId, Xid};
