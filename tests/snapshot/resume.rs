//! Interrupted at any point, the same call goes on.

use std::num::NonZeroU64;
use std::time::Duration;

use walferry::snapshot::SnapshotCopy;

use crate::stage::{Held, Stage, rows_of};
use crate::support::on_each_server;

const TABLES: &str =
    "CREATE TABLE small (id int PRIMARY KEY, v text); CREATE TABLE large (id int PRIMARY KEY, v text)";
const ROWS: &str = "INSERT INTO small SELECT i, 'small' FROM generate_series(1, 100) i; \
     INSERT INTO large SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i";

/// Runs until that many rows are in the ledger, and stops wherever it is.
fn interrupt(stage: &Stage, copy: &SnapshotCopy, held: &Held, rows: u64) {
    let monitor = copy.monitor();
    monitor.limit(NonZeroU64::new(3_000_000));
    let enough = async {
        while monitor.tables().iter().map(|table| table.rows).sum::<u64>() < rows {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    stage.runtime.block_on(async {
        tokio::select! {
            report = copy.run(&held.exported) => panic!("it was too fast: {report:?}"),
            () = enough => {}
        }
    });
    monitor.limit(None);
}

fn ledger_rows(stage: &Stage) -> u64 {
    let rows = stage.target_now("SELECT coalesce(sum(rows), 0) FROM walferry.copy_chunk");
    rows.trim().parse().expect("a number")
}

#[test]
fn what_is_in_the_ledger_is_not_copied_again_at_the_same_snapshot() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLES);
        stage.source(ROWS);
        let held = stage.snapshot("slot");
        let copy = stage.copy().chunk_bytes(40_000);
        let mut before = 0;
        for rows in [1, 2000, 7000, 15_000] {
            interrupt(&stage, &copy, &held, rows);
            let known = ledger_rows(&stage);
            assert!(known >= before && known >= rows.min(100) && known < 20_100, "{known} of {before}");
            let here = stage.target_now("SELECT (SELECT count(*) FROM small) + (SELECT count(*) FROM large)");
            assert!(here.trim().parse::<u64>().expect("a number") >= known);
            before = known;
        }
        // What is done behind the snapshot's back does not matter.
        stage.source("UPDATE large SET v = 'later'; DELETE FROM small");
        let left = 20_100 - ledger_rows(&stage);
        let report = stage.run(&copy, &held).expect("the rest");
        assert!(report.rows <= left, "{report:?}, {left} were left");
        for table in ["small", "large"] {
            assert_eq!(stage.target_now(&rows_of(table)), stage.source_at(&held, &rows_of(table)));
        }
        assert!(stage.copied().iter().all(|table| table.lsn == held.exported.lsn()));
        let again = stage.run(&copy, &held).expect("nothing");
        assert_eq!((again.tables, again.whole_before, again.rows), (0, 2, 0));
    });
}

#[test]
fn at_another_snapshot_whole_tables_stay_and_others_are_begun_anew() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLES);
        stage.source(ROWS);
        let first = stage.snapshot("first");
        // The largest comes first: the other one is not there before it.
        let copy = stage.copy().chunk_bytes(40_000).jobs(1);
        stage.source("CREATE PUBLICATION just FOR TABLE small");
        let just =
            SnapshotCopy::new(stage.source_config(), stage.target_config(), "copy").publication("just");
        let small_first = stage.snapshot("small");
        stage.run(&just, &small_first).expect("the small one");
        interrupt(&stage, &copy, &first, 3000);
        let begun = stage.target_now("SELECT count(*) FROM large");
        drop(first);
        stage.source("DELETE FROM large WHERE id % 2 = 0; UPDATE small SET v = 'later'");
        let second = stage.snapshot("second");
        let report = stage.run(&copy, &second).expect("the rest");
        assert_eq!((report.tables, report.whole_before, report.rows), (1, 1, 10_000), "begun with {begun}");
        assert_eq!(stage.target_now(&rows_of("large")), stage.source_at(&second, &rows_of("large")));
        assert_eq!(stage.target_now("SELECT count(*) FROM small WHERE v = 'small'").trim(), "100");
        let lsns: Vec<_> = stage.copied().into_iter().map(|table| (table.table, table.lsn)).collect();
        let expected =
            [("large".to_owned(), second.exported.lsn()), ("small".to_owned(), small_first.exported.lsn())];
        assert_eq!(lsns, expected);
    });
}

#[test]
fn a_table_that_others_refer_to_is_begun_anew_too() {
    on_each_server(|server| {
        let stage = Stage::new(server, &format!("{TABLES}; CREATE TABLE child (id int REFERENCES large)"));
        stage.source(&format!("{ROWS}; INSERT INTO child VALUES (1)"));
        let copy = stage.copy().chunk_bytes(40_000).jobs(1);
        let first = stage.snapshot("first");
        interrupt(&stage, &copy, &first, 3000);
        drop(first);
        let second = stage.snapshot("second");
        stage.run(&copy, &second).expect("all of it");
        assert_eq!(stage.target_now(&rows_of("large")), stage.source_at(&second, &rows_of("large")));
    });
}

#[test]
fn two_runs_at_once_copy_each_chunk_once() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLES);
        stage.source(ROWS);
        let held = stage.snapshot("slot");
        let copy = stage.copy().chunk_bytes(40_000);
        // So that the ledger is there, and both share the chunks.
        interrupt(&stage, &copy, &held, 1);
        let other = stage.copy();
        let (one, two) = stage
            .runtime
            .block_on(async { tokio::join!(copy.run(&held.exported), other.run(&held.exported)) });
        let (one, two) = (one.expect("one"), two.expect("the other"));
        assert!(one.rows + two.rows <= 20_100, "{one:?} {two:?}");
        for table in ["small", "large"] {
            assert_eq!(stage.target_now(&rows_of(table)), stage.source_at(&held, &rows_of(table)));
        }
    });
}

#[test]
fn a_pause_halts_it_and_nothing_is_lost() {
    let stage = Stage::new(&crate::support::newest(), TABLES);
    stage.source(ROWS);
    let held = stage.snapshot("slot");
    let copy = stage.copy();
    let monitor = copy.monitor();
    monitor.pause(true);
    let bytes = || monitor.tables().iter().map(|table| table.bytes).sum::<u64>();
    let (report, (early, late)) = stage.runtime.block_on(async {
        let watch = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let early = bytes();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let late = bytes();
            monitor.pause(false);
            (early, late)
        };
        tokio::join!(copy.run(&held.exported), watch)
    });
    assert_eq!(report.expect("a copy").rows, 20_100);
    assert!(early == late && early < 500_000, "{early} {late}");
}

#[test]
fn forgetting_leaves_the_rows() {
    let stage = Stage::new(&crate::support::newest(), TABLES);
    stage.source(ROWS);
    stage.carry(&stage.copy());
    assert_eq!(stage.copied().len(), 2);
    stage
        .runtime
        .block_on(walferry::snapshot::forget(&stage.target_config(), "copy"))
        .expect("it is forgotten");
    assert!(stage.copied().is_empty());
    assert_eq!(stage.target_now("SELECT count(*) FROM small").trim(), "100");
}
