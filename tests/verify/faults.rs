//! What happens to sessions, snapshots and tables while they are compared.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use walferry::Error;
use walferry::migrate::verify::{Progress, TableReport, Verify};

use crate::pair::{self, Pair, Side, lines};
use crate::support;

const ROWS: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g;
    CREATE TABLE u (id int)";

/// Ends the sessions that compare.
const END: &str = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name = 'walferry' AND datname = current_database() AND pid <> pg_backend_pid()";

/// Calls `what` when that many chunks were read.
fn at_chunk(verify: Verify, number: usize, what: impl Fn() + Send + Sync + 'static) -> Verify {
    let read = AtomicUsize::new(0);
    verify.chunk_bytes(500_000).monitor(move |progress| {
        if matches!(progress, Progress::Read { .. }) && read.fetch_add(1, Ordering::Relaxed) == number {
            what();
        }
    })
}

/// Runs SQL elsewhere.
fn remote(side: &Side, sql: &'static str) -> impl Fn() + Send + Sync + 'static {
    let (cluster, database) = (side.cluster, side.database.clone());
    move || {
        cluster.psql(&database, sql);
    }
}

#[test]
fn a_lost_session_is_replaced_and_nothing_is_counted_twice() {
    pair::both_ways("lost session", ROWS, async |pair| {
        pair.target.run("UPDATE t SET v = 'y' WHERE id = 77; DELETE FROM t WHERE id = 12345");
        for number in [0, 3, 9] {
            for side in [&pair.source, &pair.target] {
                let report = pair.compare(&at_chunk(Verify::new(), number, remote(side, END))).await;
                assert_eq!(lines(&report), ["public.t id=12345 Missing", "public.t id=77 Differs"]);
                assert_eq!((report.tables[0].rows_source, report.tables[0].rows_target), (20_000, 19_999));
            }
        }
        // While rows are listed, too.
        let done = Arc::new(AtomicUsize::new(0));
        let enders: Vec<_> = [&pair.source, &pair.target]
            .map(|side| {
                let (end, done) = (remote(side, END), Arc::clone(&done));
                thread::spawn(move || {
                    while done.load(Ordering::Relaxed) == 0 {
                        end();
                        thread::sleep(Duration::from_millis(700));
                    }
                })
            })
            .into();
        for _ in 0..5 {
            let report = pair.compare(&Verify::new().chunk_bytes(100_000)).await;
            assert_eq!(lines(&report), ["public.t id=12345 Missing", "public.t id=77 Differs"]);
        }
        done.store(1, Ordering::Relaxed);
        for ender in enders {
            ender.join().unwrap();
        }
    });
}

fn assert_lost(result: Result<walferry::migrate::verify::VerifyReport, Error>, side: &str) {
    let error = result.expect_err("the snapshot is gone");
    assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("the snapshot of the {side} at 0/1 is gone")), "{error}");
    assert!(error.hint().unwrap().contains("compare again"), "{error}");
    assert!(!error.is_retryable());
}

/// Museum 16: a snapshot that is gone doesn't come back, however often it is asked for.
#[test]
fn museum_16_a_lost_snapshot_ends_the_comparison_at_once_and_says_what_to_do() {
    for server in support::servers() {
        let name = format!("lost snapshot {}", server.major);
        let pair = Pair::new(&server, &server, &name, ROWS);
        crate::runtime().block_on(async {
            for side in ["source", "target"] {
                let held = pair.hold().await;
                let holder = if side == "source" { &held.source } else { &held.target };
                holder.batch_execute("ROLLBACK").await.unwrap();
                let begun = Instant::now();
                assert_lost(pair.compare_at(&Verify::new(), &held).await, side);
                assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
                // A name that never was one.
                let mut held = pair.hold().await;
                held.snapshots.source = "it's none".to_owned();
                assert_lost(pair.compare_at(&Verify::new(), &held).await, "source");
            }
        });
    }
}

#[test]
fn a_snapshot_that_is_lost_on_the_way_ends_the_comparison() {
    pair::newest("lost on the way", ROWS, async |pair| {
        let all = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        for (side, name) in [(&pair.source, "source"), (&pair.target, "target")] {
            assert_lost(pair.try_compare(&at_chunk(Verify::new(), 2, remote(side, all))).await, name);
        }
    });
}

#[test]
fn a_server_that_restarts_has_lost_the_snapshot() {
    let server = support::newest();
    let mut pair = Pair::new(&server, &server, "restarted", ROWS);
    let other: &'static support::Cluster = Box::leak(Box::new(server.start()));
    other.create_database(&pair.target.database);
    pair.target = Side { cluster: other, database: pair.target.database.clone() };
    pair.target.run(ROWS);
    let restart = move || {
        other.stop_immediately();
        thread::spawn(move || other.restart());
    };
    assert_lost(crate::runtime().block_on(pair.try_compare(&at_chunk(Verify::new(), 2, restart))), "target");
}

/// A comparison that ends in the midst leaves behind what it has proven; one that goes on leaves nothing.
#[test]
fn a_comparison_that_is_interrupted_goes_on_behind_the_tables_that_are_proven() {
    let sql =
        "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int); INSERT INTO a VALUES (1)";
    pair::both_ways("interrupted", sql, async |pair| {
        pair.target.run("INSERT INTO b VALUES (1)");
        let held = pair.hold().await;
        let done = Arc::new(Notify::new());
        let told = Arc::clone(&done);
        // The largest comes first.
        let verify = Verify::new().jobs(1).remember().monitor(move |progress| {
            if let Progress::Compared(table) = progress
                && table.table == "b"
            {
                told.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = done.notified() => {}
            _ = pair.compare_at(&verify, &held) => panic!("it was not interrupted"),
        }
        let noted =
            "SELECT string_agg(format('%s.%s', schema, \"table\"), ' ' ORDER BY 2) FROM walferry.verified";
        assert_eq!(pair.target.run(noted), "public.a");

        let report = pair.compare(&Verify::new().resume()).await;
        let before: Vec<_> = report.proven_before.iter().map(|one| (&*one.table, one.lsn)).collect();
        assert_eq!(before, [("a", held.snapshots.lsn)]);
        let tables: Vec<_> = report.tables.iter().map(|one| (&*one.table, one.is_equal())).collect();
        assert_eq!(tables, [("b", false), ("c", true)]);
        assert_eq!(pair.target.run("SELECT count(*) FROM walferry.verified"), "0");
        // A whole one begins anew.
        let report = pair.compare(&Verify::new().resume()).await;
        assert_eq!((report.tables.len(), report.proven_before.len()), (3, 0));
    });
}

#[test]
fn a_table_that_was_rewritten_since_is_not_proven_and_the_others_are() {
    let sql = "CREATE TABLE a (id int PRIMARY KEY, v varchar(5)); INSERT INTO a VALUES (1, 'x'), (2, 'y');
        CREATE TABLE b (id int PRIMARY KEY, v varchar(5)); INSERT INTO b VALUES (1, 'x'), (2, 'y');
        CREATE TABLE m (id int, v varchar(5)) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); CREATE TABLE m2 PARTITION OF m FOR VALUES IN (2);
        INSERT INTO m VALUES (1, 'x'), (2, 'y');";
    pair::both_ways("rewritten", sql, async |pair| {
        let reset = "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;";
        for (change, name) in [
            ("TRUNCATE a", "a"),
            ("BEGIN; TRUNCATE a; INSERT INTO a VALUES (1, 'x'), (2, 'y'); COMMIT", "a"),
            ("VACUUM FULL a", "a"),
            ("ALTER TABLE a ALTER id TYPE int8", "a"),
            ("ALTER TABLE a DROP v", "a"),
            ("ALTER TABLE a RENAME v TO w", "a"),
            ("ALTER TABLE a RENAME TO c", "a"),
            (
                "BEGIN; ALTER TABLE a RENAME TO c; CREATE TABLE a (LIKE c); INSERT INTO a SELECT * FROM c; COMMIT",
                "a",
            ),
            ("DROP TABLE a", "a"),
            ("TRUNCATE m2", "m"),
            ("DROP TABLE m1", "m"),
            (
                "ALTER SCHEMA public RENAME TO elsewhere; CREATE SCHEMA public; CREATE TABLE b (LIKE elsewhere.b); CREATE TABLE m (LIKE elsewhere.m)",
                "all",
            ),
            (
                "ALTER TABLE a ADD w int; ALTER TABLE a ALTER v TYPE text; UPDATE a SET v = 'longer than that'; DELETE FROM b; VACUUM b; ALTER TABLE m DETACH PARTITION m2",
                "",
            ),
        ] {
            for side in [&pair.source, &pair.target] {
                if change.starts_with("DROP") && std::ptr::eq(side, &raw const pair.source) {
                    // It is not published any more.
                    continue;
                }
                pair.both(reset);
                pair.both(sql);
                let held = pair.hold().await;
                side.run(change);
                let report = pair.compare_at(&Verify::new(), &held).await;
                let report = report.unwrap_or_else(|error| panic!("{change}: {error:?}"));
                let unproven: Vec<_> = report
                    .tables
                    .iter()
                    .filter(|table| table.unproven.is_some())
                    .map(|table| &*table.table)
                    .collect();
                let expected = match name {
                    "all" => vec!["a", "b", "m"],
                    "" => Vec::new(),
                    name => vec![name],
                };
                assert_eq!(unproven, expected, "{change}: {report:?}");
                for table in &report.tables {
                    let is_proven = !expected.contains(&&*table.table);
                    assert_eq!(table.is_equal(), is_proven, "{change}: {table:?}");
                    assert_eq!(table.rows_source, if is_proven { 2 } else { 0 }, "{change}: {table:?}");
                }
                drop(held);
                side.run("DROP SCHEMA IF EXISTS elsewhere CASCADE");
            }
        }
    });
}

#[test]
fn a_role_that_may_not_read_everything_is_told_what_it_needs() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)";
    pair::both_ways("rights", sql, async |pair| {
        let role = format!("reader_{}", pair.source.cluster.major());
        let mut reader = Pair { publication: "p".to_owned(), ..pair };
        reader.target.run(&format!(
            "CREATE ROLE {role} LOGIN; ALTER DATABASE {} SET row_security = on",
            support::sql::database(&reader.target.database)
        ));
        let as_reader = async |pair: &Pair| {
            let held = pair.hold().await;
            let conninfo = pair
                .target
                .cluster
                .conninfo(&pair.target.database)
                .replace("user=postgres", &format!("user={role}"));
            let migration = pair.migration();
            let migration = walferry::migrate::Migration::new(
                migration.source().clone(),
                conninfo.parse().unwrap(),
                migration.slot().clone(),
                "p",
            );
            Verify::new().compare(&migration, &held.snapshots).await
        };
        let refused = async |pair: &Pair| {
            let error = as_reader(pair).await.expect_err("it may not read");
            (error.to_string(), error.hint().unwrap_or_default().to_owned())
        };
        let (problem, mend) = refused(&reader).await;
        assert!(problem.contains("target") && problem.contains("permission denied for table t"), "{problem}");
        assert!(mend.contains("GRANT SELECT"), "{mend}");
        reader.target.run(&format!("GRANT SELECT ON t TO {role}; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON t USING (false)"));
        let (problem, mend) = refused(&reader).await;
        assert!(problem.contains("row-level security"), "{problem}");
        assert!(mend.contains("BYPASSRLS"), "{mend}");
        reader.target.run(&format!("ALTER ROLE {role} BYPASSRLS"));
        assert!(as_reader(&reader).await.unwrap().is_equal());
        reader.target.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
        reader.publication.clear();
    });
}

/// What the monitor was told.
#[derive(Default)]
struct Heard {
    planned: Vec<(usize, u64)>,
    bytes: u64,
    rows: u64,
    reads: u64,
    tables: Vec<TableReport>,
}

#[test]
fn the_monitor_hears_of_everything_that_is_read_and_of_each_table() {
    pair::newest("monitor", ROWS, async |pair| {
        pair.both("VACUUM ANALYZE");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = Arc::clone(&heard);
        let verify = Verify::new().chunk_bytes(1_000_000).monitor(move |progress| {
            let mut heard = listener.lock().unwrap();
            match progress {
                Progress::Planned { tables, bytes } => heard.planned.push((tables, bytes)),
                Progress::Read { table, schema, bytes, rows, .. } => {
                    assert!(["t", "u"].contains(&table) && schema == "public");
                    heard.bytes += bytes;
                    heard.rows += rows;
                    heard.reads += 1;
                }
                Progress::Compared(table) => heard.tables.push(table.clone()),
                other => panic!("{other:?}"),
            }
        });
        let report = pair.compare(&verify).await;
        let mut heard = heard.lock().unwrap();
        heard.tables.sort_by(|a, b| a.table.cmp(&b.table));
        assert_eq!(heard.tables, report.tables);
        assert_eq!(heard.rows, 40_000);
        assert!(heard.reads > 20, "{}", heard.reads);
        let [(2, planned)] = heard.planned[..] else { panic!("{:?}", heard.planned) };
        assert!(planned > 20_000_000 && planned.abs_diff(heard.bytes) < 1000, "{planned} {}", heard.bytes);
    });
}

#[test]
fn jobs_work_at_the_same_time_and_a_throttle_makes_each_rest() {
    let tables = ["t0", "t1", "t2", "t3"].map(|name| format!("CREATE TABLE {name} (id int)")).join(";");
    pair::newest("throttle", &tables, async |pair| {
        for at in 0..4 {
            pair.target.run(&format!("DROP TABLE t{at}; CREATE VIEW t{at} AS SELECT 1 AS id FROM (SELECT pg_sleep(0.5) OFFSET 0) s WHERE s IS NULL"));
        }
        let time = async |verify: Verify| {
            let begun = Instant::now();
            assert!(pair.compare(&verify).await.is_equal());
            begun.elapsed()
        };
        let alone = time(Verify::new().jobs(1)).await;
        assert!(alone >= Duration::from_secs(2), "{alone:?}");
        let together = time(Verify::new().jobs(4)).await;
        assert!(together < alone, "{together:?} {alone:?}");
        let at_rest = time(Verify::new().jobs(1).throttle(50)).await;
        assert!(at_rest >= Duration::from_secs(4), "{at_rest:?}");
        // None at all works, too.
        assert!(time(Verify::new().jobs(0)).await >= Duration::from_secs(2));
    });
}

#[test]
fn what_is_other_each_time_it_is_read_is_not_taken_for_equal() {
    pair::both_ways(
        "unsteady",
        "CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
        async |pair| {
            pair.target.run("ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT id, CASE WHEN current_query() LIKE '%GROUP BY%' THEN 'z' ELSE v END AS v FROM u");
            let report = pair.compare(&Verify::new()).await;
            let why = report.tables[0].unproven.as_deref().expect("not proven");
            assert!(why.contains("when they were read again"), "{why}");
            assert!(!report.is_equal());
        },
    );
}

#[test]
fn an_error_names_the_table_and_holds_no_value() {
    pair::both_ways("refused", "CREATE TABLE t (id int, v int)", async |pair| {
        pair.target
            .run("DROP TABLE t; CREATE VIEW t AS SELECT 1 AS id, ('secret' || pg_backend_pid())::int AS v");
        let (problem, _) = pair.error(&Verify::new()).await;
        assert!(problem.contains("public.t") && problem.contains("22P02"), "{problem}");
        let error = pair.try_compare(&Verify::new()).await.unwrap_err();
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    });
}
