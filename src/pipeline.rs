//! Stream → sink → acknowledge.

mod backoff;
mod deliver;
mod intake;
mod ledger;
mod pace;
mod recover;
mod run;
#[cfg(feature = "postgres")]
mod snapshot;
mod source;
mod statistics;
mod tables;

use std::future::Future;
use std::io::Read;
use std::time::Duration;

use self::backoff::Backoff;
use self::run::Run;
use self::source::Captured;
pub(crate) use self::source::Source;
pub use self::statistics::{Monitor, Statistics};
use self::tables::Tables;
use crate::error::Error;
use crate::sink::ChangeSink;
use crate::{Lsn, ReplicationStream, capture};

/// Brings a stream into a sink: gathers events into batches, writes and flushes them, and acknowledges what was
/// flushed, while the server is kept from giving up on a slow sink.
///
/// While the sink works on one batch, the next one is gathered; there is never a third. When a batch is written depends on
/// what [becomes of it](crate::sink::SinkKind):
///
/// | | a sink that appends | a sink that mirrors |
/// |---|---|---|
/// | written | when a batch is full, or its first event is [`batch_delay`](Self::batch_delay) old | also as soon as the sink is free, and a transaction is complete behind which nothing has come yet: so it is visible at once |
/// | flushed | after each `write` | `batch_delay` after the first event came that is not flushed |
///
/// Where more than a few dozen events come in a millisecond, a mirror waits 25 for others: a batch has its price, whatever
/// is in it. Everything is flushed at the end, and before another connection goes on.
///
/// ```no_run
/// use walferry::catalog::Catalog;
/// use walferry::sink::Output;
/// use walferry::sink::sql::SqlSink;
/// use walferry::{Pipeline, ReplicationStream};
///
/// # async fn example(stream: ReplicationStream) -> Result<(), walferry::Error> {
/// let sink = SqlSink::new(Output::stdout(), stream.context().catalog.clone());
/// let shutdown = async { _ = tokio::signal::ctrl_c().await };
/// let statistics = Pipeline::new(sink).run(stream, shutdown).await?;
/// println!("{} changes", statistics.changes);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a pipeline does nothing before it runs"]
pub struct Pipeline<S> {
    sink: S,
    batch_rows: usize,
    batch_bytes: usize,
    batch_delay: Duration,
    tables: Tables,
    reconnect: bool,
    heartbeat: Option<Duration>,
    backoff: Backoff,
    monitor: Monitor,
}

impl<S: ChangeSink> Pipeline<S> {
    /// Batches of up to 10,000 changes, 8 MiB, and 100 ms.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            batch_rows: 10_000,
            batch_bytes: 8 << 20,
            batch_delay: Duration::from_millis(100),
            tables: Tables::default(),
            reconnect: true,
            heartbeat: None,
            backoff: Backoff::new(),
            monitor: Monitor::default(),
        }
    }

    /// After how many events a batch is written.
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    /// After how many bytes of values a batch is written. One event may exceed it.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes.max(1);
        self
    }

    /// How long an event waits at most until it is durable, where the sink keeps up: then it is written, if it wasn't yet, and
    /// flushed.
    pub fn batch_delay(mut self, delay: Duration) -> Self {
        self.batch_delay = delay;
        self
    }

    /// Passes on the changes of this table, and of others named so, and leaves out all the rest. Exact names.
    ///
    /// What is left out is acknowledged with its transaction, and so lost to this slot: it is counted in
    /// [`Statistics::left_out`].
    pub fn only(mut self, schema: &str, table: &str) -> Self {
        self.tables.only.insert((schema.to_owned(), table.to_owned()));
        self
    }

    /// Leaves out the changes of this table; see [`only`](Self::only).
    pub fn except(mut self, schema: &str, table: &str) -> Self {
        self.tables.except.insert((schema.to_owned(), table.to_owned()));
        self
    }

    /// Goes on behind a copy: of this table, whose rows were copied in a snapshot of the source at `lsn`, the changes are passed
    /// on of transactions that committed there or later. The others are in the copy. Tables that aren't named so are left out, as
    /// by [`only`](Self::only); when such a one is copied later, at a position behind all that was received, nothing of it is lost.
    pub fn copied(mut self, schema: &str, table: &str, lsn: Lsn) -> Self {
        self.tables.copied.insert((schema.to_owned(), table.to_owned()), (lsn, None));
        self
    }

    /// The same, of that very table: one that takes its name later is left out, until it is copied itself.
    #[cfg(feature = "postgres")]
    pub(crate) fn copied_as(mut self, table: &crate::snapshot::Copied) -> Self {
        let name = (table.schema.clone(), table.table.clone());
        self.tables.copied.insert(name, (table.lsn, table.relation));
        self
    }

    /// Whether a connection that is lost is made again, for ever, with growing waits; yes, if not said. So is what the sink
    /// needs to go on after an error that passes: see [`ChangeSink::is_retryable`]. An error that does not pass by
    /// itself ([`Error::is_retryable`]) ends the run in any case.
    pub fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Writes a message to the source when nothing has come from it for that long: a transaction that holds nothing else,
    /// over a connection of its own. Not done if not said.
    ///
    /// A slot moves by itself as long as anybody writes to any database of the server. Where nobody does, and the log grows all
    /// the same (by `archive_timeout`, say), this moves it. The role must be allowed to connect and to call
    /// `pg_logical_emit_message`; if it can't, that is logged, and nothing else. Sinks don't see these messages, only
    /// the transactions around them.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = Some(interval.max(Duration::from_secs(1)));
        self
    }

    /// Waits as these dice say, not as chance has it: for a run that is to be the same as another.
    #[cfg(test)]
    pub(crate) fn jitter(mut self, seed: u64) -> Self {
        self.backoff = Backoff::seeded(seed);
        self
    }

    /// What the pipeline does, to look at while it runs.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Runs until the stream ends, or until `shutdown` is ready: then what was gathered is written, and everything
    /// that is complete is flushed and acknowledged. A shutdown while the sink is away ends with the sink's error. What a sink
    /// that keeps its progress has not ended ten seconds after the shutdown, is dropped, and comes again.
    ///
    /// A sink that keeps its progress is asked for it first, and again after an error of it that passes, and gets what it
    /// doesn't have.
    ///
    /// # Errors
    ///
    /// The stream's, if they don't pass by themselves; [`Error::Source`], when it is not the one that the sink has followed;
    /// [`Error::Sink`]. What was flushed before is acknowledged as far as the server could still be
    /// reached; the rest comes again.
    pub async fn run(
        self,
        stream: ReplicationStream,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Statistics, Error> {
        // The stream and its buffers lie in it: too much for the stack of whoever calls.
        Box::pin(self.drive(stream, shutdown)).await
    }

    /// The same with what the published tables held in front, where the slot has no stream yet.
    ///
    /// The rows are one transaction, in batches as any other. What goes wrong in its midst begins it anew, if it passes by
    /// itself: see [`SnapshotStream`](crate::snapshot::SnapshotStream).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); [`Error::Precondition`] when the slot was there before and the sink has nothing of it, or doesn't keep its
    /// progress.
    #[cfg(feature = "postgres")]
    pub async fn run_snapshot(
        self,
        stream: crate::snapshot::SnapshotStream,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Statistics, Error> {
        Box::pin(self.drive(snapshot::Ahead::new(stream), shutdown)).await
    }

    /// The same from a capture, which has no one to acknowledge to, and can't begin again: any error of the sink ends the run.
    ///
    /// # Errors
    ///
    /// The capture's, or [`Error::Sink`].
    pub async fn run_capture<R: Read>(
        self,
        events: capture::Events<R>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Statistics, Error> {
        self.drive(Captured::new(events), shutdown).await
    }

    pub(crate) async fn drive(
        self,
        source: impl Source,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Statistics, Error> {
        Run::new(self, source, shutdown).finish().await
    }
}

#[cfg(test)]
mod tests;
