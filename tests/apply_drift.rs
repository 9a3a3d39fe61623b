//! A table of the source changes while the sink is away or at work: what the target needs is said, and then all goes on.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod support;

use support::Cluster;
use tokio::runtime::Runtime;
use walferry::sink::postgres::{ApplyError, ApplyErrorKind, PostgresSink};
use walferry::stream::StreamOptions;
use walferry::{Config, Connection, Error, Pipeline};

const TABLE: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (x int, y text);
     CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(5), c text NOT NULL, m mood, z timestamptz)";

/// Two databases with the same table, and a sink between them.
struct Pair {
    cluster: Cluster,
    runtime: Runtime,
    gather: bool,
    binary: bool,
}

impl Pair {
    fn new(server: &support::Server, gather: bool, binary: bool) -> Self {
        let cluster = server.start();
        for database in ["source", "target"] {
            cluster.create_database(database);
            cluster.psql(database, TABLE);
        }
        cluster.psql("source", "CREATE PUBLICATION p FOR ALL TABLES");
        cluster.psql("source", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");
        let pair = Self { cluster, runtime: Runtime::new().expect("a runtime"), gather, binary };
        pair.source(
            "INSERT INTO t VALUES (1, 1, 'one', 'null', 'ok', now()), (2, NULL, 'two', '', 'sad', NULL)",
        );
        pair.carry().expect("nothing has changed yet");
        pair
    }

    fn source(&self, sql: &str) {
        self.cluster.psql("source", sql);
    }

    fn target(&self, sql: &str) {
        self.cluster.psql("target", sql);
    }

    /// A process that carries everything up to now.
    fn carry(&self) -> Result<(), Error> {
        self.runtime.block_on(async {
            let config = |database| -> Config {
                self.cluster.conninfo(database).parse().expect("a connection string")
            };
            let mut connection = Connection::connect(&config("source")).await?;
            let end = connection.identify_system().await?.wal_flushed;
            let slot = "s".parse().expect("a slot's name");
            let options = StreamOptions::new(slot).publication("p").binary(self.binary);
            let mut stream = connection.start_replication(options).await?;
            stream.stop_at(end);
            let sink = PostgresSink::new(config("target"), "s").gather(self.gather);
            Pipeline::new(sink).run(stream, std::future::pending()).await.map(drop)
        })
    }

    fn stops<T>(&self, look: impl FnOnce(&ApplyError) -> T) -> T {
        match self.carry() {
            Err(Error::Sink(error)) => look(error.downcast_ref().expect("the sink's own error")),
            other => panic!("the sink goes on: {other:?}"),
        }
    }

    /// Stops with exactly that statement, and goes on when the target was given it.
    fn needs(&self, expected: &str) {
        let statement = self.stops(|error| {
            let statement = error.statement().map(str::to_owned);
            assert!(error.hint().is_some_and(|hint| hint.contains(expected)), "{error}: {:?}", error.hint());
            statement.unwrap_or_else(|| panic!("{error}: no statement"))
        });
        assert_eq!(statement, expected);
        let again = self.stops(|error| error.statement().map(str::to_owned));
        assert!(again.is_some(), "nothing was run by itself");
        self.target(&statement);
        self.goes_on();
    }

    fn goes_on(&self) {
        self.carry().unwrap_or_else(|error| {
            panic!(
                "{error}: {}",
                std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
            )
        });
    }

    fn is_equal(&self, columns: &str, table: &str) {
        let rows = format!("SELECT {columns} FROM {table} ORDER BY id");
        assert_eq!(self.cluster.psql("target", &rows), self.cluster.psql("source", &rows));
    }
}

/// In each way of applying, on the oldest and the newest server.
fn in_each_way(test: impl Fn(Pair) + Sync) {
    support::on_each_server(|server| {
        for (gather, binary) in [(true, false), (false, true)] {
            test(Pair::new(server, gather, binary));
        }
    });
}

#[test]
fn a_column_that_was_added_is_wanted_with_its_type_and_what_stands_behind_it() {
    in_each_way(|pair| {
        pair.source("INSERT INTO t VALUES (3, 3, 'old', 'shape')");
        pair.source(
            "ALTER TABLE t ADD n numeric(8,2), ADD w varchar(7)[], ADD \"o'd\" pair, ADD i interval day to second(3), ADD v mood",
        );
        pair.source("INSERT INTO t VALUES (4, 4, 'new', 'shape', 'ok', NULL, 1.50, '{a,NULL}', '(1,x)', '1 day', 'sad')");
        pair.needs(
            r#"ALTER TABLE "public"."t" ADD COLUMN "n" numeric(8,2), ADD COLUMN "w" varchar(7)[], ADD COLUMN "o'd" "public"."pair", ADD COLUMN "i" interval DAY TO SECOND(3), ADD COLUMN "v" "public"."mood""#,
        );
        pair.is_equal("t.*", "t");
        let types = "SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute \
                     WHERE attrelid = 't'::regclass AND attnum > 0";
        assert_eq!(pair.cluster.psql("target", types), pair.cluster.psql("source", types));
    });
}

#[test]
fn a_column_that_was_dropped_may_stay_on_the_target_but_not_insist_on_a_value() {
    in_each_way(|pair| {
        pair.source("ALTER TABLE t DROP a");
        pair.source("INSERT INTO t VALUES (3, 'b', 'c')");
        pair.goes_on();
        pair.source("ALTER TABLE t DROP c");
        pair.source("UPDATE t SET b = 'bee' WHERE id = 1");
        pair.goes_on();
        pair.source("INSERT INTO t VALUES (4, 'b')");
        pair.needs(r#"ALTER TABLE "public"."t" ALTER COLUMN "c" DROP NOT NULL"#);
        pair.is_equal("id, b, m, z", "t");
    });
}

#[test]
fn a_column_that_was_renamed_is_to_be_renamed() {
    in_each_way(|pair| {
        pair.source("ALTER TABLE t RENAME c TO \"C 2\"");
        pair.source("INSERT INTO t VALUES (3, 3, 'b', 'c')");
        pair.needs(r#"ALTER TABLE "public"."t" RENAME COLUMN "c" TO "C 2""#);
        // While the sink is at work, and with a column that is new.
        pair.source("UPDATE t SET a = 5");
        pair.source("ALTER TABLE t RENAME a TO n; ALTER TABLE t ADD a text");
        pair.source("UPDATE t SET n = 6, a = 'new'");
        pair.stops(|error| {
            let expected = r#"ALTER TABLE "public"."t" ADD COLUMN "n" "int4""#;
            assert_eq!(error.statement(), Some(expected), "a column of the old name is there again");
        });
        pair.target("ALTER TABLE t RENAME a TO n; ALTER TABLE t ADD a text");
        pair.goes_on();
        pair.is_equal("t.*", "t");
    });
}

#[test]
fn a_column_of_another_type_is_wanted_when_a_value_is_refused() {
    in_each_way(|pair| {
        pair.source("ALTER TABLE t ALTER a TYPE bigint, ALTER b TYPE varchar(20)");
        pair.source("INSERT INTO t VALUES (3, 7, 'fits', 'c')");
        pair.goes_on();
        pair.source("INSERT INTO t VALUES (4, 3000000000, 'does not fit', 'c')");
        pair.needs(
            r#"ALTER TABLE "public"."t" ALTER COLUMN "a" TYPE "int8" USING "a"::"int8", ALTER COLUMN "b" TYPE varchar(20)"#,
        );
        pair.is_equal("t.*", "t");
    });
}

#[test]
fn a_label_that_was_added_to_an_enum_is_wanted_in_its_place() {
    in_each_way(|pair| {
        pair.source("ALTER TYPE mood ADD VALUE 'so-so' BEFORE 'ok'");
        pair.source("ALTER TYPE mood ADD VALUE 'it''s fine'");
        pair.source("INSERT INTO t VALUES (3, 3, 'b', 'c', 'so-so'), (4, 4, 'b', 'c', 'it''s fine')");
        pair.needs(
            r#"ALTER TYPE "public"."mood" ADD VALUE 'so-so' AFTER 'sad'; ALTER TYPE "public"."mood" ADD VALUE 'it''s fine' AFTER 'ok'"#,
        );
        pair.is_equal("t.*", "t");
    });
}

#[test]
fn a_column_that_was_dropped_and_added_again_takes_the_values_of_the_new_one() {
    in_each_way(|pair| {
        let again = "ALTER TABLE t DROP b; ALTER TABLE t ADD b varchar(5)";
        pair.source(again);
        pair.target(again);
        pair.source("INSERT INTO t (id, b, c) VALUES (3, 'b', 'c')");
        pair.goes_on();
        // With another type, of which the target hears by a value.
        let again = "ALTER TABLE t DROP b; ALTER TABLE t ADD b text";
        pair.source(again);
        pair.source("UPDATE t SET b = 'longer than five'");
        pair.needs(r#"ALTER TABLE "public"."t" ALTER COLUMN "b" TYPE "text" USING "b"::"text""#);
        pair.is_equal("id, a, b, c, m, z", "t");
    });
}

#[test]
fn a_table_that_was_renamed_is_to_be_renamed() {
    in_each_way(|pair| {
        // The same process must have seen it by its old name.
        pair.source("UPDATE t SET a = 3");
        pair.source("CREATE SCHEMA other; ALTER TABLE t RENAME TO u; ALTER TABLE u SET SCHEMA other");
        pair.target("CREATE SCHEMA other");
        pair.source("UPDATE other.u SET a = 4");
        let statement = pair.stops(|error| {
            assert!(matches!(error.kind(), ApplyErrorKind::MissingTable), "{error}");
            error.statement().map(str::to_owned).expect("the table was seen before")
        });
        assert_eq!(
            statement,
            r#"ALTER TABLE "public"."t" SET SCHEMA "other"; ALTER TABLE "other"."t" RENAME TO "u""#
        );
        pair.target(&statement);
        pair.goes_on();
        pair.is_equal("t.*", "other.u t");
    });
}
