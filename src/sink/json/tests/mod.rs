//! Each line of the mapping in the module's documentation, and that every line is JSON.

mod damage;
mod friendly;
mod read;

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tokio::io::AsyncReadExt as _;

use super::write::hex;
use super::*;
use crate::event::{Begin, Change, Commit, CommitPrepared, Event, OldRow, Prepare, RollbackPrepared};
use crate::pgoutput::tests::generate::{name, tuple};
use crate::pgoutput::{self, Column, Datum, LogicalMessage, Origin, Relation, ReplicaIdentity, Tuple};
use crate::{Lsn, Oid, RelationId, Row, Timestamp, Xid};

fn relation(columns: &[(&str, bool)]) -> Arc<Relation> {
    let column = |&(name, is_key): &(&str, bool)| Column {
        name: name.to_owned(),
        type_oid: Oid::new(25),
        type_modifier: -1,
        is_key,
    };
    Arc::new(Relation {
        id: RelationId::new(16_384),
        schema: "public".into(),
        name: "t".into(),
        replica_identity: ReplicaIdentity::Default,
        columns: columns.iter().map(column).collect(),
    })
}

fn keyed() -> Arc<Relation> {
    relation(&[("id", true), ("body", false)])
}

fn row<'a>(relation: &Arc<Relation>, datums: impl IntoIterator<Item = Datum<'a>>) -> Row {
    Row::new(Arc::clone(relation), Tuple::from_datums(datums)).unwrap()
}

/// The lines of some events; each must be one JSON value and nothing else.
fn lines(events: impl IntoIterator<Item = Event>) -> Vec<Json> {
    let (mut lines, mut out) = (Lines::default(), Vec::new());
    for event in events {
        lines.event(&mut out, &event).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with('\n') && !text.contains('\r'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The line of a change, behind those of its relations.
fn change(change: Change) -> Json {
    lines([Event::Change(change)]).pop().unwrap()
}

#[test]
fn every_kind_of_value_is_told_apart() {
    for (datum, expected) in [
        (Datum::Null, json!(null)),
        (Datum::Text(b"null"), json!("null")),
        (Datum::Text(b""), json!("")),
        // Never a number: twenty digits would not survive a reader that thinks in floats.
        (Datum::Text(b"12345678901234567890"), json!("12345678901234567890")),
        (Datum::Text(b"1e400"), json!("1e400")),
        (Datum::Text(b"t"), json!("t")),
        (Datum::Text(br#"{"unchanged":true}"#), json!(r#"{"unchanged":true}"#)),
        (Datum::Text("\u{2028}\"\\\n\t\u{1}é表😀".as_bytes()), json!("\u{2028}\"\\\n\t\u{1}é表😀")),
        (Datum::Unchanged, json!({"unchanged": true})),
        (Datum::Binary(b"\x00\xff"), json!({"binary": "00ff"})),
        (Datum::Binary(b""), json!({"binary": ""})),
        (Datum::Text(b"\xe9t"), json!({"text": "e974"})),
    ] {
        let line = change(Change::Insert { new: row(&keyed(), [Datum::Text(b"1"), datum]) });
        assert_eq!(line["new"]["body"], expected);
    }
}

#[test]
fn every_event_is_the_line_of_the_mapping() {
    let (commit_lsn, end_lsn) = (Lsn::new(16), Lsn::new(32));
    let (commit_time, xid) = (Timestamp::from_micros(848_651_118_010_000), Xid::new(7));
    let time = "2026-11-22 08:25:18.01+00";
    let begin = |origin| Event::Begin(Begin { commit_lsn, commit_time, xid, origin, gid: None });
    let message = LogicalMessage {
        xid: None,
        transactional: true,
        lsn: commit_lsn,
        prefix: "p".into(),
        content: Bytes::from_static(b"\x00\xff"),
    };
    let origin = Origin { commit_lsn, name: "o".into() };
    let found = lines([
        begin(None),
        begin(Some(origin)),
        Event::Message(message),
        Event::Commit(Commit { commit_lsn, end_lsn, commit_time, xid }),
    ]);
    let plain = json!({"event": "begin", "xid": 7, "commit_lsn": "0/10", "commit_time": time});
    let mut replicated = plain.clone();
    replicated["origin"] = json!({"name": "o", "commit_lsn": "0/10"});
    let message =
        json!({"event": "message", "transactional": true, "lsn": "0/10", "prefix": "p", "content": "00ff"});
    let commit =
        json!({"event": "commit", "xid": 7, "commit_lsn": "0/10", "end_lsn": "0/20", "commit_time": time});
    // As text: the order of the members is part of the mapping, too.
    let expected = [plain, replicated, message, commit].map(|line| line.to_string());
    assert_eq!(found.iter().map(Json::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_prepared_transaction_is_the_lines_of_the_mapping() {
    let (prepare_lsn, end_lsn, xid, gid) = (Lsn::new(16), Lsn::new(32), Xid::new(7), "it's \"g\"".to_owned());
    let (prepare_time, text) = (Timestamp::from_micros(848_651_118_010_000), "2026-11-22 08:25:18.01+00");
    let prepare = pgoutput::Prepare { prepare_lsn, end_lsn, prepare_time, xid, gid: gid.clone() };
    let commit = pgoutput::CommitPrepared {
        commit_lsn: prepare_lsn,
        end_lsn,
        commit_time: prepare_time,
        xid,
        gid: gid.clone(),
    };
    let rollback = pgoutput::RollbackPrepared {
        prepare_end_lsn: prepare_lsn,
        rollback_end_lsn: end_lsn,
        prepare_time,
        rollback_time: prepare_time,
        xid,
        gid: gid.clone(),
    };
    let begin = Begin {
        commit_lsn: prepare_lsn,
        commit_time: prepare_time,
        xid,
        origin: None,
        gid: Some(gid.clone()),
    };
    let found = lines([
        Event::Begin(begin),
        Event::Prepare(Prepare::new(prepare)),
        Event::CommitPrepared(CommitPrepared::new(commit)),
        Event::RollbackPrepared(RollbackPrepared::new(rollback)),
    ]);
    let expected = [
        json!({"event": "begin", "xid": 7, "commit_lsn": "0/10", "commit_time": text, "gid": gid}),
        json!({"event": "prepare", "xid": 7, "gid": gid, "prepare_lsn": "0/10", "end_lsn": "0/20", "prepare_time": text}),
        json!({"event": "commit_prepared", "xid": 7, "gid": gid, "commit_lsn": "0/10", "end_lsn": "0/20",
            "commit_time": text}),
        json!({"event": "rollback_prepared", "xid": 7, "gid": gid, "prepare_end_lsn": "0/10",
            "rollback_end_lsn": "0/20", "prepare_time": text, "rollback_time": text}),
    ]
    .map(|line| line.to_string());
    assert_eq!(found.iter().map(Json::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn every_change_is_the_line_of_the_mapping() {
    let whole = || row(&keyed(), [Datum::Text(b"1"), Datum::Text(b"x")]);
    let key = || OldRow::Key(row(&keyed(), [Datum::Text(b"0"), Datum::Null]));
    let head = |event: &str| json!({"event": event, "relation_id": 16384, "schema": "public", "table": "t"});
    let with = |mut line: Json, member: &str, value: Json| {
        line[member] = value;
        line
    };
    let new = || json!({"id": "1", "body": "x"});
    for (found, expected) in [
        (Change::Insert { new: whole() }, with(head("insert"), "new", new())),
        (Change::Snapshot { row: whole() }, with(head("snapshot"), "new", new())),
        (Change::Update { old: None, new: whole() }, with(head("update"), "new", new())),
        (
            Change::Update { old: Some(key()), new: whole() },
            with(with(head("update"), "old_key", json!({"id": "0"})), "new", new()),
        ),
        (
            Change::Update { old: Some(OldRow::Full(whole())), new: whole() },
            with(with(head("update"), "old", new()), "new", new()),
        ),
        (Change::Delete { old: key() }, with(head("delete"), "old_key", json!({"id": "0"}))),
        (Change::Delete { old: OldRow::Full(whole()) }, with(head("delete"), "old", new())),
        (
            Change::Truncate { relations: vec![keyed()], cascade: false, restart_identity: true },
            json!({"event": "truncate", "relation_ids": [16384], "tables": ["public.t"],
                "cascade": false, "restart_identity": true}),
        ),
    ] {
        let found = change(found);
        assert_eq!(found.to_string(), expected.to_string());
    }
}

#[test]
fn an_old_key_has_the_keys_columns_and_what_else_is_known() {
    let relation = relation(&[("a", true), ("b", true), ("c", false), ("d", false)]);
    let old = OldRow::Key(row(&relation, [Datum::Null, Datum::Text(b"1"), Datum::Null, Datum::Text(b"2")]));
    assert_eq!(change(Change::Delete { old })["old_key"], json!({"a": null, "b": "1", "d": "2"}));
}

#[test]
fn a_full_old_row_keeps_its_nulls() {
    let old = OldRow::Full(row(&keyed(), [Datum::Null, Datum::Null]));
    assert_eq!(change(Change::Delete { old })["old"], json!({"id": null, "body": null}));
}

#[test]
fn a_relation_is_announced_once_and_again_when_it_changed() {
    let insert = |relation: &Arc<Relation>| {
        let nulls = relation.columns.iter().map(|_| Datum::Null);
        Event::Change(Change::Insert { new: row(relation, nulls) })
    };
    let (first, second) = (keyed(), relation(&[("id", true)]));
    let other = Arc::new(Relation { id: RelationId::new(16_385), ..Relation::clone(&first) });
    let found = lines([&first, &first, &other, &first, &second, &second, &other].map(insert));
    let words: Vec<_> = found
        .iter()
        .map(|line| match line["columns"].as_array() {
            Some(columns) => format!("{}:{}", line["id"], columns.len()),
            None => line["relation_id"].to_string(),
        })
        .collect();
    let expected = "16384:2 16384 16384 16385:2 16385 16384 16384:1 16384 16384 16385";
    assert_eq!(words.join(" "), expected);
}

#[test]
fn the_announcement_says_all_that_is_known() {
    let expected = json!({"event": "relation", "id": 16384, "schema": "public", "name": "t",
        "replica_identity": "default", "columns": [
            {"name": "id", "type_oid": 25, "type_modifier": -1, "is_key": true},
            {"name": "body", "type_oid": 25, "type_modifier": -1, "is_key": false}]});
    let found = lines([Event::Change(Change::Truncate {
        relations: vec![keyed()],
        cascade: false,
        restart_identity: false,
    })]);
    assert_eq!(found[0].to_string(), expected.to_string());
}

#[test]
fn all_truncated_relations_are_announced() {
    let other = Arc::new(Relation { id: RelationId::new(16_385), ..Relation::clone(&keyed()) });
    let relations = vec![keyed(), other];
    let found =
        lines([Event::Change(Change::Truncate { relations, cascade: true, restart_identity: false })]);
    let ids: Vec<_> = found.iter().filter_map(|line| line["id"].as_u64()).collect();
    assert_eq!((ids, found.len()), (vec![16_384, 16_385], 3));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_row_can_be_made_again_from_its_line(
        (names, tuple) in (0_usize..6).prop_flat_map(|count| {
            (prop::collection::hash_set(name(), count), tuple(count))
        }),
    ) {
        let columns: Vec<_> = names.iter().map(|name| (name.as_str(), false)).collect();
        let relation = relation(&columns);
        let new = Row::new(relation, tuple.clone()).unwrap();
        let line = change(Change::Insert { new });
        let members = line["new"].as_object().unwrap();
        prop_assert_eq!(members.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
        for (value, datum) in members.values().zip(&tuple) {
            let hexadecimal = |bytes| json!(hex(bytes));
            match datum {
                Datum::Null => prop_assert!(value.is_null()),
                Datum::Unchanged => prop_assert_eq!(&value["unchanged"], true),
                Datum::Binary(bytes) => prop_assert_eq!(&value["binary"], &hexadecimal(bytes)),
                Datum::Text(bytes) => {
                    let hexadecimal = json!({"text": hex(bytes)});
                    prop_assert_eq!(value, &std::str::from_utf8(bytes).map_or(hexadecimal, |text| json!(text)));
                }
            }
        }
    }
}

#[tokio::test]
async fn the_sink_writes_the_lines() {
    let (writer, mut reader) = tokio::io::duplex(1 << 16);
    let mut sink = JsonSink::new(Output::writer(writer));
    let insert = || Event::Change(Change::Insert { new: row(&keyed(), [Datum::Null, Datum::Null]) });
    for _ in 0..2 {
        let mut batch = Batch::default();
        batch.push(insert());
        sink.write(batch).await.unwrap();
    }
    sink.flush().await.unwrap();
    drop(sink);
    let mut found = String::new();
    reader.read_to_string(&mut found).await.unwrap();
    let found: Vec<Json> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let relation = keyed();
    let insert = Event::Change(Change::Insert { new: row(&relation, [Datum::Null, Datum::Null]) });
    // Equal to that of one writer, except that the second event brought a relation of its own.
    assert_eq!(found.len(), 4);
    assert_eq!(found[..2], lines([insert]));
}
