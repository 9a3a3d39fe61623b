//! Where changes go.
//!
//! A sink takes batches of events and says when they are durable. The [`Pipeline`](crate::Pipeline) does the rest:
//! it keeps the server's timeouts away while a sink is slow, and acknowledges what was flushed.
//!
//! # The laws of a sink
//!
//! 1. Batches come in order. A batch may end inside a transaction, but nothing of a transaction may be visible to
//!    readers before its commit was written.
//! 2. When [`flush`](ChangeSink::flush) returns, everything written before it survives a crash.
//! 3. After an error the sink is not used again. What was not flushed comes again in the next run.

mod batch;
#[cfg(feature = "json")]
pub mod json;
mod memory;
mod output;
pub mod sql;

use std::future::Future;

pub use self::batch::Batch;
pub use self::memory::Memory;
pub use self::output::Output;
use crate::Lsn;

/// What a sink's buffer keeps of its size from batch to batch: one large value makes it grow.
const KEPT: usize = 16 << 20;

/// Takes changes, batch by batch, and makes them durable.
///
/// Like [`std::io::Write`]: `write` accepts, `flush` makes good on it. Only what was flushed is acknowledged.
///
/// ```
/// use walferry::event::Event;
/// use walferry::sink::{Batch, ChangeSink};
///
/// /// Counts changes, and keeps nothing.
/// struct Counter(u64);
///
/// impl ChangeSink for Counter {
///     type Error = std::convert::Infallible;
///
///     async fn write(&mut self, batch: Batch) -> Result<(), Self::Error> {
///         self.0 += batch.events().iter().filter(|event| matches!(event, Event::Change(_))).count() as u64;
///         Ok(())
///     }
///
///     async fn flush(&mut self) -> Result<(), Self::Error> {
///         Ok(())
///     }
/// }
/// ```
pub trait ChangeSink: Send {
    /// What can go wrong. Must hold no row value.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Accepts a batch. It need not be durable yet.
    fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Makes everything durable that was written so far; then it is acknowledged.
    fn flush(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The sink's own position: the [`end_lsn`](crate::event::Commit::end_lsn) of the last transaction that is
    /// durable in it. A sink that stores this together with the data takes each transaction exactly once; the others
    /// may be sent some again after a crash.
    fn resume_lsn(&mut self) -> impl Future<Output = Result<Option<Lsn>, Self::Error>> + Send {
        std::future::ready(Ok(None))
    }
}
