//! Where changes go.
//!
//! A sink takes batches of events and says when they are durable. The [`Pipeline`](crate::Pipeline) does the rest:
//! it keeps the server's timeouts away while a sink is slow, and acknowledges what was flushed.
//!
//! # The laws of a sink
//!
//! A [`testkit`] checks them, of any sink.
//!
//! 1. **Order.** Batches come in order, one call at a time: while one is under way, the next batch is gathered. A batch may end inside a transaction, but nothing of a transaction may be visible
//!    to readers before its end was written. A log may hold the beginning of one, where its readers leave out what has no
//!    end.
//! 2. **Durable.** When [`flush`](ChangeSink::flush) returns, everything written before it survives a crash; and so does, when one
//!    that was begun [beside](ChangeSink::flush_beside) says so, everything written before it began. Several batches may be
//!    written between two flushes.
//! 3. **Rollback.** After [`rollback`](ChangeSink::rollback) nothing is left of a transaction whose end was not written. It
//!    comes again, whole, or never. After an error that passes, there may be nothing to forget.
//! 4. **Errors.** After an error the sink is not used again, unless it says that the error [passes](ChangeSink::is_retryable); nor
//!    when a future of it was dropped before it was ready. What was not flushed comes again.
//! 5. **Progress.** A sink that keeps its own [progress](ChangeSink::progress) makes it durable together with the data,
//!    both or neither: so it takes each transaction exactly once, whatever crashes. To the others, a transaction may come
//!    again after a crash of this process, or an error that passes; otherwise none does.
//!
//! What coming again means depends on the [`SinkKind`]:
//!
//! * A sink that **mirrors** has the state of the source. It either keeps its progress, or its state is the same however often
//!   the last transactions are applied again, in order.
//! * A sink that **appends** has each transaction in one piece, in the order of the commits. Without progress, a piece of that
//!   order may stand there twice: its readers tell by the positions, which come again with it.

mod batch;
mod equality;
#[cfg(feature = "json")]
pub mod json;
mod memory;
mod output;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sql;
pub mod testkit;

use std::future::Future;
use std::pin::Pin;

pub use self::batch::Batch;
pub use self::memory::Memory;
pub use self::output::Output;
use crate::session::Fingerprint;

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
///
///     async fn rollback(&mut self) -> Result<(), Self::Error> {
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

    /// Begins to make everything durable that was written so far; meanwhile more may be written. `None`, if the sink can't do
    /// both at a time, or not now: then it is asked to [`flush`](Self::flush).
    fn flush_beside(&mut self) -> Option<Flushing> {
        None
    }

    /// Forgets what was written of a transaction whose end was not: the connection was lost in its midst. What follows begins
    /// with another transaction, or with the same one again.
    fn rollback(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Whether an error passes by itself. Then the sink has forgotten all that it hadn't made durable, and can be used again:
    /// it is asked where it stands, and what comes behind that comes again. That goes for every call, and no work of it was in
    /// vain: what is durable all the same, as after a commit whose answer was lost, is found in its
    /// [progress](Self::progress).
    fn is_retryable(error: &Self::Error) -> bool {
        _ = error;
        false
    }

    /// What becomes of the changes here.
    fn kind(&self) -> SinkKind {
        SinkKind::Append
    }

    /// The sink's own position, if it keeps one together with the data. Asked for before the first batch, and after an error
    /// that [passes](Self::is_retryable): then this may have to connect again, and fail so again.
    ///
    /// With each [`flush`](Self::flush) it becomes the [`last_position`](Batch::last_position) of what was written.
    fn progress(&mut self) -> impl Future<Output = Result<Progress, Self::Error>> + Send {
        std::future::ready(Ok(Progress::Untracked))
    }

    /// Makes a position durable by itself: at the very beginning, and when the source has gone on without anything for this
    /// sink. Everything that was written is flushed by then. Only a sink that keeps its progress is asked to.
    fn set_progress(
        &mut self,
        progress: &Fingerprint,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        _ = progress;
        std::future::ready(Ok(()))
    }
}

/// A flush beside what is written: whether everything is durable that was written before it began. It goes on by itself, asked
/// or not, and may be dropped. If it can't be done so, the sink is asked to [`flush`](ChangeSink::flush), which says why.
pub type Flushing = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What becomes of the changes in a sink.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SinkKind {
    /// They are added to a log, one behind the other.
    #[default]
    Append,
    /// They are applied, so that the sink has the state of the source.
    Mirror,
}

/// How far a sink is, by its own account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// It doesn't know.
    #[default]
    Untracked,
    /// It keeps its position, and has none yet.
    None,
    /// Everything up to here is durable in it.
    At(Fingerprint),
}
