//! What is held back counts against the limit, all of it, and keeps nothing else alive.

use std::sync::Arc;

use super::*;
use crate::pgoutput::Decoder;

/// A block with one change of each kind, of some size.
fn all_kinds(xid: Xid, size: usize) -> Vec<Message> {
    let text = vec![b'x'; size];
    let tuple = || Tuple::from_datums([Datum::Text(&text)]);
    let (relation_id, sub) = (RELATION, Some(SUBXID));
    let message = LogicalMessage {
        prefix: "p".repeat(size),
        content: text.clone().into(),
        ..logical_message(Some(xid))
    };
    block(
        xid,
        true,
        [
            Message::Origin(Origin { commit_lsn: Lsn::ZERO, name: "o".repeat(size) }),
            Message::Insert(Insert { xid: Some(xid), relation_id, new: tuple() }),
            Message::Update(Update {
                xid: sub,
                relation_id,
                old: Some(OldTuple::Full(tuple())),
                new: tuple(),
            }),
            Message::Delete(Delete { xid: sub, relation_id, old: OldTuple::Key(tuple()) }),
            Message::Truncate(Truncate {
                xid: sub,
                cascade: false,
                restart_identity: false,
                relation_ids: vec![relation_id; size],
            }),
            Message::Message(message),
        ],
    )
}

/// The lowest limit under which the messages are accepted.
fn needed(messages: &[Message]) -> usize {
    let mut limit = 0;
    loop {
        match assemble(&mut Assembler::new().memory_limit(limit), messages.iter().cloned()) {
            Ok(_) => return limit,
            Err(Violation::MemoryLimit { limit: told, needed }) => {
                assert!(told == limit && needed > limit, "{told} {needed}");
                limit = needed;
            }
            Err(violation) => panic!("{violation}"),
        }
    }
}

#[test]
fn the_limit_is_exact() {
    for size in [0, 1, 1000] {
        let messages = all_kinds(XID, size);
        let limit = needed(&messages);
        let violation =
            assemble(&mut Assembler::new().memory_limit(limit - 1), messages.clone()).unwrap_err();
        assert_eq!(violation, Violation::MemoryLimit { limit: limit - 1, needed: limit });
        assemble(&mut Assembler::new().memory_limit(limit), messages).unwrap();
    }
}

#[test]
fn every_byte_of_what_is_held_counts() {
    // An Insert, an Update with its old row, a Delete, an Origin's name, a Message's prefix and content: seven times
    // the size; and a Truncate's relations.
    let growth = needed(&all_kinds(XID, 1001)) - needed(&all_kinds(XID, 1));
    assert_eq!(growth, 1000 * (7 + size_of::<Arc<Relation>>()));
}

#[test]
fn transactions_without_changes_count_too() {
    // Otherwise a stream of Stream Start and Stream Stop alone would fill the memory.
    let empty = |xid| [start(Xid::new(xid), true), Message::StreamStop];
    let violation =
        assemble(&mut Assembler::new().memory_limit(100_000), (0..10_000).flat_map(empty)).unwrap_err();
    assert!(matches!(violation, Violation::MemoryLimit { .. }), "{violation}");
}

#[test]
fn whatever_ends_a_transaction_gives_its_memory_back() {
    let messages = all_kinds(XID, 1000);
    let limit = needed(&messages);
    let mut assembler = Assembler::new().memory_limit(limit);
    // One byte that stayed would make the next round exceed the limit.
    for ends in [
        vec![stream_commit(0x10, XID)],
        vec![abort(XID, XID)],
        vec![abort(XID, SUBXID), abort(XID, XID)],
        vec![abort(XID, SUBXID), stream_commit(0x10, XID)],
        // Nothing: the next round's first block discards it.
        vec![],
        vec![abort(XID, XID), abort(XID, XID)],
    ] {
        assemble(&mut assembler, messages.clone()).unwrap();
        assemble(&mut assembler, ends).unwrap();
    }
    assemble(&mut assembler, messages).unwrap();
}

#[test]
fn an_aborted_subtransaction_gives_back_what_it_held() {
    let first = block(XID, true, [insert(Some(XID), "1"), insert(Some(SUBXID), "2")]);
    let limit = needed(&first);
    let mut assembler = Assembler::new().memory_limit(limit);
    assemble(&mut assembler, first).unwrap();
    for _ in 0..100 {
        assemble(&mut assembler, [abort(XID, SUBXID)]).unwrap();
        assemble(&mut assembler, block(XID, false, [insert(Some(SUBXID), "2")])).unwrap();
    }
    let violation = assemble(&mut assembler, block(XID, false, [insert(Some(SUBXID), "2")])).unwrap_err();
    assert!(matches!(violation, Violation::MemoryLimit { .. }), "{violation}");
}

#[test]
fn all_transactions_in_progress_share_the_limit() {
    let one = all_kinds(XID, 1000);
    let both = needed(&[one.clone(), all_kinds(Xid::new(2000), 1000)].concat());
    assert_eq!(both, 2 * needed(&one));
}

#[test]
fn a_plain_transaction_is_not_limited() {
    // It is handed on as it comes: the caller holds it, not the assembler.
    let mut assembler = Assembler::new().memory_limit(0);
    let messages = [begin(0x10, XID), Message::Relation(None, relation(1)), insert(None, "1"), commit(0x10)];
    assert_eq!(assemble(&mut assembler, messages).unwrap().len(), 3);
}

/// A read buffer whose life can be watched.
struct Buffer(Vec<u8>, Arc<()>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn what_is_held_back_keeps_no_read_buffer_alive() {
    let alive = Arc::new(());
    let mut decoder = Decoder::new();
    let mut assembler = Assembler::new();
    for message in all_kinds(XID, 100) {
        let payload = Bytes::from_owner(Buffer(message.encode().to_vec(), Arc::clone(&alive)));
        let message = decoder.decode(payload).unwrap();
        let tag = message.tag();
        assembler.push(message).unwrap();
        assert_eq!(Arc::strong_count(&alive), 1, "{}", tag.escape_ascii());
    }
    assembler.push(stream_commit(0x10, XID)).unwrap();
    assert_eq!(std::iter::from_fn(|| assembler.poll()).count(), 7);
}
