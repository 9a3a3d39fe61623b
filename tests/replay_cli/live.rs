//! Slots and outputs from run to run, and what a server refuses.

use std::fs;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn makes_the_slot_if_there_is_none() {
    let cluster = source();
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "new", "--publication", "p"]);
    let told = failure(command.arg("--stop-at-current"));
    assert!(
        told.contains("42704") && told.contains("\"new\"") && told.contains("hint: create the slot"),
        "{told}"
    );
    command.arg("--create-slot");
    assert!(stderr(&run(&mut command)).contains("created slot new at "));
    insert(&cluster, 1);
    assert_eq!(inserted(&stdout(&run(&mut command))), [1]);
    assert_eq!(slots(&cluster), "new\ns");
}

#[test]
fn a_temporary_slot_dies_with_the_program() {
    let cluster = source();
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "brief", "--publication", "p"]);
    let output = run(command.args(["--create-slot", "--temporary", "--stop-at-current"]));
    assert!(last_line(&output).starts_with("replayed 0 transactions, 0 changes"), "{}", last_line(&output));
    let deadline = Instant::now() + Duration::from_secs(10);
    while slots(&cluster) != "s" {
        assert!(Instant::now() < deadline, "{}", slots(&cluster));
    }
}

/// Everyone sees what has committed, while the stream gets it only from the disk.
#[test]
fn up_to_now_includes_what_committed_without_waiting_for_the_disk() {
    let settings = [("synchronous_commit", "off"), ("wal_writer_delay", "1s")];
    let cluster = support::newest().start_with(&settings);
    prepare(&cluster);
    for id in 1..=2 {
        insert(&cluster, id);
        assert_eq!(inserted(&stdout(&run(&mut up_to_now(&cluster)))), [id]);
    }
}

/// What an earlier run wrote was acknowledged, and does not come again: the next one must not wipe it out.
#[test]
fn an_output_file_is_added_to_by_the_next_run() {
    let cluster = source();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changes.sql");
    for id in 1..=2 {
        insert(&cluster, id);
        run(up_to_now(&cluster).arg("--output").arg(&file));
    }
    let script = fs::read_to_string(&file).unwrap();
    assert_eq!(inserted(&script), [1, 2]);
    with_target(&cluster);
    cluster.play("target", script.as_bytes()).unwrap();
    assert_eq!(cluster.psql("target", "SELECT string_agg(id::text, ',') FROM t"), "1,2");

    fs::write(&file, "cut o").unwrap();
    insert(&cluster, 3);
    let told = failure(up_to_now(&cluster).arg("--output").arg(&file));
    assert!(told.contains(file.to_str().unwrap()) && told.contains("inside a line"), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "cut o");
    assert_eq!(inserted(&stdout(&run(&mut up_to_now(&cluster)))), [3], "and nothing is lost");
}

#[test]
fn a_sink_that_fails_acknowledges_nothing() {
    let cluster = source();
    insert(&cluster, 1);
    let told = failure(up_to_now(&cluster).args(["--output", "/dev/full"]));
    assert!(told.contains("No space left on device"), "{told}");
    assert_eq!(inserted(&stdout(&run(&mut up_to_now(&cluster)))), [1]);
}

#[test]
fn what_a_server_refuses_is_told_in_one_line() {
    let cluster = source();
    let conninfo = cluster.conninfo("postgres");
    let elsewhere = conninfo.replace("dbname='postgres'", "dbname=nosuch");
    let nowhere = "host=/nonexistent dbname=d user=u password=s3cret".to_owned();
    for (conninfo, publication, expected) in [
        (&elsewhere, "p", "3D000"),
        (&nowhere, "p", "/nonexistent/.s.PGSQL.5432"),
        (&conninfo, "nosuch", "nosuch"),
    ] {
        insert(&cluster, expected.len().try_into().unwrap());
        let mut command = replay();
        command.args(["--source", conninfo, "--slot", "s", "--publication", publication]);
        let told = failure(command.arg("--stop-at-current"));
        assert!(told.contains(expected), "{told}");
    }
    let role = "CREATE ROLE weak LOGIN";
    cluster.psql("postgres", role);
    let weak = conninfo.replace("user=postgres", "user=weak");
    let mut command = replay();
    let told = failure(command.args(["--source", &weak, "--slot", "s", "--publication", "p"]));
    assert!(told.contains("REPLICATION"), "{told}");
}

/// Museum 31: nothing in the stream tells.
#[test]
fn partitions_that_the_server_would_confuse_are_told() {
    for server in [support::oldest(), support::newest()] {
        let is_told = server.major == 14;
        let cluster = server.start();
        prepare(&cluster);
        cluster.psql(
            "postgres",
            r#"CREATE TABLE root (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
             CREATE TABLE "p 1" (body text, id int NOT NULL); ALTER TABLE root ATTACH PARTITION "p 1" FOR VALUES FROM (0) TO (9);
             CREATE TABLE alike PARTITION OF root DEFAULT; ALTER PUBLICATION p ADD TABLE root"#,
        );
        for (via_root, is_told) in [(false, false), (true, is_told)] {
            cluster.psql(
                "postgres",
                &format!("ALTER PUBLICATION p SET (publish_via_partition_root = {via_root})"),
            );
            let told = stderr(&run(&mut up_to_now(&cluster)));
            assert_eq!(told.contains(r#"public.\"p 1\""#), is_told, "{}: {told}", server.version);
            assert!(!told.contains("alike"), "{told}");
        }
    }
}

/// What the source knew when the script was written, the target need not agree with when it is played.
#[test]
fn a_script_truncates_no_table_that_inherits_and_every_partition() {
    let cluster = source();
    insert(&cluster, 1);
    cluster.psql("postgres", "TRUNCATE t");
    insert(&cluster, 2);
    let script = run(&mut up_to_now(&cluster)).stdout;
    with_target(&cluster);
    cluster.psql("target", "CREATE TABLE heir () INHERITS (t); INSERT INTO heir VALUES (7, 'kept')");
    cluster.play("target", &script).unwrap();
    assert_eq!(cluster.psql("target", "SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "2,7");
    cluster.create_database("parts");
    cluster.psql(
        "parts",
        "CREATE TABLE t (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF t DEFAULT; INSERT INTO t VALUES (7, 'gone')",
    );
    cluster.play("parts", &script).unwrap();
    assert_eq!(cluster.psql("parts", "SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "2");
}

/// The server's own words would be those for a slot whose log is gone, which is to be dropped.
#[test]
fn a_slot_that_is_not_for_this_is_told_by_what_it_is() {
    for server in support::servers() {
        let cluster = server.start();
        prepare(&cluster);
        cluster.create_database("other");
        cluster.psql("postgres", "SELECT pg_create_physical_replication_slot('standby', true)");
        cluster.psql("other", "SELECT pg_create_logical_replication_slot('others', 'pgoutput')");
        for (slot, expected) in [
            ("standby", "slot standby is a physical one (hint: name a logical one"),
            ("others", "slot others belongs to the database \"other"),
        ] {
            let mut command = replay();
            command.args(["--source", &cluster.conninfo("postgres"), "--slot", slot, "--publication", "p"]);
            let told = failure(&mut command);
            assert!(told.contains(expected) && !told.contains("drop"), "{told}");
        }
    }
}

#[test]
fn what_is_no_file_is_written_to_without_waiting_for_a_disk() {
    let cluster = source();
    insert(&cluster, 1);
    let told = last_line(&run(up_to_now(&cluster).args(["--output", "/dev/null"])));
    assert!(told.starts_with("replayed 1 transactions, 1 changes"), "{told}");
}
