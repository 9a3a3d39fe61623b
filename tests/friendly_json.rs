//! The friendly mapping of JSON beside what the servers themselves make of the same values; and text beside binary.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

mod program;
mod support;
mod workload;

use std::process::Command;

use program::{replay, run};
use serde_json::Value as Json;
use support::{Cluster, Server};

/// `alike` holds what `to_json` maps as this crate does, `texts` what becomes the string of its text.
const TABLES: &str = r#"
CREATE TYPE mood AS ENUM ('null', 'it''s');
CREATE TYPE pair AS (a int, "b ""c" json);
CREATE DOMAIN small AS int;
CREATE TABLE alike (id int PRIMARY KEY, b bool, i2 int2, i8 int8, n numeric, f4 float4, f8 float8, t text, c char(3),
  m mood, j json, jb jsonb, ia int[], ta text[], ja json[], p pair, pa pair[], d small, da small[], u uuid);
CREATE TABLE texts (id int PRIMARY KEY, i8 int8, n numeric, f4 float4, f8 float8, by bytea, d date, ts timestamp,
  tz timestamptz, iv interval, r int4range, mr int4multirange, ip inet, bi bit(3), mon money, x xml, tv tsvector, tq tsquery,
  pt point, ia int[], iv2 int2vector, j json, lsn pg_lsn, mac macaddr, jp jsonpath, ti time, tt timetz, vb varbit, b box);
CREATE PUBLICATION p FOR ALL TABLES;
"#;

const ROWS: &str = r#"
INSERT INTO alike VALUES
  (1, true, -32768, 9007199254740992, 12, 1.1, '5e-324', 'null', 'x', 'null', ' {"a": [1, null]} ', '{"b": "null"}',
   '{1,NULL,-3}', '{{a,"b \"q"},{NULL,"NULL"}}', ARRAY['1', NULL, '{"x": "y"}']::json[], ROW(1, '[true]'),
   ARRAY[ROW(NULL, NULL)::pair, NULL, ROW(2, '"s"')::pair], 5, '{1,2}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
  (2, false, 0, -9007199254740992, -9007199254740992, '-3.4028235e38', 1.7976931348623157e308, E'line\nfeed "q" \\', '',
   'it''s', E'[\n1,\r\n2]', '[]', '{}', '{}', '{}', ROW(NULL, NULL), '{}', -1, '{}', NULL),
  (3, NULL, NULL, NULL, NULL, 1e-45, 0.1, NULL, NULL, NULL, NULL, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO texts VALUES
  (1, 9007199254740993, 1.0, 'NaN', 'Infinity', '\x00ff', '0044-03-15 BC', '2024-02-29 12:34:56.7', '2024-03-31 02:30:00.000001+01',
   '1 year -2 mons', '[1,5)', '{[1,3),[5,)}', '192.168.0.1/24', B'101', '-$1,234.50', '<a b="c"/>', '''it''''s'':1A,2 b', '''a b'' & !c:*AB',
   '(1.5,-0)', '[0:1]={1,2}', '1 2', '1e400', '16/B374D848', '08:00:2b:01:02:03', '$."a"', '24:00', '12:00+05:30', B'', '(1,1),(0,0)'),
  (2, -9223372036854775808, 'NaN', '-Infinity', 'NaN', '', 'infinity', '-infinity', 'infinity', '-1 day +00:00:01', 'empty',
   '{}', '::1', B'000', '$0.00', '', '', '', '(NaN,Infinity)', '[2:2][-1:0]={{1,NULL}}', '', '"\ud800"', '0/0', NULL, NULL, NULL, NULL, NULL, NULL);
"#;

fn two_servers() -> Vec<Server> {
    let mut servers = vec![support::oldest(), support::newest()];
    servers.dedup_by_key(|server| server.major);
    servers
}

fn friendly(cluster: &Cluster, database: &str, publications: &[&str], slot: &str) -> Command {
    let mut command = replay();
    command.args([
        "--source",
        &cluster.conninfo(database),
        "--slot",
        slot,
        "--stop-at-current",
        "--to",
        "json",
    ]);
    command.args(["--json-mapping", "friendly"]);
    for publication in publications {
        command.args(["--publication", publication]);
    }
    command
}

/// The lines, the same from text and from binary.
fn lines(cluster: &Cluster, database: &str, publications: &[&str]) -> Vec<Json> {
    let lines = |output: std::process::Output| {
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let text = lines(run(&mut friendly(cluster, database, publications, "text")));
    let binary = lines(run(friendly(cluster, database, publications, "binary").arg("--binary")));
    for (text, binary) in text.iter().zip(&binary) {
        assert_eq!(text, binary, "on {}", cluster.major());
    }
    assert_eq!(text.len(), binary.len());
    text.iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn slots(cluster: &Cluster, database: &str) {
    for slot in ["text", "binary"] {
        cluster.psql(database, &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    }
}

fn inserted<'a>(lines: &'a [Json], table: &str) -> Vec<&'a Json> {
    lines
        .iter()
        .filter(|line| line["event"] == "insert" && line["table"] == table)
        .map(|line| &line["new"])
        .collect()
}

fn answers(cluster: &Cluster, query: &str) -> Vec<Json> {
    let pinned =
        "SET DateStyle = ISO; SET IntervalStyle = postgres; SET TimeZone = UTC; SET extra_float_digits = 1;
                  SET bytea_output = hex; SET lc_monetary = 'C';";
    let answer = cluster.psql("postgres", &format!("{pinned} {query}"));
    answer
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn values_are_what_the_server_calls_them_in_json() {
    for server in two_servers() {
        let cluster = server.start();
        cluster.psql_file("postgres", TABLES.as_bytes()).unwrap();
        slots(&cluster, "postgres");
        cluster.psql_file("postgres", ROWS.as_bytes()).unwrap();
        let lines = lines(&cluster, "postgres", &["p"]);

        let alike = inserted(&lines, "alike");
        // A line for each: the server leaves the line breaks of json in it.
        let query =
            "SELECT replace(replace(to_json(r)::text, E'\\n', ' '), E'\\r', ' ') FROM alike r ORDER BY id";
        let expected = answers(&cluster, query);
        assert_eq!((alike.len(), expected.len()), (3, 3));
        for (found, expected) in alike.iter().zip(&expected) {
            assert_eq!(**found, *expected, "on {}", server.major);
        }

        let columns = cluster.psql(
            "postgres",
            "SELECT string_agg(format('%L, CASE WHEN %2$I IS NOT NULL THEN format(''%%s'', %2$I) END', attname, attname), ', ' ORDER BY attnum)
             FROM pg_attribute WHERE attrelid = 'texts'::regclass AND attnum > 1",
        );
        let query = format!("SELECT json_build_object('id', id, {columns}) FROM texts ORDER BY id");
        let texts = inserted(&lines, "texts");
        let expected = answers(&cluster, &query);
        assert_eq!((texts.len(), expected.len()), (2, 2));
        for (found, expected) in texts.iter().zip(&expected) {
            assert_eq!(**found, *expected, "on {}", server.major);
        }
    }
}

#[test]
fn a_hostile_database_gives_the_same_lines_from_binary() {
    // The name of an object is a number in binary, which only its server can turn into the name.
    let tables = workload::TABLES.replace(" regclass", " text");
    for server in two_servers() {
        let cluster = server.start();
        for script in [&tables, workload::PUBLISH] {
            cluster.psql_file("postgres", script.as_bytes()).unwrap();
        }
        slots(&cluster, "postgres");
        cluster.psql_file("postgres", workload::CHANGES.as_bytes()).unwrap();
        let lines = lines(&cluster, "postgres", &workload::PUBLICATIONS);
        let unchanged = lines.iter().filter(|line| line["unchanged"] == serde_json::json!(["big"])).count();
        assert!(lines.len() > 500 && unchanged > 5, "{unchanged} of {}", lines.len());
    }
}
