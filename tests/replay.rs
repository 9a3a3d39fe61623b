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
    cluster.play(database, sql).unwrap_or_else(|error| panic!("applying to {database}: {error}"));
    script(cluster, database, workload::CONTENTS)
}

fn assert_equal(server: &Server, expected: &str, found: &str) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (want, have) = (lines(expected), lines(found));
    let missing: Vec<_> = want.difference(&have).take(5).collect();
    let extra: Vec<_> = have.difference(&want).take(5).collect();
    assert!(expected == found, "on {}: missing {missing:#?}, extra {extra:#?}", server.major);
}

/// What a psql script says, without what differs with streaming: messages that stand outside of transactions, which are
/// sent when they are written, and transactions of nothing that is published, which are left out only if they were not
/// sent before they end.
fn essence(sql: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = Vec::new();
    for line in sql.split(|&byte| byte == b'\n') {
        if line.starts_with(b"SELECT pg_logical_emit_message(false") {
            continue;
        }
        if line.starts_with(b"COMMIT; ") && lines.pop_if(|before| before.starts_with(b"BEGIN; ")).is_some() {
            continue;
        }
        lines.push(line);
    }
    lines
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

/// What a server may be asked for: a slot, the option `--streaming`, the cap on memory, and whether every change is to
/// be sent at once.
const WAYS: [(&str, &str, &str, bool); 8] = [
    ("off", "off", "67108864", false),
    ("stream", "on", "67108864", false),
    ("stream_files", "on", "1", false),
    ("parallel", "parallel", "67108864", false),
    ("parallel_files", "parallel", "1", false),
    ("immediate", "on", "67108864", true),
    ("immediate_files", "on", "1", true),
    ("immediate_parallel", "parallel", "100000", true),
];

#[test]
fn neither_streaming_nor_the_room_in_memory_makes_a_difference() {
    for server in support::servers() {
        // Parallel streaming and debug_logical_replication_streaming came with 16.
        let ways: Vec<_> = WAYS
            .into_iter()
            .filter(|(_, streaming, _, at_once)| server.major >= 16 || *streaming != "parallel" && !at_once)
            .collect();
        let slots: Vec<_> = ways.iter().map(|(slot, ..)| *slot).collect();
        let cluster = source(&server, &slots);
        let mut expected = None;
        for (slot, streaming, limit, at_once) in ways {
            let mut command = replay_from(&cluster, slot);
            command.args(["--streaming", streaming, "--memory-limit", limit]);
            if at_once {
                command.env("PGOPTIONS", "-c debug_logical_replication_streaming=immediate");
            }
            let script = run(&mut command).stdout;
            let lines = essence(&script).join(&b'\n');
            let expected = expected.get_or_insert_with(|| lines.clone());
            assert!(lines == *expected, "on {}, {slot}", server.major);
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
