//! The SQL of each change, rule by rule of the module's documentation. That a server understands it, and comes to the
//! same rows, is for the integration tests.

mod binary;
mod failures;
mod traps;

use std::sync::Arc;

use Datum::{Null, Text, Unchanged};

use super::*;
use crate::catalog::TableFacts;
use crate::event::{Change, CommitPrepared, Event, OldRow, Prepare, RollbackPrepared};
use crate::pgoutput::{self, Column, Datum, LogicalMessage, Relation, ReplicaIdentity, Tuple};
use crate::{Lsn, Oid, RelationId, Row, Timestamp, Xid};

const INT4: u32 = 23;
const TEXT: u32 = 25;
const VARCHAR: u32 = 1043;
const BPCHAR: u32 = 1042;
const NUMERIC: u32 = 1700;
const JSON: u32 = 114;
const XML: u32 = 142;

const T: RelationId = RelationId::new(16_384);

fn column(name: &str, type_oid: u32, type_modifier: i32, is_key: bool) -> Column {
    Column { name: name.into(), type_oid: Oid::new(type_oid), type_modifier, is_key }
}

fn relation(identity: ReplicaIdentity, columns: Vec<Column>) -> Arc<Relation> {
    let (schema, name) = ("public".into(), "t".into());
    Arc::new(Relation { id: T, schema, name, replica_identity: identity, columns })
}

/// `id int PRIMARY KEY, body text, note text`
fn keyed() -> Arc<Relation> {
    let columns =
        vec![column("id", INT4, -1, true), column("body", TEXT, -1, false), column("note", TEXT, -1, false)];
    relation(ReplicaIdentity::Default, columns)
}

/// The same under full identity, where every column is part of it.
fn full() -> Arc<Relation> {
    let columns = keyed().columns.iter().map(|column| Column { is_key: true, ..column.clone() }).collect();
    relation(ReplicaIdentity::Full, columns)
}

fn row<'a>(relation: &Arc<Relation>, datums: impl IntoIterator<Item = Datum<'a>>) -> Row {
    Row::new(Arc::clone(relation), Tuple::from_datums(datums)).unwrap()
}

fn facts(identity_always: &[&str]) -> Catalog {
    let identity_always = identity_always.iter().map(ToString::to_string).collect();
    Catalog::from_iter([(T, TableFacts { identity_always, has_children: false })])
}

/// A script that has written its preamble, and asked for the tables.
fn begun(catalog: Catalog) -> Script {
    let mut script = Script::new(catalog);
    let other = Relation { id: RelationId::new(16_385), name: "u".into(), ..Relation::clone(&keyed()) };
    let relations = vec![keyed(), Arc::new(other)];
    let truncate = Change::Truncate { relations, cascade: false, restart_identity: false };
    script.event(&mut Vec::new(), &Event::Change(truncate)).unwrap();
    script
}

fn sql_of(catalog: Catalog, change: Change) -> Result<String, SqlError> {
    let mut sql = Vec::new();
    begun(catalog).event(&mut sql, &Event::Change(change))?;
    Ok(String::from_utf8(sql).unwrap())
}

fn sql(change: Change) -> String {
    sql_of(Catalog::default(), change).unwrap()
}

fn update<'a>(
    relation: &Arc<Relation>,
    old: Option<OldRow>,
    new: impl IntoIterator<Item = Datum<'a>>,
) -> Change {
    Change::Update { old, new: row(relation, new) }
}

fn message(transactional: bool, prefix: &str, content: &'static [u8]) -> Event {
    let (prefix, content) = (prefix.into(), bytes::Bytes::from_static(content));
    Event::Message(LogicalMessage { xid: None, transactional, lsn: Lsn::new(16), prefix, content })
}

#[test]
fn an_insert_names_its_columns_and_overrides_identities() {
    let insert = |values: [Datum<'_>; 3]| sql(Change::Insert { new: row(&keyed(), values) });
    let head = r#"INSERT INTO "public"."t" ("id", "body", "note") OVERRIDING SYSTEM VALUE VALUES "#;
    for (values, expected) in [
        ([Text(b"1"), Text(b"null"), Null], "('1', 'null', NULL)"),
        ([Text(b"1"), Text(b""), Text(b"NULL")], "('1', '', 'NULL')"),
        ([Text(b"1"), Text(b"it's"), Text(br"C:\t")], r"('1', 'it''s', E'C:\\t')"),
        ([Text(b"1"), Text(b"a\r\n"), Text(b"\xe9")], "('1', E'a\\r\n', E'\\xe9')"),
    ] {
        assert_eq!(insert(values), format!("{head}{expected}; :walferry_one_row\n"));
    }
    let snapshot = sql(Change::Snapshot { row: row(&keyed(), [Text(b"1"), Null, Null]) });
    assert_eq!(snapshot, format!("{head}('1', NULL, NULL); :walferry_one_row\n"));
}

#[test]
fn a_row_without_columns_is_inserted_by_its_defaults() {
    let new = row(&relation(ReplicaIdentity::Default, vec![]), []);
    assert_eq!(
        sql(Change::Insert { new }),
        "INSERT INTO \"public\".\"t\" DEFAULT VALUES; :walferry_one_row\n"
    );
}

#[test]
fn an_update_assigns_what_was_sent_and_may_have_changed() {
    let key = |id| Some(OldRow::Key(row(&keyed(), [id, Null, Null])));
    let one_row = "; :walferry_one_row\n";
    for (old, new, expected) in [
        // The key is what it was.
        (None, [Text(b"1"), Text(b"x"), Null], r#"SET "body" = 'x', "note" = NULL WHERE "id" = '1'"#),
        // Unchanged is not NULL, and not absent.
        (None, [Text(b"1"), Unchanged, Null], r#"SET "note" = NULL WHERE "id" = '1'"#),
        // The key changed.
        (
            key(Text(b"1")),
            [Text(b"2"), Unchanged, Text(b"x")],
            r#"SET "id" = '2', "note" = 'x' WHERE "id" = '1'"#,
        ),
        // The key was sent, and is what it was.
        (key(Text(b"1")), [Text(b"1"), Text(b"x"), Unchanged], r#"SET "body" = 'x' WHERE "id" = '1'"#),
        (key(Text(b"1")), [Unchanged, Text(b"x"), Unchanged], r#"SET "body" = 'x' WHERE "id" = '1'"#),
        // A key of NULL, which an index that is not valid yet can have.
        (
            key(Null),
            [Text(b"1"), Unchanged, Unchanged],
            r#"SET "id" = '1' WHERE "id" IS NOT DISTINCT FROM NULL"#,
        ),
    ] {
        let found = sql(update(&keyed(), old, new));
        assert_eq!(found, format!("UPDATE :walferry_only_16384 \"public\".\"t\" {expected}{one_row}"));
    }
}

#[test]
fn an_update_that_assigns_nothing_still_needs_its_row() {
    let expected =
        "SELECT 1 AS row FROM :walferry_only_16384 \"public\".\"t\" WHERE \"id\" = '1' \\gset walferry_\n";
    assert_eq!(sql(update(&keyed(), None, [Text(b"1"), Unchanged, Unchanged])), expected);
}

#[test]
fn a_delete_finds_its_row_by_the_key_columns_alone() {
    // The others are NULL in an old key, whatever they were.
    let delete = |old| sql(Change::Delete { old });
    let expected =
        "DELETE FROM :walferry_only_16384 \"public\".\"t\" WHERE \"id\" = '1'; :walferry_one_row\n";
    assert_eq!(delete(OldRow::Key(row(&keyed(), [Text(b"1"), Null, Null]))), expected);
    // A partition of other identity than its root sends the whole row as its key.
    assert_eq!(delete(OldRow::Key(row(&keyed(), [Text(b"1"), Text(b"x"), Null]))), expected);
}

#[test]
fn full_identity_takes_one_row_of_the_same_text() {
    let old = OldRow::Full(row(&full(), [Text(b"1"), Text(b"it's"), Null]));
    let one = "WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM :walferry_only_16384 \"public\".\"t\" WHERE \"id\" = '1' AND \"body\" \
               COLLATE \"C\" = 'it''s' AND \"note\" IS NOT DISTINCT FROM NULL LIMIT 1); :walferry_one_row\n";
    let delete = sql(Change::Delete { old: old.clone() });
    assert_eq!(delete, format!("DELETE FROM :walferry_only_16384 \"public\".\"t\" {one}"));
    // Columns that hold what the old row held are left out.
    let update = sql(update(&full(), Some(old), [Text(b"2"), Text(b"it's"), Unchanged]));
    assert_eq!(update, format!("UPDATE :walferry_only_16384 \"public\".\"t\" SET \"id\" = '2' {one}"));
}

#[test]
fn full_identity_compares_texts_where_equality_says_less() {
    for (type_oid, type_modifier, value, expected) in [
        (INT4, -1, "1", r#""c" = '1'"#),
        (TEXT, -1, "", r#""c" COLLATE "C" = ''"#),
        (VARCHAR, 14, "a", r#""c" COLLATE "C" = 'a'"#),
        // Padded to n; without n, trailing blanks differ and `=` doesn't see them.
        (BPCHAR, 7, "a  ", r#""c" COLLATE "C" = 'a  '"#),
        (BPCHAR, -1, "a  ", r#"format('%s', "c") COLLATE "C" = 'a  '"#),
        // 1.0 is not 1.00; json has no equality; an unknown type may have any.
        (NUMERIC, -1, "1.00", r#"format('%s', "c") COLLATE "C" = '1.00'"#),
        (JSON, -1, "{}", r#"format('%s', "c") COLLATE "C" = '{}'"#),
        (
            99_999,
            -1,
            "x",
            r#"format('%s', "c") COLLATE "C" = format('%s', (SELECT "c" FROM :walferry_only_16384 "public"."t" WHERE false UNION ALL SELECT 'x'))"#,
        ),
        // format prints nothing for NULL, which is not the empty text.
        (XML, -1, "", r#""c" IS DISTINCT FROM NULL AND format('%s', "c") COLLATE "C" = ''"#),
    ] {
        let relation = relation(ReplicaIdentity::Full, vec![column("c", type_oid, type_modifier, true)]);
        let old = OldRow::Full(row(&relation, [Text(value.as_bytes())]));
        let found = sql(Change::Delete { old });
        assert!(found.contains(&format!("WHERE {expected} LIMIT 1)")), "{found}");
    }
}

#[test]
fn a_row_without_columns_is_any_row_of_its_table() {
    let empty = relation(ReplicaIdentity::Full, vec![]);
    let found = sql(Change::Delete { old: OldRow::Full(row(&empty, [])) });
    assert!(found.contains("WHERE true LIMIT 1)"), "{found}");
}

#[test]
fn an_identity_that_is_always_generated_is_replaced_not_assigned() {
    let always = |columns: &[&str], old, new: [Datum<'_>; 3]| {
        sql_of(facts(columns), update(&keyed(), old, new)).unwrap()
    };
    let key = |id| Some(OldRow::Key(row(&keyed(), [id, Null, Null])));
    let insert = r#"INSERT INTO "public"."t" ("id", "body", "note") OVERRIDING SYSTEM VALUE SELECT "#;
    // It is what it was: an UPDATE of the others.
    let found = always(&["id"], None, [Text(b"1"), Text(b"x"), Unchanged]);
    assert_eq!(
        found,
        "UPDATE :walferry_only_16384 \"public\".\"t\" SET \"body\" = 'x' WHERE \"id\" = '1'; :walferry_one_row\n"
    );
    // It changed: what was not sent comes from the row that is deleted.
    let found = always(&["id"], key(Text(b"1")), [Text(b"2"), Unchanged, Null]);
    let with = r#"WITH old AS (DELETE FROM :walferry_only_16384 "public"."t" WHERE "id" = '1' RETURNING *) "#;
    assert_eq!(found, format!("{with}{insert}'2', old.\"body\", NULL FROM old; :walferry_one_row\n"));
    // Not part of the key, so what it was is not known: replaced only where it is another.
    let found = always(&["note"], None, [Text(b"1"), Text(b"x"), Text(b"7")]);
    let assigned = "UPDATE :walferry_only_16384 \"public\".\"t\" SET \"body\" = 'x' WHERE \"id\" = '1'; :walferry_one_row\n";
    let with = r#"WITH old AS (DELETE FROM :walferry_only_16384 "public"."t" WHERE "id" = '1' AND "note" <> '7' RETURNING *) "#;
    assert_eq!(found, format!("{assigned}{with}{insert}'1', 'x', '7' FROM old;\n"));
}

#[test]
fn a_truncate_keeps_its_options() {
    let id = RelationId::new(16_385);
    let other = Arc::new(Relation { id, name: "u".into(), ..Relation::clone(&keyed()) });
    for (cascade, restart_identity, options) in [
        (false, false, ""),
        (true, false, " CASCADE"),
        (false, true, " RESTART IDENTITY"),
        (true, true, " RESTART IDENTITY CASCADE"),
    ] {
        let relations = vec![keyed(), Arc::clone(&other)];
        let found = sql(Change::Truncate { relations, cascade, restart_identity });
        let tables = r#":walferry_only_16384 "public"."t", :walferry_only_16385 "public"."u""#;
        assert_eq!(found, format!("TRUNCATE {tables}{options};\n"));
    }
}

#[test]
fn the_target_says_once_for_each_name_whether_a_table_is_meant_alone() {
    let asked = |sql: &str, name| {
        let (question, change) = sql.split_once(" \\gset walferry_\n").unwrap();
        assert!(question.starts_with("SELECT CASE WHEN relkind IN ('r', 'f') THEN 'ONLY' "), "{sql}");
        let of_table =
            format!(" END AS only_16384 FROM pg_class c WHERE oid = '\"public\".\"{name}\"'::regclass");
        assert!(question.ends_with(&of_table), "{sql}");
        change.to_owned()
    };
    let key = [Text(b"1"), Null, Null];
    let renamed = Arc::new(Relation { name: "u".into(), ..Relation::clone(&keyed()) });
    let mut script = Script::new(Catalog::default());
    script.event(&mut Vec::new(), &message(false, "", b"")).unwrap();
    let mut sql = |change| {
        let mut sql = Vec::new();
        script.event(&mut sql, &Event::Change(change)).map(|()| String::from_utf8(sql).unwrap())
    };
    // What isn't written has asked nothing.
    sql(update(&keyed(), None, [Unchanged, Null, Null])).unwrap_err();
    let delete = |relation| Change::Delete { old: OldRow::Key(row(relation, key)) };
    let first = sql(delete(&keyed())).unwrap();
    assert!(asked(&first, "t").starts_with("DELETE FROM :walferry_only_16384 "), "{first}");
    let second = sql(Change::Truncate { relations: vec![keyed()], cascade: false, restart_identity: false });
    assert!(second.unwrap().starts_with("TRUNCATE :walferry_only_16384 "));
    let renamed = sql(update(&renamed, None, key)).unwrap();
    assert!(asked(&renamed, "u").starts_with("UPDATE :walferry_only_16384 "), "{renamed}");
    // An INSERT knows no ONLY, but may go into what takes none.
    let inserted = sql(Change::Insert { new: row(&keyed(), key) }).unwrap();
    assert!(asked(&inserted, "t").starts_with("INSERT INTO \"public\".\"t\" "), "{inserted}");
}

#[test]
fn names_are_quoted_everywhere() {
    let hostile = Relation {
        schema: r#"a.b"c"#.into(),
        name: r"T'; -- \".into(),
        columns: vec![column("x\"y", INT4, -1, true), column("ORDER", TEXT, -1, false)],
        ..Relation::clone(&keyed())
    };
    let new = row(&Arc::new(hostile), [Text(b"1"), Text(b"x")]);
    let found = sql(Change::Update { old: None, new });
    let expected = r#"::regclass \gset walferry_
UPDATE :walferry_only_16384 "a.b""c"."T'; -- \" SET "ORDER" = 'x' WHERE "x""y" = '1'; :walferry_one_row"#;
    assert!(found.contains(r#" WHERE oid = E'"a.b""c"."T''; -- \\"'::regclass "#), "{found}");
    assert!(found.trim_end().ends_with(expected), "{found}");
}

#[test]
fn a_message_is_sent_on_as_it_was() {
    for (transactional, prefix, content, expected) in [
        (true, "p", &b"\x00\xff"[..], r"(true, 'p', E'\\x00ff'::bytea)"),
        (false, "it's", b"", r"(false, 'it''s', E'\\x'::bytea)"),
    ] {
        let mut sql = Vec::new();
        begun(Catalog::default()).event(&mut sql, &message(transactional, prefix, content)).unwrap();
        let call = format!("SELECT pg_logical_emit_message{expected} AS message \\gset walferry_\n");
        assert_eq!(String::from_utf8(sql).unwrap(), call);
    }
}

#[test]
fn a_prepared_transaction_keeps_its_name() {
    let (lsn, end_lsn, time, xid) = (Lsn::new(16), Lsn::new(32), Timestamp::from_micros(0), Xid::new(7));
    let prepare = pgoutput::Prepare {
        prepare_lsn: lsn,
        end_lsn,
        prepare_time: time,
        xid,
        gid: r"it's \ 100% :g".into(),
    };
    let gid = prepare.gid.clone();
    let commit =
        pgoutput::CommitPrepared { commit_lsn: lsn, end_lsn, commit_time: time, xid, gid: gid.clone() };
    let rollback = pgoutput::RollbackPrepared {
        prepare_end_lsn: lsn,
        rollback_end_lsn: end_lsn,
        prepare_time: time,
        rollback_time: time,
        xid,
        gid,
    };
    for (event, expected) in [
        (Event::Prepare(Prepare::new(prepare)), "PREPARE TRANSACTION E'it''s \\\\ 100% :g'; -- 0/20\n"),
        (
            Event::CommitPrepared(CommitPrepared::new(commit)),
            "COMMIT PREPARED E'it''s \\\\ 100% :g'; -- 0/20\n",
        ),
        (
            Event::RollbackPrepared(RollbackPrepared::new(rollback)),
            "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE gid = E'it''s \\\\ 100% :g' \
             AND database = current_database() \\gexec\n-- 0/20\n",
        ),
    ] {
        let mut sql = Vec::new();
        begun(Catalog::default()).event(&mut sql, &event).unwrap();
        assert_eq!(String::from_utf8(sql).unwrap(), expected);
    }
}
