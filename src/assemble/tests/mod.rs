//! Which order of messages is a stream, and what comes out of it.

mod equivalence;
mod grammar;
mod memory;
mod prepared;
mod relations;
mod streamed;

use bytes::Bytes;

use super::*;
use crate::event::Change;
use crate::pgoutput::tests::{RELATION, XID, logical_message, relation, samples};
use crate::pgoutput::{Datum, Delete, Insert, LogicalMessage, OldTuple, Relation, Truncate, Tuple, Update};
use crate::{RelationId, Timestamp};

const TIME: Timestamp = Timestamp::from_micros(7);
const SUBXID: Xid = Xid::new(1068);

fn begin(commit_lsn: u64, xid: Xid) -> Message {
    Message::Begin(pgoutput::Begin { commit_lsn: Lsn::new(commit_lsn), commit_time: TIME, xid })
}

fn commit(commit_lsn: u64) -> Message {
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
    Message::Commit(pgoutput::Commit { commit_lsn, end_lsn, commit_time: TIME })
}

fn start(xid: Xid, first_segment: bool) -> Message {
    Message::StreamStart(StreamStart { xid, first_segment })
}

fn stream_commit(commit_lsn: u64, xid: Xid) -> Message {
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
    Message::StreamCommit(StreamCommit { xid, commit_lsn, end_lsn, commit_time: TIME })
}

fn to_prepare(lsn: u64, xid: Xid, gid: &str) -> pgoutput::Prepare {
    let (prepare_lsn, end_lsn) = (Lsn::new(lsn), Lsn::new(lsn + 8));
    pgoutput::Prepare { prepare_lsn, end_lsn, prepare_time: TIME, xid, gid: gid.into() }
}

fn commit_prepared(commit_lsn: u64, xid: Xid, gid: &str) -> Message {
    let (commit_lsn, end_lsn) = (Lsn::new(commit_lsn), Lsn::new(commit_lsn + 8));
    let gid = gid.into();
    Message::CommitPrepared(pgoutput::CommitPrepared { commit_lsn, end_lsn, commit_time: TIME, xid, gid })
}

fn rollback_prepared(prepare: &pgoutput::Prepare, end_lsn: u64) -> Message {
    Message::RollbackPrepared(pgoutput::RollbackPrepared {
        prepare_end_lsn: prepare.end_lsn,
        rollback_end_lsn: Lsn::new(end_lsn),
        prepare_time: TIME,
        rollback_time: TIME,
        xid: prepare.xid,
        gid: prepare.gid.clone(),
    })
}

fn abort(xid: Xid, subxid: Xid) -> Message {
    Message::StreamAbort(StreamAbort { xid, subxid, info: None })
}

fn origin(name: &str) -> Message {
    Message::Origin(Origin { commit_lsn: Lsn::ZERO, name: name.into() })
}

/// An Insert of one text into [`RELATION`].
fn insert(xid: Option<Xid>, text: &str) -> Message {
    let new = Tuple::from_datums([Datum::Text(text.as_bytes())]);
    Message::Insert(Insert { xid, relation_id: RELATION, new })
}

/// A transactional Message; in a block it names the top-level transaction.
fn emit(xid: Option<Xid>, text: &'static str) -> Message {
    let content = Bytes::from_static(text.as_bytes());
    Message::Message(LogicalMessage { content, ..logical_message(xid) })
}

fn stand_alone(text: &'static str) -> Message {
    let content = Bytes::from_static(text.as_bytes());
    Message::Message(LogicalMessage { content, transactional: false, ..logical_message(None) })
}

/// A block of one transaction. An Origin among the items comes first, as the server sends it.
fn block(xid: Xid, first_segment: bool, items: impl IntoIterator<Item = Message>) -> Vec<Message> {
    let mut messages: Vec<_> = [start(xid, first_segment)].into_iter().chain(items).collect();
    let behind = 1 + usize::from(matches!(messages.get(1), Some(Message::Origin(_))));
    messages.insert(behind, Message::Relation(Some(xid), relation(1)));
    messages.push(Message::StreamStop);
    messages
}

fn assemble(
    assembler: &mut Assembler,
    messages: impl IntoIterator<Item = Message>,
) -> Result<Vec<Event>, Violation> {
    let mut events = Vec::new();
    for message in messages {
        assembler.push(message)?;
        events.extend(polled(assembler)?);
    }
    Ok(events)
}

fn polled(assembler: &mut Assembler) -> Result<Vec<Event>, Violation> {
    std::iter::from_fn(|| assembler.poll().transpose()).collect()
}

fn events(messages: impl IntoIterator<Item = Message>) -> Vec<Event> {
    assemble(&mut Assembler::new(), messages).unwrap()
}

/// Each event in a word: `B` and its xid, the text of an insert, `m` and the content of a message, `C`; `b` and the gid
/// of what is to be prepared, `P`, `K` and `r`.
fn words(events: &[Event]) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let word = |event: &Event| match event {
        Event::Begin(Begin { gid: Some(gid), .. }) => format!("b{gid}"),
        Event::Begin(begin) => format!("B{}", begin.xid),
        Event::Prepare(prepare) => format!("P{}", prepare.gid()),
        Event::CommitPrepared(commit) => format!("K{}", commit.gid()),
        Event::RollbackPrepared(rollback) => format!("r{}", rollback.gid()),
        Event::Commit(commit) => format!("C{}", commit.xid()),
        Event::Message(message) => format!("m{}", text(&message.content)),
        Event::Change(Change::Insert { new }) => match new.tuple().get(0) {
            Some(Datum::Text(value)) => text(value),
            datum => panic!("{datum:?}"),
        },
        Event::Change(change) => panic!("{change:?}"),
    };
    events.iter().map(word).collect::<Vec<_>>().join(" ")
}
