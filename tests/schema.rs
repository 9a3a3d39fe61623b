//! The schema is carried whole, by `pg_dump`, and again after any interruption.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{Cluster, Server, newest, newest_pg_dump, oldest, servers};
use walferry::migrate::Migration;
use walferry::migrate::schema::{Applied, SchemaOptions};
use walferry::{Config, Error};

const JOBS: NonZeroUsize = NonZeroUsize::new(3).expect("it isn't 0");

/// Definitions of every kind that a schema may hold, under names that are hard to carry; with a few rows.
const RICH: &str = r#"
CREATE SCHEMA "a.b""c"; CREATE SCHEMA "ATTACH"; COMMENT ON SCHEMA "a.b""c" IS 'a
--
-- Name: x; Type: TABLE; Schema: public; Owner: postgres
--
\restrict x
\unrestrict x';
CREATE TYPE mood AS ENUM ('sad', 'it''s', 'back\slash');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION "a.b""c"."f'n"(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN RETURN x + 1; -- \q
END $f$;
CREATE FUNCTION atomic() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION hears() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE TABLE t (id serial PRIMARY KEY, a int UNIQUE, b text DEFAULT 'x\y' CHECK (b <> ''), m mood, p positive,
    twice int GENERATED ALWAYS AS (a * 2) STORED, UNIQUE (a, b));
CREATE TABLE "a.b""c"."Ünï 表 %_'\" ("i'd; --" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t int REFERENCES t,
    self int REFERENCES "a.b""c"."Ünï 表 %_'\", pair pair, EXCLUDE (t WITH =));
ALTER TABLE t ADD COLUMN back int REFERENCES "a.b""c"."Ünï 表 %_'\" DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE "ATTACH".t (id int PRIMARY KEY, d date);
CREATE INDEX "new
line" ON t (b DESC NULLS LAST) INCLUDE (a) WHERE a > 0;
COMMENT ON INDEX "new
line" IS 'null';
CREATE INDEX ON "ATTACH".t (d); CREATE INDEX ON "ATTACH".t ("a.b""c"."f'n"(id));
CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE part_2 PARTITION OF parts DEFAULT;
CREATE INDEX ON parts (day);
CREATE TABLE refers (id int, day date, FOREIGN KEY (id, day) REFERENCES parts);
CREATE VIEW grouped AS SELECT t.id, b, count(*) FROM t GROUP BY t.id;
CREATE MATERIALIZED VIEW counted AS SELECT t.id, b, count(*) FROM t GROUP BY t.id;
CREATE UNIQUE INDEX ON counted (id);
CREATE MATERIALIZED VIEW over AS SELECT count(*) FROM counted;
CREATE MATERIALIZED VIEW never_filled AS SELECT 1 AS one WITH NO DATA;
CREATE RULE no_delete AS ON DELETE TO t DO INSTEAD NOTHING;
CREATE TRIGGER "fires'" BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fires();
ALTER TABLE t ENABLE ALWAYS TRIGGER "fires'";
CREATE POLICY mine ON t USING (b = current_user);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE STATISTICS st ON a, b FROM t;
ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE t CLUSTER ON t_pkey;
CREATE SEQUENCE "s'q" INCREMENT -3;
CREATE EVENT TRIGGER heard ON ddl_command_end EXECUTE FUNCTION hears();
GRANT SELECT ON t TO PUBLIC; ALTER DEFAULT PRIVILEGES IN SCHEMA "ATTACH" GRANT SELECT ON TABLES TO PUBLIC;
"#;

const ROWS: &str = r#"
INSERT INTO t (a, b) SELECT i, 'b' || i FROM generate_series(1, 100) i;
INSERT INTO "a.b""c"."Ünï 表 %_'\" (t) SELECT id FROM t;
INSERT INTO "ATTACH".t SELECT i, date '2024-01-01' + i FROM generate_series(1, 100) i;
INSERT INTO parts SELECT i, date '2024-01-01' + i * 10 FROM generate_series(1, 100) i;
INSERT INTO refers SELECT * FROM parts;
"#;

/// What is not carried.
const LEFT_OUT: &str = "CREATE PUBLICATION p FOR TABLE t; SELECT lo_create(4711); CREATE SCHEMA walferry;
    CREATE TABLE walferry.theirs (id int PRIMARY KEY);
    REFRESH MATERIALIZED VIEW counted; REFRESH MATERIALIZED VIEW over;";

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn config(cluster: &Cluster, database: &str) -> Config {
    cluster.conninfo(database).parse().expect("a connection string")
}

fn script(cluster: &Cluster, database: &str, script: &str) -> String {
    cluster.psql_file(database, script.as_bytes()).unwrap_or_else(|error| panic!("in {database}: {error}"))
}

/// A database of one cluster, into one of the same or another; and where the archive goes.
struct Way {
    source: Cluster,
    other: Option<Cluster>,
    migration: Migration,
    options: SchemaOptions,
    folder: tempfile::TempDir,
}

impl Way {
    fn new(from: &Server, to: Option<&Server>, programs: &Path, definitions: &str) -> Self {
        let (source, other) = (from.start(), to.map(Server::start));
        let target = other.as_ref().unwrap_or(&source);
        source.create_database("source");
        target.create_database("target");
        script(&source, "source", definitions);
        let migration = Migration::new(
            config(&source, "source"),
            config(target, "target"),
            "s".parse().expect("a slot's name"),
            "p",
        );
        let folder = tempfile::tempdir().expect("a folder");
        Self { migration, options: SchemaOptions::new().programs(programs), folder, source, other }
    }

    /// By the newest programs that there are, from the newest server that they can read.
    fn usual(definitions: &str) -> Self {
        let (major, programs) = newest_pg_dump();
        let server = servers().into_iter().rev().find(|server| server.major <= major).expect("there is one");
        Self::new(&server, None, &programs, definitions)
    }

    fn target(&self) -> &Cluster {
        self.other.as_ref().unwrap_or(&self.source)
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("schema.dump")
    }

    fn dump(&self) -> Result<(), Error> {
        wait(self.migration.dump_schema(&self.options, &self.archive()))
    }

    fn pre_data(&self) -> Result<Applied, Error> {
        wait(self.migration.apply_pre_data(&self.options, &self.archive()))
    }

    fn post_data(&self) -> Result<Applied, Error> {
        wait(self.migration.apply_post_data(&self.options, &self.archive(), JOBS))
    }
}

fn good<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}: {:?}", error.hint()))
}

fn precondition(result: Result<impl std::fmt::Debug, Error>) -> (String, String) {
    match result {
        Err(Error::Precondition { problem, mend }) => (problem, mend),
        other => panic!("{other:?}"),
    }
}

/// What `pg_dump` makes of a database, without what is not carried and what differs from call to call.
fn dumped(cluster: &Cluster, database: &str, programs: &Path) -> String {
    let output = Command::new(programs.join("pg_dump"))
        .args(["--section=pre-data", "--section=post-data", "--no-publications", "--no-blobs"])
        .args(["--exclude-schema=walferry", "--dbname"])
        .arg(cluster.conninfo(database))
        .output()
        .expect("pg_dump can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let random =
        |line: &&str| line.len() > 40 && (line.starts_with("\\restrict") || line.starts_with("\\unrestrict"));
    text.lines().filter(|line| !random(line)).collect::<Vec<_>>().join("\n")
}

/// What servers of different majors print alike.
fn outline(cluster: &Cluster, database: &str) -> String {
    let sql = "SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
                WHERE contype NOT IN ('n', 't') AND (contype <> 'f' OR conparentid = 0) AND connamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'walferry')
            UNION ALL SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, concat(pg_get_indexdef(indexrelid), indisvalid)
                FROM pg_index WHERE indexrelid >= 16384 AND indexrelid::regclass::text NOT LIKE 'pg_toast%' AND indexrelid::regclass::text NOT LIKE 'walferry%'
            UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, concat(pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT 'column', attrelid::regclass::text, attname, concat(format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated)
                FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND c.oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm')
                    AND relnamespace::regnamespace::text NOT IN ('walferry', 'pg_toast')
            UNION ALL SELECT 'relation', oid::regclass::text, relkind::text, concat(relreplident, relispopulated, relrowsecurity) FROM pg_class
                WHERE oid >= 16384 AND relnamespace::regnamespace::text NOT IN ('walferry', 'pg_toast')
            UNION ALL SELECT 'policy', polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid) FROM pg_policy
            UNION ALL SELECT 'event', '', evtname, evtevent FROM pg_event_trigger
            UNION ALL SELECT 'function', '', oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc
                WHERE pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
            ORDER BY 1, 2, 3, 4";
    cluster.psql(database, sql)
}

/// Says where they differ, and not what they have in common.
fn assert_same(target: &str, source: &str) {
    let missing = |from: &str, other: &str| {
        let other: Vec<_> = other.lines().collect();
        from.lines().filter(|line| !other.contains(line)).collect::<Vec<_>>().join("\n")
    };
    assert!(
        target == source,
        "at the target alone:\n{}\nat the source alone:\n{}",
        missing(target, source),
        missing(source, target)
    );
}

fn is_carried_whole(way: &Way, programs: &Path) {
    let (source, target) = (&way.source, way.target());
    script(source, "source", &format!("{ROWS}{LEFT_OUT}"));
    good(way.dump());
    let pre_data = good(way.pre_data());
    assert!(pre_data.made > 20 && pre_data.already == 0, "{pre_data:?}");
    assert_eq!(target.psql("target", "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), "0");
    script(target, "target", ROWS);
    let post_data = good(way.post_data());
    assert!(post_data.made > 30 && post_data.already == 0, "{post_data:?}");

    assert_same(&outline(target, "target"), &outline(source, "source"));
    if way.other.is_none() {
        assert_same(&dumped(target, "target", programs), &dumped(source, "source", programs));
    }
    let filled = "SELECT count(*), (SELECT * FROM over) FROM counted";
    assert_eq!(target.psql("target", filled), "100|100");
    let left_out = "SELECT (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_largeobject_metadata), to_regclass('walferry.theirs')";
    if way.other.is_some() {
        assert_eq!(target.psql("target", left_out), "0|0|");
    }

    let again = (good(way.pre_data()), good(way.post_data()));
    assert_eq!((again.0.made, again.0.already), (0, pre_data.made));
    assert_eq!((again.1.made, again.1.already), (0, post_data.made));
    // The archive may be lost, and made anew.
    fs::remove_file(way.archive()).expect("it is there");
    good(way.dump());
    assert_eq!(good(way.post_data()), again.1, "a new archive of the same is the same");
}

#[test]
fn a_schema_is_carried_whole_between_servers_of_the_system_s_own_major() {
    let Some(server) = servers().into_iter().find(|server| server.bin.join("pg_dump").exists()) else {
        return;
    };
    let programs = server.bin.clone();
    is_carried_whole(&Way::new(&server, None, &programs, RICH), &programs);
}

#[test]
fn a_schema_is_carried_whole_between_the_oldest_and_the_newest() {
    let (major, programs) = newest_pg_dump();
    for from in [oldest(), newest()] {
        if major >= newest().major {
            is_carried_whole(&Way::new(&from, Some(&newest()), &programs, RICH), &programs);
            is_carried_whole(&Way::new(&from, None, &programs, RICH), &programs);
        }
    }
}

#[test]
fn what_the_target_refuses_before_the_rows_leaves_nothing_there() {
    let definitions = "CREATE ROLE owner_of_it; CREATE TABLE first (id int); CREATE TABLE t (id int);
        ALTER TABLE t OWNER TO owner_of_it; CREATE TABLE z (id int)";
    let (major, programs) = newest_pg_dump();
    let server = servers().into_iter().rev().find(|server| server.major <= major).expect("there is one");
    let mut way = Way::new(&server, Some(&server), &programs, definitions);
    good(way.dump());
    let tables =
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    for _ in 0..2 {
        let (problem, mend) = precondition(way.pre_data());
        assert!(problem.contains("owner_of_it"), "{problem}");
        assert!(mend.contains("role"), "{mend}");
        assert_eq!(way.target().psql("target", tables), "0");
    }
    way.options = way.options.clone().without_owners();
    assert_eq!(good(way.pre_data()).already, 0);
    assert_eq!(way.target().psql("target", tables), "3");

    // A table that somebody else has made is not taken for ours.
    way.target().psql("target", "TRUNCATE walferry.made");
    let (problem, mend) = precondition(way.pre_data());
    assert!(
        problem.contains("already exists") && mend.contains("not from this migration"),
        "{problem}: {mend}"
    );
}

#[test]
fn rows_that_a_constraint_forbids_stop_it_and_what_was_made_stays() {
    let way = Way::usual(
        "CREATE TABLE a (id int PRIMARY KEY, body text); CREATE TABLE b (id int, body text UNIQUE, a int REFERENCES a);
         CREATE INDEX fine ON b (id); CREATE INDEX fine_too ON a (body)",
    );
    good(way.dump());
    good(way.pre_data());
    way.target().psql("target", "INSERT INTO b VALUES (1, 'secret-canary'), (2, 'secret-canary')");
    let (problem, mend) = precondition(way.post_data());
    assert!(problem.contains("CONSTRAINT public b b_body_key"), "{problem}");
    assert!(mend.contains("rows"), "{mend}");
    assert!(!format!("{problem}{mend}").contains("canary"), "{problem}{mend}");
    let made = "SELECT count(*) FROM walferry.made WHERE kind = 'post-data'";
    let before: usize = way.target().psql("target", made).parse().expect("a number");
    assert!(before >= 1, "an index was made beside it");

    way.target().psql("target", "UPDATE b SET body = 'other' WHERE id = 2");
    assert_eq!(good(way.post_data()), {
        let mut expected = Applied::default();
        (expected.made, expected.already) = (5 - before, before);
        expected
    });
}

#[test]
fn an_index_that_somebody_else_made_is_not_taken_for_ours() {
    let way = Way::usual("CREATE TABLE t (id int); CREATE INDEX i ON t (id)");
    good(way.dump());
    good(way.pre_data());
    way.target().psql("target", "CREATE INDEX i ON t ((id + 1))");
    let (problem, mend) = precondition(way.post_data());
    assert!(
        problem.contains("INDEX public i") && mend.contains("not from this migration"),
        "{problem}: {mend}"
    );
    way.target().psql("target", "DROP INDEX i");
    assert_eq!(good(way.post_data()).made, 1);
}

#[test]
fn a_definition_that_has_changed_is_not_taken_for_the_one_that_was_made() {
    let way = Way::usual("CREATE TABLE t (id int, a int); CREATE INDEX i ON t (id)");
    good(way.dump());
    good(way.pre_data());
    good(way.post_data());
    way.source.psql("source", "DROP INDEX i; CREATE INDEX i ON t (a)");
    assert_eq!(good(way.post_data()).already, 1, "the archive is the same");
    fs::remove_file(way.archive()).expect("it is there");
    good(way.dump());
    let (problem, _) = precondition(way.post_data());
    assert!(problem.contains("INDEX public i") && problem.contains("already exists"), "{problem}");
}

#[test]
fn a_schema_goes_to_an_older_server_too_where_that_knows_its_words() {
    let (major, programs) = newest_pg_dump();
    let Some(newer) = servers().into_iter().rev().find(|server| server.major <= major) else { return };
    let way =
        Way::new(&newer, Some(&oldest()), &programs, "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE)");
    good(way.dump());
    good(way.pre_data());
    assert_eq!(good(way.post_data()).made, 2);
    assert_same(&outline(way.target(), "target"), &outline(&way.source, "source"));
}

/// Dropping the future leaves what its statements do in the server to go on, as a killed process would.
#[test]
fn interrupted_again_and_again_it_comes_to_its_end() {
    let tables = (0..6).fold(String::new(), |sql, n| {
        sql + &format!(
            "CREATE TABLE t{n} (id int PRIMARY KEY, a int, b text UNIQUE, r int REFERENCES t{n});
             CREATE INDEX ON t{n} (a); CREATE INDEX ON t{n} (a, b); CREATE INDEX ON t{n} (id, a);"
        )
    });
    let way = Way::usual(&tables);
    good(way.dump());
    let mut interrupted = 0;
    let mut until_done =
        async |patience: u64,
               step: &dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = Result<Applied, Error>>>>| {
            for tried in 0.. {
                let patience = Duration::from_millis(patience + 10 * tried);
                if let Ok(done) = tokio::time::timeout(patience, step()).await {
                    return good(done);
                }
                interrupted += 1;
            }
            unreachable!("the patience grows")
        };
    wait(async {
        let clone = || (way.migration.clone(), way.options.clone(), way.archive());
        until_done(1, &|| {
            let (migration, options, archive) = clone();
            Box::pin(async move { migration.apply_pre_data(&options, &archive).await })
        })
        .await;
        for n in 0..6 {
            let rows =
                format!("INSERT INTO t{n} SELECT i, i % 7, 'b' || i, i FROM generate_series(1, 30000) i");
            way.target().psql("target", &rows);
        }
        until_done(40, &|| {
            let (migration, options, archive) = clone();
            Box::pin(async move { migration.apply_post_data(&options, &archive, JOBS).await })
        })
        .await;
    });
    assert!(interrupted > 3, "{interrupted}");
    assert_same(&outline(way.target(), "target"), &outline(&way.source, "source"));
}

#[test]
fn what_waits_for_a_lock_does_not_keep_the_rest_waiting() {
    let way = Way::usual(
        "CREATE TABLE a (id int); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);
         CREATE INDEX on_a ON a (id); CREATE INDEX on_b ON b (id)",
    );
    good(way.dump());
    good(way.pre_data());
    let mut session = way.target().session("target");
    session.run("BEGIN; LOCK TABLE a IN ROW EXCLUSIVE MODE");
    std::thread::scope(|scope| {
        let applied = scope.spawn(|| good(way.post_data()));
        let made = "SELECT count(*) FROM walferry.made WHERE kind = 'post-data'";
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while way.target().psql("target", made) != "3" {
            assert!(std::time::Instant::now() < deadline, "all but one are made beside it");
            std::thread::sleep(Duration::from_millis(20));
        }
        session.run("COMMIT");
        assert_eq!(applied.join().expect("it ends").made, 4);
    });
}

/// A folder with a `pg_dump` that does this, and the real `pg_restore`.
fn fake(folder: &Path, programs: &Path, body: &str) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("a fresh folder");
    let program = bin.join("pg_dump");
    let real = programs.join("pg_dump");
    let text = format!(
        "#!/bin/sh\ncase $1 in --version) exec '{0}' --version ;; esac\n{body}\nexec '{0}' \"$@\"\n",
        real.display()
    );
    fs::write(&program, text).expect("it is writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    std::os::unix::fs::symlink(programs.join("pg_restore"), bin.join("pg_restore")).expect("it is fresh");
    bin
}

#[test]
fn a_password_is_told_by_a_variable_and_the_archive_is_for_its_owner_s_eyes() {
    let (major, programs) = newest_pg_dump();
    let server = servers().into_iter().rev().find(|server| server.major <= major).expect("there is one");
    let cluster = server.options().tcp().hba("host all all 127.0.0.1/32 scram-sha-256").start();
    cluster.create_database("a 'source'");
    cluster.psql("postgres", "CREATE ROLE captain SUPERUSER LOGIN PASSWORD 'pass''word canary'");
    cluster.psql("a 'source'", "CREATE TABLE t (id int)");
    let config = Config::new()
        .host("127.0.0.1")
        .port(cluster.tcp_port())
        .user("captain")
        .password("pass'word canary")
        .database("a 'source'");
    let migration = Migration::new(config.clone(), config.clone(), "s".parse().expect("a name"), "p");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let bin = fake(folder.path(), &programs, &format!("printf '%s\\n' \"$@\" > '{}'", log.display()));
    let options = SchemaOptions::new().programs(bin);
    let archive = folder.path().join("schema.dump");
    good(wait(migration.dump_schema(&options, &archive)));
    let arguments = fs::read_to_string(&log).expect("it was run");
    for hidden in ["canary", "captain", "source", "127.0.0.1"] {
        assert!(!arguments.contains(hidden), "{arguments}");
    }
    let mode = fs::metadata(&archive).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let wrong = Migration::new(config.clone().password("wrong"), config, "s".parse().expect("a name"), "p");
    let other = folder.path().join("other.dump");
    assert_eq!(wait(wrong.dump_schema(&options, &other)).expect_err("no").sqlstate(), Some("28P01"));
    assert!(!other.exists());
}

#[test]
fn a_program_that_fails_is_told_in_its_own_words_without_rows() {
    let (_, programs) = newest_pg_dump();
    let mut way = Way::usual("CREATE TABLE t (id int)");
    let said = "echo 'pg_dump: error: it broke' >&2; echo 'DETAIL:  Key (id)=(canary)' >&2; exit 3";
    way.options = SchemaOptions::new().programs(fake(way.folder.path(), &programs, said));
    let (problem, _) = precondition(way.dump());
    assert!(problem.contains("pg_dump: error: it broke") && !problem.contains("canary"), "{problem}");
    let left: Vec<_> = fs::read_dir(way.folder.path())
        .expect("it is there")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, ["bin"], "no half of an archive is left");

    way.options = SchemaOptions::new().programs(&programs);
    fs::write(way.archive(), "no archive").expect("it is writable");
    let (problem, _) = precondition(way.pre_data());
    assert!(problem.contains("pg_restore"), "{problem}");
}

#[test]
fn programs_that_are_missing_or_too_old_are_told_with_how_to_install_them() {
    let way = Way::usual("");
    let options = SchemaOptions::new().programs(way.folder.path());
    let missing = wait(way.migration.dump_schema(&options, &way.archive()));
    let (problem, mend) = precondition(missing);
    assert!(problem.contains("there are none in"), "{problem}");
    assert!(mend.contains("apt-get install postgresql-client-"), "{mend}");

    let older = servers().into_iter().find(|server| server.bin.join("pg_dump").exists());
    let Some(older) = older.filter(|older| older.major < newest().major) else { return };
    let way = Way::new(&newest(), None, &older.bin, "");
    let (problem, mend) = precondition(way.dump());
    let needs = format!("PostgreSQL {} or later; there is {} in ", newest().major, older.major);
    assert!(problem.contains(&needs), "{problem}");
    assert!(mend.contains(&format!("postgresql-client-{}", newest().major)), "{mend}");
}
