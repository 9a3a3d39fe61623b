//! The same changes through the server's own subscription and through this crate, compared row by row.

use std::thread;
use std::time::{Duration, Instant};

use walferry::sink::postgres::PostgresSink;
use walferry::stream::StreamOptions;
use walferry::{Config, Connection, Error, Pipeline};

use crate::support::{self, Cluster};
use crate::workload;

/// Identity by key, index and whole row; values stored out of line; partitions; types of users.
const TABLES: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE keyed (id int PRIMARY KEY, note text, amount numeric, at timestamptz, mood mood, tags text[],
        ratio float8, raw bytea, pair pair, document jsonb, lasting interval);
    CREATE TABLE "full ""identity" (a int, b text, c numeric, "d e" int[]);
    ALTER TABLE "full ""identity" REPLICA IDENTITY FULL;
    CREATE TABLE by_index (id int NOT NULL, code text NOT NULL UNIQUE, note text);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key;
    CREATE TABLE large (id int PRIMARY KEY, counter int, body text);
    ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
    CREATE TABLE parted (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE parted_north PARTITION OF parted FOR VALUES IN ('north');
    CREATE TABLE parted_south PARTITION OF parted FOR VALUES IN ('south');
    CREATE TABLE emptied (id int PRIMARY KEY);
"#;

/// One transaction a line, but for the one with savepoints.
const CHANGES: &str = r#"
    INSERT INTO keyed SELECT n, (ARRAY[NULL, 'null', '', E'it''s \n a "note" \\ ' || n])[n % 4 + 1], n / 7.0, 'epoch'::timestamptz + n * interval '1.000001 day', (ARRAY['sad', NULL, 'it''s ok']::mood[])[n % 3 + 1], ARRAY['a,b', NULL, 'null', '{'], sqrt(n), decode(md5(n::text), 'hex'), (n, 'x, y')::pair, jsonb_build_object('n', n, 'null', NULL), n * interval '1 month -1 day 0.1 s' FROM generate_series(1, 1000) n;
    INSERT INTO keyed (id, amount, at, ratio) VALUES (-1, 'NaN', 'infinity', 'NaN'), (-2, 1e-30, '-infinity', '-0'), (-3, 1e100, '0044-03-15 BC', '-infinity');
    UPDATE keyed SET note = note || '.', amount = NULL WHERE id % 3 = 0;
    UPDATE keyed SET id = id + 100000, ratio = 0.1 + 0.2 WHERE id % 11 = 0;
    DELETE FROM keyed WHERE id % 5 = 0;
    BEGIN;
    INSERT INTO keyed (id) VALUES (5);
    SAVEPOINT kept;
    UPDATE keyed SET note = 'kept' WHERE id = 5;
    SAVEPOINT undone;
    UPDATE keyed SET note = 'undone' WHERE id = 5;
    ROLLBACK TO undone;
    INSERT INTO keyed (id) VALUES (10);
    COMMIT;
    INSERT INTO "full ""identity" SELECT n % 50, CASE WHEN n % 7 > 0 THEN 'b' || n % 25 END, 1.50, ARRAY[n % 50, NULL] FROM generate_series(1, 200) n;
    UPDATE "full ""identity" SET b = NULL WHERE a % 4 = 0;
    UPDATE "full ""identity" SET c = c * 2, "d e" = NULL WHERE a % 6 = 0;
    DELETE FROM "full ""identity" WHERE a % 10 = 1;
    INSERT INTO by_index SELECT n, 'code ' || n, 'note' FROM generate_series(1, 100) n;
    UPDATE by_index SET code = upper(code) WHERE id % 2 = 0;
    UPDATE by_index SET id = -id, note = NULL WHERE id % 3 = 0;
    DELETE FROM by_index WHERE id % 5 = 0;
    INSERT INTO large SELECT n, 0, repeat('body of ' || n, 2000) FROM generate_series(1, 20) n;
    UPDATE large SET counter = counter + 1;
    UPDATE large SET id = id + 1000, counter = 7 WHERE id % 3 = 0;
    UPDATE large SET body = CASE WHEN id % 2 = 0 THEN NULL ELSE body || '.' END WHERE id % 4 < 2;
    INSERT INTO parted SELECT n, CASE WHEN n % 2 = 0 THEN 'north' ELSE 'south' END FROM generate_series(1, 40) n;
    UPDATE parted SET region = 'south' WHERE id % 4 = 0;
    INSERT INTO emptied SELECT generate_series(1, 100);
    TRUNCATE emptied;
    INSERT INTO emptied VALUES (1);
"#;

const PATIENCE: Duration = Duration::from_secs(60);

fn script(cluster: &Cluster, database: &str, script: &str) -> String {
    cluster.psql_file(database, script.as_bytes()).unwrap_or_else(|error| panic!("in {database}: {error}"))
}

#[test]
fn the_servers_own_subscription_leaves_the_same_rows() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    support::on_each_server(|server| {
        // The worker of a subscription takes the settings of its server as they are.
        let cluster = server.start_with(&support::calm_settings());
        for database in ["source", "native", "ours"] {
            cluster.create_database(database);
            script(&cluster, database, TABLES);
        }
        cluster.psql("source", "CREATE PUBLICATION everything FOR ALL TABLES");
        for slot in ["native", "ours"] {
            cluster
                .psql("source", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
        }
        script(&cluster, "source", CHANGES);
        let end = cluster.wal_position();

        subscribe(&cluster);
        runtime.block_on(apply(&cluster)).unwrap_or_else(|error| panic!("on {}: {error:?}", server.major));
        wait_for_subscription(&cluster, &end);

        cluster.psql("ours", "DROP SCHEMA walferry CASCADE");
        let [source, native, ours] =
            ["source", "native", "ours"].map(|database| script(&cluster, database, workload::CONTENTS));
        assert!(ours.lines().count() > 1000, "{} lines", ours.lines().count());
        assert_same(&ours, &native, &format!("the subscription, on {}", server.major));
        assert_same(&ours, &source, &format!("the source, on {}", server.major));
    });
}

fn subscribe(cluster: &Cluster) {
    let source = cluster.conninfo("source").replace('\'', "''");
    let create = format!(
        "CREATE SUBSCRIPTION native CONNECTION '{source}' PUBLICATION everything
            WITH (create_slot = false, slot_name = native, copy_data = false)"
    );
    cluster.psql("native", &create);
}

fn wait_for_subscription(cluster: &Cluster, end: &str) {
    let deadline = Instant::now() + PATIENCE;
    let confirmed =
        format!("SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'native'");
    while cluster.psql("source", &confirmed) != "t" {
        assert!(Instant::now() < deadline, "the subscription isn't done\n{}", cluster.log());
        thread::sleep(Duration::from_millis(20));
    }
}

async fn apply(cluster: &Cluster) -> Result<(), Error> {
    let config = |database| cluster.conninfo(database).parse::<Config>().expect("a connection string");
    let mut connection = Connection::connect(&config("source")).await?;
    let end = connection.identify_system().await?.wal_flushed;
    let options = StreamOptions::new("ours".parse().expect("a slot's name")).publication("everything");
    let mut stream = connection.start_replication(options).await?;
    stream.stop_at(end);
    let sink = PostgresSink::new(config("ours"), "ours");
    Pipeline::new(sink).run(stream, std::future::pending()).await?;
    Ok(())
}

/// Tells the first rows that differ.
fn assert_same(ours: &str, theirs: &str, who: &str) {
    let differing = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs);
    let differing: Vec<_> = differing.take(3).collect();
    assert!(ours == theirs, "ours, and {who}: {differing:#?}");
}
