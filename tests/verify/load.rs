//! No false alarm while the source is written to, and no difference lost in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use walferry::connection::Snapshot;
use walferry::migrate::verify::{Snapshots, Verify, VerifyReport};
use walferry::sink::postgres::PostgresSink;
use walferry::{Connection, Lsn, Pipeline, SlotOptions, StreamOptions};

use crate::pair::{Pair, Side, lines, ways};
use crate::support::{self, Random};

const TABLES: &str = "CREATE TABLE accounts (id int PRIMARY KEY, balance numeric, note text);
    CREATE TABLE history (id int, delta numeric, at timestamptz DEFAULT clock_timestamp()); ALTER TABLE history REPLICA IDENTITY FULL;
    CREATE TABLE scratch (id int);";

/// Each writer's rest between two transactions: without it, most of the test's time would go into bringing what they write.
const REST: Duration = Duration::from_millis(4);

/// Writes until it is told to stop.
async fn write(side: &Side, seed: u64, stop: &AtomicBool) {
    let client = side.connect().await;
    let mut random = Random::new(seed);
    while !stop.load(Ordering::Relaxed) {
        let (id, delta) = (random.below(2000), random.below(1000));
        let sql = match random.below(6) {
            0 => format!("DELETE FROM accounts WHERE id = {id}; DELETE FROM history WHERE id = {id} AND delta < {delta}"),
            1 => format!("UPDATE history SET delta = -delta WHERE id = {id}"),
            2 => "TRUNCATE scratch; INSERT INTO scratch SELECT generate_series(1, 5)".to_owned(),
            3 => format!("INSERT INTO scratch VALUES ({id})"),
            _ => format!(
                "INSERT INTO accounts VALUES ({id}, {delta}, '') ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + {delta}, note = accounts.note || 'x';
                 INSERT INTO history (id, delta) VALUES ({id}, {delta})"
            ),
        };
        // The other writer may have been there first.
        let _ = client.batch_execute(&format!("BEGIN; {sql}; COMMIT")).await;
        let _ = client.batch_execute("ROLLBACK").await;
        tokio::time::sleep(REST).await;
    }
}

/// Brings the target to a position of the source, and compares both there; the source is written to all the while.
async fn compare(pair: &Pair, round: usize, damage: &str) -> VerifyReport {
    let migration = pair.migration();
    let mut connection = Connection::connect(migration.source()).await.unwrap();
    let temporary = format!("at_{round}_{}", pair.source.cluster.major()).parse().unwrap();
    let options = SlotOptions::new().temporary(true).snapshot(Snapshot::Use);
    let mut slot = connection.create_slot(&temporary, options).await.unwrap();
    let (lsn, source) = (slot.consistent_point(), slot.export_snapshot().await.unwrap());

    let follower = Connection::connect(migration.source()).await.unwrap();
    let options = StreamOptions::new(migration.slot().clone()).publication("p").start_lsn(Lsn::ZERO);
    let mut stream = follower.start_replication(options).await.unwrap();
    // A transaction whose commit begins at that point is not in the snapshot.
    stream.stop_at(Lsn::new(u64::from(lsn) - 1));
    let sink = PostgresSink::new(migration.target().clone(), migration.slot().as_str());
    Pipeline::new(sink).run(stream, std::future::pending()).await.unwrap();

    pair.target.run(damage);
    let target = pair.target.connect().await;
    target.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    let name: String = target.query_one("SELECT pg_export_snapshot()", &[]).await.unwrap().get(0);
    let verify = Verify::new().chunk_bytes(50_000);
    let tables = ["accounts", "history"].map(|table| ("public", table));
    let verify = if round.is_multiple_of(2) { verify.only(tables) } else { verify };
    verify.compare(&migration, &Snapshots::new(lsn, source, name)).await.unwrap()
}

#[test]
fn under_load_both_sides_are_equal_at_one_position_and_damage_is_found() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (from, to) in ways() {
        let pair = Arc::new(Pair::new(&from, &to, &format!("load {}", from.major), TABLES));
        pair.source.run("SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
        let stop = Arc::new(AtomicBool::new(false));
        runtime.block_on(async {
            let writers: Vec<_> = (0..3)
                .map(|seed| {
                    let (pair, stop) = (Arc::clone(&pair), Arc::clone(&stop));
                    tokio::spawn(async move { write(&pair.source, seed, &stop).await })
                })
                .collect();
            for round in 0..support::how_many(4, 50) {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let report = compare(&pair, round, "").await;
                // What was truncated meanwhile may be not proven; it may not be taken for different.
                let wrong: Vec<_> = report
                    .tables
                    .iter()
                    .filter(|table| !table.is_equal() && table.unproven.is_none())
                    .collect();
                assert!(wrong.is_empty(), "{wrong:?}");
                let proven = |name: &str| {
                    report
                        .tables
                        .iter()
                        .any(|table| table.table == name && table.is_equal() && table.rows_source > 0)
                };
                assert!(proven("accounts") && proven("history"), "{report:?}");
            }
            let damage = "UPDATE accounts SET note = note || ' ' WHERE id = (SELECT min(id) FROM accounts);
                INSERT INTO history VALUES (-1, 0, NULL)";
            let report = compare(&pair, 1000, damage).await;
            let lowest = pair.target.run("SELECT min(id) FROM accounts");
            assert_eq!(
                lines(&report),
                [format!("public.accounts id={lowest} Differs"), "public.history ? Extra".to_owned()]
            );
            stop.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.await.unwrap();
            }
        });
        pair.source.run("SELECT pg_drop_replication_slot('s')");
    }
}
