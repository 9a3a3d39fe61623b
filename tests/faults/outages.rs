//! Servers and networks that go away for a while.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use walferry::{Config, Connection, Lsn, Pipeline, StreamOptions};

use super::program::{last_line, replay, run};
use super::proxy::Proxy;
use super::script::{inserted, transactions};
use super::sink::Strict;
use super::support::{Cluster, Random, Server};
use super::{PATIENCE, SECOND, on_all_servers, wait_until};

/// A table that is published, and a slot.
pub(crate) fn source(server: &Server, settings: &[(&str, &str)]) -> Cluster {
    let cluster = server.start_with(settings);
    cluster.psql(
        "postgres",
        "CREATE TABLE t (id serial PRIMARY KEY, body text); CREATE PUBLICATION p FOR TABLE t;
         SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    );
    cluster
}

pub(crate) fn from(proxy: &Proxy, slot: &str) -> Command {
    let mut command = replay();
    let conninfo = format!("{} password=s3cret", proxy.conninfo("postgres"));
    command.args(["--source", &conninfo, "--slot", slot, "--publication", "p"]);
    command.args(["--batch-ms", "5"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn is_active(cluster: &Cluster, slot: &str) -> bool {
    let sql = format!("SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'");
    cluster.try_psql("postgres", &sql).is_ok_and(|active| active == "t")
}

/// How it ends, within a time. What it says is read meanwhile, for it may be more than a pipe holds.
pub(crate) fn ended(mut child: Child, within: Duration) -> Output {
    let deadline = Instant::now() + within;
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let status = status.unwrap_or_else(|| panic!("it does not end: {}", String::from_utf8_lossy(&stderr)));
    Output { status, stdout, stderr }
}

fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.map(|mut pipe| pipe.read_to_end(&mut bytes).unwrap());
        bytes
    })
}

fn confirmed(cluster: &Cluster) -> Lsn {
    cluster.psql("postgres", "SELECT confirmed_flush_lsn FROM pg_replication_slots").parse().unwrap()
}

/// Runs `replay` while somebody writes and the source is disturbed, a few times, at moments that differ from run to run: what
/// arrives is what was committed, in its order, each once.
fn survives(server: &Server, mut disturb: impl FnMut(&Cluster, &Proxy)) {
    let cluster = source(server, &[]);
    let proxy = Proxy::before(&cluster, &[]);
    // Further than anybody writes here, and nearer than the second switch to another segment below.
    let stop = cluster.psql("postgres", "SELECT pg_current_wal_lsn() + 10000000");
    let child = from(&proxy, "s").args(["--stop-at", &stop]).spawn().unwrap();
    let output = thread::spawn(move || ended(child, PATIENCE));
    wait_until("a stream", || proxy.is_streaming());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let transactions = "DO $$ BEGIN FOR i IN 1..50 LOOP INSERT INTO t (body) VALUES (repeat('x', 100)); \
                     COMMIT; PERFORM pg_sleep(0.002); END LOOP; END $$";
                // A server that is away takes nothing.
                let _ = cluster.try_psql("postgres", transactions);
            }
        });
        let mut random = Random::new(u64::from(std::process::id()));
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(100 + u64::try_from(random.below(300)).unwrap()));
            disturb(&cluster, &proxy);
        }
    });
    for _ in 0..2 {
        cluster.psql("postgres", "INSERT INTO t (body) VALUES ('last'); SELECT pg_switch_wal()");
    }
    // Behind the stop.
    cluster.psql("postgres", "INSERT INTO t (body) VALUES ('next')");
    let output = output.join().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "on {}: {told}", server.major);
    assert!(told.contains("connecting again"), "{told}");
    let (mut ids, mut xids) = (inserted(&output.stdout), transactions(&output.stdout));
    assert!(last_line(&output).starts_with(&format!("replayed {} transactions, ", xids.len())), "{told}");
    let rest = run(from(&proxy, "s").arg("--stop-at-current"));
    assert!(inserted(&rest.stdout).len() < 3, "on {}: it ended before it was told to", server.major);
    ids.extend(inserted(&rest.stdout));
    xids.extend(transactions(&rest.stdout));
    let committed = cluster.psql("postgres", "SELECT id FROM t ORDER BY id");
    let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
    assert_eq!(ids.join("\n"), committed, "on {}: {told}", server.major);
    let count = xids.len();
    xids.sort_unstable();
    xids.dedup();
    assert_eq!(xids.len(), count, "on {}: a transaction came twice", server.major);
}

/// Ends the writer, also when an assertion fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn walsenders_that_are_terminated_lose_nothing_and_repeat_nothing() {
    on_all_servers(|server| {
        survives(server, |cluster, _| {
            cluster.terminate_walsenders();
        });
    });
}

/// What it was told last, a server may forget in a crash, and send again: the flushed position moves back, and duplicates come
/// (dbz#1489, #1863).
#[test]
fn museum_09_a_slot_that_a_crash_has_rewound_gives_nothing_twice() {
    on_all_servers(|server| {
        let mut rewound = 0;
        survives(server, |cluster, proxy| {
            proxy.shut();
            let before = confirmed(cluster);
            cluster.stop_immediately();
            cluster.restart();
            rewound += usize::from(confirmed(cluster) < before);
            proxy.open();
            wait_until("a stream", || proxy.is_streaming());
        });
        assert!(rewound > 0, "on {}: no crash has moved the slot back", server.major);
    });
}

#[test]
fn a_source_that_crashes_is_waited_for() {
    on_all_servers(|server| {
        survives(server, |cluster, _| {
            cluster.stop_immediately();
            cluster.restart();
        });
    });
}

#[test]
fn a_source_that_is_shut_down_is_not_held_up_and_is_waited_for() {
    on_all_servers(|server| {
        survives(server, |cluster, _| {
            // It waits until everything is acknowledged that it has written, which is more than was for us.
            let mut blocker = cluster.session("postgres");
            blocker.run("BEGIN; LOCK TABLE t IN SHARE MODE");
            cluster.psql("postgres", "CHECKPOINT");
            let begun = Instant::now();
            cluster.stop_fast();
            assert!(begun.elapsed() < 10 * SECOND, "{:?} on {}", begun.elapsed(), server.major);
            thread::sleep(SECOND / 5);
            cluster.restart();
        });
    });
}

/// A link that is cut without a word held the slot for 20 minutes: PeerDB #3682.
#[test]
fn museum_12_a_network_that_swallows_everything_is_noticed_in_time_and_left() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    on_all_servers(|server| {
        let cluster = source(server, &[("wal_sender_timeout", "4s")]);
        let proxy = Proxy::before(&cluster, &[]);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config: Config = proxy.conninfo("postgres").parse().unwrap();
        let options = StreamOptions::new("s".parse().unwrap()).publication("p").receive_timeout(TIMEOUT);
        let stream = runtime.block_on(async {
            Connection::connect(&config).await.unwrap().start_replication(options).await.unwrap()
        });
        let sink = Strict::default();
        let pipeline = Pipeline::new(sink.clone());
        let monitor = pipeline.monitor();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let run = runtime.spawn(pipeline.run(stream, async { _ = ended.await }));

        cluster.psql("postgres", "INSERT INTO t (body) VALUES ('before')");
        wait_until("the first transaction", || monitor.statistics().transactions == 1);
        proxy.swallow();
        let begun = Instant::now();
        cluster.psql("postgres", "INSERT INTO t (body) VALUES ('behind')");
        wait_until("notice", || !monitor.statistics().is_connected);
        // Half of the timeout to ask, which begins with the last sign of life; half of it to be answered.
        let noticed = begun.elapsed();
        assert!(noticed > TIMEOUT / 2 && noticed < 2 * TIMEOUT, "{noticed:?} on {}", server.major);
        wait_until("the second transaction", || monitor.statistics().transactions == 2);
        assert!(cluster.log().contains("is active for PID"), "the old connection still had the slot");
        drop(end);
        let statistics = runtime.block_on(run).unwrap().unwrap();
        assert_eq!((statistics.reconnects, statistics.changes), (1, 2));
        assert_eq!(sink.kept().len(), 6);
    });
}

#[test]
fn a_signal_while_the_source_is_away_ends_the_run_at_once() {
    let cluster = source(&super::support::newest(), &[]);
    for name in ["INT", "TERM"] {
        let proxy = Proxy::before(&cluster, &[]);
        let mut child = from(&proxy, "s").spawn().unwrap();
        wait_until("a stream", || proxy.is_streaming());
        proxy.shut();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        // Until it has tried, in vain.
        for _ in 0..3 {
            stderr.read_line(&mut told).unwrap();
        }
        let kill = ["-c", "kill -s \"$1\" \"$2\"", "sh", name, &child.id().to_string()];
        assert!(Command::new("/bin/sh").args(kill).status().unwrap().success());
        let begun = Instant::now();
        let status = ended(child, PATIENCE).status;
        assert!(begun.elapsed() < 2 * SECOND, "{:?}", begun.elapsed());
        assert_eq!(status.code(), Some(0), "{told}");
        let warnings = told.clone();
        stderr.read_to_string(&mut told).unwrap();
        assert_eq!(
            told.lines().last(),
            Some("replayed 0 transactions, 0 changes, acknowledged 0/0"),
            "{told}"
        );
        for warning in warnings.lines() {
            assert!(warning.contains(" WARN ") && warning.contains("the source is lost; connecting again"));
            assert!(
                warning.contains("the server closed the connection") && warning.contains(" wait="),
                "{told}"
            );
        }
        assert!(!told.contains("s3cret") && !told.contains('\x1b'), "{told}");
        proxy.open();
    }
}
