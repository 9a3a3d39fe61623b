//! Which order of messages is a stream, and what comes out of it.

mod equivalence;
mod grammar;
mod memory;
mod relations;
mod streamed;

use bytes::Bytes;

use super::*;
use crate::event::Change;
use crate::pgoutput::tests::{RELATION, XID, logical_message, relation, samples};
use crate::pgoutput::{Datum, Delete, Insert, OldTuple, Relation, Truncate, Tuple, Update};
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

/// A block of one transaction.
fn block(xid: Xid, first_segment: bool, items: impl IntoIterator<Item = Message>) -> Vec<Message> {
    let relation = Message::Relation(Some(xid), relation(1));
    let items = [start(xid, first_segment), relation].into_iter().chain(items);
    items.chain([Message::StreamStop]).collect()
}

fn assemble(
    assembler: &mut Assembler,
    messages: impl IntoIterator<Item = Message>,
) -> Result<Vec<Event>, Violation> {
    let mut events = Vec::new();
    for message in messages {
        assembler.push(message)?;
        events.extend(std::iter::from_fn(|| assembler.poll()));
    }
    Ok(events)
}

fn events(messages: impl IntoIterator<Item = Message>) -> Vec<Event> {
    assemble(&mut Assembler::new(), messages).unwrap()
}

/// Each event in a word: `B` and its xid, the text of an insert, `m` and the content of a message, `C`.
fn words(events: &[Event]) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let word = |event: &Event| match event {
        Event::Begin(begin) => format!("B{}", begin.xid),
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
