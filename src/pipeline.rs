//! Stream → sink → acknowledge.

mod source;

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::io::Read;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use self::source::Source;
use crate::error::Error;
use crate::event::{Acknowledge, Change, Event};
use crate::pgoutput::Relation;
use crate::sink::{Batch, ChangeSink};
use crate::{Lsn, ReplicationStream, capture, trace};

/// Brings a stream into a sink: gathers events into batches, writes and flushes them, and acknowledges what was
/// flushed, while the server is kept from giving up on a slow sink.
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
/// let summary = Pipeline::new(sink).run(stream, shutdown).await?;
/// println!("{} changes", summary.changes);
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
}

/// What a pipeline has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Transactions that were flushed; one that is prepared and committed counts twice.
    pub transactions: u64,
    /// Changes that were flushed.
    pub changes: u64,
    /// Changes of tables that were left out on request; a TRUNCATE of several counts for each of them.
    pub left_out: u64,
    /// The end of the last transaction that was acknowledged; 0/0 if none was.
    pub acknowledged: Lsn,
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

    /// How long the first event of a batch waits for more.
    pub fn batch_delay(mut self, delay: Duration) -> Self {
        self.batch_delay = delay;
        self
    }

    /// Passes on the changes of this table, and of others named so, and leaves out all the rest. Exact names.
    ///
    /// What is left out is acknowledged with its transaction, and so lost to this slot: it is counted in
    /// [`Summary::left_out`].
    pub fn only(mut self, schema: &str, table: &str) -> Self {
        self.tables.only.insert((schema.to_owned(), table.to_owned()));
        self
    }

    /// Leaves out the changes of this table; see [`only`](Self::only).
    pub fn except(mut self, schema: &str, table: &str) -> Self {
        self.tables.except.insert((schema.to_owned(), table.to_owned()));
        self
    }

    /// Runs until the stream ends, or until `shutdown` is ready: then the batch in hand is finished, and everything
    /// that is complete is flushed and acknowledged.
    ///
    /// # Errors
    ///
    /// The stream's, or [`Error::Sink`]. What was flushed before is acknowledged as far as the server could still be
    /// reached; the rest comes again.
    pub async fn run(
        self,
        stream: ReplicationStream,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Summary, Error> {
        self.drive(stream, shutdown).await
    }

    /// The same from a capture, which has no one to acknowledge to.
    ///
    /// # Errors
    ///
    /// The capture's, or [`Error::Sink`].
    pub async fn run_capture<R: Read>(
        self,
        events: capture::Events<R>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Summary, Error> {
        self.drive(source::Captured::new(events), shutdown).await
    }

    async fn drive(
        mut self,
        mut source: impl Source,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Summary, Error> {
        let mut shutdown = pin!(shutdown);
        let mut summary = Summary::default();
        let mut end = End::Batch;
        while end == End::Batch {
            let batch;
            (batch, end) = self.gather(&mut source, shutdown.as_mut(), &mut summary).await?;
            match self.deliver(batch, &mut source, &mut summary).await {
                Ok(()) => {}
                Err(failed @ Error::Sink(_)) => {
                    // Whether or not the server hears of what was durable before: the sink's error is what counts.
                    let _ = source.finish().await;
                    return Err(failed);
                }
                Err(error) => return Err(error),
            }
        }
        source.finish().await?;
        Ok(summary)
    }

    /// Collects events until a batch is full or old enough, or until there are no more.
    async fn gather(
        &self,
        source: &mut impl Source,
        mut shutdown: std::pin::Pin<&mut impl Future<Output = ()>>,
        summary: &mut Summary,
    ) -> Result<(Batch, End), Error> {
        let mut batch = Batch::default();
        let mut deadline = None;
        while batch.len() < self.batch_rows && batch.byte_len() < self.batch_bytes {
            let next = poll_fn(|cx| match shutdown.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => source.poll_next(cx).map(Some),
            });
            let next = match deadline {
                None => next.await,
                Some(deadline) => match timeout_at(deadline, next).await {
                    Ok(next) => next,
                    Err(_) => return Ok((batch, End::Batch)),
                },
            };
            let Some(event) = next.flatten().transpose()? else { return Ok((batch, End::Stream)) };
            if let Some(event) = self.tables.pass(event, &mut summary.left_out) {
                batch.push(event);
                deadline.get_or_insert_with(|| Instant::now() + self.batch_delay);
            }
        }
        Ok((batch, End::Batch))
    }

    /// Writes and flushes a batch, then acknowledges what is complete in it.
    async fn deliver(
        &mut self,
        batch: Batch,
        source: &mut impl Source,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let Tally { transactions, changes, last, last_end } = Tally::of(batch.events());
        trace::debug!(events = batch.len(), bytes = batch.byte_len(), transactions, "batch");
        let work = async {
            self.sink.write(batch).await.map_err(sink)?;
            self.sink.flush().await.map_err(sink)
        };
        tokio::select! {
            biased;
            done = work => done?,
            error = source.keep_alive() => return Err(error),
        }
        source.make_durable().await?;
        summary.transactions += transactions;
        summary.changes += changes;
        if let Some(position) = last {
            source.acknowledge(position);
        }
        // What is acknowledged with a message behind a transaction is acknowledged with the transaction.
        summary.acknowledged = last_end.unwrap_or(summary.acknowledged);
        Ok(())
    }
}

fn sink(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Sink(Box::new(error))
}

/// Why a batch is not longer.
#[derive(PartialEq, Eq)]
enum End {
    Batch,
    Stream,
}

/// What a batch holds.
#[derive(Default)]
struct Tally {
    transactions: u64,
    changes: u64,
    /// The last position in it that can be acknowledged.
    last: Option<Lsn>,
    /// The last one that is the end of a transaction.
    last_end: Option<Lsn>,
}

impl Tally {
    fn of(events: &[Event]) -> Self {
        let mut tally = Self::default();
        for event in events {
            tally.changes += u64::from(matches!(event, Event::Change(_)));
            let Some(position) = event.position() else { continue };
            tally.last = Some(position);
            if !matches!(event, Event::Message(_)) {
                tally.transactions += 1;
                tally.last_end = Some(position);
            }
        }
        tally
    }
}

/// Which tables' changes are passed on.
#[derive(Debug, Default)]
struct Tables {
    only: HashSet<(String, String)>,
    except: HashSet<(String, String)>,
}

impl Tables {
    fn passes(&self, relation: &Relation) -> bool {
        let name = (relation.schema.clone(), relation.name.clone());
        (self.only.is_empty() || self.only.contains(&name)) && !self.except.contains(&name)
    }

    fn pass(&self, event: Event, left_out: &mut u64) -> Option<Event> {
        if self.only.is_empty() && self.except.is_empty() {
            return Some(event);
        }
        let Event::Change(mut change) = event else { return Some(event) };
        *left_out += change.relations().map(|relation| u64::from(!self.passes(relation))).sum::<u64>();
        if let Change::Truncate { relations, cascade, .. } = &mut change {
            let before = relations.len();
            relations.retain(|relation| self.passes(relation));
            // What CASCADE reached is in the list: where part of it is left out, it must not be reached again.
            *cascade &= relations.len() == before;
        }
        let passes = change.relations().any(|relation| self.passes(relation));
        passes.then_some(Event::Change(change))
    }
}

#[cfg(test)]
mod tests;
