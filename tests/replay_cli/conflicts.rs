//! What becomes of a change that conflicts with what the target holds.

use std::path::Path;

use super::*;

/// A published table with one row too many in the target, one too few, and a check that the source has not.
fn at_odds() -> Cluster {
    at_odds_on(&support::newest())
}

fn at_odds_on(server: &support::Server) -> Cluster {
    let cluster = server.start();
    prepare(&cluster);
    cluster.create_database("target");
    cluster.psql("target", "CREATE TABLE t (id int PRIMARY KEY, body varchar(9) CHECK (body <> 'refused'))");
    cluster.psql("target", "INSERT INTO t VALUES (2, 'mine')");
    cluster.psql(
        "postgres",
        "BEGIN; INSERT INTO t VALUES (1, 'null'); INSERT INTO t VALUES (2, 'theirs'); INSERT INTO t VALUES (3, NULL); COMMIT;
         BEGIN; INSERT INTO t VALUES (4, 'refused'); UPDATE t SET body = 'refused' WHERE id = 4; INSERT INTO t VALUES (5, 'x'); COMMIT;
         BEGIN; INSERT INTO t VALUES (6, 'much too long'); UPDATE t SET body = '' WHERE id = 3; DELETE FROM t WHERE id = 5; COMMIT",
    );
    cluster
}

fn into(command: &mut Command, cluster: &Cluster) -> Vec<String> {
    command.args(["--to", "postgres", "--target", &cluster.conninfo("target")]);
    let output = run(command);
    let told = stderr(&output);
    let told: Vec<String> = told.lines().filter(|line| !line.contains("WARN")).map(str::to_owned).collect();
    assert!(told.last().is_some_and(|last| last.starts_with("replayed ")), "{told:?}");
    told
}

fn rows(cluster: &Cluster) -> String {
    let sql = "SELECT string_agg(id || '=' || coalesce(quote_literal(body), 'NULL'), ' ' ORDER BY id) FROM t";
    cluster.psql("target", sql)
}

/// What is left when the four changes are that conflict.
const LEFT: &str = "1='null' 2='mine' 3=''";

#[test]
fn a_conflict_stops_unless_something_else_is_said() {
    for policy in [&[][..], &["--on-conflict", "stop"]] {
        let cluster = at_odds();
        let mut command = up_to_now(&cluster);
        command.args(policy);
        command.args(["--to", "postgres", "--target", &cluster.conninfo("target")]);
        let told = failure(&mut command);
        assert!(
            told.contains("INSERT of public.t, change 2 of transaction ") && told.contains("23505"),
            "{told}"
        );
        assert!(!told.contains("theirs"), "{told}");
        assert_eq!(rows(&cluster), "2='mine'", "nothing of that transaction");
    }
}

#[test]
fn what_conflicts_is_skipped_alone_and_counted() {
    for server in support::servers_to_try() {
        let cluster = at_odds_on(&server);
        let told = into(up_to_now(&cluster).args(["--on-conflict", "skip"]), &cluster);
        assert_eq!(told[0], "skipped 4 changes that conflict with what the target holds");
        assert_eq!(rows(&cluster), LEFT, "on {}", server.major);
    }
}

/// Reads a quarantine as SQL, without its transactions.
fn quarantined(file: &Path) -> Vec<String> {
    let mut command = replay();
    let sql = stdout(&run(command.arg("--from-capture").arg(file)));
    let is_change = |line: &&str| ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| line.starts_with(verb));
    sql.lines().filter(is_change).map(str::to_owned).collect()
}

#[test]
fn what_conflicts_is_quarantined_and_can_be_applied_later() {
    for server in support::servers_to_try() {
        for binary in [false, true] {
            let cluster = at_odds_on(&server);
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("q");
            let mut command = up_to_now(&cluster);
            command.args(["--on-conflict", "quarantine", "--quarantine"]).arg(&file);
            let told = into(if binary { command.arg("--binary") } else { &mut command }, &cluster);
            assert_eq!(told[0], format!("quarantined 4 changes in {}", file.display()));
            assert_eq!(rows(&cluster), LEFT);
            assert_eq!(quarantined(&file).len(), 4);

            cluster.psql("target", "DELETE FROM t WHERE id = 2; ALTER TABLE t DROP CONSTRAINT t_body_check, ALTER body TYPE text");
            for told in ["replayed 3 transactions, 4 changes, ", "replayed 0 transactions, 0 changes, "] {
                let mut command = replay();
                let lines = into(command.arg("--from-capture").arg(&file), &cluster);
                assert!(lines[0].starts_with(told), "{lines:?}");
                let all = cluster.psql("postgres", "SELECT string_agg(id || '=' || coalesce(quote_literal(body), 'NULL'), ' ' ORDER BY id) FROM t");
                assert_eq!(rows(&cluster), all);
            }
        }
    }
}

/// A deferred constraint fails at the COMMIT, when the file is on disk already.
#[test]
fn a_change_is_in_the_quarantine_once_even_if_its_transaction_had_to_be_applied_again() {
    let cluster = at_odds();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("q");
    let command = || {
        let mut command = up_to_now(&cluster);
        command.args(["--on-conflict", "quarantine", "--quarantine"]).arg(&file);
        command
    };
    cluster.psql(
        "target",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE unique_violation; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 5) EXECUTE FUNCTION refuse();
         ALTER TABLE t ENABLE ALWAYS TRIGGER late",
    );
    let mut stopped = command();
    stopped.args(["--to", "postgres", "--target", &cluster.conninfo("target")]);
    let output = stopped.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("COMMIT") && stderr(&output).contains("23505"), "{}", stderr(&output));
    assert_eq!(rows(&cluster), "1='null' 2='mine' 3=NULL", "the first transaction, without what conflicts");
    assert_eq!(quarantined(&file).len(), 3, "one of the first, two of the second that was not committed");

    cluster.psql("target", "DROP TRIGGER late ON t");
    into(&mut command(), &cluster);
    assert_eq!(rows(&cluster), LEFT);
    let changes = quarantined(&file);
    assert_eq!(changes.len(), 4, "{changes:#?}");
}

#[test]
fn a_quarantine_belongs_to_one_target() {
    let cluster = at_odds();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("q");
    let quarantine = |slot: &str, target: &str| {
        let mut command = replay();
        command.args(["--source", &cluster.conninfo("postgres"), "--slot", slot, "--publication", "p"]);
        command.args(["--stop-at-current", "--to", "postgres", "--target", &cluster.conninfo(target)]);
        command.args(["--on-conflict", "quarantine", "--quarantine"]).arg(&file);
        command
    };
    run(&mut quarantine("s", "target"));
    cluster.create_database("fresh");
    cluster.psql("fresh", TARGET_TABLE);
    let before = quarantined(&file);
    for target in ["fresh", "target"] {
        cluster.psql("postgres", "SELECT pg_create_logical_replication_slot('other', 'pgoutput')");
        let told = failure(&mut quarantine("other", target));
        assert!(
            told.contains("is of another stream or target") && told.contains("a file of its own"),
            "{told}"
        );
        cluster.psql("postgres", "SELECT pg_drop_replication_slot('other')");
    }
    assert_eq!(quarantined(&file), before);
}

#[test]
fn what_is_wrong_with_a_table_is_no_conflict() {
    let cluster = source();
    cluster.create_database("target");
    insert(&cluster, 1);
    for table in ["CREATE TABLE u ()", "CREATE TABLE t (id int PRIMARY KEY)"] {
        cluster.psql("target", table);
        let mut command = up_to_now(&cluster);
        command.args(["--on-conflict", "skip", "--to", "postgres", "--target", &cluster.conninfo("target")]);
        let told = failure(&mut command);
        assert!(told.contains("public.t"), "{told}");
    }
}

#[test]
fn a_policy_is_for_postgres_and_a_quarantine_has_a_file() {
    for (arguments, expected) in [
        (&["--on-conflict", "skip"][..], "--on-conflict is for --to postgres"),
        (&["--to", "json", "--on-conflict", "skip"], "--on-conflict is for --to postgres"),
        (&["--to", "postgres", "--target", "host=h", "--on-conflict", "quarantine"], "--quarantine <FILE>"),
        (
            &["--to", "postgres", "--target", "host=h", "--on-conflict", "skip", "--quarantine", "f"],
            "--quarantine is for --on-conflict quarantine",
        ),
        (&["--quarantine", "f"], "--quarantine is for --on-conflict quarantine"),
        (&["--on-conflict", "nosuch"], "--on-conflict"),
    ] {
        let output = replay().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

/// A transaction of which the target gets parts before it ends.
#[test]
fn what_conflicts_in_a_large_transaction_is_left_out_in_one_piece() {
    let cluster = source();
    with_target(&cluster);
    cluster.psql("target", "INSERT INTO t VALUES (5, 'mine'), (24999, 'mine')");
    cluster.psql("postgres", "INSERT INTO t SELECT id, 'theirs' FROM generate_series(1, 25000) id");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("q");
    let mut command = up_to_now(&cluster);
    command.args(["--on-conflict", "quarantine", "--quarantine"]).arg(&file);
    let told = into(&mut command, &cluster);
    assert_eq!(told[0], format!("quarantined 2 changes in {}", file.display()));
    assert_eq!(
        cluster.psql("target", "SELECT count(*), count(*) FILTER (WHERE body = 'mine') FROM t"),
        "25000|2"
    );
    let again = last_line(&run(replay().arg("--from-capture").arg(&file)));
    assert!(again.starts_with("replayed 1 transactions, 2 changes, "), "{again}");
}

#[test]
fn a_conflict_in_a_transaction_that_is_prepared_stops_under_each_policy() {
    let cluster = source();
    with_target(&cluster);
    cluster.psql(
        "postgres",
        "SELECT pg_drop_replication_slot('s'); SELECT pg_create_logical_replication_slot('s', 'pgoutput', false, true);
         BEGIN; INSERT INTO t VALUES (1, 'x'); PREPARE TRANSACTION 'one'",
    );
    cluster.psql("target", "INSERT INTO t VALUES (1, 'mine')");
    let mut command = up_to_now(&cluster);
    command.args([
        "--two-phase",
        "--on-conflict",
        "skip",
        "--to",
        "postgres",
        "--target",
        &cluster.conninfo("target"),
    ]);
    let told = failure(&mut command);
    assert!(told.contains("INSERT of public.t") && told.contains("23505"), "{told}");
    cluster.psql("postgres", "ROLLBACK PREPARED 'one'");
}

/// The table is wrong, not the change: every row would be lost.
#[test]
fn a_column_that_wants_a_value_which_the_source_has_not_is_no_conflict() {
    let cluster = source();
    cluster.create_database("target");
    cluster.psql("target", "CREATE TABLE t (id int PRIMARY KEY, body text, gone text NOT NULL)");
    insert(&cluster, 1);
    let mut command = up_to_now(&cluster);
    command.args(["--on-conflict", "skip", "--to", "postgres", "--target", &cluster.conninfo("target")]);
    let told = failure(&mut command);
    let hint = r#"(hint: on the target: ALTER TABLE "public"."t" ALTER COLUMN "gone" DROP NOT NULL)"#;
    assert!(told.contains("23502") && told.contains(hint), "{told}");
}
