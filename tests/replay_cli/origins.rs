//! Two databases that replicate into each other.

use super::*;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, body text); CREATE PUBLICATION p FOR TABLE t";

/// From one into the other, up to now.
fn carry(cluster: &Cluster, from: &str, to: &str, marked: bool) -> Command {
    let mut command = replay();
    command.args(["--source", &cluster.conninfo(from), "--slot", from, "--publication", "p", "--two-phase"]);
    command.args([
        "--origin",
        "none",
        "--stop-at-current",
        "--to",
        "postgres",
        "--target",
        &cluster.conninfo(to),
    ]);
    if marked {
        command.args(["--target-origin", &format!("from {from}")]);
    }
    command
}

/// A server before 16 can't leave out what is marked, and says so.
fn pair() -> Option<Cluster> {
    let cluster = support::newest().start();
    for name in ["a", "b"] {
        cluster.create_database(name);
        cluster.psql(name, TABLE);
        let slot = format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', false, true)");
        cluster.psql(name, &slot);
    }
    if cluster.major() < 16 {
        let told = failure(&mut carry(&cluster, "a", "b", true));
        assert!(told.contains("needs PostgreSQL 16 or later"), "{told}");
        return None;
    }
    Some(cluster)
}

fn ids(cluster: &Cluster, database: &str) -> String {
    cluster.psql(database, "SELECT string_agg(id::text, ',' ORDER BY id) FROM t")
}

#[test]
fn what_was_replicated_does_not_go_back() {
    let Some(cluster) = pair() else { return };
    let round = |expected: [u32; 2]| {
        for ((from, to), expected) in [("a", "b"), ("b", "a")].into_iter().zip(expected) {
            let told = last_line(&run(&mut carry(&cluster, from, to, true)));
            assert!(told.starts_with(&format!("replayed {expected} transactions, ")), "{from}: {told}");
        }
    };
    cluster.psql("a", "INSERT INTO t VALUES (1, 'a')");
    cluster.psql("b", "INSERT INTO t VALUES (2, 'b'); INSERT INTO t VALUES (3, 'b')");
    round([1, 2]);
    round([0, 0]);
    cluster.psql("a", "BEGIN; INSERT INTO t VALUES (4, 'a'); PREPARE TRANSACTION 'four'");
    round([1, 0]);
    cluster.psql("a", "COMMIT PREPARED 'four'");
    round([1, 0]);
    round([0, 0]);
    for database in ["a", "b"] {
        assert_eq!(ids(&cluster, database), "1,2,3,4");
    }
    let origins =
        cluster.psql("a", "SELECT string_agg(roname, ',' ORDER BY roname) FROM pg_replication_origin");
    assert_eq!(origins, "from a,from b");
}

#[test]
fn what_is_not_marked_goes_back() {
    let Some(cluster) = pair() else { return };
    cluster.psql("a", "INSERT INTO t VALUES (1, 'a')");
    run(&mut carry(&cluster, "a", "b", false));
    let told = failure(&mut carry(&cluster, "b", "a", false));
    assert!(told.contains("23505"), "{told}");
}

#[test]
fn an_origin_is_never_read_as_progress() {
    let cluster = source();
    with_target(&cluster);
    let mut last = String::new();
    for id in 1..=2 {
        insert(&cluster, id);
        let mut command = up_to_now(&cluster);
        command.args(["--to", "postgres", "--target", &cluster.conninfo("target"), "--target-origin", "o"]);
        run(&mut command);
        // As after a rollback, on 16 and later.
        cluster.psql("target", "SELECT pg_replication_origin_advance('o', 'FFFF/0')");
        last = cluster.psql("target", "SELECT count(*) FROM t");
    }
    assert_eq!(last, "2");
}

#[test]
fn an_origin_of_the_target_is_for_postgres() {
    let output = replay().args(["--target-origin", "o"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--target-origin is for --to postgres"), "{}", stderr(&output));
}
