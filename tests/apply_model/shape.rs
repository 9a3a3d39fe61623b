//! Tables that change their shape, and tables of many parts.

use crate::pair::{Pair, Plan, everywhere};

impl Pair {
    async fn alter(&mut self, source: &str, target: &str) {
        self.source.batch_execute(source).await.unwrap_or_else(|error| panic!("{error:?}\n{source}"));
        self.target.batch_execute(target).await.unwrap_or_else(|error| panic!("{error:?}\n{target}"));
    }

    async fn alter_both(&mut self, sql: &str) {
        self.alter(sql, sql).await;
    }
}

/// etl #925, #929, dbz#304, #1529: the target's tables are looked at again when they change.
#[test]
fn museum_19_columns_come_and_go() {
    let tables = "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int PRIMARY KEY, a text, m mood)";
    everywhere("columns", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        let insert = |id: i32| {
            format!(
                "INSERT INTO t SELECT i FROM generate_series({id}, {id} + 4) i; UPDATE t SET id = -id WHERE id = {id}; DELETE FROM t WHERE id = {id} + 1"
            )
        };
        pair.change(&insert(10)).await;
        pair.alter_both("ALTER TABLE t ADD b int DEFAULT 7").await;
        pair.change(&insert(20)).await;
        pair.alter_both("ALTER TABLE t RENAME a TO c").await;
        pair.change(&format!("{}; UPDATE t SET c = 'c'", insert(30))).await;
        pair.alter_both("ALTER TABLE t ALTER b TYPE text USING 'was ' || b").await;
        pair.change(&format!("{}; UPDATE t SET b = 'now text' WHERE id % 2 = 0", insert(40))).await;
        pair.alter_both("ALTER TYPE mood ADD VALUE 'null' BEFORE 'a'").await;
        pair.change(&format!("{}; UPDATE t SET m = 'null'", insert(50))).await;
        // Gone, and there again by the same name with another type.
        pair.alter_both("ALTER TABLE t DROP b, ADD b timestamptz, DROP c").await;
        pair.change(&format!("{}; UPDATE t SET b = 'infinity' WHERE id > 20", insert(60))).await;
        // Another key.
        pair.alter_both("ALTER TABLE t ADD nr int; UPDATE t SET nr = id * 2; ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (nr)").await;
        let events = pair.events("SELECT 1").await;
        // The update of each row on either side was done there by hand.
        drop(events);
        pair.change("INSERT INTO t (id, nr) VALUES (1, 1), (1, 3); UPDATE t SET id = 2 WHERE nr = 1; DELETE FROM t WHERE nr = 3").await;
        // Another table by the same name.
        pair.alter_both("DROP TABLE t; CREATE TABLE t (m mood, id bigint PRIMARY KEY)").await;
        pair.change("INSERT INTO t VALUES ('null', 1), (NULL, 2); UPDATE t SET m = 'b' WHERE id = 2").await;
        assert_eq!(pair.agree("SELECT * FROM t").await, ["(b,2)", "(null,1)"]);
    });
}

#[test]
fn museum_19_tables_change_names() {
    let tables = "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int)";
    everywhere("renamed", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change("INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (2, 2)").await;
        pair.alter_both("ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b")
            .await;
        pair.change("UPDATE a SET n = 3; UPDATE b SET n = 4; INSERT INTO a VALUES (3, 3); INSERT INTO b VALUES (4, 4)").await;
        pair.alter_both("CREATE SCHEMA \"S.\"; ALTER TABLE a SET SCHEMA \"S.\"").await;
        pair.change("UPDATE \"S.\".a SET n = 5; UPDATE b SET n = 6").await;
        pair.agree("SELECT * FROM \"S.\".a").await;
        pair.agree("SELECT * FROM b").await;
    });
}

/// The target's shape changes while nothing changes on the source: no message tells.
#[test]
fn museum_19_the_target_alone_is_altered() {
    let tables = "CREATE TABLE t (id int PRIMARY KEY, a text, n int)";
    everywhere("target_altered", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        pair.change("INSERT INTO t SELECT i, 'a', i FROM generate_series(1, 5) i").await;
        pair.alter(
            "SELECT 1",
            "ALTER TABLE t ADD only_here text DEFAULT 'd'; ALTER TABLE t ALTER n TYPE bigint",
        )
        .await;
        pair.change(
            "INSERT INTO t VALUES (6, 'b', 6); UPDATE t SET a = 'c' WHERE id = 1; DELETE FROM t WHERE id = 2",
        )
        .await;
        pair.alter("SELECT 1", "ALTER TABLE t DROP only_here").await;
        pair.change(
            "INSERT INTO t VALUES (7, 'b', 6); UPDATE t SET n = 0 WHERE id = 3; DELETE FROM t WHERE id = 4",
        )
        .await;
        pair.agree("SELECT id, a, n FROM t").await;
    });
}

const PARTS: &str =
    "CREATE TABLE p (id int, part int, a text, n int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    CREATE TABLE p2 (gone int, n int, a text, also_gone text, part int NOT NULL, id int NOT NULL);
    ALTER TABLE p2 DROP gone, DROP also_gone; ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
    CREATE TABLE rest PARTITION OF p DEFAULT PARTITION BY LIST (part);
    CREATE TABLE p3 PARTITION OF rest FOR VALUES IN (3);
    CREATE TABLE p4 (id int NOT NULL, part int NOT NULL, a text, n int, PRIMARY KEY (id, part))";

/// `PeerDB` #3544, #4035, #4123, spiceai #11290.
#[test]
fn museum_20_partitions_that_are_shuffled_attached_and_left() {
    for via_root in [true, false] {
        let publish = format!(", publish_via_partition_root = {via_root}");
        let plan = Plan { tables: PARTS, publish: &publish, ..Plan::default() };
        everywhere(&format!("parts_{via_root}"), plan, async |mut pair: Pair| {
            pair.change("INSERT INTO p SELECT i, 1 + i % 3, 'a' || i, i FROM generate_series(1, 12) i").await;
            pair.change("UPDATE p SET n = -n WHERE id < 7; UPDATE p SET id = id + 100 WHERE id = 1; DELETE FROM p WHERE id = 2").await;
            // From one to the other, and back.
            pair.change("UPDATE p SET part = 2 WHERE part = 1").await;
            pair.change("BEGIN; UPDATE p SET part = 1 + part % 3, a = 'moved'; UPDATE p SET part = 1 + part % 3 WHERE id < 9; COMMIT").await;
            // Each row by itself into the place of another.
            pair.change("BEGIN; DELETE FROM p WHERE id = 5; UPDATE p SET id = 5, part = 3 WHERE id = 6; INSERT INTO p VALUES (6, 2, 'new', 6); COMMIT").await;
            pair.alter_both("ALTER TABLE rest ATTACH PARTITION p4 FOR VALUES IN (4)").await;
            pair.change("UPDATE p SET part = 4 WHERE id > 9; INSERT INTO p4 VALUES (50, 4, 'direct', 50)")
                .await;
            // Version 14 goes on publishing it by its root until the publication is altered.
            let publish = "ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')";
            pair.alter(
                &format!("ALTER TABLE p DETACH PARTITION p2; {publish}"),
                "ALTER TABLE p DETACH PARTITION p2",
            )
            .await;
            pair.change("INSERT INTO p2 VALUES (0, 'apart', 2, 77); UPDATE p2 SET a = a || '!'; UPDATE p SET a = 'still' WHERE id > 7").await;
            for table in ["p1", "p2", "p3", "p4"] {
                pair.agree(&format!("SELECT * FROM {table}")).await;
            }
            pair.change("TRUNCATE p").await;
            assert!(pair.agree("SELECT * FROM p").await.is_empty());
        });
    }
}

#[test]
fn museum_20_partitions_arrive_in_one_table_by_their_root() {
    let plan = Plan {
        on_source: PARTS,
        on_target: "CREATE TABLE p (n bigint, id int, a text, part int, own text DEFAULT 'x', PRIMARY KEY (part, id))",
        publish: ", publish_via_partition_root = true",
        ..Plan::default()
    };
    everywhere("one_table", plan, async |mut pair: Pair| {
        pair.change("INSERT INTO p SELECT i, 1 + i % 3, 'a' || i, i FROM generate_series(1, 12) i").await;
        pair.change("UPDATE p SET part = 1 + part % 3; DELETE FROM p WHERE id = 3; UPDATE p2 SET a = NULL")
            .await;
        pair.agree("SELECT id, part, a, n FROM p").await;
        assert_eq!(pair.has("SELECT DISTINCT own FROM p").await, ["(x)"]);
    });
}

#[test]
fn museum_20_a_child_is_not_its_parent() {
    let tables = "CREATE TABLE parent (id int PRIMARY KEY, a text); CREATE TABLE child (own int, PRIMARY KEY (id)) INHERITS (parent);
                  CREATE TABLE full_parent (id int); CREATE TABLE full_child () INHERITS (full_parent);
                  ALTER TABLE full_parent REPLICA IDENTITY FULL; ALTER TABLE full_child REPLICA IDENTITY FULL";
    everywhere("child", Plan { tables, ..Plan::default() }, async |mut pair: Pair| {
        // The same keys in both.
        pair.change(
            "INSERT INTO parent VALUES (1, 'p'), (2, 'p'); INSERT INTO child VALUES (1, 'c', 1), (2, 'c', 2)",
        )
        .await;
        pair.change("UPDATE ONLY parent SET a = 'only' WHERE id = 1; UPDATE child SET a = 'child' WHERE id = 2; DELETE FROM ONLY parent WHERE id = 2").await;
        pair.change("INSERT INTO full_parent VALUES (1); INSERT INTO full_child VALUES (1), (1); DELETE FROM full_child WHERE ctid = '(0,1)'; UPDATE ONLY full_parent SET id = 2").await;
        for table in ["parent", "child", "full_parent", "full_child"] {
            pair.agree(&format!("SELECT * FROM ONLY {table}")).await;
        }
    });
}
