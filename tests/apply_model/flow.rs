//! How changes flow: large transactions in parts, the last one before a silence, and again after a stop.

use std::time::Duration;

use tokio::sync::oneshot;
use walferry::pgoutput::Datum;
use walferry::{ChangeSink as _, Event, Pipeline};

use crate::pair::{Pair, Plan, everywhere};
use crate::sinks;
use crate::support::Random;
use crate::world::apply;

/// Values so large that the sink applies a few at a time, before their transaction ends.
const LARGE: &str = "CREATE TABLE t (id int PRIMARY KEY, big text, n int UNIQUE); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE f (big text, n int); ALTER TABLE f REPLICA IDENTITY FULL; ALTER TABLE f ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE small (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at int UNIQUE)";

/// Each statement is more than one part.
const IN_PARTS: &str = "BEGIN;
    INSERT INTO t SELECT i, repeat(md5(i::text), 40000), i FROM generate_series(1, 9) i;
    INSERT INTO small (at) SELECT i FROM generate_series(1, 40) i;
    UPDATE t SET n = n + 100 WHERE id < 5;
    INSERT INTO f SELECT big, n FROM t WHERE id IN (1, 1, 2, 9);
    DELETE FROM small WHERE at > 30;
    DO $$ BEGIN FOR i IN REVERSE 30..1 LOOP UPDATE small SET at = at + 1 WHERE at = i; END LOOP; END $$;
    UPDATE t SET big = repeat(md5(n::text), 40000);
    UPDATE t SET id = id + 50 WHERE id > 7;
    UPDATE small SET id = DEFAULT WHERE at = 7;
    UPDATE f SET n = NULL;
    DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (3, 'again', 3);
    DELETE FROM f WHERE ctid = (SELECT min(ctid) FROM f);
    UPDATE t SET n = -n;
    COMMIT";

#[test]
fn a_transaction_that_is_too_large_to_be_held_is_applied_in_parts() {
    everywhere("parts", Plan { tables: LARGE, ..Plan::default() }, async |mut pair: Pair| {
        let before = pair.events("INSERT INTO t VALUES (0, 'before', 0)").await;
        let events = pair.events(IN_PARTS).await;
        pair.apply(before).await.expect("it is right");
        // Cut at each event, flushed at each, and lost halfway.
        let whole = events.iter().position(|event| matches!(event, Event::Commit(_))).expect("it is whole");
        for event in &events[..whole / 2] {
            pair.apply(vec![event.clone()]).await.expect("it is right");
        }
        assert_eq!(pair.has("SELECT count(*) FROM t").await, ["(1)"], "{}", pair.whose());
        let has_come = "SELECT pg_total_relation_size('t') > 5000000";
        assert_eq!(pair.has(has_come).await, ["(t)"], "it is not held in memory: {}", pair.whose());
        pair.sink.rollback().await.expect("it can be forgotten");
        for event in &events[..whole] {
            pair.apply(vec![event.clone()]).await.expect("it is right");
        }
        assert_eq!(pair.has("SELECT count(*) FROM t").await, ["(1)"], "{}", pair.whose());
        pair.apply(events[whole..].to_vec()).await.expect("it is right");
        for table in ["t", "f", "small"] {
            pair.agree(&format!("SELECT md5(x::text) FROM {table} x")).await;
        }
        // The same in batches of chance, behind what is there now.
        let events = pair
            .events(&format!("BEGIN; DELETE FROM t; DELETE FROM f; DELETE FROM small; COMMIT; {IN_PARTS}"))
            .await;
        apply(&mut pair.sink, &events, &mut Random::new(u64::from(pair.gathers)), 20)
            .await
            .expect("it is right");
        for table in ["t", "f", "small"] {
            assert!(!pair.agree(&format!("SELECT md5(x::text) FROM {table} x")).await.is_empty());
        }
    });
}

#[test]
fn a_part_that_is_wrong_takes_back_those_before_it() {
    everywhere("wrong_part", Plan { tables: LARGE, ..Plan::default() }, async |mut pair: Pair| {
        pair.change("INSERT INTO t VALUES (100, 'here', 100)").await;
        pair.target.batch_execute("DELETE FROM t").await.expect("it is there");
        let sql = IN_PARTS.replace("DELETE FROM t WHERE id = 3;", "DELETE FROM t WHERE id IN (3, 100);");
        let events = pair.events(&sql).await;
        let failed = apply(&mut pair.sink, &events, &mut Random::new(7), 5).await;
        let error = failed.expect_err("a row is missing");
        assert!(error.to_string().contains("expected 1"), "{error}");
        let changes = events.iter().filter(|event| matches!(event, Event::Change(_)));
        let is_missing = |event: &Event| match event {
            Event::Change(change) => change.rows().any(|row| row.tuple().get(0) == Some(Datum::Text(b"100"))),
            _ => false,
        };
        let before = changes.take_while(|event| !is_missing(event)).count() as u64;
        assert_eq!(error.change().map(|change| change.ordinal), Some(before + 1), "{error}");
        for table in ["t", "f", "small"] {
            assert!(pair.has(&format!("SELECT * FROM {table}")).await.is_empty(), "{}", pair.whose());
        }
    });
}

/// What came in parts can't be applied again from where it ends.
#[test]
fn parts_that_only_the_commit_finds_wrong_leave_nothing() {
    everywhere("late", Plan { tables: LARGE, ..Plan::default() }, async |mut pair: Pair| {
        let late = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE check_violation; END$$;
                    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON small DEFERRABLE INITIALLY DEFERRED
                      FOR EACH ROW EXECUTE FUNCTION refuse();
                    ALTER TABLE small ENABLE ALWAYS TRIGGER late";
        pair.target.batch_execute(late).await.expect("a trigger");
        let events = pair.events(IN_PARTS).await;
        let failed = apply(&mut pair.sink, &events, &mut Random::new(7), 5).await;
        let error = failed.expect_err("the trigger objects").to_string();
        assert!(error.starts_with("COMMIT, change ") && error.contains("23514"), "{error}");
        for table in ["t", "f", "small"] {
            assert!(pair.has(&format!("SELECT * FROM {table}")).await.is_empty(), "{}", pair.whose());
        }
    });
}

/// `PeerDB` #4168: the last batch is never applied while there is little traffic.
#[test]
fn museum_23_the_last_change_before_a_silence_arrives() {
    everywhere(
        "silence",
        Plan { tables: "CREATE TABLE t (id int PRIMARY KEY)", ..Plan::default() },
        async |pair: Pair| {
            let (stop, stopped) = oneshot::channel::<()>();
            let sink = sinks::unopened(pair.cluster, &pair.names[1], pair.gathers, "fresh");
            let pipeline = Pipeline::new(sink).batch_rows(10_000);
            let run = tokio::spawn(pipeline.run(pair.stream, async { _ = stopped.await }));
            for id in 1..4 {
                pair.source.batch_execute(&format!("INSERT INTO t VALUES ({id})")).await.expect("it is new");
                let mut tries = 0;
                let confirmed = format!("SELECT count(*) = {id} FROM t");
                while !pair.target.query_one(&confirmed, &[]).await.expect("a count").get::<_, bool>(0) {
                    tries += 1;
                    assert!(tries < 200 && !run.is_finished(), "{} change {id} is not there", pair.names[1]);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            stop.send(()).expect("it runs");
            let statistics = run.await.expect("no panic").expect("no error");
            assert_eq!(statistics.changes, 3);
            let sql = format!(
                "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{}' AND confirmed_flush_lsn >= '{}'",
                pair.names[0], statistics.acknowledged
            );
            let confirmed: i64 = pair.source.query_one(&sql, &[]).await.expect("a slot").get(0);
            assert_eq!(confirmed, 1, "the slot is where the target is");
        },
    );
}

/// A sink that is opened again goes on where the target stands, wherever it was left.
#[test]
fn a_sink_that_is_opened_again_goes_on_where_the_target_is() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, n int)";
    everywhere("again", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        let sql = "BEGIN; INSERT INTO t SELECT i, i FROM generate_series(1, 3) i; UPDATE t SET n = n + 1; COMMIT;
                   BEGIN; UPDATE t SET n = n * 10; DELETE FROM t WHERE id = 2; COMMIT; UPDATE t SET n = n + 1";
        let events = pair.events(sql).await;
        let mut begun = 0;
        for end in 1..=events.len() {
            pair.apply(events[begun..end].to_vec())
                .await
                .unwrap_or_else(|error| panic!("{}: {error:?}", pair.whose()));
            let target = pair.names[1].clone();
            if matches!(events[end - 1], Event::Commit(_)) {
                begun = end;
            }
            // The one before is gone: of a name there is one at a time.
            pair.sink = sinks::unopened(pair.cluster, &target, pair.gathers, "none");
            pair.sink = sinks::open(pair.cluster, &target, pair.gathers, &pair.stream, "again").await;
        }
        assert_eq!(pair.agree("SELECT * FROM t").await, ["(1,21)", "(3,41)"]);
    });
}
