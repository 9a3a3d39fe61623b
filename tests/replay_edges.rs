//! Where target and source agree only if the script is written with care: each was once lost, or refused.
#![expect(clippy::panic, reason = "a helper of a test fails the test")]

mod program;
mod support;
mod workload;

use program::{replay, run};
use support::{Cluster, Server};

/// What a client sends before the script, and as whom.
struct Target<'a> {
    settings: &'a str,
    prepare: &'a str,
}

const PLAIN: Target<'_> = Target { settings: "", prepare: "" };

fn script(cluster: &Cluster, database: &str, script: &str) -> String {
    cluster.psql_file(database, script.as_bytes()).unwrap_or_else(|error| panic!("{database}: {error}"))
}

/// Both sides get `tables`, the source gets `changes`, and the target what became of them.
fn assert_arrives(server: &Server, tables: &str, changes: &str, target: &Target<'_>) {
    let cluster = server.start();
    for database in ["source", "target"] {
        cluster.create_database(database);
        script(&cluster, database, &format!("SET client_min_messages = error; {tables}"));
    }
    cluster.psql("source", "CREATE PUBLICATION everything FOR ALL TABLES");
    cluster.psql("source", "SELECT pg_create_logical_replication_slot('slot', 'pgoutput')");
    script(&cluster, "source", changes);
    let source = cluster.conninfo("source");
    let mut command = replay();
    command.args(["--source", &source, "--slot", "slot", "--publication", "everything", "--stop-at-current"]);
    let sql = String::from_utf8(run(&mut command).stdout).unwrap_or_else(|error| panic!("{error}"));
    script(&cluster, "target", target.prepare);
    script(&cluster, "target", &format!("{}\n{sql}", target.settings));
    let [expected, found] =
        ["source", "target"].map(|database| script(&cluster, database, workload::CONTENTS));
    assert_eq!(expected, found, "on {}\n{sql}", server.major);
}

fn arrives(tables: &str, changes: &str) {
    for server in [support::oldest(), support::newest()] {
        assert_arrives(&server, tables, changes, &PLAIN);
    }
}

#[test]
fn names_of_objects_inside_of_values_arrive_whatever_the_search_path() {
    arrives(
        "CREATE TYPE pair AS (r regclass, n int); CREATE DOMAIN object AS regclass;
         CREATE TABLE t (id int, rs regclass[], c pair, o object, ts regtype[]); ALTER TABLE t REPLICA IDENTITY FULL;",
        "INSERT INTO t VALUES (1, '{pg_class,t}', ROW('t', 1), 't', '{pair,int}'), (2, NULL, NULL, 'pg_class', NULL);
         UPDATE t SET id = id + 10; DELETE FROM t WHERE id = 12;",
    );
}

#[test]
fn rows_that_only_the_identitys_index_tells_apart_arrive() {
    arrives(
        "CREATE TYPE amount AS (n numeric);
         CREATE TABLE t (k amount NOT NULL, v int); CREATE UNIQUE INDEX t_k ON t (k record_image_ops);
         ALTER TABLE t REPLICA IDENTITY USING INDEX t_k;",
        "INSERT INTO t VALUES (ROW(1.0), 1), (ROW(1.00), 2); UPDATE t SET v = 3 WHERE v = 2; DELETE FROM t WHERE v = 1;",
    );
}

#[test]
fn a_key_stored_out_of_line_beside_an_identity_column_arrives() {
    arrives(
        "CREATE TABLE t (k text PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, v text) WITH (toast_tuple_target = 128);
         ALTER TABLE t ALTER k SET STORAGE EXTERNAL;",
        "INSERT INTO t (k, v) SELECT repeat('key' || g, 600), 'v' FROM generate_series(1, 3) g;
         UPDATE t SET v = 'w' WHERE k LIKE 'key1%'; UPDATE t SET number = DEFAULT WHERE k LIKE 'key2%';
         UPDATE t SET number = DEFAULT, k = 'short' WHERE k LIKE 'key3%';",
    );
}

#[test]
fn an_element_that_is_null_stays_null_where_array_nulls_is_off() {
    let target = Target { settings: "SET array_nulls = off;", prepare: "" };
    let changes = r#"INSERT INTO t VALUES (1, '{NULL,"NULL",null}')"#;
    assert_arrives(&support::newest(), "CREATE TABLE t (id int PRIMARY KEY, a text[])", changes, &target);
}

const DEFERRED: &str = "
    CREATE TABLE numbered (id int PRIMARY KEY, n int UNIQUE DEFERRABLE);
    CREATE TABLE spans (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&) DEFERRABLE);
    CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent DEFERRABLE);";
const DEFERRED_CHANGES: &str = "
    INSERT INTO numbered SELECT g, g FROM generate_series(1, 5) g; UPDATE numbered SET n = n + 1; UPDATE numbered SET n = 7 - n;
    INSERT INTO spans VALUES (1, '[1,5)'), (2, '[5,9)');
    BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE spans SET r = '[5,9)' WHERE id = 1; UPDATE spans SET r = '[1,5)' WHERE id = 2;
    INSERT INTO child VALUES (1, 1); INSERT INTO parent VALUES (1); COMMIT;";

#[test]
fn deferrable_constraints_hold_back_no_user() {
    let prepare = "CREATE ROLE clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk;";
    let target = Target { settings: "SET SESSION AUTHORIZATION clerk;", prepare };
    for server in [support::oldest(), support::newest()] {
        assert_arrives(&server, DEFERRED, DEFERRED_CHANGES, &target);
    }
}

#[test]
fn whoever_may_set_it_applies_without_triggers_and_cascades() {
    let tables = "
        CREATE TABLE shouted (id int PRIMARY KEY, v text);
        CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || '!'; RETURN NEW; END $$;
        CREATE TRIGGER shout BEFORE INSERT ON shouted FOR EACH ROW EXECUTE FUNCTION shout();
        CREATE TABLE parent (id int PRIMARY KEY);
        CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE);";
    let changes = "INSERT INTO shouted VALUES (1, 'a'); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1); DELETE FROM parent;";
    let prepare = "CREATE ROLE clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk;
        GRANT SET ON PARAMETER session_replication_role TO clerk;";
    let target = Target { settings: "SET SESSION AUTHORIZATION clerk;", prepare };
    // GRANT SET is there from 15 on.
    assert_arrives(&support::newest(), tables, changes, &target);
}

#[test]
fn types_of_extensions_and_collations_of_ones_own_arrive() {
    let has_all = "SELECT count(*) = 4 FROM (SELECT name FROM pg_available_extensions WHERE name IN ('citext', 'hstore', 'ltree')
        UNION ALL SELECT min(collname) FROM pg_collation WHERE collprovider = 'i' HAVING count(*) > 0) AS found";
    for server in support::servers() {
        if server.start().psql("postgres", has_all) != "t" {
            continue;
        }
        assert_arrives(
            &server,
            "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
             CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             CREATE TABLE c (k citext PRIMARY KEY, h hstore, l ltree, v text);
             CREATE TABLE h (k hstore PRIMARY KEY, l ltree UNIQUE, v int);
             CREATE TABLE f (k hstore, l ltree[], v citext, n text COLLATE ci); ALTER TABLE f REPLICA IDENTITY FULL;
             CREATE TABLE n (k text COLLATE ci PRIMARY KEY, v text);
             CREATE TABLE i (k text COLLATE ci NOT NULL, v text); CREATE UNIQUE INDEX i_k ON i (k COLLATE \"C\");
             ALTER TABLE i REPLICA IDENTITY USING INDEX i_k;",
            "INSERT INTO c VALUES ('Abc', 'a=>1,b=>NULL', 'a.b.c', 'x'), ('d', '', '', '');
             UPDATE c SET v = 'y' WHERE k = 'abc'; UPDATE c SET k = 'ABC' WHERE k = 'abc'; DELETE FROM c WHERE k = 'D';
             INSERT INTO h VALUES ('a=>1', 'a.b', 1), ('', 'c', 2); UPDATE h SET v = v + 1; DELETE FROM h WHERE k = '';
             INSERT INTO f VALUES ('a=>1, \"c d\"=>NULL', '{a.b,c}', 'Ab', 'x'), ('', '{}', 'ab', 'X'), (NULL, NULL, 'aB', 'x');
             UPDATE f SET v = 'z' WHERE k = ''; DELETE FROM f WHERE v::text = 'aB'; UPDATE f SET k = 'x=>y';
             INSERT INTO n VALUES ('abc', '1'), ('b', '2'); UPDATE n SET k = 'ABC', v = '3' WHERE k = 'ABC'; DELETE FROM n WHERE k = 'B';
             INSERT INTO i VALUES ('abc', 'x'), ('ABC', 'X'); UPDATE i SET v = '2' WHERE v = 'X'; DELETE FROM i WHERE v = 'x';",
            &PLAIN,
        );
    }
}

#[test]
fn a_char_that_is_no_ascii_arrives() {
    arrives(
        r#"CREATE TABLE t (k "char" PRIMARY KEY, v "char")"#,
        r#"INSERT INTO t VALUES ((-1)::"char", (-128)::"char"), ('a', ''); UPDATE t SET v = (-2)::"char" WHERE k = 'a';
           UPDATE t SET v = 'b' WHERE k = (-1)::"char""#,
    );
}
