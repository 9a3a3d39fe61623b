//! A role that owns nothing but its rights on the tables.

use super::*;

/// A target whose role may change its tables, and whether it may silence triggers.
fn target(may_silence: bool) -> Cluster {
    let cluster = source();
    with_target(&cluster);
    cluster.psql(
        "target",
        &"CREATE ROLE carrier LOGIN; GRANT CREATE ON DATABASE $D TO carrier;
         GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON t TO carrier;
         CREATE TABLE parent (id int PRIMARY KEY);
         ALTER TABLE t ADD seen int DEFAULT 0, ADD FOREIGN KEY (id) REFERENCES parent;
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := 1; RETURN NEW; END $$;
         CREATE TRIGGER see BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION see()"
            .replace("$D", &support::sql::database("target")),
    );
    if may_silence {
        cluster.psql("target", "GRANT SET ON PARAMETER session_replication_role TO carrier");
    }
    cluster
}

fn carry(cluster: &Cluster) -> Command {
    let mut command = up_to_now(cluster);
    let target = cluster.conninfo("target").replace("user=postgres", "user=carrier");
    command.args(["--to", "postgres", "--target", &target]);
    command
}

#[test]
fn triggers_and_foreign_keys_of_the_target_are_still_where_the_role_may_say_so() {
    let cluster = target(true);
    insert(&cluster, 1);
    run(&mut carry(&cluster));
    assert_eq!(cluster.psql("target", "SELECT id, seen FROM t"), "1|0");
}

#[test]
fn triggers_and_foreign_keys_of_the_target_are_in_force_where_it_may_not() {
    let cluster = target(false);
    insert(&cluster, 1);
    let output = carry(&cluster).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("may not set session_replication_role"), "{told}");
    let last = told.lines().last().unwrap_or_default();
    assert!(last.contains("23503") && last.contains("GRANT SET ON PARAMETER"), "{told}");
    cluster.psql("target", "INSERT INTO parent VALUES (1)");
    run(&mut carry(&cluster));
    assert_eq!(cluster.psql("target", "SELECT id, seen FROM t"), "1|1");
}
