//! walferry carries PostgreSQL changes across exactly as they were written.

mod lsn;
mod time;
mod wire;
mod xid;

pub mod assemble;
pub mod capture;
pub mod catalog;
pub mod event;
pub mod frame;
pub mod pgoutput;
mod row;

#[cfg(feature = "net")]
pub mod connection;
#[cfg(feature = "net")]
mod error;
pub mod quote;
#[cfg(feature = "net")]
pub mod stream;
#[cfg(feature = "net")]
pub mod sink;
#[cfg(feature = "net")]
pub mod pipeline;

#[cfg(feature = "net")]
pub use connection::{Config, Connection, SlotName, SlotOptions};
#[cfg(feature = "net")]
pub use error::Error;
#[cfg(feature = "net")]
pub use stream::{ReplicationStream, StreamOptions};
#[cfg(feature = "net")]
pub use {pipeline::Pipeline, sink::{Batch, ChangeSink}};
pub use event::{Change, Event, OldRow};
pub use lsn::{Lsn, ParseLsnError};
pub use pgoutput::{Column, Relation};
pub use row::Row;
pub use time::Timestamp;
pub use xid::{Oid, RelationId, Xid};
