//! A bank whose transfers are applied to another server, while one thing after the other is killed: the program, the
//! connections, either server, both. A reader of the target never sees money that is lost or made, and at the end both sides
//! are equal, row by row.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

#[path = "chaos/bank.rs"]
mod bank;
#[path = "chaos/faults.rs"]
mod faults;
#[path = "chaos/keeper.rs"]
mod keeper;
#[path = "program/mod.rs"]
mod program;
#[path = "chaos/reader.rs"]
mod reader;
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use faults::Fault;
use keeper::Keeper;
use support::{Cluster, Random, Server, for_each_seed, how_many, on_each_server};
use walferry::Lsn;

const TELLERS: u64 = 4;

/// Both servers, and what tells everybody that it is over: also when an assertion has failed.
struct World {
    source: Cluster,
    target: Cluster,
    /// Tellers work until then.
    closed: AtomicBool,
    over: AtomicBool,
}

struct Ends<'a>(&'a World);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Relaxed);
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl World {
    fn new(server: &Server) -> Self {
        let (source, target) = (server.start(), server.start());
        source.psql("postgres", bank::SOURCE);
        target.psql("postgres", bank::TARGET);
        source.psql("postgres", "SELECT pg_create_logical_replication_slot('bank', 'pgoutput')");
        source.psql("postgres", &bank::opening());
        Self { source, target, closed: AtomicBool::new(false), over: AtomicBool::new(false) }
    }

    /// What the source has been told is durable at the target is so, whatever has happened to either.
    fn assert_acknowledged_is_durable(&self) {
        let confirmed = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'bank'";
        let confirmed = self.source.psql("postgres", confirmed);
        // Asked behind the other one: it grows.
        let progress = "SELECT resume_lsn FROM walferry.progress WHERE name = 'bank'";
        let Ok(progress) = self.target.try_psql("postgres", progress) else { return };
        if progress.is_empty() {
            return;
        }
        let lsn = |text: &str| text.parse::<Lsn>().unwrap();
        assert!(lsn(&confirmed) <= lsn(&progress), "acknowledged {confirmed}, but kept {progress}");
    }

    fn wait_until_level(&self, keeper: &Keeper<'_>) {
        let transfers = "SELECT count(*) FROM history";
        let expected = self.source.psql("postgres", transfers);
        let deadline = Instant::now() + Duration::from_secs(90);
        while self.target.psql("postgres", transfers) != expected {
            assert!(Instant::now() < deadline, "the target stays behind: {}", keeper.said());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn assert_equal(&self) {
        let doubled = "SELECT count(*) - count(DISTINCT id) FROM history";
        assert_eq!(self.target.psql("postgres", doubled), "0", "transfers that were applied twice");
        for table in ["account", "history"] {
            let rows = format!("SELECT t FROM {table} t ORDER BY id");
            let (source, target) = (self.source.psql("postgres", &rows), self.target.psql("postgres", &rows));
            let different = source.lines().zip(target.lines()).find(|(source, target)| source != target);
            assert!(
                source == target,
                "{table}: {} rows, {} rows, {different:?}",
                source.lines().count(),
                target.lines().count()
            );
        }
        let of_source = "SELECT system_identifier || ' postgres bank' FROM pg_control_system()";
        let of_progress = "SELECT system_id || ' ' || database || ' ' || slot FROM walferry.progress";
        assert_eq!(self.target.psql("postgres", of_progress), self.source.psql("postgres", of_source));
    }
}

fn chaos(server: &Server, seed: u64) {
    let world = World::new(server);
    let faults = how_many(25, 60);
    let mut random = Random::new(seed ^ u64::from(server.major) << 32);
    let begun = Instant::now();
    let (keeper, looks) = thread::scope(|scope| {
        let _ends = Ends(&world);
        let tellers: Vec<_> = (0..TELLERS)
            .map(|teller| {
                let (world, random) = (&world, Random::new(random.next() ^ teller));
                scope.spawn(move || bank::teller(world, random))
            })
            .collect();
        let reader = scope.spawn(|| reader::read(&world));
        let keeper = Keeper::new(&world);
        scope.spawn({
            let keeper = keeper.clone();
            move || keeper.keep()
        });
        for number in 0..faults {
            thread::sleep(Duration::from_millis(random.below(500) as u64));
            let fault = Fault::any(&mut random);
            eprintln!("{} seed {seed}: {number} {fault:?} at {:?}", server.major, begun.elapsed());
            fault.happen(&world, &keeper, &mut random);
            world.assert_acknowledged_is_durable();
        }
        world.closed.store(true, Ordering::Relaxed);
        let done: u64 = tellers.into_iter().map(|teller| teller.join().expect("a teller")).sum();
        world.wait_until_level(&keeper);
        keeper.end();
        world.over.store(true, Ordering::Relaxed);
        let looks = reader.join().expect("the reader");
        eprintln!("{} seed {seed}: {done} transactions, {looks} looks, {:?}", server.major, begun.elapsed());
        assert!(done > 10 * faults as u64, "the bank was hardly open");
        (keeper, looks)
    });
    assert!(looks > faults as u64, "the reader has seen little");
    world.assert_equal();
    world.assert_acknowledged_is_durable();
    keeper.judge();
}

#[test]
fn whatever_is_killed_no_money_is_lost_or_made() {
    // Before the clock runs.
    drop(program::replay());
    for_each_seed(1, 3, |seed| on_each_server(|server| chaos(server, seed)));
}
