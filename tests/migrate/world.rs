//! Two servers, a database with what is hard to move, and people who write to it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::support::{Cluster, Server, calmed};

/// What `pg_dump` carries, or psql makes on both sides: hostile names and types, kinds of sequences, of keys and of tables.
pub(crate) const SCHEMA: &str = r#"
CREATE SCHEMA "a.b""c";
CREATE TYPE mood AS ENUM ('null', 'NULL', '''');
CREATE SEQUENCE shared_ids INCREMENT 7 CACHE 5;
CREATE SEQUENCE countdown INCREMENT -3 MAXVALUE 100000 START 100000;
CREATE SEQUENCE never_called START 42;
CREATE TABLE orders (id bigserial PRIMARY KEY, writer int NOT NULL, body text, mood mood, at timestamptz DEFAULT now());
CREATE TABLE events (id int GENERATED ALWAYS AS IDENTITY (INCREMENT 2) PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, note text);
CREATE TABLE "a.b""c"."Ünï 表 %_'\" (id int DEFAULT nextval('shared_ids') PRIMARY KEY, "weird ""col" text, doubled int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE "select" (id int DEFAULT nextval('shared_ids') PRIMARY KEY, j json, f float8, n numeric, b bytea, a text[]);
CREATE TABLE keyless (a int, b text, x xml);
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE parts (id int DEFAULT nextval('countdown'), part int, body text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE bulk (id int PRIMARY KEY, body text);
CREATE INDEX bulk_body ON bulk (left(body, 20));
"#;

pub(crate) const DATABASE: &str = "shop";

/// The tables that are compared, with what tells their rows.
const TABLES: [&str; 8] =
    ["orders", "events", r#""a.b""c"."Ünï 表 %_'\""#, r#""select""#, "keyless", "parts_0", "parts_1", "bulk"];

/// What was there before; `rows` of the large table, of about a kilobyte each.
fn seed(rows: u32) -> String {
    format!(
        r#"INSERT INTO orders (writer, body, mood) SELECT 0, CASE n % 4 WHEN 0 THEN 'null' WHEN 1 THEN '''''' WHEN 2 THEN '' END, 'null' FROM generate_series(1, 2000) n;
        INSERT INTO events (order_id, note) SELECT n, E'\\N' FROM generate_series(1, 2000) n;
        INSERT INTO "a.b""c"."Ünï 表 %_'\" ("weird ""col") SELECT repeat(E'\t\n\\', n % 9) FROM generate_series(1, 1000) n;
        INSERT INTO "select" (j, f, n, b, a) SELECT '{{"a":null, "a": 1.0}}', '-0', 1.00, '\x00ff', ARRAY['NULL', NULL, '"', ''] FROM generate_series(1, 500) n;
        INSERT INTO keyless SELECT n % 10, 'twice', '<a>&amp;</a>' FROM generate_series(1, 40) n;
        INSERT INTO parts (part, body) SELECT n % 2, 'part ' || n FROM generate_series(1, 2000) n;
        INSERT INTO bulk SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, {rows}) n"#
    )
}

pub(crate) struct World {
    pub(crate) source: Cluster,
    pub(crate) target: Cluster,
    /// Whether the clients have been switched to the target.
    pub(crate) switched: AtomicBool,
    pub(crate) over: AtomicBool,
    /// Keys of orders that somebody was told are there.
    pub(crate) told: Mutex<BTreeSet<i64>>,
    /// What went wrong, if it was nothing that a client expects.
    pub(crate) wrong: Mutex<Vec<String>>,
}

/// Lets everybody go home, also when a test has failed.
pub(crate) struct Ends<'w>(pub(crate) &'w World);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl World {
    /// With the schema on the target, too, if that is not to be carried.
    pub(crate) fn new(source: &Server, target: &Server, rows: u32, schema_on_target: bool) -> Self {
        Self::on(source.start(), target.start(), rows, schema_on_target)
    }

    pub(crate) fn on(source: Cluster, target: Cluster, rows: u32, schema_on_target: bool) -> Self {
        for cluster in [&source, &target] {
            cluster.create_database(DATABASE);
        }
        source.psql(DATABASE, SCHEMA);
        if schema_on_target {
            target.psql(DATABASE, SCHEMA);
        }
        source.psql(DATABASE, &seed(rows));
        Self {
            source,
            target,
            switched: AtomicBool::new(false),
            over: AtomicBool::new(false),
            told: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    pub(crate) fn both(&self) -> [String; 4] {
        let [source, target] = [&self.source, &self.target].map(|cluster| cluster.conninfo(DATABASE));
        ["--source".to_owned(), source, "--target".to_owned(), target]
    }

    /// Of each table the number of rows and a sum of hashes of their texts.
    pub(crate) fn contents(cluster: &Cluster) -> Vec<String> {
        let of = |table| {
            let sql = format!(
                "SET extra_float_digits = 3; SET TimeZone = 'UTC'; SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t"
            );
            format!("{table}: {}", cluster.psql(DATABASE, &sql))
        };
        TABLES.map(of).into()
    }

    pub(crate) fn assert_equal(&self) {
        assert_eq!(Self::contents(&self.source), Self::contents(&self.target));
    }

    /// Everybody who was told that an order is there finds it, nobody was given a key that somebody else has.
    pub(crate) fn assert_nothing_is_lost(&self, cluster: &Cluster) {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(wrong.is_empty(), "{wrong:?}");
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cluster.psql(DATABASE, "SELECT id FROM orders");
        let found: BTreeSet<i64> = found.lines().map(|id| id.parse().unwrap()).collect();
        let lost: Vec<_> = told.difference(&found).collect();
        assert!(lost.is_empty(), "of {} orders are lost {lost:?}", told.len());
    }

    /// Writes until it is over, to where the clients are switched.
    pub(crate) fn write(&self, writer: i32) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        while !self.over.load(Ordering::Relaxed) {
            let switched = self.switched.load(Ordering::Relaxed);
            let cluster = if switched { &self.target } else { &self.source };
            let ended = runtime.block_on(self.write_to(cluster, switched, writer));
            if let Err(error) = ended
                && !is_expected(&error)
            {
                self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    async fn write_to(
        &self,
        cluster: &Cluster,
        switched: bool,
        writer: i32,
    ) -> Result<(), tokio_postgres::Error> {
        let (client, connection) =
            tokio_postgres::connect(&calmed(&cluster.conninfo(DATABASE)), NoTls).await?;
        tokio::spawn(connection);
        for number in 0_u32.. {
            if self.over.load(Ordering::Relaxed) || self.switched.load(Ordering::Relaxed) != switched {
                break;
            }
            let id = write_once(&client, writer, number).await?;
            self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        Ok(())
    }
}

const ORDER: &str = "INSERT INTO orders (writer, body) VALUES ($1, $2) RETURNING id";

/// One transaction of several tables; gives the order's key.
async fn write_once(client: &Client, writer: i32, number: u32) -> Result<i64, tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    let body = ["null", "'", "\\N", "", "E'\\\\'"][number as usize % 5];
    let id: i64 = client.query_one(ORDER, &[&writer, &body]).await?.get(0);
    client.execute("INSERT INTO events (order_id, note) VALUES ($1, $2)", &[&id, &body]).await?;
    client.batch_execute("INSERT INTO parts (part, body) VALUES (1, 'new')").await?;
    let other = match number % 6 {
        0 => r#"INSERT INTO "a.b""c"."Ünï 表 %_'\" ("weird ""col") VALUES (E'\\')"#,
        1 => "INSERT INTO keyless VALUES (1, 'twice', '<b/>')",
        2 => "UPDATE bulk SET body = 'short' WHERE id = (random() * 1000)::int",
        3 => r#"INSERT INTO "select" (j) VALUES ('{"x": 1e400}')"#,
        4 => "DELETE FROM bulk WHERE id = (random() * 1000)::int",
        _ => "UPDATE parts SET part = 1 - part WHERE id = 100000 - 3 * (random() * 50)::int AND part = 0",
    };
    client.batch_execute(other).await?;
    client.batch_execute("COMMIT").await?;
    Ok(id)
}

/// What a client meets whose server is closed to it; and what every client tries again, whatever goes on: class 40, such as
/// a deadlock, or a row that somebody has moved to another partition.
fn is_expected(error: &tokio_postgres::Error) -> bool {
    let closed =
        [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::ADMIN_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.is_closed()
        || error.code().is_none_or(|code| closed.contains(code) || code.code().starts_with("40"))
}
