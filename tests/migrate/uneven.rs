//! A copy that was interrupted: its tables are whole at different positions. And a dump that is of yesterday.

use crate::program::run;
use crate::steps::wait_for;
use crate::story::{Running, command};
use crate::support::{newest, server, sql};
use crate::world::{DATABASE, World};

/// The copy of `items` waits for whoever holds this lock of the target.
const TABLES: &str = "CREATE DOMAIN waits AS text CHECK (pg_advisory_xact_lock_shared(4711) IS NOT NULL); \
     CREATE TABLE customers (id int PRIMARY KEY, name text); \
     CREATE TABLE items (id int PRIMARY KEY, customer int REFERENCES customers, body waits)";

const ROWS: &str = "INSERT INTO customers VALUES (1, 'one'), (2, 'two'); INSERT INTO items VALUES (1, 1, '')";

/// In the snapshot of `items` alone.
const BETWEEN: &str = "INSERT INTO customers VALUES (3, 'new'); INSERT INTO items VALUES (2, 3, ''); \
     UPDATE customers SET name = 'other' WHERE id = 2";

const BOTH: &str = "SELECT (SELECT string_agg(c::text, ' ' ORDER BY id) FROM customers c), \
     (SELECT string_agg(i::text, ' ' ORDER BY id) FROM items i)";

/// Kills a run that has copied `customers`, and not `items`; writes, and runs again.
fn interrupted(world: &World, options: &[&str]) {
    world.source.psql(DATABASE, ROWS);
    let mut other = world.target.session(DATABASE);
    other.run("SELECT pg_advisory_lock(4711)");
    let words = [&["run", "--jobs", "2"], options].concat();
    let mut running = Running::start(&mut command(world, &words));
    let copied = "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)";
    wait_for("the copy of the first table", || {
        running.assert_runs();
        world.target.try_psql(DATABASE, copied).is_ok_and(|found| found.trim() == "2|1")
    });
    running.kill();
    world.source.psql(DATABASE, BETWEEN);
    drop(other);
    run(&mut command(world, &words));
    assert_eq!(world.target.psql(DATABASE, BOTH), world.source.psql(DATABASE, BOTH));
}

#[test]
fn a_copy_alone_that_was_interrupted_is_of_one_moment_in_the_end() {
    let world = World::new(&newest(), &newest(), 200, true);
    for cluster in [&world.source, &world.target] {
        cluster.psql(DATABASE, TABLES);
    }
    interrupted(&world, &["--copy-only"]);
    // What is done is done.
    run(&mut command(&world, &["run", "--copy-only"]));
    assert_eq!(world.source.psql(DATABASE, "SELECT count(*) FROM pg_replication_slots"), "0");
}

#[test]
fn a_copy_that_was_interrupted_keeps_no_foreign_key_from_being_made() {
    let world = World::new(&server(15), &server(15), 200, false);
    world.source.psql(DATABASE, TABLES);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    interrupted(&world, &["--schema", "--state", state, "--stop-at-current"]);
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated";
    assert_eq!(world.target.psql(DATABASE, keys), world.source.psql(DATABASE, keys));
}

#[test]
fn a_dump_of_an_earlier_migration_is_not_used_again() {
    let world = World::new(&server(15), &server(15), 200, false);
    let folder = tempfile::tempdir().unwrap();
    let words = ["run", "--schema", "--state", folder.path().to_str().unwrap(), "--stop-at-current"];
    run(&mut command(&world, &words));
    run(&mut command(&world, &["cleanup"]));
    let database = sql::database(DATABASE);
    world.target.psql("postgres", &format!("DROP DATABASE {database}"));
    world.target.psql("postgres", &format!("CREATE DATABASE {database}"));
    world.source.psql(DATABASE, "ALTER TABLE bulk ADD COLUMN later int DEFAULT 7");
    run(&mut command(&world, &words));
    world.assert_equal();
}
