//! From a commit's acknowledgement on the source to its being visible on the target, under light load.

use std::collections::VecDeque;
use std::iter;
use std::ops::Range;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_postgres::{Client, NoTls, Statement};

use crate::drain::{DROP_SUBSCRIPTION, create_subscription, has_succeeded, replay_arguments, spawn};
use crate::options::{Options, Way};
use crate::programs::Programs;
use crate::shapes::Shape;
use crate::stage::{RUN, Stage};

/// Between two transactions.
const PACE: Duration = Duration::from_millis(10);
/// Until the first transaction has come through.
const PATIENCE: Duration = Duration::from_secs(60);

/// A transaction, and when its commit was acknowledged.
type Commit = (i32, Instant);

/// Measures replay and the subscription in turns, and prints a table.
pub(crate) fn measure(stage: &Stage, programs: &Programs, options: &Options) {
    let shape = Shape::probe();
    stage.make_backlog(&shape, &[]);
    let mut ways: Vec<Way> = options.ways.iter().copied().filter(|way| *way != Way::Ceiling).collect();
    println!(
        "| way | round | commits | p50 ms | p90 ms | p99 ms | slowest ms |\n|---|--:|--:|--:|--:|--:|--:|"
    );
    let mut first = 0;
    for round in 0..options.pairs {
        for way in &ways {
            let mut found = measure_once(stage, *way, round, first, programs, options);
            first += i32::try_from(found.len()).expect("few commits") + 1;
            println!("| {way:?} | {round} | {} | {} |", found.len(), percentiles(&mut found));
        }
        ways.reverse();
    }
    stage.forget(&shape);
}

fn percentiles(found: &mut [Duration]) -> String {
    found.sort_unstable();
    let at = |percent: usize| {
        let rank = (found.len() * percent).div_ceil(100).saturating_sub(1);
        found.get(rank).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    };
    [50, 90, 99, 100].map(|percent| format!("{:.2}", at(percent))).join(" | ")
}

fn measure_once(
    stage: &Stage,
    way: Way,
    round: u32,
    first: i32,
    programs: &Programs,
    options: &Options,
) -> Vec<Duration> {
    let (slot, database) = (way.slot(round), Shape::PROBE);
    stage.make_target(database);
    stage.make_slot(database, &slot);
    let follower = Follower::start(stage, way, &slot, programs, options);
    let runtime = Runtime::new().expect("a runtime");
    let commits = i32::try_from(options.seconds).expect("few seconds") * 100;
    let (source, target) = (stage.source.conninfo(database), stage.target.conninfo(RUN));
    let found = runtime.block_on(probe(&source, &target, first..first + commits));
    follower.stop(stage);
    stage.drop_slot(&slot);
    found
}

/// What carries the changes while the probe runs.
enum Follower {
    Replay(Child),
    Subscription,
}

impl Follower {
    fn start(stage: &Stage, way: Way, slot: &str, programs: &Programs, options: &Options) -> Self {
        if way == Way::Ours {
            let arguments = replay_arguments(stage, Shape::PROBE, slot, options);
            return Self::Replay(spawn(programs.replay().args(arguments)));
        }
        let create = create_subscription(&stage.source.conninfo(Shape::PROBE), slot, false, options.binary);
        stage.target.psql(RUN, &format!("{create}; ALTER SUBSCRIPTION native ENABLE"));
        Self::Subscription
    }

    fn stop(self, stage: &Stage) {
        match self {
            Self::Subscription => {
                stage.target.psql(RUN, DROP_SUBSCRIPTION);
            }
            Self::Replay(mut child) => {
                let pid = child.id().to_string();
                let sent = Command::new("/bin/sh").args(["-c", "kill -s TERM \"$1\"", "sh", &pid]).status();
                assert!(sent.is_ok_and(|sent| sent.success()), "replay was there until it was told to end");
                while !has_succeeded(&mut child) {
                    thread::sleep(PACE);
                }
            }
        }
    }
}

/// Commits on time whatever the other side does, and looks for each commit in a tight loop, but only while one is on
/// its way: the look costs CPU that the two servers need.
async fn probe(source: &str, target: &str, ids: Range<i32>) -> Vec<Duration> {
    let (mut writer, looker) = (Writer::connect(source).await, Looker::connect(target).await);
    let mut underway = VecDeque::from([writer.commit(ids.start).await]);
    let arrived = timeout(PATIENCE, looker.arrival(&mut underway)).await;
    arrived.expect("the first commit arrives");
    let (sender, receiver) = unbounded_channel();
    let written = tokio::spawn(async move { writer.write(ids, sender).await });
    let found = looker.watch(receiver).await;
    written.await.expect("the source takes commits");
    found
}

async fn connect(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await.expect("the server listens");
    tokio::spawn(connection);
    client
}

struct Writer {
    client: Client,
    insert: Statement,
}

impl Writer {
    async fn connect(conninfo: &str) -> Self {
        let client = connect(conninfo).await;
        let insert = client.prepare("INSERT INTO t VALUES ($1)").await.expect("a table");
        Self { client, insert }
    }

    async fn commit(&mut self, id: i32) -> Commit {
        self.client.execute(&self.insert, &[&id]).await.expect("the source takes a row");
        (id, Instant::now())
    }

    /// All but the first, which has been written.
    async fn write(&mut self, ids: Range<i32>, sender: UnboundedSender<Commit>) {
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for id in ids.skip(1) {
            ticks.tick().await;
            sender.send(self.commit(id).await).expect("somebody watches");
        }
    }
}

struct Looker {
    client: Client,
    newest: Statement,
}

impl Looker {
    async fn connect(conninfo: &str) -> Self {
        let client = connect(conninfo).await;
        let newest = client.prepare("SELECT coalesce(max(id), -1) FROM t").await.expect("a table");
        Self { client, newest }
    }

    async fn watch(&self, mut receiver: UnboundedReceiver<Commit>) -> Vec<Duration> {
        let (mut found, mut underway) = (Vec::new(), VecDeque::new());
        while let Some(commit) = receiver.recv().await {
            underway.push_back(commit);
            while !underway.is_empty() {
                found.extend(self.arrival(&mut underway).await);
                underway.extend(iter::from_fn(|| receiver.try_recv().ok()));
            }
        }
        found
    }

    /// Looks until at least one has arrived; takes out those that have.
    async fn arrival(&self, underway: &mut VecDeque<Commit>) -> Vec<Duration> {
        loop {
            let row = self.client.query_one(&self.newest, &[]).await.expect("a row");
            let (now, newest) = (Instant::now(), row.get::<_, i32>(0));
            let here = underway.iter().take_while(|(id, _)| *id <= newest).count();
            if here > 0 {
                return underway
                    .drain(..here)
                    .map(|(_, since)| now.saturating_duration_since(since))
                    .collect();
            }
        }
    }
}
