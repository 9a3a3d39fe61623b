//! The near side: events of the source, gathered for the sink.

use std::future::{Future, pending, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::ledger::Done;
use super::run::Trouble;
use super::source::Source;
use super::tables::Tables;
use crate::error::Error;
use crate::event::{Acknowledge as _, Event};
use crate::sink::Batch;
use crate::stream::Flow;

/// After so many events at a stretch, others get their turn: the sink, and whatever else the runtime has to do.
const STRETCH: usize = 512;

/// How long a sink may go on once the run is to end: one that waits for a lock may do so for ever. Whoever asks for an end takes it
/// by force some time later, after 30 seconds often.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Intake<R, F> {
    pub(super) source: R,
    pub(super) shutdown: Shutdown<F>,
    pub(super) gathered: Gathered,
    pub(super) transaction: Transaction,
    pub(super) flow: Flow,
    /// Why nothing more comes.
    pub(super) ended: Option<Ended>,
    /// Changes of tables that were left out.
    pub(super) left_out: u64,
    /// Bytes of the batch that the sink is given.
    pub(super) with_sink: usize,
    tables: Tables,
    rows: usize,
    bytes: usize,
}

/// What the sink does not have yet.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) batch: Batch,
    /// What is complete in it.
    pub(super) done: Vec<Done>,
    /// When its first event came.
    pub(super) since: Option<Instant>,
}

/// Why there are no more events.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself, or because the caller wants it so.
    Well,
    Lost(Error),
    /// Lost, and by what was said.
    Gone,
}

/// Whether there are more events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    /// At once.
    Full,
    /// None just now: whoever asked is woken.
    Empty,
    /// The batch has no room for them.
    NoRoom,
    /// None any more.
    Ended,
}

/// The wish of the caller that the run ends, once it was heard.
pub(super) struct Shutdown<F> {
    wish: Pin<Box<F>>,
    has_come: Option<Instant>,
    /// What the sink has not ended then is dropped, for it knows what it has. To another one it might come twice.
    pub(super) may_drop: bool,
    /// The sink took longer than it may: its work was dropped, and it is not used again.
    pub(super) has_dropped: bool,
}

impl<F: Future<Output = ()>> Shutdown<F> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_come.is_none() && self.wish.as_mut().poll(cx).is_ready() {
            self.has_come = Some(Instant::now());
        }
        if self.has_come.is_some() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Until the sink had its time.
    async fn lose_patience(&mut self) -> Trouble {
        if !self.may_drop {
            return pending().await;
        }
        poll_fn(|cx| self.poll(cx)).await;
        sleep_until(self.has_come.unwrap_or_else(Instant::now) + PATIENCE).await;
        self.has_dropped = true;
        Trouble::Sink(
            Error::Timeout { during: "ending the work of the sink".to_owned(), after: PATIENCE },
            false,
        )
    }
}

impl<R: Source, F: Future<Output = ()>> Intake<R, F> {
    pub(super) fn new(source: R, shutdown: F, tables: Tables, rows: usize, bytes: usize) -> Self {
        Self {
            source,
            shutdown: Shutdown {
                wish: Box::pin(shutdown),
                has_come: None,
                may_drop: false,
                has_dropped: false,
            },
            gathered: Gathered::default(),
            transaction: Transaction::default(),
            flow: Flow::new(Instant::now().into_std()),
            ended: None,
            left_out: 0,
            with_sink: 0,
            tables,
            rows,
            bytes,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        let batch = &self.gathered.batch;
        // What the sink was given above its share, it has from the share of this.
        let bytes = self.bytes.saturating_sub(self.with_sink.saturating_sub(self.bytes));
        batch.len() >= self.rows || batch.byte_len() >= bytes
    }

    /// Takes in the events that are at hand, but no more than one batch, and not for long.
    pub(super) fn poll_gather(&mut self, now: Instant, cx: &mut Context<'_>) -> Hand {
        if self.ended.is_none() && self.shutdown.poll(cx).is_ready() {
            self.ended = Some(Ended::Well);
        }
        self.source.catch_up(cx);
        let before = self.gathered.batch.len();
        let hand = self.take_stretch(now, cx);
        self.flow.note(self.gathered.batch.len().saturating_sub(before), now.into_std());
        hand
    }

    fn take_stretch(&mut self, now: Instant, cx: &mut Context<'_>) -> Hand {
        for _ in 0..STRETCH {
            if self.ended.is_some() {
                return Hand::Ended;
            }
            if self.is_full() {
                return Hand::NoRoom;
            }
            match self.source.poll_next(cx) {
                Poll::Pending => return Hand::Empty,
                Poll::Ready(Some(Ok(event))) => self.take(event, now),
                Poll::Ready(Some(Err(error))) => self.ended = Some(Ended::Lost(error)),
                Poll::Ready(None) => self.ended = Some(Ended::Well),
            }
        }
        Hand::Full
    }

    fn take(&mut self, event: Event, now: Instant) {
        let Some(event) = self.tables.pass(event, &mut self.left_out) else { return };
        let gathered = &mut self.gathered;
        self.transaction.follow(&event, gathered);
        gathered.since.get_or_insert(now);
        gathered.batch.push(event);
    }

    /// Lets the sink work, and gathers what it gets next; when there is no more room, the source is only kept alive.
    ///
    /// If the source is lost meanwhile, the sink ends its work all the same: it lives longer than a connection.
    ///
    /// # Errors
    ///
    /// When the shutdown has come, and a sink that keeps its progress doesn't end its work in time.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        let mut work = pin!(work);
        loop {
            let next = poll_fn(|cx| match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Ok(done)),
                Poll::Pending => match self.poll_gather(Instant::now(), cx) {
                    Hand::Empty => Poll::Pending,
                    hand => Poll::Ready(Err(hand)),
                },
            });
            match next.await {
                Ok(done) => return Ok(done),
                Err(Hand::Full) => yield_now().await,
                Err(_) => break,
            }
        }
        self.alive_beside(work).await
    }

    /// Lets the sink work, and takes nothing in.
    pub(super) async fn alive_beside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            done = keep_alive(&mut self.source, &mut self.ended, work) => Ok(done),
            trouble = self.shutdown.lose_patience() => Err(trouble),
        }
    }

    /// What has no end will not get one: it is forgotten here, and by the sink, if that has part of it.
    pub(super) fn abandon(&mut self) {
        self.transaction.abandon(&mut self.gathered);
    }

    /// Everything that was gathered comes again. Whether the sink has to forget half a transaction first.
    pub(super) fn forget(&mut self, rollback: bool) {
        self.gathered = Gathered::default();
        self.transaction = Transaction { rollback, ..Transaction::default() };
    }

    /// What was gathered goes to the sink: with whether that has to forget something first.
    pub(super) fn hand_over(&mut self) -> (Gathered, bool) {
        let rollback = self.transaction.hand_over();
        (mem::take(&mut self.gathered), rollback)
    }
}

/// Keeps a source alive, if it isn't lost, while somebody works.
pub(super) async fn keep_alive<T>(
    source: &mut impl Source,
    ended: &mut Option<Ended>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    if !matches!(ended, Some(Ended::Lost(_) | Ended::Gone)) {
        let error = tokio::select! {
            biased;
            done = &mut work => return done,
            error = source.keep_alive() => error,
        };
        *ended = Some(Ended::Lost(error));
    }
    work.await
}

/// The transaction whose end has not come.
#[derive(Default)]
pub(super) struct Transaction {
    /// Where in the batch it begins; 0 if it began before.
    open: Option<usize>,
    /// How many changes it has so far.
    changes: u64,
    /// Whether the sink was given part of it.
    written: bool,
    /// Whether the sink has to forget such a part.
    rollback: bool,
}

impl Transaction {
    /// Whether everything that was gathered is complete.
    pub(super) fn is_whole(&self) -> bool {
        self.open.is_none()
    }

    /// Whether the sink has to forget something.
    pub(super) fn needs_rollback(&self) -> bool {
        self.rollback
    }

    /// Looks at the next event. Another one than may stand inside a transaction says that the transaction has no end.
    fn follow(&mut self, event: &Event, gathered: &mut Gathered) {
        let inside = match event {
            Event::Change(_) => {
                self.changes += 1;
                return;
            }
            Event::Commit(_) | Event::Prepare(_) => true,
            Event::Message(message) => message.transactional,
            Event::Begin(_) | Event::CommitPrepared(_) | Event::RollbackPrepared(_) => false,
        };
        if !inside {
            self.abandon(gathered);
        }
        if let Event::Begin(_) = event {
            self.open = Some(gathered.batch.len());
        }
        let Some(position) = event.position() else { return };
        (self.open, self.written) = (None, false);
        let is_transaction = !matches!(event, Event::Message(_));
        gathered.done.push(Done { position, changes: mem::take(&mut self.changes), is_transaction });
    }

    fn abandon(&mut self, gathered: &mut Gathered) {
        if let Some(begin) = self.open.take() {
            gathered.batch.truncate(begin);
            self.changes = 0;
            self.rollback |= self.written;
            self.written = false;
        }
    }

    fn hand_over(&mut self) -> bool {
        if let Some(begin) = &mut self.open {
            *begin = 0;
            self.written = true;
        }
        mem::take(&mut self.rollback)
    }
}
