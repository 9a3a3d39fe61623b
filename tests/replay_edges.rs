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
fn a_key_stored_out_of_line_beside_an_identity_column_arrives() {
    arrives(
        "CREATE TABLE t (k text PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, v text) WITH (toast_tuple_target = 128);
         ALTER TABLE t ALTER k SET STORAGE EXTERNAL;",
        "INSERT INTO t (k, v) SELECT repeat('key' || g, 600), 'v' FROM generate_series(1, 3) g;
         UPDATE t SET v = 'w' WHERE k LIKE 'key1%'; UPDATE t SET number = DEFAULT WHERE k LIKE 'key2%';
         UPDATE t SET number = DEFAULT, k = 'short' WHERE k LIKE 'key3%';",
    );
}
