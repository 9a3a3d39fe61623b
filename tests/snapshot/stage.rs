//! Two databases, and snapshots of the first.

use tokio::runtime::Runtime;
use walferry::connection::Snapshot;
use walferry::snapshot::{Copied, Exported, Report, SnapshotCopy, copied};
use walferry::{Config, Connection, Error, SlotOptions};

use crate::support::{Cluster, Server};

pub(crate) struct Stage {
    source: Cluster,
    /// `None`: the same.
    target: Option<Cluster>,
    pub(crate) runtime: Runtime,
}

/// A snapshot, and the transaction that holds it.
pub(crate) struct Held {
    pub(crate) exported: Exported,
    pub(crate) holder: Connection,
}

const SETTINGS: [(&str, &str); 2] = [("autovacuum", "off"), ("max_connections", "40")];

impl Stage {
    /// Both databases on one server, each with these tables; the source publishes all of them as `all`.
    pub(crate) fn new(server: &Server, tables: &str) -> Self {
        Self::between(server, None, tables)
    }

    pub(crate) fn between(server: &Server, target: Option<&Server>, tables: &str) -> Self {
        let stage = Self {
            source: server.start_with(&SETTINGS),
            target: target.map(|server| server.start_with(&SETTINGS)),
            runtime: Runtime::new().expect("a runtime"),
        };
        stage.source.create_database("source");
        stage.target_cluster().create_database("target");
        stage.source(tables);
        stage.target(tables);
        stage.source("CREATE PUBLICATION \"all\" FOR ALL TABLES");
        stage
    }

    pub(crate) fn source_cluster(&self) -> &Cluster {
        &self.source
    }

    pub(crate) fn target_cluster(&self) -> &Cluster {
        self.target.as_ref().unwrap_or(&self.source)
    }

    pub(crate) fn source(&self, script: &str) -> String {
        let said = self.source.psql_file("source", script.as_bytes());
        said.unwrap_or_else(|error| panic!("source: {error}"))
    }

    pub(crate) fn target(&self, script: &str) -> String {
        let said = self.target_cluster().psql_file("target", script.as_bytes());
        said.unwrap_or_else(|error| panic!("target: {error}"))
    }

    pub(crate) fn source_config(&self) -> Config {
        self.source.conninfo("source").parse().expect("a connection string")
    }

    pub(crate) fn target_config(&self) -> Config {
        self.target_cluster().conninfo("target").parse().expect("a connection string")
    }

    /// A slot, and its snapshot.
    pub(crate) fn snapshot(&self, slot: &str) -> Held {
        self.runtime.block_on(hold(&self.source_config(), slot)).expect("a slot with a snapshot")
    }

    pub(crate) fn copy(&self) -> SnapshotCopy {
        SnapshotCopy::new(self.source_config(), self.target_config(), "copy").publication("all")
    }

    pub(crate) fn run(&self, copy: &SnapshotCopy, held: &Held) -> Result<Report, Error> {
        self.runtime.block_on(copy.run(&held.exported))
    }

    /// Copies all at a new snapshot.
    pub(crate) fn carry(&self, copy: &SnapshotCopy) -> Report {
        let held = self.snapshot("carry");
        let report = self.run(copy, &held);
        report.unwrap_or_else(|error| panic!("{error}; {:?}", error.hint()))
    }

    pub(crate) fn copied(&self) -> Vec<Copied> {
        self.runtime.block_on(copied(&self.target_config(), "copy")).expect("a ledger")
    }

    /// What the source's database answers at a snapshot.
    pub(crate) fn source_at(&self, held: &Held, query: &str) -> String {
        let name = held.exported.name();
        self.source(&format!(
            "\\t on\n\\o /dev/null\nBEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{name}';\n\\o\n{query};"
        ))
    }

    pub(crate) fn target_now(&self, query: &str) -> String {
        self.target(&format!("\\t on\n{query};"))
    }
}

/// Makes a slot, and keeps its snapshot.
pub(crate) async fn hold(source: &Config, slot: &str) -> Result<Held, Error> {
    let mut holder = Connection::connect(source).await?;
    let options = SlotOptions::new().snapshot(Snapshot::Use);
    let mut slot = holder.create_slot(&slot.parse().expect("a slot's name"), options).await?;
    let exported = Exported::new(slot.export_snapshot().await?, slot.consistent_point());
    Ok(Held { exported, holder })
}

/// Every row of a table.
pub(crate) fn rows_of(table: &str) -> String {
    format!("SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM {table} t")
}

/// The error, with what is to be done about it.
pub(crate) fn told(error: &Error) -> String {
    assert!(!error.is_retryable(), "{error}");
    format!("{error}; {}", error.hint().unwrap_or_default())
}
