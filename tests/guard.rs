//! What the slot makes its source hold back is seen, and a slot is dropped only by who made it.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use support::{Cluster, Server};
use walferry::migrate::Migration;
use walferry::migrate::guard::{Advice, Guard, Standing, WalStatus};
use walferry::{Config, Connection, Error, StreamOptions};

const GIB: u64 = 1 << 30;
const SEGMENT: u64 = 16 << 20;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn config(cluster: &Cluster, database: &str) -> Config {
    cluster.conninfo(database).parse().expect("a connection string")
}

/// A source with a slot, and a target, in one cluster.
fn migration(cluster: &Cluster) -> Migration {
    cluster.create_database("target");
    cluster.psql(
        "postgres",
        "CREATE TABLE busy (body text); CREATE PUBLICATION p FOR TABLE busy;
         SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    );
    let (source, target) = (config(cluster, "postgres"), config(cluster, "target"));
    Migration::new(source, target, "s".parse().expect("a slot's name"), "p")
}

fn look(guard: &mut Guard, migration: &Migration) -> Standing {
    wait(guard.look(migration)).unwrap_or_else(|error| panic!("{error}: {:?}", error.hint()))
}

/// Fills so many segments of the log, and lets the server remove what it may.
fn write(cluster: &Cluster, segments: u32) {
    for _ in 0..segments {
        cluster.psql(
            "postgres",
            "INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 1000); SELECT pg_switch_wal()",
        );
    }
    cluster.psql("postgres", "CHECKPOINT");
}

fn slots(cluster: &Cluster) -> String {
    cluster.psql("postgres", "SELECT count(*) FROM pg_replication_slots")
}

/// As the migration records it, when it makes the slot.
fn record_made(cluster: &Cluster, slot: &str) {
    cluster.psql(
        "target",
        &format!(
            "CREATE SCHEMA IF NOT EXISTS walferry;
             CREATE TABLE IF NOT EXISTS walferry.made (name text, kind text, object text, PRIMARY KEY (name, kind, object));
             INSERT INTO walferry.made VALUES ('{slot}', 'slot', '{slot}')"
        ),
    );
}

#[test]
fn a_slot_that_lags_is_seen_growing_and_how_long_that_goes_well() {
    support::on_each_server(|server: &Server| {
        let cluster = server.start();
        let migration = migration(&cluster);
        let mut guard = Guard::new(GIB);
        let first = look(&mut guard, &migration);
        assert_eq!((first.advice(), first.growth, first.active), (Advice::Fine, None, false));
        assert!(first.catalog_xmin_age.is_some() && first.safe_wal_size.is_none(), "{first:?}");

        write(&cluster, 3);
        let second = look(&mut guard, &migration);
        let kept = "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots";
        let kept: u64 = cluster.psql("postgres", kept).parse().expect("a number of bytes");
        assert!(second.retained > 2 * SEGMENT && second.retained <= kept, "{second:?}, {kept}");
        let growth = second.growth.expect("it is the second look");
        let elapsed =
            f64::from(u32::try_from(second.at.as_micros() - first.at.as_micros()).expect("short")) / 1e6;
        let grown = f64::from(u32::try_from(second.retained - first.retained).expect("little"));
        assert!((growth * elapsed / grown - 1.0).abs() < 1e-6, "{first:?} {second:?}");
        let left = second.time_left.expect("it grows").as_secs_f64();
        let rest = f64::from(u32::try_from(GIB - second.retained).expect("little"));
        assert!((left * growth / rest - 1.0).abs() < 1e-6, "{second:?}");

        let advice = |budget| look(&mut Guard::new(budget), &migration).advice();
        let kept = second.retained;
        assert_eq!(advice(kept * 3), Advice::Fine);
        assert_eq!(advice(kept * 3 / 2), Advice::Warn);
        assert_eq!(advice(kept * 5 / 4), Advice::Slow);
        assert_eq!(advice(kept), Advice::Pause);
        let told = second.to_string();
        assert!(told.contains("nobody follows it"), "{told}");
    });
}

#[test]
fn a_slot_that_is_followed_is_active_and_any_role_may_look() {
    support::on_each_server(|server| {
        let cluster = server.start();
        let migration = migration(&cluster);
        cluster.psql("postgres", "CREATE ROLE weak LOGIN");
        let weak = migration.source().clone().user("weak");
        let weak = Migration::new(
            weak,
            migration.target().clone(),
            migration.slot().clone(),
            migration.publication(),
        );
        wait(async {
            let connection = Connection::connect(migration.source()).await.expect("a connection");
            let options = StreamOptions::new(migration.slot().clone()).publication("p");
            let stream = connection.start_replication(options).await.expect("a stream");
            let standing = Guard::new(GIB).look(&weak).await.expect("any role may look");
            assert!(standing.active && !standing.to_string().contains("nobody"), "{standing}");
            drop(stream);
        });
    });
}

#[test]
fn a_slot_past_max_slot_wal_keep_size_is_found_lost() {
    support::on_each_server(|server| {
        let settings =
            [("max_slot_wal_keep_size", "64MB"), ("max_wal_size", "32MB"), ("min_wal_size", "32MB")];
        let cluster = server.start_with(&settings);
        let migration = migration(&cluster);
        let mut guard = Guard::new(GIB);
        let safe = look(&mut guard, &migration);
        assert!(safe.safe_wal_size.is_some_and(|bytes| bytes > 0), "{safe:?}");
        assert_eq!(safe.advice(), Advice::Fine);

        write(&cluster, 2);
        let nearing = look(&mut guard, &migration);
        assert!(nearing.safe_wal_size < safe.safe_wal_size && nearing.time_left.is_some(), "{nearing:?}");
        assert_eq!(nearing.advice(), Advice::Slow, "{nearing:?}");

        write(&cluster, 8);
        let lost = look(&mut guard, &migration);
        assert!(lost.is_lost() && lost.wal_status == WalStatus::Lost, "{lost:?}");
        assert_eq!((lost.advice(), lost.retained), (Advice::Pause, 0));
        assert!(lost.to_string().contains("is lost"), "{lost}");
        let mut giving_up = Guard::new(GIB).lose_the_migration_beyond_budget();
        assert_eq!(look(&mut giving_up, &migration).advice(), Advice::Release);
    });
}

#[test]
fn a_slot_that_is_missing_is_told_so() {
    support::on_each_server(|server| {
        let cluster = server.start();
        let migration = migration(&cluster);
        cluster.psql("postgres", "SELECT pg_drop_replication_slot('s')");
        let error = wait(Guard::new(GIB).look(&migration)).expect_err("there is none");
        assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
        assert_eq!(error.to_string(), "the source has no slot s");
    });
}

#[test]
fn a_slot_is_released_only_where_that_is_the_advice_and_the_migration_made_it() {
    support::on_each_server(|server| {
        let cluster = server.start();
        let migration = migration(&cluster);
        write(&cluster, 1);
        record_made(&cluster, "another");

        let mut guard = Guard::new(1);
        assert_eq!(look(&mut guard, &migration).advice(), Advice::Pause);
        let refused = wait(guard.release(&migration));
        assert!(matches!(refused, Err(Error::Misuse(_))), "{refused:?}");

        let mut guard = Guard::new(1).lose_the_migration_beyond_budget();
        let standing = look(&mut guard, &migration);
        assert_eq!(standing.advice(), Advice::Release);
        let refused = wait(guard.release(&migration)).expect_err("somebody else has made it");
        assert!(matches!(refused, Error::Precondition { .. }), "{refused:?}");
        assert_eq!(slots(&cluster), "1");

        record_made(&cluster, "s");
        wait(async {
            let connection = Connection::connect(migration.source()).await.expect("a connection");
            let options = StreamOptions::new(migration.slot().clone()).publication("p");
            let stream = connection.start_replication(options).await.expect("a stream");
            let refused = guard.release(&migration).await.expect_err("it is in use");
            assert_eq!(refused.sqlstate(), Some("55006"));
            stream.stop().await.expect("it stops").close().await;
        });
        let released = wait(guard.release(&migration)).expect("it is this migration's");
        assert_eq!(slots(&cluster), "0");
        let told = released.to_string();
        let confirmed = standing.confirmed.expect("a logical slot has one").to_string();
        assert!(told.contains(&confirmed) && told.contains("lost"), "{told}");
    });
}
