//! Rows that are read here, rather than copied: each is what the stream sends of the same row.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::Pin;

use futures_core::Stream as _;
use walferry::pgoutput::Datum;
use walferry::sink::Memory;
use walferry::snapshot::{Exported, SnapshotRows};
use walferry::{Change, Config, Connection, Error, Event, Pipeline, Row, SlotOptions, StreamOptions};

use crate::stage::{Stage, hold, told};
use crate::support::{Server, newest, on_each_server, servers};
use crate::workload;

/// Every row with all that is known of it, and how often it is there.
type Rows = BTreeMap<String, usize>;

fn described(row: &Row) -> String {
    let values = row.tuple().iter().map(|datum| match datum {
        Datum::Text(text) => String::from_utf8(text.to_vec()).expect("UTF-8"),
        other => format!("{other:?}"),
    });
    format!("{:?} {:?}", row.relation(), values.collect::<Vec<_>>())
}

fn counted<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Rows {
    let mut counted = Rows::new();
    for row in rows {
        *counted.entry(described(row)).or_default() += 1;
    }
    counted
}

pub(crate) async fn read(
    source: &Config,
    publications: &[String],
    snapshot: &Exported,
) -> Result<Vec<Row>, Error> {
    let mut rows = SnapshotRows::open(source, publications, snapshot).await?;
    let mut all = Vec::new();
    while let Some(row) = poll_fn(|cx| Pin::new(&mut rows).poll_next(cx)).await {
        all.push(row?);
    }
    assert!(poll_fn(|cx| Pin::new(&mut rows).poll_next(cx)).await.is_none(), "the end stays the end");
    Ok(all)
}

/// What the stream of a slot has up to now, as events.
pub(crate) async fn streamed(source: &Config, slot: &str, publications: &[String]) -> Vec<Event> {
    let mut connection = Connection::connect(source).await.expect("a connection");
    let now = connection.identify_system().await.expect("an identity").wal_flushed;
    let options = StreamOptions::new(slot.parse().expect("a name"));
    let options = publications.iter().fold(options, StreamOptions::publication);
    let mut stream = connection.start_replication(options).await.expect("a stream");
    stream.stop_at(now);
    let memory = Memory::default();
    Pipeline::new(memory.clone()).run(stream, pending()).await.expect("changes");
    memory.take()
}

/// What a table can be that is described in a way of its own.
const EXTRA: &str = "
    CREATE TABLE deferred_key (id int PRIMARY KEY DEFERRABLE, v text);
    CREATE TABLE covering (a int, b int, c text, PRIMARY KEY (b, a) INCLUDE (c));
    CREATE TABLE by_two (a int NOT NULL, b text NOT NULL, c int);
    CREATE UNIQUE INDEX by_two_index ON by_two (b, a) INCLUDE (c);
    ALTER TABLE by_two REPLICA IDENTITY USING INDEX by_two_index;
    CREATE TABLE lost_index (a int NOT NULL, b int);
    CREATE UNIQUE INDEX lost ON lost_index (a);
    ALTER TABLE lost_index REPLICA IDENTITY USING INDEX lost;
    DROP INDEX lost;
    CREATE DOMAIN short AS varchar(5);
    CREATE TABLE narrow (id int PRIMARY KEY, gone int, v varchar(7), n numeric(9,3), c char(4), bi bit(3), ts timestamp(2),
        iv interval hour to minute, a varchar(4)[], d short, ds short[]);
    ALTER TABLE narrow DROP gone;
    CREATE TABLE half (id int NOT NULL, v text) PARTITION BY RANGE (id);
    CREATE TABLE half_1 PARTITION OF half FOR VALUES FROM (0) TO (100);
    ALTER TABLE ONLY half ADD PRIMARY KEY (id);
    CREATE TABLE wide (a int PRIMARY KEY, b text, c text);
    CREATE TABLE gen (id int PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) STORED);
    CREATE TABLE empty (id int PRIMARY KEY);
    INSERT INTO deferred_key VALUES (1, 'a');
    INSERT INTO covering VALUES (1, 2, 'c');
    INSERT INTO by_two VALUES (1, 'b', NULL);
    INSERT INTO lost_index VALUES (1, 2);
    INSERT INTO narrow VALUES (1, 'v', 1.5, 'c', '101', '2024-03-04 05:06:07.891', '1 day 02:03:04', '{a,NULL,\"NULL\"}', 'd', '{d}'),
        (2, 'null', 'NaN', '', '000', 'infinity', '-00:01', '{}', '', NULL);
    INSERT INTO half VALUES (1, 'v');
    INSERT INTO wide SELECT i, 'secret', 'c' || i FROM generate_series(1, 5) i;
    INSERT INTO gen VALUES (1, 2), (2, NULL);
    CREATE PUBLICATION extra FOR TABLE deferred_key, covering, by_two, lost_index, narrow, empty;
    CREATE PUBLICATION extra_root FOR TABLE half WITH (publish_via_partition_root = true);
";

/// What only some servers can publish: the publications, and how they are made.
fn publications(major: u32) -> Vec<(&'static str, &'static str)> {
    let mut made = vec![];
    if major >= 15 {
        made.push(("listed", "CREATE PUBLICATION listed FOR TABLE wide (c, a) WHERE (a > 1 AND a <> 4)"));
    }
    if major >= 18 {
        made.push((
            "generated",
            "CREATE TABLE virtual (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v) VIRTUAL);
            INSERT INTO virtual VALUES (1, 2); CREATE TABLE gen_listed (LIKE gen INCLUDING ALL);
            INSERT INTO gen_listed VALUES (1, 2);
            CREATE PUBLICATION generated FOR TABLE gen, virtual WITH (publish_generated_columns = stored)",
        ));
        made.push((
            "generated_listed",
            "CREATE PUBLICATION generated_listed FOR TABLE gen_listed (twice, id)",
        ));
    } else {
        made.push(("generated", "CREATE PUBLICATION generated FOR TABLE gen"));
    }
    made
}

/// Settings of a database that change how values are printed.
const SETTINGS: &str = "ALTER DATABASE plain SET DateStyle = 'German, DMY'; ALTER DATABASE plain SET IntervalStyle = 'sql_standard';
    ALTER DATABASE plain SET TimeZone = 'Asia/Kolkata'; ALTER DATABASE plain SET bytea_output = 'escape';
    ALTER DATABASE plain SET extra_float_digits = -5; ALTER DATABASE plain SET quote_all_identifiers = on;
    ALTER DATABASE plain SET client_encoding = 'LATIN1'; ALTER DATABASE plain SET search_path = public, pg_catalog;
    ALTER DATABASE plain SET default_transaction_isolation = 'serializable'; ALTER DATABASE plain SET statement_timeout = '90s'";

/// Puts all rows of the published tables in again, as they are.
const REFILL: &str = "SET session_replication_role = replica; SET quote_all_identifiers = off;
    DO $$
    DECLARE t record; at int := 0; all_tables text;
    BEGIN
        CREATE TEMP TABLE refill ON COMMIT DROP AS
            SELECT c.oid, c.oid::regclass::text AS name, c.relkind,
                (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                 WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns
            FROM (SELECT DISTINCT schemaname, tablename FROM pg_publication_tables) p
            JOIN pg_namespace n ON n.nspname = p.schemaname
            JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename;
        FOR t IN SELECT * FROM refill LOOP
            EXECUTE format('CREATE TEMP TABLE %I ON COMMIT DROP AS SELECT %s FROM %s %s', 'saved_' || t.oid, t.columns,
                CASE t.relkind WHEN 'p' THEN '' ELSE 'ONLY' END, t.name);
        END LOOP;
        SELECT string_agg(name, ', ') INTO all_tables FROM refill;
        EXECUTE 'TRUNCATE ' || all_tables;
        FOR t IN SELECT * FROM refill LOOP
            EXECUTE format('INSERT INTO %s %s OVERRIDING SYSTEM VALUE SELECT %s FROM %I', t.name, '(' || t.columns || ')',
                t.columns, 'saved_' || t.oid);
        END LOOP;
    END $$";

/// Room 15 of the museum: the copy and the stream disagreed about a value. Here: about anything that a row is.
fn agree(server: &Server) {
    let stage = Stage::new(server, "");
    let cluster = stage.source_cluster();
    cluster.create_database("plain");
    let extra: Vec<&str> = publications(server.major).iter().map(|(_, made)| *made).collect();
    for script in [workload::TABLES, workload::PUBLISH, workload::CHANGES, EXTRA, &extra.join(";"), SETTINGS]
    {
        cluster.psql_file("plain", format!("{script};").as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    }
    let mut names: Vec<String> = workload::PUBLICATIONS.map(str::to_owned).to_vec();
    names.extend(["extra", "extra_root"].map(str::to_owned));
    names.extend(publications(server.major).iter().map(|(name, _)| (*name).to_owned()));
    let config: Config = cluster.conninfo("plain").parse().expect("a connection string");
    let (copied, events) = stage.runtime.block_on(async {
        let mut connection = Connection::connect(&config).await.expect("a connection");
        let made = connection.create_slot(&"before".parse().expect("a name"), SlotOptions::new()).await;
        drop(made.expect("a slot"));
        cluster.psql_file("plain", format!("{REFILL};").as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let held = hold(&config, "behind").await.expect("a slot with a snapshot");
        let copied = read(&config, &names, &held.exported).await;
        (copied.unwrap_or_else(|error| panic!("{error}")), streamed(&config, "before", &names).await)
    });
    let inserted = events.iter().filter_map(|event| match event {
        Event::Change(Change::Insert { new }) => Some(new),
        _ => None,
    });
    let (copied, inserted) = (counted(&copied), counted(inserted));
    let only = |one: &Rows, other: &Rows| -> Vec<String> {
        one.iter().filter(|(row, count)| other.get(*row) != Some(count)).map(|(row, _)| row.clone()).collect()
    };
    let (missing, extra) = (only(&inserted, &copied), only(&copied, &inserted));
    assert!(copied == inserted, "{}: streamed {missing:#?}\ncopied {extra:#?}", server.version);
    assert!(copied.len() > 100, "{}", copied.len());
    for name in [
        "deferred_key",
        "covering",
        "by_two",
        "lost_index",
        "narrow",
        "half",
        "gen",
        "rooted",
        "leaves_2",
        "no_columns",
    ] {
        assert!(copied.keys().any(|row| row.contains(&format!("name: \"{name}\", replica"))), "{name}");
    }
}

#[test]
fn museum_15_a_copied_row_is_what_the_stream_sends_of_it() {
    std::thread::scope(|scope| {
        for server in servers() {
            scope.spawn(move || agree(&server));
        }
    });
}

#[test]
fn tables_without_rows_and_no_tables_at_all_give_none() {
    on_each_server(|server| {
        let stage =
            Stage::new(server, "CREATE TABLE t (id int); CREATE TABLE r (id int) PARTITION BY LIST (id)");
        stage.source("CREATE PUBLICATION nothing; CREATE PUBLICATION root FOR TABLE r WITH (publish_via_partition_root = true)");
        let held = stage.snapshot("s");
        for name in ["all", "nothing", "root"] {
            let names = [name.to_owned()];
            let rows =
                stage.runtime.block_on(read(&stage.source_config(), &names, &held.exported)).expect("rows");
            assert!(rows.is_empty(), "{name}");
        }
    });
}

#[test]
fn a_row_as_large_as_a_value_can_be_is_read_whole() {
    let stage = Stage::new(&newest(), "CREATE TABLE t (id int, v text, w text)");
    stage.source("INSERT INTO t VALUES (1, repeat(E'\\\\\\t', 500000), repeat('x', 16000000))");
    let held = stage.snapshot("s");
    let rows = stage
        .runtime
        .block_on(read(&stage.source_config(), &["all".to_owned()], &held.exported))
        .expect("rows");
    let values: Vec<_> = rows[0].tuple().iter().collect();
    let (escaped, plain) = ("\\\t".repeat(500_000), "x".repeat(16_000_000));
    assert!(values == [Datum::Text(b"1"), Datum::Text(escaped.as_bytes()), Datum::Text(plain.as_bytes())]);
}

#[test]
fn what_stands_in_the_way_is_told_with_what_mends_it() {
    on_each_server(|server| {
        let stage = Stage::new(server, "CREATE TABLE t (id int)");
        stage.source(
            "INSERT INTO t VALUES (4711); CREATE ROLE weak LOGIN; GRANT SELECT ON t TO weak; \
                      ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        );
        let held = stage.snapshot("s");
        let read = |config: &Config, name: &str, snapshot: &Exported| {
            let names = [name.to_owned()];
            stage.runtime.block_on(read(config, &names, snapshot)).expect_err("no rows")
        };
        let all = |config: &Config| read(config, "all", &held.exported);
        let weak = stage.source_cluster().conninfo("source").replace("user=postgres", "user=weak");
        // Room 18 of the museum: row security made the copy empty.
        let refused = all(&weak.parse().expect("a connection string"));
        assert_eq!(refused.sqlstate(), Some("42501"), "{refused}");
        assert!(refused.to_string().contains(r#"copying "public"."t""#), "{refused}");
        let unknown = told(&read(&stage.source_config(), "no such", &held.exported));
        assert!(
            unknown.contains("no publication \"no such\"") && unknown.contains("CREATE PUBLICATION"),
            "{unknown}"
        );
        let none = stage.runtime.block_on(SnapshotRows::open(&stage.source_config(), &[], &held.exported));
        assert!(matches!(none.expect_err("no publication"), Error::Misuse(_)));
        stage.source("BEGIN; TRUNCATE t; COMMIT");
        let rewritten = told(&all(&stage.source_config()));
        assert!(rewritten.contains("was rewritten or emptied"), "{rewritten}");
        let gone = told(&read(
            &stage.source_config(),
            "all",
            &Exported::new("00000003-0000FFFF-1", held.exported.lsn()),
        ));
        assert!(gone.contains("is gone"), "{gone}");
    });
}
