//! What is held back counts against the limit, all of it, and keeps nothing else alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::pgoutput::{Column, Decoder};

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
    let growth = needed(&all_kinds(XID, 100_000)) - needed(&all_kinds(XID, 0));
    let bytes = 100_000 * (7 + size_of::<RelationId>());
    assert!((bytes..bytes * 3 / 2).contains(&growth), "{growth} for {bytes}");
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
fn subtransactions_count_too() {
    // Each of them is remembered, though all of their rows may be in a file.
    let of = |count: u32| (0..count).map(|sub| insert(Some(Xid::new(10_000 + sub)), "1"));
    let mut assembler = Assembler::new().memory_limit(0).spill(tempfile::tempfile);
    let violation = assemble(&mut assembler, block(XID, true, of(200_000))).unwrap_err();
    assert!(matches!(violation, Violation::MemoryLimit { limit: 1_048_576, .. }), "{violation}");
    let mut assembler = Assembler::new().memory_limit(8 << 20).spill(tempfile::tempfile);
    assemble(&mut assembler, block(XID, true, of(200_000))).unwrap();
}

#[test]
fn announcements_count_where_they_say_something_new() {
    let announce = |name: String| Message::Relation(Some(XID), Relation { name, ..relation(1) });
    let same = block(XID, true, (0..10_000).map(|_| announce("t".into())));
    assert_eq!(needed(&same), needed(&block(XID, true, [])));
    let different = block(XID, true, (0..10_000).map(|number| announce(number.to_string())));
    let mut assembler = Assembler::new().memory_limit(0).spill(tempfile::tempfile);
    let violation = assemble(&mut assembler, different).unwrap_err();
    assert!(matches!(violation, Violation::MemoryLimit { .. }), "{violation}");
}

/// What a transaction in progress keeps in memory while all that can go to a file is in one.
fn kept_in_memory(items: impl IntoIterator<Item = Message>) -> usize {
    let mut assembler = Assembler::new().memory_limit(0).spill(tempfile::tempfile);
    assemble(&mut assembler, block(XID, true, items)).unwrap();
    assembler.in_progress.held
}

#[test]
fn every_byte_of_an_announcement_counts() {
    let announced = |change: &dyn Fn(&mut Relation)| {
        let mut other = Relation { id: RelationId::new(99), ..relation(1) };
        change(&mut other);
        kept_in_memory([Message::Relation(Some(XID), other)])
    };
    let one = announced(&|_| ());
    let long = "x".repeat(1000);
    assert_eq!(announced(&|relation| relation.schema.push_str(&long)), one + 1000);
    assert_eq!(announced(&|relation| relation.name.push_str(&long)), one + 1000);
    assert_eq!(announced(&|relation| relation.columns[0].name.push_str(&long)), one + 1000);
    let unnamed = || Column { name: String::new(), ..relation(1).columns[0].clone() };
    assert_eq!(announced(&|relation| relation.columns.push(unnamed())), one + size_of::<Column>());
}

#[test]
fn announcements_count_with_the_room_that_they_take() {
    const COUNT: usize = 1000;
    let nothing = kept_in_memory([]);
    // A relation, where it was announced, and when.
    let each = size_of::<Relation>() + size_of::<(u64, Arc<Relation>, u64)>();
    // One relation that changes again and again, and many relations, which are found by their ids.
    let nameless = || Relation { schema: String::new(), name: String::new(), ..relation(0) };
    let changing =
        |count: u32| Relation { id: RelationId::new(99), schema: format!("{count:04}"), ..nameless() };
    let many = |id: u32| Relation { id: RelationId::new(id), ..nameless() };
    let message = |relation| Message::Relation(Some(XID), relation);
    let held = kept_in_memory((0..1000).map(changing).map(message)) - nothing;
    let names = 4;
    assert!((COUNT * (each + names)..COUNT * (each + names) * 5 / 4).contains(&held), "{held}");
    let held = kept_in_memory((0..1000).map(many).map(message)) - nothing;
    let found = size_of::<(RelationId, Vec<()>)>();
    assert!((COUNT * (each + found)..COUNT * (each + found) * 2).contains(&held), "{held}");
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
fn another_connection_begins_with_nothing_held_and_the_same_limit_and_files() {
    let messages = all_kinds(XID, 1000);
    let limit = needed(&messages);
    let mut assembler = Assembler::new().memory_limit(limit);
    for _ in 0..2 {
        assemble(&mut assembler, messages.clone()).unwrap();
        assert_eq!(assembler.in_progress.held, limit);
        assembler.restart();
        assert_eq!(assembler.in_progress.held, 0);
    }
    let larger = assemble(&mut assembler, all_kinds(XID, 10_000)).unwrap_err();
    assert!(matches!(larger, Violation::MemoryLimit { limit: told, .. } if told == limit), "{larger}");
    let mut assembler = Assembler::new().memory_limit(0).spill(tempfile::tempfile);
    assembler.restart();
    assemble(&mut assembler, messages).unwrap();
}

#[test]
fn an_aborted_subtransaction_gives_back_what_it_held() {
    let large = || insert(Some(SUBXID), &"2".repeat(5000));
    let first = block(XID, true, [insert(Some(XID), "1"), large()]);
    let limit = needed(&first);
    let mut assembler = Assembler::new().memory_limit(limit);
    assemble(&mut assembler, first).unwrap();
    for _ in 0..100 {
        assemble(&mut assembler, [abort(XID, SUBXID)]).unwrap();
        assemble(&mut assembler, block(XID, false, [large()])).unwrap();
    }
    let violation = assemble(&mut assembler, block(XID, false, [large()])).unwrap_err();
    assert!(matches!(violation, Violation::MemoryLimit { .. }), "{violation}");
}

#[test]
fn an_aborted_subtransaction_gives_back_what_it_announced() {
    let renamed = Relation { name: "x".repeat(1000), ..relation(1) };
    let announced = [insert(Some(SUBXID), "1"), Message::Relation(Some(XID), renamed)];
    let mut assembler = Assembler::new().memory_limit(0).spill(tempfile::tempfile);
    assemble(&mut assembler, block(XID, true, [])).unwrap();
    let mut held = vec![assembler.in_progress.held];
    for _ in 0..5 {
        assemble(&mut assembler, block(XID, false, announced.clone())).unwrap();
        assemble(&mut assembler, [abort(XID, SUBXID)]).unwrap();
        held.push(assembler.in_progress.held);
    }
    // What it has taken to remember where things stand stays, and serves the next one.
    assert!(held[0] <= held[1] && held[1..].iter().all(|&after| after == held[1]), "{held:?}");
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

/// Counts the files that are opened.
fn counted() -> (Arc<AtomicUsize>, impl FnMut() -> io::Result<File> + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let opened = Arc::clone(&count);
    let open = move || {
        opened.fetch_add(1, Ordering::Relaxed);
        tempfile::tempfile()
    };
    (count, open)
}

#[test]
fn the_largest_goes_to_a_file_and_the_others_stay() {
    let (count, open) = counted();
    let row = |xid| insert(Some(xid), &"x".repeat(1000));
    let (small, large) = (Xid::new(1), Xid::new(2));
    let mut assembler = Assembler::new().memory_limit(100_000).spill(open);
    assemble(&mut assembler, block(small, true, [row(small)])).unwrap();
    for first in [true, false, false] {
        assemble(&mut assembler, block(large, first, (0..1000).map(|_| row(large)))).unwrap();
    }
    assert_eq!(count.load(Ordering::Relaxed), 1, "one file for the large one, none for the small one");
    let events = assemble(&mut assembler, [stream_commit(1, large), stream_commit(2, small)]).unwrap();
    assert_eq!(events.len(), 3000 + 1 + 4);
}

#[test]
fn nothing_goes_to_a_file_below_the_limit() {
    let (count, open) = counted();
    let messages = all_kinds(XID, 1000);
    let mut assembler = Assembler::new().memory_limit(needed(&messages)).spill(open);
    assemble(&mut assembler, messages).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behind_each_message_no_more_is_held_than_the_limit(
        limit in 20_000..200_000_usize,
        rows in prop::collection::vec((0..4_u32, 0..20_000_usize), 1..200),
    ) {
        let mut assembler = Assembler::new().memory_limit(limit).spill(tempfile::tempfile);
        for top in 0..4 {
            assemble(&mut assembler, block(Xid::new(top), true, [])).unwrap();
        }
        for (top, size) in rows {
            let xid = Xid::new(top);
            for message in block(xid, false, [insert(Some(xid), &"x".repeat(size))]) {
                assembler.push(message).unwrap();
                prop_assert!(assembler.in_progress.held <= limit);
            }
        }
        for top in 0..4 {
            let xid = Xid::new(top);
            let end = if top % 2 == 0 { stream_commit(0x10, xid) } else { abort(xid, xid) };
            assemble(&mut assembler, [end]).unwrap();
        }
        prop_assert_eq!(assembler.in_progress.held, 0);
    }
}

fn spills(open: impl FnMut() -> io::Result<File> + Send + Sync + 'static) -> Result<Vec<Event>, Violation> {
    let mut messages = all_kinds(XID, 100);
    messages.push(stream_commit(0x10, XID));
    assemble(&mut Assembler::new().memory_limit(0).spill(open), messages)
}

#[test]
fn what_the_system_refuses_is_told_and_holds_no_row() {
    let kind = |result: Result<Vec<Event>, Violation>| match result.unwrap_err() {
        Violation::Spill { kind, message } => {
            assert!(!message.contains('x'), "{message}");
            kind
        }
        violation => panic!("{violation}"),
    };
    assert_eq!(spills(tempfile::tempfile).unwrap().len(), 7);
    assert_eq!(kind(spills(|| Err(io::ErrorKind::PermissionDenied.into()))), io::ErrorKind::PermissionDenied);
    assert_eq!(kind(spills(|| File::options().write(true).open("/dev/full"))), io::ErrorKind::StorageFull);
}

#[test]
fn a_file_that_somebody_else_wrote_to_is_told() {
    let file = tempfile::tempfile().unwrap();
    let other = file.try_clone().unwrap();
    let mut assembler = Assembler::new().memory_limit(0).spill(move || file.try_clone());
    assemble(&mut assembler, all_kinds(XID, 100)).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&other, b"?", 4).unwrap();
    let damaged = assemble(&mut assembler, [stream_commit(0x10, XID)]).unwrap_err();
    let Violation::Spill { kind: io::ErrorKind::InvalidData, message } = damaged else { panic!("{damaged}") };
    assert!(message.contains("'?'"), "{message}");
}

/// A read buffer whose life can be watched.
struct Buffer {
    bytes: Vec<u8>,
    _alive: Arc<()>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[test]
fn what_is_held_back_keeps_no_read_buffer_alive() {
    let alive = Arc::new(());
    let mut decoder = Decoder::new();
    let mut assembler = Assembler::new();
    for message in all_kinds(XID, 100) {
        let buffer = Buffer { bytes: message.encode().to_vec(), _alive: Arc::clone(&alive) };
        let payload = Bytes::from_owner(buffer);
        let message = decoder.decode(payload).unwrap();
        let tag = message.tag();
        assembler.push(message).unwrap();
        assert_eq!(Arc::strong_count(&alive), 1, "{}", tag.escape_ascii());
    }
    assembler.push(stream_commit(0x10, XID)).unwrap();
    assert_eq!(polled(&mut assembler).unwrap().len(), 7);
}
