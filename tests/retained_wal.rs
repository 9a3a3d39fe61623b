//! How much WAL a slot of ours makes its server keep.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod program;
mod support;

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use program::replay;
use support::{Cluster, Server};

const MIB: u64 = 1 << 20;
const SEGMENT: u64 = 16 * MIB;
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends with the test, whichever way that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself: the test tells.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn follow(cluster: &Cluster) -> Running {
    let mut command = replay();
    command.args(["--source", &cluster.conninfo("postgres"), "--slot", "s", "--publication", "p"]);
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("replay can be run"))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// About ten MiB of WAL in a segment of its own, of which nothing is published; and a checkpoint, which may remove WAL.
fn write_elsewhere(cluster: &Cluster) {
    let rows = "INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 5000)";
    cluster.psql("postgres", rows);
    cluster.psql("elsewhere", rows);
    cluster.psql("postgres", "SELECT pg_switch_wal(); CHECKPOINT");
}

fn retained(cluster: &Cluster) -> u64 {
    let sql = "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots WHERE slot_name = 's'";
    cluster.psql("postgres", sql).parse().expect("a number of bytes")
}

fn has_confirmed(cluster: &Cluster, position: &str) -> bool {
    let sql = format!("SELECT confirmed_flush_lsn >= '{position}' FROM pg_replication_slots");
    cluster.psql("postgres", &sql) == "t"
}

fn stays_bounded(server: &Server) {
    const ROUNDS: u64 = 8;
    let cluster = server.start();
    cluster.create_database("elsewhere");
    for database in ["postgres", "elsewhere"] {
        cluster.psql(database, "CREATE TABLE busy (body text)");
    }
    cluster.psql(
        "postgres",
        "CREATE TABLE silent (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE silent;
         SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    );
    // While nobody reads, all is kept.
    for _ in 0..4 {
        write_elsewhere(&cluster);
    }
    assert!(retained(&cluster) > 3 * SEGMENT, "{}", retained(&cluster));

    let running = follow(&cluster);
    for round in 1..=ROUNDS {
        write_elsewhere(&cluster);
        let goal = cluster.wal_position();
        wait_until("the slot follows", || has_confirmed(&cluster, &goal));
        // The slot lets go of WAL a while after it has moved: with the next record of what is running.
        let what = format!("PostgreSQL {}, round {round}: less than 48 MiB are kept", server.major);
        wait_until(&what, || retained(&cluster) < 3 * SEGMENT);
    }
    drop(running);
}

/// Never acknowledged, so that WAL fills the disk: etl #429, Electric #3986, #4011, airbyte #47547. The published table
/// is silent, while others are written to, of this database and of another.
#[test]
fn museum_11_the_wal_that_silent_tables_retain_stays_bounded() {
    support::on_each_server(stays_bounded);
}
