//! What each step does when something is in its way, and how it goes on.

use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::run;
use crate::story::{Running, command, wait_until_near};
use crate::support::{newest, sql};
use crate::world::{DATABASE, World};

fn world() -> World {
    World::new(&newest(), &newest(), 200, true)
}

/// Runs it; it must fail, and say this.
pub(crate) fn refused(world: &World, words: &[&str], expected: &str) -> Output {
    let output = command(world, words).output().expect("migrate can be run");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(expected), "expected {expected:?}: {told}");
    output
}

pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

const COUNT: &str = "SELECT count(*) FROM bulk";

/// Everyone sees what has committed, while the stream gets it only from the disk.
#[test]
fn up_to_now_includes_what_committed_without_waiting_for_the_disk() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    for setting in ["synchronous_commit = off", "wal_writer_delay = '5s'"] {
        world.source.psql(DATABASE, &format!("ALTER SYSTEM SET {setting}"));
    }
    world.source.psql(DATABASE, "SELECT pg_reload_conf()");
    for id in 1..=2 {
        world.source.psql(DATABASE, &format!("INSERT INTO bulk VALUES (-{id}, 'late')"));
        run(&mut command(&world, &["run", "--stop-at-current"]));
        assert_eq!(world.target.psql(DATABASE, "SELECT count(*) FROM bulk WHERE id < 0"), id.to_string());
    }
}

#[test]
fn sides_that_differ_are_not_cut_over_and_the_way_back_is_open() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.target.psql(DATABASE, "INSERT INTO bulk VALUES (-1, 'extra')");
    let compared = refused(&world, &["verify"], "");
    let told = String::from_utf8_lossy(&compared.stdout);
    assert!(told.contains(r#"extra id="-1""#) && told.contains("1 of 7 tables differ"), "{told}");
    refused(&world, &["cutover"], "the sides differ at the fence");
    let write = "UPDATE bulk SET body = body WHERE id = 1";
    assert!(world.source.try_psql(DATABASE, write).is_err_and(|error| error.contains("read-only")));
    // The same command goes on where it was, and finds the same.
    refused(&world, &["cutover"], "the sides differ at the fence");
    run(&mut command(&world, &["cutover", "--roll-back"]));
    world.source.psql(DATABASE, write);
    world.target.psql(DATABASE, "DELETE FROM bulk WHERE id = -1");
    // Who follows on has what was written meanwhile.
    run(&mut command(&world, &["run", "--stop-at-current"]));
    run(&mut command(&world, &["cutover", "--reverse"]));
    world.assert_equal();
    refused(&world, &["cutover", "--roll-back"], "the target is open to writers");
    // What the stream back keeps in the source is none of its data, although all its tables are published.
    let status = run(&mut command(&world, &["status"]));
    let told = String::from_utf8_lossy(&status.stdout);
    assert!(told.contains("phase: open") && told.contains("copied: 8 of 8 tables"), "{told}");
    let ended = run(&mut command(&world, &["run"]));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("cut over"));
}

#[test]
fn a_name_too_long_for_a_stream_back_closes_nothing_and_can_be_rolled_back() {
    let world = world();
    let (slot, write) = ("s".repeat(63), "UPDATE bulk SET body = body WHERE id = 1");
    let named = ["--slot", slot.as_str()];
    run(command(&world, &["run", "--stop-at-current"]).args(named));
    refused(&world, &["cutover", "--reverse", "--slot", &slot], "too long");
    world.source.psql(DATABASE, write);
    world.target.psql(DATABASE, "DELETE FROM bulk WHERE id = 2");
    refused(&world, &["cutover", "--slot", &slot], "the sides differ");
    run(command(&world, &["cutover", "--roll-back"]).args(named));
    world.source.psql(DATABASE, write);
}

#[test]
fn a_setting_of_the_source_is_what_it_was_when_the_cutover_is_rolled_back() {
    let world = world();
    let database =
        format!("ALTER DATABASE {} SET default_transaction_read_only = off", sql::database(DATABASE));
    world.source.psql("postgres", &database);
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.target.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
    refused(&world, &["cutover"], "the sides differ");
    run(&mut command(&world, &["cutover", "--roll-back"]));
    let setting = "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0";
    assert_eq!(world.source.psql("postgres", setting), "{default_transaction_read_only=off}");
}

#[test]
fn a_table_that_joins_the_publication_is_copied_while_following() {
    let world = world();
    let mut running = Running::start(&mut command(&world, &["run"]));
    wait_until_near(&world, &mut running);
    let late = r#"CREATE TABLE "late ""one" (id int PRIMARY KEY, body text)"#;
    world.source.psql(DATABASE, late);
    world
        .source
        .psql(DATABASE, r#"INSERT INTO "late ""one" SELECT n, 'before' FROM generate_series(1, 100) n"#);
    // The target hasn't got it yet: the others go on.
    thread::sleep(Duration::from_secs(12));
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 9");
    wait_for("a change of another table", || world.target.psql(DATABASE, COUNT) == "199");
    refused(&world, &["verify"], "late");
    running.assert_runs();
    world.target.psql(DATABASE, late);
    let count = r#"SELECT count(*), count(*) FILTER (WHERE body = 'behind') FROM "late ""one""#;
    for number in 101..=110 {
        let row = format!(
            r#"INSERT INTO "late ""one" VALUES ({number}, ''); UPDATE bulk SET body = '{number}' WHERE id = 3"#
        );
        world.source.psql(DATABASE, &row);
    }
    wait_for("the copy of the table", || world.target.psql(DATABASE, count) == "110|0");
    world.source.psql(DATABASE, r#"UPDATE "late ""one" SET body = 'behind' WHERE id <= 50"#);
    wait_for("the changes of the table", || world.target.psql(DATABASE, count) == "110|50");
    running.assert_runs();
    let verified = run(&mut command(&world, &["verify", "--resume", "--throttle", "90"]));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("8 tables are equal"));
    let ended = running.end();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("stopped"));
}

#[test]
fn one_follows_and_a_second_neither_joins_nor_takes_its_place() {
    let world = world();
    let mut running = Running::start(&mut command(&world, &["run"]));
    wait_until_near(&world, &mut running);
    refused(&world, &["run"], "another process leads the migration");
    running.assert_runs();
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
    wait_for("the change", || world.target.psql(DATABASE, COUNT) == "199");
    running.end();
}

#[test]
fn prepared_transactions_of_the_source_keep_it_from_being_cut_over() {
    let (newest, settings) = (newest(), [("max_prepared_transactions", "5")]);
    let world = World::on(newest.start_with(&settings), newest.start_with(&settings), 200, true);
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.source.psql(DATABASE, "BEGIN; INSERT INTO bulk VALUES (-7, ''); PREPARE TRANSACTION 'a b'");
    refused(&world, &["cutover"], "ROLLBACK PREPARED 'a b'");
    // Nothing is closed.
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
    world.source.psql(DATABASE, "COMMIT PREPARED 'a b'");
    run(&mut command(&world, &["cutover"]));
    world.assert_equal();
    assert_eq!(world.target.psql(DATABASE, "SELECT count(*) FROM bulk WHERE id = -7"), "1");
}

#[test]
fn who_insists_on_writing_to_the_source_is_found() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (world, over) = (&world, &over);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let write = "SET default_transaction_read_only = off; UPDATE bulk SET body = body || '.' WHERE id = 5";
                // Its session may be ended under it.
                let _ = world.source.try_psql(DATABASE, write);
                thread::sleep(Duration::from_millis(5));
            }
        });
        refused(world, &["cutover"], "somebody writes to the source");
        over.store(true, Ordering::Relaxed);
    });
    // Once nobody does, the same command ends well, and what was written is there.
    run(&mut command(&world, &["cutover"]));
    world.assert_equal();
}

#[test]
fn what_somebody_else_has_made_is_neither_used_nor_dropped() {
    let world = world();
    world.source.psql(DATABASE, "SELECT pg_create_logical_replication_slot('walferry', 'pgoutput')");
    world.source.psql(DATABASE, "CREATE PUBLICATION mine FOR TABLE bulk");
    refused(&world, &["run"], "that this migration didn't make");
    run(&mut command(&world, &["cleanup"]));
    assert_eq!(world.source.psql(DATABASE, "SELECT slot_name FROM pg_replication_slots"), "walferry");
    let options = ["--slot", "other", "--publication", "mine"];
    run(command(&world, &["run", "--stop-at-current"]).args(options));
    assert_eq!(world.target.psql(DATABASE, COUNT), "200");
    assert_eq!(world.target.psql(DATABASE, "SELECT count(*) FROM orders"), "0", "it isn't published");
    run(command(&world, &["cleanup"]).args(options));
    assert_eq!(world.source.psql(DATABASE, "SELECT pubname FROM pg_publication"), "mine");
    assert_eq!(world.source.psql(DATABASE, "SELECT slot_name FROM pg_replication_slots"), "walferry");
}

#[test]
fn a_slot_that_is_gone_is_not_made_anew_behind_a_copy() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.source.psql(DATABASE, "SELECT pg_drop_replication_slot('walferry')");
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 2");
    refused(&world, &["run"], "");
    assert_eq!(world.target.psql(DATABASE, COUNT), "200");
    assert_eq!(world.source.psql(DATABASE, "SELECT count(*) FROM pg_replication_slots"), "0");
}

#[test]
fn a_copy_alone_sets_the_sequences_and_leaves_no_slot() {
    let world = world();
    let done = run(&mut command(&world, &["run", "--copy-only", "--jobs", "3"]));
    assert!(String::from_utf8_lossy(&done.stderr).contains("done"));
    world.assert_equal();
    assert_eq!(world.source.psql(DATABASE, "SELECT count(*) FROM pg_replication_slots"), "0");
    let next = "SELECT nextval('orders_id_seq')";
    assert_eq!(world.target.psql(DATABASE, next), world.source.psql(DATABASE, next));
}

#[test]
fn a_slot_beyond_its_budget_is_dropped_only_if_that_is_asked_for() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    let beyond = ["run", "--slot-budget", "1"];
    let mut running = Running::start(&mut command(&world, &beyond));
    thread::sleep(Duration::from_secs(12));
    running.assert_runs();
    running.end();
    let asked = ["run", "--slot-budget", "1", "--lose-migration-beyond-budget"];
    refused(&world, &asked, "the budget of the slot is used up");
    assert_eq!(world.source.psql(DATABASE, "SELECT count(*) FROM pg_replication_slots"), "0");
}

#[test]
fn wrong_usage_ends_with_two_and_a_doctor_that_finds_errors_with_one() {
    let world = world();
    for words in [vec!["cutover", "--reverse", "--roll-back"], vec!["run", "--jobs", "0"], vec!["nosuch"]] {
        let output = command(&world, &words).output().expect("migrate can be run");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    let healthy = run(&mut command(&world, &["doctor", "--json"]));
    let report: serde_json::Value = serde_json::from_slice(&healthy.stdout).expect("JSON");
    assert_eq!(report["ok"], true, "{report:#}");
    world.target.psql(DATABASE, "DROP TABLE bulk");
    let output = command(&world, &["doctor", "--json"]).output().expect("migrate can be run");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &report["ok"]), (Some(1), &false.into()), "{report:#}");
    refused(&world, &["run"], "the doctor found errors");
}
