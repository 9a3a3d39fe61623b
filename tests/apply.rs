//! The sink that applies changes to another server, on every server that is installed.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;
mod workload;

use std::collections::BTreeSet;

use support::{Cluster, Server};
use walferry::sink::postgres::{PostgresSink, Statistics};
use walferry::stream::StreamOptions;
use walferry::{Config, Connection, Error, Pipeline};

fn script(cluster: &Cluster, database: &str, script: &str) -> String {
    cluster.psql_file(database, script.as_bytes()).unwrap_or_else(|error| panic!("in {database}: {error}"))
}

fn config(cluster: &Cluster, database: &str) -> Config {
    cluster.conninfo(database).parse().expect("a connection string")
}

/// How changes are applied.
struct Way {
    name: &'static str,
    binary: bool,
    gather: bool,
    batch_rows: usize,
}

const WAYS: [Way; 4] = [
    Way { name: "text_gathered", binary: false, gather: true, batch_rows: 10_000 },
    Way { name: "text_in_order", binary: false, gather: false, batch_rows: 10_000 },
    Way { name: "binary_gathered", binary: true, gather: true, batch_rows: 37 },
    Way { name: "binary_in_order", binary: true, gather: false, batch_rows: 7 },
];

/// A source with these tables in the publication `all`, a target with the same, and a slot.
fn pair(server: &Server, tables: &str) -> Cluster {
    let cluster = server.start();
    for database in ["source", "target"] {
        cluster.create_database(database);
        script(&cluster, database, tables);
    }
    cluster.psql("source", "CREATE PUBLICATION \"all\" FOR ALL TABLES");
    cluster.psql("source", "SELECT pg_create_logical_replication_slot('slot', 'pgoutput')");
    cluster
}

/// Applies what the source has written up to now.
async fn catch_up(
    cluster: &Cluster,
    pipeline: impl FnOnce(PostgresSink) -> Pipeline<PostgresSink>,
) -> Statistics {
    let run = async {
        let mut connection = Connection::connect(&config(cluster, "source")).await?;
        let end = connection.identify_system().await?.wal_flushed;
        let options = StreamOptions::new("slot".parse().expect("a slot's name")).publication("all");
        let mut stream = connection.start_replication(options).await?;
        stream.stop_at(end);
        let sink = PostgresSink::new(config(cluster, "target"), "slot");
        let monitor = sink.monitor();
        pipeline(sink).run(stream, std::future::pending()).await?;
        Ok::<_, Error>(monitor.statistics())
    };
    run.await.unwrap_or_else(|error| {
        panic!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string))
    })
}

async fn apply(source: Config, target: Config, way: &Way) -> Result<Statistics, Error> {
    let mut connection = Connection::connect(&source).await?;
    let end = connection.identify_system().await?.wal_flushed;
    let options = workload::PUBLICATIONS
        .iter()
        .fold(StreamOptions::new(way.name.parse().expect("a slot's name")), |options, name| {
            options.publication(*name)
        })
        .binary(way.binary);
    let mut stream = connection.start_replication(options).await?;
    stream.stop_at(end);
    let sink = PostgresSink::new(target, way.name).gather(way.gather);
    let monitor = sink.monitor();
    Pipeline::new(sink).batch_rows(way.batch_rows).run(stream, std::future::pending()).await?;
    Ok(monitor.statistics())
}

fn assert_equal(server: &Server, way: &Way, expected: &str, found: &str) {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (want, have) = (lines(expected), lines(found));
    let missing: Vec<_> = want.difference(&have).take(5).collect();
    let extra: Vec<_> = have.difference(&want).take(5).collect();
    assert!(expected == found, "{} on {}: missing {missing:#?}, extra {extra:#?}", way.name, server.major);
}

/// dbz#1682, DBZ-9305, PeerDB #3658: names of databases, schemas, tables, columns, types and publications.
#[test]
fn museum_21_a_hostile_database_arrives_as_it_was() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    support::on_each_server(|server| {
        let cluster = server.start();
        let source = r#"It's the "source" ünï 表 %_\ = "#;
        cluster.create_database(source);
        // The name of an object is a number in binary, which only its server can turn into the name.
        let tables = workload::TABLES.replace(" regclass", " text");
        script(&cluster, source, &tables);
        script(&cluster, source, workload::PUBLISH);
        for way in &WAYS {
            let slot = way.name;
            cluster.psql(source, &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
        }
        script(&cluster, source, workload::CHANGES);
        let expected = script(&cluster, source, workload::CONTENTS);
        for way in &WAYS {
            let target = &format!(r#"{}'s "target"; -- \"#, way.name);
            cluster.create_database(target);
            script(&cluster, target, &tables);
            let applied = runtime.block_on(apply(config(&cluster, source), config(&cluster, target), way));
            let statistics = applied.unwrap_or_else(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                panic!("{} on {}: {error}: {}", way.name, server.major, cause.unwrap_or_default())
            });
            eprintln!("{} on {}: {statistics:?}", way.name, server.major);
            cluster.psql(target, "DROP SCHEMA walferry CASCADE");
            assert_equal(server, way, &expected, &script(&cluster, target, workload::CONTENTS));
        }
    });
}

#[test]
fn plain_changes_are_gathered_and_nothing_is_done_twice() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    support::on_each_server(|server| {
        let tables = "CREATE TABLE t (id int PRIMARY KEY, a text, b numeric); CREATE TABLE wide (LIKE t INCLUDING ALL)";
        let cluster = pair(server, tables);
        let changes = [
            "INSERT INTO t SELECT i, 'text ' || i, i / 7.0 FROM generate_series(1, 5000) i",
            "UPDATE t SET a = a || '.', b = b + 1 WHERE id % 3 = 0",
            "UPDATE t SET a = NULL WHERE id % 5 = 0",
            "DELETE FROM t WHERE id % 7 = 0",
            "INSERT INTO t SELECT i, 'again', NULL FROM generate_series(7, 5000, 7) i",
            "INSERT INTO wide SELECT i, repeat(md5(i::text), 100), i FROM generate_series(1, 100) i",
        ];
        for change in changes {
            cluster.psql("source", change);
        }
        let statistics = runtime.block_on(catch_up(&cluster, Pipeline::new));
        let contents = |database| {
            let sql = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (TABLE t UNION ALL TABLE wide) t";
            cluster.psql(database, sql)
        };
        assert_eq!(contents("target"), contents("source"));
        let Statistics { transactions, changes, batches, replayed_in_order, .. } = statistics;
        let carried = 5000 + 5000 / 3 + 5000 / 5 + 2 * (5000 / 7) + 100;
        assert_eq!((transactions, changes, replayed_in_order), (6, carried, 0), "{statistics:?}");
        assert!((1..=6).contains(&batches), "{statistics:?}");
        let again = runtime.block_on(catch_up(&cluster, Pipeline::new));
        assert_eq!(again.changes, 0, "what was applied is not applied again");
    });
}

#[test]
fn a_transaction_that_comes_in_parts_is_never_seen_in_part() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    support::on_each_server(|server| {
        let cluster = pair(server, "CREATE TABLE t (id int PRIMARY KEY, a text)");
        cluster.psql("source", "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 60000) i");
        let done = std::sync::atomic::AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = BTreeSet::new();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    seen.insert(cluster.psql("target", "SELECT count(*) FROM t"));
                }
                seen
            });
            let quick =
                |sink| Pipeline::new(sink).batch_rows(7000).batch_delay(std::time::Duration::from_millis(1));
            let Statistics { transactions, changes, .. } = runtime.block_on(catch_up(&cluster, quick));
            assert_eq!((transactions, changes), (1, 60_000), "its parts are counted together");
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            reader.join().expect("the reader ends")
        });
        assert_eq!(cluster.psql("target", "SELECT count(*) FROM t"), "60000");
        assert!(seen.iter().all(|count| matches!(count.as_str(), "0" | "60000")), "{seen:?}");
    });
}
