//! What can happen to a target while changes are applied to it: each time everything arrives once, or an error says what to do.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

#[path = "apply_faults/alone.rs"]
mod alone;
#[path = "apply_faults/interposed.rs"]
mod interposed;
#[path = "apply_faults/lost.rs"]
mod lost;
#[path = "apply_faults/names.rs"]
mod names;
#[path = "apply_faults/prepared.rs"]
mod prepared;
mod program;
#[path = "apply_faults/roles.rs"]
mod roles;
mod singly;
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Cluster, Server};
use walferry::sink::ChangeSink;
use walferry::sink::postgres::{ApplyError, ApplyErrorKind, PostgresSink, Refusal};
use walferry::stream::StreamOptions;
use walferry::{Config, Connection, Error, Pipeline};

const PATIENCE: Duration = Duration::from_secs(30);

/// A source and a target, in one cluster or in two.
struct Sides {
    source: Cluster,
    apart: Option<Cluster>,
    two_phase: bool,
    /// Who applies.
    role: &'static str,
}

impl Sides {
    /// The same tables on both sides, all published, and a slot.
    fn new(server: &Server, tables: &str) -> Self {
        let settings = [("deadlock_timeout", "200ms"), ("max_prepared_transactions", "10")];
        Self::of(server.start_with(&settings), None, tables, false)
    }

    fn of(source: Cluster, apart: Option<Cluster>, tables: &str, two_phase: bool) -> Self {
        let sides = Self { source, apart, two_phase, role: "postgres" };
        sides.source.create_database("source");
        sides.target().create_database("target");
        sides.at_source(tables);
        sides.at_target(tables);
        sides.at_source("CREATE PUBLICATION p FOR ALL TABLES");
        let two_phase = if two_phase { ", false, true" } else { "" };
        sides.at_source(&format!("SELECT pg_create_logical_replication_slot('s', 'pgoutput'{two_phase})"));
        sides
    }

    fn target(&self) -> &Cluster {
        self.apart.as_ref().unwrap_or(&self.source)
    }

    fn at_source(&self, sql: &str) -> String {
        self.source.psql("source", sql)
    }

    fn at_target(&self, sql: &str) -> String {
        self.target().psql("target", sql)
    }

    /// How to connect to the target, as the sink does.
    fn conninfo(&self) -> String {
        let conninfo =
            self.target().conninfo("target").replace("user=postgres", &format!("user={}", self.role));
        format!("{conninfo} application_name=faults")
    }

    fn sink(&self, gather: bool) -> PostgresSink {
        PostgresSink::new(self.conninfo().parse().expect("a connection string"), "s").gather(gather)
    }

    /// Applies everything up to now.
    fn apply<S: ChangeSink>(&self, sink: S) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let applied = async {
            let source: Config = self.source.conninfo("source").parse().expect("a connection string");
            let deadline = Instant::now() + PATIENCE;
            let stream = loop {
                let mut connection = Connection::connect(&source).await?;
                let end = connection.identify_system().await?.wal_flushed;
                let options = StreamOptions::new("s".parse().expect("a slot's name"));
                let options = options.publication("p").two_phase(self.two_phase);
                match connection.start_replication(options).await {
                    Ok(mut stream) => {
                        stream.stop_at(end);
                        break stream;
                    }
                    // The walsender of the run before.
                    Err(error) => assert!(error.is_retryable() && Instant::now() < deadline, "{error}"),
                }
            };
            Pipeline::new(sink).batch_rows(5000).run(stream, std::future::pending()).await.map(drop)
        };
        runtime.block_on(async { tokio::time::timeout(2 * PATIENCE, applied).await.expect("it goes on") })
    }

    /// Applies everything up to now, again and again while what goes wrong passes by itself. Says how often that was.
    fn through<S: ChangeSink>(&self, sink: impl Fn() -> S) -> usize {
        let deadline = Instant::now() + PATIENCE;
        let mut failures = 0;
        while let Err(error) = self.apply(sink()) {
            assert!(of_sink(&error).is_retryable(), "{}", told(&error));
            assert!(Instant::now() < deadline, "it doesn't pass: {}", told(&error));
            failures += 1;
            thread::sleep(Duration::from_millis(50));
        }
        failures
    }

    /// Applies what comes until it is told to end.
    fn follow(&self, enough: &AtomicBool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let source: Config = self.source.conninfo("source").parse().expect("a connection string");
        let followed = async {
            let options = StreamOptions::new("s".parse().expect("a slot's name")).publication("p");
            let connection = Connection::connect(&source).await?;
            let stream = connection.start_replication(options).await?;
            let told = async {
                while !enough.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            Pipeline::new(self.sink(true)).run(stream, told).await
        };
        runtime.block_on(followed).expect("it is applied");
    }

    /// Why it can't go on.
    fn refused(&self, gather: bool) -> Error {
        let error = self.apply(self.sink(gather)).expect_err("it can't be applied");
        assert!(!of_sink(&error).is_retryable(), "{}", told(&error));
        error
    }

    fn assert_equal(&self, tables: &[&str]) {
        for table in tables {
            let rows = format!("SELECT t FROM {table} t ORDER BY t::text");
            let (source, target) = (self.at_source(&rows), self.at_target(&rows));
            let different = source.lines().zip(target.lines()).find(|(source, target)| source != target);
            assert!(source == target, "{table}: {different:?}");
        }
    }

    /// Waits until the sink's session at the target waits for a lock.
    fn wait_until_it_waits(&self) {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'faults' AND wait_event_type = 'Lock'";
        until(|| self.at_target(waits) == "1");
    }

    fn terminate(&self) {
        // The sink may have two.
        let ended = "SELECT bool_and(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity WHERE application_name = 'faults'";
        assert_eq!(self.at_target(ended), "t");
    }
}

fn until(happens: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happens() {
        assert!(Instant::now() < deadline, "it doesn't happen");
        thread::sleep(Duration::from_millis(10));
    }
}

fn of_sink(error: &Error) -> &ApplyError {
    match error {
        Error::Sink(error) => error.downcast_ref().expect("an error of the sink"),
        other => panic!("{other:?}"),
    }
}

/// With what it comes from, and what to do.
fn told(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let told = causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"));
    format!("{told} (hint: {})", error.hint().unwrap_or_default())
}

fn refusal(error: &Error) -> &Refusal {
    match of_sink(error).kind() {
        ApplyErrorKind::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
