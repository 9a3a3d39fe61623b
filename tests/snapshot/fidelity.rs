//! What was in the source is in the target, to the byte.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use walferry::snapshot::{SnapshotCopy, copied};

use crate::stage::{Stage, hold, rows_of};
use crate::support::{self, Cluster, hostile, newest, oldest, on_each_server};
use crate::workload;

/// A database with nothing but names and values that are hard to carry.
fn carries_the_workload(source: &Cluster, target: &Cluster, stage: &Stage) {
    let script = |cluster: &Cluster, database: &str, script: &str| {
        cluster.psql_file(database, script.as_bytes()).unwrap_or_else(|error| panic!("{database}: {error}"))
    };
    source.create_database("hostile");
    for part in [workload::TABLES, workload::PUBLISH, workload::CHANGES] {
        script(source, "hostile", part);
    }
    let expected = script(source, "hostile", workload::CONTENTS);
    for (name, chunk_bytes, jobs) in [("whole", 1 << 30, 1), ("chunks", 8192, 3)] {
        target.create_database(name);
        script(target, name, workload::TABLES);
        let config =
            |cluster: &Cluster, database| cluster.conninfo(database).parse().expect("a connection string");
        let held =
            stage.runtime.block_on(hold(&config(source, "hostile"), name)).expect("a slot with a snapshot");
        let copy = workload::PUBLICATIONS.iter().fold(
            SnapshotCopy::new(config(source, "hostile"), config(target, name), r#"It's a "name"\"#),
            |copy, publication| copy.publication(*publication),
        );
        let copy = copy.jobs(jobs).chunk_bytes(chunk_bytes);
        let report =
            stage.run(&copy, &held).unwrap_or_else(|error| panic!("{name}: {error}; {:?}", error.hint()));
        let ledger =
            stage.runtime.block_on(copied(&config(target, name), r#"It's a "name"\"#)).expect("a ledger");
        assert_eq!((ledger.len(), report.whole_before), (report.tables, 0), "{report:?}");
        assert!(ledger.iter().all(|table| table.lsn == held.exported.lsn()));
        assert!(ledger.iter().any(|table| table.table == "rooted"), "a root is known by its own name");
        assert!(ledger.iter().any(|table| table.table == "leaves_2"), "and a leaf by its own");
        target.psql(name, "DROP SCHEMA walferry CASCADE");
        let found = script(target, name, workload::CONTENTS);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (want, have) = (lines(&expected), lines(&found));
        let (missing, extra) = (want.difference(&have).take(5), have.difference(&want).take(5));
        let (missing, extra): (Vec<_>, Vec<_>) = (missing.collect(), extra.collect());
        assert!(expected == found, "{name}: missing {missing:#?}, extra {extra:#?}");
        assert!(report.rows > 100, "{report:?}");
    }
}

#[test]
fn a_hostile_database_arrives_as_it_was() {
    on_each_server(|server| {
        let stage = Stage::new(server, "");
        carries_the_workload(stage.source_cluster(), stage.target_cluster(), &stage);
    });
}

#[test]
fn a_hostile_database_of_the_oldest_server_arrives_on_the_newest() {
    let stage = Stage::between(&oldest(), Some(&newest()), "");
    carries_the_workload(stage.source_cluster(), stage.target_cluster(), &stage);
}

#[test]
fn an_older_target_gets_text() {
    let tables = "CREATE TABLE t (a int, iv interval, n numeric, f float8)";
    let stage = Stage::between(&newest(), Some(&oldest()), tables);
    stage.source("INSERT INTO t SELECT i, i * interval '1 day 1 us', i / 7.0, i / 7.0 FROM generate_series(-500, 500) i");
    stage.carry(&stage.copy());
    assert_eq!(stage.target_now(&rows_of("t")), stage.source(&format!("\\t on\n{};", rows_of("t"))));
}

#[test]
fn hostile_texts_arrive_in_text_and_in_binary() {
    on_each_server(|server| {
        // The array of an enum keeps the second table from going in binary.
        let tables = "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE b (id int, v text, w bytea); \
             CREATE TABLE t (id int, v text, w bytea, m mood[])";
        let stage = Stage::new(server, tables);
        let mut random = support::Random::new(7);
        let mut insert = String::new();
        for id in 0..400 {
            let text = support::sql::quoted(&hostile::text(&mut random));
            let bytes = random.hex(usize::try_from(id % 50).expect("small"));
            writeln!(insert, "INSERT INTO b VALUES ({id}, {text}, '\\x{bytes}');")
                .expect("a String takes all");
        }
        insert.push_str("INSERT INTO b VALUES (-1, NULL, NULL), (-2, 'NULL', ''), (-3, '', '\\x00'), (-4, '\\N', '\\x5c4e');\n");
        stage.source(&format!("BEGIN;\n{insert}INSERT INTO t SELECT *, '{{ok,NULL}}' FROM b;\nCOMMIT;"));
        stage.carry(&stage.copy().chunk_bytes(16 * 1024));
        for table in ["b", "t"] {
            let expected = stage.source(&format!("\\t on\n{};", rows_of(table)));
            assert!(expected.trim().starts_with("404"), "{expected}");
            assert_eq!(stage.target_now(&rows_of(table)), expected, "{table}");
        }
        assert_eq!(stage.target_now("SELECT count(*) FROM t WHERE v IS NULL OR w IS NULL").trim(), "1");
    });
}

/// pgstream #1050: empty became NULL.
#[test]
fn museum_03_null_empty_and_blank_stay_apart_in_the_copy() {
    on_each_server(|server| {
        let stage = Stage::new(server, hostile::EMPTY);
        stage.source(&format!("{};", hostile::NOTHING_EMPTY_AND_BLANK));
        stage.carry(&stage.copy());
        let expected = stage.source(&format!("\\t on\n{};", rows_of("t")));
        assert_eq!(stage.target_now(&rows_of("t")), expected);
        let there = stage.target_now(hostile::THERE);
        assert_eq!(there.split('|').map(str::trim).collect::<Vec<_>>(), ["4"; 13]);
    });
}

#[test]
fn columns_are_matched_by_name_and_their_types_may_differ() {
    on_each_server(|server| {
        let stage = Stage::new(server, "");
        stage.source(
            "CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE TYPE pair AS (a int, b text);
             CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, gone int, v varchar(20), m mood, n int, j json, p pair, pa pair[],
                 twice int GENERATED ALWAYS AS (n * 2) STORED);
             ALTER TABLE t DROP gone;
             INSERT INTO t (v, m, n, j, p, pa) SELECT 'v' || i, CASE WHEN i % 2 = 0 THEN 'sad'::mood ELSE 'it''s ok' END, i,
                 format('{\"a\" : %s}', i)::json, (i, 'b,\"' || i)::pair, array[(i, NULL)::pair] FROM generate_series(1, 999) i",
        );
        stage.target(
            "CREATE TYPE pair AS (a int, b text); CREATE TYPE other AS (x int);
             CREATE TABLE t (twice int GENERATED ALWAYS AS (n * 2) STORED, extra text DEFAULT 'here', j json, m text,
                 pa pair[], n bigint, p pair, v text, id int GENERATED ALWAYS AS IDENTITY)",
        );
        let report = stage.carry(&stage.copy());
        assert_eq!(report.rows, 999);
        let columns = "SELECT id, v, m, n, j, p, pa, twice FROM t ORDER BY id";
        assert_eq!(stage.target_now(columns), stage.source(&format!("\\t on\n{columns};")));
        assert_eq!(stage.target_now("SELECT DISTINCT extra FROM t").trim(), "here");
    });
}

/// A number in binary, which is another table's on the other side.
#[test]
fn the_name_of_an_object_arrives_as_a_name() {
    on_each_server(|server| {
        let stage = Stage::new(server, "");
        stage.target("CREATE TABLE numbers_are_others_here (id int)");
        for create in [Stage::source, Stage::target] {
            create(
                &stage,
                "CREATE TABLE named (id int, r regclass, a regtype[]); CREATE TYPE kind AS ENUM ('a')",
            );
        }
        stage.source("INSERT INTO named VALUES (1, 'named', '{kind,int4}'), (2, NULL, NULL)");
        stage.carry(&stage.copy());
        let all = "SELECT * FROM named ORDER BY id";
        assert_eq!(stage.target_now(all), stage.source(&format!("\\t on\n{all};")));
    });
}

#[test]
fn row_filters_and_column_lists_hold() {
    let stage = Stage::new(
        &newest(),
        "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, secret text, v text DEFAULT 'default')",
    );
    stage.source("INSERT INTO s.t SELECT i, 'secret', CASE WHEN i % 3 > 0 THEN 'v' || i END FROM generate_series(1, 3000) i");
    stage.source("CREATE PUBLICATION a FOR TABLE s.t (id, v) WHERE (v LIKE 'v%' AND id < 1000 OR id = -1)");
    stage.source("CREATE PUBLICATION b FOR TABLE s.t (v, id) WHERE (id > 2000)");
    let copy = |publication: &str| {
        SnapshotCopy::new(stage.source_config(), stage.target_config(), "copy").publication(publication)
    };
    stage.carry(&copy("a").publication("b").chunk_bytes(16 * 1024));
    let published = "SELECT id, v FROM s.t WHERE (v LIKE 'v%' AND id < 1000) OR id > 2000 ORDER BY id";
    assert_eq!(
        stage.target_now("SELECT id, v FROM s.t ORDER BY id"),
        stage.source(&format!("\\t on\n{published};"))
    );
    assert_eq!(stage.target_now("SELECT count(secret) FROM s.t").trim(), "0");
    stage.source("CREATE PUBLICATION c FOR TABLE s.t (id)");
    let held = stage.snapshot("c");
    let error = stage.run(&copy("a").publication("c"), &held).expect_err("two lists");
    assert!(crate::stage::told(&error).contains("column lists"), "{error}");
}

#[test]
fn a_root_s_rows_find_their_own_way_where_the_target_is_divided_otherwise() {
    on_each_server(|server| {
        let stage = Stage::new(server, "");
        stage.source(
            "CREATE TABLE root (id int, v text) PARTITION BY RANGE (id);
             CREATE TABLE r1 PARTITION OF root FOR VALUES FROM (0) TO (500);
             CREATE TABLE r2 (v text, gone int, id int); ALTER TABLE r2 DROP gone;
             ALTER TABLE root ATTACH PARTITION r2 FOR VALUES FROM (500) TO (1000);
             CREATE TABLE sub PARTITION OF root FOR VALUES FROM (1000) TO (2000) PARTITION BY HASH (id);
             CREATE TABLE s0 PARTITION OF sub FOR VALUES WITH (MODULUS 2, REMAINDER 0);
             CREATE TABLE s1 PARTITION OF sub FOR VALUES WITH (MODULUS 2, REMAINDER 1);
             CREATE TABLE none (id int) PARTITION BY LIST (id);
             INSERT INTO root SELECT i, 'v' || i FROM generate_series(0, 1999) i;
             CREATE PUBLICATION rooted FOR TABLE root, none WITH (publish_via_partition_root = true);
             CREATE PUBLICATION leaves FOR TABLE root",
        );
        stage.target(
            "CREATE TABLE root (v text, id int) PARTITION BY HASH (id); CREATE TABLE none (id int);
             CREATE TABLE p0 PARTITION OF root FOR VALUES WITH (MODULUS 2, REMAINDER 0);
             CREATE TABLE p1 PARTITION OF root FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        );
        // What is published by both ways has the root's name, as in the stream.
        for publications in [vec!["rooted"], vec!["leaves", "rooted"]] {
            let copy =
                SnapshotCopy::new(stage.source_config(), stage.target_config(), "copy").chunk_bytes(10_000);
            let copy = publications.iter().fold(copy, |copy, name| copy.publication(*name));
            let report = stage.carry(&copy);
            assert_eq!((report.tables, report.rows), (2, 2000));
            let all = "SELECT id, v FROM root ORDER BY id";
            assert_eq!(stage.target_now(all), stage.source(&format!("\\t on\n{all};")));
            stage.target("TRUNCATE root; DROP SCHEMA walferry CASCADE");
            stage.source("SELECT pg_drop_replication_slot('carry')");
        }
    });
}

#[test]
fn a_field_of_many_megabytes_passes() {
    on_each_server(|server| {
        let stage = Stage::new(server, "CREATE TABLE t (id int, v text)");
        stage.source("ALTER TABLE t ALTER v SET STORAGE EXTERNAL");
        stage.source(
            "INSERT INTO t SELECT i, repeat('0123456789abcdef', 2000000) FROM generate_series(1, 2) i",
        );
        stage.carry(&stage.copy());
        let digest = "SELECT id, length(v), md5(v) FROM t ORDER BY id";
        assert_eq!(stage.target_now(digest), stage.source(&format!("\\t on\n{digest};")));
    });
}

#[test]
fn a_table_of_one_chunk_is_frozen_and_one_that_is_referred_to_is_loaded_too() {
    on_each_server(|server| {
        let tables = "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent); \
             CREATE TABLE large (id int)";
        let stage = Stage::new(server, tables);
        stage.source(
            "INSERT INTO parent SELECT generate_series(1, 5000); INSERT INTO child SELECT id FROM parent;
             INSERT INTO large SELECT generate_series(1, 30000)",
        );
        let copy = stage.copy().chunk_bytes(300_000);
        let report = stage.carry(&copy);
        assert_eq!((report.tables, report.rows), (3, 40_000));
        stage.target("ANALYZE");
        let frozen = "SELECT string_agg(relname || ' ' || (relallvisible > 0), ', ' ORDER BY relname) FROM pg_class \
             WHERE relname IN ('parent', 'child', 'large')";
        assert_eq!(stage.target_now(frozen).trim(), "child true, large false, parent false");
    });
}
