//! What a table looks like, from one announcement to the next.

use std::sync::Arc;

use super::*;
use crate::value::{Type, TypeKind};
use crate::{Oid, Row};

fn types(name: &'static str) -> Arc<Types> {
    let kind = TypeKind::Enum { labels: vec!["null".into()] };
    let made = Type { oid: Oid::new(16_400), schema: "public".into(), name: name.into(), kind };
    Arc::new(Types::from_iter([made]))
}

fn rows(events: &[Event]) -> Vec<&Row> {
    let changes = events.iter().filter_map(|event| match event {
        Event::Change(change) => Some(change.rows()),
        _ => None,
    });
    changes.flatten().collect()
}

fn relations(events: &[Event]) -> Vec<&Arc<Relation>> {
    events
        .iter()
        .filter_map(|event| if let Event::Change(change) = event { change.relations().next() } else { None })
        .collect()
}

#[test]
fn an_identical_announcement_keeps_the_relation() {
    let announce = || Message::Relation(None, relation(1));
    let events = events([
        begin(0x10, XID),
        announce(),
        insert(None, "1"),
        announce(),
        insert(None, "2"),
        commit(0x10),
        begin(0x20, SUBXID),
        announce(),
        insert(None, "3"),
    ]);
    let found = relations(&events);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|relation| Arc::ptr_eq(relation, found[0])));
}

#[test]
fn a_different_announcement_makes_a_new_relation_and_leaves_the_old_rows_theirs() {
    let renamed = Relation { name: "renamed".into(), ..relation(1) };
    let events = events([
        begin(0x10, XID),
        Message::Relation(None, relation(1)),
        insert(None, "1"),
        Message::Relation(None, renamed.clone()),
        insert(None, "2"),
    ]);
    let found = relations(&events);
    assert!(!Arc::ptr_eq(found[0], found[1]));
    assert_eq!([&**found[0], &**found[1]], [&relation(1), &renamed]);
}

#[test]
fn rows_have_the_types_that_the_assembler_has() {
    let (first, second) = (types("first"), types("second"));
    let mut assembler = Assembler::new().types(Arc::clone(&first));
    let announce = Message::Relation(None, relation(1));
    let mut events = assemble(&mut assembler, [begin(0x10, XID), announce, insert(None, "1")]).unwrap();
    assembler.set_types(Arc::clone(&second));
    events.extend(assemble(&mut assembler, [insert(None, "1")]).unwrap());
    let rows = rows(&events);
    assert!(Arc::ptr_eq(rows[0].types(), &first) && Arc::ptr_eq(rows[1].types(), &second));
    assert!(Arc::ptr_eq(rows[0].relation(), rows[1].relation()), "the table did not change");
    assert_eq!(rows[0], rows[1], "what is known of types is no part of a row");
}

#[test]
fn a_relation_announced_later_has_the_types_too() {
    let second = types("second");
    let mut assembler = Assembler::new();
    assembler.set_types(Arc::clone(&second));
    let messages = [begin(0x10, XID), Message::Relation(None, relation(1)), insert(None, "1")];
    let events = assemble(&mut assembler, messages).unwrap();
    assert!(Arc::ptr_eq(rows(&events)[0].types(), &second));
}

#[test]
fn a_row_without_more_knows_the_built_in_types() {
    let row = || Row::new(Arc::new(relation(1)), Tuple::from_datums([Datum::Null])).unwrap();
    assert_eq!(**row().types(), Types::new());
    assert!(Arc::ptr_eq(row().types(), row().types()));
}

/// An announcement of [`RELATION`] under a name.
fn announce(xid: Option<Xid>, name: &str) -> Message {
    Message::Relation(xid, Relation { name: name.into(), ..relation(1) })
}

/// A transaction of one row, without an announcement.
fn plain(commit_lsn: u64) -> [Message; 3] {
    [begin(commit_lsn, Xid::new(3000)), insert(None, "1"), commit(commit_lsn)]
}

/// A block without an announcement but those among the items.
fn bare(xid: Xid, first_segment: bool, items: impl IntoIterator<Item = Message>) -> Vec<Message> {
    [start(xid, first_segment)].into_iter().chain(items).chain([Message::StreamStop]).collect()
}

/// What the table of each row is called.
fn names(messages: impl IntoIterator<Item = Message>) -> String {
    relations(&events(messages)).iter().map(|relation| relation.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_announced_in_a_block_is_the_transactions_own_until_it_commits() {
    let mut messages = vec![announce(None, "old")];
    messages.extend(bare(XID, true, [announce(Some(XID), "new"), insert(Some(XID), "1")]));
    messages.extend(plain(0x10));
    messages.extend(bare(Xid::new(2000), true, [insert(Some(Xid::new(2000)), "1")]));
    messages.push(stream_commit(0x20, Xid::new(2000)));
    messages.push(stream_commit(0x30, XID));
    messages.extend(plain(0x40));
    assert_eq!(names(messages), "old old new new");
}

#[test]
fn what_was_announced_later_stays_when_the_transaction_commits() {
    let mut messages = bare(XID, true, [announce(Some(XID), "first"), insert(Some(XID), "1")]);
    messages.extend([announce(None, "second")]);
    messages.extend(plain(0x10));
    messages.push(stream_commit(0x20, XID));
    messages.extend(plain(0x30));
    assert_eq!(names(messages), "second first second");
}

#[test]
fn of_two_transactions_the_later_announcement_stays_whichever_commits_first() {
    let other = Xid::new(2000);
    for ends in [[XID, other], [other, XID]] {
        let mut messages = bare(XID, true, [announce(Some(XID), "first")]);
        messages.extend(bare(other, true, [announce(Some(other), "second")]));
        messages.extend(ends.map(|xid| stream_commit(0x20, xid)));
        messages.extend(plain(0x30));
        assert_eq!(names(messages), "second");
    }
}

#[test]
fn what_an_aborted_transaction_announced_is_forgotten() {
    // The server announces again to whoever comes next.
    let mut messages = vec![announce(None, "old")];
    messages.extend(bare(XID, true, [announce(Some(XID), "new")]));
    messages.push(abort(XID, XID));
    messages.extend(plain(0x10));
    assert_eq!(names(messages), "old");

    let mut messages = block(XID, true, []);
    messages.push(abort(XID, XID));
    messages.extend(plain(0x10));
    let violation = assemble(&mut Assembler::new(), messages).unwrap_err();
    assert_eq!(violation, Violation::UnknownRelation(RELATION));
}

#[test]
fn what_an_aborted_subtransaction_announced_is_forgotten() {
    let sub = Some(SUBXID);
    let items = [
        announce(Some(XID), "old"),
        insert(Some(XID), "1"),
        insert(sub, "2"),
        announce(sub, "new"),
        insert(sub, "3"),
    ];
    let mut messages = bare(XID, true, items);
    messages.push(abort(XID, SUBXID));
    messages.extend(bare(XID, false, [insert(Some(XID), "4")]));
    messages.push(stream_commit(0x10, XID));
    messages.extend(plain(0x20));
    assert_eq!(names(messages), "old old old");
}

#[test]
fn a_table_known_from_before_stays_in_the_transaction_as_it_was() {
    let mut messages = vec![announce(None, "old")];
    messages.extend(bare(XID, true, [insert(Some(XID), "1")]));
    messages.push(announce(None, "new"));
    messages.extend(plain(0x10));
    messages.push(stream_commit(0x20, XID));
    messages.extend(plain(0x30));
    assert_eq!(names(messages), "new old new", "and does not come back");
}

#[test]
fn a_table_that_is_the_same_in_a_block_shares_its_memory() {
    let mut messages = vec![Message::Relation(None, relation(1))];
    messages.extend(plain(0x10));
    messages.extend(block(XID, true, [insert(Some(XID), "1")]));
    messages.push(stream_commit(0x20, XID));
    let events = events(messages);
    let found = relations(&events);
    assert!(Arc::ptr_eq(found[0], found[1]));
}

#[test]
fn rows_that_were_held_back_have_the_types_of_when_they_come_out() {
    let later = types("later");
    let mut assembler = Assembler::new();
    assemble(&mut assembler, block(XID, true, [insert(Some(XID), "1")])).unwrap();
    assembler.set_types(Arc::clone(&later));
    let events = assemble(&mut assembler, [stream_commit(0x10, XID)]).unwrap();
    assert!(Arc::ptr_eq(rows(&events)[0].types(), &later));
}

#[test]
fn a_row_in_a_block_that_does_not_fit_its_relation_is_a_violation() {
    let messages = [start(XID, true), Message::Relation(Some(XID), relation(2)), insert(Some(XID), "1")];
    let violation = assemble(&mut Assembler::new(), messages).unwrap_err();
    assert_eq!(violation, Violation::ColumnCount { relation_id: RELATION, expected: 2, found: 1 });
    let unknown = assemble(&mut Assembler::new(), [start(XID, true), insert(Some(XID), "1")]).unwrap_err();
    assert_eq!(unknown, Violation::UnknownRelation(RELATION));
}

#[test]
fn a_change_of_an_unknown_relation_is_a_violation() {
    let unknown = |message| {
        let violation = assemble(&mut Assembler::new(), [begin(0x10, XID), message]).unwrap_err();
        assert_eq!(violation, Violation::UnknownRelation(RELATION));
    };
    let tuple = || Tuple::from_datums([Datum::Null]);
    unknown(insert(None, "1"));
    let (xid, relation_id) = (None, RELATION);
    unknown(Message::Update(Update { xid, relation_id, old: None, new: tuple() }));
    unknown(Message::Delete(Delete { xid, relation_id, old: OldTuple::Key(tuple()) }));
    let relation_ids = vec![relation_id];
    unknown(Message::Truncate(Truncate { xid, cascade: false, restart_identity: false, relation_ids }));
}

#[test]
fn a_row_that_does_not_fit_its_relation_is_a_violation() {
    let messages = [begin(0x10, XID), Message::Relation(None, relation(2)), insert(None, "1")];
    let violation = assemble(&mut Assembler::new(), messages).unwrap_err();
    assert_eq!(violation, Violation::ColumnCount { relation_id: RELATION, expected: 2, found: 1 });
}

#[test]
fn every_change_becomes_what_the_wire_said() {
    let [first, second] = ["1", "2"].map(|text| Tuple::from_datums([Datum::Text(text.as_bytes())]));
    let other = RelationId::new(16_385);
    let (xid, relation_id) = (None, RELATION);
    let old = OldTuple::Key(first.clone());
    let events = events([
        begin(0x10, XID),
        Message::Relation(None, relation(1)),
        Message::Relation(None, Relation { id: other, ..relation(0) }),
        Message::Update(Update { xid, relation_id, old: Some(old), new: second.clone() }),
        Message::Update(Update { xid, relation_id, old: None, new: second.clone() }),
        Message::Delete(Delete { xid, relation_id, old: OldTuple::Full(first.clone()) }),
        Message::Truncate(Truncate {
            xid,
            cascade: true,
            restart_identity: false,
            relation_ids: vec![other, relation_id],
        }),
    ]);
    let known = Arc::new(relation(1));
    let row = |tuple: &Tuple| Row::new(Arc::clone(&known), tuple.clone()).unwrap();
    let expected = [
        Change::Update { old: Some(crate::OldRow::Key(row(&first))), new: row(&second) },
        Change::Update { old: None, new: row(&second) },
        Change::Delete { old: crate::OldRow::Full(row(&first)) },
        Change::Truncate {
            relations: vec![Arc::new(Relation { id: other, ..relation(0) }), Arc::clone(&known)],
            cascade: true,
            restart_identity: false,
        },
    ];
    assert_eq!(events[1..], expected.map(Event::Change));
}

#[cfg(feature = "net")]
#[test]
fn a_message_is_of_the_relation_that_was_announced_last_where_it_stands() {
    let named = |name: &str| Relation { name: name.to_owned(), ..relation(1) };
    let mut assembler = Assembler::new();
    assert_eq!(assembler.relation(RELATION), None);
    let name = |assembler: &Assembler| assembler.relation(RELATION).map(|relation| relation.name.clone());
    assemble(&mut assembler, [begin(0x10, XID), Message::Relation(None, named("outside")), commit(0x10)])
        .unwrap();
    assert_eq!(name(&assembler).as_deref(), Some("outside"));
    let inside = [start(XID, true), Message::Relation(Some(XID), named("inside"))];
    assemble(&mut assembler, inside).unwrap();
    assert_eq!(name(&assembler).as_deref(), Some("inside"));
    assemble(&mut assembler, [Message::StreamStop]).unwrap();
    assert_eq!(name(&assembler).as_deref(), Some("outside"), "it holds once it commits");
}
