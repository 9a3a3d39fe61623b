//! The replication stream against every server that is installed.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::Stream as _;
use support::{Cluster, Server};
use tokio::sync::Notify;
use walferry::event::Commit;
use walferry::pgoutput::Datum;
use walferry::sink::Memory;
use walferry::stream::{Origin, Streaming};
use walferry::{
    Batch, ChangeSink, Config, Connection, Error, Event, Pipeline, ReplicationStream, StreamOptions,
};

const PATIENCE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

async fn connect(cluster: &Cluster) -> Connection {
    let config: Config = cluster.conninfo("postgres").parse().unwrap();
    Connection::connect(&config).await.unwrap()
}

fn options(slot: &str) -> StreamOptions {
    StreamOptions::new(slot.parse().unwrap()).publication("p")
}

async fn start(cluster: &Cluster, options: StreamOptions) -> Result<ReplicationStream, Error> {
    connect(cluster).await.start_replication(options).await
}

/// A table that is published, one that isn't, and a slot.
fn source(server: &Server, settings: &[(&str, &str)]) -> Cluster {
    let cluster = server.start_with(settings);
    cluster.psql(
        "postgres",
        "CREATE TABLE t (id int PRIMARY KEY, body text); CREATE TABLE other (id int);
         CREATE PUBLICATION p FOR TABLE t; SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    );
    cluster
}

fn insert(cluster: &Cluster, id: u32) {
    cluster.psql("postgres", &format!("INSERT INTO t VALUES ({id}, 'x')"));
}

fn confirmed(cluster: &Cluster) -> String {
    cluster.psql("postgres", "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 's'")
}

async fn next(stream: &mut ReplicationStream) -> Result<Event, Error> {
    let next = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
    tokio::time::timeout(PATIENCE, next).await.expect("an event in time").expect("an event, not the end")
}

/// The ids that the next transaction inserted, and its commit.
async fn transaction(stream: &mut ReplicationStream) -> (Vec<String>, Commit) {
    let mut ids = Vec::new();
    loop {
        match next(stream).await.unwrap() {
            Event::Change(change) => {
                let row = change.rows().last().expect("an insert has a row");
                let Some(Datum::Text(id)) = row.get("id") else { panic!("an id") };
                ids.push(String::from_utf8_lossy(id).into_owned());
            }
            Event::Commit(commit) => return (ids, commit),
            _ => {}
        }
    }
}

/// Runs the stream until it fails.
async fn failure(stream: &mut ReplicationStream) -> Error {
    loop {
        if let Err(error) = next(stream).await {
            return error;
        }
    }
}

/// Runs the stream until something holds. It has nothing to say but that a transaction was empty, which servers
/// before 15 do say.
async fn idle_until(stream: &mut ReplicationStream, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time");
        let event = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
        let event = tokio::time::timeout(Duration::from_millis(50), event).await;
        match event {
            Ok(Some(Ok(Event::Commit(commit)))) => stream.acknowledge(&commit),
            Ok(Some(Ok(Event::Begin(_)))) | Err(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Whether the slot is at this position or behind it.
fn has_confirmed(cluster: &Cluster, position: &str) -> bool {
    let compare = format!("SELECT '{}'::pg_lsn >= '{position}'", confirmed(cluster));
    cluster.psql("postgres", &compare) == "t"
}

/// A sink that takes nothing before it is allowed to.
struct Blocked {
    memory: Memory,
    allowed: Arc<Notify>,
    open: bool,
}

impl ChangeSink for Blocked {
    type Error = io::Error;

    async fn write(&mut self, batch: Batch) -> io::Result<()> {
        if !self.open {
            self.allowed.notified().await;
            self.open = true;
        }
        self.memory.write(batch).await.map_err(io::Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn rollback(&mut self) -> io::Result<()> {
        self.memory.rollback().await.map_err(io::Error::other)
    }
}

/// Keepalives starved by a slow sink, endless reconnects: Electric #4105, PeerDB #4324, Conduit #182. The sink is
/// blocked for ten times `wal_sender_timeout`, while more traffic than is read ahead goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn museum_12_a_sink_blocked_for_ten_timeouts_loses_neither_connection_nor_changes() {
    let runs: Vec<_> = support::servers()
        .into_iter()
        .map(|server| {
            // Side by side: nearly all of it is waiting.
            tokio::spawn(async move {
                let cluster = source(&server, &[("wal_sender_timeout", "1s")]);
                insert(&cluster, 0);
                let before = confirmed(&cluster);
                let mut stream = start(&cluster, options("s")).await.unwrap();
                let (memory, allowed) = (Memory::default(), Arc::new(Notify::new()));
                let sink = Blocked { memory: memory.clone(), allowed: Arc::clone(&allowed), open: false };
                let traffic = async {
                    let pid = cluster.backend_pids("walsender");
                    let begun = Instant::now();
                    let mut id = 1_u32;
                    while begun.elapsed() < 10 * SECOND {
                        let rows = format!(
                            "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series({id}, {}) i",
                            id + 499
                        );
                        tokio::task::block_in_place(|| cluster.psql("postgres", &rows));
                        id += 500;
                        assert_eq!(confirmed(&cluster), before, "the position is unmoved");
                        tokio::time::sleep(SECOND / 2).await;
                    }
                    assert_eq!(cluster.backend_pids("walsender"), pid, "the connection is the same");
                    allowed.notify_one();
                    id
                };
                let end = Arc::new(Notify::new());
                let run = async {
                    stream.stop_at("FFFFFFFF/FFFFFFFF".parse().unwrap());
                    Pipeline::new(sink).run(stream, end.notified()).await.unwrap()
                };
                let watch = async {
                    let ids = traffic.await;
                    let goal = cluster.wal_position();
                    let deadline = Instant::now() + PATIENCE;
                    while !has_confirmed(&cluster, &goal) {
                        assert!(Instant::now() < deadline, "not in time");
                        tokio::time::sleep(SECOND / 10).await;
                    }
                    end.notify_one();
                    ids
                };
                let (summary, ids) = tokio::join!(run, watch);
                assert_eq!(summary.changes, u64::from(ids), "PostgreSQL {}", server.major);
                let kept = memory.take();
                assert_eq!(
                    kept.iter().filter(|event| matches!(event, Event::Change(_))).count() as u64,
                    summary.changes
                );
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
}

/// Never acknowledged, so that WAL fills the disk: etl #429, Electric #3986, #4011, airbyte #47547.
#[tokio::test]
async fn museum_11_the_slot_follows_writes_to_tables_that_are_not_published() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        let mut stream = start(&cluster, options("s")).await.unwrap();
        for id in 0..3 {
            cluster.psql("postgres", &format!("INSERT INTO other VALUES ({id})"));
            let goal = cluster.wal_position();
            idle_until(&mut stream, || has_confirmed(&cluster, &goal)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_shuts_down_promptly_beside_an_idle_stream() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        let mut stream = start(&cluster, options("s")).await.unwrap();
        insert(&cluster, 1);
        let (_, commit) = transaction(&mut stream).await;
        stream.acknowledge(&commit);
        let begun = Instant::now();
        let stopping = tokio::task::spawn_blocking(move || cluster.stop_fast());
        let error = failure(&mut stream).await;
        stopping.await.unwrap();
        assert!(begun.elapsed() < 5 * SECOND, "{:?} on {}", begun.elapsed(), server.major);
        assert!(error.is_retryable(), "{error}");
        assert!(error.to_string().contains("shuts down"), "{error}");
    }
}

#[tokio::test]
async fn a_walsender_that_is_terminated_may_be_asked_again() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        let mut stream = start(&cluster, options("s")).await.unwrap();
        assert_eq!(cluster.terminate_walsenders(), 1);
        let error = failure(&mut stream).await;
        assert_eq!((error.sqlstate(), error.is_retryable()), (Some("57P01"), true), "{error}");
        assert!(poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await.is_none());
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_and_what_is_does_not() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        let mut stream = start(&cluster, options("s")).await.unwrap();
        for id in 1..=3 {
            insert(&cluster, id);
        }
        for _ in 1..=2 {
            transaction(&mut stream).await;
        }
        drop(stream);
        wait_for_slot(&cluster).await;

        let mut stream = start(&cluster, options("s")).await.unwrap();
        let (first, _) = transaction(&mut stream).await;
        let (_, second) = transaction(&mut stream).await;
        assert_eq!(first, ["1"]);
        stream.acknowledge(&second);
        stream.stop().await.unwrap().close().await;
        wait_for_slot(&cluster).await;

        let mut stream = start(&cluster, options("s")).await.unwrap();
        let (third, _) = transaction(&mut stream).await;
        assert_eq!(third, ["3"]);
    }
}

async fn wait_for_slot(cluster: &Cluster) {
    let deadline = Instant::now() + PATIENCE;
    while cluster.psql("postgres", "SELECT active FROM pg_replication_slots") == "t" {
        assert!(Instant::now() < deadline, "the slot stays in use");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_publication_that_is_younger_than_the_slot_is_an_error_with_a_way_out() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        let before = cluster.wal_position();
        insert(&cluster, 1);
        cluster.psql("postgres", "CREATE PUBLICATION late FOR TABLE t");
        insert(&cluster, 2);
        let late = StreamOptions::new("s".parse().unwrap()).publication("late");
        let mut stream = start(&cluster, late).await.unwrap();
        let error = failure(&mut stream).await;
        assert_eq!(error.sqlstate(), Some(if server.major < 18 { "42704" } else { "55000" }), "{error}");
        assert!(error.hint().unwrap().contains("publication first"), "{error}");
        assert!(!error.is_retryable() && error.to_string().contains("late"), "{error}");
        assert!(stream.positions().durable <= before.parse().unwrap(), "nothing is acknowledged past it");
    }
}

#[tokio::test]
async fn parallel_streaming_and_origins_need_a_server_that_has_them() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        for options in [options("s").streaming(Streaming::Parallel), options("s").origin(Origin::None)] {
            match start(&cluster, options).await {
                Ok(stream) => {
                    drop(stream);
                    assert!(server.major >= 16);
                }
                Err(error) => {
                    assert!(
                        server.major < 16 && matches!(error, Error::Unsupported { needs: 16, .. }),
                        "{error}"
                    );
                }
            }
            wait_for_slot(&cluster).await;
        }
        assert_eq!(cluster.log().contains("START_REPLICATION"), server.major >= 16);
    }
}

#[tokio::test]
async fn a_slot_has_one_reader_and_a_connection_one_stream() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        let stream = start(&cluster, options("s")).await.unwrap();
        let error = start(&cluster, options("s")).await.err().unwrap();
        assert_eq!((error.sqlstate(), error.is_retryable()), (Some("55006"), true), "{error}");
        assert!(error.hint().is_some());

        let mut connection = stream.stop().await.unwrap();
        assert_eq!(connection.identify_system().await.unwrap().database, "postgres");
        let error = connection.start_replication(options("s")).await.err().unwrap();
        assert!(matches!(error, Error::Misuse(_)), "{error}");
    }
}

#[tokio::test]
async fn a_slot_that_does_not_exist_is_an_error_with_a_way_out() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        let error = start(&cluster, options("nosuch")).await.err().unwrap();
        assert_eq!(error.sqlstate(), Some("42704"));
        assert!(!error.is_retryable() && error.hint().unwrap().contains("create the slot"), "{error}");
    }
}

#[tokio::test]
async fn a_stream_stops_where_it_is_told_to() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        insert(&cluster, 1);
        insert(&cluster, 2);
        let stop = cluster.wal_position();
        insert(&cluster, 3);
        let mut stream = start(&cluster, options("s")).await.unwrap();
        stream.stop_at(stop.parse().unwrap());
        let memory = Memory::default();
        let summary = Pipeline::new(memory.clone()).run(stream, pending()).await.unwrap();
        assert_eq!((summary.transactions, summary.changes), (2, 2));
        assert!(has_confirmed(&cluster, &summary.acknowledged.to_string()));
        wait_for_slot(&cluster).await;
        let mut stream = start(&cluster, options("s")).await.unwrap();
        assert_eq!(transaction(&mut stream).await.0, ["3"]);
    }
}

/// What is left out after a rewind depends on it: a message that begins where a transaction ended must not be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_outside_of_transactions_has_the_position_behind_its_record() {
    for server in support::servers() {
        let cluster = source(&server, &[]);
        insert(&cluster, 1);
        let positions = cluster.psql(
            "postgres",
            "SELECT pg_logical_emit_message(false, 'p', 'a'), pg_logical_emit_message(false, 'p', 'b')",
        );
        let mut stream = start(&cluster, options("s").messages(true)).await.unwrap();
        let (_, commit) = transaction(&mut stream).await;
        let mut found = Vec::new();
        while found.len() < 2 {
            if let Event::Message(message) = next(&mut stream).await.unwrap() {
                assert!(message.lsn > commit.end_lsn());
                found.push(message.lsn.to_string());
            }
        }
        assert_eq!(found.join("|"), positions);
        // It is the end of the record: the next one doesn't come again, and nothing else is left out.
        drop(stream);
        let first: walferry::Lsn = found[0].parse().unwrap();
        let mut stream = retried(&cluster, options("s").messages(true).start_lsn(first)).await;
        let event = next(&mut stream).await.unwrap();
        assert!(
            matches!(&event, Event::Message(message) if message.lsn.to_string() == found[1]),
            "{event:?}"
        );
    }
}

/// The server lets go of a slot some time after its reader is gone.
async fn retried(cluster: &Cluster, options: StreamOptions) -> ReplicationStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match start(cluster, options.clone()).await {
            Ok(stream) => return stream,
            Err(error) => assert!(error.is_retryable() && Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
