//! Two-phase commit, where the target can't, and where a session is lost between its steps.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::program::{replay, run};
use crate::support::{Random, Server, for_each_seed, newest, servers_to_try};
use crate::{Sides, refusal, told};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int)";
const PREPARED: &str = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()";

/// Those that decode it.
fn on_each_that_can(test: impl Fn(&Server)) {
    servers_to_try().iter().filter(|server| server.major >= 15).for_each(test);
}

fn sides(server: &Server) -> Sides {
    Sides::of(server.start_with(&[("max_prepared_transactions", "10")]), None, TABLE, true)
}

#[test]
fn a_target_without_prepared_transactions_says_what_to_set() {
    on_each_that_can(|server| {
        let source = server.start_with(&[("max_prepared_transactions", "10")]);
        let target = server.start_with(&[("max_prepared_transactions", "0")]);
        let sides = Sides::of(source, Some(target), TABLE, true);
        sides.at_source("BEGIN; INSERT INTO t VALUES (1, 1); PREPARE TRANSACTION 'one'");
        for gather in [true, false] {
            let error = sides.refused(gather);
            assert_eq!(refusal(&error).sqlstate, "55000");
            assert!(told(&error).contains("max_prepared_transactions must be above 0"), "{}", told(&error));
        }
        assert_eq!(sides.at_target("SELECT count(*) FROM t"), "0");
        sides.target().psql("postgres", "ALTER SYSTEM SET max_prepared_transactions = 10");
        sides.target().restart();
        sides.through(|| sides.sink(true));
        sides.at_source("COMMIT PREPARED 'one'");
        sides.through(|| sides.sink(true));
        sides.assert_equal(&["t"]);
    });
}

/// Behind the PREPARE, the COMMIT PREPARED, the ROLLBACK PREPARED, and before the progress.
#[test]
fn a_session_that_is_lost_before_the_progress_of_a_prepared_transaction_does_nothing_twice() {
    on_each_that_can(|server| {
        for gather in [true, false] {
            let sides = sides(server);
            sides.through(|| sides.sink(gather));
            let step = |sql: &str, prepared: &str| {
                sides.at_source(sql);
                thread::scope(|scope| {
                    let mut other = sides.target().session("target");
                    other.run("BEGIN; SELECT FROM walferry.progress FOR UPDATE");
                    scope.spawn(|| sides.through(|| sides.sink(gather)));
                    sides.wait_until_it_waits();
                    assert_eq!(sides.at_target(PREPARED), prepared, "{sql}");
                    sides.terminate();
                    other.run("ROLLBACK");
                });
                assert_eq!(sides.at_target(PREPARED), prepared, "{sql}");
            };
            step("BEGIN; INSERT INTO t VALUES (1, 1); PREPARE TRANSACTION 'one'", "1");
            assert_eq!(sides.at_target("SELECT count(*) FROM t"), "0");
            step("COMMIT PREPARED 'one'", "0");
            assert_eq!(sides.at_target("SELECT count(*) FROM t"), "1");
            step("BEGIN; UPDATE t SET v = v + 1; PREPARE TRANSACTION 'two'", "1");
            step("ROLLBACK PREPARED 'two'", "0");
            step(
                "BEGIN; INSERT INTO t SELECT i, i FROM generate_series(2, 20000) i; PREPARE TRANSACTION 'three'",
                "1",
            );
            step("COMMIT PREPARED 'three'", "0");
            sides.assert_equal(&["t"]);
        }
    });
}

/// Prepares, commits and rolls back, some of them side by side, until it is enough.
fn work(sides: &Sides, mut random: Random, enough: &AtomicBool) {
    let mut open = Vec::new();
    for number in 0.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        sides.at_source(&format!(
            "BEGIN; INSERT INTO t VALUES ({number}, 0); PREPARE TRANSACTION 'g{number}'; UPDATE t SET v = v + 1 WHERE id = 0"
        ));
        open.push(number);
        if open.len() > random.below(4) {
            let ended = open.swap_remove(random.below(open.len()));
            let how = if random.one_in(3) { "ROLLBACK" } else { "COMMIT" };
            sides.at_source(&format!("{how} PREPARED 'g{ended}'"));
        }
    }
    for number in open {
        sides.at_source(&format!("COMMIT PREPARED 'g{number}'"));
    }
}

#[test]
fn a_program_that_is_killed_among_prepared_transactions_loses_and_doubles_nothing() {
    for_each_seed(1, 5, |seed| {
        let (sides, mut random, enough) = (sides(&newest()), Random::new(seed), AtomicBool::new(false));
        let program = || {
            let mut command = replay();
            command.args(["--source", &sides.source.conninfo("source"), "--slot", "s", "--publication", "p"]);
            command.args([
                "--two-phase",
                "--batch-ms",
                "5",
                "--to",
                "postgres",
                "--target",
                &sides.conninfo(),
            ]);
            command
        };
        let workers = Random::new(random.next());
        thread::scope(|scope| {
            scope.spawn(|| work(&sides, workers, &enough));
            for _ in 0..12 {
                let mut child = program().stderr(Stdio::null()).spawn().unwrap();
                thread::sleep(Duration::from_millis(100 + random.below(400) as u64));
                child.kill().unwrap();
                child.wait().unwrap();
            }
            enough.store(true, Ordering::Relaxed);
        });
        crate::until(|| sides.at_source("SELECT active FROM pg_replication_slots") == "f");
        run(program().arg("--stop-at-current"));
        assert!(
            sides.at_target("SELECT count(*) FROM t").parse::<u32>().unwrap() > 20,
            "hardly anything was done"
        );
        sides.assert_equal(&["t"]);
        assert_eq!(sides.at_target(PREPARED), "0");
    });
}
