//! The types of a database reach the rows of its stream: as the catalogue has them at first, and as it changes.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::fs::File;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_core::Stream as _;
use serde_json::Value;
use support::Cluster;
use walferry::capture::{Events, Reader, Writer};
use walferry::event::Commit;
use walferry::sink::Memory;
use walferry::value::{Type, TypeField, TypeKind, Types};
use walferry::{Change, Config, Connection, Event, Oid, Pipeline, ReplicationStream, Row, StreamOptions};

const PATIENCE: Duration = Duration::from_secs(30);

/// Names of every kind that PostgreSQL takes, the longest of 63 bytes.
const HOSTILE: &str = r#"
CREATE SCHEMA "s.'""1:";
CREATE TYPE "s.'""1:"."e,
'""um" AS ENUM ('null', 'it''s "so" {so}', '', 'é🚢', E'line\nfeed', '4:enum', '\N', ',', ';|');
ALTER TYPE "s.'""1:"."e,
'""um" ADD VALUE 'first' BEFORE 'null';
CREATE TYPE "ééééééééééééééééééééééééééééééx" AS ("a,b" text, "c""d" int4[], dropped int4, "e
f" "s.'""1:"."e,
'""um"[]);
ALTER TYPE "ééééééééééééééééééééééééééééééx" DROP ATTRIBUTE dropped;
ALTER TYPE "ééééééééééééééééééééééééééééééx" ADD ATTRIBUTE later date;
CREATE TYPE empty AS ();
CREATE TYPE emptier AS ENUM ();
CREATE DOMAIN words AS text[] CHECK (cardinality(VALUE) < 9);
CREATE DOMAIN "WORDS" AS words NOT NULL;
CREATE DOMAIN deep AS "WORDS"[];
CREATE TYPE span AS RANGE (subtype = text, collation = "C", multirange_type_name = "spans 1");
CREATE TYPE outerspan AS RANGE (subtype = "ééééééééééééééééééééééééééééééx");
CREATE DOMAIN spanned AS span;
-- A type of a C function, as an extension makes it; arrays of it have another delimiter.
CREATE TYPE made;
CREATE FUNCTION made_in(cstring) RETURNS made AS 'int4in' LANGUAGE internal STRICT IMMUTABLE;
CREATE FUNCTION made_out(made) RETURNS cstring AS 'int4out' LANGUAGE internal STRICT IMMUTABLE;
CREATE TYPE made (INPUT = made_in, OUTPUT = made_out, LIKE = int4, DELIMITER = ';');
-- Not an array, though it has elements.
CREATE TYPE pair;
CREATE FUNCTION pair_in(cstring) RETURNS pair AS 'point_in' LANGUAGE internal STRICT IMMUTABLE;
CREATE FUNCTION pair_out(pair) RETURNS cstring AS 'point_out' LANGUAGE internal STRICT IMMUTABLE;
CREATE TYPE pair (INPUT = pair_in, OUTPUT = pair_out, LIKE = point, ELEMENT = float8);
CREATE TYPE declared;
-- Row types that a column, a type or a range uses, directly or in an array; and three that nothing does.
CREATE TABLE in_column (a int, dropped int, b text); ALTER TABLE in_column DROP dropped;
CREATE TABLE in_array (a int);
CREATE TABLE in_domain (a int);
CREATE TABLE in_composite (a int);
CREATE TABLE in_range (a int);
CREATE VIEW in_view AS SELECT 1 AS a;
CREATE TABLE unused (a int);
CREATE VIEW unused_view AS SELECT 1 AS a;
CREATE FUNCTION uses(unused) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE DOMAIN of_row AS in_domain[];
CREATE TYPE of_rows AS (rows in_composite[]);
CREATE TYPE rowrange AS RANGE (subtype = in_range);
CREATE TABLE t (id int PRIMARY KEY, c in_column, a in_array[], v in_view[], d of_row,
    n information_schema.cardinal_number, i information_schema.sql_identifier[]);
CREATE TABLE used_then_not (a int);
CREATE TABLE user_then_not (c used_then_not); ALTER TABLE user_then_not DROP c;
"#;

/// What the catalogue says, by other questions: what uses a type is looked up in every column, type and range, and an
/// array is what is subscripted as one.
const ORACLE: &str = "
WITH RECURSIVE direct (oid) AS (
    SELECT atttypid FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid >= 16384
    UNION SELECT typbasetype FROM pg_type UNION SELECT rngsubtype FROM pg_range),
used (oid) AS (
    SELECT oid FROM direct UNION SELECT typelem FROM pg_type t JOIN used u ON u.oid = t.oid WHERE typcategory = 'A')
SELECT json_build_array(t.oid::int8, n.nspname, t.typname,
    CASE WHEN t.typcategory = 'A' AND t.typtype = 'b' AND t.typsubscript = 'array_subscript_handler'::regproc
    THEN 'A' ELSE t.typtype END, t.typelem::int8, t.typdelim, t.typbasetype::int8,
    (SELECT rngsubtype::int8 FROM pg_range WHERE rngtypid = t.oid),
    (SELECT rngtypid::int8 FROM pg_range WHERE rngmultitypid = t.oid),
    (SELECT json_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
    (SELECT json_agg(json_build_array(attname, atttypid::int8) ORDER BY attnum) FROM pg_attribute
     WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.oid >= 10000 AND t.typtype <> 'p' AND NOT EXISTS (
    SELECT FROM pg_type r JOIN pg_class c ON c.oid = r.typrelid WHERE c.relkind <> 'c'
    AND r.oid IN (t.oid, CASE t.typcategory WHEN 'A' THEN t.typelem END) AND r.oid NOT IN (SELECT oid FROM used))";

fn number(value: &Value) -> Oid {
    Oid::new(u32::try_from(value.as_u64().expect("a number")).expect("an oid"))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn list<T>(value: &Value, each: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().into_iter().flatten().map(each).collect()
}

fn expected(cluster: &Cluster, database: &str) -> Types {
    let answer = cluster.psql(database, ORACLE);
    let of_row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let kind = match row[3].as_str().expect("a kind") {
            "A" => TypeKind::Array { element: number(&row[4]), delimiter: text(&row[5]).parse().unwrap() },
            "b" => TypeKind::Base,
            "c" => TypeKind::Composite {
                fields: list(&row[10], |field| TypeField {
                    name: text(&field[0]),
                    type_oid: number(&field[1]),
                }),
            },
            "d" => TypeKind::Domain { base: number(&row[6]) },
            "e" => TypeKind::Enum { labels: list(&row[9], text) },
            "m" => TypeKind::Multirange { range: number(&row[8]) },
            "r" => TypeKind::Range { subtype: number(&row[7]) },
            other => panic!("{other}"),
        };
        Type { oid: number(&row[0]), schema: text(&row[1]).into(), name: text(&row[2]).into(), kind }
    };
    answer.split('\n').map(of_row).collect()
}

fn config(cluster: &Cluster) -> Config {
    cluster.conninfo("postgres").parse().unwrap()
}

async fn start(cluster: &Cluster, config: &Config) -> ReplicationStream {
    cluster.psql("postgres", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
    let connection = Connection::connect(config).await.unwrap();
    let options = StreamOptions::new("s".parse().unwrap()).publication("p");
    connection.start_replication(options).await.unwrap()
}

/// The new rows of the next transaction that has any.
async fn transaction(stream: &mut ReplicationStream) -> (Vec<Row>, Commit) {
    let mut rows = Vec::new();
    loop {
        let next = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
        let next = tokio::time::timeout(PATIENCE, next).await.expect("an event in time");
        match next.expect("an event, not the end").unwrap() {
            Event::Change(Change::Insert { new }) => rows.push(new),
            Event::Commit(commit) if !rows.is_empty() => return (rows, commit),
            _ => {}
        }
    }
}

fn inserted(events: impl IntoIterator<Item = Event>) -> impl Iterator<Item = Row> {
    events.into_iter().filter_map(|event| match event {
        Event::Change(Change::Insert { new }) => Some(new),
        _ => None,
    })
}

async fn row(stream: &mut ReplicationStream) -> Row {
    transaction(stream).await.0.pop().expect("a row")
}

/// What is known of the type of a row's column.
fn kind<'a>(row: &'a Row, column: &str) -> Option<&'a TypeKind> {
    let (column, _) = row.iter().find(|(candidate, _)| candidate.name == column).expect("a column");
    row.types().get(column.type_oid).map(|known| &known.kind)
}

fn labels(expected: &[&str]) -> TypeKind {
    TypeKind::Enum { labels: expected.iter().map(|&label| label.to_owned()).collect() }
}

/// How often walferry came for SQL alone.
fn ordinary_connections(cluster: &Cluster) -> usize {
    let log = cluster.log();
    let came = |line: &&str| line.contains("connection authorized") && line.contains("walferry");
    log.lines().filter(came).filter(|line| !line.contains("replication connection")).count()
}

#[tokio::test]
async fn the_types_are_what_the_catalogue_says() {
    for server in support::servers() {
        let cluster = server.start();
        cluster.psql_file("postgres", HOSTILE.as_bytes()).unwrap();
        let expected = expected(&cluster, "postgres");
        assert!(expected.inserted().count() > 50, "{}", expected.inserted().count());
        let mut connection = Connection::connect(&config(&cluster)).await.unwrap();
        let found = connection.load_types().await.unwrap();
        let differing: Vec<_> =
            found.inserted().filter(|known| expected.get(known.oid) != Some(known)).collect();
        assert!(differing.is_empty(), "{differing:?}");
        assert!(found == expected, "PostgreSQL {}", server.major);
        let named = |name: &str| found.inserted().find(|known| known.name == name).map(|known| &known.kind);
        assert!(matches!(named("_made"), Some(TypeKind::Array { delimiter: ';', .. })));
        assert_eq!((named("pair"), named("made")), (Some(&TypeKind::Base), Some(&TypeKind::Base)));
        for unused in ["unused", "_unused", "unused_view", "used_then_not", "declared"] {
            assert_eq!(named(unused), None, "{unused}");
        }
        for used in ["in_column", "_in_array", "in_array", "in_domain", "in_composite", "in_range", "in_view"]
        {
            assert!(named(used).is_some(), "{used}");
        }
    }
}

#[tokio::test]
async fn an_array_whose_delimiter_is_no_character_is_none_to_be_taken_apart() {
    let cluster = support::newest().start();
    cluster.psql_file("postgres", HOSTILE.as_bytes()).unwrap();
    cluster.psql("postgres", "UPDATE pg_type SET typdelim = 'é' WHERE typname = 'made'");
    let mut connection = Connection::connect(&config(&cluster)).await.unwrap();
    let found = connection.load_types().await.unwrap();
    let made = found.inserted().find(|known| known.name == "_made").unwrap();
    assert_eq!(made.kind, TypeKind::Base);
}

#[tokio::test]
async fn a_type_made_while_the_stream_runs_reaches_the_rows_that_use_it() {
    for server in support::servers() {
        let cluster = server.start_with(&[("log_connections", "on")]);
        cluster.psql(
            "postgres",
            "CREATE TYPE mood AS ENUM ('null', 'ok'); CREATE TABLE t (id int PRIMARY KEY, m mood);
             CREATE TABLE plain (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES",
        );
        let mut stream = start(&cluster, &config(&cluster)).await;
        cluster.psql("postgres", "INSERT INTO plain VALUES (1)");
        row(&mut stream).await;
        cluster.psql("postgres", "INSERT INTO t VALUES (1, 'ok')");
        let first = row(&mut stream).await;
        assert_eq!(kind(&first, "m"), Some(&labels(&["null", "ok"])));
        assert!(std::sync::Arc::ptr_eq(first.types(), stream.context().catalog.types()));
        cluster.psql("postgres", "ANALYZE t; ALTER TABLE plain ADD a int; INSERT INTO plain VALUES (2)");
        cluster.psql("postgres", "INSERT INTO t VALUES (2, 'ok')");
        row(&mut stream).await;
        row(&mut stream).await;
        assert_eq!(ordinary_connections(&cluster), 0, "there was nothing new to know");

        // In one transaction: the type, the table and the row. An array knows its element, too.
        cluster.psql(
            "postgres",
            "BEGIN; CREATE TYPE \"y,'s\" AS ENUM ('é'); CREATE TABLE u (id int PRIMARY KEY, y \"y,'s\"[]);
             INSERT INTO u VALUES (1, '{é}'); COMMIT",
        );
        let made = row(&mut stream).await;
        let Some(&TypeKind::Array { element, .. }) = kind(&made, "y") else { panic!("an array") };
        assert_eq!(made.types().get(element).map(|known| &known.kind), Some(&labels(&["é"])));
        assert_eq!(kind(&first, "m"), Some(&labels(&["null", "ok"])), "older rows keep what they had");
        assert_eq!(ordinary_connections(&cluster), 1);

        // An ALTER TYPE that no announcement tells of, and an ALTER TABLE which one does.
        cluster.psql(
            "postgres",
            "CREATE TYPE pair AS (a int); ALTER TYPE mood RENAME VALUE 'ok' TO 'well';
             ALTER TYPE mood ADD VALUE 'new'",
        );
        cluster.psql("postgres", "ALTER TABLE t ADD p pair; INSERT INTO t VALUES (3, 'well')");
        let altered = row(&mut stream).await;
        assert_eq!(kind(&altered, "m"), Some(&labels(&["null", "well", "new"])));
        cluster.psql("postgres", "ALTER TYPE pair ADD ATTRIBUTE b text; ALTER TYPE pair RENAME TO couple");
        cluster.psql("postgres", "ALTER TABLE t ADD c int; INSERT INTO t VALUES (4, 'well', (1, 'x'))");
        let altered = row(&mut stream).await;
        let Some(TypeKind::Composite { fields }) = kind(&altered, "p") else { panic!("a composite") };
        assert_eq!(fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let known = altered.types().inserted().find(|known| known.name == "couple");
        assert!(known.is_some(), "PostgreSQL {}", server.major);
        assert_eq!(ordinary_connections(&cluster), 3, "one for each change");
        let deadline = Instant::now() + Duration::from_secs(10);
        while cluster.backend_pids("client backend").len() > 1 {
            assert!(Instant::now() < deadline, "they are closed: only psql is there");
        }
    }
}

#[tokio::test]
async fn types_that_cannot_be_read_end_nothing_and_are_read_at_the_next_occasion() {
    for server in [support::oldest(), support::newest()] {
        let cluster = server.start();
        cluster.psql("postgres", "CREATE ROLE ferry LOGIN REPLICATION; CREATE PUBLICATION p FOR ALL TABLES");
        let ferry = config(&cluster).user("ferry");
        let mut stream = start(&cluster, &ferry).await;
        cluster.psql("postgres", "ALTER ROLE ferry CONNECTION LIMIT 0");
        cluster
            .psql("postgres", "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id int PRIMARY KEY, m mood)");
        cluster.psql("postgres", "INSERT INTO t VALUES (1, 'ok'), (2, 'ok')");
        let (rows, commit) = transaction(&mut stream).await;
        assert_eq!((rows.len(), kind(&rows[0], "m")), (2, None));
        stream.acknowledge(&commit);
        // The same announcement again.
        cluster.psql(
            "postgres",
            "ALTER ROLE ferry CONNECTION LIMIT -1; ANALYZE t; INSERT INTO t VALUES (3, 'ok')",
        );
        assert_eq!(kind(&row(&mut stream).await, "m"), Some(&labels(&["ok"])));
    }
}

#[tokio::test]
async fn a_capture_gives_its_rows_the_types_that_they_had() {
    let cluster = support::newest().start();
    cluster.psql_file("postgres", HOSTILE.as_bytes()).unwrap();
    cluster.psql("postgres", "CREATE PUBLICATION p FOR ALL TABLES");
    let mut stream = start(&cluster, &config(&cluster)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let writer = Writer::new(File::create(file.path()).unwrap(), stream.context()).unwrap();
    stream.record(writer);
    let mut live = Vec::new();
    for (id, more) in [(1, ""), (2, "CREATE TYPE \"5:\n\" AS ENUM ('1:'); ALTER TABLE t ADD e \"5:\n\";")] {
        cluster.psql("postgres", &format!("{more} INSERT INTO t VALUES ({id}, (1, 'x'))"));
        live.push(row(&mut stream).await);
    }
    assert_ne!(live[0].types(), live[1].types());
    // A pipeline makes the capture durable.
    cluster.psql("postgres", "INSERT INTO t VALUES (3, (1, 'x'))");
    stream.stop_at(cluster.wal_position().parse().unwrap());
    let memory = Memory::default();
    Pipeline::new(memory.clone()).run(stream, pending()).await.unwrap();
    live.extend(inserted(memory.take()));
    assert_eq!(live.len(), 3);

    let events = Events::new(Reader::new(File::open(file.path()).unwrap()).unwrap()).unwrap();
    assert_eq!(events.context().catalog.types(), live[0].types());
    let read: Vec<_> = inserted(events.map(Result::unwrap)).collect();
    assert_eq!(read, live);
    for (read, live) in read.iter().zip(&live) {
        assert_eq!(read.types(), live.types());
    }
}
