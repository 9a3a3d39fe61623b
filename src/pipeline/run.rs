//! One run of a pipeline: gather, deliver, acknowledge; and connect again.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::backoff::Backoff;
use super::source::Source;
use super::{Pipeline, Statistics};
use crate::error::Error;
use crate::event::{Acknowledge as _, Event};
use crate::session::Fingerprint;
use crate::sink::{Batch, ChangeSink, Progress};
use crate::{Lsn, trace};

/// How often an idle pipeline looks whether there is something to keep or to say.
const TICK: Duration = Duration::from_secs(1);

pub(super) struct Run<S, R, F: Future> {
    pipeline: Pipeline<S>,
    source: R,
    shutdown: Shutdown<F>,
    statistics: Statistics,
    /// What the connections before this one have left out.
    skipped_before: u64,
    /// Whether the sink keeps its progress, the idle one included.
    keeps_progress: bool,
    transaction: Transaction,
    /// Changes that the sink has of the transaction whose end has not come.
    open_changes: u64,
    connected: Instant,
    last_event: Instant,
    last_kept: Instant,
}

/// The wish of the caller that the run ends, once it was heard.
struct Shutdown<F> {
    wish: Pin<Box<F>>,
    has_come: bool,
}

impl<F: Future<Output = ()>> Shutdown<F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.has_come |= self.has_come || self.wish.as_mut().poll(cx).is_ready();
        if self.has_come { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Where the events that were gathered stand.
#[derive(Default)]
struct Transaction {
    /// Where in the batch the transaction begins whose end has not come; 0 if it began before.
    open: Option<usize>,
    /// Whether the sink has part of it.
    written: bool,
    /// Whether the sink has to forget that part.
    rollback: bool,
}

/// Why a batch is not longer.
enum End {
    Batch,
    Stream,
    Lost(Error),
}

impl<S: ChangeSink, R: Source, F: Future<Output = ()>> Run<S, R, F> {
    pub(super) fn new(pipeline: Pipeline<S>, source: R, shutdown: F) -> Self {
        Self {
            pipeline,
            source,
            shutdown: Shutdown { wish: Box::pin(shutdown), has_come: false },
            statistics: Statistics { is_connected: true, ..Statistics::default() },
            skipped_before: 0,
            keeps_progress: false,
            transaction: Transaction::default(),
            open_changes: 0,
            connected: Instant::now(),
            last_event: Instant::now(),
            last_kept: Instant::now(),
        }
    }

    pub(super) async fn finish(mut self) -> Result<Statistics, Error> {
        let ended = self.until_the_end().await;
        if matches!(ended, Err(Error::Sink(_))) {
            // Whether or not the server hears of what was durable before: the sink's error is what counts.
            let _ = self.source.finish().await;
        }
        ended.map(|()| self.statistics)
    }

    async fn until_the_end(&mut self) -> Result<(), Error> {
        if let Some(lost) = self.resume().await?
            && !self.reconnect(lost).await?
        {
            return Ok(());
        }
        loop {
            let mut batch = Batch::default();
            let mut end = self.gather(&mut batch).await?;
            if !matches!(end, End::Batch) {
                self.transaction.abandon(&mut batch);
            }
            let mut lost = self.deliver(batch).await?;
            if lost.is_none() && matches!(end, End::Batch) {
                lost = self.tend().await?;
            }
            if let Some(error) = lost {
                self.take_back().await?;
                end = End::Lost(error);
            }
            let error = match end {
                End::Batch => continue,
                End::Stream => match self.source.finish().await {
                    Ok(()) => return Ok(()),
                    // Who lost it may not have heard what was acknowledged last.
                    Err(error) => error,
                },
                End::Lost(error) => error,
            };
            if !self.reconnect(error).await? {
                return Ok(());
            }
        }
    }

    /// The transaction that the sink has a part of will not go on.
    async fn take_back(&mut self) -> Result<(), Error> {
        let mut nothing = Batch::default();
        self.transaction.abandon(&mut nothing);
        self.deliver(nothing).await.map(drop)
    }

    /// Asks a sink that keeps its progress where it stands. Gives the error by which the source was lost meanwhile.
    async fn resume(&mut self) -> Result<Option<Error>, Error> {
        let (progress, lost) = beside(&mut self.source, self.pipeline.sink.progress()).await;
        let kept = match progress.map_err(sink)? {
            Progress::Untracked => return Ok(lost),
            Progress::None => None,
            Progress::At(kept) => Some(kept),
        };
        self.keeps_progress = true;
        let renewed = self.source.resume(kept.as_ref())?;
        Ok(lost.or(self.renew(renewed).await?))
    }

    /// Lets the sink keep what it has to have before the first batch. Gives the error by which the source was lost
    /// meanwhile.
    async fn renew(&mut self, renewed: Option<Fingerprint>) -> Result<Option<Error>, Error> {
        let Some(progress) = renewed.filter(|_| self.keeps_progress) else { return Ok(None) };
        let kept = self.pipeline.sink.set_progress(&progress);
        let (kept, lost) = beside(&mut self.source, kept).await;
        kept.map_err(sink)?;
        Ok(lost)
    }

    /// Collects events until a batch is full or old enough, or until there are no more.
    async fn gather(&mut self, batch: &mut Batch) -> Result<End, Error> {
        let tick = Instant::now() + TICK;
        let mut deadline = tick;
        while batch.len() < self.pipeline.batch_rows && batch.byte_len() < self.pipeline.batch_bytes {
            let (source, shutdown) = (&mut self.source, &mut self.shutdown);
            let next = poll_fn(|cx| match shutdown.poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => source.poll_next(cx),
            });
            let event = match timeout_at(deadline, next).await {
                Err(_) => return Ok(End::Batch),
                Ok(None) => return Ok(End::Stream),
                Ok(Some(Err(error))) => return Ok(End::Lost(error)),
                Ok(Some(Ok(event))) => event,
            };
            if let Some(event) = self.pipeline.tables.pass(event, &mut self.statistics.left_out) {
                self.transaction.follow(&event, batch);
                if batch.is_empty() {
                    deadline = Instant::now() + self.pipeline.batch_delay;
                }
                batch.push(event);
            }
        }
        Ok(End::Batch)
    }

    /// Writes and flushes a batch, then acknowledges what is complete in it. Gives the error by which the source was
    /// lost meanwhile.
    async fn deliver(&mut self, batch: Batch) -> Result<Option<Error>, Error> {
        if batch.is_empty() && !self.transaction.rollback {
            self.publish();
            return Ok(None);
        }
        let tally = Tally::of(batch.events());
        trace::debug!(events = batch.len(), bytes = batch.byte_len(), tally.transactions, "batch");
        let rollback = self.transaction.delivering();
        let target = &mut self.pipeline.sink;
        let work = async {
            if rollback {
                target.rollback().await?;
            }
            if !batch.is_empty() {
                target.write(batch).await?;
            }
            target.flush().await
        };
        let (done, lost) = beside(&mut self.source, work).await;
        done.map_err(sink)?;
        self.source.make_durable().await?;
        self.count(&tally, rollback);
        if let Some(position) = tally.last {
            self.source.acknowledge(position);
        }
        self.publish();
        Ok(lost)
    }

    fn count(&mut self, tally: &Tally, rollback: bool) {
        let statistics = &mut self.statistics;
        if tally.events > 0 {
            self.pipeline.backoff.reset();
            self.last_event = Instant::now();
        }
        if rollback {
            statistics.rollbacks += 1;
            self.open_changes = 0;
        }
        if tally.last_end.is_some() {
            statistics.changes += std::mem::take(&mut self.open_changes);
        }
        self.open_changes += tally.open_changes;
        statistics.changes += tally.changes;
        statistics.transactions += tally.transactions;
        // What is acknowledged with a message behind a transaction is acknowledged with the transaction.
        statistics.acknowledged = tally.last_end.unwrap_or(statistics.acknowledged);
    }

    /// What is to be done now and then, between batches. Gives the error by which the source was lost meanwhile.
    async fn tend(&mut self) -> Result<Option<Error>, Error> {
        match self.keep_idle().await? {
            None => Ok(self.beat().await),
            lost => Ok(lost),
        }
    }

    /// Lets the sink keep how far an idle source is, before the server hears of it.
    async fn keep_idle(&mut self) -> Result<Option<Error>, Error> {
        if !self.keeps_progress || self.last_kept.elapsed() < TICK {
            return Ok(None);
        }
        let Some(progress) = self.source.idle() else { return Ok(None) };
        self.last_kept = Instant::now();
        let kept = self.pipeline.sink.set_progress(&progress);
        let (kept, lost) = beside(&mut self.source, kept).await;
        kept.map_err(sink)?;
        self.source.idle_kept(progress.resume_lsn);
        Ok(lost)
    }

    /// Moves the slot of a quiet database, if that is wanted. Whether it works is not this run's concern.
    async fn beat(&mut self) -> Option<Error> {
        let interval = self.pipeline.heartbeat?;
        if self.last_event.elapsed() < interval {
            return None;
        }
        self.last_event = Instant::now();
        let beat = self.source.beat();
        let (beaten, lost) = beside(&mut self.source, beat).await;
        if let Err(error) = beaten {
            trace::warn!(error = %error.with_causes(), "no heartbeat can be written to the source");
            drop(error);
        }
        lost
    }

    /// Connects again, as often as it takes: `false`, if the shutdown came first.
    async fn reconnect(&mut self, mut error: Error) -> Result<bool, Error> {
        self.statistics.is_connected = false;
        self.publish();
        self.skipped_before = self.statistics.skipped;
        if self.connected.elapsed() > 2 * Backoff::LONGEST {
            self.pipeline.backoff.reset();
        }
        loop {
            if !self.pipeline.reconnect || !error.is_retryable() {
                return Err(error);
            }
            let wait = self.pipeline.backoff.after(&error);
            trace::warn!(error = %error.with_causes(), ?wait, "the source is lost; connecting again");
            let (source, shutdown) = (&mut self.source, &mut self.shutdown);
            let again = async {
                tokio::time::sleep(wait).await;
                source.reopen().await
            };
            let opened = tokio::select! {
                biased;
                () = poll_fn(|cx| shutdown.poll(cx)) => return Ok(false),
                opened = again => opened,
            };
            let lost = match opened {
                Ok(progress) => self.renew(Some(progress)).await?,
                Err(failed) => Some(failed),
            };
            match lost {
                None => break,
                Some(lost) => error = lost,
            }
        }
        trace::info!("connected again");
        self.connected = Instant::now();
        self.statistics.reconnects += 1;
        self.statistics.is_connected = true;
        Ok(true)
    }

    fn publish(&mut self) {
        let (positions, skipped) = self.source.positions();
        self.statistics.positions = self.statistics.positions.or_further(positions);
        self.statistics.skipped = self.skipped_before + skipped;
        self.pipeline.monitor.publish(self.statistics);
    }
}

/// Lets a sink work while the source is kept alive. If the source is lost meanwhile, the sink ends its work all the same:
/// it lives longer than a connection.
async fn beside<T>(source: &mut impl Source, work: impl Future<Output = T>) -> (T, Option<Error>) {
    let mut work = pin!(work);
    let lost = tokio::select! {
        biased;
        done = &mut work => return (done, None),
        lost = source.keep_alive() => lost,
    };
    (work.await, Some(lost))
}

fn sink(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Sink(Box::new(error))
}

impl Transaction {
    /// Looks at the next event of a batch. Another one than may stand inside a transaction says that the transaction has no
    /// end.
    fn follow(&mut self, event: &Event, batch: &mut Batch) {
        let inside = match event {
            Event::Change(_) | Event::Commit(_) | Event::Prepare(_) => true,
            Event::Message(message) => message.transactional,
            Event::Begin(_) | Event::CommitPrepared(_) | Event::RollbackPrepared(_) => false,
        };
        if !inside {
            self.abandon(batch);
        }
        match event {
            Event::Begin(_) => self.open = Some(batch.len()),
            Event::Commit(_) | Event::Prepare(_) => (self.open, self.written) = (None, false),
            _ => {}
        }
    }

    /// The transaction that is open has no end: its events leave the batch, and the sink, if they are there.
    fn abandon(&mut self, batch: &mut Batch) {
        if let Some(begin) = self.open.take() {
            batch.truncate(begin);
            self.rollback |= self.written;
            self.written = false;
        }
    }

    /// The batch goes to the sink: whether that has to forget something first.
    fn delivering(&mut self) -> bool {
        if let Some(begin) = &mut self.open {
            *begin = 0;
            self.written = true;
        }
        std::mem::take(&mut self.rollback)
    }
}

/// What a batch holds.
#[derive(Default)]
struct Tally {
    events: usize,
    transactions: u64,
    /// Changes up to the last end of a transaction.
    changes: u64,
    /// Changes behind it.
    open_changes: u64,
    /// The last position in it that can be acknowledged.
    last: Option<Lsn>,
    /// The last one that is the end of a transaction.
    last_end: Option<Lsn>,
}

impl Tally {
    fn of(events: &[Event]) -> Self {
        let mut tally = Self { events: events.len(), ..Self::default() };
        for event in events {
            tally.open_changes += u64::from(matches!(event, Event::Change(_)));
            let Some(position) = event.position() else { continue };
            tally.last = Some(position);
            if !matches!(event, Event::Message(_)) {
                tally.transactions += 1;
                tally.changes += std::mem::take(&mut tally.open_changes);
                tally.last_end = Some(position);
            }
        }
        tally
    }
}
