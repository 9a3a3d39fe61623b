//! Connections and snapshots that are lost.

use std::time::{Duration, Instant};

use walferry::Error;

use crate::stage::{Stage, rows_of, told};
use crate::support::on_each_server;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";
const ROWS: &str = "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 30000) i";

/// Room 16 of the museum: a snapshot that was gone was asked for again and again.
#[test]
fn museum_16_a_snapshot_that_is_gone_is_told_at_once_and_the_ledger_stays() {
    on_each_server(|server| {
        let stage = Stage::new(server, &format!("{TABLE}; CREATE TABLE other (id int)"));
        stage.source(&format!("{ROWS}; INSERT INTO other VALUES (1)"));
        stage.source("CREATE PUBLICATION just FOR TABLE other");
        let held = stage.snapshot("slot");
        let just =
            walferry::snapshot::SnapshotCopy::new(stage.source_config(), stage.target_config(), "copy");
        stage.run(&just.publication("just"), &held).expect("one of them");
        assert_eq!(stage.source_cluster().terminate_walsenders(), 1);
        let begun = Instant::now();
        let error = stage.run(&stage.copy(), &held).expect_err("it is gone");
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
        let told = told(&error);
        assert!(told.contains("is gone") && told.contains("new snapshot"), "{told}");
        assert_eq!(stage.copied().len(), 1, "the ledger stays");
    });
}

#[test]
fn sessions_that_have_the_snapshot_go_on_without_its_holder() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source(ROWS);
        let held = stage.snapshot("slot");
        let expected = stage.source_at(&held, &rows_of("t"));
        let copy = stage.copy().chunk_bytes(40_000);
        let monitor = copy.monitor();
        monitor.limit(std::num::NonZeroU64::new(3_000_000));
        let begun = async {
            let begun = Instant::now();
            while monitor.tables().iter().all(|table| table.rows == 0) {
                assert!(begun.elapsed() < Duration::from_secs(20), "no chunk is copied");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(held.holder);
            monitor.limit(None);
        };
        let (report, ()) = stage.runtime.block_on(async { tokio::join!(copy.run(&held.exported), begun) });
        assert_eq!(report.expect("a copy").rows, 30_000);
        assert_eq!(stage.target_now(&rows_of("t")), expected);
    });
}

/// Whichever side loses its sessions, and wherever it is.
#[test]
fn a_chunk_whose_connection_is_lost_is_copied_again_at_the_same_snapshot() {
    on_each_server(|server| {
        for side in ["TO STDOUT", "FROM STDIN"] {
            let stage = Stage::new(server, TABLE);
            stage.source(ROWS);
            let held = stage.snapshot("slot");
            let copy = stage.copy().chunk_bytes(400_000);
            let monitor = copy.monitor();
            monitor.limit(std::num::NonZeroU64::new(2_000_000));
            let (stage, copy, exported) = (&stage, &copy, &held.exported);
            std::thread::scope(|scope| {
                let ended = scope.spawn(move || {
                    let terminate = format!(
                        "\\t on\nSELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%{side}%' \
                         AND state = 'active' AND pid <> pg_backend_pid();"
                    );
                    let deadline = Instant::now() + Duration::from_secs(20);
                    let mut ended = 0;
                    while ended < 3 && Instant::now() < deadline {
                        let cluster = stage.source_cluster();
                        let count = cluster.psql_file("postgres", terminate.as_bytes()).expect("the server answers");
                        ended += count.trim().parse::<u32>().expect("a number");
                    }
                    monitor.limit(None);
                    ended
                });
                let report = stage.runtime.block_on(copy.run(exported));
                assert!(ended.join().expect("it ends") >= 3, "sessions were ended");
                assert_eq!(report.unwrap_or_else(|error| panic!("{side}: {error}")).rows, 30_000);
            });
            assert_eq!(stage.target_now(&rows_of("t")), stage.source_at(&held, &rows_of("t")));
        }
    });
}
