//! What can happen to a source while nobody looks: a sink that keeps its progress goes on where that loses nothing, and says
//! what has happened where it would. Slots and databases replaced under the reader: DBZ-5739, Materialize #30744;
//! failovers: `pg_failover_slots` #10, cloudnative-pg #9969.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use support::{Cluster, Server, on_each_server};
use walferry::event::Acknowledge as _;
use walferry::pgoutput::Datum;
use walferry::pipeline::Statistics;
use walferry::session::{Fingerprint, SourceChanged};
use walferry::sink::Progress;
use walferry::{Batch, ChangeSink, Config, Connection, Error, Event, Pipeline, StreamOptions};

/// What survives the process: the ids that were inserted, and how far that is.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u32>, Option<Fingerprint>)>>);

/// Takes each transaction exactly once, by keeping its progress with the data.
struct Exact {
    disk: Disk,
    written: Vec<Event>,
}

impl ChangeSink for Exact {
    type Error = Infallible;

    async fn write(&mut self, batch: Batch) -> Result<(), Infallible> {
        self.written.extend(batch.into_events());
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        let mut disk = self.disk.0.lock().unwrap();
        let end =
            self.written.iter().rposition(|event| event.position().is_some()).map_or(0, |last| last + 1);
        for event in self.written.drain(..end) {
            if let Event::Change(change) = &event {
                let row = change.rows().last().expect("a row");
                let Some(Datum::Text(id)) = row.get("id") else { panic!("an id") };
                disk.0.push(std::str::from_utf8(id).unwrap().parse().unwrap());
            }
            if let (Some(position), Some(progress)) = (event.position(), &mut disk.1) {
                progress.resume_lsn = position;
            }
        }
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), Infallible> {
        self.written.clear();
        Ok(())
    }

    async fn progress(&mut self) -> Result<Progress, Infallible> {
        Ok(self.disk.0.lock().unwrap().1.clone().map_or(Progress::None, Progress::At))
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> Result<(), Infallible> {
        self.disk.0.lock().unwrap().1 = Some(progress.clone());
        Ok(())
    }
}

/// A source with a table, a publication and a slot in a database.
struct Source {
    cluster: Cluster,
    disk: Disk,
    inserted: u32,
}

impl Source {
    fn new(server: &Server) -> Self {
        Self::on(server.options().start())
    }

    fn on(cluster: Cluster) -> Self {
        for database in ["shop", "other"] {
            cluster.create_database(database);
            cluster.psql(
                database,
                "CREATE TABLE t (id int PRIMARY KEY, body text); CREATE PUBLICATION p FOR TABLE t",
            );
        }
        let source = Self { cluster, disk: Disk::default(), inserted: 0 };
        source.create_slot("shop", "s");
        source
    }

    fn create_slot(&self, database: &str, slot: &str) {
        self.cluster
            .psql(database, &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }

    fn drop_slot(&self) {
        self.cluster.psql("shop", "SELECT pg_drop_replication_slot('s')");
    }

    fn insert(&mut self, rows: u32) {
        let (first, last) = (self.inserted + 1, self.inserted + rows);
        self.cluster.psql(
            "shop",
            &format!("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series({first}, {last}) i"),
        );
        self.inserted = last;
    }

    /// Everything up to now, into the sink.
    fn follow(&self) -> Result<Statistics, Error> {
        self.follow_from("shop", "s")
    }

    fn follow_from(&self, database: &str, slot: &str) -> Result<Statistics, Error> {
        let config: Config = self.cluster.conninfo(database).parse().unwrap();
        let now = self.cluster.wal_position().parse().unwrap();
        let sink = Exact { disk: self.disk.clone(), written: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connection = Connection::connect(&config).await?;
            let options = StreamOptions::new(slot.parse().unwrap()).publication("p");
            let mut stream = connection.start_replication(options).await?;
            stream.stop_at(now);
            Pipeline::new(sink).run(stream, pending()).await
        })
    }

    fn changed(&self) -> SourceChanged {
        match self.follow() {
            Err(Error::Source(changed)) => changed,
            other => panic!("{other:?}"),
        }
    }

    fn assert_whole(&self) {
        let ids = self.disk.0.lock().unwrap().0.clone();
        let expected: Vec<_> = (1..=self.inserted).collect();
        assert_eq!(ids, expected);
    }

    fn copy_data(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder for the backup");
        copy(&self.cluster.data_folder(), &folder.path().join("data"));
        folder
    }

    /// Puts the data of the cluster, which is stopped, back to what it was.
    fn restore(&self, backup: &tempfile::TempDir) {
        fs::remove_dir_all(self.cluster.data_folder()).expect("the data can be removed");
        copy(&backup.path().join("data"), &self.cluster.data_folder());
    }

    /// As a standby that is promoted as soon as it is up: a new timeline begins where its WAL ends.
    fn promote(&self) {
        let signal = self.cluster.data_folder().join("standby.signal");
        // Made by its owner: a file of another could not be removed.
        copy(&self.cluster.data_folder().join("PG_VERSION"), &signal);
        self.cluster.restart();
        assert_eq!(self.cluster.psql("postgres", "SELECT pg_promote()"), "t");
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp");
    assert!(copied.success());
}

#[test]
fn goes_on_where_the_sink_stands() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        for rows in [3, 0, 5] {
            if rows > 0 {
                source.insert(rows);
            }
            let statistics = source.follow().unwrap();
            assert_eq!(statistics.changes, u64::from(rows));
            source.assert_whole();
        }
    });
}

/// Other tables are busy and the published one is silent: the slot moves, and the sink with it.
#[test]
fn an_idle_position_is_the_sink_s_before_it_is_the_slot_s() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        source.insert(1);
        source.follow().unwrap();
        for _ in 0..3 {
            source
                .cluster
                .psql("other", "INSERT INTO t SELECT i FROM generate_series(1, 1000) i; TRUNCATE t");
            source.follow().unwrap();
            let kept = source.disk.0.lock().unwrap().1.clone().unwrap().resume_lsn;
            let compare = format!("SELECT confirmed_flush_lsn <= '{kept}' FROM pg_replication_slots");
            assert_eq!(source.cluster.psql("postgres", &compare), "t");
        }
        source.insert(1);
        source.follow().unwrap();
        source.assert_whole();
    });
}

#[test]
fn museum_10_a_slot_that_was_made_anew_is_a_gap() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        source.insert(2);
        source.follow().unwrap();
        source.drop_slot();
        source.insert(2);
        source.create_slot("shop", "s");
        assert!(matches!(source.changed(), SourceChanged::SlotAhead { .. }));
    });
}

#[test]
fn museum_10_a_slot_that_somebody_else_has_moved_is_a_gap() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        source.insert(2);
        source.follow().unwrap();
        source.insert(2);
        source.cluster.psql("shop", "SELECT pg_replication_slot_advance('s', pg_current_wal_lsn())");
        assert!(matches!(source.changed(), SourceChanged::SlotAhead { .. }));
    });
}

#[test]
fn museum_10_another_database_slot_or_server_by_the_same_name_is_told() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        source.insert(2);
        source.follow().unwrap();
        source.create_slot("shop", "s2");
        let other = source.follow_from("shop", "s2");
        assert!(matches!(other, Err(Error::Source(SourceChanged::OtherSlot { .. }))), "{other:?}");
        source.drop_slot();
        source.create_slot("other", "s");
        let other = source.follow_from("other", "s");
        assert!(matches!(other, Err(Error::Source(SourceChanged::OtherDatabase { .. }))), "{other:?}");

        let another = Source::on(server.options().own_identity().start());
        let another = Source { disk: source.disk.clone(), ..another };
        assert!(matches!(another.changed(), SourceChanged::OtherSystem { .. }));
    });
}

#[test]
fn museum_10_a_restored_backup_is_told() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        source.insert(2);
        source.follow().unwrap();
        source.cluster.stop_fast();
        let backup = source.copy_data();
        source.cluster.restart();
        source.insert(20_000);
        source.follow().unwrap();
        source.assert_whole();
        source.cluster.stop_fast();
        source.restore(&backup);
        source.cluster.restart();
        assert!(matches!(source.changed(), SourceChanged::Restored { .. }));
    });
}

#[test]
fn museum_25_a_standby_that_was_promoted_behind_the_sink_is_told() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        source.insert(2);
        source.follow().unwrap();
        source.cluster.stop_fast();
        let behind = source.copy_data();
        source.cluster.restart();
        source.insert(1000);
        source.follow().unwrap();
        source.cluster.stop_fast();
        source.restore(&behind);
        source.promote();
        // Long after it has written more than the old primary had.
        source
            .cluster
            .psql("shop", "INSERT INTO t SELECT i, repeat('y', 100) FROM generate_series(3, 20000) i");
        let changed = source.changed();
        assert!(matches!(changed, SourceChanged::PromotedBehind { timeline: 2, .. }), "{changed:?}");
    });
}

#[test]
fn museum_25_a_standby_that_was_promoted_ahead_of_the_sink_is_gone_on_with() {
    on_each_server(|server| {
        let mut source = Source::new(server);
        source.insert(2);
        source.follow().unwrap();
        source.insert(2);
        source.cluster.stop_fast();
        source.promote();
        source.insert(2);
        source.follow().unwrap();
        source.assert_whole();
        // Behind the end of the first timeline by now.
        source.insert(2);
        source.follow().unwrap();
        source.assert_whole();
        assert_eq!(source.disk.0.lock().unwrap().1.as_ref().unwrap().timeline, 2);
    });
}
