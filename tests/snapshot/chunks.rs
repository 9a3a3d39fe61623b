//! Each row is copied once, whatever goes on meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage::{Stage, rows_of};
use crate::support::on_each_server;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

/// Room 14 of the museum: ranges of `relpages`, which is an estimate; workers that were not at one snapshot.
#[test]
fn museum_14_chunks_hold_all_rows_of_the_snapshot_while_others_write() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source("INSERT INTO t SELECT i, repeat('x', i % 200) FROM generate_series(1, 40000) i");
        assert_eq!(
            stage.source("\\t on\nSELECT greatest(relpages, 0) FROM pg_class WHERE relname = 't';").trim(),
            "0"
        );
        let held = stage.snapshot("slot");
        let expected = stage.source_at(&held, &rows_of("t"));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut round = 0;
                while !done.load(Ordering::Relaxed) {
                    round += 1;
                    stage.source(&format!(
                        "UPDATE t SET v = v || 'y' WHERE id % 7 = {}; DELETE FROM t WHERE id % 101 = {};
                         INSERT INTO t SELECT {round} * 100000 + i, 'new' FROM generate_series(1, 3000) i; VACUUM t",
                        round % 7,
                        round % 101
                    ));
                }
            });
            let copy = stage.copy().chunk_bytes(40_000).jobs(4);
            let report = stage.run(&copy, &held);
            done.store(true, Ordering::Relaxed);
            assert_eq!(report.expect("a copy").rows, 40_000);
        });
        assert_eq!(stage.target_now(&rows_of("t")), expected);
        let chunks =
            "SELECT count(*) > 50 AND count(*) FILTER (WHERE end_block IS NULL) = 1 FROM walferry.copy_chunk";
        assert_eq!(stage.target_now(chunks).trim(), "t");
    });
}

#[test]
fn what_the_statistics_say_of_a_table_does_not_matter() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source("INSERT INTO t SELECT i, 'few' FROM generate_series(1, 10) i; ANALYZE t");
        stage.source("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(11, 20000) i");
        let report = stage.carry(&stage.copy().chunk_bytes(50_000));
        assert_eq!(report.rows, 20_000);
        assert_eq!(stage.target_now(&rows_of("t")), stage.source(&format!("\\t on\n{};", rows_of("t"))));
    });
}

#[test]
fn tables_without_rows_are_whole_at_once() {
    on_each_server(|server| {
        let stage = Stage::new(
            server,
            &format!("{TABLE}; CREATE TABLE emptied (id int PRIMARY KEY); CREATE TABLE columnless ()"),
        );
        stage.source("INSERT INTO emptied SELECT generate_series(1, 5000); DELETE FROM emptied; INSERT INTO columnless DEFAULT VALUES");
        let copy = stage.copy().chunk_bytes(8192);
        assert!(
            stage
                .runtime
                .block_on(copy.tables())
                .expect("tables")
                .iter()
                .all(|table| table.copied_at.is_none())
        );
        let report = stage.carry(&copy);
        assert_eq!((report.tables, report.rows), (3, 1));
        let tables = stage.runtime.block_on(copy.tables()).expect("tables");
        assert_eq!(tables.first().map(|table| table.name.as_str()), Some("emptied"), "the largest first");
        assert!(tables.iter().all(|table| table.copied_at.is_some()), "{tables:?}");
        let progress = copy.monitor().tables();
        assert!(
            progress.iter().all(|table| table.is_whole && table.size_copied == table.size),
            "{progress:?}"
        );
        assert_eq!(stage.target_now("SELECT count(*) FROM columnless").trim(), "1");
    });
}
