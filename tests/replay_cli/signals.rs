//! SIGINT and SIGTERM: the batch in hand is finished, and the next run goes on behind it.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::secrets::wait_for;
use super::*;

fn signal(child: &Child, name: &str) {
    let status = Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// How it ends, within a time.
fn ended(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

struct StopsWriting<'a>(&'a AtomicBool);

impl Drop for StopsWriting<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_signal_in_mid_stream_loses_nothing_and_repeats_nothing() {
    for name in ["INT", "TERM"] {
        let cluster = source();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("changes.sql");
        let stop = AtomicBool::new(false);
        let written = thread::scope(|scope| {
            // The writer ends also when an assertion fails.
            let _ended = StopsWriting(&stop);
            let writer = scope.spawn(|| {
                let mut id = 0;
                while !stop.load(Ordering::Relaxed) {
                    let insert = |id| format!("INSERT INTO t VALUES ({id}, 'x');");
                    let inserts: Vec<_> = (id + 1..=id + 20).map(insert).collect();
                    cluster.psql("postgres", &inserts.concat());
                    id += 20;
                }
                id
            });
            let mut command = from(&cluster);
            command.args(["--batch-ms", "5", "--output"]).arg(&file).stderr(Stdio::piped());
            let child = command.spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while !fs::read_to_string(&file).is_ok_and(|sql| inserted(&sql).len() > 50) {
                assert!(Instant::now() < deadline, "nothing comes");
                thread::sleep(Duration::from_millis(5));
            }
            signal(&child, name);
            let output = ended(child);
            stop.store(true, Ordering::Relaxed);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            let first = inserted(&fs::read_to_string(&file).unwrap());
            let told = last_line(&output);
            assert!(told.starts_with(&format!("replayed {} transactions, ", first.len())), "{told}");
            let confirmed = cluster.psql("postgres", "SELECT confirmed_flush_lsn FROM pg_replication_slots");
            let acknowledged: walferry::Lsn = told.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(confirmed.parse::<walferry::Lsn>().unwrap() >= acknowledged, "{told}, but {confirmed}");
            writer.join().unwrap()
        });
        run(up_to_now(&cluster).arg("--output").arg(&file));
        assert_eq!(inserted(&fs::read_to_string(&file).unwrap()), (1..=written).collect::<Vec<u32>>());
    }
}

#[test]
fn a_signal_ends_an_idle_stream_at_once() {
    let cluster = source();
    for name in ["INT", "TERM"] {
        let child = from(&cluster).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while cluster.psql("postgres", "SELECT active FROM pg_replication_slots") != "t" {
            assert!(Instant::now() < deadline, "no stream");
        }
        signal(&child, name);
        let output = ended(child);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(last_line(&output), "replayed 0 transactions, 0 changes, acknowledged 0/0");
    }
}

#[test]
fn a_signal_while_changes_are_applied_loses_nothing_and_repeats_nothing() {
    for name in ["INT", "TERM"] {
        let cluster = source();
        with_target(&cluster);
        let into_target = |mut command: Command| {
            command.args(["--to", "postgres", "--target", &cluster.conninfo("target")]);
            command
        };
        let count = || cluster.psql("target", "SELECT count(*) FROM t").parse::<u32>().unwrap();
        let stop = AtomicBool::new(false);
        let written = thread::scope(|scope| {
            // The writer ends also when an assertion fails.
            let _ended = StopsWriting(&stop);
            let writer = scope.spawn(|| {
                let mut id = 0;
                while !stop.load(Ordering::Relaxed) {
                    let insert = |id| format!("INSERT INTO t VALUES ({id}, 'x');");
                    let inserts: Vec<_> = (id + 1..=id + 20).map(insert).collect();
                    cluster.psql("postgres", &inserts.concat());
                    id += 20;
                }
                id
            });
            let mut command = into_target(from(&cluster));
            let child = command.args(["--batch-ms", "5"]).stderr(Stdio::piped()).spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while count() <= 50 {
                assert!(Instant::now() < deadline, "nothing comes");
            }
            signal(&child, name);
            let output = ended(child);
            stop.store(true, Ordering::Relaxed);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            let told = last_line(&output);
            assert!(told.starts_with(&format!("replayed {} transactions, ", count())), "{told}");
            let confirmed = cluster.psql("postgres", "SELECT confirmed_flush_lsn FROM pg_replication_slots");
            let acknowledged: walferry::Lsn = told.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(confirmed.parse::<walferry::Lsn>().unwrap() >= acknowledged, "{told}, but {confirmed}");
            writer.join().unwrap()
        });
        run(&mut into_target(up_to_now(&cluster)));
        let all = cluster.psql("target", "SELECT count(*), min(id), max(id) FROM t");
        assert_eq!(all, format!("{written}|1|{written}"));
    }
}

#[test]
fn a_signal_ends_it_soon_while_the_target_waits_for_a_lock() {
    let cluster = source();
    with_target(&cluster);
    let mut holder = cluster.session("target");
    holder.run("BEGIN; LOCK TABLE t");
    insert(&cluster, 1);
    let into_target = |mut command: Command| {
        command.args(["--to", "postgres", "--target", &cluster.conninfo("target")]);
        command
    };
    let child = into_target(from(&cluster)).stderr(Stdio::piped()).spawn().unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait_for("the lock", || cluster.psql("target", waiting) == "1");
    signal(&child, "TERM");
    let output = ended(child);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(last_line(&output).starts_with("replayed 0 transactions, 0 changes"), "{}", stderr(&output));
    wait_for("the server to notice", || cluster.psql("target", waiting) == "0");
    drop(holder);
    let told = last_line(&run(&mut into_target(up_to_now(&cluster))));
    assert!(told.starts_with("replayed 1 transactions, 1 changes"), "{told}");
    assert_eq!(cluster.psql("target", "SELECT count(*) FROM t"), "1");
}

#[test]
fn a_signal_ends_it_while_nobody_reads_the_pipe_that_it_opens() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = replay().arg("--output").arg(&pipe).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    signal(&child, "TERM");
    let output = ended(child);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// The server makes a slot only behind the transactions that are open, and the log is kept from the beginning.
#[test]
fn a_slot_that_is_half_made_goes_with_the_program() {
    for server in support::servers() {
        let cluster = server.start();
        prepare(&cluster);
        let mut holder = cluster.session("postgres");
        holder.run("BEGIN; INSERT INTO t VALUES (1, 'x')");
        for name in ["TERM", "KILL"] {
            let mut command = replay();
            command.args(["--source", &cluster.conninfo("postgres"), "--slot", "new", "--publication", "p"]);
            let child = command.arg("--create-slot").stderr(Stdio::piped()).spawn().unwrap();
            wait_for("the slot", || slots(&cluster) == "new\ns");
            signal(&child, name);
            assert_eq!(ended(child).status.code(), (name == "TERM").then_some(0));
            wait_for("the server to notice", || slots(&cluster) == "s");
        }
    }
}
