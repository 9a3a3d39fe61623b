//! The whole path: random values of every type, in random tables of random types, from a source through text or binary,
//! and through an SQL script, JSON or a capture, into a target. The servers say whether both hold the same.
//!
//! A value is the same when the type's output function and its send function give the same: see `oracle/print.rs`.
//! `WALFERRY_LONG=1` tries more seeds, on every server, and `WALFERRY_SEED=17` that one again.
#![expect(clippy::panic, reason = "a helper of a test fails the test")]

mod oracle;
mod support;

use oracle::{Schema, carry};
use support::{Cluster, Random, Server};
use tokio::runtime::{self, Runtime};
use walferry::sink::sql::SqlError;
use walferry::value::{TypeKind, Types, ValueErrorKind};

/// What sessions begin with that pin nothing. None of it may be seen in a value.
const PROFILES: [&[(&str, &str)]; 2] = [
    &[],
    &[
        ("DateStyle", "German"),
        ("IntervalStyle", "iso_8601"),
        ("TimeZone", "Asia/Kathmandu"),
        ("bytea_output", "escape"),
        ("extra_float_digits", "0"),
        ("standard_conforming_strings", "off"),
        ("xmloption", "document"),
        ("array_nulls", "off"),
        ("quote_all_identifiers", "on"),
    ],
];

/// A server, and what all seeds have in common.
struct Oracle {
    cluster: Cluster,
    runtime: Runtime,
    /// In which money is printed otherwise than in C, if this machine has one.
    locale: &'static str,
    /// See [`oracle::sends_query`].
    sends: String,
}

impl Oracle {
    fn start(server: &Server) -> Self {
        let cluster = server.options().locale("de_DE").start();
        let is_known = cluster.try_psql("postgres", "SET lc_monetary = 'de_DE.UTF-8'").is_ok();
        let locale = if is_known { "de_DE.UTF-8" } else { "POSIX" };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let sends = cluster.psql("postgres", &oracle::sends_query());
        let runtime = runtime.unwrap_or_else(|error| panic!("a runtime: {error}"));
        Self { cluster, runtime, locale, sends }
    }

    fn run(&self, database: &str, script: &[u8]) -> String {
        let result = self
            .cluster
            .psql_file(database, &[b"\\pset tuples_only\n\\pset format unaligned\n", script].concat());
        result.unwrap_or_else(|error| {
            let path = std::env::temp_dir().join(format!("walferry-{database}-{}.sql", self.cluster.major()));
            let kept = std::fs::write(&path, script).map(|()| path);
            panic!("PostgreSQL {}, {database}: {error:.2000}\nthe script: {kept:?}", self.cluster.major())
        })
    }

    fn create(&self, database: &str, schema: &Schema, profile: &[(&str, &str)]) {
        self.cluster.create_database(database);
        self.run(database, schema.ddl().as_bytes());
        let locale = [("lc_monetary", self.locale)];
        for (name, value) in profile.iter().chain(locale.iter().filter(|_| !profile.is_empty())) {
            self.cluster.psql(
                database,
                &format!("ALTER DATABASE {} SET {name} = '{value}'", support::sql::database(database)),
            );
        }
    }

    /// Carries the rows of a seed across in every way, and returns what is in the source.
    fn carry(&self, seed: u64, profile: &[(&str, &str)]) -> String {
        let mut random = Random::new(seed);
        let schema = Schema::new(&mut random);
        let source = "source";
        self.create(source, &schema, profile);
        self.run(source, b"CREATE PUBLICATION \"all\" FOR ALL TABLES;\n");
        for binary in [false, true] {
            self.cluster.psql(
                source,
                &format!("SELECT pg_create_logical_replication_slot('{}', 'pgoutput')", slot(binary)),
            );
        }
        self.run(source, schema.changes(&mut random).as_bytes());
        let contents = self.run(source, schema.contents(&self.sends).as_bytes());
        let mut scripts = Vec::new();
        for binary in [false, true] {
            let carried = self.runtime.block_on(carry::stream(&self.cluster, source, slot(binary), binary));
            let expected = self.run(source, schema.on_the_wire(&self.sends, binary).as_bytes());
            same("the stream", &expected, &carried.rows(&schema));
            let through_json = carried.through_json();
            assert!(through_json == carried, "JSON gives other events");
            if binary && schema.names_objects {
                let refused = carried.sql().err();
                let SqlError::Binary { source, .. } =
                    refused.unwrap_or_else(|| panic!("names of objects as SQL"))
                else {
                    panic!("another error");
                };
                assert_eq!(source.kind(), &ValueErrorKind::OneForm);
            } else {
                let sql = carried.sql().unwrap_or_else(|error| panic!("SQL: {error:?}"));
                assert!(through_json.sql().is_ok_and(|same| same == sql), "JSON gives another script");
                if binary {
                    assert!(scripts.iter().all(|text| *text == sql), "binary gives another script than text");
                }
                self.create("target", &schema, profile);
                self.run("target", &sql);
                same("the target", &contents, &self.run("target", schema.contents(&self.sends).as_bytes()));
                self.cluster.drop_database("target");
                scripts.push(sql);
            }
            self.cluster.psql(source, &format!("SELECT pg_drop_replication_slot('{}')", slot(binary)));
        }
        self.cluster.drop_database(source);
        contents
    }
}

fn slot(binary: bool) -> &'static str {
    if binary { "binary" } else { "text" }
}

fn same(place: &str, expected: &str, found: &str) {
    let mut lines = expected.lines().zip(found.lines());
    let differs = lines.find(|(expected, found)| expected != found);
    assert!(
        differs.is_none(),
        "{place}: {:#?}",
        differs.map(|(expected, found)| [cut(expected), cut(found)])
    );
    assert_eq!(expected.lines().count(), found.lines().count(), "{place}");
}

fn cut(line: &str) -> &str {
    support::hostile::cut(line, 2000)
}

fn every_seed(server: &Server) {
    let oracle = Oracle::start(server);
    let mut values = 0;
    support::for_each_seed(5, 100, |seed| {
        let [contents, others] = PROFILES.map(|profile| oracle.carry(seed, profile));
        same("the second profile", &contents, &others);
        values += contents.lines().count();
    });
    eprintln!("{values} values on {}, lc_monetary {}", server.major, oracle.locale);
}

#[test]
fn museum_01_to_06_every_value_of_every_type_arrives_as_it_was() {
    support::on_each_server(every_seed);
}

#[test]
fn no_built_in_type_is_left_out() {
    let is_leaf = |kind: &TypeKind| matches!(kind, TypeKind::Base | TypeKind::Vector { .. });
    let leaves = Types::built_in().iter().filter(|known| is_leaf(&known.kind));
    let mut expected: Vec<_> = leaves.map(|known| known.name.clone().into_owned()).collect();
    expected.sort_unstable();
    let cluster = support::newest().start();
    assert_eq!(oracle::covered(&cluster.psql("postgres", &oracle::sends_query())), expected);
}
