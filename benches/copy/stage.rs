//! The two servers, and what is on them before a copy.

use crate::support::{self, Cluster};

/// The same for both servers. What isn't named is the server's default.
const SETTINGS: [(&str, &str); 10] = [
    // Defaults that tests/support changes.
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("log_replication_commands", "off"),
    ("shared_buffers", "1GB"),
    // Nothing else runs beside a copy.
    ("autovacuum", "off"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("max_sync_workers_per_subscription", "2"),
    ("wal_retrieve_retry_interval", "10ms"),
    ("max_worker_processes", "16"),
];

/// As `pgbench` makes them.
const TABLES: &str = "CREATE TABLE a (aid int, bid int, abalance int, filler char(84));
    CREATE TABLE b (aid int, bid int, abalance int, filler char(84)); CREATE TABLE field (v text)";

pub(crate) struct Stage {
    pub(crate) source: Cluster,
    pub(crate) target: Cluster,
    content: String,
    bytes: f64,
}

impl Stage {
    pub(crate) fn start(major: u32, rows: u32) -> Self {
        let server = support::server(major);
        let (source, target) = (server.start_with(&SETTINGS), server.start_with(&SETTINGS));
        source.create_database("source");
        target.create_database("template");
        source.psql("source", TABLES);
        target.psql("template", TABLES);
        for table in ["a", "b"] {
            source.psql(
                "source",
                &format!("INSERT INTO {table} SELECT i, i / 100000, 0, '' FROM generate_series(1, {rows}) i"),
            );
        }
        source.psql("source", "INSERT INTO field SELECT repeat('0123456789', 20000000)");
        source.psql(
            "source",
            "CREATE PUBLICATION tables FOR TABLE a, b; CREATE PUBLICATION field FOR TABLE field",
        );
        source.psql("source", "VACUUM ANALYZE");
        let bytes = source.psql("source", "SELECT pg_table_size('a') + pg_table_size('b')");
        let content = content(&source, "source");
        Self { source, target, content, bytes: bytes.parse().expect("a number") }
    }

    pub(crate) fn about(&self) -> String {
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let settings: Vec<_> = SETTINGS.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        format!(
            "{}; {cpus} CPUs, load {}; Unix sockets; data in {}; two tables, {:.0} MB\n{}",
            self.source.server().version,
            load.split(' ').next().unwrap_or_default(),
            self.source.data_folder().display(),
            self.megabytes(),
            settings.join(", ")
        )
    }

    /// What the tables take on the source's disk.
    pub(crate) fn megabytes(&self) -> f64 {
        self.bytes / 1e6
    }

    /// Makes the target's database afresh, and leaves both servers with nothing to write.
    pub(crate) fn make_target(&self) {
        let target = |sql: &str| self.target.psql("postgres", sql);
        target("DROP DATABASE IF EXISTS run WITH (FORCE)");
        target("CREATE DATABASE run TEMPLATE template");
        target("CHECKPOINT");
        self.source.psql("postgres", "CHECKPOINT");
    }

    pub(crate) fn check(&self) {
        assert_eq!(content(&self.target, "run"), self.content);
    }
}

fn content(cluster: &Cluster, database: &str) -> String {
    let sums = ["a", "b"]
        .map(|table| format!("SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t"));
    cluster.psql(database, &sums.join(";\n"))
}
