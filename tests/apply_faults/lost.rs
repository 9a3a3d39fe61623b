//! Sessions and servers that are lost, and others who are in the way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use walferry::Lsn;

use crate::interposed::{Before, Interposed};
use crate::support::{on_each_server, sql};
use crate::{Sides, until};

const TABLES: &str = "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int)";
const BOTH: [&str; 2] = ["a", "b"];

/// Both tables with a row that both sides have.
fn sides(server: &crate::Server) -> Sides {
    let sides = Sides::new(server, TABLES);
    sides.at_source("INSERT INTO a VALUES (1, 0); INSERT INTO b VALUES (1, 0)");
    assert_eq!(sides.through(|| sides.sink(true)), 0);
    sides
}

#[test]
fn a_deadlock_with_somebody_else_passes() {
    for gather in [true, false] {
        on_each_server(|server| {
            let sides = sides(server);
            sides.at_source("BEGIN; UPDATE a SET v = 1; UPDATE b SET v = 1; COMMIT");
            thread::scope(|scope| {
                let mut other = sides.target().session("target");
                // Whoever waits for that long is not the one that gives way.
                other.run("SET deadlock_timeout = '60s'; BEGIN; UPDATE b SET v = v");
                scope.spawn(|| sides.through(|| sides.sink(gather)));
                sides.wait_until_it_waits();
                other.run("UPDATE a SET v = v");
                other.run("ROLLBACK");
            });
            assert!(sides.target().log().contains("deadlock detected"));
            sides.assert_equal(&BOTH);
        });
    }
}

/// What an administrator has set for the database is not meant for replication.
#[test]
fn settings_of_the_target_s_database_change_nothing() {
    on_each_server(|server| {
        let sides = sides(server);
        sides.target().psql(
            "postgres",
            &"ALTER DATABASE $D SET default_transaction_isolation = 'serializable';
             ALTER DATABASE $D SET default_transaction_read_only = on;
             ALTER DATABASE $D SET lock_timeout = '50ms';
             ALTER DATABASE $D SET statement_timeout = '50ms';
             ALTER DATABASE $D SET idle_in_transaction_session_timeout = '50ms'"
                .replace("$D", &sql::database("target")),
        );
        sides.at_source("UPDATE a SET v = 1");
        thread::scope(|scope| {
            let mut other = sides.target().session("target");
            other.run("SET statement_timeout = 0; BEGIN READ WRITE; UPDATE a SET v = 7; SET idle_in_transaction_session_timeout = 0");
            let applied = scope.spawn(|| sides.through(|| sides.sink(true)));
            sides.wait_until_it_waits();
            thread::sleep(Duration::from_millis(200));
            other.run("COMMIT");
            assert_eq!(applied.join().unwrap(), 0);
        });
        sides.assert_equal(&BOTH);
    });
}

#[test]
fn a_session_that_is_lost_in_the_midst_of_a_large_transaction_leaves_nothing_of_it() {
    for gather in [true, false] {
        on_each_server(|server| {
            let sides = sides(server);
            sides.at_source(
                "BEGIN; INSERT INTO a SELECT i, i FROM generate_series(2, 30000) i; UPDATE b SET v = 1; COMMIT",
            );
            thread::scope(|scope| {
                let mut other = sides.target().session("target");
                other.run("BEGIN; UPDATE b SET v = v");
                scope.spawn(|| sides.through(|| sides.sink(gather)));
                sides.wait_until_it_waits();
                let pages =
                    "SELECT pg_relation_size('a') / current_setting('block_size')::int > 50, count(*) FROM a";
                assert_eq!(sides.at_target(pages), "t|1", "it has come, but nobody sees it");
                sides.terminate();
                assert_eq!(sides.at_target("SELECT count(*) FROM a"), "1");
                other.run("ROLLBACK");
            });
            sides.assert_equal(&BOTH);
            assert_eq!(sides.at_target("SELECT count(*), sum(v) FROM a"), "30000|450014999");
        });
    }
}

/// Nothing is written to disk that nobody asks for.
const LAZY: [(&str, &str); 3] =
    [("wal_writer_delay", "10s"), ("wal_writer_flush_after", "1GB"), ("bgwriter_delay", "10s")];

#[test]
fn what_was_flushed_is_there_behind_a_crash() {
    on_each_server(|server| {
        let sides = Sides::of(server.start(), Some(server.start_with(&LAZY)), TABLES, false);
        sides.at_source("INSERT INTO a VALUES (1, 0)");
        sides.through(|| sides.sink(true));
        sides.at_source("INSERT INTO a VALUES (2, 0); UPDATE a SET v = 1");
        let crash = || {
            sides.target().stop_immediately();
            sides.target().restart();
            assert_eq!(sides.at_target("SELECT count(*), sum(v) FROM a"), "2|2");
        };
        let happened = AtomicBool::new(false);
        let (before, happens) = (Before::Acknowledge, &crash);
        sides.through(|| Interposed { sink: sides.sink(true), before, happens, happened: &happened });
        assert!(happened.load(Ordering::SeqCst));
        sides.assert_equal(&BOTH);
    });
}

#[test]
fn a_target_that_crashes_before_the_flush_gets_it_again() {
    on_each_server(|server| {
        let sides = Sides::of(server.start(), Some(server.start_with(&LAZY)), TABLES, false);
        sides.at_source("INSERT INTO a VALUES (1, 0)");
        sides.through(|| sides.sink(true));
        sides.at_source("INSERT INTO a VALUES (2, 0); UPDATE a SET v = 1");
        let committed: Lsn = sides.source.wal_position().parse().unwrap();
        let (down, happened) = (AtomicBool::new(false), AtomicBool::new(false));
        let crash = || {
            assert_eq!(sides.at_target("SELECT count(*), sum(v) FROM a"), "2|2", "readers see it before");
            sides.target().stop_immediately();
            down.store(true, Ordering::SeqCst);
        };
        let sink = || Interposed {
            sink: sides.sink(true),
            before: Before::Flush,
            happens: &crash,
            happened: &happened,
        };
        thread::scope(|scope| {
            scope.spawn(|| sides.through(sink));
            until(|| down.load(Ordering::SeqCst));
            let confirmed = sides.at_source("SELECT confirmed_flush_lsn FROM pg_replication_slots");
            assert!(confirmed.parse::<Lsn>().unwrap() < committed, "it was not flushed, but acknowledged");
            sides.target().restart();
        });
        sides.assert_equal(&BOTH);
    });
}
