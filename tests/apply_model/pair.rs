//! A source and a target of a few tables, for what has a name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::Client;
use walferry::sink::postgres::{ApplyError, PostgresSink};
use walferry::stream::Streaming;
use walferry::{Batch, ChangeSink, Config, Connection, Error, Event, ReplicationStream, StreamOptions};

use crate::sinks;
use crate::support::{self, Cluster, Server};
use crate::world::{connect, drain};

/// A source and a target with the same tables, unless said otherwise, and what brings changes from one to the other.
pub(crate) struct Pair {
    pub(crate) cluster: &'static Cluster,
    pub(crate) source: Client,
    pub(crate) target: Client,
    pub(crate) stream: ReplicationStream,
    pub(crate) sink: PostgresSink,
    pub(crate) gathers: bool,
    pub(crate) names: [String; 2],
}

/// What a pair is made of.
#[derive(Clone, Copy, Default)]
pub(crate) struct Plan<'a> {
    /// Statements for both sides.
    pub(crate) tables: &'a str,
    /// Further ones for one side.
    pub(crate) on_source: &'a str,
    pub(crate) on_target: &'a str,
    /// Options of the publication.
    pub(crate) publish: &'a str,
    pub(crate) binary: bool,
}

/// A cluster of each version, for all tests.
fn cluster(server: &Server) -> &'static Cluster {
    static CLUSTERS: Mutex<Option<HashMap<u32, &'static Cluster>>> = Mutex::new(None);
    let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
    clusters.get_or_insert_default().entry(server.major).or_insert_with(|| {
        let settings =
            [("max_replication_slots", "200"), ("max_wal_senders", "50"), ("client_min_messages", "error")];
        // Never dropped: cleared up when the process ends.
        Box::leak(Box::new(server.start_with(&settings)))
    })
}

/// On each server, with changes gathered and in order.
pub(crate) fn everywhere(name: &str, plan: Plan<'_>, test: impl AsyncFn(Pair) + Sync) {
    support::on_each_server(|server| {
        for gathers in [true, false] {
            let runtime = crate::runtime();
            runtime.block_on(async { test(Pair::new(server, name, gathers, plan).await).await });
        }
    });
}

impl Pair {
    pub(crate) async fn new(server: &Server, name: &str, gathers: bool, plan: Plan<'_>) -> Self {
        let cluster = cluster(server);
        let names = ["source", "target"].map(|side| format!("{name}_{gathers}_{side}"));
        for name in &names {
            cluster.create_database(name);
            cluster.psql(name, plan.tables);
        }
        cluster.psql(&names[0], plan.on_source);
        cluster.psql(&names[1], plan.on_target);
        let slot = &names[0];
        cluster.psql(
            slot,
            &format!(
                "CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert, update, delete, truncate'{})",
                plan.publish
            ),
        );
        cluster.psql(slot, &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
        let source = connect(cluster, slot).await;
        let target = connect(cluster, &names[1]).await;
        let options = StreamOptions::new(slot.parse().unwrap()).publication("p").messages(true);
        let options = options.binary(plan.binary).streaming(Streaming::Off);
        let stream = start(cluster, slot, options).await;
        let sink = sinks::open(cluster, &names[1], gathers, &stream, name).await;
        Self { cluster, source, target, stream, sink, gathers, names }
    }

    /// Statements on the source, and what becomes of them, as one batch.
    pub(crate) async fn try_change(&mut self, sql: &str) -> Result<(), ApplyError> {
        let events = self.events(sql).await;
        self.apply(events).await
    }

    pub(crate) async fn events(&mut self, sql: &str) -> Vec<Event> {
        self.source
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{:?}\n{sql}", error.as_db_error()));
        drain(&mut self.stream, &self.source).await
    }

    pub(crate) async fn apply(&mut self, events: Vec<Event>) -> Result<(), ApplyError> {
        let mut batch = Batch::default();
        batch.extend(events);
        self.sink.write(batch).await?;
        self.sink.flush().await
    }

    pub(crate) async fn change(&mut self, sql: &str) {
        if let Err(error) = self.try_change(sql).await {
            panic!("{}: {error:?}\n{sql}", self.whose());
        }
    }

    /// Both sides answer this query alike, rows in any order; gives the answer.
    pub(crate) async fn agree(&self, query: &str) -> Vec<String> {
        let (expected, found) = (rows(&self.source, query).await, rows(&self.target, query).await);
        assert_eq!(expected, found, "{}: {query}", self.whose());
        expected
    }

    /// What the target has.
    pub(crate) async fn has(&self, query: &str) -> Vec<String> {
        rows(&self.target, query).await
    }

    pub(crate) fn whose(&self) -> String {
        format!("{} on {}, gathers: {}", self.names[1], self.cluster.major(), self.gathers)
    }
}

async fn start(cluster: &Cluster, database: &str, options: StreamOptions) -> ReplicationStream {
    let config: Config = cluster.conninfo(database).parse().unwrap();
    let connection = Connection::connect(&config).await.expect("the source is there");
    connection.start_replication(options).await.unwrap_or_else(|error: Error| panic!("{error:?}"))
}

async fn rows(client: &Client, query: &str) -> Vec<String> {
    let sql = format!("SELECT r FROM (SELECT x::text AS r FROM ({query}) x) y ORDER BY r COLLATE \"C\"");
    let rows = client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    rows.iter().map(|row| row.get(0)).collect()
}
