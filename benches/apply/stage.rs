//! The two servers, and what is made on them before a drain.

use std::fs;

use crate::options::Way;
use crate::programs::Programs;
use crate::shapes::Shape;
use crate::support::{self, Cluster};

/// The same for both servers. What isn't named is the server's default.
const SETTINGS: [(&str, &str); 13] = [
    // Defaults that tests/support changes.
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("log_replication_commands", "off"),
    ("shared_buffers", "1GB"),
    // Nothing else runs beside a drain.
    ("autovacuum", "off"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("track_commit_timestamp", "off"),
    ("wal_sender_timeout", "60s"),
    ("max_replication_slots", "100"),
    ("max_wal_senders", "20"),
    ("synchronous_commit", "on"),
    // A subscription that is enabled soon after another one would wait for 5 s before it begins.
    ("wal_retrieve_retry_interval", "10ms"),
];

/// The database on the target that is drained into.
pub(crate) const RUN: &str = "run";
pub(crate) const PUBLICATION: &str = "everything";

pub(crate) struct Stage {
    pub(crate) source: Cluster,
    pub(crate) target: Cluster,
    /// Whether the source is reached over TCP.
    tcp: bool,
}

/// What waits in the slots of a shape.
pub(crate) struct Backlog {
    /// The source's database, and the template on the target.
    pub(crate) database: &'static str,
    /// Behind the last transaction.
    pub(crate) end: String,
    pub(crate) streaming: bool,
    /// What the source's tables hold.
    pub(crate) content: String,
}

impl Stage {
    pub(crate) fn start(major: u32, tcp: bool) -> Self {
        let server = support::server(major);
        let options = if tcp { server.options().tcp() } else { server.options() };
        let source =
            SETTINGS.iter().fold(options, |options, (name, value)| options.setting(name, value)).start();
        Self { source, target: server.start_with(&SETTINGS), tcp }
    }

    /// By which whoever drains reaches the source.
    pub(crate) fn source(&self, database: &str) -> String {
        if self.tcp {
            return format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.source.tcp_port());
        }
        self.source.conninfo(database)
    }

    /// What the figures depend on.
    pub(crate) fn settings(&self, programs: &Programs) -> String {
        let server = self.source.server();
        let is_debian = server.bin.starts_with("/usr/lib/postgresql");
        let build =
            if is_debian { "" } else { " (not Debian's build: those of npm are compiled for size, -Os)" };
        let settings = SETTINGS.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>();
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        let sockets = if self.tcp { "the source over TCP" } else { "Unix sockets" };
        format!(
            "{}{build}; {cpus} CPUs, load {load}; {sockets}; data in {}\n{}\n{}",
            server.version,
            self.source.data_folder().display(),
            programs.names(),
            settings.join(", ")
        )
    }

    /// Runs the shape's workload on a fresh database, once, behind these slots.
    pub(crate) fn make_backlog(&self, shape: &Shape, slots: &[String]) -> Backlog {
        let database = shape.name;
        make_database(&self.source, shape);
        make_database(&self.target, shape);
        let source = |sql: &str| self.source.psql(database, sql);
        source(&format!("{}; CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES", shape.on_source));
        for slot in slots {
            self.make_slot(database, slot);
        }
        source(&format!("SET synchronous_commit = off; SELECT setseed(0.5); {}", shape.workload));
        source("INSERT INTO marker VALUES (1)");
        let end = self.source.wal_position();
        // So that the server's flushed position is behind that end.
        source("SELECT pg_logical_emit_message(true, '', '')");
        let content = content(&self.source, database);
        Backlog { database, end, streaming: shape.streaming, content }
    }

    pub(crate) fn make_slot(&self, database: &str, slot: &str) {
        self.source
            .psql(database, &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }

    /// Once its walsender has gone.
    pub(crate) fn drop_slot(&self, slot: &str) {
        let sql = format!(
            "DO $$ BEGIN
                WHILE EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{slot}' AND active) LOOP
                    PERFORM pg_sleep(0.01);
                END LOOP;
                PERFORM pg_drop_replication_slot('{slot}');
            END $$"
        );
        self.source.psql("postgres", &sql);
    }

    /// Makes the target's database afresh, and leaves both servers with nothing to write.
    pub(crate) fn make_target(&self, template: &str) {
        let target = |sql: &str| self.target.psql("postgres", sql);
        target(&format!("DROP DATABASE IF EXISTS {RUN} WITH (FORCE)"));
        target(&format!("CREATE DATABASE {RUN} TEMPLATE \"{template}\""));
        target("CHECKPOINT");
        self.source.psql("postgres", "CHECKPOINT");
    }

    /// Compares the target's tables with the source's.
    pub(crate) fn check(&self, backlog: &Backlog, way: Way) {
        let got = content(&self.target, RUN);
        assert!(got == backlog.content, "{way:?} applied {got}\nof {}", backlog.content);
    }

    /// Drops what the shape has left.
    pub(crate) fn forget(&self, shape: &Shape) {
        self.target.psql("postgres", &format!("DROP DATABASE IF EXISTS {RUN} WITH (FORCE)"));
        for cluster in [&self.target, &self.source] {
            cluster.psql("postgres", &format!("DROP DATABASE \"{}\" WITH (FORCE)", shape.name));
        }
    }
}

fn make_database(cluster: &Cluster, shape: &Shape) {
    cluster.create_database(shape.name);
    cluster.psql(shape.name, &format!("{}; CREATE TABLE marker (id int PRIMARY KEY)", shape.schema));
    cluster.psql(shape.name, &format!("{}; VACUUM ANALYZE", shape.seed));
}

/// Of each table of `public` the number of rows, and a sum of hashes over the text of each.
fn content(cluster: &Cluster, database: &str) -> String {
    let tables =
        "SELECT format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM public.%I t',
        tablename, tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename";
    let queries = cluster.psql(database, tables);
    assert!(queries.lines().count() > 1, "the marker and at least one more");
    cluster.psql(database, &queries.replace('\n', ";\n"))
}
