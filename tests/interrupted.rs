//! A reader that stops after any event and goes on from what it has acknowledged reads what one reads that never stops:
//! around changes of the schema, partitions, copies of many rows, and a publication that grows.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_core::Stream as _;
use support::{Cluster, Server, on_each_server};
use walferry::event::Acknowledge as _;
use walferry::pgoutput::Datum;
use walferry::stream::Streaming;
use walferry::{Change, Config, Connection, Error, Event, Lsn, ReplicationStream, StreamOptions};

const PATIENCE: Duration = Duration::from_secs(30);

struct Source {
    cluster: Cluster,
    /// Where it ends.
    stop: Lsn,
    streaming: Streaming,
}

/// A source that has gone through a script, one statement after the other, with two slots at its beginning.
fn source(server: &Server, tables: &str, script: &str) -> Source {
    let cluster = server.start_with(&[("logical_decoding_work_mem", "64kB")]);
    cluster.psql("postgres", tables);
    for slot in ["whole", "interrupted"] {
        cluster.psql("postgres", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }
    cluster.psql_file("postgres", script.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let stop = cluster.wal_position().parse().unwrap();
    Source { cluster, stop, streaming: Streaming::Off }
}

impl Source {
    /// A stream from a position on, once the server has let go of the slot.
    async fn stream(&self, slot: &str, start: Lsn) -> ReplicationStream {
        let config: Config = self.cluster.conninfo("postgres").parse().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let options = StreamOptions::new(slot.parse().unwrap()).publication("p").messages(true);
            let options = options.streaming(self.streaming).start_lsn(start);
            let connection = Connection::connect(&config).await.unwrap();
            match connection.start_replication(options).await {
                Ok(mut stream) => {
                    stream.stop_at(self.stop);
                    return stream;
                }
                Err(error) => assert!(error.is_retryable() && Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn whole(&self) -> Vec<Event> {
        let mut stream = self.stream("whole", Lsn::ZERO).await;
        let mut events = Vec::new();
        while let Some(event) = next(&mut stream).await {
            events.push(event.unwrap());
        }
        events
    }

    /// Stops behind each of these events, counted from the first, and goes on behind what was complete by then.
    async fn interrupted(&self, expected: &[Event], stops: impl IntoIterator<Item = usize>) {
        let (mut complete, mut position) = (0, Lsn::ZERO);
        for stop in stops.into_iter().chain([expected.len()]) {
            let mut stream = self.stream("interrupted", position).await;
            for (nth, expected) in expected.iter().enumerate().take(stop).skip(complete) {
                let event =
                    next(&mut stream).await.unwrap_or_else(|| panic!("the end, not event {nth}")).unwrap();
                assert_eq!(event, *expected, "{}: event {nth}", self.cluster.major());
                if let Some(end) = event.position() {
                    (complete, position) = (nth + 1, end);
                    stream.acknowledge(&event);
                }
            }
        }
        assert_eq!(complete, expected.len());
        let mut stream = self.stream("interrupted", position).await;
        assert!(next(&mut stream).await.is_none(), "nothing comes behind the end");
    }
}

async fn next(stream: &mut ReplicationStream) -> Option<Result<Event, Error>> {
    let next = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
    tokio::time::timeout(PATIENCE, next).await.expect("an event in time")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn stop_after_every_event(source: &Source) -> Vec<Event> {
    block_on(async {
        let whole = source.whole().await;
        source.interrupted(&whole, 1..whole.len()).await;
        whole
    })
}

/// dbz#76, #1554, #2058, flink-cdc #4323, doris #61481: a BEGIN and a first change of one position, interleaved transactions,
/// messages between.
#[test]
fn museum_08_a_reader_may_stop_after_every_single_event() {
    on_each_server(|server| {
        let mut source = source(
            server,
            "CREATE TABLE t (id int PRIMARY KEY, body text); CREATE PUBLICATION p FOR TABLE t",
            "INSERT INTO t VALUES (1, 'null'), (2, NULL);
             BEGIN; UPDATE t SET body = 'x' WHERE id = 1; SAVEPOINT a; DELETE FROM t WHERE id = 2; ROLLBACK TO a;
             SELECT pg_logical_emit_message(true, 'inside', 'of it'); INSERT INTO t VALUES (3, ''); COMMIT;
             SELECT pg_logical_emit_message(false, 'between', 'them');
             SELECT pg_logical_emit_message(false, 'between', 'them');
             TRUNCATE t;
             BEGIN; INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(10, 12) i; COMMIT;
             DELETE FROM t;",
        );
        for streaming in [Streaming::Off, Streaming::On] {
            source.streaming = streaming;
            for slot in ["whole", "interrupted"] {
                // As it was at the beginning: a position can't be taken back, a slot can be made of another one.
                let copy = format!(
                    "SELECT pg_copy_logical_replication_slot('{slot}', '{slot}_before') \
                     WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{slot}_before')"
                );
                source.cluster.psql("postgres", &copy);
            }
            let whole = stop_after_every_event(&source);
            assert!(whole.len() > 20, "{}", whole.len());
            for slot in ["whole", "interrupted"] {
                source.renew(slot);
            }
        }
    });
}

impl Source {
    /// Puts a slot back to its beginning.
    fn renew(&self, slot: &str) {
        let deadline = Instant::now() + PATIENCE;
        let drop = format!("SELECT pg_drop_replication_slot('{slot}')");
        while let Err(error) = self.cluster.try_psql("postgres", &drop) {
            assert!(error.contains("is active") && Instant::now() < deadline, "{error}");
        }
        self.cluster
            .psql("postgres", &format!("SELECT pg_copy_logical_replication_slot('{slot}_before', '{slot}')"));
    }
}

/// All rows of one COPY may share a position.
#[test]
fn museum_08_a_copy_of_many_rows_comes_whole_or_not_at_all() {
    on_each_server(|server| {
        let rows: Vec<_> = (1..=10_000).map(|id| id.to_string()).collect();
        let source = source(
            server,
            "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t",
            &format!("COPY t FROM stdin;\n{}\n\\.\nINSERT INTO t VALUES (0);\n", rows.join("\n")),
        );
        block_on(async {
            let whole = source.whole().await;
            assert_eq!(whole.iter().filter(|event| matches!(event, Event::Change(_))).count(), 10_001);
            source.interrupted(&whole, [1, 2, 3, 5000, 9_999, 10_000, 10_001, 10_002, 10_003]).await;
        });
    });
}

/// etl #925 (an old Relation replayed dropped columns), #929, dbz#304, #1529.
#[test]
fn museum_19_a_reader_may_stop_around_every_change_of_the_schema() {
    on_each_server(|server| {
        let source = source(
            server,
            "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, a text, m mood);
             CREATE PUBLICATION p FOR ALL TABLES",
            "INSERT INTO t VALUES (1, 'a', 'sad');
             ALTER TABLE t ADD b int DEFAULT 7; INSERT INTO t VALUES (2, 'b', NULL, 8);
             BEGIN; INSERT INTO t VALUES (3, 'c', 'sad', 9); ALTER TABLE t DROP a; INSERT INTO t VALUES (4, 'sad', 10); COMMIT;
             ALTER TABLE t RENAME b TO c; UPDATE t SET c = 11 WHERE id = 4;
             ALTER TABLE t ALTER c TYPE text; UPDATE t SET c = 'null' WHERE id = 4;
             ALTER TYPE mood ADD VALUE 'happy'; UPDATE t SET m = 'happy' WHERE id = 4;
             ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET c = NULL WHERE id = 4; DELETE FROM t WHERE id = 3;
             DROP TABLE t; CREATE TABLE t (m mood, id int PRIMARY KEY); INSERT INTO t VALUES ('happy', 1);
             ALTER TABLE t RENAME TO u; CREATE TABLE t (id int PRIMARY KEY, again bool);
             INSERT INTO u VALUES ('sad', 2); INSERT INTO t VALUES (1, true);",
        );
        let whole = stop_after_every_event(&source);
        let columns = |event: &Event| match event {
            Event::Change(change) => change.relations().next().map(|relation| {
                let names: Vec<_> = relation.columns.iter().map(|column| column.name.as_str()).collect();
                format!("{}({})", relation.name, names.join(","))
            }),
            _ => None,
        };
        let mut schemas: Vec<_> = whole.iter().filter_map(columns).collect();
        schemas.dedup();
        let expected =
            ["t(id,a,m)", "t(id,a,m,b)", "t(id,m,b)", "t(id,m,c)", "t(m,id)", "u(m,id)", "t(id,again)"];
        assert_eq!(schemas, expected);
    });
}

/// PeerDB #3544, #4035, #4123, spiceai #11290.
#[test]
fn museum_20_partitions_come_by_their_own_names_or_by_their_root_s() {
    for by_root in [false, true] {
        on_each_server(|server| {
            // 14 doesn't notice that a partition is gone until its walsender is, and sends what it should not.
            let away =
                if server.major > 14 { "INSERT INTO t_2 (id, v, w) VALUES (150, 'away', 30);" } else { "" };
            let source = source(
                server,
                &format!(
                    "CREATE TABLE t (id int, v text, w int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
                     CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100);
                     CREATE TABLE t_2 (w int, gone int, v text, id int PRIMARY KEY); ALTER TABLE t_2 DROP gone;
                     ALTER TABLE t ATTACH PARTITION t_2 FOR VALUES FROM (100) TO (200);
                     CREATE PUBLICATION p FOR TABLE t WITH (publish_via_partition_root = {by_root})"
                ),
                &format!(
                    "INSERT INTO t VALUES (1, 'one', 10), (101, 'two', 20);
                     UPDATE t SET id = 102 WHERE id = 1; UPDATE t SET v = 'three' WHERE id = 101;
                     ALTER TABLE t DETACH PARTITION t_2; {away}
                     ALTER TABLE t ATTACH PARTITION t_2 FOR VALUES FROM (100) TO (200); INSERT INTO t VALUES (103, 'back', 40);
                     CREATE TABLE t_3 PARTITION OF t FOR VALUES FROM (200) TO (300); INSERT INTO t VALUES (201, 'new', 50);"
                ),
            );
            let whole = stop_after_every_event(&source);
            let told = |event: &Event| match event {
                Event::Change(change) => {
                    let row = change.rows().last()?;
                    let text = |name: &str| match row.get(name) {
                        Some(Datum::Text(text)) => String::from_utf8_lossy(text).into_owned(),
                        other => format!("{other:?}"),
                    };
                    let kind = match change {
                        Change::Insert { .. } => "+",
                        Change::Update { .. } => "=",
                        _ => "-",
                    };
                    let key = text("id");
                    let value =
                        if kind == "-" { String::new() } else { format!(":{}:{}", text("v"), text("w")) };
                    Some(format!("{kind}{} {key}{value}", row.relation().name))
                }
                _ => None,
            };
            let names = if by_root { ["t", "t", "t"] } else { ["t_1", "t_2", "t_3"] };
            let [one, two, three] = names;
            let expected = [
                format!("+{one} 1:one:10"),
                format!("+{two} 101:two:20"),
                format!("-{one} 1"),
                format!("+{two} 102:one:10"),
                format!("={two} 101:three:20"),
                format!("+{two} 103:back:40"),
                format!("+{three} 201:new:50"),
            ];
            assert_eq!(whole.iter().filter_map(told).collect::<Vec<_>>(), expected);
        });
    }
}

/// What is sent of a transaction that was open when its table was added to the publication is the server's to say. What
/// began later comes whole, and a reader that stops reads the same.
#[test]
fn museum_22_what_begins_behind_a_publication_s_change_comes_whole() {
    on_each_server(|server| {
        let cluster = server.start();
        cluster.psql(
            "postgres",
            "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t",
        );
        for slot in ["whole", "interrupted"] {
            cluster.psql(
                "postgres",
                &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"),
            );
        }
        // One session holds a transaction open while the other alters the publication.
        std::thread::scope(|scope| {
            let open = scope.spawn(|| {
                cluster.psql(
                    "postgres",
                    "BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1);
                     DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_publication_tables WHERE tablename = 'u') LOOP
                       PERFORM pg_sleep(0.01); END LOOP; END $$;
                     INSERT INTO u VALUES (2); COMMIT",
                )
            });
            let begun = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND wait_event = 'PgSleep'";
            while cluster.psql("postgres", begun) == "0" {
                std::thread::sleep(Duration::from_millis(5));
            }
            cluster.psql("postgres", "ALTER PUBLICATION p ADD TABLE u");
            open.join().expect("the transaction commits");
        });
        cluster.psql("postgres", "BEGIN; INSERT INTO t VALUES (3); INSERT INTO u VALUES (3), (4); COMMIT");
        let stop = cluster.wal_position().parse().unwrap();
        let source = Source { cluster, stop, streaming: Streaming::Off };
        let whole = stop_after_every_event(&source);
        let mut ids = whole.iter().filter_map(|event| match event {
            Event::Change(Change::Insert { new }) => {
                let Some(Datum::Text(id)) = new.get("id") else { panic!("an id") };
                Some(format!("{}{}", new.relation().name, String::from_utf8_lossy(id)))
            }
            _ => None,
        });
        assert_eq!(ids.next().as_deref(), Some("t1"));
        let rest: Vec<_> = ids.collect();
        assert_eq!(rest[rest.len() - 3..], ["t3", "u3", "u4"]);
    });
}
