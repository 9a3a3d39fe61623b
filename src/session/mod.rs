//! The whole delivery logic of a replication connection, without the connection.
//!
//! A [`Session`] is fed with the payloads that a server sends, with the time, and with what is durable. It gives the events,
//! the status updates to send, and when to come back. There is no socket in it and no clock: `now` is an argument,
//! the next deadline a result. The [`ReplicationStream`](crate::ReplicationStream) drives one over a socket; so can
//! a test, from a script, with a clock of its own.
//!
//! ```text
//!              receive ──► decoder ──► assembler ──► redelivery ──► poll      events
//!   payloads ┤                            │ idle?                    │
//!              heard ────► feedback ◄─────┴───── delivered ◄─────────┘
//!                            ▲   │
//!              acknowledge ──┘   └──► status, deadline, timed_out             bytes to send, when to come back
//! ```
//!
//! What it sees to, whatever it is fed with:
//!
//! * [`Positions`] stand in their order: `flushed ≤ durable ≤ delivered ≤ received ≤ server_end`.
//! * The flushed position moves when everything before it was acknowledged, or, on an idle server, when nothing is in
//!   flight; and never back.
//! * What ended before [`resume_from`](Session::resume_from) is not given a second time, whole transactions at a time.

mod error;
mod feedback;
mod fingerprint;
mod redelivery;

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use self::error::SessionError;
use self::feedback::Feedback;
pub use self::feedback::Positions;
pub use self::fingerprint::{Fingerprint, SourceChanged, SourceState, Standing, TimelineSwitch};
pub(crate) use self::redelivery::Redelivery;
#[cfg(feature = "net")]
use crate::RelationId;
use crate::assemble::Assembler;
use crate::event::{Acknowledge, Event};
use crate::frame::{Frame, StandbyStatusUpdate};
#[cfg(feature = "net")]
use crate::pgoutput::Relation;
use crate::pgoutput::{Decoder, Message};
use crate::value::Types;
use crate::{Lsn, Timestamp};

/// One connection's stream, from its first payload to its last.
///
/// ```
/// use std::time::Instant;
/// use walferry::event::Event;
/// use walferry::frame::{PrimaryKeepalive, XLogData};
/// use walferry::pgoutput::{Begin, Commit, Message};
/// use walferry::session::Session;
/// use walferry::{Lsn, Timestamp, Xid};
///
/// let (now, clock) = (Instant::now(), Timestamp::from_micros(0));
/// let (commit_lsn, end_lsn) = (Lsn::new(0x100), Lsn::new(0x130));
/// let mut session = Session::new(now);
/// for message in [
///     Message::Begin(Begin { commit_lsn, commit_time: clock, xid: Xid::new(7) }),
///     Message::Commit(Commit { commit_lsn, end_lsn, commit_time: clock }),
/// ] {
///     let data = XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock, payload: message.encode() };
///     session.receive(data.encode())?;
/// }
/// let mut last = None;
/// while let Some(event) = session.poll()? {
///     last = Some(event);
/// }
/// // The server is further by now. What it says of itself is no progress as long as something is not durable.
/// let keepalive = PrimaryKeepalive { wal_end: Lsn::new(0x200), clock, reply_requested: true }.encode();
/// session.heard(&keepalive, now);
/// session.receive(keepalive)?;
/// assert!(session.status(now, clock).is_some_and(|status| status.flushed == Lsn::ZERO));
///
/// let Some(Event::Commit(commit)) = last else { unreachable!() };
/// session.acknowledge(&commit);
/// assert!(session.status(now, clock).is_some_and(|status| status.flushed == Lsn::new(0x200)));
/// # Ok::<(), walferry::session::SessionError>(())
/// ```
#[derive(Debug)]
#[must_use = "a session does nothing by itself"]
pub struct Session {
    decoder: Decoder,
    assembler: Assembler,
    redelivery: Redelivery,
    feedback: Feedback,
    stop_at: Option<Lsn>,
    stopped: bool,
    unknown_frames: u64,
}

impl Session {
    /// A session at the start of a connection: it tells the server where it is every 10 s, takes it for dead after 60 s
    /// of silence, and holds back up to 64 MiB of transactions in progress.
    pub fn new(now: Instant) -> Self {
        Self {
            decoder: Decoder::new(),
            assembler: Assembler::new(),
            redelivery: Redelivery::default(),
            feedback: Feedback::new(now),
            stop_at: None,
            stopped: false,
            unknown_frames: 0,
        }
    }

    /// How long the server is left without a status update at most.
    ///
    /// And how long it may be silent before it counts as dead; zero waits for ever. It is asked for a sign of life at
    /// half of that.
    pub fn times(mut self, status_interval: Duration, receive_timeout: Duration) -> Self {
        self.feedback.set_times(status_interval, receive_timeout);
        self
    }

    /// Whether the stream was started with `streaming = parallel`: see [`Decoder::parallel_streaming`].
    pub fn parallel_streaming(mut self, parallel: bool) -> Self {
        self.decoder = self.decoder.parallel_streaming(parallel);
        self
    }

    /// See [`Assembler::memory_limit`].
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.assembler = self.assembler.memory_limit(bytes);
        self
    }

    /// See [`Assembler::spill`].
    pub fn spill(mut self, open: impl FnMut() -> io::Result<File> + Send + Sync + 'static) -> Self {
        self.assembler = self.assembler.spill(open);
        self
    }

    /// Which types the columns of its rows may have; the built-in ones, if not said.
    pub fn types(mut self, types: Arc<Types>) -> Self {
        self.set_types(types);
        self
    }

    /// Rows that are assembled from here on have these types.
    pub fn set_types(&mut self, types: Arc<Types>) {
        self.assembler.set_types(types);
    }

    /// Everything up to here is durable already, by what the consumer itself has kept. It must be the end of a transaction, or
    /// a position that was idle.
    ///
    /// Comes before the first event. What the server sends of it all the same is left out, and counted.
    pub fn resume_from(&mut self, lsn: Lsn) {
        self.redelivery.resume_from(lsn);
        self.feedback.resume_from(lsn);
    }

    /// Ends the session behind the last transaction that committed at or before `lsn`. The server is asked every second
    /// how far it is.
    pub fn stop_at(&mut self, lsn: Lsn) {
        self.stop_at = Some(lsn);
        self.feedback.ask_every(Duration::from_secs(1));
    }

    /// Whether everything up to the stop position was received: what [`poll`](Self::poll) still gives is the rest.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// A payload came, which need not be taken in yet: the server lives, and may want an answer.
    #[inline]
    pub fn heard(&mut self, payload: &[u8], now: Instant) {
        let position = payload.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        if let ([b'w' | b'k', ..], Some(position)) = (payload, position) {
            self.feedback.server_at(Lsn::new(position));
        }
        self.feedback.heard(asks_for_reply(payload), now);
    }

    /// Whether anybody listens to the server from here on. If not, its silence says nothing.
    pub fn listen(&mut self, listening: bool, now: Instant) {
        self.feedback.listen(listening, now);
    }

    /// Takes in the payload of one CopyData message, in the order of the wire.
    ///
    /// # Errors
    ///
    /// Bytes that no server sends, in an order in which none sends them, or more than may be held.
    pub fn receive(&mut self, payload: Bytes) -> Result<(), SessionError> {
        match self.decode(payload)? {
            Some((near, message)) => self.push(near, message),
            None => Ok(()),
        }
    }

    /// The first half of [`receive`](Self::receive): the message in a payload, and a position close by.
    #[inline]
    pub(crate) fn decode(&mut self, payload: Bytes) -> Result<Option<(Lsn, Message)>, SessionError> {
        if self.stopped {
            return Ok(None);
        }
        let failed = |near| move |source| SessionError::Decode { near, source };
        match Frame::decode(payload).map_err(failed(self.feedback.durable()))? {
            Frame::XLogData(data) => {
                let message = self.decoder.decode(data.payload).map_err(failed(data.start))?;
                if !message.commits_behind(self.stop_at) {
                    return Ok(Some((data.start, message)));
                }
                self.stopped = true;
            }
            Frame::PrimaryKeepalive(keepalive) => {
                let idle = self.assembler.is_idle();
                self.feedback.keepalive(keepalive, idle);
                self.stopped |= idle && self.stop_at.is_some_and(|stop| keepalive.wal_end >= stop);
            }
            Frame::Unknown { .. } => self.unknown_frames += 1,
        }
        Ok(None)
    }

    /// The second half.
    #[inline]
    pub(crate) fn push(&mut self, near: Lsn, message: Message) -> Result<(), SessionError> {
        self.assembler.push(message).map_err(|source| SessionError::Violation { near, source })
    }

    /// What a table was announced as last, for whoever the next message belongs to.
    #[cfg(feature = "net")]
    pub(crate) fn relation(&self, id: RelationId) -> Option<&Relation> {
        self.assembler.relation(id)
    }

    /// The next event that is complete.
    ///
    /// # Errors
    ///
    /// A spill file that can't be read back; a [resume position](Self::resume_from) that is none.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Event>, SessionError> {
        loop {
            let near = self.feedback.durable();
            let polled = self.assembler.poll().map_err(|source| SessionError::Violation { near, source })?;
            let Some(event) = polled else { return Ok(None) };
            if self.redelivery.passes(&event)? {
                if let Some(position) = event.position() {
                    self.feedback.delivered(position);
                }
                return Ok(Some(event));
            }
        }
    }

    /// Says that this and everything before it is durable.
    pub fn acknowledge(&mut self, done: &impl Acknowledge) {
        if let Some(position) = done.position() {
            self.acknowledge_up_to(position);
        }
    }

    /// What was handed out up to here is durable.
    pub(crate) fn acknowledge_up_to(&mut self, position: Lsn) {
        self.feedback.acknowledge(position);
    }

    /// From here on, the consumer keeps its position by itself, the idle one included: the server is told of none that
    /// was not given to [`idle_kept`](Self::idle_kept).
    ///
    /// Whoever keeps a position and checks it against the slot needs this: else the slot is ahead of it without any gap.
    pub fn keep_idle(&mut self) {
        self.feedback.keep_idle();
    }

    /// A position further than what is durable below which nothing is in flight: the consumer may keep it as its own.
    pub fn idle_lsn(&self) -> Option<Lsn> {
        self.feedback.idle_lsn()
    }

    /// The consumer has kept this position, which [`idle_lsn`](Self::idle_lsn) gave.
    pub fn idle_kept(&mut self, lsn: Lsn) {
        self.feedback.idle_kept(lsn);
    }

    /// When to ask for [`status`](Self::status) and [`timed_out`](Self::timed_out), even if nothing happens.
    pub fn deadline(&self) -> Instant {
        self.feedback.deadline()
    }

    /// How long the server was silent, if that is too long.
    pub fn timed_out(&self, now: Instant) -> Option<Duration> {
        self.feedback.timed_out(now)
    }

    /// Whether a status update is late.
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.feedback.is_overdue(now)
    }

    /// The status update that is due, if one is: it has to be sent. `clock` is the time to write in it.
    pub fn status(&mut self, now: Instant, clock: Timestamp) -> Option<StandbyStatusUpdate> {
        self.feedback.status(now, clock)
    }

    /// A status update, due or not: the last one, before the connection ends.
    pub fn last_status(&mut self, now: Instant, clock: Timestamp) -> StandbyStatusUpdate {
        self.feedback.take_status(false, now, clock)
    }

    /// How far everything is.
    pub fn positions(&self) -> Positions {
        self.feedback.positions()
    }

    /// How many transactions and messages were left out, because they were durable before.
    pub fn skipped(&self) -> u64 {
        self.redelivery.skipped()
    }

    /// Payloads of a kind that no known server sends, which were skipped. They hold no changes.
    pub fn unknown_frames(&self) -> u64 {
        self.unknown_frames
    }
}

/// Looks for the last byte of a keepalive, without checking the rest.
pub(crate) fn asks_for_reply(payload: &[u8]) -> bool {
    payload.first() == Some(&b'k') && payload.last() == Some(&1)
}

#[cfg(test)]
mod tests;
