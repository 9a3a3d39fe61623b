//! A source and a target, and a comparison of them as they are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::{Client, NoTls};
use walferry::migrate::Migration;
use walferry::migrate::verify::{
    Difference, DifferenceKind, RowKey, Snapshots, TableReport, Verify, VerifyReport,
};
use walferry::{Error, Lsn};

use crate::support::{self, Cluster, Server};

pub(crate) struct Pair {
    pub(crate) source: Side,
    pub(crate) target: Side,
    pub(crate) publication: String,
}

/// A database of a cluster.
pub(crate) struct Side {
    pub(crate) cluster: &'static Cluster,
    pub(crate) database: String,
}

/// Snapshots, and the sessions that hold them.
pub(crate) struct Held {
    pub(crate) source: Client,
    pub(crate) target: Client,
    pub(crate) snapshots: Snapshots,
}

/// A cluster of each version, for all tests.
fn cluster(server: &Server) -> &'static Cluster {
    static CLUSTERS: Mutex<Option<HashMap<u32, &'static Cluster>>> = Mutex::new(None);
    let mut clusters = CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner);
    clusters.get_or_insert_default().entry(server.major).or_insert_with(|| {
        let settings = [("max_connections", "200"), ("client_min_messages", "error")];
        // Never dropped: cleared up when the process ends.
        Box::leak(Box::new(server.start_with(&settings)))
    })
}

/// From the oldest server to the newest, and back, if they are two.
pub(crate) fn ways() -> Vec<(Server, Server)> {
    let (oldest, newest) = (support::oldest(), support::newest());
    let is_one = oldest.major == newest.major;
    let back = (newest.clone(), oldest.clone());
    [(oldest, newest), back].into_iter().take(if is_one { 1 } else { 2 }).collect()
}

/// Each of those ways.
pub(crate) fn both_ways(name: &str, sql: &str, test: impl AsyncFn(Pair) + Sync) {
    for (from, to) in ways() {
        let pair = Pair::new(&from, &to, &format!("{name} {}", from.major), sql);
        crate::runtime().block_on(test(pair));
    }
}

/// Between two databases of the newest server.
pub(crate) fn newest(name: &str, sql: &str, test: impl AsyncFn(Pair)) {
    let newest = support::newest();
    crate::runtime().block_on(test(Pair::new(&newest, &newest, name, sql)));
}

impl Pair {
    /// Runs `sql` on both sides. The source publishes all tables.
    pub(crate) fn new(from: &Server, to: &Server, name: &str, sql: &str) -> Self {
        let side = |server: &Server, which: &str| {
            let side = Side { cluster: cluster(server), database: format!("{name} {which}") };
            side.cluster.create_database(&side.database);
            side
        };
        let pair =
            Self { source: side(from, "source"), target: side(to, "target"), publication: "p".to_owned() };
        pair.both(sql);
        pair.source.run("CREATE PUBLICATION p FOR ALL TABLES");
        pair
    }

    pub(crate) fn both(&self, sql: &str) {
        self.source.run(sql);
        self.target.run(sql);
    }

    pub(crate) fn migration(&self) -> Migration {
        let config = |side: &Side| side.cluster.conninfo(&side.database).parse().unwrap();
        let slot = "s".parse().unwrap();
        Migration::new(config(&self.source), config(&self.target), slot, &*self.publication)
    }

    /// Both sides as they are now.
    pub(crate) async fn hold(&self) -> Held {
        let (source, target) = (self.source.connect().await, self.target.connect().await);
        let snapshots = Snapshots::new(Lsn::new(1), export(&source).await, export(&target).await);
        Held { source, target, snapshots }
    }

    pub(crate) async fn try_compare(&self, verify: &Verify) -> Result<VerifyReport, Error> {
        let held = self.hold().await;
        self.compare_at(verify, &held).await
    }

    pub(crate) async fn compare_at(&self, verify: &Verify, held: &Held) -> Result<VerifyReport, Error> {
        let migration = self.migration();
        let compared = can_be_spawned(verify.compare(&migration, &held.snapshots)).await;
        // Sessions that were dropped are closed by this thread, which psql is about to block.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        compared
    }

    pub(crate) async fn compare(&self, verify: &Verify) -> VerifyReport {
        self.try_compare(verify).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Everything that is wrong, a line each, sorted.
    pub(crate) async fn wrong(&self) -> Vec<String> {
        let mut lines = lines(&self.compare(&Verify::new()).await);
        lines.sort();
        lines
    }

    pub(crate) async fn error(&self, verify: &Verify) -> (String, String) {
        let error = self.try_compare(verify).await.expect_err("it can't be compared");
        assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
        (error.to_string(), error.hint().expect("a way out").to_owned())
    }
}

impl Side {
    pub(crate) fn run(&self, sql: &str) -> String {
        self.cluster.psql(&self.database, sql)
    }

    pub(crate) async fn connect(&self) -> Client {
        // A test may have set another for the database.
        let conninfo = format!("options='-c statement_timeout=0' {}", self.cluster.conninfo(&self.database));
        let connected = tokio_postgres::connect(&support::calmed(&conninfo), NoTls).await;
        let (client, connection) = connected.expect("the cluster is there");
        tokio::spawn(connection);
        client
    }
}

fn can_be_spawned<F: Future + Send>(future: F) -> F {
    future
}

async fn export(client: &Client) -> String {
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    client.query_one("SELECT pg_export_snapshot()", &[]).await.unwrap().get(0)
}

pub(crate) fn lines(report: &VerifyReport) -> Vec<String> {
    let lines: Vec<_> = report.tables.iter().flat_map(table_lines).collect();
    assert_eq!(lines.is_empty(), report.is_equal());
    lines
}

fn table_lines(table: &TableReport) -> Vec<String> {
    let name = format!("{}.{}", table.schema, table.table);
    let mut lines: Vec<_> =
        table.differences.iter().map(|difference| format!("{name} {}", line(difference))).collect();
    lines.extend((table.more > 0).then(|| format!("{name} {} more", table.more)));
    lines.extend(table.unproven.iter().map(|why| format!("{name} unproven: {why}")));
    lines
}

pub(crate) fn line(difference: &Difference) -> String {
    let key = match &difference.key {
        RowKey::Columns(columns) => {
            let column = |(name, value): &(String, Option<String>)| {
                format!("{name}={}", value.as_deref().unwrap_or("NULL"))
            };
            columns.iter().map(column).collect::<Vec<_>>().join(",")
        }
        RowKey::RowHash(hash) => {
            assert_eq!(hash.len(), 32, "{hash}");
            "?".to_owned()
        }
        other => panic!("{other:?}"),
    };
    match difference.kind {
        DifferenceKind::Duplicated { source, target } => format!("{key} {source}:{target}"),
        kind => format!("{key} {kind:?}"),
    }
}
