//! The change of one row, alone in its batch: one statement, which is the transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use walferry::Lsn;
use walferry::session::Fingerprint;
use walferry::sink::postgres::{ApplyError, ApplyErrorKind, OnConflict, PostgresSink};
use walferry::sink::{Batch, ChangeSink, Progress, SinkKind};

use crate::singly::Singly;
use crate::support::on_each_server;
use crate::{Sides, of_sink, refusal, told, until};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int, u int UNIQUE)";

fn nothing(_: usize) {}

/// A table with three rows that both sides have.
fn sides(server: &crate::Server) -> Sides {
    let sides = Sides::new(server, TABLE);
    sides.at_source("INSERT INTO t SELECT i, 0, i FROM generate_series(1, 3) i");
    sides.through(|| sides.sink(true));
    sides
}

fn progress(sides: &Sides) -> Lsn {
    sides.at_target("SELECT resume_lsn FROM walferry.progress").parse().unwrap()
}

#[test]
fn a_change_alone_is_one_statement() {
    on_each_server(|server| {
        let sides = Sides::of(server.start_with(&[("log_statement", "all")]), None, TABLE, false);
        for change in [
            "INSERT INTO t VALUES (1, 0, NULL)",
            "UPDATE t SET v = 1",
            "INSERT INTO t VALUES (2)",
            "DELETE FROM t WHERE id = 1",
        ] {
            sides.at_source(change);
        }
        sides.through(|| Singly::new(sides.sink(true), &nothing));
        sides.assert_equal(&["t"]);
        let log = sides.target().log();
        let lines = |end: &str| log.lines().filter(|line| line.ends_with(end)).count();
        let alone = log.matches(": WITH c0 AS (").count();
        assert_eq!((alone, lines(": BEGIN"), lines(": COMMIT")), (4, 0, 0), "{log}");
    });
}

/// The server has said by then that the statement is complete.
#[test]
fn what_only_the_commit_of_a_change_alone_finds_wrong_is_an_error() {
    on_each_server(|server| {
        let sides = sides(server);
        let before = |count: usize| {
            if count == 1 {
                // Behind the back of a sink that knows the table by now.
                sides.at_target(
                    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                       $$BEGIN RAISE 'no' USING ERRCODE = '23514'; END$$;
                     CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE OR DELETE ON t DEFERRABLE INITIALLY DEFERRED
                       FOR EACH ROW EXECUTE FUNCTION refuse();
                     ALTER TABLE t ENABLE ALWAYS TRIGGER late",
                );
            }
        };
        for change in
            ["INSERT INTO t VALUES (7)", "UPDATE t SET v = 1 WHERE id = 7", "DELETE FROM t WHERE id = 7"]
        {
            sides.at_source("UPDATE t SET v = v + 1 WHERE id = 1");
            sides.at_source(change);
            let sink = sides.sink(true);
            let monitor = sink.monitor();
            let error = sides.apply(Singly::new(sink, &before)).expect_err("the target refuses it");
            assert_eq!(refusal(&error).sqlstate, "23514", "{}", told(&error));
            let done = monitor.statistics();
            assert_eq!((done.transactions, done.replayed_in_order), (1, 1), "{done:?}");
            let refused = sides.target().log().matches("ERROR:  no").count();
            assert_eq!(refused % 2, 0, "alone, and in order");
            sides.at_target("DROP FUNCTION refuse CASCADE");
            sides.through(|| sides.sink(true));
            sides.assert_equal(&["t"]);
        }
    });
}

#[test]
fn a_row_that_is_missing_for_a_change_alone_moves_nothing() {
    on_each_server(|server| {
        let sides = sides(server);
        for change in ["UPDATE t SET v = 5 WHERE id = 2", "DELETE FROM t WHERE id = 2"] {
            sides.at_target("DELETE FROM t WHERE id = 2");
            sides.at_source("UPDATE t SET v = v + 1 WHERE id = 1");
            sides.at_source(change);
            let before = progress(&sides);
            let error = sides.apply(Singly::new(sides.sink(true), &nothing)).expect_err("the row is missing");
            let kind = of_sink(&error).kind();
            assert!(matches!(kind, ApplyErrorKind::RowCount { found: 0 }), "{}", told(&error));
            let stands = progress(&sides);
            assert!(before < stands, "the change before it is there");
            let sink = || Singly::new(sides.sink(true).on_conflict(OnConflict::Skip), &nothing);
            assert_eq!(sides.through(sink), 0);
            assert!(stands < progress(&sides));
        }
        sides.assert_equal(&["t"]);
    });
}

/// What the target refuses together with the step of the progress, it refuses again in order, and that is told.
#[test]
fn a_change_alone_that_is_refused_leaves_the_progress() {
    on_each_server(|server| {
        let sides = sides(server);
        sides.at_target("INSERT INTO t VALUES (9, 0, 9)");
        sides.at_source("INSERT INTO t VALUES (8, 0, 9)");
        let before = progress(&sides);
        let error = sides.apply(Singly::new(sides.sink(true), &nothing)).expect_err("the value is taken");
        assert_eq!(refusal(&error).sqlstate, "23505", "{}", told(&error));
        assert_eq!(progress(&sides), before);
        sides.at_target("DELETE FROM t WHERE id = 9");
        sides.through(|| Singly::new(sides.sink(true), &nothing));
        sides.assert_equal(&["t"]);
    });
}

/// It stands right before each commit, not only before a flush.
#[test]
fn a_change_alone_is_marked_with_where_it_ends() {
    on_each_server(|server| {
        let sides = sides(server);
        for id in 11..14 {
            sides.at_source(&format!("INSERT INTO t VALUES ({id})"));
        }
        let before = |count: usize| {
            if count > 0 {
                let marked = sides.at_target("SELECT remote_lsn FROM pg_replication_origin_status");
                assert_eq!(marked.parse::<Lsn>().unwrap(), progress(&sides));
            }
        };
        assert_eq!(sides.through(|| Singly::new(sides.sink(true).origin("o"), &before)), 0);
        sides.assert_equal(&["t"]);
    });
}

/// A sink whose target has lost what was written last when it is flushed: as a standby has that took over.
struct Behind<'a>(PostgresSink, &'a Sides);

impl ChangeSink for Behind<'_> {
    type Error = ApplyError;

    async fn write(&mut self, batch: Batch) -> Result<(), ApplyError> {
        self.0.write(batch).await
    }

    async fn flush(&mut self) -> Result<(), ApplyError> {
        // Behind what was written.
        self.0.progress().await?;
        let stands = progress(self.1);
        let move_to =
            |lsn: &str| self.1.at_target(&format!("UPDATE walferry.progress SET resume_lsn = '{lsn}'"));
        move_to("0/1");
        let beside = self.0.flush_beside().expect("it can flush beside");
        assert!(!beside.await, "what the target hasn't got is not durable");
        move_to(&stands.to_string());
        self.0.flush().await
    }

    async fn rollback(&mut self) -> Result<(), ApplyError> {
        self.0.rollback().await
    }

    fn kind(&self) -> SinkKind {
        self.0.kind()
    }

    async fn progress(&mut self) -> Result<Progress, ApplyError> {
        self.0.progress().await
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> Result<(), ApplyError> {
        self.0.set_progress(progress).await
    }
}

#[test]
fn a_flush_by_another_session_that_does_not_find_the_progress_is_none() {
    on_each_server(|server| {
        let sides = sides(server);
        sides.at_source("INSERT INTO t VALUES (8, 0, 9)");
        sides.through(|| Behind(sides.sink(true), &sides));
        sides.assert_equal(&["t"]);
    });
}

/// Ends what a thread does, and what it waits for, even if an assertion fails.
struct Ends<'a>(&'a Sides, &'a AtomicBool);

impl Ends<'_> {
    fn heal(&self) {
        self.0.target().psql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
        self.0.target().psql("postgres", "SELECT pg_reload_conf()");
    }
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.heal();
        self.1.store(true, Ordering::SeqCst);
    }
}

/// The flush waits for a standby that doesn't come; changes go on, and the source hears of nothing.
#[test]
fn changes_go_on_while_a_flush_waits_and_none_is_acknowledged() {
    on_each_server(|server| {
        let sides = Sides::of(server.start(), Some(server.start()), TABLE, false);
        sides.at_source("INSERT INTO t SELECT i, 0, i FROM generate_series(1, 3) i");
        sides.through(|| sides.sink(true));
        sides.target().psql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        sides.target().psql("postgres", "SELECT pg_reload_conf()");
        let confirmed = || -> Lsn {
            let lsn = sides.at_source("SELECT confirmed_flush_lsn FROM pg_replication_slots");
            lsn.parse().unwrap()
        };
        let committed: Lsn = sides.source.wal_position().parse().unwrap();
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'faults' AND wait_event = 'SyncRep'";
        let done = AtomicBool::new(false);
        sides.at_source("UPDATE t SET v = 1 WHERE id = 1");
        thread::scope(|scope| {
            scope.spawn(|| {
                sides.follow(&done);
            });
            let ends = Ends(&sides, &done);
            until(|| sides.at_target(waits) == "t");
            for id in 4..9 {
                sides.at_source(&format!("INSERT INTO t VALUES ({id})"));
                until(|| sides.at_target(&format!("SELECT count(*) FROM t WHERE id = {id}")) == "1");
            }
            assert!(confirmed() <= committed, "nothing was flushed, but acknowledged");
            ends.heal();
            let end: Lsn = sides.source.wal_position().parse().unwrap();
            until(|| {
                confirmed() >= end || {
                    sides.at_source("SELECT pg_logical_emit_message(true, '', '')");
                    false
                }
            });
        });
        sides.assert_equal(&["t"]);
    });
}
