//! What the tables held, in front of the changes.

use std::thread;
use std::time::{Duration, Instant};

use walferry::sink::json;
use walferry::{Change, Event};

use super::*;

/// A table with rows, published, and no slot.
fn with_rows() -> Cluster {
    let cluster = source();
    cluster.psql(
        "postgres",
        "SELECT pg_drop_replication_slot('s');
         INSERT INTO t SELECT i, CASE i WHEN 1 THEN 'null' WHEN 2 THEN NULL ELSE 'x' END FROM generate_series(1, 3) i",
    );
    cluster
}

fn copying(cluster: &Cluster) -> Command {
    let mut command = up_to_now(cluster);
    command.args(["--create-slot", "--copy"]);
    command
}

#[test]
fn a_script_begins_with_the_rows_and_goes_on_with_the_changes() {
    let cluster = with_rows();
    let output = run(&mut copying(&cluster));
    assert!(stderr(&output).contains("copying the tables as of "), "{}", stderr(&output));
    assert!(
        last_line(&output).starts_with("replayed 1 transactions, 3 changes, acknowledged "),
        "{}",
        last_line(&output)
    );
    assert_eq!(slots(&cluster), "s");
    insert(&cluster, 4);
    let told = failure(&mut copying(&cluster));
    assert!(told.contains("is there already") && told.contains("pg_drop_replication_slot('s')"), "{told}");
    let rest = run(&mut up_to_now(&cluster));
    with_target(&cluster);
    let script = [output.stdout.as_slice(), &rest.stdout].concat();
    cluster.psql_file("target", &script).unwrap();
    let rows = "SELECT string_agg(id || coalesce('=' || body, ''), ',' ORDER BY id) FROM t";
    assert_eq!(cluster.psql("target", rows), "1=null,2,3=x,4=x");
}

#[test]
fn json_says_which_rows_were_there_before() {
    let cluster = with_rows();
    let lines = stdout(&run(copying(&cluster).args(["--to", "json"])));
    let events: Vec<Event> = json::Reader::new(lines.as_bytes()).collect::<Result<_, _>>().unwrap();
    assert_eq!(
        events.iter().filter(|event| matches!(event, Event::Change(Change::Snapshot { .. }))).count(),
        3
    );
    assert_eq!(events.len(), 5, "and what begins and ends them");
}

#[test]
fn a_target_is_copied_to_once_however_often_the_command_is_given() {
    let cluster = with_rows();
    with_target(&cluster);
    let mut command = copying(&cluster);
    command.args(["--to", "postgres", "--target", &cluster.conninfo("target")]);
    for (id, told) in [(4, "replayed 1 transactions, 3 changes"), (5, "replayed 1 transactions, 1 changes")] {
        let output = run(&mut command);
        assert!(last_line(&output).starts_with(told), "{}", last_line(&output));
        insert(&cluster, id);
    }
    assert_eq!(cluster.psql("target", "SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "1,2,3,4");
}

/// Killed while the copy is on its way; then the same command again.
#[test]
fn a_killed_copy_leaves_nothing_here_and_there() {
    let cluster = with_rows();
    cluster.psql("postgres", "INSERT INTO t SELECT i, 'x' FROM generate_series(4, 60000) i");
    with_target(&cluster);
    let mut command = copying(&cluster);
    command.args(["--batch-rows", "1000"]);
    command.args(["--to", "postgres", "--target", &cluster.conninfo("target")]);
    // The target doesn't take the rows before somebody lets go of the table.
    let mut session = cluster.session("target");
    session.run("BEGIN; LOCK TABLE t IN SHARE MODE");
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    while cluster.psql("target", waiting) != "1" {
        assert!(begun.elapsed() < Duration::from_secs(20), "it doesn't get to the target");
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(session);
    while !slots(&cluster).is_empty()
        || cluster.psql(
            "target",
            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'target' AND pid <> pg_backend_pid()",
        ) != "0"
    {
        assert!(begun.elapsed() < Duration::from_secs(40), "{}", slots(&cluster));
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(cluster.psql("target", "SELECT count(*) FROM t"), "0");
    run(&mut command);
    assert_eq!(cluster.psql("target", "SELECT count(*) FROM t"), "60000");
    assert_eq!(slots(&cluster), "s");
}

#[test]
fn a_copy_is_for_a_slot_that_is_made_and_not_for_a_capture() {
    let cluster = source();
    for (arguments, expected) in [
        (&["--copy"][..], "--create-slot"),
        (&["--create-slot", "--copy", "--capture", "f"], "cannot be used with"),
    ] {
        let output = from(&cluster).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}
