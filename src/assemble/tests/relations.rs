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

#[test]
fn a_relation_outlives_the_transaction_that_announced_it() {
    // The server sends each relation once, also when the transaction that made it do so was rolled back.
    let mut messages = block(XID, true, []);
    messages.extend([abort(XID, XID), begin(0x10, SUBXID), insert(None, "1"), commit(0x10)]);
    assert_eq!(words(&events(messages)), "B1068 1 C1068");
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
