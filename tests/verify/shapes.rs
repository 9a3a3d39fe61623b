//! What is compared with what: publications, columns, partitions, names, encodings.

use walferry::migrate::verify::Verify;

use crate::pair::{self, Pair, Side, lines};
use crate::support::{self, Cluster};

#[test]
fn only_what_the_publication_publishes_is_compared() {
    let sql = "CREATE TABLE filtered (id int PRIMARY KEY, region text, v text); ALTER TABLE filtered REPLICA IDENTITY FULL;
        CREATE TABLE listed (id int PRIMARY KEY, v text, secret text); CREATE TABLE other (id int)";
    pair::newest("published", sql, async |pair| {
        pair.both("INSERT INTO filtered SELECT g, 'eu', g FROM generate_series(1, 99) g; INSERT INTO listed SELECT g, g, g FROM generate_series(1, 99) g");
        pair.source.run(
            "INSERT INTO filtered SELECT g, 'us', g FROM generate_series(100, 199) g; UPDATE listed SET secret = 'x'; INSERT INTO other VALUES (1);
             INSERT INTO filtered VALUES (200, NULL, '');
             DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE filtered WHERE (region = 'eu'), listed (id, v)",
        );
        assert_eq!(pair.wrong().await, [""; 0]);
        assert_eq!(pair.compare(&Verify::new()).await.tables[0].rows_source, 99);
        pair.source
            .run("UPDATE listed SET v = 'x' WHERE id = 7; UPDATE filtered SET v = 'x' WHERE id IN (8, 150)");
        pair.target.run("INSERT INTO filtered VALUES (300, 'us', '')");
        let expected =
            ["public.filtered id=300 Extra", "public.filtered id=8 Differs", "public.listed id=7 Differs"];
        assert_eq!(pair.wrong().await, expected);
        // By schema, and without the key in the list.
        pair.source
            .run("DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE listed (v) WITH (publish = 'insert')");
        assert_eq!(pair.wrong().await, ["public.listed ? Extra", "public.listed ? Missing"]);
        pair.source.run("DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLES IN SCHEMA public");
        assert!(pair.wrong().await.contains(&"public.other ? Missing".to_owned()));
    });
}

#[test]
fn generated_columns_are_compared_where_the_target_has_them() {
    let sql = "CREATE TABLE a (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v * 2) STORED);
        CREATE TABLE k (v int, id int GENERATED ALWAYS AS (v * 2) STORED PRIMARY KEY)";
    pair::both_ways("generated", sql, async |pair| {
        pair.source
            .run("CREATE TABLE b (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v * 2) STORED)");
        pair.target.run("CREATE TABLE b (id int PRIMARY KEY, v int)");
        pair.both(
            "INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 1); INSERT INTO k VALUES (1), (2)",
        );
        assert_eq!(pair.wrong().await, [""; 0]);
        pair.target.run(
            "ALTER TABLE a DROP COLUMN w, ADD COLUMN w int; UPDATE a SET w = v * 2; UPDATE a SET w = 5 WHERE id = 2;
             DELETE FROM k WHERE id = 2; ALTER TABLE k DROP COLUMN id",
        );
        assert_eq!(pair.wrong().await, ["public.a id=2 Differs", "public.k ? Missing"]);
    });
}

#[test]
fn columns_are_paired_by_name_and_compared_by_what_they_print() {
    pair::both_ways("columns", "", async |pair| {
        pair.source.run("CREATE TABLE t (gone int, id int4 PRIMARY KEY, c char(3), v varchar(9), n numeric(9,2), at timestamptz); ALTER TABLE t DROP COLUMN gone");
        pair.target.run(
            "CREATE TABLE t (more text, at timestamptz(6), n numeric, v text, c text, id int8 PRIMARY KEY)",
        );
        pair.source
            .run("INSERT INTO t VALUES (1, 'a', 'x', 1.5, '2024-01-01 00:00+05'), (2, NULL, '', 0, NULL)");
        pair.target.run("INSERT INTO t VALUES ('more', '2023-12-31 19:00+00', 1.50, 'x', 'a  ', 1), ('', NULL, 0.00, '', NULL, 2)");
        // A key, too: as a `text` of its own, the cast of a `char` has no spaces.
        pair.source.run("CREATE TABLE k (id char(3) PRIMARY KEY); INSERT INTO k VALUES ('a')");
        pair.target.run("CREATE TABLE k (id text PRIMARY KEY); INSERT INTO k VALUES ('a  ')");
        assert_eq!(pair.wrong().await, [""; 0]);
        pair.target.run("UPDATE t SET n = 1.5 WHERE id = 1; UPDATE t SET c = '   ' WHERE id = 2");
        assert_eq!(pair.wrong().await, ["public.t id=1 Differs", "public.t id=2 Differs"]);
    });
}

const PARTITIONS: &str = "CREATE TABLE m (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
    CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); CREATE TABLE m2 (v text, dropped int, part int NOT NULL, id int NOT NULL);
    ALTER TABLE m2 DROP COLUMN dropped; ALTER TABLE m ATTACH PARTITION m2 FOR VALUES IN (2);
    CREATE TABLE m3 PARTITION OF m FOR VALUES IN (3, 4) PARTITION BY LIST (part); CREATE TABLE m34 PARTITION OF m3 FOR VALUES IN (3, 4);
    CREATE TABLE empty (id int) PARTITION BY LIST (id);";

const FILL: &str = "INSERT INTO m SELECT g, 1 + g % 4, g FROM generate_series(1, 400) g";

#[test]
fn partitions_are_compared_together_under_the_name_of_their_root() {
    pair::both_ways("roots", PARTITIONS, async |pair| {
        pair.both(FILL);
        // Rows in a partition that the source hasn't.
        pair.target.run("CREATE TABLE m9 PARTITION OF m DEFAULT");
        for via_root in [false, true] {
            pair.source.run(&format!(
                "DROP PUBLICATION p; CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = {via_root})"
            ));
            pair.target.run("UPDATE m SET v = 'x' WHERE id = 6; INSERT INTO m VALUES (9, 9, 'new')");
            assert_eq!(pair.wrong().await, ["public.m id=6,part=3 Differs", "public.m id=9,part=9 Extra"]);
            pair.target.run("UPDATE m SET v = 6 WHERE id = 6; DELETE FROM m WHERE part = 9");
            assert_eq!(pair.wrong().await, [""; 0]);
            let report = pair.compare(&Verify::new()).await;
            let rows: u64 = report.tables.iter().map(|table| table.rows_source).sum();
            assert_eq!(rows, 400, "{report:?}");
        }
        // Which partition a row is in is no matter, nor whether there are any.
        pair.target.run("CREATE TABLE plain (v text, id int, part int, PRIMARY KEY (id, part)); INSERT INTO plain SELECT v, id, part FROM m;
             DROP TABLE m; ALTER TABLE plain RENAME TO m");
        assert_eq!(pair.wrong().await, [""; 0]);
    });
}

#[test]
fn partitions_that_are_published_alone_are_compared_alone() {
    pair::both_ways("partitions", PARTITIONS, async |pair| {
        pair.both(FILL);
        let tables = async || {
            let report = pair.compare(&Verify::new()).await;
            assert!(report.is_equal(), "{report:?}");
            report
                .tables
                .into_iter()
                .map(|table| format!("{} {}", table.table, table.rows_source))
                .collect::<Vec<_>>()
        };
        pair.source.run("DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE m2, m34");
        pair.target.run("DELETE FROM m1");
        assert_eq!(tables().await, ["m2 100", "m3 200"]);
        // The target has each partition as a table by itself.
        pair.target
            .run("ALTER TABLE m DETACH PARTITION m2; ALTER TABLE m3 DETACH PARTITION m34; DROP TABLE m, m3");
        assert_eq!(tables().await, ["m2 100", "m34 200"]);
        if pair.source.cluster.major() >= 15 {
            pair.source.run("DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE m2 WHERE (id > 200), m34");
            pair.target.run("DELETE FROM m2 WHERE id <= 200");
            assert_eq!(tables().await, ["m2 50", "m34 200"]);
        }
    });
}

#[test]
fn a_row_filter_of_a_root_holds_for_partitions_whose_columns_stand_otherwise() {
    pair::newest("filtered root", PARTITIONS, async |pair| {
        pair.both(FILL);
        pair.source.run("DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE m (v, part, id) WHERE (id > 10 AND m.part <> 9) WITH (publish_via_partition_root)");
        pair.target.run("DELETE FROM m WHERE id <= 10");
        assert_eq!(pair.wrong().await, [""; 0]);
    });
}

#[test]
fn a_table_that_others_inherit_from_is_compared_without_them() {
    let sql =
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent)";
    pair::both_ways("inherits", sql, async |pair| {
        pair.both("INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)");
        assert_eq!(pair.compare(&Verify::new()).await.tables[1].rows_source, 1);
        pair.source.run("INSERT INTO child VALUES (3)");
        pair.target.run("INSERT INTO parent VALUES (3)");
        assert_eq!(pair.wrong().await, ["public.child id=3 Missing", "public.parent id=3 Extra"]);
    });
}

#[test]
fn everything_that_the_target_lacks_is_told_before_anything_is_read() {
    pair::both_ways("lacks", "CREATE TABLE fine (id int)", async |pair| {
        pair.source.run("CREATE TABLE a (id int, x int, \"Y\" int); CREATE TABLE b (id int)");
        pair.target.run("CREATE TABLE a (id int)");
        let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&read);
        let verify = Verify::new().monitor(move |_| {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        let (problem, mend) = pair.error(&verify).await;
        for part in [
            "public.a has no column \"x\"",
            "public.a has no column \"Y\"",
            "the target has no table public.b",
        ] {
            assert!(problem.contains(part), "{problem}");
        }
        assert!(mend.contains("as they are on the source"), "{mend}");
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 0);
        pair.target
            .run("CREATE TABLE b (); ALTER TABLE b ADD id int; ALTER TABLE a ADD x int, ADD \"Y\" int");
        assert_eq!(pair.wrong().await, [""; 0]);
    });
}

#[test]
fn tables_can_be_chosen() {
    let sql = "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE SCHEMA s; CREATE TABLE s.a (id int)";
    pair::newest("chosen", sql, async |pair| {
        pair.target.run("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO s.a VALUES (1)");
        let names = async |verify: &Verify| {
            let report = pair.compare(verify).await;
            assert!(!report.tables.iter().any(walferry::migrate::verify::TableReport::is_equal));
            let tables: Vec<_> =
                report.tables.into_iter().map(|table| format!("{}.{}", table.schema, table.table)).collect();
            tables.join(" ")
        };
        assert_eq!(names(&Verify::new()).await, "public.a public.b s.a");
        assert_eq!(names(&Verify::new().only([("s", "a"), ("public", "b")])).await, "public.b s.a");
        let (problem, _) = pair.error(&Verify::new().only([("s", "b")])).await;
        assert!(problem.contains("s.b"), "{problem}");
        let none = [("", ""); 0];
        let (problem, _) = pair.error(&Verify::new().only(none)).await;
        assert!(problem.contains("no tables"), "{problem}");
        pair.source.run("DROP PUBLICATION p");
        let (problem, _) = pair.error(&Verify::new()).await;
        assert!(problem.contains("no publication \"p\""), "{problem}");
        pair.source.run("CREATE PUBLICATION p");
        assert!(pair.error(&Verify::new()).await.0.contains("no tables"));
    });
}

#[test]
fn names_may_be_anything() {
    let sql = r#"CREATE SCHEMA "a.b""c"; CREATE TABLE "a.b""c"."Ünï 表 %_'\" ("select" int, "x y""'\" text, "$1" int, t text, r text, k text, h text,
        PRIMARY KEY ("x y""'\", "select"));
        CREATE TABLE "table" ("table" int PRIMARY KEY, "COLUMN" int); CREATE TABLE "{},()" ("{}" text)"#;
    pair::both_ways("it's \"odd\" \\ ", sql, async |mut pair| {
        pair.publication = "p'\"\\, ü".to_owned();
        pair.source.run("DROP PUBLICATION p; CREATE PUBLICATION \"p'\"\"\\, ü\" FOR ALL TABLES");
        pair.both(r#"INSERT INTO "a.b""c"."Ünï 表 %_'\" VALUES (1, 'x'), (2, 'y'); INSERT INTO "table" VALUES (1, 1)"#);
        assert_eq!(pair.wrong().await, [""; 0]);
        pair.target.run(r#"UPDATE "a.b""c"."Ünï 表 %_'\" SET k = ''  WHERE "select" = 2; UPDATE "table" SET "COLUMN" = 2; INSERT INTO "{},()" VALUES ('')"#);
        let expected = [
            r#"a.b"c.Ünï 表 %_'\ x y"'\=y,select=2 Differs"#,
            "public.table table=1 Differs",
            "public.{},() ? Extra",
        ];
        assert_eq!(pair.wrong().await, expected);
    });
}

/// A database in another encoding.
fn encoded(cluster: &'static Cluster, encoding: &str, name: &str) -> Side {
    let database = format!("{name} {encoding}");
    cluster.psql(
        "postgres",
        &format!(
            "CREATE DATABASE {} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0",
            support::sql::database(&database)
        ),
    );
    Side { cluster, database }
}

#[test]
fn texts_in_different_encodings_are_equal_if_their_characters_are() {
    let sql = "CREATE TABLE t (id text PRIMARY KEY, v text); CREATE TABLE n (v text)";
    pair::both_ways("encodings", "", async |pair| {
        for (from, to) in [
            ("LATIN1", "UTF8"),
            ("UTF8", "LATIN1"),
            ("LATIN1", "LATIN1"),
            ("SQL_ASCII", "UTF8"),
            ("UTF8", "SQL_ASCII"),
            ("SQL_ASCII", "SQL_ASCII"),
            ("EUC_JP", "UTF8"),
        ] {
            let name = format!("encodings {from} {to} {}", pair.source.cluster.major());
            let pair = Pair {
                source: encoded(pair.source.cluster, from, &format!("{name} s")),
                target: encoded(pair.target.cluster, to, &format!("{name} t")),
                publication: "p".to_owned(),
            };
            pair.both(sql);
            let letter = if [from, to].contains(&"EUC_JP") { "表" } else { "é" };
            pair.both(&format!("SET client_encoding = UTF8; INSERT INTO t VALUES ('{letter}', 'a\\{letter}'), ('b', ''), ('c', '{letter}'); INSERT INTO n VALUES ('{letter}')"));
            pair.source.run("CREATE PUBLICATION p FOR ALL TABLES");
            for verify in [Verify::new(), Verify::new().md5()] {
                assert_eq!(lines(&pair.compare(&verify).await), [""; 0], "{name}");
            }
            pair.target.run("UPDATE t SET v = 'x' WHERE id <> 'b'");
            let expected = ["public.t id=c Differs".to_owned(), format!("public.t id={letter} Differs")];
            for verify in [Verify::new(), Verify::new().md5()] {
                assert_eq!(lines(&pair.compare(&verify).await), expected, "{name}");
            }
        }
        // Bytes that are no text in any encoding.
        let name = format!("bytes {}", pair.source.cluster.major());
        let pair = Pair {
            source: encoded(pair.source.cluster, "SQL_ASCII", &format!("{name} s")),
            target: encoded(pair.target.cluster, "SQL_ASCII", &format!("{name} t")),
            publication: "p".to_owned(),
        };
        pair.both(sql);
        pair.source.run("CREATE PUBLICATION p FOR ALL TABLES");
        pair.both("INSERT INTO t VALUES (E'a\\xff', E'\\xfe')");
        assert_eq!(pair.wrong().await, [""; 0]);
        pair.target.run("UPDATE t SET v = E'\\xfd'");
        assert_eq!(pair.wrong().await, ["public.t id=a\u{fffd} Differs"]);
    });
}

#[test]
fn bytes_of_char_beyond_ascii_are_the_same_on_every_server() {
    let sql = r#"CREATE DOMAIN letter AS "char"; CREATE TABLE t (id int PRIMARY KEY, c "char", d letter, a "char"[]);
        INSERT INTO t SELECT g, (g - 128)::"char", (g - 128)::"char"::letter, ARRAY[NULL, (g - 128)::"char"] FROM generate_series(0, 255) g"#;
    pair::both_ways("chars", sql, async |pair| {
        assert_eq!(pair.wrong().await, [""; 0]);
        pair.target.run(r#"UPDATE t SET c = (5 - 128)::"char" WHERE id = 6; UPDATE t SET a = '{NULL,a}' WHERE id = 7; UPDATE t SET d = NULL WHERE id = 8"#);
        assert_eq!(
            pair.wrong().await,
            ["public.t id=6 Differs", "public.t id=7 Differs", "public.t id=8 Differs"]
        );
    });
}

#[test]
fn texts_that_a_collation_takes_for_equal_differ() {
    // Needs a server that was built with ICU.
    let with_icu = |server: &support::Server| {
        let cluster = server.start();
        cluster.psql("postgres", "SELECT count(*) FROM pg_collation WHERE collprovider = 'i'") != "0"
    };
    let Some(server) = support::servers().into_iter().find(with_icu) else { return };
    let sql = "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE DOMAIN citext AS text COLLATE ci; CREATE TABLE t (id citext PRIMARY KEY, v citext); CREATE TABLE n (v text COLLATE ci);
        CREATE TABLE c (a text COLLATE ci, b text COLLATE \"C\", PRIMARY KEY (a, b))";
    let pair = Pair::new(&server, &server, "collations", sql);
    crate::runtime().block_on(async {
        pair.both("INSERT INTO t VALUES ('a', 'x'), ('b', 'y'); INSERT INTO n VALUES ('x'); INSERT INTO c VALUES ('a', 'b')");
        assert_eq!(pair.wrong().await, [""; 0]);
        pair.target.run("UPDATE t SET id = 'A' WHERE id = 'a'; UPDATE t SET v = 'Y' WHERE id = 'b'; UPDATE n SET v = 'X'; UPDATE c SET a = 'A'");
        let expected = [
            "public.c a=A,b=b Extra",
            "public.c a=a,b=b Missing",
            "public.n ? Extra",
            "public.n ? Missing",
            "public.t id=A Extra",
            "public.t id=a Missing",
            "public.t id=b Differs",
        ];
        assert_eq!(pair.wrong().await, expected);
    });
}

#[test]
fn a_table_without_columns_is_compared_by_its_number_of_rows() {
    pair::both_ways("no columns", "CREATE TABLE t (); INSERT INTO t DEFAULT VALUES", async |pair| {
        assert_eq!(pair.wrong().await, [""; 0]);
        pair.target.run("INSERT INTO t DEFAULT VALUES");
        assert_eq!(pair.wrong().await, ["public.t ? 1:2"]);
    });
}

#[test]
fn a_key_that_the_target_holds_twice_is_found() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text)";
    pair::both_ways("twice", sql, async |pair| {
        pair.target.run("ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER id DROP NOT NULL");
        pair.both("INSERT INTO t SELECT g, g FROM generate_series(1, 9) g");
        pair.target.run("INSERT INTO t VALUES (1, 1), (2, 'x'); UPDATE t SET v = 'x' WHERE id = 3; INSERT INTO t VALUES (3, 'y'), (4, NULL), (NULL, 'n')");
        let expected = [
            "public.t id=1 1:2",
            "public.t id=2 Extra",
            "public.t id=3 Differs",
            "public.t id=3 Extra",
            "public.t id=4 Extra",
            "public.t id=NULL Extra",
        ];
        assert_eq!(pair.wrong().await, expected);
    });
}
