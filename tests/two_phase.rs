//! Two-phase commit through `replay` and psql into another cluster, on every server that has it.
#![expect(clippy::panic, reason = "a helper of a test fails the test")]

mod program;
mod support;

use std::process::Command;

use program::{last_line, replay, run};
use support::{Cluster, Server};

const ROWS: &str = "SELECT count(*), sum(id), min(body) FROM t";
const PREPARED: &str = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY gid";

/// Names as hostile as they can be: the last one is as long as the server takes, 199 bytes.
fn gids() -> [String; 4] {
    [
        r#"it's \ "g" 100% %s $1 :id"#.into(),
        r"E'\n' -- \g".into(),
        String::new(),
        format!("{}é", "x".repeat(197)),
    ]
}

fn quoted(gid: &str) -> String {
    format!("'{}'", gid.replace('\'', "''"))
}

fn table(cluster: &Cluster) {
    cluster.create_database("d");
    cluster.psql("d", "CREATE TABLE t (id int PRIMARY KEY, body text)");
}

/// A source and a target. A name is prepared once in a cluster, so these are two.
fn clusters(server: &Server) -> (Cluster, Cluster) {
    let source = server.start_with(&[("logical_decoding_work_mem", "64kB")]);
    let target = support::newest().start();
    table(&source);
    table(&target);
    source.psql("d", "CREATE PUBLICATION p FOR TABLE t");
    (source, target)
}

/// Everything up to now.
fn up_to_now(cluster: &Cluster, slot: &str) -> Command {
    let mut command = replay();
    command.args([
        "--source",
        &cluster.conninfo("d"),
        "--slot",
        slot,
        "--publication",
        "p",
        "--stop-at-current",
    ]);
    command
}

fn prepare(cluster: &Cluster, gid: &str, changes: &str) {
    cluster.psql("d", &format!("BEGIN; {changes}; PREPARE TRANSACTION {}", quoted(gid)));
}

fn apply(target: &Cluster, sql: &[u8]) {
    let applied = target.play("d", sql);
    applied.unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(sql)));
}

fn large(first: u32) -> String {
    format!(
        "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series({first}, {first} + 2999) i; SAVEPOINT s;
         INSERT INTO t SELECT -i, repeat('y', 100) FROM generate_series({first}, {first} + 999) i; ROLLBACK TO s"
    )
}

/// Prepares under every name, one of them large, and finishes half of them each way.
fn arrives(server: &Server, (source, target): &(Cluster, Cluster), options: &[&str]) {
    for cluster in [source, target] {
        cluster.psql("d", "TRUNCATE t");
    }
    source.psql("d", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
    let mut command = up_to_now(source, "s");
    command.args(["--create-slot", "--two-phase"]).args(options);
    assert!(last_line(&run(&mut command)).starts_with("replayed 0 "));
    let gids = gids();
    for (gid, first) in gids.iter().zip([10_000, 20_000, 30_000, 40_000]) {
        prepare(source, gid, &large(first));
    }
    prepare(source, "undone", "INSERT INTO t VALUES (5, 'undone')");
    source.psql("d", "INSERT INTO t VALUES (1, 'between')");
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let capture = folder.path().join("capture");
    let output = run(command.arg("--capture").arg(&capture));
    let captured = run(replay().arg("--from-capture").arg(&capture));
    assert!(captured.stdout == output.stdout, "{server:?}: the capture gives another script");
    apply(target, &output.stdout);
    assert_eq!(target.psql("d", PREPARED), source.psql("d", PREPARED), "{server:?}");
    assert_eq!(target.psql("d", ROWS), "1|1|between", "{server:?}: what is prepared is not to be seen");

    for gid in &gids {
        source.psql("d", &format!("COMMIT PREPARED {}", quoted(gid)));
    }
    source.psql("d", "ROLLBACK PREPARED 'undone'");
    let mut command = up_to_now(source, "s");
    let output = run(command.arg("--two-phase").args(options));
    assert!(last_line(&output).starts_with("replayed 5 transactions, 0 changes"), "{}", last_line(&output));
    apply(target, &output.stdout);
    assert_eq!(target.psql("d", PREPARED), "");
    assert_eq!(target.psql("d", ROWS), source.psql("d", ROWS), "{server:?}");
}

#[test]
fn prepared_transactions_arrive_prepared_and_end_as_they_did() {
    for server in support::servers().iter().filter(|server| server.major >= 15) {
        let clusters = clusters(server);
        arrives(server, &clusters, &[]);
        arrives(server, &clusters, &["--streaming", "on", "--memory-limit", "1"]);
        if server.major >= 16 {
            arrives(server, &clusters, &["--streaming", "parallel"]);
        }
    }
}

#[test]
fn what_was_never_here_is_rolled_back_by_doing_nothing() {
    let (source, target) = clusters(&support::newest());
    run(up_to_now(&source, "s").args(["--create-slot", "--two-phase"]));
    for (gid, id) in gids().iter().zip(1..) {
        prepare(&source, gid, &format!("INSERT INTO t VALUES ({id}, 'x')"));
    }
    run(&mut up_to_now(&source, "s"));
    for gid in gids() {
        source.psql("d", &format!("ROLLBACK PREPARED {}", quoted(&gid)));
    }
    let output = run(&mut up_to_now(&source, "s"));
    assert!(last_line(&output).starts_with("replayed 4 transactions"), "{}", last_line(&output));
    apply(&target, &output.stdout);
}

#[test]
fn a_slot_for_two_phase_commit_serves_whoever_does_not_ask_too() {
    for server in support::servers().iter().filter(|server| server.major >= 15) {
        let (source, target) = clusters(server);
        source.psql("d", "SELECT pg_create_logical_replication_slot('s', 'pgoutput', false, true)");
        source.psql("d", "SELECT pg_create_logical_replication_slot('plain', 'pgoutput')");
        prepare(&source, "g", "INSERT INTO t VALUES (1, 'x')");
        apply(&target, &run(&mut up_to_now(&source, "s")).stdout);
        assert_eq!(target.psql("d", PREPARED), "g", "{server:?}");
        let plain = run(&mut up_to_now(&source, "plain"));
        assert!(last_line(&plain).starts_with("replayed 0 "), "{}", last_line(&plain));
        source.psql("d", "COMMIT PREPARED 'g'");
        apply(&target, &run(&mut up_to_now(&source, "s")).stdout);
        assert_eq!(target.psql("d", ROWS), "1|1|x");
        let plain = run(&mut up_to_now(&source, "plain"));
        assert!(last_line(&plain).starts_with("replayed 1 transactions, 1 "), "{}", last_line(&plain));
    }
}

#[test]
fn a_server_without_two_phase_decoding_says_so_and_no_slot_is_left() {
    for server in support::servers().iter().filter(|server| server.major < 15) {
        let (source, _) = clusters(server);
        let output = up_to_now(&source, "s").args(["--create-slot", "--two-phase"]).output();
        let output = output.unwrap_or_else(|error| panic!("{error}"));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            told.contains("two-phase commit needs PostgreSQL 15 or later") && told.lines().count() == 1,
            "{told}"
        );
        assert_eq!(source.psql("d", "SELECT count(*) FROM pg_replication_slots"), "0");

        source.psql("d", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
        let output = up_to_now(&source, "s").arg("--two-phase").output();
        let told = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(told.as_ref().is_ok_and(|told| told.contains("two_phase needs PostgreSQL 15")), "{told:?}");
    }
}
