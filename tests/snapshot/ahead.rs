//! A stream with the rows in front, into sinks of every kind, while people write and things break.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use walferry::pgoutput::Datum;
use walferry::pipeline::Statistics;
use walferry::session::Fingerprint;
use walferry::sink::postgres::PostgresSink;
use walferry::sink::{Batch, ChangeSink, Progress};
use walferry::snapshot::SnapshotStream;
use walferry::{Change, Config, Connection, Error, Event, Lsn, Pipeline, SlotOptions, StreamOptions};

use crate::rows::read;
use crate::stage::{Stage, hold, rows_of, told};
use crate::support::{Random, calmed, newest, on_each_server, sql};
use crate::workload;

/// What is left of a sink when its process is gone.
#[derive(Debug, Default)]
struct Kept {
    events: Vec<Event>,
    progress: Option<Fingerprint>,
    rollbacks: usize,
    /// What becomes of the next transactions that are flushed.
    faults: VecDeque<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing of it is durable.
    Lost,
    /// All is, and nobody hears of it.
    Unheard,
    /// The process is killed at this moment, with nothing durable.
    Killed,
    /// The same, with all of it durable.
    KilledBehind,
}

#[derive(Debug, thiserror::Error)]
#[error("a fault of the test: {0:?}")]
struct Failure(Fault);

/// A sink that keeps events, and its progress if it is one that does.
struct Probe {
    kept: Arc<Mutex<Kept>>,
    tracks: bool,
    written: Vec<Event>,
    /// Looks at each batch, and takes its time.
    hook: Hook,
}

type Hook = Box<dyn FnMut(&[Event]) + Send>;

impl Probe {
    fn new(kept: &Arc<Mutex<Kept>>, tracks: bool) -> Self {
        Self { kept: Arc::clone(kept), tracks, written: Vec::new(), hook: Box::new(|_| {}) }
    }

    fn hook(self, hook: impl FnMut(&[Event]) + Send + 'static) -> Self {
        Self { hook: Box::new(hook), ..self }
    }
}

fn end_of(event: &Event) -> Option<Lsn> {
    match event {
        Event::Commit(commit) => Some(commit.end_lsn()),
        _ => None,
    }
}

impl ChangeSink for Probe {
    type Error = Failure;

    async fn write(&mut self, batch: Batch) -> Result<(), Failure> {
        (self.hook)(batch.events());
        self.written.extend(batch.into_events());
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let Some(last) = self.written.iter().rposition(|event| end_of(event).is_some()) else {
            return Ok(());
        };
        let mut kept = locked(&self.kept);
        let fault = kept.faults.pop_front();
        let done: Vec<_> = self.written.drain(..=last).collect();
        if matches!(fault, None | Some(Fault::Unheard | Fault::KilledBehind)) {
            if let (Some(progress), Some(end)) = (&mut kept.progress, done.last().and_then(end_of)) {
                progress.resume_lsn = end;
            }
            kept.events.extend(done);
        }
        match fault {
            None => Ok(()),
            Some(fault) => {
                self.written.clear();
                Err(Failure(fault))
            }
        }
    }

    async fn rollback(&mut self) -> Result<(), Failure> {
        let whole = self.written.iter().rposition(|event| end_of(event).is_some()).map_or(0, |last| last + 1);
        self.written.truncate(whole);
        locked(&self.kept).rollbacks += 1;
        Ok(())
    }

    fn is_retryable(error: &Failure) -> bool {
        matches!(error.0, Fault::Lost | Fault::Unheard)
    }

    async fn progress(&mut self) -> Result<Progress, Failure> {
        Ok(match &locked(&self.kept).progress {
            _ if !self.tracks => Progress::Untracked,
            Some(progress) => Progress::At(progress.clone()),
            None => Progress::None,
        })
    }

    async fn set_progress(&mut self, progress: &Fingerprint) -> Result<(), Failure> {
        locked(&self.kept).progress = Some(progress.clone());
        Ok(())
    }
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().expect("nobody has panicked with it")
}

fn kept() -> Arc<Mutex<Kept>> {
    Arc::default()
}

/// The values of a table by its first column, as the events of all transactions leave them. Each transaction is whole.
fn applied(events: &[Event]) -> BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>> {
    let mut rows = BTreeMap::new();
    let mut is_open = false;
    for event in events {
        match event {
            Event::Begin(_) => {
                assert!(!std::mem::replace(&mut is_open, true), "a transaction without an end");
            }
            Event::Commit(_) => assert!(std::mem::replace(&mut is_open, false), "an end without a beginning"),
            Event::Change(change) => apply(&mut rows, change),
            other => panic!("{other:?}"),
        }
    }
    assert!(!is_open, "half a transaction");
    rows
}

fn apply(rows: &mut BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>>, change: &Change) {
    let key = |row: &walferry::Row| match row.tuple().get(0) {
        Some(Datum::Text(key)) => key.to_vec(),
        other => panic!("{other:?}"),
    };
    match change {
        Change::Snapshot { row: new } | Change::Insert { new } | Change::Update { new, .. } => {
            if let Change::Update { old: Some(old), .. } = change {
                rows.remove(&key(old.row()));
            }
            let before = rows.get(&key(new));
            if matches!(change, Change::Update { old: None, .. }) {
                assert!(before.is_some(), "a row that nobody has told of was updated");
            } else {
                assert!(before.is_none(), "a row came twice");
            }
            let values = new.tuple().iter().enumerate().map(|(at, datum)| match datum {
                Datum::Text(text) => Some(text.to_vec()),
                Datum::Null => None,
                Datum::Unchanged => {
                    before.and_then(|before| before.get(at)).expect("it was told before").clone()
                }
                Datum::Binary(_) => panic!("nobody asked for binary"),
            });
            let values = values.collect();
            rows.insert(key(new), values);
        }
        Change::Delete { old } => assert!(rows.remove(&key(old.row())).is_some(), "a row that is not there"),
        other => panic!("{other:?}"),
    }
}

fn options(slot: &str) -> StreamOptions {
    StreamOptions::new(slot.parse().expect("a name")).publication("all")
}

async fn open(source: &Config) -> Result<SnapshotStream, Error> {
    let mut stream = SnapshotStream::open(source, SlotOptions::new(), options("s")).await?;
    let mut connection = Connection::connect(source).await?;
    stream.stop_at(connection.identify_system().await?.wal_flushed);
    Ok(stream)
}

impl Stage {
    /// Carries everything up to now.
    fn follow<S: ChangeSink>(&self, sink: S) -> Result<Statistics, Error> {
        self.runtime.block_on(async {
            let stream = open(&self.source_config()).await?;
            Pipeline::new(sink).batch_rows(500).run_snapshot(stream, pending()).await
        })
    }

    /// What runs SQL on the source from within a sink.
    fn beside(&self) -> impl Fn(&str) -> String + Send + 'static {
        let psql = self.source_cluster().server().bin.join("psql");
        let psql = if psql.exists() { psql } else { "psql".into() };
        let conninfo = calmed(&self.source_cluster().conninfo("source"));
        move |sql| {
            let told =
                Command::new(&psql).args(["-XqAt", "-d", &conninfo, "-c", sql]).output().expect("psql");
            assert!(told.status.success(), "{told:?}");
            String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned()
        }
    }

    fn slots(&self) -> String {
        self.source("\\t on\nSELECT coalesce(string_agg(slot_name || CASE WHEN temporary THEN ' for now' ELSE '' END, ', '), 'none') \
                     FROM pg_replication_slots;")
            .trim()
            .to_owned()
    }

    /// Waits until the server has noticed that nobody is there any more.
    fn await_slots(&self, expected: &str) {
        let begun = std::time::Instant::now();
        while self.slots() != expected {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", self.slots());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn copies(kept: &Mutex<Kept>) -> usize {
    let rows = |event: &&Event| matches!(event, Event::Change(Change::Snapshot { .. }));
    locked(kept).events.iter().filter(rows).count()
}

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";
const ROWS: &str = "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5000) i";

/// Values of which copies and streams have disagreed.
const HARD: &str = "CREATE TABLE hard (id int PRIMARY KEY, c char(10), bp bpchar, n numeric, m numeric(12,4), f8 float8, f4 float4,
     j json, jb jsonb, a text[], by bytea, ts timestamp, tz timestamptz, d date, iv interval, mon money, big text, v text); ALTER TABLE hard ALTER big SET STORAGE EXTERNAL";

/// One row of it, from the dice.
fn hard(random: &mut Random, id: usize) -> String {
    let pick = |random: &mut Random, values: &[&str]| (*random.pick(values)).to_owned();
    let big = if random.one_in(4) { "repeat(md5(random()::text), 200)" } else { "NULL" };
    format!(
        "({id}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {big}, {})",
        pick(random, &["'ab'", "'  '", "''", "'null'", "NULL"]),
        pick(random, &["'ab   '", "''", "NULL"]),
        pick(
            random,
            &["1.50", "'NaN'", "'-Infinity'", "0.000", "1e130", "123456789012345678901234567890.12300"]
        ),
        pick(random, &["1.5", "-0.0001", "'NaN'", "NULL"]),
        pick(random, &["'-0'", "'NaN'", "1e-320", "'Infinity'", "0.1", "1e300", "4.9406564584124654e-324"]),
        pick(random, &["'-0'", "'NaN'", "1e-44", "0.3", "16777217"]),
        pick(random, &[r#"'{"a" :  1, "a":null}'"#, "'null'", r#"'"null"'"#, "' [1 ,2]'", "'1e400'", "NULL"]),
        pick(random, &[r#"'{"b":1.00, "a":null}'"#, "'null'", "NULL"]),
        pick(random, &[r"array['NULL', NULL, '', E'\\', '{', 'a,b']", "'{}'", "'[0:1]={a,NULL}'", "NULL"]),
        pick(random, &[r"'\x00ff5c4e0a'", r"'\x'", r"'\x5c78'", "NULL"]),
        pick(random, &["'infinity'", "'4713-01-01 00:00 BC'", "'2024-02-29 23:59:59.999999'", "NULL"]),
        pick(random, &["'-infinity'", "'2024-07-01 00:00+05:30'", "'1883-11-18 12:00 America/New_York'"]),
        pick(random, &["'0001-02-28 BC'", "'infinity'", "'5874897-12-31'"]),
        pick(random, &["'-1 mons +1 day -00:00:00.000001'", "'1 year'", "'0'"]),
        pick(random, &["-1234.56", "0", "NULL"]),
        sql::quoted(&crate::support::hostile::text(random)),
    )
}

/// Writers that go on until they are told to stop; each changes rows that the copy may be at, or be past.
fn write_on(stage: &Stage, stop: &AtomicBool, seed: u64) {
    let mut random = Random::new(seed);
    let mut fresh = 100_000 + usize::try_from(seed).expect("small") * 100_000;
    while !stop.load(Ordering::Relaxed) {
        let mut script = String::from("BEGIN;\n");
        for _ in 0..20 {
            let id = 1 + random.below(2000);
            let statement = match random.below(5) {
                0 => {
                    fresh += 1;
                    format!("INSERT INTO hard VALUES {};\n", hard(&mut random, fresh))
                }
                1 => format!("DELETE FROM hard WHERE id = {id};\n"),
                2 => format!("UPDATE hard SET id = id WHERE id = {id};\n"),
                3 => format!("UPDATE hard SET v = v || '!' WHERE id = {id};\n"),
                _ => format!(
                    "DELETE FROM hard WHERE id = {id}; INSERT INTO hard VALUES {};\n",
                    hard(&mut random, id)
                ),
            };
            script.push_str(&statement);
        }
        script.push_str(if random.one_in(6) { "ROLLBACK;\n" } else { "COMMIT;\n" });
        // Two writers may wait for each other: then it is one of them.
        let _ = stage.source_cluster().psql_file("source", script.as_bytes());
    }
}

fn with_hard_rows(stage: &Stage) {
    let mut random = Random::new(15);
    let rows: Vec<String> = (1..=2000).map(|id| hard(&mut random, id)).collect();
    stage.source(&format!("INSERT INTO hard VALUES {};", rows.join(",\n")));
}

/// Room 15 of the museum: both paths feed one key, and what they say of it is one thing.
fn under_writers<S: ChangeSink>(stage: &Stage, sink: impl FnOnce() -> S) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 1..=2 {
            let stop = &stop;
            scope.spawn(move || write_on(stage, stop, seed));
        }
        thread::sleep(Duration::from_millis(300));
        let carried = stage.runtime.block_on(async {
            let stream =
                SnapshotStream::open(&stage.source_config(), SlotOptions::new(), options("s")).await?;
            assert!(stream.consistent_point().is_some());
            let shutdown = tokio::time::sleep(Duration::from_secs(4));
            Pipeline::new(sink())
                .batch_rows(50)
                .batch_delay(Duration::from_millis(10))
                .run_snapshot(stream, shutdown)
                .await
        });
        stop.store(true, Ordering::Relaxed);
        let carried = carried.unwrap_or_else(|error| panic!("{error}; {:?}", error.hint()));
        assert!(carried.transactions > 5 && carried.changes > 2000, "{carried:?}");
    });
}

#[test]
fn museum_15_rows_that_change_while_they_are_copied_arrive_once_and_as_they_are() {
    on_each_server(|server| {
        let stage = Stage::new(server, HARD);
        with_hard_rows(&stage);
        let kept = kept();
        let slow = |events: &[Event]| {
            let is_copy = events.iter().any(|event| matches!(event, Event::Change(Change::Snapshot { .. })));
            thread::sleep(Duration::from_millis(if is_copy { 40 } else { 0 }));
        };
        under_writers(&stage, || Probe::new(&kept, false).hook(slow));
        assert_eq!(stage.slots(), "s", "the slot of the copy has become the one that stays");
        // What is left: the same slot, without a copy.
        let events =
            stage.runtime.block_on(crate::rows::streamed(&stage.source_config(), "s", &["all".to_owned()]));
        let mut kept = std::mem::take(&mut *locked(&kept));
        kept.events.extend(events);
        let held = stage.snapshot("now");
        let now = stage
            .runtime
            .block_on(read(&stage.source_config(), &["all".to_owned()], &held.exported))
            .expect("rows");
        let rows = now.iter().map(|row| {
            let values = row.tuple().iter().map(|datum| match datum {
                Datum::Text(text) => Some(text.to_vec()),
                _ => None,
            });
            let values: Vec<_> = values.collect();
            (values[0].clone().expect("a key"), values)
        });
        let now: BTreeMap<_, _> = rows.collect();
        let found = applied(&kept.events);
        for (key, expected) in &now {
            assert!(found.get(key) == Some(expected), "{}", String::from_utf8_lossy(key));
        }
        assert_eq!(found.len(), now.len());
        assert_eq!(kept.rollbacks, 0);
        let updated = kept.events.iter().any(|event| matches!(event, Event::Change(Change::Update { .. })));
        assert!(updated, "some rows came both ways");
    });
}

#[test]
fn museum_15_a_server_gets_the_rows_and_what_becomes_of_them() {
    on_each_server(|server| {
        let stage = Stage::new(server, HARD);
        with_hard_rows(&stage);
        let sink = || PostgresSink::new(stage.target_config(), "s");
        under_writers(&stage, sink);
        stage.follow(sink()).expect("what is left");
        let source = stage.source(&format!("\\t on\n{};", rows_of("hard")));
        assert_eq!(stage.target_now(&rows_of("hard")), source);
        let again = stage.follow(sink()).expect("nothing");
        assert_eq!((again.transactions, again.changes), (0, 0), "nothing is copied again");
    });
}

#[test]
fn a_hostile_database_goes_through_a_sink_as_it_is() {
    on_each_server(|server| {
        let stage = Stage::new(server, "");
        let cluster = stage.source_cluster();
        let script = |database: &str, script: &str| {
            cluster
                .psql_file(database, script.as_bytes())
                .unwrap_or_else(|error| panic!("{database}: {error}"))
        };
        cluster.create_database("hostile");
        cluster.create_database("copied");
        script("copied", workload::TABLES);
        for part in [workload::TABLES, workload::PUBLISH, workload::CHANGES] {
            script("hostile", part);
        }
        let config = |database| cluster.conninfo(database).parse::<Config>().expect("a connection string");
        let options = StreamOptions::new("s".parse().expect("a name"));
        let options = workload::PUBLICATIONS.into_iter().fold(options, StreamOptions::publication);
        let carried = stage.runtime.block_on(async {
            let mut stream = SnapshotStream::open(&config("hostile"), SlotOptions::new(), options).await?;
            stream.stop_at(Lsn::new(1));
            Pipeline::new(PostgresSink::new(config("copied"), "s")).run_snapshot(stream, pending()).await
        });
        let carried = carried.unwrap_or_else(|error| panic!("{error}; {:?}", error.hint()));
        assert_eq!(carried.transactions, 1);
        cluster.psql("copied", "DROP SCHEMA walferry CASCADE");
        assert_eq!(script("copied", workload::CONTENTS), script("hostile", workload::CONTENTS));
    });
}

#[test]
fn a_sink_without_progress_gets_the_copy_once_and_then_goes_on_without() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source(ROWS);
        let kept = kept();
        let carried = stage.follow(Probe::new(&kept, false)).expect("a copy");
        assert_eq!((carried.transactions, carried.changes, copies(&kept)), (1, 5000, 5000));
        assert_eq!(stage.slots(), "s");
        let told = told(&stage.follow(Probe::new(&kept, false)).expect_err("nobody knows what it has"));
        assert!(
            told.contains("SELECT pg_catalog.pg_drop_replication_slot('s')")
                && told.contains("is there already"),
            "{told}"
        );
        stage.source("UPDATE t SET v = 'changed' WHERE id = 7");
        let events =
            stage.runtime.block_on(crate::rows::streamed(&stage.source_config(), "s", &["all".to_owned()]));
        assert_eq!(events.len(), 3, "{events:?}");
    });
}

#[test]
fn a_slot_that_was_made_without_a_copy_is_told() {
    let stage = Stage::new(&newest(), TABLE);
    stage.source(ROWS);
    drop(stage.snapshot("s"));
    for tracks in [false, true] {
        let kept = kept();
        let error = stage.follow(Probe::new(&kept, tracks)).expect_err("its snapshot is gone");
        assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
        let told = told(&error);
        assert!(
            told.contains("\"s\" is there already") && told.contains("pg_drop_replication_slot('s')"),
            "{told}"
        );
        assert!(locked(&kept).events.is_empty());
    }
    stage.source("SELECT pg_drop_replication_slot('s')");
    let kept = kept();
    stage.follow(Probe::new(&kept, true)).expect("a copy");
    assert_eq!(copies(&kept), 5000);
}

/// What breaks while rows are on their way: the session that reads, or the one that holds slot and snapshot.
#[test]
fn a_copy_that_loses_a_session_begins_anew_and_leaves_nothing() {
    on_each_server(|server| {
        for tracks in [false, true] {
            for lost in
                ["backend_type = 'client backend' AND query LIKE 'COPY%'", "backend_type = 'walsender'"]
            {
                let stage = Stage::new(server, TABLE);
                stage.source("INSERT INTO t SELECT i, repeat('v', 2000) FROM generate_series(1, 5000) i");
                let kept = kept();
                let kill = format!(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND {lost}"
                );
                let (mut batches, beside) = (0, stage.beside());
                let hook = move |_: &[Event]| {
                    batches += 1;
                    if batches == 3 {
                        assert_eq!(beside(&kill), "t", "there was one, and it is gone");
                    }
                };
                let carried = stage.follow(Probe::new(&kept, tracks).hook(hook));
                let carried = carried.unwrap_or_else(|error| panic!("{error}; {:?}", error.hint()));
                assert_eq!((carried.transactions, carried.changes, copies(&kept)), (1, 5000, 5000), "{lost}");
                assert_eq!(carried.reconnects, 1, "{lost}");
                assert_eq!(applied(&locked(&kept).events).len(), 5000);
                stage.await_slots("s");
            }
        }
    });
}

#[test]
fn a_process_that_ends_in_the_midst_leaves_nothing_and_the_next_one_copies() {
    on_each_server(|server| {
        for tracks in [false, true] {
            let stage = Stage::new(server, TABLE);
            stage.source("INSERT INTO t SELECT i, repeat('v', 2000) FROM generate_series(1, 5000) i");
            let kept = kept();
            let cut = stage.runtime.block_on(async {
                let stream = open(&stage.source_config()).await.expect("a stream");
                let (told, midst) = tokio::sync::oneshot::channel();
                let mut told = Some(told);
                let sink = Probe::new(&kept, tracks).hook(move |_| _ = told.take().map(|told| told.send(())));
                let run = Pipeline::new(sink).batch_rows(100).run_snapshot(stream, pending());
                // As if it was killed: nothing that it might do at its end is done.
                tokio::select! { biased; _ = midst => true, _ = run => false }
            });
            assert!(cut, "it was in the midst");
            assert!(locked(&kept).events.is_empty());
            stage.await_slots("none");
            if tracks {
                // Who follows a slot that was made meanwhile, without a copy, is stopped.
                stage.source("SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
                let plain = stage.runtime.block_on(async {
                    let connection = Connection::connect(&stage.source_config()).await?;
                    let stream = connection.start_replication(options("s")).await?;
                    Pipeline::new(Probe::new(&kept, true)).run(stream, pending()).await
                });
                assert!(matches!(plain, Err(Error::Source(_))), "{plain:?}");
                stage.source("SELECT pg_drop_replication_slot('s')");
            }
            let carried = stage.follow(Probe::new(&kept, tracks)).expect("a copy");
            assert_eq!((carried.transactions, copies(&kept)), (1, 5000));
        }
    });
}

#[test]
fn a_shutdown_in_the_midst_ends_well_and_leaves_nothing() {
    let stage = Stage::new(&newest(), TABLE);
    stage.source(ROWS);
    let kept = kept();
    let carried = stage.runtime.block_on(async {
        let stream = open(&stage.source_config()).await.expect("a stream");
        let (told, midst) = tokio::sync::oneshot::channel();
        let mut told = Some(told);
        let sink = Probe::new(&kept, true).hook(move |_| _ = told.take().map(|told| told.send(())));
        let shutdown = async { _ = midst.await };
        Pipeline::new(sink).batch_rows(100).run_snapshot(stream, shutdown).await
    });
    assert_eq!(carried.expect("no error").transactions, 0);
    assert!(locked(&kept).events.is_empty());
    stage.await_slots("none");
    stage.follow(Probe::new(&kept, true)).expect("a copy");
    assert_eq!(copies(&kept), 5000);
}

/// The moment at which the copy becomes a position.
#[test]
fn the_end_of_a_copy_that_fails_or_is_not_heard_of_is_told_from_one_that_stands() {
    on_each_server(|server| {
        for (fault, retries) in [(Fault::Lost, 1), (Fault::Unheard, 1)] {
            let stage = Stage::new(server, TABLE);
            stage.source(ROWS);
            let kept = kept();
            locked(&kept).faults.push_back(fault);
            let (mut is_written, beside) = (false, stage.beside());
            // A change behind the copy: the stream goes on at the right place.
            let hook = move |_: &[Event]| {
                if !std::mem::replace(&mut is_written, true) {
                    beside("UPDATE t SET v = 'changed' WHERE id = 7");
                }
            };
            let carried = stage.follow(Probe::new(&kept, true).hook(hook)).expect("a copy");
            assert_eq!((carried.sink_retries, copies(&kept)), (retries, 5000), "{fault:?}");
            assert_eq!(carried.changes, 5000, "{fault:?}: counted once");
            stage.await_slots("s");
            stage.follow(Probe::new(&kept, true)).expect("the rest");
            let rows = applied(&locked(&kept).events);
            assert_eq!(
                (rows.len(), rows[b"7".as_slice()][1].as_deref()),
                (5000, Some(b"changed".as_slice())),
                "{fault:?}"
            );
        }
    });
}

#[test]
fn a_process_that_is_killed_at_the_end_of_a_copy_finds_out_what_the_sink_has() {
    on_each_server(|server| {
        for (fault, tracks) in [
            (Fault::Killed, true),
            (Fault::KilledBehind, true),
            (Fault::Killed, false),
            (Fault::KilledBehind, false),
        ] {
            let stage = Stage::new(server, TABLE);
            stage.source(ROWS);
            let kept = kept();
            locked(&kept).faults.push_back(fault);
            let killed = stage.follow(Probe::new(&kept, tracks));
            assert!(matches!(killed, Err(Error::Sink(_))), "{killed:?}");
            stage.await_slots(if tracks { "s" } else { "none" });
            stage.source("UPDATE t SET v = 'changed' WHERE id = 7");
            if fault == Fault::Killed && tracks {
                let told = told(&stage.follow(Probe::new(&kept, true)).expect_err("a slot, and no copy"));
                assert!(told.contains("pg_drop_replication_slot('s'); then start again"), "{told}");
                stage.source("SELECT pg_drop_replication_slot('s')");
            }
            stage.follow(Probe::new(&kept, tracks)).expect("the rest");
            let again = fault == Fault::KilledBehind && !tracks;
            assert_eq!(copies(&kept), if again { 10_000 } else { 5000 }, "{fault:?} {tracks}");
            if !again {
                let rows = applied(&locked(&kept).events);
                assert_eq!(
                    (rows.len(), rows[b"7".as_slice()][1].as_deref()),
                    (5000, Some(b"changed".as_slice()))
                );
            }
        }
    });
}

#[test]
fn a_sink_that_has_more_than_nothing_and_no_slot_is_told() {
    let stage = Stage::new(&newest(), TABLE);
    let kept = kept();
    stage.follow(Probe::new(&kept, true)).expect("an empty copy");
    stage.source("SELECT pg_drop_replication_slot('s')");
    let told = told(&stage.follow(Probe::new(&kept, true)).expect_err("what is between is lost"));
    assert!(told.contains("no slot \"s\" any more") && told.contains("empty the sink"), "{told}");
    stage.await_slots("none");
}

#[test]
fn slots_of_every_kind_come_out_of_a_copy() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source(ROWS);
        let run = |slot: SlotOptions, stream: StreamOptions| {
            stage.runtime.block_on(async {
                let mut stream = SnapshotStream::open(&stage.source_config(), slot, stream).await?;
                stream.stop_at(Lsn::new(1));
                let kept = kept();
                Pipeline::new(Probe::new(&kept, false)).run_snapshot(stream, pending()).await?;
                Ok::<_, Error>(copies(&kept))
            })
        };
        assert_eq!(run(SlotOptions::new().temporary(true), options("brief")).expect("a copy"), 5000);
        stage.await_slots("none");
        let refused = run(SlotOptions::new().two_phase(true), options("s")).expect_err("the stream's to ask");
        assert!(matches!(refused, Error::Misuse(_)), "{refused:?}");
        if server.major >= 15 {
            assert_eq!(run(SlotOptions::new(), options("prepared").two_phase(true)).expect("a copy"), 5000);
            let is = stage
                .source("\\t on\nSELECT two_phase FROM pg_replication_slots WHERE slot_name = 'prepared';");
            assert_eq!(is.trim(), "t");
        }
        if server.major >= 17 {
            assert_eq!(
                run(SlotOptions::new().failover(true), options("failing_over")).expect("a copy"),
                5000
            );
            let is = stage.source(
                "\\t on\nSELECT failover FROM pg_replication_slots WHERE slot_name = 'failing_over';",
            );
            assert_eq!(is.trim(), "t");
        }
    });
}

#[test]
fn room_for_the_slot_that_stays_is_looked_for_before_the_copy() {
    let cluster = newest().start_with(&[("max_replication_slots", "2")]);
    cluster.psql("postgres", "CREATE PUBLICATION \"all\" FOR ALL TABLES; SELECT pg_create_logical_replication_slot('other', 'pgoutput')");
    let source: Config = cluster.conninfo("postgres").parse().expect("a connection string");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let opened = runtime.block_on(SnapshotStream::open(&source, SlotOptions::new(), options("s")));
    let told = told(&opened.expect_err("there is room for one"));
    assert!(told.contains("room for 1 more") && told.contains("max_replication_slots"), "{told}");
    let held = runtime.block_on(hold(&source, "s"));
    assert!(held.is_ok(), "for one there was");
}
