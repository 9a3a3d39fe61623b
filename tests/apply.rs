//! The sink that applies changes to another server, on every server that is installed.
#![allow(
    clippy::allow_attributes,
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

#[test]
fn a_hostile_database_arrives_as_it_was_on_every_server() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for server in support::servers() {
        let cluster = server.start();
        cluster.create_database("source");
        // The name of an object is a number in binary, which only its server can turn into the name.
        let tables = workload::TABLES.replace(" regclass", " text");
        script(&cluster, "source", &tables);
        script(&cluster, "source", workload::PUBLISH);
        for way in &WAYS {
            let slot = way.name;
            cluster
                .psql("source", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
        }
        script(&cluster, "source", workload::CHANGES);
        let expected = script(&cluster, "source", workload::CONTENTS);
        for way in &WAYS {
            cluster.create_database(way.name);
            script(&cluster, way.name, &tables);
            let applied =
                runtime.block_on(apply(config(&cluster, "source"), config(&cluster, way.name), way));
            let statistics = applied.unwrap_or_else(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                panic!("{} on {}: {error}: {}", way.name, server.major, cause.unwrap_or_default())
            });
            eprintln!("{} on {}: {statistics:?}", way.name, server.major);
            cluster.psql(way.name, "DROP SCHEMA walferry CASCADE");
            assert_equal(&server, way, &expected, &script(&cluster, way.name, workload::CONTENTS));
        }
    }
}
