//! Transactions larger than the memory they may take: how much the `replay` program needs at its peak.
//!
//! `WALFERRY_LONG=1` is the long form, which needs 15 GB of disk: `WALFERRY_LONG=1 cargo test --release --test large`.
#![expect(clippy::expect_used, reason = "a helper of a test fails the test")]

mod program;
mod support;

use std::env;
use std::fs;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use program::{replay, run};
use support::Cluster;

const MIB: usize = 1 << 20;

/// What the program takes beside the changes.
const ITSELF: usize = 32 * MIB;

fn is_long() -> bool {
    env::var("WALFERRY_LONG").is_ok_and(|value| !matches!(value.as_str(), "" | "0"))
}

fn source(slots: &[&str]) -> Cluster {
    let settings =
        [("max_wal_size", "20GB"), ("logical_decoding_work_mem", "1MB"), ("shared_buffers", "256MB")];
    let cluster = support::newest().start_with(&settings);
    cluster.psql(
        "postgres",
        "CREATE TABLE t (id int, body text); ALTER TABLE t ALTER body SET STORAGE EXTERNAL",
    );
    cluster.psql("postgres", "CREATE PUBLICATION p FOR TABLE t");
    for slot in slots {
        cluster.psql("postgres", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }
    cluster
}

fn streamed(cluster: &Cluster, slot: &str, streaming: &str, memory_limit: usize) -> Command {
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", slot, "--publication", "p"]);
    command.args(["--stop-at-current", "--streaming", streaming]);
    command.args(["--memory-limit", &memory_limit.to_string()]);
    if !is_long() {
        command.args(["--batch-bytes", "1000000"]);
    }
    if let Some(folder) = env::var_os("TMPDIR") {
        command.env("TMPDIR", folder);
    }
    command
}

/// The most memory that a run has had, and how long it took. What it says goes nowhere.
fn peak(command: &mut Command) -> (usize, Duration) {
    watched(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("replay can be run"))
}

/// The same, while whoever reads takes at most 200 MiB a second: the server could be faster.
fn peak_before_a_slow_reader(command: &mut Command) -> (usize, Duration) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("replay can be run");
    let mut output = child.stdout.take().expect("a pipe");
    thread::spawn(move || {
        let mut piece = vec![0; MIB];
        while output.read_exact(&mut piece).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    watched(child)
}

fn watched(mut child: Child) -> (usize, Duration) {
    let begun = Instant::now();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            assert!(status.success(), "{status}");
            return (peak, begun.elapsed());
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
        peak = kib.map_or(peak, |kib| kib << 10);
        thread::sleep(Duration::from_millis(5));
    }
}

fn assert_below(limit: usize, (peak, took): (usize, Duration)) {
    eprintln!("peak {} MiB of {}, {took:.1?}", peak / MIB, limit / MIB);
    assert!(peak > MIB && peak < limit, "{} MiB, more than {}", peak / MIB, limit / MIB);
}

/// Materialize #26257, airbyte #20873, pgcopydb #511, go-pq-cdc #151: a huge transaction took all memory.
#[test]
fn museum_13_a_transaction_larger_than_the_memory_takes_no_more_than_the_limit() {
    // About 1 KiB a row.
    let (rows, fits, limit) = if is_long() { (3_000_000, 50_000, 64 * MIB) } else { (60_000, 5000, 8 * MIB) };
    let cluster = source(&["s"]);
    let insert = |rows: u32| {
        let rows =
            format!("INSERT INTO t SELECT i, repeat(md5(i::text), 32) FROM generate_series(1, {rows}) i");
        cluster.psql("postgres", &rows);
    };
    insert(fits);
    let small = peak(&mut streamed(&cluster, "s", "on", limit));
    assert_below(limit + ITSELF, small);
    insert(rows);
    let large = peak(&mut streamed(&cluster, "s", "on", limit));
    assert_below(limit + ITSELF, large);
    if is_long() {
        let rate = |rows: u32, took: Duration| f64::from(rows) / took.as_secs_f64();
        let (small, large) = (rate(fits, small.1), rate(rows, large.1));
        eprintln!("{small:.0} rows/s where it fits, {large:.0} where it doesn't");
        assert!(large > small / 2.0);
    }
}

#[test]
fn museum_13_a_large_field_is_in_memory_twice_however_many_come_in_a_row() {
    // What is larger than 32 MiB glibc always gives back to the system.
    let (field, limit) = if is_long() { (200 * MIB, 64 * MIB) } else { (36 * MIB, 8 * MIB) };
    let mut ways = vec![("off", "sql"), ("on", "json")];
    if is_long() {
        ways.extend([("off", "json"), ("on", "sql")]);
    }
    let slots: Vec<_> = ways.iter().map(|(streaming, form)| format!("{streaming}_{form}")).collect();
    let cluster = source(&slots.iter().map(String::as_str).collect::<Vec<_>>());
    for count in [3, 2, 1] {
        let rows = format!("INSERT INTO t SELECT i, repeat('x', {field}) FROM generate_series(1, {count}) i");
        cluster.psql("postgres", &rows);
    }
    for ((streaming, form), slot) in ways.into_iter().zip(&slots) {
        let mut command = streamed(&cluster, slot, streaming, limit);
        assert_below(limit + 2 * field + ITSELF, peak_before_a_slow_reader(command.args(["--to", form])));
    }
}

#[test]
fn museum_13_subtransactions_that_are_rolled_back_leave_nothing() {
    let count = if is_long() { 10_000 } else { 500 };
    let cluster = source(&["off", "on", "parallel"]);
    cluster.psql(
        "postgres",
        &format!(
            "DO $$ BEGIN FOR i IN 1..{count} LOOP
               BEGIN
                 INSERT INTO t SELECT i, repeat(i::text, 20) FROM generate_series(1, 20);
                 IF i % 2 = 0 THEN RAISE division_by_zero; END IF;
               EXCEPTION WHEN division_by_zero THEN NULL; END;
             END LOOP; END $$"
        ),
    );
    let expected = run(&mut streamed(&cluster, "off", "off", MIB)).stdout;
    let lines = expected.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"INSERT")).count();
    assert_eq!(lines, count / 2 * 20);
    let ways: &[_] = if cluster.major() >= 16 { &["on", "parallel"] } else { &["on"] };
    for way in ways {
        let mut command = streamed(&cluster, way, way, 100_000);
        let found = run(&mut command).stdout;
        assert!(found == expected, "{way}");
    }
}
