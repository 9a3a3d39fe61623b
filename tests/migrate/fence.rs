//! The fence of a cutover: who was there before, who is about to come, and whom no setting holds back.

use std::thread;
use std::time::Duration;

use crate::program::run;
use crate::steps::{refused, wait_for};
use crate::story::{Running, command, reversed, wait_until_near};
use crate::support::{newest, oldest, sql};
use crate::world::{DATABASE, World};

fn world() -> World {
    World::new(&newest(), &newest(), 200, true)
}

/// From the target back to the source.
const BACK: [&str; 4] = ["--slot", "walferry_reverse", "--publication", "walferry_reverse"];

fn with<'a>(word: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&[word], options].concat()
}

/// A session that has read how the database is set, but is in none of the server's lists yet.
#[test]
fn a_session_that_is_about_to_begin_writes_before_the_fence_or_not_at_all() {
    for server in [oldest(), newest()] {
        let world = World::new(&server, &server, 200, true);
        run(&mut command(&world, &["run", "--stop-at-current"]));
        thread::scope(|scope| {
            let write = "INSERT INTO public.bulk VALUES (-1, 'late')";
            let late = scope.spawn(|| {
                let conninfo = format!("{} options='-c post_auth_delay=6'", world.source.conninfo(DATABASE));
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let (client, connection) =
                        tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await?;
                    tokio::spawn(connection);
                    client.batch_execute(write).await
                })
            });
            thread::sleep(Duration::from_secs(1));
            run(&mut command(&world, &["cutover"]));
            let _ = late.join().unwrap();
        });
        world.assert_equal();
    }
}

#[test]
fn a_role_that_does_not_see_who_writes_closes_nothing() {
    let world = world();
    let database = sql::database(DATABASE);
    // It is the database's owner, it may send, and it may do whatever the tables' owner may: so much has a role of its own.
    let role = format!(
        "CREATE ROLE mover LOGIN REPLICATION; CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA public TO app; GRANT ALL ON bulk TO app, mover; \
         GRANT pg_read_all_data TO mover; ALTER DATABASE {database} OWNER TO mover"
    );
    world.source.psql(DATABASE, &role);
    run(&mut command(&world, &["run", "--stop-at-current"]));
    let as_role = |name: &str| {
        format!("{} user={name}", world.source.conninfo(DATABASE).replace("user=", "application_name="))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&as_role("app"), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    });
    let mut cutover = crate::program::migrate();
    let mover = as_role("mover");
    cutover.args(["cutover", "--source", &mover, "--target", &world.target.conninfo(DATABASE)]);
    let output = cutover.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1)
            && told.contains("GRANT pg_read_all_stats, pg_signal_backend TO mover"),
        "{told}"
    );
    runtime.block_on(client.batch_execute("INSERT INTO public.bulk VALUES (-1, 'in front of it')")).unwrap();
    world.source.psql(DATABASE, "GRANT pg_read_all_stats, pg_signal_backend TO mover");
    run(&mut cutover);
    runtime.block_on(client.batch_execute("INSERT INTO public.bulk VALUES (-2, 'behind it')")).unwrap_err();
    world.assert_equal();
}

#[test]
fn a_role_that_is_set_to_write_keeps_the_source_from_being_closed() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    world.source.psql(
        DATABASE,
        "CREATE ROLE \"a b\" LOGIN; ALTER ROLE \"a b\" SET default_transaction_read_only = off",
    );
    refused(&world, &["cutover"], "ALTER ROLE \"a b\" RESET default_transaction_read_only");
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1; ALTER ROLE \"a b\" RESET ALL");
    run(&mut command(&world, &["cutover"]));
    world.assert_equal();
}

/// What it applies isn't kept back by a read-only transaction.
#[test]
fn a_subscription_of_the_source_keeps_it_from_being_closed() {
    let world = world();
    let publisher = newest().start();
    publisher.create_database(DATABASE);
    publisher.psql(
        DATABASE,
        "CREATE TABLE bulk (id int PRIMARY KEY, body text); CREATE PUBLICATION p FOR ALL TABLES",
    );
    let subscription = format!(
        "CREATE SUBSCRIPTION \"s u\" CONNECTION {} PUBLICATION p WITH (slot_name = 's_u')",
        sql::quoted(&publisher.conninfo(DATABASE))
    );
    world.source.psql(DATABASE, &subscription);
    run(&mut command(&world, &["run", "--stop-at-current"]));
    refused(&world, &["cutover"], "ALTER SUBSCRIPTION \"s u\" DISABLE");
    world.source.psql(DATABASE, "ALTER SUBSCRIPTION \"s u\" DISABLE");
    wait_for("its end", || world.source.psql(DATABASE, "SELECT count(pid) FROM pg_stat_subscription") == "0");
    run(&mut command(&world, &["cutover"]));
    world.source.psql(
        DATABASE,
        "SET default_transaction_read_only = off; ALTER SUBSCRIPTION \"s u\" SET (slot_name = NONE); DROP SUBSCRIPTION \"s u\"",
    );
}

#[test]
fn a_sequence_that_cycles_does_not_keep_the_target_from_being_opened() {
    let world = world();
    for cluster in [&world.source, &world.target] {
        cluster.psql(DATABASE, "CREATE SEQUENCE rounds MAXVALUE 1000 CYCLE");
    }
    world.source.psql(DATABASE, "SELECT nextval('rounds')");
    run(&mut command(&world, &["run", "--stop-at-current"]));
    run(&mut command(&world, &["cutover"]));
    run(&mut command(&world, &["verify"]));
    assert_eq!(world.target.psql(DATABASE, "SELECT nextval('rounds')"), "2");
}

/// What the stream back has brought to the source comes out of its slot again.
#[test]
fn what_was_brought_back_is_not_applied_once_more_by_who_verifies() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    run(&mut command(&world, &["cutover", "--reverse"]));
    run(&mut command(&world, &["verify"]));
    world.target.psql(DATABASE, "UPDATE bulk SET body = 'first' WHERE id = 1");
    run(&mut reversed(&world, &with("run", &[BACK.as_slice(), &["--stop-at-current"]].concat())));
    world.target.psql(DATABASE, "UPDATE bulk SET body = 'second' WHERE id = 1");
    refused(&world, &["verify"], "is cut over");
    assert_eq!(world.target.psql(DATABASE, "SELECT body FROM bulk WHERE id = 1"), "second");
    run(&mut reversed(&world, &with("verify", &BACK)));
    world.assert_equal();
}

#[test]
fn a_cutover_back_opens_what_the_first_has_closed() {
    let world = world();
    run(&mut command(&world, &["run", "--stop-at-current"]));
    run(&mut command(&world, &["cutover", "--reverse"]));
    let planned = run(&mut reversed(&world, &with("cutover", &[BACK.as_slice(), &["--dry-run"]].concat())));
    assert!(String::from_utf8_lossy(&planned.stdout).contains("RESET default_transaction_read_only"));
    run(&mut reversed(&world, &with("cutover", &BACK)));
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
    assert!(world.target.try_psql(DATABASE, "DELETE FROM bulk WHERE id = 2").is_err());
    // What was true once is no success now.
    refused(&world, &["cutover"], "closed to writers since");
}

#[test]
fn a_stream_back_that_can_not_be_armed_closes_nothing() {
    let newest = newest();
    let target = newest.start_with(&[("wal_level", "replica")]);
    let world = World::on(newest.start(), target, 200, true);
    run(&mut command(&world, &["run", "--stop-at-current"]));
    refused(&world, &["cutover", "--reverse"], "wal_level");
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
    run(&mut command(&world, &["cutover"]));
}

/// Its own UPDATE and DELETE would fail as soon as it is published.
#[test]
fn a_table_of_the_target_without_an_identity_closes_nothing() {
    let world = world();
    world.target.psql(DATABASE, "ALTER TABLE keyless REPLICA IDENTITY DEFAULT");
    run(&mut command(&world, &["run", "--stop-at-current"]));
    refused(&world, &["cutover", "--reverse"], "keyless");
    world.source.psql(DATABASE, "DELETE FROM bulk WHERE id = 1");
}

#[test]
fn who_follows_and_has_given_way_ends_when_it_is_told_to() {
    let world = world();
    let mut running = Running::start(&mut command(&world, &["run"]));
    wait_until_near(&world, &mut running);
    // Somebody takes the lead, and keeps it.
    let mut other = world.target.session(DATABASE);
    other.run("SELECT pg_advisory_lock(hashtext('walferry.lead'), hashtext('walferry'))");
    wait_for("the lead", || {
        let waits =
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 2";
        let held = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND query LIKE 'SELECT pg_advisory_lock%'";
        world.target.psql(DATABASE, waits) == "1" && world.target.psql(DATABASE, held) != "0"
    });
    let told = running.end();
    assert!(String::from_utf8_lossy(&told.stderr).contains("stopped"));
}

/// The servers are closed in turn. It waits, too, for longer than its role's sessions may.
#[test]
fn a_cutover_reaches_a_server_that_is_to_be_read_write_when_it_has_closed_it() {
    let world = world();
    for cluster in [&world.source, &world.target] {
        cluster.psql(DATABASE, "ALTER ROLE CURRENT_USER SET idle_session_timeout = '700ms'");
    }
    let [from, to] = [&world.source, &world.target].map(|cluster| cluster.conninfo(DATABASE));
    let between = |words: &[&str], from: &str, to: &str| {
        let (first, options) = words.split_first().expect("a command");
        let reached = |server: &str| format!("{server} target_session_attrs=read-write");
        let sides = ["--source".to_owned(), reached(from), "--target".to_owned(), reached(to)];
        let mut with_sides = crate::program::migrate();
        with_sides.arg(first).args(sides).args(options);
        with_sides
    };
    run(&mut between(&["run", "--stop-at-current"], &from, &to));
    let mut leader = world.target.session(DATABASE);
    leader.run("SET idle_session_timeout = 0");
    leader.run("SELECT pg_advisory_lock(hashtext('walferry.lead'), hashtext('walferry'))");
    let cutting = Running::start(&mut between(&["cutover", "--reverse"], &from, &to));
    // It waits for longer than a session may be idle.
    thread::sleep(Duration::from_secs(3));
    drop(leader);
    cutting.wait();
    run(&mut between(&with("cutover", &BACK), &to, &from));
}

#[test]
fn a_role_that_is_set_to_read_migrates_all_the_same() {
    let world = world();
    for cluster in [&world.source, &world.target] {
        cluster.psql(DATABASE, "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on");
    }
    run(&mut command(&world, &["run", "--stop-at-current"]));
    run(&mut command(&world, &["verify"]));
    run(&mut command(&world, &["cutover", "--reverse"]));
    run(&mut command(&world, &["cleanup"]));
}
