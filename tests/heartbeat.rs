//! A heartbeat moves the slot of a database in which nobody writes, and no sink sees it.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::time::{Duration, Instant};

use support::{Cluster, on_each_server};
use walferry::sink::Memory;
use walferry::{Config, Connection, Event, Pipeline, StreamOptions};

fn confirmed(cluster: &Cluster) -> String {
    cluster.psql("postgres", "SELECT confirmed_flush_lsn FROM pg_replication_slots")
}

async fn beats(cluster: &Cluster, conninfo: &str) -> Vec<Event> {
    let config: Config = conninfo.parse().unwrap();
    let connection = Connection::connect(&config).await.unwrap();
    let options = StreamOptions::new("s".parse().unwrap()).publication("p").messages(true);
    let stream = connection.start_replication(options).await.unwrap();
    let sink = Memory::default();
    let before = cluster.wal_position();
    let moved = async {
        let deadline = Instant::now() + Duration::from_secs(30);
        let passed = format!("SELECT confirmed_flush_lsn > '{before}' FROM pg_replication_slots");
        while cluster.psql("postgres", &passed) != "t" {
            assert!(Instant::now() < deadline, "the slot stands at {}", confirmed(cluster));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let pipeline = Pipeline::new(sink.clone()).heartbeat(Duration::from_secs(1));
    pipeline.run(stream, moved).await.unwrap();
    sink.take()
}

#[test]
fn museum_11_a_heartbeat_moves_the_slot_of_a_quiet_database() {
    on_each_server(|server| {
        let cluster = server.start();
        cluster.psql(
            "postgres",
            "CREATE PUBLICATION p FOR ALL TABLES; SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = runtime.block_on(beats(&cluster, &cluster.conninfo("postgres")));
        assert!(!seen.is_empty(), "the transaction around it");
        assert!(seen.iter().all(|event| matches!(event, Event::Begin(_) | Event::Commit(_))), "{seen:?}");
    });
}

/// A role that may replicate and not call the function: nothing moves, and nothing ends.
#[test]
fn a_heartbeat_that_is_not_allowed_ends_nothing() {
    on_each_server(|server| {
        let cluster = server.start();
        let more = if server.major >= 17 { ", bool" } else { "" };
        cluster.psql(
            "postgres",
            &format!(
                "CREATE PUBLICATION p FOR ALL TABLES; CREATE ROLE reader LOGIN REPLICATION;
                 REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(bool, text, text{more}) FROM PUBLIC"
            ),
        );
        cluster.psql("postgres", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config: Config =
                cluster.conninfo("postgres").replace("user=postgres", "user=reader").parse().unwrap();
            let connection = Connection::connect(&config).await.unwrap();
            let options = StreamOptions::new("s".parse().unwrap()).publication("p").messages(true);
            let stream = connection.start_replication(options).await.unwrap();
            let sink = Memory::default();
            let shutdown = tokio::time::sleep(Duration::from_millis(3500));
            let pipeline = Pipeline::new(sink.clone()).heartbeat(Duration::from_secs(1));
            let statistics = pipeline.run(stream, shutdown).await.unwrap();
            assert_eq!(statistics.reconnects, 0);
            assert!(sink.take().is_empty());
        });
    });
}
