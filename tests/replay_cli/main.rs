//! The contract of the `replay` program: options, exit statuses, words, signals, secrets.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod conflicts;
mod copy;
mod live;
mod offline;
mod options;
mod origins;
mod rights;
mod secrets;
mod signals;
mod target;
mod values;

#[path = "../program/mod.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

use std::process::{Command, Output};

use program::{last_line, replay, run};
use support::Cluster;

/// A table that is published, and a slot.
fn source() -> Cluster {
    let cluster = support::newest().start();
    prepare(&cluster);
    cluster
}

fn prepare(cluster: &Cluster) {
    cluster.psql(
        "postgres",
        r#"CREATE TABLE t (id int PRIMARY KEY, body text); CREATE TABLE "c.d" (id int PRIMARY KEY);
         CREATE PUBLICATION p FOR TABLE t, "c.d";
         SELECT pg_create_logical_replication_slot('s', 'pgoutput')"#,
    );
}

fn insert(cluster: &Cluster, id: u32) {
    cluster.psql("postgres", &format!("INSERT INTO t VALUES ({id}, 'x')"));
}

const TARGET_TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, body text)";

/// Another database with the same table.
fn with_target(cluster: &Cluster) {
    cluster.create_database("target");
    cluster.psql("target", TARGET_TABLE);
}

/// The tables of the bundled story.
const STORY_TABLES: &str = "CREATE TABLE notes (id int PRIMARY KEY, author text, body text, scan text);
     CREATE TABLE drafts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)";

/// What they hold at its end.
fn assert_story(cluster: &Cluster) {
    let rows =
        "SELECT id, author, body IS NULL, replace(body, E'\\n', '<lf>'), length(scan) FROM notes ORDER BY id";
    let expected =
        ["2|Grace|t||", "4|Zoë|f|signed|2080", "30|O'Brien|f|She said \"it's C:\\temp\"<lf>and left. 🚢|"];
    assert_eq!(cluster.psql("postgres", rows).lines().collect::<Vec<_>>(), expected);
    assert_eq!(cluster.psql("postgres", "SELECT count(*) FROM drafts"), "0");
}

fn from(cluster: &Cluster) -> Command {
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "s", "--publication", "p"]);
    command
}

/// Everything up to now.
fn up_to_now(cluster: &Cluster) -> Command {
    let mut command = from(cluster);
    command.arg("--stop-at-current");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The one line that a failure is told in.
fn failure(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {told}");
    assert!(told.starts_with("replay: ") && told.lines().count() == 1, "{told}");
    assert!(!told.contains("s3cret") && !stdout(&output).contains("s3cret"), "{told}");
    told
}

fn slots(cluster: &Cluster) -> String {
    cluster.psql("postgres", "SELECT slot_name FROM pg_replication_slots ORDER BY 1")
}

/// The ids that the committed transactions of a script insert into `t`.
fn inserted(sql: &str) -> Vec<u32> {
    let (mut committed, mut open) = (Vec::new(), Vec::new());
    for line in sql.lines() {
        if line.starts_with("BEGIN") {
            open.clear();
        } else if line.starts_with("COMMIT") {
            committed.append(&mut open);
        } else if let Some(id) = line.strip_prefix(INSERT) {
            open.push(id.split('\'').next().unwrap().parse().unwrap());
        }
    }
    committed
}

const INSERT: &str = r#"INSERT INTO "public"."t" ("id", "body") OVERRIDING SYSTEM VALUE VALUES ('"#;
