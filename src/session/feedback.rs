//! What to tell the server, and when.

use std::time::{Duration, Instant};

use crate::frame::{PrimaryKeepalive, StandbyStatusUpdate};
use crate::{Lsn, Timestamp};

#[cfg(feature = "net")]
impl Positions {
    /// Another connection begins at what is durable, and knows nothing of what the one before had received.
    pub(crate) fn or_further(self, other: Self) -> Self {
        Self {
            flushed: self.flushed.max(other.flushed),
            durable: self.durable.max(other.durable),
            delivered: self.delivered.max(other.delivered),
            received: self.received.max(other.received),
            server_end: self.server_end.max(other.server_end),
        }
    }
}

/// So long is for ever. No clock that a deadline is added to comes to its end by it.
const AGES: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Keeps [`Positions`] in their order.
#[derive(Debug)]
pub(super) struct Feedback {
    status_interval: Duration,
    receive_timeout: Option<Duration>,
    /// Whether every status update asks for an answer, to learn the server's position.
    always_ask: bool,
    last_sent: Instant,
    last_received: Instant,
    /// When a sign of life was asked for, since the server was last heard of.
    asked: Option<Instant>,
    /// Whether anybody reads. If not, that nothing is heard says nothing of the server.
    listening: bool,
    /// A status update is due at once.
    due: bool,
    /// The furthest position that the server spoke of.
    received: Lsn,
    /// The end of the last transaction (or stand-alone message) that was handed out.
    delivered: Lsn,
    /// The end of the last one that was acknowledged.
    acknowledged: Lsn,
    /// How far the server was when nothing was in flight: everything below was handed out.
    settled: Lsn,
    idle: Idle,
    /// Everything below is durable.
    durable: Lsn,
    /// The durable position that the server was told last.
    reported: Lsn,
    /// The furthest position that the server spoke of, in what was not looked at yet, too.
    server_end: Lsn,
}

/// What makes a position durable behind which nothing is in flight.
#[derive(Debug)]
enum Idle {
    /// Nothing has to: the consumer keeps no position.
    AtOnce,
    /// The consumer, which has kept this one.
    Kept(Lsn),
}

/// How far each part of the way is: `flushed ≤ durable ≤ delivered ≤ received ≤ server_end`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Positions {
    /// What the server was told: it may remove the WAL below.
    pub flushed: Lsn,
    /// Everything below is durable at the consumer.
    pub durable: Lsn,
    /// Everything below was handed out.
    pub delivered: Lsn,
    /// Everything below was taken in.
    pub received: Lsn,
    /// The furthest that the server has spoken of.
    pub server_end: Lsn,
}

impl Feedback {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            status_interval: Duration::from_secs(10),
            receive_timeout: Some(Duration::from_secs(60)),
            always_ask: false,
            last_sent: now,
            last_received: now,
            asked: None,
            listening: true,
            due: false,
            received: Lsn::ZERO,
            delivered: Lsn::ZERO,
            acknowledged: Lsn::ZERO,
            settled: Lsn::ZERO,
            idle: Idle::AtOnce,
            durable: Lsn::ZERO,
            reported: Lsn::ZERO,
            server_end: Lsn::ZERO,
        }
    }

    /// How long the server may be left without a status update, and how long it may be silent; zero is for ever.
    pub(super) fn set_times(&mut self, status_interval: Duration, receive_timeout: Duration) {
        self.status_interval = status_interval.min(AGES);
        self.receive_timeout = Some(receive_timeout).filter(|timeout| !timeout.is_zero() && *timeout < AGES);
    }

    /// Everything up to here was durable before.
    pub(super) fn resume_from(&mut self, lsn: Lsn) {
        self.delivered = self.delivered.max(lsn);
        self.received = self.received.max(lsn);
        self.server_end = self.server_end.max(lsn);
        self.acknowledge(lsn);
    }

    /// Idle positions count as durable only once the consumer has kept them.
    pub(super) fn keep_idle(&mut self) {
        if matches!(self.idle, Idle::AtOnce) {
            self.idle = Idle::Kept(Lsn::ZERO);
        }
    }

    /// A position that the consumer should keep: nothing is left for it below.
    pub(super) fn idle_lsn(&self) -> Option<Lsn> {
        (self.acknowledged >= self.delivered && self.settled > self.durable).then_some(self.settled)
    }

    /// The consumer has kept this position.
    pub(super) fn idle_kept(&mut self, lsn: Lsn) {
        let lsn = lsn.min(self.settled);
        if let Idle::Kept(kept) = &mut self.idle {
            *kept = lsn.max(*kept);
        }
        self.advance();
    }

    /// Asks for the server's position that often, from now on.
    pub(super) fn ask_every(&mut self, interval: Duration) {
        self.status_interval = self.status_interval.min(interval);
        self.always_ask = true;
        self.due = true;
    }

    /// Bytes came. Also when nothing else is done with them yet: the server lives, and it may want an answer.
    pub(super) fn heard(&mut self, reply_requested: bool, now: Instant) {
        self.last_received = now;
        self.asked = None;
        self.due |= reply_requested;
    }

    /// The server spoke of this position.
    pub(super) fn server_at(&mut self, lsn: Lsn) {
        self.server_end = self.server_end.max(lsn);
    }

    /// Reading goes on, or stops for a while.
    pub(super) fn listen(&mut self, listening: bool, now: Instant) {
        if listening && !self.listening {
            self.heard(false, now);
        }
        self.listening = listening;
    }

    /// A keepalive is next in the order of the stream. When nothing is in flight, what it says of the server's
    /// position is ours too.
    pub(super) fn keepalive(&mut self, keepalive: PrimaryKeepalive, idle: bool) {
        self.received = self.received.max(keepalive.wal_end);
        self.server_at(keepalive.wal_end);
        if idle {
            self.settled = self.settled.max(keepalive.wal_end);
            self.advance();
        }
    }

    /// A transaction or a stand-alone message was handed out.
    pub(super) fn delivered(&mut self, end_lsn: Lsn) {
        self.delivered = self.delivered.max(end_lsn);
        self.received = self.received.max(end_lsn);
        self.server_at(end_lsn);
    }

    /// The consumer says that everything up to here is durable.
    pub(super) fn acknowledge(&mut self, end_lsn: Lsn) {
        // What was never handed out can't be durable.
        self.acknowledged = self.acknowledged.max(end_lsn.min(self.delivered));
        self.advance();
    }

    /// The one place where the durable position moves, and only forward.
    fn advance(&mut self) {
        let settled = match self.idle {
            Idle::AtOnce => self.settled,
            Idle::Kept(kept) => kept,
        };
        let idle = self.acknowledged >= self.delivered;
        let durable = if idle { self.acknowledged.max(settled) } else { self.acknowledged };
        if durable > self.durable {
            self.durable = durable;
            self.due = true;
        }
    }

    pub(super) fn durable(&self) -> Lsn {
        self.durable
    }

    pub(super) fn positions(&self) -> Positions {
        let delivered = self.delivered.max(self.settled);
        Positions {
            flushed: self.reported,
            durable: self.durable,
            delivered,
            received: self.received.max(delivered),
            server_end: self.server_end.max(self.received),
        }
    }

    /// When to call [`status`](Self::status) or give up, even if nothing happens.
    pub(super) fn deadline(&self) -> Instant {
        let status = self.last_sent + self.status_interval;
        match self.patience() {
            Some(patience) => status.min(self.asked.unwrap_or(self.last_received) + patience),
            None => status,
        }
    }

    /// Half of the receive timeout: after that long the server is asked for a sign of life, and has as long again to
    /// give one. Counted from the question, because who was busy elsewhere asks late.
    fn patience(&self) -> Option<Duration> {
        self.receive_timeout.filter(|_| self.listening).map(|timeout| timeout / 2)
    }

    /// How long the server was silent, if that is too long.
    pub(super) fn timed_out(&self, now: Instant) -> Option<Duration> {
        let too_long = now.duration_since(self.asked?) >= self.patience()?;
        self.receive_timeout.filter(|_| too_long)
    }

    /// Whether the status update is late.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now.duration_since(self.last_sent) >= self.status_interval
    }

    /// The status update that is due, if one is.
    pub(super) fn status(&mut self, now: Instant, clock: Timestamp) -> Option<StandbyStatusUpdate> {
        let silent = now.duration_since(self.last_received);
        let ask = self.asked.is_none() && self.patience().is_some_and(|patience| silent >= patience);
        let due = self.due || ask || self.is_overdue(now);
        due.then(|| self.take_status(ask, now, clock))
    }

    /// A status update, due or not.
    pub(super) fn take_status(&mut self, ask: bool, now: Instant, clock: Timestamp) -> StandbyStatusUpdate {
        if ask {
            self.asked = Some(now);
        }
        self.due = false;
        self.last_sent = now;
        self.reported = self.durable;
        StandbyStatusUpdate {
            written: self.received.max(self.durable),
            flushed: self.durable,
            applied: self.durable,
            clock,
            reply_requested: ask || self.always_ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Timestamp = Timestamp::from_micros(0);

    fn feedback() -> (Feedback, Instant) {
        let now = Instant::now();
        (Feedback::new(now), now)
    }

    fn keepalive(wal_end: u64) -> PrimaryKeepalive {
        PrimaryKeepalive {
            wal_end: Lsn::new(wal_end),
            clock: Timestamp::from_micros(0),
            reply_requested: false,
        }
    }

    #[test]
    fn the_longest_times_that_can_be_said_are_for_ever() {
        let (mut feedback, now) = feedback();
        feedback.set_times(Duration::MAX, Duration::MAX);
        assert!(feedback.deadline() > now + AGES / 2);
        let much_later = now + AGES / 2;
        assert!(feedback.status(much_later, CLOCK).is_none());
        assert_eq!(feedback.timed_out(much_later), None);
    }

    #[test]
    fn museum_07_keepalive_never_acknowledges_pending_work() {
        let (mut feedback, _) = feedback();
        feedback.delivered(Lsn::new(100));
        feedback.keepalive(keepalive(500), true);
        assert_eq!(feedback.durable(), Lsn::ZERO, "a transaction is handed out and not durable");
        feedback.acknowledge(Lsn::new(100));
        assert_eq!(feedback.durable(), Lsn::new(500), "now everything up to the keepalive is");
    }

    #[test]
    fn museum_07_keepalive_inside_a_transaction_is_no_progress() {
        let (mut feedback, _) = feedback();
        feedback.keepalive(keepalive(500), false);
        assert_eq!(feedback.durable(), Lsn::ZERO);
    }

    #[test]
    fn museum_09_the_flushed_position_never_moves_back() {
        let (mut feedback, _) = feedback();
        feedback.delivered(Lsn::new(300));
        feedback.acknowledge(Lsn::new(300));
        feedback.acknowledge(Lsn::new(200));
        feedback.keepalive(keepalive(100), true);
        assert_eq!(feedback.durable(), Lsn::new(300));
        // What an idle server was told is further than anything that was acknowledged.
        feedback.keepalive(keepalive(500), true);
        feedback.delivered(Lsn::new(600));
        feedback.acknowledge(Lsn::new(300));
        assert_eq!(feedback.durable(), Lsn::new(500));
    }

    #[test]
    fn acknowledges_nothing_that_was_not_handed_out() {
        let (mut feedback, _) = feedback();
        feedback.delivered(Lsn::new(100));
        feedback.acknowledge(Lsn::new(u64::MAX));
        assert_eq!(feedback.durable(), Lsn::new(100));
    }

    #[test]
    fn acknowledging_the_first_of_two_leaves_the_second() {
        let (mut feedback, _) = feedback();
        feedback.delivered(Lsn::new(100));
        feedback.delivered(Lsn::new(200));
        feedback.keepalive(keepalive(900), true);
        feedback.acknowledge(Lsn::new(100));
        assert_eq!(feedback.durable(), Lsn::new(100));
    }

    #[test]
    fn what_is_no_news_makes_no_status_due() {
        let (mut feedback, start) = feedback();
        feedback.delivered(Lsn::new(100));
        feedback.acknowledge(Lsn::new(100));
        assert!(feedback.status(start, CLOCK).is_some());
        feedback.acknowledge(Lsn::new(100));
        feedback.keepalive(keepalive(100), true);
        assert_eq!(feedback.status(start, CLOCK), None);
    }

    #[test]
    fn a_status_is_due_when_asked_for_and_every_interval() {
        let (mut feedback, start) = feedback();
        assert_eq!(feedback.status(start, CLOCK), None);
        feedback.heard(true, start);
        assert!(feedback.status(start, CLOCK).is_some_and(|status| !status.reply_requested));
        assert_eq!(feedback.status(start, CLOCK), None);
        assert_eq!(feedback.deadline(), start + Duration::from_secs(10));
        assert!(feedback.status(start + Duration::from_secs(10), CLOCK).is_some());
    }

    #[test]
    fn asks_a_silent_server_once_and_then_gives_up() {
        let (mut feedback, start) = feedback();
        let half = start + Duration::from_secs(30);
        assert!(feedback.status(half, CLOCK).is_some_and(|status| status.reply_requested));
        assert!(
            feedback
                .status(half + Duration::from_secs(10), CLOCK)
                .is_some_and(|status| !status.reply_requested)
        );
        assert_eq!(feedback.timed_out(half + Duration::from_secs(29)), None);
        assert_eq!(feedback.timed_out(half + Duration::from_secs(30)), Some(Duration::from_secs(60)));
        feedback.heard(false, half + Duration::from_secs(30));
        assert_eq!(feedback.timed_out(half + Duration::from_secs(31)), None);
    }

    #[test]
    fn gives_a_server_its_time_to_answer_even_if_it_was_asked_late() {
        let (mut feedback, start) = feedback();
        let late = start + Duration::from_secs(3600);
        assert!(feedback.status(late, CLOCK).is_some_and(|status| status.reply_requested));
        assert_eq!(feedback.timed_out(late), None);
        assert_eq!(feedback.timed_out(late + Duration::from_secs(29)), None);
        assert!(feedback.timed_out(late + Duration::from_secs(30)).is_some());
    }

    #[test]
    fn silence_counts_only_while_somebody_listens() {
        let (mut feedback, start) = feedback();
        assert!(
            feedback
                .status(start + Duration::from_secs(30), CLOCK)
                .is_some_and(|status| status.reply_requested)
        );
        feedback.listen(false, start + Duration::from_secs(31));
        let later = start + Duration::from_secs(3600);
        assert_eq!(feedback.timed_out(later), None);
        assert!(feedback.status(later, CLOCK).is_some_and(|status| !status.reply_requested));
        assert_eq!(feedback.deadline(), later + Duration::from_secs(10));
        feedback.listen(true, later);
        feedback.listen(true, later + Duration::from_secs(29));
        assert_eq!(feedback.timed_out(later), None);
        assert!(
            feedback
                .status(later + Duration::from_secs(30), CLOCK)
                .is_some_and(|status| status.reply_requested)
        );
    }

    #[test]
    fn a_consumer_that_keeps_its_position_keeps_an_idle_one_before_the_server_hears_of_it() {
        let (mut feedback, _) = feedback();
        feedback.keep_idle();
        feedback.keepalive(keepalive(500), true);
        assert_eq!(feedback.durable(), Lsn::ZERO);
        assert_eq!(feedback.idle_lsn(), Some(Lsn::new(500)));
        feedback.idle_kept(Lsn::new(900));
        assert_eq!(feedback.durable(), Lsn::new(500), "no more than was idle");
        assert_eq!(feedback.idle_lsn(), None);
    }

    #[test]
    fn an_idle_position_is_none_while_work_is_in_flight() {
        let (mut feedback, _) = feedback();
        feedback.keep_idle();
        feedback.delivered(Lsn::new(100));
        feedback.keepalive(keepalive(500), true);
        assert_eq!(feedback.idle_lsn(), None);
        feedback.idle_kept(Lsn::new(500));
        assert_eq!(feedback.durable(), Lsn::ZERO, "whoever says so, a transaction is not durable");
        feedback.acknowledge(Lsn::new(100));
        assert_eq!(feedback.idle_lsn(), None, "it was kept already");
        assert_eq!(feedback.durable(), Lsn::new(500));
    }

    #[test]
    fn what_was_durable_before_is_told_again() {
        let (mut feedback, start) = feedback();
        feedback.resume_from(Lsn::new(300));
        assert_eq!(feedback.positions().flushed, Lsn::ZERO, "nobody was told yet");
        let status = feedback.status(start, CLOCK).expect("it is due");
        assert_eq!((status.flushed, status.written), (Lsn::new(300), Lsn::new(300)));
        assert_eq!(feedback.positions().flushed, Lsn::new(300));
    }

    #[cfg(feature = "net")]
    #[test]
    fn another_connection_takes_nothing_back() {
        let (mut before, start) = feedback();
        before.delivered(Lsn::new(100));
        before.acknowledge(Lsn::new(100));
        before.status(start, CLOCK);
        before.keepalive(keepalive(300), false);
        let (mut behind, _) = feedback();
        behind.resume_from(Lsn::new(100));
        let (before, behind) = (before.positions(), behind.positions());
        assert_eq!((behind.flushed, behind.received), (Lsn::ZERO, Lsn::new(100)));
        assert_eq!((behind.or_further(before), before.or_further(behind)), (before, before));
    }

    #[test]
    fn positions_stand_in_their_order() {
        let (mut feedback, start) = feedback();
        let ordered = |feedback: &Feedback| {
            let Positions { flushed, durable, delivered, received, server_end } = feedback.positions();
            assert!([flushed, durable, delivered, received, server_end].is_sorted(), "{feedback:?}");
        };
        feedback.server_at(Lsn::new(50));
        ordered(&feedback);
        feedback.delivered(Lsn::new(100));
        ordered(&feedback);
        feedback.keepalive(keepalive(120), true);
        ordered(&feedback);
        feedback.acknowledge(Lsn::new(100));
        ordered(&feedback);
        feedback.status(start, CLOCK);
        ordered(&feedback);
        assert_eq!(feedback.positions().flushed, Lsn::new(120));
    }
}
