//! The main job, on every server that is installed: a hostile database through `replay` and psql into another one.
#![allow(
    clippy::allow_attributes,
    clippy::panic,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod program;
mod support;
mod workload;

use std::collections::BTreeSet;
use std::process::Command;

use program::{last_line, replay, run};
use support::{Cluster, Server};

/// A source with the workload's tables, publications and one slot per name; then its changes.
fn source(server: &Server, slots: &[&str]) -> Cluster {
    source_of(server, workload::TABLES, slots)
}

fn source_of(server: &Server, tables: &str, slots: &[&str]) -> Cluster {
    let cluster = server.start_with(&[("logical_decoding_work_mem", "64kB")]);
    cluster.create_database("source");
    script(&cluster, "source", tables);
    script(&cluster, "source", workload::PUBLISH);
    for slot in slots {
        cluster.psql("source", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }
    script(&cluster, "source", workload::CHANGES);
    cluster
}

fn script(cluster: &Cluster, database: &str, script: &str) -> String {
    cluster.psql_file(database, script.as_bytes()).unwrap_or_else(|error| panic!("in {database}: {error}"))
}

/// `replay` of everything up to now.
fn replay_from(cluster: &Cluster, slot: &str) -> Command {
    let mut command = replay();
    command.args([
        "--source",
        &cluster.conninfo("source"),
        "--slot",
        slot,
        "--stop-at-current",
        "--messages",
    ]);
    for publication in workload::PUBLICATIONS {
        command.args(["--publication", publication]);
    }
    command
}

/// Applies a script to a new database with the same tables, and returns what is in them.
fn applied(cluster: &Cluster, database: &str, sql: &[u8]) -> String {
    applied_to(cluster, database, workload::TABLES, sql)
}

fn applied_to(cluster: &Cluster, database: &str, tables: &str, sql: &[u8]) -> String {
    cluster.create_database(database);
    script(cluster, database, tables);
    cluster.psql_file(database, sql).unwrap_or_else(|error| panic!("applying to {database}: {error}"));
    script(cluster, database, workload::CONTENTS)
}

fn assert_equal(server: &Server, expected: &str, found: &str) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (want, have) = (lines(expected), lines(found));
    let missing: Vec<_> = want.difference(&have).take(5).collect();
    let extra: Vec<_> = have.difference(&want).take(5).collect();
    assert!(expected == found, "on {}: missing {missing:#?}, extra {extra:#?}", server.major);
}

/// What a psql script says, without the messages that stand outside of transactions: these are sent when they are
/// written, so that their place among transactions differs with streaming.
fn without_stand_alone_messages(sql: &[u8]) -> Vec<&[u8]> {
    let stands_alone = |line: &&[u8]| line.starts_with(b"SELECT pg_logical_emit_message(false");
    sql.split(|&byte| byte == b'\n').filter(|line| !stands_alone(line)).collect()
}

#[test]
fn a_hostile_database_arrives_as_it_was_on_every_server() {
    for server in support::servers() {
        let cluster = source(&server, &["plain"]);
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("capture");
        let expected = script(&cluster, "source", workload::CONTENTS);
        assert!(expected.lines().count() > 250, "the workload left something behind");

        let live = run(replay_from(&cluster, "plain").arg("--capture").arg(&capture));
        assert_equal(&server, &expected, &applied(&cluster, "target", &live.stdout));
        assert!(last_line(&live).starts_with("replayed 1"), "{}", last_line(&live));

        let captured = run(replay().arg("--from-capture").arg(&capture));
        assert!(captured.stdout == live.stdout, "on {}: the capture gives another script", server.major);
        assert_eq!(last_line(&captured), last_line(&live));

        let again = run(&mut replay_from(&cluster, "plain"));
        assert_eq!(last_line(&again), "replayed 0 transactions, 0 changes, acknowledged 0/0");
    }
}

#[test]
fn streaming_makes_no_difference() {
    for server in support::servers() {
        let variants = workload::variants(server.major);
        let slots: Vec<_> = variants.iter().map(|(name, _)| *name).collect();
        let cluster = source(&server, &slots);
        let scripts: Vec<_> = ["off", "on", "parallel"]
            .iter()
            .zip(&slots)
            .map(|(streaming, slot)| run(replay_from(&cluster, slot).args(["--streaming", streaming])).stdout)
            .collect();
        for script in &scripts {
            assert!(
                without_stand_alone_messages(script) == without_stand_alone_messages(&scripts[0]),
                "on {}",
                server.major
            );
        }
    }
}

#[test]
fn binary_values_give_the_script_of_text() {
    // The name of an object is a number in binary, which only its server can turn into the name.
    let tables = workload::TABLES.replace(" regclass", " text");
    assert_ne!(tables, workload::TABLES);
    for server in support::servers() {
        let cluster = source_of(&server, &tables, &["text", "binary"]);
        let expected = script(&cluster, "source", workload::CONTENTS);
        let text = run(&mut replay_from(&cluster, "text")).stdout;
        let binary = run(replay_from(&cluster, "binary").arg("--binary")).stdout;
        assert!(text.windows(10).any(|bytes| bytes == b"emit_messa"), "the script was written");
        assert_same_lines(&server, &text, &binary);
        assert_equal(&server, &expected, &applied_to(&cluster, "target", &tables, &binary));
    }
}

fn assert_same_lines(server: &Server, expected: &[u8], found: &[u8]) {
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, found) in lines(expected).iter().zip(&lines(found)) {
        assert_eq!(expected, found, "on {}", server.major);
    }
    assert!(expected == found, "on {}: one is longer", server.major);
}
