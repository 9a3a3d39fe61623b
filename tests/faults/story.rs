//! A workload with all that a stream can hold, and who carries it.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use walferry::pipeline::Statistics;
use walferry::stream::Streaming;
use walferry::{Config, Connection, Event, Lsn, Pipeline, StreamOptions};

use super::program::{last_line, replay, run};
use super::proxy::{Cut, Passed, Proxy};
use super::script::committed;
use super::sink::Strict;
use super::support::{self, Cluster, Server};

pub(crate) const DATABASE: &str = "d";

const TABLES: &str =
    "CREATE TYPE mood AS ENUM ('null', 'it''s'); CREATE TABLE t (id int PRIMARY KEY, body text);
    ALTER TABLE t ALTER body SET STORAGE PLAIN; CREATE TABLE u (id int PRIMARY KEY, v text);";
/// Has the types read again, over a connection of its own.
const NEW_COLUMN: &str = "ALTER TABLE u ADD COLUMN m mood";
const CONTENTS: &str = "SELECT id, md5(body) FROM t ORDER BY id; SELECT * FROM u ORDER BY id";

/// A workload that is over, and what one undisturbed connection gives of it.
pub(crate) struct Story {
    pub(crate) cluster: Cluster,
    pub(crate) stop: Lsn,
    pub(crate) events: Vec<Event>,
    pub(crate) script: String,
    /// The last line of `replay`.
    pub(crate) told: String,
    pub(crate) passed: Passed,
    slots: AtomicUsize,
}

impl Story {
    /// The story on this server: told once.
    pub(crate) fn on(server: &Server) -> &'static Self {
        static STORIES: LazyLock<Vec<(u32, OnceLock<Story>)>> = LazyLock::new(|| {
            support::servers().iter().map(|server| (server.major, OnceLock::new())).collect()
        });
        let found = STORIES.iter().find(|(major, _)| *major == server.major);
        found.expect("every server has one").1.get_or_init(|| Self::tell(server))
    }

    fn tell(server: &Server) -> Self {
        let cluster = server.start_with(&[
            ("logical_decoding_work_mem", "64kB"),
            ("max_replication_slots", "2000"),
            ("max_wal_senders", "50"),
            // Which would be transactions, too.
            ("autovacuum", "off"),
        ]);
        cluster.create_database(DATABASE);
        cluster.psql(DATABASE, TABLES);
        cluster.psql(
            DATABASE,
            "CREATE PUBLICATION p FOR TABLE t, u; SELECT pg_create_logical_replication_slot('base', 'pgoutput')",
        );
        change(&cluster);
        let stop = cluster.psql(DATABASE, "SELECT pg_current_wal_flush_lsn()").parse().unwrap();
        let mut story = Self {
            cluster,
            stop,
            events: Vec::new(),
            script: String::new(),
            told: String::new(),
            passed: Passed { beginning: 0, data: 0 },
            slots: AtomicUsize::new(0),
        };
        let proxy = Proxy::before(&story.cluster, &[]);
        let (events, statistics) = story.carry(&proxy, &story.slot(), &Strict::default());
        assert_eq!((statistics.reconnects, statistics.rollbacks), (0, 0));
        story.passed = proxy.passed()[0];
        let output = run(&mut story.replay(&proxy));
        story.told = last_line(&output);
        story.script = committed(&output.stdout);
        story.events = events;
        assert!(!String::from_utf8_lossy(&output.stdout).contains("ROLLBACK; -- the connection"));
        story
    }

    /// One that begins where the story does.
    pub(crate) fn slot(&self) -> String {
        let slot = format!("s{}", self.slots.fetch_add(1, Ordering::Relaxed));
        self.cluster.psql(DATABASE, &format!("SELECT pg_copy_logical_replication_slot('base', '{slot}')"));
        slot
    }

    /// Through a pipeline, in small batches.
    pub(crate) fn carry(&self, proxy: &Proxy, slot: &str, sink: &Strict) -> (Vec<Event>, Statistics) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = StreamOptions::new(slot.parse().unwrap()).publication("p");
        let options = options.streaming(Streaming::On).messages(true);
        let statistics = runtime.block_on(async {
            let config: Config = proxy.conninfo(DATABASE).parse().unwrap();
            let connection = Connection::connect(&config).await.unwrap();
            let mut stream = connection.start_replication(options).await.unwrap();
            stream.stop_at(self.stop);
            let pipeline = Pipeline::new(sink.clone()).batch_rows(3);
            tokio::time::timeout(super::PATIENCE, pipeline.run(stream, std::future::pending())).await
        });
        (sink.kept(), statistics.expect("it ends in time").unwrap())
    }

    /// Through the program, in small batches.
    pub(crate) fn replay(&self, proxy: &Proxy) -> Command {
        let mut command = replay();
        command.args(["--source", &proxy.conninfo(DATABASE), "--slot", &self.slot(), "--publication", "p"]);
        command.args(["--streaming", "on", "--messages", "--batch-rows", "3", "--stop-at-current"]);
        command
    }

    pub(crate) fn assert_carried(&self, plan: &[Cut], sink: &Strict) -> Statistics {
        let proxy = Proxy::before(&self.cluster, plan);
        let (events, statistics) = self.carry(&proxy, &self.slot(), sink);
        let on = self.cluster.major();
        assert!(events == self.events, "{plan:?} on {on}: {events:#?}\ninstead of {:#?}", self.events);
        statistics
    }

    pub(crate) fn assert_replayed(&self, plan: &[Cut]) -> Output {
        let proxy = Proxy::before(&self.cluster, plan);
        let output = run(&mut self.replay(&proxy));
        self.assert_told(plan, &output);
        output
    }

    pub(crate) fn assert_told(&self, plan: &[Cut], output: &Output) {
        let on = self.cluster.major();
        let script = committed(&output.stdout);
        assert!(script == self.script, "{plan:?} on {on}: {script}\ninstead of {}", self.script);
        assert_eq!(last_line(output), self.told, "{plan:?} on {on}");
        let told = String::from_utf8_lossy(&output.stderr);
        let (warnings, _) = told.trim_end().rsplit_once('\n').unwrap_or_default();
        for warning in warnings.lines() {
            assert!(warning.contains(" WARN ") && warning.contains("connecting again"), "{told}");
        }
        assert!(warnings.lines().count() >= plan.len(), "{plan:?}: {told}");
    }

    /// Applies a script to a new database of that name.
    pub(crate) fn assert_applies(&self, database: &str, script: &[u8]) {
        self.cluster.create_database(database);
        self.cluster.psql(database, TABLES);
        self.cluster.psql(database, NEW_COLUMN);
        self.cluster.psql_file(database, script).unwrap_or_else(|error| panic!("{database}: {error}"));
        assert_eq!(
            self.cluster.psql(database, CONTENTS),
            self.cluster.psql(DATABASE, CONTENTS),
            "{database} on {}",
            self.cluster.major()
        );
    }
}

/// Transactions in the midst of others, two of them so large that they are sent before they end, a half of one rolled back.
fn change(cluster: &Cluster) {
    let now = |sql: &str| cluster.psql(DATABASE, sql);
    let rows = |first: u32, last: u32| {
        format!("INSERT INTO t SELECT i, repeat('x', 7000) FROM generate_series({first}, {last}) i")
    };
    let [mut large, mut small, mut other] = [(); 3].map(|()| cluster.session(DATABASE));
    now("INSERT INTO t VALUES (1, 'null'), (2, NULL), (3, '')");
    now("SELECT pg_logical_emit_message(false, 'between', 'a')");
    large.run(&format!("BEGIN; {}", rows(100, 109)));
    small.run("BEGIN; INSERT INTO u VALUES (1, 'null'), (2, NULL); UPDATE u SET v = '' WHERE id = 1");
    now("UPDATE t SET body = 'NULL', id = -id WHERE id = 2");
    large.run(&format!("SAVEPOINT lost; {}; ROLLBACK TO lost", rows(200, 209)));
    large.run(&format!("SAVEPOINT kept; {}; RELEASE kept", rows(300, 303)));
    large.run("SELECT pg_logical_emit_message(true, 'inside', 'b')");
    small.run("DELETE FROM u WHERE id = 2; COMMIT");
    now(NEW_COLUMN);
    other.run(&format!("BEGIN; {}; INSERT INTO u VALUES (3, 'x', 'it''s')", rows(400, 409)));
    large.run(&rows(110, 111));
    other.run("COMMIT");
    now("SELECT pg_logical_emit_message(false, 'between', 'c')");
    large.run("COMMIT");
    small.run(&format!("BEGIN; {}; ROLLBACK", rows(500, 509)));
    now("INSERT INTO u VALUES (4, 'gone', NULL)");
    now("TRUNCATE u");
    now("SELECT pg_logical_emit_message(true, 'alone', 'd')");
    now("INSERT INTO u VALUES (5, 'null', 'null')");
    now("DELETE FROM t WHERE id IN (1, 100)");
}
