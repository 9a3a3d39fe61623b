//! The laws of a sink, as a test that anyone can run on theirs.
//!
//! [`check`] writes a short history to a sink, cut into batches in many ways, and stops it at every point: between any two
//! calls, inside of a call, where its storage fails. Then it opens the sink again over what is left, goes on as a
//! [`Pipeline`](crate::Pipeline) would, and compares what readers see with what they must see. No server is needed.
//!
//! It asks for a [`Storage`]: what outlives the sink, how to open a sink over it, and what it shows.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use walferry::event::Event;
//! use walferry::sink::testkit::{self, BoxError, Law, Storage, Visible};
//! use walferry::sink::{Batch, ChangeSink};
//!
//! /// What is on the disk of a log.
//! #[derive(Clone, Default)]
//! struct Disk(Arc<Mutex<Vec<Event>>>);
//!
//! /// Adds events to the log when it is flushed.
//! struct Log {
//!     disk: Disk,
//!     not_flushed: Vec<Event>,
//! }
//!
//! impl ChangeSink for Log {
//!     type Error = std::convert::Infallible;
//!
//!     async fn write(&mut self, batch: Batch) -> Result<(), Self::Error> {
//!         self.not_flushed.extend(batch.into_events());
//!         Ok(())
//!     }
//!
//!     async fn flush(&mut self) -> Result<(), Self::Error> {
//!         self.disk.0.lock().unwrap().append(&mut self.not_flushed);
//!         Ok(())
//!     }
//!
//!     async fn rollback(&mut self) -> Result<(), Self::Error> {
//!         Ok(()) // Whoever reads the log leaves out a transaction that has no end.
//!     }
//! }
//!
//! impl Storage for Disk {
//!     type Sink = Log;
//!
//!     async fn open(&mut self) -> Result<Log, BoxError> {
//!         Ok(Log { disk: self.clone(), not_flushed: Vec::new() })
//!     }
//!
//!     async fn visible(&mut self) -> Result<Visible, BoxError> {
//!         let events = self.0.lock().unwrap().clone();
//!         Ok(Visible::Log(testkit::transactions(events)))
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let report = testkit::check(Disk::default).await?;
//! assert!(report.crashes > 100);
//! assert_eq!(report.not_concerned, [Law::Progress, Law::Failure]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Law`] that is broken is an error, which says what was done, what was expected and what was found:
//!
//! ```text
//! the sink breaks the law of values: after open, write 2, write 1, flush, write 2, write 3, flush:
//! expected testkit("null", "null", "null"), found testkit("null", NULL, NULL)
//! ```
//!
//! What the history holds is of one [`table`]: inserts, updates of values and of keys, values that are not sent,
//! deletes, a TRUNCATE, and messages. Messages are not looked for, since many sinks have no use for them. Prepared
//! transactions and binary values don't occur.

mod checks;
mod compare;
mod history;
mod law;
mod trial;
mod values;

use std::future::Future;
use std::ops::Range;

pub use self::history::{table, transactions};
pub use self::law::{BoxError, Broken, Law, Report};
use super::ChangeSink;
use crate::event::Change;
use crate::{Lsn, Row};

/// What a sink writes to, and what is left of it after a crash.
pub trait Storage: Send {
    /// The sink.
    type Sink: ChangeSink;

    /// Opens a sink over what is there: nothing at first, then what an earlier one has left, which was dropped without a
    /// word. What that one had not flushed may be lost or not; a storage that can lose it, does so here.
    fn open(&mut self) -> impl Future<Output = Result<Self::Sink, BoxError>> + Send;

    /// What readers see now, while a sink may be open.
    ///
    /// Make it from what is stored and nothing else. Readers that lag are to be waited for.
    fn visible(&mut self) -> impl Future<Output = Result<Visible, BoxError>> + Send;

    /// From now on lets these operations fail, counted from here, until the next call says otherwise; `0..0` lets
    /// none. What an operation is, a system call, a request, is for the storage to say.
    ///
    /// Returns whether it can do that.
    fn fail(&mut self, operations: Range<u64>) -> bool {
        _ = operations;
        false
    }
}

/// What the readers of a storage see.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "as many as there are kinds of sinks; a storage makes it")]
pub enum Visible {
    /// Of a sink that [appends](crate::sink::SinkKind::Append): its transactions, in the order of the log. Those without
    /// changes may be left out.
    Log(Vec<Transaction>),
    /// Of a sink that [mirrors](crate::sink::SinkKind::Mirror): the rows of the [`table`], in any order. An SQL NULL is
    /// [`Null`](crate::pgoutput::Datum::Null), anything else [`Text`](crate::pgoutput::Datum::Text).
    Rows(Vec<Row>),
}

/// A whole transaction, as it stands in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a storage makes it")]
pub struct Transaction {
    /// Its end, which tells readers whether they have seen it before. Only a log that keeps its progress, and so has each
    /// transaction once, may do without.
    pub end_lsn: Option<Lsn>,
    /// Its changes, in order.
    pub changes: Vec<Change>,
}

/// Checks all laws, in the order of [`Law::ALL`], over one new storage after the other.
///
/// There are more than a thousand, with some twenty calls each: what is in memory takes a second or two, and what isn't as
/// long as some ten thousand flushes.
///
/// # Errors
///
/// The first law that is broken.
pub async fn check<S: Storage>(mut new: impl FnMut() -> S) -> Result<Report, Broken> {
    let mut report = Report::default();
    for law in Law::ALL {
        report.add(law.check(&mut new).await?);
    }
    Ok(report)
}
