//! What is quoted means what it was, on every server: the servers themselves are asked, about ten thousand texts, or in
//! the long form (`WALFERRY_LONG=1`) about a million.
//!
//! Museum 1: the text `null` became NULL, and quotes were doubled.

#![expect(clippy::expect_used, reason = "clippy knows only #[test] functions as tests, not what they call")]

mod support;

use std::collections::BTreeSet;
use std::iter;
use std::sync::OnceLock;

use bytes::Bytes;
use support::{Cluster, Random, hostile};
use walferry::pgoutput::{Datum, Decoder, Message};
use walferry::quote;

/// Some of the pieces would show through if psql took `:s` inside a literal for its variable.
const VARIABLES: &str = "\\set s hijacked\n\\set x hijacked\n";

const IN_A_STATEMENT: usize = 500;
const IN_A_SCRIPT: usize = 50_000;

/// Every piece, every pair of them, and random texts: the same in every run.
fn hostile_texts() -> impl Iterator<Item = String> {
    let pieces = || iter::once("").chain(hostile::PIECES.iter().copied());
    let pairs = pieces().flat_map(move |first| pieces().map(move |second| [first, second].concat()));
    pairs.chain(random(hostile::text)).take(support::how_many(10_000, 1_000_000))
}

fn random<T>(make: fn(&mut Random) -> T) -> impl Iterator<Item = T> {
    let mut random = Random::new(0);
    iter::repeat_with(move || make(&mut random))
}

fn batches<T>(mut items: impl Iterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    let next = move || Some(items.by_ref().take(IN_A_SCRIPT).collect::<Vec<_>>());
    iter::from_fn(next).take_while(|batch| !batch.is_empty())
}

/// One of each major, for all tests of this file.
fn clusters() -> &'static [Cluster] {
    static CLUSTERS: OnceLock<Vec<Cluster>> = OnceLock::new();
    CLUSTERS.get_or_init(|| support::servers().iter().map(support::Server::start).collect())
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        hex.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).expect("a digit")));
    }
    hex
}

fn create_everywhere(database: &str) {
    for cluster in clusters() {
        cluster.create_database(database);
    }
}

fn quoted(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// Runs a script that prints nothing but the rows of its queries.
fn run(cluster: &Cluster, database: &str, script: &[u8]) -> String {
    let script = [b"\\pset tuples_only\n\\pset format unaligned\n", VARIABLES.as_bytes(), script].concat();
    cluster.psql_file(database, &script).unwrap_or_else(|error| {
        let of = cluster.major();
        unreachable!("psql of {of}: {error}")
    })
}

/// Runs a script on every server under both settings of `standard_conforming_strings`, and expects this to be printed.
fn expect(database: &str, script: &[u8], expected: &[String]) {
    for cluster in clusters() {
        for setting in ["on", "off"] {
            let set = format!("SET standard_conforming_strings = {setting};\n");
            let found = run(cluster, database, &[set.as_bytes(), script].concat());
            let mut lines = found.lines().zip(expected);
            let differs = lines.find(|(found, expected)| found != expected);
            assert_eq!(differs, None, "{}, {setting}", cluster.major());
            assert_eq!(found.lines().count(), expected.len(), "{}, {setting}", cluster.major());
        }
    }
}

#[test]
fn museum_01_every_literal_is_the_text_it_was() {
    create_everywhere("literals");
    for batch in batches(hostile_texts()) {
        let (mut script, mut expected) = (Vec::new(), Vec::new());
        for texts in batch.chunks(IN_A_STATEMENT) {
            script.extend(
                b"SELECT concat_ws(' ', count(*) FILTER (WHERE found = expected), 'of', count(*), \
                  string_agg(expected, ' ') FILTER (WHERE found IS DISTINCT FROM expected)) \
                  FROM (SELECT encode(convert_to(t, 'UTF8'), 'hex'), e FROM (VALUES ",
            );
            for (index, text) in texts.iter().enumerate() {
                script.extend(if index == 0 { b"(" } else { b",\n(".as_slice() });
                quote::literal(&mut script, text.as_bytes());
                script.extend(format!(", '{}')", hex(text.as_bytes())).bytes());
            }
            script.extend(b") v (t, e)) AS v (found, expected);\n");
            expected.push(format!("{0} of {0}", texts.len()));
        }
        expect("literals", &script, &expected);
    }
}

#[test]
fn bytes_that_are_no_utf8_pass_through_a_database_that_has_no_encoding() {
    for cluster in clusters() {
        cluster.psql("postgres", "CREATE DATABASE plain ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
        let values: Vec<Vec<u8>> = (1..=u8::MAX).map(|byte| vec![b'a', byte, b'1', byte, b'\'']).collect();
        let mut script = b"CREATE TEMP TABLE seen (found bytea, expected bytea);\n".to_vec();
        for value in &values {
            script.extend(b"INSERT INTO seen VALUES (convert_to(");
            quote::literal(&mut script, value);
            script.extend(b", 'SQL_ASCII'), ");
            quote::bytea_literal(&mut script, value);
            script.extend(b");\n");
        }
        script.extend(b"SELECT count(*) FROM seen WHERE found = expected;\n");
        script.extend(b"CREATE TEMP TABLE copied (found text, expected text);\nCOPY copied FROM STDIN;\n");
        for value in &values {
            quote::copy_row(&mut script, [Some(value.as_slice()), Some(hex(value).as_bytes())]);
        }
        script.extend(
            b"\\.\nSELECT count(*) FROM copied WHERE encode(convert_to(found, 'SQL_ASCII'), 'hex') = expected;\n",
        );
        let expected = format!("{0}\n{0}", values.len());
        assert_eq!(run(cluster, "plain", &script), expected, "{}", cluster.major());
    }
}

/// Some names; long ones, too: one of 63 bytes is the longest that a server keeps.
fn hostile_names() -> impl Iterator<Item = String> {
    let pieces = hostile::PIECES.iter().map(|piece| (*piece).to_owned());
    let long = (0..20).map(|index| hostile::cut(&format!("{index}{}", "é\"表'\\".repeat(10)), 63).to_owned());
    pieces.chain(long).chain(random(hostile::name))
}

/// DBZ-9305, etl #679, PeerDB #3658: names that meant something else on the way.
#[test]
fn museum_21_every_identifier_is_the_name_it_was() {
    create_everywhere("aliases");
    for batch in batches(hostile_names().take(support::how_many(10_000, 1_000_000))) {
        let (mut script, mut expected) = (Vec::new(), Vec::new());
        for names in batch.chunks(IN_A_STATEMENT) {
            script.extend(b"SELECT (SELECT string_agg(encode(convert_to(name, 'UTF8'), 'hex'), ' ' ORDER BY position) \
                FROM json_object_keys(row_to_json(\"the row\")) WITH ORDINALITY AS keys (name, position)) FROM (SELECT ");
            for (index, name) in names.iter().enumerate() {
                script.extend(if index == 0 { b"0 AS " } else { b",\n0 AS ".as_slice() });
                quote::identifier(&mut script, name);
            }
            script.extend(b") AS \"the row\";\n");
            let names: Vec<_> = names.iter().map(|name| hex(name.as_bytes())).collect();
            expected.push(names.join(" "));
        }
        expect("aliases", &script, &expected);
    }
}

#[test]
fn museum_21_every_table_and_column_has_the_name_it_was_given() {
    let names: BTreeSet<_> = hostile_names().take(400).collect();
    assert!(names.len() > 250 && names.iter().any(|name| name.len() == 63), "{}", names.len());
    let expected: Vec<_> =
        names.iter().map(|name| [hex(name.as_bytes()), hex(name.as_bytes())].join("|")).collect();
    for cluster in clusters() {
        cluster.create_database("identifiers");
        let mut script = b"CREATE SCHEMA q;\nSET standard_conforming_strings = off;\n".to_vec();
        for name in &names {
            let name = quoted(|out| quote::identifier(out, name));
            script.extend([b"CREATE TABLE q.", &*name, b" (", &name, b" int);\n"].concat());
        }
        script.extend(
            b"SELECT encode(convert_to(relname, 'UTF8'), 'hex'), encode(convert_to(attname, 'UTF8'), 'hex') \
              FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum = 1 \
              WHERE relnamespace = 'q'::regnamespace ORDER BY c.oid;\n",
        );
        let found = run(cluster, "identifiers", &script);
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{}", cluster.major());
    }
}

#[test]
fn every_row_of_copy_is_what_it_was_and_what_the_server_writes() {
    create_everywhere("copied");
    let mut random = Random::new(1);
    for texts in batches(hostile_texts()) {
        let mut script =
            b"CREATE TEMP TABLE rows (a text, b text, c text, expected text, id serial);\nCOPY rows (a, b, c, expected) FROM STDIN;\n"
                .to_vec();
        let mut lines = Vec::new();
        for texts in texts.chunks(3) {
            let fields =
                [0, 1, 2].map(|index| texts.get(index).filter(|_| !random.one_in(5)).map(String::as_bytes));
            let expected = fields.map(|field| field.map_or("NULL".to_owned(), hex)).join(" ");
            let row = fields.into_iter().chain([Some(expected.as_bytes())]);
            lines.push(String::from_utf8(quoted(|out| quote::copy_row(out, row))).expect("UTF-8"));
        }
        script.extend(lines.concat().bytes());
        script.extend(
            b"\\.\nSELECT count(*) FROM rows WHERE expected = (SELECT string_agg(coalesce(\
              encode(convert_to(field, 'UTF8'), 'hex'), 'NULL'), ' ' ORDER BY index) \
              FROM unnest(ARRAY[a, b, c]) WITH ORDINALITY AS fields (field, index));\n\
              COPY (SELECT a, b, c, expected FROM rows ORDER BY id) TO STDOUT;\n",
        );
        let count = lines.len().to_string();
        let lines = lines.iter().map(|line| line.trim_end_matches('\n').to_owned());
        expect("copied", &script, &iter::once(count).chain(lines).collect::<Vec<_>>());
    }
}

#[test]
fn a_row_of_copy_may_have_one_empty_field_or_none_at_all() {
    for cluster in clusters() {
        let mut script =
            b"CREATE TEMP TABLE one (field text); CREATE TEMP TABLE none ();\nCOPY one FROM STDIN;\n"
                .to_vec();
        for field in [Some(b"".as_slice()), None, Some(br"\."), Some(br"\N")] {
            quote::copy_row(&mut script, [field]);
        }
        script.extend(b"\\.\nCOPY none FROM STDIN;\n");
        quote::copy_row(&mut script, []);
        script.extend(
            b"\\.\nSELECT string_agg(coalesce(field, 'NULL'), '|') FROM one; SELECT count(*) FROM none;\n",
        );
        assert_eq!(run(cluster, "postgres", &script), "|NULL|\\.|\\N\n1", "{}", cluster.major());
    }
}

#[test]
fn a_value_of_bytes_is_the_bytes_it_was() {
    let values: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte; usize::from(byte)]).collect();
    for cluster in clusters() {
        for standard_conforming_strings in ["on", "off"] {
            let mut script = format!(
                "SET standard_conforming_strings = {standard_conforming_strings};\nSET bytea_output = hex;\n"
            )
            .into_bytes();
            for value in &values {
                script.extend(b"SELECT ");
                quote::bytea_literal(&mut script, value);
                script.extend(b"::bytea;\n");
            }
            let expected: Vec<_> = values.iter().map(|value| format!("\\x{}", hex(value))).collect();
            let found = run(cluster, "postgres", &script);
            assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{}", cluster.major());
        }
    }
}

const PUBLICATIONS: &[&str] = &[
    "plain",
    "Capital",
    "it's",
    "''",
    "a,b",
    ",",
    "quo\"te",
    "\"",
    "back\\slash",
    "\\",
    " led",
    "trailed ",
    "two words",
    "ünï 表 😀",
    "SELECT",
    "*",
    "$$",
    "\n",
    ":s",
    "\"a\",\"b\"",
    "'\"\\,",
];

/// The value of `publication_names` as an SQL literal: of a replication literal, whose quotes are doubled.
fn option_value(names: &[&str]) -> Vec<u8> {
    let literal = quote::publication_names(names.iter().copied());
    let inner = literal.strip_prefix('\'').and_then(|literal| literal.strip_suffix('\'')).expect("a literal");
    quoted(|out| quote::literal(out, inner.replace("''", "'").as_bytes()))
}

/// The texts of the rows that a stream of these publications has.
fn published(cluster: &Cluster, names: &[&str]) -> BTreeSet<String> {
    let mut script = b"SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('s', NULL, NULL, \
                       'proto_version', '1', 'publication_names', "
        .to_vec();
    script.extend(option_value(names));
    script.extend(b");\n");
    let mut decoder = Decoder::new();
    let mut rows = BTreeSet::new();
    for line in run(cluster, "publications", &script).lines() {
        let bytes = (0..line.len()).step_by(2).map(|at| {
            let digits = line.get(at..at + 2).expect("two digits a byte");
            u8::from_str_radix(digits, 16).expect("a hexadecimal number")
        });
        let message = decoder.decode(bytes.collect::<Bytes>()).expect("a message");
        if let Message::Insert(insert) = message
            && let Some(Datum::Text(text)) = insert.new.get(0)
        {
            rows.insert(String::from_utf8(text.to_vec()).expect("UTF-8"));
        }
    }
    rows
}

/// The list of names is itself a text in a literal: pg-walstream and pgwire-replication don't quote the names in it.
#[test]
fn museum_30_a_publication_of_any_name_is_found() {
    for cluster in clusters() {
        cluster.create_database("publications");
        let mut script = Vec::new();
        for (index, name) in PUBLICATIONS.iter().enumerate() {
            script.extend(format!("CREATE TABLE t{index} (name text);\nCREATE PUBLICATION ").bytes());
            quote::identifier(&mut script, name);
            script.extend(format!(" FOR TABLE t{index};\n").bytes());
        }
        script.extend(b"SELECT count(*) FROM pg_create_logical_replication_slot('s', 'pgoutput');\n");
        for (index, name) in PUBLICATIONS.iter().enumerate() {
            script.extend(format!("INSERT INTO t{index} VALUES (").bytes());
            quote::literal(&mut script, name.as_bytes());
            script.extend(b");\n");
        }
        run(cluster, "publications", &script);
        // Alone: no other publication is meant. All together: each is.
        for name in PUBLICATIONS {
            assert_eq!(
                published(cluster, &[name]),
                BTreeSet::from([(*name).to_owned()]),
                "{}",
                cluster.major()
            );
        }
        let all = PUBLICATIONS.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(published(cluster, PUBLICATIONS), all, "{}", cluster.major());
        cluster.psql("publications", "SELECT pg_drop_replication_slot('s')");
    }
}
