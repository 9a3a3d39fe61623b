//! When the sink gets what: the one place where that is decided.
//!
//! | | a sink that appends | a sink that mirrors |
//! |---|---|---|
//! | `write` | a batch is full, or its first event is `batch_delay` old | the same; and whatever is complete, as soon as nothing more is at hand |
//! | `flush` | after each `write` | `batch_delay` after the first event came that is not flushed; for [`SLACK`] more, what is complete goes first |
//!
//! A mirror is to show a change at once when few come, and is to get many of them together when many come: where events come
//! [fast](crate::stream::Flow::is_fast), the first of a batch waits [`LINGER`] for others.

use std::time::Duration;

use tokio::time::Instant;

use crate::sink::SinkKind;

/// How long a mirror that is free is kept waiting while events come fast. A batch costs it about 150 µs, whatever is in it.
const LINGER: Duration = Duration::from_millis(25);

/// So long does a flush that is due let go first what a mirror can show: readers wait for that, while for the flush it is only
/// the source that waits. Events that come on time, like flushes, would otherwise meet one again and again.
const SLACK: Duration = Duration::from_millis(10);

/// No batch waits that long.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);

/// How a pipeline deals with its sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    kind: SinkKind,
    delay: Duration,
}

/// How it stands with a sink that has nothing to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) now: Instant,
    /// When the first event came that was gathered.
    pub(super) gathered_since: Option<Instant>,
    pub(super) fill: Fill,
    /// Whether events come fast.
    pub(super) is_fast: bool,
    /// When the first event came that was written and is not flushed.
    pub(super) written_since: Option<Instant>,
    /// Whether no more should be written before a flush.
    pub(super) must_flush: bool,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// More is at hand, or the end of a transaction is to come.
    Open,
    /// It ends with a transaction, and nothing more is at hand.
    Complete,
    /// It has no room for more.
    Full,
}

/// What the sink has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Write,
    Flush,
    /// Nothing before this time, if nothing comes.
    Nothing(Option<Instant>),
}

impl Standing {
    /// Whether something is at hand that is to be shown at once.
    fn shows(&self) -> bool {
        self.gathered_since.is_some() && self.fill == Fill::Complete && !self.is_fast
    }
}

impl Pace {
    pub(super) fn new(kind: SinkKind, delay: Duration) -> Self {
        // What no clock can add to itself is for ever.
        Self { kind, delay: delay.min(FOR_EVER) }
    }

    pub(super) fn due(&self, standing: &Standing) -> Due {
        let flush_at = standing.written_since.map(|since| self.flush_at(since, standing));
        if flush_at.is_some_and(|at| at <= standing.now) {
            return Due::Flush;
        }
        let write_at = standing.gathered_since.map(|since| self.write_at(since, standing));
        if write_at.is_some_and(|at| at <= standing.now) {
            return Due::Write;
        }
        Due::Nothing(flush_at.into_iter().chain(write_at).min())
    }

    fn flush_at(&self, since: Instant, standing: &Standing) -> Instant {
        if self.kind != SinkKind::Mirror || standing.must_flush {
            return since;
        }
        let slack = if standing.shows() { SLACK.min(self.delay) } else { Duration::ZERO };
        since + self.delay + slack
    }

    fn write_at(&self, since: Instant, standing: &Standing) -> Instant {
        match standing.fill {
            Fill::Full => since,
            Fill::Complete if self.kind == SinkKind::Mirror => {
                if standing.is_fast {
                    since + LINGER.min(self.delay)
                } else {
                    since
                }
            }
            Fill::Complete | Fill::Open => since + self.delay,
        }
    }
}
