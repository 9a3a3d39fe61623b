//! What is asked of a server, option by option.

use std::fs;

use super::*;

#[test]
fn stops_exactly_at_the_boundary_of_a_transaction() {
    let cluster = source();
    for slot in ["a", "b", "c"] {
        cluster.psql("postgres", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }
    for id in 1..=3 {
        insert(&cluster, id);
    }
    let json = stdout(&run(up_to_now(&cluster).args(["--to", "json"])));
    let second = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["event"] == "commit")
        .nth(1)
        .unwrap();
    let second: u64 = second["commit_lsn"].as_str().unwrap().parse::<walferry::Lsn>().unwrap().into();
    for (slot, stop, expected) in
        [("a", second - 1, &[1][..]), ("b", second, &[1, 2]), ("c", second + 1, &[1, 2])]
    {
        let up_to = |stop: &str| {
            let mut command = replay();
            let conninfo = cluster.conninfo("postgres");
            command.args(["--source", &conninfo, "--slot", slot, "--publication", "p"]);
            inserted(&stdout(&run(command.args(["--stop-at", stop]))))
        };
        assert_eq!(up_to(&walferry::Lsn::new(stop).to_string()), expected, "{slot}");
        // What came before is acknowledged, what comes behind is not lost.
        let all = [1, 2, 3];
        assert_eq!(up_to(&cluster.wal_position()), all[expected.len()..], "{slot}");
    }
}

#[test]
fn messages_come_when_they_are_asked_for() {
    let cluster = source();
    let emit =
        "SELECT pg_logical_emit_message(true, 'inside', 'x'), pg_logical_emit_message(false, 'outside', 'y')";
    cluster.psql("postgres", "SELECT pg_create_logical_replication_slot('quiet', 'pgoutput')");
    cluster.psql("postgres", emit);
    let sql = stdout(&run(up_to_now(&cluster).arg("--messages")));
    assert!(sql.contains("'inside'") && sql.contains("'outside'"), "{sql}");
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "quiet", "--publication", "p"]);
    let sql = stdout(&run(command.arg("--stop-at-current")));
    assert!(!sql.contains("side'"), "{sql}");
}

#[test]
fn what_came_from_elsewhere_is_left_out_on_request() {
    for server in support::servers() {
        let cluster = server.start();
        prepare(&cluster);
        insert(&cluster, 1);
        cluster.psql(
            "postgres",
            "SELECT pg_replication_origin_create('elsewhere'); SELECT pg_replication_origin_session_setup('elsewhere');
             INSERT INTO t VALUES (2, 'x')",
        );
        let mut command = up_to_now(&cluster);
        command.args(["--origin", "none"]);
        if server.major >= 16 {
            assert_eq!(inserted(&stdout(&run(&mut command))), [1]);
        } else {
            let told = failure(&mut command);
            assert!(told.contains("origin = none needs PostgreSQL 16 or later; this server is"), "{told}");
            assert_eq!(inserted(&stdout(&run(up_to_now(&cluster).args(["--origin", "any"])))), [1, 2]);
        }
    }
}

#[test]
fn parallel_streaming_is_refused_where_there_is_none() {
    let cluster = support::oldest().start();
    prepare(&cluster);
    if cluster.major() < 16 {
        let told = failure(up_to_now(&cluster).args(["--streaming", "parallel"]));
        assert!(told.contains("streaming = parallel needs PostgreSQL 16"), "{told}");
    }
}

#[test]
fn a_transaction_in_progress_that_is_too_large_goes_to_a_file() {
    let cluster = support::newest().start_with(&[("logical_decoding_work_mem", "64kB")]);
    prepare(&cluster);
    cluster.psql("postgres", "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i");
    let tiny = || {
        let mut command = up_to_now(&cluster);
        command.args(["--streaming", "on", "--memory-limit", "1000", "--batch-bytes", "5000"]);
        command
    };
    let told = failure(tiny().env("TMPDIR", "/nonexistent"));
    assert!(told.contains("can't be kept in a file") && told.contains("/nonexistent"), "{told}");
    let folder = tempfile::tempdir().unwrap();
    let output = run(tiny().env("TMPDIR", folder.path()));
    assert_eq!(inserted(&stdout(&output)), (1..=3000).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_batch_ends_where_it_is_told_to_and_nothing_changes() {
    let cluster = source();
    for slot in ["a", "b", "c", "d"] {
        cluster.psql("postgres", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }
    cluster.psql(
        "postgres",
        "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 50) i; INSERT INTO t VALUES (51, '')",
    );
    let scripts: Vec<_> = [
        ("a", "--batch-rows", "1"),
        ("b", "--batch-bytes", "1"),
        ("c", "--batch-ms", "0"),
        ("d", "--batch-rows", "9"),
    ]
    .iter()
    .map(|(slot, option, value)| {
        let mut command = replay();
        command.args(["--source", &cluster.conninfo("postgres"), "--slot", slot, "--publication", "p"]);
        let output = run(command.args(["--stop-at-current", option, value]));
        assert!(
            last_line(&output).starts_with("replayed 2 transactions, 51 changes"),
            "{}",
            last_line(&output)
        );
        stdout(&output)
    })
    .collect();
    assert!(scripts.iter().all(|script| *script == scripts[0]));
}

#[test]
fn tables_are_chosen_by_their_exact_names() {
    let cluster = source();
    cluster.psql("postgres", r#"INSERT INTO t VALUES (1, 'x'); INSERT INTO "c.d" VALUES (2)"#);
    cluster.psql("postgres", "SELECT pg_copy_logical_replication_slot('s', 's2')");
    let output = run(up_to_now(&cluster).args(["--only", "public.c.d"]));
    assert!(stdout(&output).contains(r#""public"."c.d""#) && inserted(&stdout(&output)).is_empty());
    assert!(stderr(&output).contains("left out 1 changes"), "{}", stderr(&output));
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "s2", "--publication", "p"]);
    let output = run(command.args(["--stop-at-current", "--except", "public.c.d"]));
    assert!(!stdout(&output).contains("c.d") && inserted(&stdout(&output)) == [1]);
}

#[test]
fn the_summary_stays_the_last_line_whatever_the_log_is() {
    let cluster = source();
    insert(&cluster, 1);
    let output = run(up_to_now(&cluster).args(["-vvv", "--log-format", "json"]));
    let told = stderr(&output);
    let (summary, log) =
        told.trim_end().rsplit_once('\n').map_or((told.trim_end(), ""), |(log, last)| (last, log));
    assert!(summary.starts_with("replayed 1 transactions, 1 changes"), "{summary}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect(line);
    }
}

#[test]
fn changes_are_recorded_and_a_recording_is_not_touched() {
    let cluster = source();
    insert(&cluster, 1);
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture");
    let output = run(up_to_now(&cluster).arg("--capture").arg(&capture));
    let again = run(replay().arg("--from-capture").arg(&capture));
    assert_eq!((&again.stdout, last_line(&again)), (&output.stdout, last_line(&output)));

    let before = fs::read(&capture).unwrap();
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "new", "--publication", "p"]);
    let told = failure(command.args(["--create-slot", "--capture"]).arg(&capture));
    assert!(told.contains(capture.to_str().unwrap()) && told.contains("exists"), "{told}");
    assert_eq!(fs::read(&capture).unwrap(), before);
    assert_eq!(slots(&cluster), "s", "no slot is left behind");
}

#[test]
fn the_mapping_of_json_is_for_json() {
    let output = replay().args(["--json-mapping", "friendly"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--json-mapping is for --to json"), "{}", stderr(&output));

    let lossless = stdout(&run(replay().args(["--to", "json"])));
    assert_eq!(stdout(&run(replay().args(["--to", "json", "--json-mapping", "lossless"]))), lossless);
    let friendly = stdout(&run(replay().args(["--to", "json", "--json-mapping", "friendly"])));
    assert!(lossless.contains(r#""new":{"id":"1","#) && friendly.contains(r#""new":{"id":1,"#), "{friendly}");
}
