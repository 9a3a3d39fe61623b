//! Into another server, each transaction exactly once.

use std::process::Stdio;

use super::secrets::{Running, wait_for};
use super::*;

fn into<'a>(command: &'a mut Command, cluster: &Cluster, database: &str) -> &'a mut Command {
    command.args(["--to", "postgres", "--target", &cluster.conninfo(database)])
}

/// A published table with a slot, and another database with the same table.
fn source_and_target() -> Cluster {
    let cluster = source();
    with_target(&cluster);
    cluster
}

fn ids(cluster: &Cluster) -> String {
    cluster.psql("target", "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM t")
}

fn apply(cluster: &Cluster) -> String {
    let output = run(into(&mut up_to_now(cluster), cluster, "target"));
    assert!(output.stdout.is_empty());
    last_line(&output)
}

#[test]
fn the_story_happens_once_however_often_it_is_told() {
    for server in support::servers() {
        let cluster = server.start();
        cluster.psql("postgres", STORY_TABLES);
        let tell = || {
            let output = run(into(&mut replay(), &cluster, "postgres"));
            assert!(output.stdout.is_empty());
            last_line(&output)
        };
        let first = tell();
        assert!(first.starts_with("replayed 6 transactions, 10 changes, acknowledged "), "{first}");
        assert_story(&cluster);
        let again = tell();
        assert!(again.starts_with("replayed 0 transactions, 0 changes, acknowledged "), "{again}");
        assert_story(&cluster);
        let name = cluster.psql("postgres", "SELECT name FROM walferry.progress");
        assert_eq!(name, "story", "the name of the slot that was recorded");
    }
}

#[test]
fn the_next_run_goes_on_where_the_target_stands() {
    let cluster = source_and_target();
    for (id, all) in [(1, "1"), (2, "1,2")] {
        insert(&cluster, id);
        let told = apply(&cluster);
        assert!(told.starts_with("replayed 1 transactions, 1 changes, acknowledged "), "{told}");
        assert_eq!(ids(&cluster), all);
    }
    let told = apply(&cluster);
    assert!(told.starts_with("replayed 0 transactions, 0 changes, acknowledged "), "{told}");
}

/// As after a crash between the commit in the target and what the source hears of it.
#[test]
fn what_the_source_sends_again_is_not_applied_again() {
    let cluster = source_and_target();
    let copy = |from: &str, to: &str| {
        let sql = format!("SELECT pg_copy_logical_replication_slot('{from}', '{to}')");
        cluster.psql("postgres", &sql);
    };
    copy("s", "before");
    insert(&cluster, 1);
    cluster.psql("postgres", "UPDATE t SET body = body || 'y'");
    apply(&cluster);
    cluster.psql("postgres", "SELECT pg_drop_replication_slot('s')");
    copy("before", "s");
    insert(&cluster, 2);
    let told = apply(&cluster);
    assert!(told.starts_with("replayed 1 transactions, 1 changes, acknowledged "), "{told}");
    assert_eq!(cluster.psql("target", "SELECT string_agg(body, ',' ORDER BY id) FROM t"), "xy,x");
}

#[test]
fn a_table_that_is_missing_is_told_with_what_to_do() {
    let cluster = source();
    cluster.create_database("target");
    insert(&cluster, 1);
    let told = failure(into(&mut up_to_now(&cluster), &cluster, "target"));
    assert!(told.contains("public.t") && told.contains("(hint: create it on the target"), "{told}");
    cluster.psql("target", TARGET_TABLE);
    apply(&cluster);
    assert_eq!(ids(&cluster), "1", "nothing is lost");
}

/// A slot that nobody reads fills the disk of the source.
#[test]
fn no_slot_is_made_for_a_target_that_cannot_be_reached() {
    let cluster = source();
    let elsewhere = cluster.conninfo("postgres").replace("dbname='postgres'", "dbname=nosuch");
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "new", "--publication", "p"]);
    command.args(["--create-slot", "--to", "postgres", "--target", &elsewhere]);
    let told = failure(&mut command);
    assert!(told.contains("the target") && told.contains("3D000"), "{told}");
    assert!(told.contains("hint: the database does not exist"), "{told}");
    assert_eq!(slots(&cluster), "s");
}

#[test]
fn a_target_is_for_postgres_and_takes_no_file() {
    for (arguments, expected) in [
        (&["--to", "postgres"][..], "--target <CONNINFO>"),
        (&["--target", "host=h"], "--target is for --to postgres"),
        (&["--to", "json", "--target", "host=h"], "--target is for --to postgres"),
        (&["--to", "postgres", "--target", "host=h", "--output", "f"], "cannot be used with"),
        (
            &["--to", "postgres", "--target", "host=h", "--json-mapping", "friendly"],
            "--json-mapping is for --to json",
        ),
        (&["--to", "postgres", "--target", "nosuch=x"], "--target"),
    ] {
        let output = replay().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_table_that_inherits_since_the_program_began_is_not_truncated() {
    let cluster = source_and_target();
    let mut command = from(&cluster);
    into(&mut command, &cluster, "target").stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    insert(&cluster, 1);
    wait_for("the first row", || ids(&cluster) == "1");
    cluster.psql("target", "CREATE TABLE heir () INHERITS (t); INSERT INTO heir VALUES (7, 'kept')");
    cluster.psql("postgres", "BEGIN; TRUNCATE t; INSERT INTO t VALUES (2, 'x'); COMMIT");
    wait_for("the second row", || cluster.psql("target", "SELECT count(*) FROM ONLY t WHERE id = 2") == "1");
    drop(running);
    assert_eq!(cluster.psql("target", "SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "2,7");
}

/// By the sink for another server, and by a script that psql runs as it is written.
#[test]
fn a_row_of_a_table_that_inherits_since_the_program_began_is_left_alone() {
    let cluster = source_and_target();
    cluster.psql("postgres", "SELECT pg_copy_logical_replication_slot('s', 'script')");
    let [copied, target] = ["copied", "target"].map(support::sql::database);
    cluster.psql("postgres", &format!("CREATE DATABASE {copied} TEMPLATE {target}"));
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "script", "--publication", "p"]);
    let mut writer = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut psql = Command::new("psql");
    psql.args(["-Xq", "-d", &cluster.conninfo("copied")]).stdin(writer.0.stdout.take().unwrap());
    let psql = Running(psql.stdout(Stdio::null()).spawn().unwrap());
    let mut command = from(&cluster);
    into(&mut command, &cluster, "target").stderr(Stdio::null());
    let applies = Running(command.spawn().unwrap());
    let are = |expected: &str| {
        let rows =
            "SELECT string_agg(concat(tableoid::regclass, id, body), ' ' ORDER BY tableoid, id) FROM t";
        ["target", "copied"].iter().all(|database| cluster.psql(database, rows) == expected)
    };
    insert(&cluster, 1);
    wait_for("the first row", || are("t1x"));
    for database in ["postgres", "target", "copied"] {
        let sql = "CREATE TABLE heir () INHERITS (t); INSERT INTO heir VALUES (1, 'kept'), (2, 'kept')";
        cluster.psql(database, sql);
    }
    cluster.psql("postgres", "UPDATE ONLY t SET body = 'y'");
    wait_for("the update", || are("t1y heir1kept heir2kept"));
    cluster.psql("postgres", "DELETE FROM ONLY t; INSERT INTO t VALUES (2, 'z')");
    wait_for("the delete", || are("t2z heir1kept heir2kept"));
    drop((writer, psql, applies));
}

/// It would say that all went well, and hold nothing.
#[test]
fn a_view_whose_triggers_do_not_fire_is_refused() {
    let cluster = source();
    cluster.create_database("target");
    cluster.psql(
        "target",
        "CREATE TABLE base (id int PRIMARY KEY, body text); CREATE VIEW t AS SELECT * FROM base;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO base VALUES (new.*); RETURN new; END';
         CREATE TRIGGER g INSTEAD OF INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    );
    insert(&cluster, 1);
    let told = failure(into(&mut up_to_now(&cluster), &cluster, "target"));
    assert!(told.contains("public.t") && told.contains("INSTEAD OF triggers don't fire"), "{told}");
    let script = run(&mut up_to_now(&cluster)).stdout;
    let told = cluster.play("target", &script).unwrap_err();
    assert!(told.contains("INSTEAD OF triggers do not fire here"), "{told}");
    cluster.psql("target", "DROP TRIGGER g ON t");
    cluster.play("target", &script).unwrap();
    assert_eq!(ids(&cluster), "1");
}

#[test]
fn a_row_that_a_trigger_of_the_target_swallows_stops_the_script() {
    let cluster = source_and_target();
    cluster.psql(
        "target",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER g",
    );
    insert(&cluster, 1);
    let script = run(&mut up_to_now(&cluster)).stdout;
    let told = cluster.play("target", &script).unwrap_err();
    assert!(told.contains("expected to change one row, changed 0"), "{told}");
    cluster.psql("target", "DROP TRIGGER g ON t");
    cluster.play("target", &script).unwrap();
    assert_eq!(ids(&cluster), "1");
}
