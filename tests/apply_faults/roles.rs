//! Roles that may do little, and targets that take nothing.

use std::fs;

use crate::support::on_each_server;
use crate::{Sides, refusal, told};

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v int);
     CREATE TABLE parent (id int PRIMARY KEY);
     CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)";
const ALL: [&str; 3] = ["t", "parent", "child"];

const GRANTS: &str = "CREATE ROLE plain LOGIN;
     GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO plain";

/// What applies may only change rows.
fn plain(server: &crate::Server) -> Sides {
    let mut sides = Sides::new(server, TABLES);
    sides.at_target(GRANTS);
    sides.role = "plain";
    sides
}

fn change(sides: &Sides) {
    sides.at_source(
        "BEGIN; INSERT INTO t SELECT i, i FROM generate_series(1, 50) i; UPDATE t SET v = -v WHERE id <= 10;
           DELETE FROM t WHERE id > 45; COMMIT;
         BEGIN; INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1), (2, 2);
           DELETE FROM child WHERE id = 2; DELETE FROM parent WHERE id = 2; COMMIT",
    );
}

/// The schema that an administrator has made, with the table or for the sink to make it in.
#[test]
fn an_administrator_may_make_room_for_the_progress() {
    for room in [
        "CREATE SCHEMA walferry AUTHORIZATION plain",
        "CREATE SCHEMA walferry; GRANT USAGE, CREATE ON SCHEMA walferry TO plain",
        "CREATE SCHEMA walferry; GRANT USAGE ON SCHEMA walferry TO plain;
         CREATE TABLE walferry.progress (name text PRIMARY KEY, system_id text NOT NULL, timeline int8 NOT NULL,
           database text NOT NULL, slot text NOT NULL, resume_lsn pg_lsn NOT NULL,
           updated_at timestamptz NOT NULL DEFAULT now());
         GRANT SELECT, INSERT, UPDATE ON walferry.progress TO plain",
    ] {
        on_each_server(|server| {
            let sides = plain(server);
            sides.at_target(room);
            change(&sides);
            sides.through(|| sides.sink(true));
            sides.assert_equal(&ALL);
        });
    }
}

#[test]
fn a_role_that_may_make_no_schema_is_told() {
    on_each_server(|server| {
        let sides = plain(server);
        let error = sides.refused(true);
        assert_eq!(refusal(&error).sqlstate, "42501");
        assert!(told(&error).contains("CREATE SCHEMA walferry"), "{}", told(&error));
    });
}

/// Triggers fire once for each row, and foreign keys hold at every moment: what has any goes row by row.
#[test]
fn a_role_that_is_no_replica_meets_triggers_and_foreign_keys() {
    for gather in [true, false] {
        on_each_server(|server| {
            let sides = plain(server);
            sides.at_target(
                "CREATE SCHEMA walferry AUTHORIZATION plain;
                 CREATE TABLE fired (operation text, id int); GRANT INSERT ON fired TO plain;
                 CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
                   'BEGIN INSERT INTO public.fired VALUES (TG_OP, coalesce(NEW.id, OLD.id)); RETURN NULL; END';
                 CREATE TRIGGER fire AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION fire()",
            );
            change(&sides);
            assert_eq!(sides.through(|| sides.sink(gather)), 0);
            sides.assert_equal(&ALL);
            let fired = "SELECT operation, count(*), count(DISTINCT id) FROM fired GROUP BY 1 ORDER BY 1";
            assert_eq!(sides.at_target(fired), "DELETE|5|5\nINSERT|50|50\nUPDATE|10|10");
        });
    }
}

#[test]
fn a_policy_that_would_hide_rows_stops_the_sink() {
    for gather in [true, false] {
        on_each_server(|server| {
            let sides = plain(server);
            sides.at_target(
                "CREATE SCHEMA walferry AUTHORIZATION plain;
                 ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t USING (id > 5)",
            );
            change(&sides);
            let error = sides.refused(gather);
            assert_eq!(refusal(&error).sqlstate, "42501", "{}", told(&error));
            assert_eq!(sides.at_target("SELECT count(*) FROM t"), "0");
            sides.at_target("ALTER ROLE plain BYPASSRLS");
            sides.through(|| sides.sink(gather));
            sides.assert_equal(&ALL);
        });
    }
}

#[test]
fn a_standby_takes_nothing_and_says_so() {
    on_each_server(|server| {
        for had_progress in [false, true] {
            let sides = Sides::of(server.start(), Some(server.start()), TABLES, false);
            if had_progress {
                sides.through(|| sides.sink(true));
            }
            sides.target().stop_fast();
            fs::write(sides.target().data_folder().join("standby.signal"), "").unwrap();
            sides.target().restart();
            change(&sides);
            let error = sides.refused(true);
            assert_eq!(refusal(&error).sqlstate, "25006", "{}", told(&error));
            assert!(told(&error).contains("target_session_attrs=read-write"), "{}", told(&error));
        }
    });
}

/// At a level that reaches every session. What is said divides the answers to statements, and so does the server's buffer:
/// nobody may wait for another answer while one in parts isn't taken in.
#[test]
fn a_trigger_that_says_much_holds_nothing_up() {
    let others: Vec<_> = (0..10).map(|at| format!("CREATE TABLE other_{at} (id int PRIMARY KEY)")).collect();
    let steps = (0..10).map(|at| {
        let (first, last) = (at * 200 + 1, at * 200 + 200);
        format!("INSERT INTO t SELECT i, i FROM generate_series({first}, {last}) i; INSERT INTO other_{at} VALUES (1)")
    });
    let changes = format!("BEGIN; {}; COMMIT", steps.collect::<Vec<_>>().join("; "));
    for gather in [true, false] {
        on_each_server(|server| {
            let sides = Sides::new(server, &format!("{TABLES}; {}", others.join("; ")));
            sides.at_target(
                "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
                   'BEGIN RAISE INFO ''%'', repeat(''x'', 3900 + NEW.id % 300); RETURN NULL; END';
                 CREATE TRIGGER say AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION say();
                 ALTER TABLE t ENABLE ALWAYS TRIGGER say",
            );
            sides.at_source(&changes);
            sides.through(|| sides.sink(gather));
            sides.assert_equal(&["t", "other_9"]);
        });
    }
}
