//! One run of a pipeline: the source's events are gathered while the sink works on those before.
//!
//! ```text
//!   source ──► Intake: gathered ──write──► sink ──flush──► durable ──► acknowledged
//!                  │                         │
//!                  └── Pace: what is due?    └── Ledger: what was written, and is not durable yet
//! ```
//!
//! The sink does one thing at a time, beside which the next batch is gathered; so at most one batch is with the sink, and one
//! waits for it. Only a flush may go on beside what is written, of a sink that can do both: then it is for what was written
//! before it began.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until};

use super::backoff::Backoff;
use super::intake::{Ended, Hand, Intake};
use super::ledger::Ledger;
use super::pace::{Due, Fill, Pace, Standing};
use super::source::Source;
use super::{Monitor, Pipeline, Statistics};
use crate::error::Error;
use crate::sink::{ChangeSink, Flushing};
use crate::trace;

/// How often a pipeline looks whether there is something to keep or to say.
const TICK: Duration = Duration::from_secs(1);

pub(super) struct Run<S, R, F> {
    pub(super) sink: S,
    pub(super) intake: Intake<R, F>,
    pub(super) ledger: Ledger,
    /// A flush that was begun beside what is written.
    pub(super) flushing: Option<Flushing>,
    pub(super) half: Half,
    pub(super) statistics: Statistics,
    /// What the connections before this one have left out.
    pub(super) skipped_before: u64,
    /// Whether the sink keeps its progress, the idle one included.
    pub(super) keeps_progress: bool,
    /// Whether it has kept any, as far as is known here.
    pub(super) has_progress: bool,
    pub(super) reconnect: bool,
    pub(super) backoff: Backoff,
    pub(super) connected: Instant,
    pub(super) last_event: Instant,
    pub(super) heartbeat: Option<Duration>,
    pace: Pace,
    timer: Pin<Box<Sleep>>,
    tick: Instant,
    monitor: Monitor,
}

/// Whether the sink has part of a transaction whose end it doesn't have.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// It was handed over.
    pub(super) is_written: bool,
    /// It was, at some time since the last flush began: it may be durable.
    pub(super) is_durable: bool,
}

/// Why the work can't go on as it does.
pub(super) enum Trouble {
    Source(Error),
    /// The sink's; whether it passes by itself.
    Sink(Error, bool),
}

impl Trouble {
    pub(super) fn of<S: ChangeSink>(error: S::Error) -> Self {
        let passes = S::is_retryable(&error);
        Self::Sink(Error::Sink(Box::new(error)), passes)
    }

    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Source(error) => error.is_retryable(),
            Self::Sink(_, passes) => *passes,
        }
    }

    pub(super) fn error(&self) -> &Error {
        let (Self::Source(error) | Self::Sink(error, _)) = self;
        error
    }

    pub(super) fn into_error(self) -> Error {
        let (Self::Source(error) | Self::Sink(error, _)) = self;
        error
    }
}

/// What is to be done next.
enum Step {
    Write,
    Flush,
    /// What was begun beside has come to its end: whether all is durable.
    Flushed(bool),
    /// What is to be done now and then.
    Tend,
    /// Others get their turn.
    Yield,
    End,
}

impl<S: ChangeSink, R: Source, F: Future<Output = ()>> Run<S, R, F> {
    pub(super) fn new(pipeline: Pipeline<S>, source: R, shutdown: F) -> Self {
        let Pipeline { sink, batch_rows, batch_bytes, batch_delay, tables, .. } = pipeline;
        let now = Instant::now();
        Self {
            pace: Pace::new(sink.kind(), batch_delay),
            sink,
            intake: Intake::new(source, shutdown, tables, batch_rows, batch_bytes),
            ledger: Ledger::default(),
            flushing: None,
            half: Half::default(),
            statistics: Statistics { is_connected: true, ..Statistics::default() },
            skipped_before: 0,
            keeps_progress: false,
            has_progress: false,
            reconnect: pipeline.reconnect,
            backoff: pipeline.backoff,
            connected: now,
            last_event: now,
            heartbeat: pipeline.heartbeat,
            timer: Box::pin(sleep_until(now)),
            tick: now + TICK,
            monitor: pipeline.monitor,
        }
    }

    pub(super) async fn finish(mut self) -> Result<Statistics, Error> {
        let ended = self.until_the_end().await;
        if matches!(ended, Err(Error::Sink(_))) {
            // Whether or not the server hears of what was durable before: the sink's error is what counts.
            let _ = self.intake.source.finish().await;
        }
        ended.map(|()| self.statistics)
    }

    async fn until_the_end(&mut self) -> Result<(), Error> {
        let mut begun = self.begin().await;
        loop {
            let ended = match begun {
                Ok(()) => self.carry().await,
                Err(trouble) => Err(trouble),
            };
            let Err(trouble) = ended else { return Ok(()) };
            if self.intake.shutdown.has_dropped {
                return self.leave(trouble).await;
            }
            if !self.recover(trouble).await? {
                return Ok(());
            }
            begun = Ok(());
        }
    }

    /// The run was to end, and the sink doesn't: what isn't durable comes again, and the source hears of what is.
    async fn leave(&mut self, trouble: Trouble) -> Result<(), Error> {
        trace::warn!(error = %trouble.error().with_causes(), "what the sink was given last is left undone; it comes again");
        drop(trouble);
        self.publish();
        match self.intake.ended.replace(Ended::Gone) {
            Some(Ended::Lost(_) | Ended::Gone) => Ok(()),
            _ => self.intake.source.finish().await,
        }
    }

    /// Carries what comes, until the source ends, and all is well.
    async fn carry(&mut self) -> Result<(), Trouble> {
        loop {
            match self.step().await {
                Step::Write => self.write().await?,
                Step::Flush if self.begin_flush() => {}
                Step::Flush | Step::Flushed(false) => self.flush().await?,
                Step::Flushed(true) => self.end_flush().await?,
                Step::Tend => self.tend().await?,
                Step::Yield => yield_now().await,
                Step::End => break,
            }
        }
        self.settle().await?;
        match self.intake.ended.replace(Ended::Gone) {
            Some(Ended::Lost(error)) => Err(Trouble::Source(error)),
            // Who lost it may not have heard what was acknowledged last.
            _ => self.intake.source.finish().await.map_err(Trouble::Source),
        }
    }

    /// Everything that is complete is made durable; what isn't, leaves the sink.
    async fn settle(&mut self) -> Result<(), Trouble> {
        self.intake.abandon();
        if !self.intake.gathered.batch.is_empty() || self.intake.transaction.needs_rollback() {
            self.write().await?;
        }
        if !self.ledger.is_durable() {
            self.flush().await?;
        }
        self.publish();
        Ok(())
    }

    async fn step(&mut self) -> Step {
        poll_fn(|cx| self.poll_step(cx)).await
    }

    /// Gathers, while the sink has nothing to do.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if let Some(flushing) = &mut self.flushing
            && let Poll::Ready(is_durable) = flushing.as_mut().poll(cx)
        {
            self.flushing = None;
            return Poll::Ready(Step::Flushed(is_durable));
        }
        loop {
            let now = Instant::now();
            let hand = self.intake.poll_gather(now, cx);
            if hand == Hand::Ended {
                return Poll::Ready(Step::End);
            }
            let until = match self.pace.due(&self.standing(hand, now)) {
                Due::Write => return Poll::Ready(Step::Write),
                Due::Flush => return Poll::Ready(Step::Flush),
                _ if self.tick <= now => {
                    self.tick = now + TICK;
                    return Poll::Ready(Step::Tend);
                }
                Due::Nothing(_) if hand == Hand::Full => return Poll::Ready(Step::Yield),
                Due::Nothing(until) => until.map_or(self.tick, |until| until.min(self.tick)),
            };
            if self.timer.deadline() != until {
                self.timer.as_mut().reset(until);
            }
            ready!(self.timer.as_mut().poll(cx));
        }
    }

    fn standing(&self, hand: Hand, now: Instant) -> Standing {
        let fill = match hand {
            Hand::NoRoom => Fill::Full,
            Hand::Empty if self.intake.transaction.is_whole() => Fill::Complete,
            _ => Fill::Open,
        };
        let must_flush = self.ledger.is_full();
        Standing {
            now,
            gathered_since: self.intake.gathered.since,
            fill,
            is_fast: self.intake.flow.is_fast(),
            // One flush at a time.
            written_since: self.ledger.since().filter(|_| must_flush || self.flushing.is_none()),
            must_flush,
        }
    }

    pub(super) fn publish(&mut self) {
        let (positions, skipped) = self.intake.source.positions();
        self.statistics.positions = self.statistics.positions.or_further(positions);
        self.statistics.skipped = self.skipped_before + skipped;
        self.statistics.left_out = self.intake.left_out;
        self.statistics.torn_tail = self.intake.source.torn_tail();
        self.monitor.publish(self.statistics);
    }
}
