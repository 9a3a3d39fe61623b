//! What is quoted means what it was, on every server: the servers themselves are asked.
//!
//! Museum 1: the text `null` became NULL, and quotes were doubled.

#![expect(clippy::expect_used, reason = "clippy knows only #[test] functions as tests, not what they call")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::Cluster;
use walferry::pgoutput::{Datum, Decoder, Message};
use walferry::quote;

/// Pieces that are special to some reader on the way: SQL, COPY, arrays, psql's variables and commands, terminals.
const HOSTILE: &[&str] = &[
    "null",
    "NULL",
    "'",
    "''",
    "\"",
    "\\",
    "\\\\",
    "E'",
    "U&'\\0061'",
    "$$",
    "$a$",
    ",",
    "{",
    "}",
    "{}",
    "(",
    ")",
    ";",
    "--",
    "/*",
    "*/",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "\x08",
    "\x0b",
    "\x0c",
    "\x1a",
    "\x1b[2J",
    "\x01",
    "\x7f",
    "%s",
    "%",
    ":s",
    ":'x'",
    ":\"x\"",
    ":{?x}",
    "`id`",
    "\\x00",
    "\\N",
    "\\.",
    "\n\\.\n",
    "\\q",
    "\\gset",
    "\\'",
    "0",
    "f",
    "x",
    " ",
    "é",
    "e\u{301}",
    "表",
    "😀",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{202e}",
    "\u{feff}",
];

/// Names of [`HOSTILE`] would show through if psql took `:s` inside a literal for its variable.
const VARIABLES: &str = "\\set s hijacked\n\\set x hijacked\n";

/// Every piece, every pair of them, and longer ones; the same in every run.
fn hostile_texts() -> BTreeSet<String> {
    let mut texts = BTreeSet::from([String::new()]);
    for first in HOSTILE {
        texts.insert((*first).to_owned());
        texts.extend(HOSTILE.iter().map(|second| [*first, *second].concat()));
    }
    let longer = prop::collection::vec(prop::sample::select(HOSTILE), 3..12);
    let mut runner = TestRunner::deterministic();
    texts.extend((0..1000).filter_map(|_| Some(longer.new_tree(&mut runner).ok()?.current().concat())));
    texts
}

/// One of each major, for all tests of this file.
fn clusters() -> &'static [Cluster] {
    static CLUSTERS: OnceLock<Vec<Cluster>> = OnceLock::new();
    CLUSTERS.get_or_init(|| support::servers().iter().map(support::Server::start).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all");
        hex
    })
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

#[test]
fn museum_01_every_literal_is_the_text_it_was() {
    let texts = hostile_texts();
    assert!(texts.len() > 4000, "{}", texts.len());
    for cluster in clusters() {
        cluster.create_database("literals");
        for standard_conforming_strings in ["on", "off"] {
            let mut script = format!(
                "SET standard_conforming_strings = {standard_conforming_strings};\n\
                 CREATE TEMP TABLE seen (found text, expected text);\n"
            )
            .into_bytes();
            for text in &texts {
                script.extend(b"INSERT INTO seen VALUES (encode(convert_to(");
                quote::literal(&mut script, text.as_bytes());
                script.extend(format!(", 'UTF8'), 'hex'), '{}');\n", hex(text.as_bytes())).bytes());
            }
            script.extend(b"SELECT count(*) FROM seen WHERE found = expected;\n");
            script.extend(b"SELECT expected, found FROM seen WHERE found IS DISTINCT FROM expected;\n");
            assert_eq!(run(cluster, "literals", &script), texts.len().to_string(), "{}", cluster.major());
        }
    }
}

#[test]
fn bytes_that_are_no_utf8_pass_through_a_database_that_has_no_encoding() {
    for cluster in clusters() {
        cluster
            .psql("postgres", "CREATE DATABASE sql_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
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
        assert_eq!(run(cluster, "sql_ascii", &script), values.len().to_string(), "{}", cluster.major());
    }
}

/// The texts as names: not empty, at most 63 bytes, cut between characters.
fn hostile_names(count: usize) -> Vec<String> {
    let cut = |text: String| {
        let end = (0..=63).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.get(..end).unwrap_or(&text).to_owned()
    };
    let texts = hostile_texts();
    let step = texts.len() / count;
    // Long ones, too: a name of 63 bytes is the longest that a server keeps.
    let long = (0..20).map(|index| format!("{index}{}", "é\"表'\\".repeat(10)));
    let names: BTreeSet<_> = texts.into_iter().step_by(step).chain(long).map(cut).collect();
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_identifier_is_the_name_it_was() {
    let names = hostile_names(300);
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
fn every_field_of_copy_is_the_text_it_was() {
    let texts = hostile_texts();
    for cluster in clusters() {
        cluster.create_database("copied");
        let mut script =
            b"CREATE TABLE c (found text, nothing text, expected text);\nCOPY c FROM STDIN;\n".to_vec();
        for text in &texts {
            quote::copy_text(&mut script, Some(text.as_bytes()));
            script.push(b'\t');
            quote::copy_text(&mut script, None);
            script.extend(format!("\t{}\n", hex(text.as_bytes())).bytes());
        }
        script.extend(b"\\.\n");
        script.extend(
            b"SELECT count(*) FROM c \
              WHERE encode(convert_to(found, 'UTF8'), 'hex') = expected AND nothing IS NULL;\n",
        );
        assert_eq!(run(cluster, "copied", &script), texts.len().to_string(), "{}", cluster.major());
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

#[test]
fn a_publication_of_any_name_is_found() {
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
