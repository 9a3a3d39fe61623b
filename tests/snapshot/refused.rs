//! What is refused, and how it is said: nothing of a row, and what to do.

use std::time::{Duration, Instant};

use walferry::{Config, Error};

use crate::stage::{Stage, rows_of, told};
use crate::support::{newest, on_each_server};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

#[test]
fn what_the_target_lacks_is_said_in_sql_that_mends_it() {
    on_each_server(|server| {
        let stage = Stage::new(
            server,
            "CREATE SCHEMA \"It's\"; CREATE DOMAIN \"It's\".\"a \"\"domain\" AS varchar(7)",
        );
        let table = "\"It's\".\"a \"\"table\"";
        stage.source(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, \"It's\" \"It's\".\"a \"\"domain\", n numeric(7,2)[])"
        ));
        stage.source(&format!("INSERT INTO {table} VALUES (1, 'null', '{{1.25,NULL}}')"));
        let held = stage.snapshot("slot");
        let refusal = || {
            let error = stage.run(&stage.copy(), &held).expect_err("it does not fit");
            assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
            let told = told(&error);
            let sql =
                told[told.rfind("on the target: ").expect("SQL") + "on the target: ".len()..].to_owned();
            (told, sql)
        };
        let (missing, create) = refusal();
        assert!(missing.contains(&format!("has no table {table}")), "{missing}");
        stage.target(&create);
        assert_eq!(stage.target_now("SELECT count(*) FROM walferry.copy").trim(), "0", "nothing was begun");
        stage.target(&format!("ALTER TABLE {table} DROP \"It's\", DROP n"));
        let (missing, alter) = refusal();
        assert!(missing.contains("lacks \"It's\", \"n\""), "{missing}");
        stage.target(&alter);
        stage.run(&stage.copy(), &held).expect("it fits");
        let all = format!("SELECT * FROM {table}");
        assert_eq!(stage.target_now(&all), stage.source_at(&held, &all));
    });
}

#[test]
fn rows_that_no_copy_has_brought_are_left_alone() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source("INSERT INTO t VALUES (1, 'source')");
        stage.target("INSERT INTO t VALUES (2, 'target')");
        let held = stage.snapshot("slot");
        for _ in 0..2 {
            let error = stage.run(&stage.copy(), &held).expect_err("somebody's rows");
            assert!(told(&error).contains("no copy under this name"), "{error}");
            assert_eq!(stage.target_now("SELECT v FROM t").trim(), "target");
            assert!(stage.copied().is_empty());
        }
        stage.target("TRUNCATE t");
        stage.run(&stage.copy(), &held).expect("it is empty now");
        assert_eq!(stage.target_now("SELECT v FROM t").trim(), "source");
    });
}

/// Somebody writes after the copy has begun, and before the chunk is loaded that would be frozen.
#[test]
fn rows_that_come_behind_the_first_look_are_left_alone_too() {
    let stage = Stage::new(&newest(), TABLE);
    stage.source("INSERT INTO t VALUES (1, 'source')");
    let held = stage.snapshot("slot");
    stage.target("CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.t VALUES (3, 'late'); RETURN NULL; END $$");
    stage
        .runtime
        .block_on(stage.copy().run(&walferry::snapshot::Exported::new("none", held.exported.lsn())))
        .expect_err("no snapshot");
    // As the first entry of the ledger is made.
    stage.target(
        "CREATE SCHEMA walferry; CREATE TABLE walferry.copy (name text, schema text, relation text, lsn pg_lsn NOT NULL, source_oid oid,
             snapshot text NOT NULL, begun_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, schema, relation));
         CREATE TRIGGER late AFTER INSERT ON walferry.copy EXECUTE FUNCTION late();
         ALTER TABLE walferry.copy ENABLE ALWAYS TRIGGER late",
    );
    let error = stage.run(&stage.copy(), &held).expect_err("somebody's rows");
    assert!(told(&error).contains("no copy under this name"), "{error}");
    assert_eq!(stage.target_now("SELECT v FROM t").trim(), "late");
}

/// Room 18 of the museum: a role that is subject to row security got a copy without rows, and no error.
#[test]
fn museum_18_a_role_that_row_security_applies_to_gets_an_error() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i");
        stage.source("CREATE ROLE reader LOGIN; GRANT SELECT ON t TO reader; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON t USING (id < 10)");
        let held = stage.snapshot("slot");
        let source: Config = format!("{} user=reader", stage.source_cluster().conninfo("source"))
            .parse()
            .expect("a connection string");
        let copy =
            walferry::snapshot::SnapshotCopy::new(source, stage.target_config(), "copy").publication("all");
        let error = stage.run(&copy, &held).expect_err("row security");
        assert_eq!(error.sqlstate(), Some("42501"), "{error}");
        assert!(error.to_string().contains("\"public\".\"t\""), "{error}");
        assert_eq!(stage.target_now("SELECT count(*) FROM t").trim(), "0");
        assert!(stage.copied().is_empty());
    });
}

#[test]
fn a_value_that_the_target_refuses_is_not_told() {
    on_each_server(|server| {
        let stage = Stage::new(server, "");
        stage.source("CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, 'secret' FROM generate_series(1, 20000) i");
        stage.target("CREATE TABLE t (id int, v int)");
        let held = stage.snapshot("slot");
        let error = stage.run(&stage.copy(), &held).expect_err("no number");
        assert_eq!(error.sqlstate(), Some("22P02"));
        let told = told(&error);
        assert!(told.contains("\"public\".\"t\", the target said") && !told.contains("secret"), "{told}");
        assert!(stage.copied().is_empty());
        stage.target("ALTER TABLE t ALTER v TYPE text");
        assert_eq!(stage.run(&stage.copy(), &held).expect("it fits").rows, 20_000);
        assert_eq!(stage.target_now(&rows_of("t")), stage.source_at(&held, &rows_of("t")));
    });
}

#[test]
fn rows_that_a_trigger_of_the_target_leaves_out_are_missed() {
    let stage = Stage::new(&newest(), TABLE);
    stage.source("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i");
    stage.target(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 7 THEN RETURN NULL; END IF; RETURN NEW; END $$;
         CREATE TRIGGER skip BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip()",
    );
    let held = stage.snapshot("slot");
    stage.run(&stage.copy(), &held).expect("it is for others than replicas");
    stage.target("DELETE FROM t; DROP SCHEMA walferry CASCADE; ALTER TABLE t ENABLE ALWAYS TRIGGER skip");
    let error = stage.run(&stage.copy(), &held).expect_err("one is missing");
    assert!(told(&error).contains("of 100 rows of \"public\".\"t\" the target took 99"), "{error}");
    assert_eq!(stage.target_now("SELECT count(*) FROM t").trim(), "0");
}

/// A table that is rewritten holds no row that the snapshot sees: native replication copies none, and says nothing.
#[test]
fn a_table_that_was_rewritten_behind_the_snapshot_is_refused() {
    on_each_server(|server| {
        let stage = Stage::new(server, TABLE);
        stage.source("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i");
        let held = stage.snapshot("slot");
        stage.source("ALTER TABLE t ALTER id TYPE bigint");
        assert_eq!(stage.source_at(&held, "SELECT count(*) FROM t").trim(), "0", "as it would be copied");
        let error = stage.run(&stage.copy(), &held).expect_err("no rows are left");
        assert!(told(&error).contains("was rewritten"), "{error}");
        drop(held);
        let held = stage.snapshot("second");
        assert_eq!(stage.run(&stage.copy(), &held).expect("a copy").rows, 100);
    });
}

/// The session is lost that keeps tables from being rewritten while others are copied.
#[test]
fn a_table_that_is_rewritten_while_others_are_copied_is_refused_too() {
    on_each_server(|server| {
        let stage = Stage::new(server, &format!("{TABLE}; CREATE TABLE large (id int PRIMARY KEY)"));
        stage.source("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i; INSERT INTO large SELECT generate_series(1, 30000)");
        let held = stage.snapshot("slot");
        let copy = stage.copy().jobs(1);
        let monitor = copy.monitor();
        monitor.limit(std::num::NonZeroU64::new(200_000));
        let error = std::thread::scope(|scope| {
            let (stage, monitor) = (&stage, &monitor);
            let rewritten = scope.spawn(move || {
                let deadline = Instant::now() + Duration::from_secs(20);
                while monitor.tables().iter().all(|table| table.bytes == 0) && Instant::now() < deadline {}
                let held =
                    "SELECT pid FROM pg_locks WHERE mode = 'AccessShareLock' AND relation = 't'::regclass";
                stage.source(&format!("SELECT pg_terminate_backend(pid) FROM ({held}) l"));
                stage.source("ALTER TABLE t ALTER id TYPE bigint");
                monitor.limit(None);
            });
            let error = stage.run(&copy, &held).expect_err("no rows are left");
            rewritten.join().expect("it is rewritten");
            error
        });
        assert!(told(&error).contains("\"public\".\"t\" was rewritten"), "{error}");
        assert_eq!(stage.target_now("SELECT count(*) FROM t").trim(), "0");
        assert_eq!(stage.copied().len(), 1, "the other one is there");
    });
}

#[test]
fn a_publication_that_is_not_there_is_named() {
    let stage = Stage::new(&newest(), TABLE);
    let held = stage.snapshot("slot");
    let error = stage.run(&stage.copy().publication("none such"), &held).expect_err("no publication");
    assert!(told(&error).contains("CREATE PUBLICATION \"none such\""), "{error}");
    let none = walferry::snapshot::SnapshotCopy::new(stage.source_config(), stage.target_config(), "copy");
    assert!(matches!(stage.run(&none, &held), Err(Error::Misuse(_))));
}
