//! The replication stream: committed transactions of a live server, and the acknowledgement of what is durable.

mod flow;
mod layout;
mod options;
mod recording;
mod resume;
mod start;
mod types;

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use postgres_protocol::message::backend::{Message as Backend, NoticeResponseBody};
use tokio::time::Sleep;

pub(crate) use self::flow::Flow;
pub use self::options::{Origin, StreamOptions, Streaming};
use self::recording::Recording;
pub(crate) use self::resume::HEARTBEAT;
use self::types::TypeWatch;
use crate::connection::{BackendMessage, Connection, FrontendMessage};
use crate::error::{Error, ServerError};
use crate::event::{Acknowledge, Event};
use crate::session::{self, Positions, Session, SourceState};
use crate::{Lsn, Timestamp, capture, trace};

/// Committed transactions from a live server, in commit order.
///
/// A [`Stream`] of [`Event`]s. It ends with an error, or at the position given to [`stop_at`](Self::stop_at). The
/// server is told what is durable, and that this client lives, whenever the stream or
/// [`keep_alive`](Self::keep_alive) is polled; it gives up on a client that polls neither for `wal_sender_timeout`.
///
/// Its rows know the types of the database ([`Row::types`](crate::Row::types)), as the catalogue has them when the
/// stream starts. When a table is announced that uses a type which is not known, or that changed and uses any type of
/// users, they are read again: over a second, ordinary connection to the same server by the same parameters, which is
/// closed at once. The rows of that table wait for it, for ten seconds at most; if it fails, the types stay as they
/// were. The stream may lag behind the catalogue, and not every ALTER TYPE is announced: a row may hold what its types
/// don't explain.
///
/// ```no_run
/// use std::future::poll_fn;
/// use std::pin::Pin;
/// use futures_core::Stream;
/// use walferry::stream::StreamOptions;
/// use walferry::{Config, Connection, Event};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config: Config = "postgresql://walferry@db.example.org/shop".parse()?;
/// let connection = Connection::connect(&config).await?;
/// let options = StreamOptions::new("shop_changes".parse()?).publication("shop");
/// let mut stream = connection.start_replication(options).await?;
/// while let Some(event) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
///     match event? {
///         Event::Change(change) => println!("{change:?}"),
///         // Here everything up to the commit must be durable.
///         Event::Commit(commit) => stream.acknowledge(&commit),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream that isn't polled yields nothing, and the server gives up on it"]
pub struct ReplicationStream {
    connection: Connection,
    session: Session,
    types: TypeWatch,
    /// The clock as it was read last: once for each event or stretch of them and each wait, and now and then while data flows.
    now: Instant,
    flow: Flow,
    /// How many payloads came since there was nothing to do but wait.
    came: usize,
    timer: Pin<Box<Sleep>>,
    /// Received by [`keep_alive`](Self::keep_alive), or while types were being read, to be yielded later.
    held: VecDeque<(Timestamp, Bytes)>,
    held_bytes: usize,
    /// What ended the receiving, while events were still to come from what is held.
    lost: Option<Error>,
    recording: Option<Recording>,
    context: capture::Context,
    /// What the server was when the stream began.
    source: SourceState,
    options: StreamOptions,
    /// Whether the consumer keeps its position by itself, the idle one included.
    keeps_idle: bool,
    state: State,
    /// The server takes nothing more since then. Why, it may have said before: that is to be read first.
    unsent: Option<(Error, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// An error was yielded: nothing behind it can be trusted.
    Failed,
}

/// While nobody asks for events, this much is read ahead to see the server's keepalives between them; then the
/// server has to wait, and is sent status updates on time alone.
const READ_AHEAD: usize = 1 << 20;

/// A server that takes nothing more has hung up. What it said before is here at once, or never.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl ReplicationStream {
    /// Says that this transaction and all before it are durable: the server need not send them again, and may remove
    /// their WAL. Takes effect with the next status update, which is sent when the stream or
    /// [`keep_alive`](Self::keep_alive) is polled.
    ///
    /// Done is a [`Commit`](crate::event::Commit), the end of a prepared transaction, or a message that stands outside
    /// of any. A transactional message is acknowledged with its transaction, and nothing happens here.
    pub fn acknowledge(&mut self, done: &impl Acknowledge) {
        if let Some(position) = done.position() {
            self.acknowledge_up_to(position);
        }
    }

    /// What was handed out up to here is durable.
    pub(crate) fn acknowledge_up_to(&mut self, position: Lsn) {
        self.session.acknowledge_up_to(position);
    }

    /// How far everything is. What is durable follows the server's position when that is idle.
    pub fn positions(&self) -> Positions {
        self.session.positions()
    }

    /// Ends the stream behind the last transaction that committed at or before `lsn`.
    pub fn stop_at(&mut self, lsn: Lsn) {
        self.options.stop_at = Some(lsn);
        self.session.stop_at(lsn);
    }

    /// How many transactions and messages were left out, because they were durable before: see
    /// [`StreamOptions::start_lsn`].
    pub fn skipped(&self) -> u64 {
        self.session.skipped()
    }

    /// Payloads of a kind that no known server sends, which were skipped. They hold no changes.
    pub fn unknown_frames(&self) -> u64 {
        self.session.unknown_frames()
    }

    /// Keeps the connection alive while nobody asks for events, until it fails; to be awaited beside slow work.
    ///
    /// Events that arrive meanwhile are held for later, up to a megabyte. Dropping the future loses nothing.
    ///
    /// When what comes next has no room in that megabyte, the server has to wait. Then its silence means nothing, and a
    /// dead link is noticed by the system only, when a status update stays unanswered (see `tcp_user_timeout`).
    pub async fn keep_alive(&mut self) -> Error {
        let error = std::future::poll_fn(|cx| self.poll_keep_alive(cx)).await;
        self.state = State::Failed;
        error
    }

    /// Ends the stream: makes durable what was [recorded](Self::record), sends what was acknowledged, and waits until the server
    /// is done.
    ///
    /// The connection can give commands again, but not start another stream.
    ///
    /// # Errors
    ///
    /// What the server or the network says; a timeout if the server is in the midst of a large transaction, which it
    /// sends to its end. What was acknowledged is sent in any case, unless the recording can't be made durable.
    pub async fn stop(mut self) -> Result<Connection, Error> {
        self.sync_recording().await?;
        self.end().await?;
        Ok(self.connection)
    }

    /// The same, for who has no more use for the connection.
    pub(crate) async fn end(&mut self) -> Result<(), Error> {
        let status = self.session.last_status(now(), Timestamp::now());
        self.connection.feed(FrontendMessage::CopyData(&status.encode()))?;
        self.connection.end_streaming().await
    }

    /// Makes durable what was [recorded](Self::record) so far, if anything is: to be awaited before what is in it alone is
    /// acknowledged. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Capture`], with what the disk says.
    pub async fn sync_recording(&mut self) -> Result<(), Error> {
        match &mut self.recording {
            Some(recording) => recording.sync().await,
            None => Ok(()),
        }
    }

    /// The next event, for who takes many at a stretch, and [catches up](Self::catch_up) before: a look at the clock takes as
    /// long as a tenth of an event.
    #[inline]
    pub(crate) fn poll_stretch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        if self.state == State::Failed {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_event(cx));
        if matches!(next, Some(Err(_))) {
            self.state = State::Failed;
        }
        Poll::Ready(next)
    }

    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        loop {
            if let Some(event) = self.session.poll()? {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.session.is_stopped() {
                return Poll::Ready(None);
            }
            let Poll::Ready(learned) = self.poll_types(cx) else {
                self.read_ahead(cx);
                return Poll::Pending;
            };
            learned?;
            let (received, payload) = if let Some(held) = self.held.pop_front() {
                self.held_bytes -= held.1.len();
                held
            } else {
                let Poll::Ready(received) = self.poll_receive(cx, usize::MAX) else {
                    self.ran_dry();
                    return Poll::Pending;
                };
                received?
            };
            self.take_in(received, payload)?;
        }
    }

    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.now = now();
        if let Poll::Ready(Err(error)) = self.poll_types(cx) {
            return Poll::Ready(error);
        }
        self.poll_read_ahead(cx)
    }

    /// Keeps the connection alive while types are being read. What ends it is told behind what is held.
    fn read_ahead(&mut self, cx: &mut Context<'_>) {
        if self.lost.is_none()
            && let Poll::Ready(error) = self.poll_read_ahead(cx)
        {
            self.lost = Some(error);
        }
    }

    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            let room = READ_AHEAD.saturating_sub(self.held_bytes);
            match ready!(self.poll_receive(cx, room)) {
                Ok(held) => {
                    self.held_bytes += held.1.len();
                    self.held.push_back(held);
                }
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    /// The next payload, if there is room for it. Status updates go out on time, whether payloads come or not.
    #[inline]
    fn poll_receive(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<Result<(Timestamp, Bytes), Error>> {
        if let Some(error) = self.lost.take() {
            return Poll::Ready(Err(error));
        }
        loop {
            match self.connection.poll_message(cx, room) {
                Poll::Ready(Ok(BackendMessage::CopyData(payload))) => {
                    self.heard(&payload, cx);
                    let received =
                        if self.recording.is_some() { Timestamp::now() } else { Timestamp::from_micros(0) };
                    return Poll::Ready(Ok((received, payload)));
                }
                Poll::Ready(other) => self.out_of_band(other?)?,
                Poll::Pending => {
                    if self.connection.take_heard() {
                        // A long message is on its way.
                        self.now = now();
                        self.session.heard(&[], self.now);
                    }
                    self.session.listen(!self.connection.next_exceeds(room), self.now);
                    return self.poll_upkeep(cx).map(Err);
                }
            }
        }
    }

    /// The server lives. While data flows without a pause, the clock is read and status updates are sent all the
    /// same, every so many frames.
    #[inline]
    fn heard(&mut self, payload: &[u8], cx: &mut Context<'_>) {
        const FRAMES: usize = 256;
        let reply_requested = session::asks_for_reply(payload);
        if self.came.is_multiple_of(FRAMES) {
            self.now = now();
        }
        self.session.heard(payload, self.now);
        self.came += 1;
        if reply_requested || self.came.is_multiple_of(FRAMES) {
            self.tend(cx);
        }
    }

    /// All that came is handed out, and whatever is due was sent.
    fn ran_dry(&mut self) {
        let came = mem::take(&mut self.came);
        self.flow.note(came, self.now);
        if self.options.gulps && came > 0 && self.flow.is_fast() {
            Flow::await_gulp();
        }
    }

    /// Tends to the connection until it fails: pending, with the timer set, while there is nothing to do.
    fn poll_upkeep(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            self.now = now();
            if let Some(after) = self.session.timed_out(self.now) {
                let during = "waiting for a sign of life of the server".to_owned();
                return Poll::Ready(Error::Timeout { during, after });
            }
            self.tend(cx);
            let heard_out = |unsent: &mut (Error, Instant)| self.now >= unsent.1 + LAST_WORDS;
            if let Some((error, _)) = self.unsent.take_if(heard_out) {
                return Poll::Ready(error);
            }
            let deadline = match &self.unsent {
                Some((_, since)) => *since + LAST_WORDS,
                None => self.session.deadline(),
            };
            self.timer.as_mut().reset(deadline.into());
            ready!(self.timer.as_mut().poll(cx));
        }
    }

    /// Sends the status update that is due, if one is.
    fn tend(&mut self, cx: &mut Context<'_>) {
        if self.unsent.is_some() {
            return;
        }
        let fed = match self.session.status(self.now, Timestamp::now()) {
            Some(status) => {
                trace::trace!(flushed = %status.flushed, written = %status.written, "status update");
                self.connection.feed(FrontendMessage::CopyData(&status.encode()))
            }
            None => Ok(()),
        };
        // A socket that takes nothing holds up the status, not the reading.
        let sent = match self.connection.poll_flush(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        };
        self.unsent = fed.and(sent).err().map(|error| (error, self.now));
    }

    /// Before each event, or a short stretch of them: whoever takes long over one, while there are more at hand, must not starve
    /// the server.
    pub(crate) fn catch_up(&mut self, cx: &mut Context<'_>) {
        self.now = now();
        if self.state == State::Running && self.session.is_overdue(self.now) {
            self.tend(cx);
        }
    }

    #[inline]
    fn take_in(&mut self, received: Timestamp, payload: Bytes) -> Result<(), Error> {
        if let Some(recording) = &mut self.recording {
            recording.append(received, &payload)?;
        }
        if let Some((near, message)) = self.session.decode(payload)? {
            self.watch_types(&message);
            self.session.push(near, message)?;
        }
        Ok(())
    }

    /// What is neither data nor a keepalive.
    fn out_of_band(&mut self, message: BackendMessage) -> Result<(), Error> {
        match message {
            BackendMessage::Other(Backend::NoticeResponse(body)) => judge(&body),
            BackendMessage::Other(Backend::ParameterStatus(_)) => Ok(()),
            other => Err(self.connection.ended_by(other)),
        }
    }
}

/// From 18 on the server warns of a publication that it doesn't find, and goes on without that publication's
/// changes. Acknowledging past them would lose them.
fn judge(notice: &NoticeResponseBody) -> Result<(), Error> {
    const OBJECT_NOT_IN_PREREQUISITE_STATE: &str = "55000";
    let notice = ServerError::read(notice.fields())
        .map_err(|source| Error::Io { during: "reading a notice".to_owned(), source })?;
    if notice.severity == "WARNING" && notice.sqlstate == OBJECT_NOT_IN_PREREQUISITE_STATE {
        return Err(Error::Server(Box::new(notice)));
    }
    Ok(())
}

/// The clock of tokio, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Stream for ReplicationStream {
    type Item = Result<Event, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.catch_up(cx);
        this.poll_stretch(cx)
    }
}

impl fmt::Debug for ReplicationStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicationStream")
            .field("state", &self.state)
            .field("positions", &self.positions())
            .field("held_bytes", &self.held_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
