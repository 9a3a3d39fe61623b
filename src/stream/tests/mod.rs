//! The stream against a walsender by script, over a pipe and under a clock that jumps.

mod acknowledgement;
mod alone;
mod ending;
mod gulps;
mod start;
mod status;
mod stopping;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream as _;
use tokio::time::{Instant, timeout};

use super::*;
use crate::connection::peer::{Peer, message, row};
use crate::connection::{Config, connected, connected_to};
use crate::event::Change;
use crate::event::Commit;
use crate::frame::{PrimaryKeepalive, StandbyStatusUpdate, XLogData};
use crate::pgoutput::LogicalMessage;
use crate::pgoutput::tests::{RELATION, relation};
use crate::pgoutput::{self, Datum, Insert, Message, Tuple};
use crate::{Timestamp, Xid};

const TIME: Timestamp = Timestamp::from_micros(7);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// Plays the server behind `CopyBothResponse`, and holds each status update to the law.
pub(super) struct Walsender {
    pub(super) peer: Peer,
    flushed: Lsn,
}

pub(super) fn options() -> StreamOptions {
    StreamOptions::new("s".parse().unwrap()).publication("p")
}

pub(super) async fn streaming(options: StreamOptions) -> (ReplicationStream, Walsender) {
    streaming_from(Config::new(), options).await
}

/// As if it had been reached by these parameters.
pub(super) async fn streaming_from(home: Config, options: StreamOptions) -> (ReplicationStream, Walsender) {
    let (connection, mut peer) = connected();
    let connection = connection.at(home);
    let (stream, ()) = tokio::join!(connection.start_replication(options), answer_start(&mut peer, "60000"));
    (stream.unwrap(), Walsender { peer, flushed: Lsn::ZERO })
}

/// Everything that is asked before the stream begins, and its beginning.
async fn answer_start(peer: &mut Peer, wal_sender_timeout: &str) {
    answer_questions(peer, wal_sender_timeout).await;
    let (tag, command) = peer.hear().await;
    assert!(tag == b'Q' && command.starts_with(b"START_REPLICATION SLOT \"s\" LOGICAL 0/0 ("));
    peer.say(&message(b'W', &[0; 3])).await;
}

async fn answer_questions(peer: &mut Peer, wal_sender_timeout: &str) {
    let identity = row(&[Some("1"), Some("1"), Some("0/10"), Some("db")]);
    let timeout = row(&[Some(wal_sender_timeout)]);
    for (begins, rows) in [
        ("IDENTIFY_SYSTEM", identity),
        ("SELECT plugin", Vec::new()),
        ("SELECT c.oid", Vec::new()),
        ("SELECT t.oid", Vec::new()),
        ("SELECT setting", timeout),
    ] {
        let (tag, query) = peer.hear().await;
        assert!(tag == b'Q' && query.starts_with(begins.as_bytes()));
        peer.say(&[rows, message(b'Z', b"I")].concat()).await;
    }
}

impl Walsender {
    pub(super) async fn say(&mut self, bytes: &[u8]) {
        self.peer.say(bytes).await;
    }

    pub(super) async fn send(&mut self, messages: impl IntoIterator<Item = Message>) {
        let bytes: Vec<_> = messages.into_iter().map(|message| data(&message)).collect();
        self.say(&bytes.concat()).await;
    }

    async fn keepalive(&mut self, wal_end: u64) {
        self.say(&keepalive(wal_end, false)).await;
    }

    /// The next status update.
    pub(super) async fn status(&mut self) -> StandbyStatusUpdate {
        let (tag, payload) = patiently(self.peer.hear()).await;
        assert_eq!(tag, b'd', "a status update");
        let status = StandbyStatusUpdate::decode(&payload).unwrap();
        assert!(self.flushed <= status.flushed, "the flushed position moved back");
        assert!(status.flushed <= status.written && status.applied == status.flushed);
        self.flushed = status.flushed;
        status
    }

    /// The last of the status updates that come within some time.
    pub(super) async fn status_within(&mut self, time: Duration) -> Option<StandbyStatusUpdate> {
        let deadline = Instant::now() + time;
        let mut last = None;
        while let Ok(status) = tokio::time::timeout_at(deadline, self.status()).await {
            last = Some(status);
        }
        last
    }

    pub(super) async fn hang_up(mut self) {
        tokio::io::AsyncWriteExt::shutdown(&mut self.peer.0).await.unwrap();
    }
}

pub(super) fn data(content: &Message) -> Vec<u8> {
    let data = XLogData { start: Lsn::ZERO, end: Lsn::ZERO, clock: TIME, payload: content.encode() };
    message(b'd', &data.encode())
}

pub(super) fn keepalive(wal_end: u64, reply_requested: bool) -> Vec<u8> {
    let keepalive = PrimaryKeepalive { wal_end: Lsn::new(wal_end), clock: TIME, reply_requested };
    message(b'd', &keepalive.encode())
}

pub(super) fn begin(commit_lsn: u64) -> Message {
    let xid = Xid::new(u32::try_from(commit_lsn).unwrap());
    Message::Begin(pgoutput::Begin { commit_lsn: Lsn::new(commit_lsn), commit_time: TIME, xid })
}

pub(super) fn announce() -> Message {
    Message::Relation(None, relation(1))
}

pub(super) fn insert(text: &str) -> Message {
    let new = Tuple::from_datums([Datum::Text(text.as_bytes())]);
    Message::Insert(Insert { xid: None, relation_id: RELATION, new })
}

/// Commits end eight bytes behind where they begin.
pub(super) fn commit(commit_lsn: u64) -> Message {
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
    Message::Commit(pgoutput::Commit { commit_lsn, end_lsn, commit_time: TIME })
}

fn transaction(commit_lsn: u64) -> [Message; 4] {
    [begin(commit_lsn), announce(), insert("x"), commit(commit_lsn)]
}

/// Begin Prepare, Prepare, Commit Prepared; each ends eight bytes behind where it begins.
fn prepared(prepare_lsn: u64, commit_lsn: u64) -> [Message; 3] {
    let (xid, gid) = (Xid::new(7), "g".to_owned());
    let prepare = pgoutput::Prepare {
        prepare_lsn: Lsn::new(prepare_lsn),
        end_lsn: Lsn::new(prepare_lsn + 8),
        prepare_time: TIME,
        xid,
        gid: gid.clone(),
    };
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
    let commit = pgoutput::CommitPrepared { commit_lsn, end_lsn, commit_time: TIME, xid, gid };
    [Message::BeginPrepare(prepare.clone()), Message::Prepare(prepare), Message::CommitPrepared(commit)]
}

fn stand_alone(lsn: u64) -> Message {
    let content = Bytes::from_static(b"\x00\xff");
    let (lsn, prefix) = (Lsn::new(lsn), "p".to_owned());
    Message::Message(LogicalMessage { xid: None, transactional: false, lsn, prefix, content })
}

async fn next(stream: &mut ReplicationStream) -> Option<Result<Event, Error>> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

pub(super) async fn event(stream: &mut ReplicationStream) -> Event {
    next(stream).await.expect("an event, not the end").unwrap()
}

/// The next commit, and how many changes came before it.
pub(super) async fn committed(stream: &mut ReplicationStream) -> (usize, Commit) {
    let mut changes = 0;
    loop {
        match event(stream).await {
            Event::Commit(commit) => return (changes, commit),
            Event::Change(_) => changes += 1,
            _ => {}
        }
    }
}

/// Both modes in which a stream is awaited, for that long: nothing may come of either.
pub(super) async fn idle(stream: &mut ReplicationStream, keep_alive: bool, time: Duration) {
    if keep_alive {
        assert!(timeout(time, stream.keep_alive()).await.is_err());
    } else {
        assert!(timeout(time, next(stream)).await.is_err());
    }
}

/// The error that ends the stream in the one mode or the other; nothing comes after it.
pub(super) async fn failure(stream: &mut ReplicationStream, keep_alive: bool) -> Error {
    let error = if keep_alive {
        stream.keep_alive().await
    } else {
        loop {
            if let Err(error) = next(stream).await.expect("an error, not the end") {
                break error;
            }
        }
    };
    assert!(next(stream).await.is_none(), "nothing comes after {error}");
    error
}

/// A test that would wait for ever fails; no time passes for it.
async fn patiently<T>(future: impl Future<Output = T>) -> T {
    timeout(MINUTE * 1000, future).await.expect("an end")
}
