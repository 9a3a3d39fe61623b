//! What must come in order, or at once. The numbers are those of a collection of other systems' bugs.

use crate::pair::{Pair, Plan, everywhere};

/// `PeerDB` #4169: an unordered MERGE breaks unique keys.
#[test]
fn museum_23_unique_values_change_places() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE DEFERRABLE, name text, UNIQUE (name));
                  CREATE TABLE late (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    everywhere("swap", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change("INSERT INTO t SELECT i, i, 'n' || i FROM generate_series(1, 9) i; INSERT INTO late SELECT id, place FROM t").await;
        for table in ["t", "late"] {
            // By two plain updates.
            pair.change(&format!(
                "BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE {table} SET place = 2 WHERE id = 1; UPDATE {table} SET place = 1 WHERE id = 2; COMMIT"
            ))
            .await;
            // By one.
            pair.change(&format!("UPDATE {table} SET place = 10 - place")).await;
            // All one further, and so that only the last of them finds its place free.
            pair.change(&format!("UPDATE {table} SET place = place + 1")).await;
            pair.change(&format!(
                "BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM {table} WHERE id = 3;
                 UPDATE {table} SET place = place - 1; INSERT INTO {table} (id, place) VALUES (3, 0); COMMIT"
            ))
            .await;
        }
        // Where the constraint can't wait, through a third value or through none.
        pair.change(
            "BEGIN; UPDATE t SET name = 'x' WHERE id = 1; UPDATE t SET name = 'n1' WHERE id = 2;
             UPDATE t SET name = 'n2' WHERE id = 1; COMMIT;
             BEGIN; UPDATE t SET name = NULL WHERE id = 4; UPDATE t SET name = 'n4' WHERE id = 5;
             UPDATE t SET name = 'n5' WHERE id = 4; COMMIT",
        )
        .await;
        pair.agree("SELECT * FROM t").await;
        pair.agree("SELECT * FROM late").await;
    });
}

#[test]
fn museum_23_keys_change_places() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, name text);
                  CREATE TABLE two (a int, b text, n int NOT NULL, PRIMARY KEY (a, b));
                  CREATE TABLE waits (id int PRIMARY KEY DEFERRABLE, name text); ALTER TABLE waits REPLICA IDENTITY FULL";
    everywhere("keys", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change(
            "INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 9) i;
             INSERT INTO two SELECT i % 3, 'n' || i, i FROM generate_series(1, 9) i; INSERT INTO waits SELECT * FROM t",
        )
        .await;
        pair.change("BEGIN; UPDATE t SET id = 0 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; UPDATE t SET id = 2 WHERE id = 0; COMMIT")
            .await;
        pair.change(
            "BEGIN; UPDATE two SET b = 'x' WHERE (a, b) = (1, 'n1'); UPDATE two SET b = 'n1' WHERE (a, b) = (1, 'n4');
             UPDATE two SET b = 'n4', n = -1 WHERE (a, b) = (1, 'x'); COMMIT",
        )
        .await;
        pair.change("UPDATE waits SET id = 10 - id").await;
        // One further each, from the top, in one transaction and in many.
        let further = |table: &str, commit: &str| {
            format!(
                "DO $$ BEGIN FOR i IN REVERSE 9..1 LOOP UPDATE {table} SET id = i + 1 WHERE id = i; {commit} END LOOP; END $$"
            )
        };
        pair.change(&further("t", "")).await;
        pair.change(&further("waits", "")).await;
        pair.change("DELETE FROM t WHERE id = 10; DELETE FROM waits WHERE id = 10").await;
        pair.change(&further("t", "COMMIT;")).await;
        // A key that leaves, another row that takes it, and a new one where that was.
        pair.change(
            "BEGIN; DELETE FROM t WHERE id = 5; UPDATE t SET id = 5, name = 'took it' WHERE id = 6; INSERT INTO t VALUES (6, 'new');
             UPDATE t SET name = name || '!' WHERE id IN (5, 6); DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 'again');
             INSERT INTO t VALUES (99, 'short'); UPDATE t SET id = 98 WHERE id = 99; DELETE FROM t WHERE id = 98; COMMIT",
        )
        .await;
        for table in ["t", "two", "waits"] {
            pair.agree(&format!("SELECT * FROM {table}")).await;
        }
    });
}

#[test]
fn museum_23_ranges_that_may_not_overlap_move_past_each_other() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, span int4range, EXCLUDE USING gist (span WITH &&));
                  CREATE TABLE waits (id int PRIMARY KEY, span int4range, EXCLUDE USING gist (span WITH &&) DEFERRABLE)";
    everywhere("ranges", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change("INSERT INTO t SELECT i, int4range(i * 10, i * 10 + 5) FROM generate_series(1, 9) i; INSERT INTO waits SELECT * FROM t")
            .await;
        // Each into the room that the one before it has left.
        pair.change("DO $$ BEGIN FOR i IN REVERSE 9..1 LOOP UPDATE t SET span = int4range(i * 10 + 4, i * 10 + 14) WHERE id = i; END LOOP; END $$")
            .await;
        pair.change(
            "BEGIN; UPDATE t SET span = 'empty' WHERE id = 1; UPDATE t SET span = '[14,24)' WHERE id = 2;
             UPDATE t SET span = '[24,34)' WHERE id = 1; COMMIT",
        )
        .await;
        pair.change(
            "BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE waits SET span = '[20,25)' WHERE id = 1;
             UPDATE waits SET span = '[10,15)' WHERE id = 2; COMMIT",
        )
        .await;
        pair.change("BEGIN; DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (10, '[94,104)'); COMMIT").await;
        pair.agree("SELECT * FROM t").await;
        pair.agree("SELECT * FROM waits").await;
    });
}

/// `PeerDB` #4219.
#[test]
fn museum_23_foreign_keys_in_a_circle() {
    let tables = "CREATE TABLE a (id int PRIMARY KEY, b int);
                  CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE);
                  ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;
                  CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE SET NULL ON UPDATE CASCADE)";
    everywhere("circle", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change(
            "BEGIN; INSERT INTO a SELECT i, i FROM generate_series(1, 5) i; INSERT INTO b SELECT i, i FROM generate_series(1, 5) i; COMMIT;
             INSERT INTO tree SELECT i, nullif(i / 2, 0) FROM generate_series(1, 9) i",
        )
        .await;
        pair.change("UPDATE a SET id = id + 10 WHERE id < 4").await;
        pair.change("DELETE FROM b WHERE id = 2; BEGIN; INSERT INTO a VALUES (7, 7); INSERT INTO b VALUES (7, 7); COMMIT").await;
        pair.change("UPDATE tree SET id = 100 WHERE id = 2; DELETE FROM tree WHERE id = 1; UPDATE tree SET parent = id WHERE id = 9").await;
        // Children before parents, which the source takes at the end.
        pair.change("BEGIN; UPDATE a SET b = 50 WHERE id = 5; INSERT INTO b VALUES (50, 5); DELETE FROM b WHERE id = 5; COMMIT").await;
        let left: Vec<_> =
            [pair.agree("SELECT * FROM a").await, pair.agree("SELECT * FROM b").await].concat();
        assert!(left.len() > 6, "{left:?}");
        pair.agree("SELECT * FROM tree").await;
    });
}

/// What triggers did on the source comes as changes of its own; the target's must not do it again.
#[test]
fn museum_23_triggers_do_not_fire_twice() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, n int);
                  CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);
                  CREATE TABLE totals (name text PRIMARY KEY, n bigint); INSERT INTO totals VALUES ('n', 0);
                  CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    INSERT INTO log (what) VALUES (TG_OP); UPDATE totals SET n = totals.n + coalesce(NEW.n, -OLD.n);
                    RETURN NULL; END $$;
                  CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION log();
                  CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n = NEW.n * 2; RETURN NEW; END $$;
                  CREATE TRIGGER twice BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION twice();
                  CREATE RULE not_here AS ON DELETE TO totals DO INSTEAD NOTHING";
    everywhere("triggers", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change("INSERT INTO t SELECT i, i FROM generate_series(1, 20) i; UPDATE t SET n = n + 1; DELETE FROM t WHERE id > 15").await;
        for table in ["t", "log", "totals"] {
            pair.agree(&format!("SELECT * FROM {table}")).await;
        }
    });
}

#[test]
fn a_row_that_changes_often_ends_as_it_did() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text); ALTER TABLE t ALTER b SET STORAGE EXTERNAL";
    everywhere("often", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change("INSERT INTO t SELECT i, 'a', repeat('b' || i, 3000), 'c' FROM generate_series(1, 4) i")
            .await;
        // A column each, so that none of the updates says all.
        pair.change(
            "BEGIN; UPDATE t SET a = 'a1' WHERE id = 1; UPDATE t SET b = repeat('B', 5000) WHERE id = 1;
             UPDATE t SET c = 'c1' WHERE id = 1; UPDATE t SET a = NULL WHERE id = 1; COMMIT",
        )
        .await;
        // Born, changed and moved in one transaction, with a value out of line that only the insert carries.
        pair.change(
            "BEGIN; INSERT INTO t VALUES (10, 'a', repeat('n', 4000), 'c'); UPDATE t SET a = 'x' WHERE id = 10;
             UPDATE t SET id = 11 WHERE id = 10; UPDATE t SET c = NULL WHERE id = 11; COMMIT",
        )
        .await;
        // Gone and there again, twice.
        pair.change(
            "BEGIN; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 'again', 'short', NULL); UPDATE t SET c = 'c2' WHERE id = 2;
             DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, NULL, repeat('z', 3000), 'third'); COMMIT",
        )
        .await;
        pair.change("BEGIN; UPDATE t SET id = 20 WHERE id = 3; UPDATE t SET a = 'y' WHERE id = 20; DELETE FROM t WHERE id = 20; COMMIT").await;
        assert_eq!(pair.agree("SELECT * FROM t").await.len(), 4);
    });
}

#[test]
fn truncation_keeps_its_place_between_other_changes() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t);
                  CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (parent)";
    everywhere("truncate", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change(
            "INSERT INTO t SELECT i, i FROM generate_series(1, 5) i; INSERT INTO child SELECT i, i FROM generate_series(1, 5) i;
             INSERT INTO parent VALUES (1); INSERT INTO heir VALUES (2)",
        )
        .await;
        pair.change(
            "BEGIN; INSERT INTO t VALUES (6, 6); UPDATE t SET n = 0; TRUNCATE t CASCADE; INSERT INTO t VALUES (1, 1), (6, 7);
             UPDATE t SET n = 8 WHERE id = 6; INSERT INTO child VALUES (1, 6); COMMIT",
        )
        .await;
        assert_eq!(pair.agree("SELECT * FROM t").await, ["(1,1)", "(6,8)"]);
        assert_eq!(pair.agree("SELECT * FROM child").await, ["(1,6)"]);
        pair.change(
            "BEGIN; INSERT INTO child VALUES (2); TRUNCATE child; INSERT INTO child VALUES (3); COMMIT",
        )
        .await;
        assert_eq!(pair.agree("SELECT id FROM child").await, ["(3)"]);
        // The heir stays.
        pair.change("TRUNCATE ONLY parent").await;
        assert_eq!(pair.agree("SELECT * FROM parent").await, ["(2)"]);
        pair.change("TRUNCATE parent; INSERT INTO heir VALUES (3)").await;
        assert_eq!(pair.agree("SELECT * FROM parent").await, ["(3)"]);
    });
}
