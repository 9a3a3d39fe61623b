//! The committed captures: the same hostile workload as servers 14 to 18 sent it, plain and streamed.
#![expect(clippy::expect_used, clippy::panic, reason = "a helper of a test fails the test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use walferry::capture::{Events, Reader};
use walferry::catalog::Catalog;
use walferry::sink::json::{self, Lines};
use walferry::sink::sql::Script;
use walferry::{Change, Event};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");

/// Every capture, by server and way of sending.
fn captures() -> BTreeMap<(u32, &'static str), PathBuf> {
    let variants = |major| {
        if major >= 16 { ["plain", "streamed", "parallel"].as_slice() } else { &["plain", "streamed"] }
    };
    (14..=18)
        .flat_map(|major| variants(major).iter().map(move |&variant| (major, variant)))
        .map(|key| (key, Path::new(FOLDER).join(format!("pg{}/{}.walferry", key.0, key.1))))
        .collect()
}

fn events(path: &Path) -> (Catalog, Vec<Event>) {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut events = Events::new(Reader::new(file).expect("a capture")).expect("a context");
    let read = events.by_ref().collect::<Result<_, _>>().expect("events");
    assert_eq!(events.reader().torn_tail(), None, "{}", path.display());
    (events.context().catalog.clone(), read)
}

/// The changes as SQL, without what differs from server to server: transaction ids, positions and times; and the tables' ids in
/// the names of variables.
fn statements(path: &Path) -> Vec<String> {
    let (catalog, events) = events(path);
    let mut script = Script::new(catalog);
    let mut sql = Vec::new();
    for event in &events {
        if matches!(event, Event::Change(_)) {
            script.event(&mut sql, event).expect("SQL");
        }
    }
    String::from_utf8(sql).expect("the workload is UTF-8").lines().map(without_ids).collect()
}

fn without_ids(line: &str) -> String {
    let mut pieces = line.split("only_");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("only_");
        out.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

#[test]
fn every_server_and_every_way_of_sending_gives_the_same_statements() {
    let captures = captures();
    assert_eq!(captures.len(), 13);
    let expected = statements(&captures[&(18, "plain")]);
    assert!(expected.len() > 600, "{} lines", expected.len());
    for ((major, variant), path) in &captures {
        let found = statements(path);
        let differs = expected.iter().zip(&found).position(|(expected, found)| expected != found);
        assert_eq!((differs, found.len()), (None, expected.len()), "PostgreSQL {major}, {variant}");
    }
}

#[test]
fn streamed_captures_hold_blocks_of_transactions_in_progress() {
    for ((major, variant), path) in captures() {
        let mut reader = Reader::new(File::open(path).expect("a capture")).expect("a capture");
        let mut blocks = 0;
        while let Some(record) = reader.next_record().expect("a record") {
            if let walferry::capture::Record::Frame { payload, .. } = record {
                blocks += u32::from(payload.first() == Some(&b'w') && payload.get(25) == Some(&b'S'));
            }
        }
        assert_eq!(blocks > 0, variant != "plain", "PostgreSQL {major}, {variant}: {blocks} blocks");
    }
}

#[test]
fn every_line_of_json_is_one_event_or_the_relation_that_it_needs() {
    for ((major, variant), path) in captures() {
        let (_, events) = events(&path);
        let (mut lines, mut json) = (Lines::default(), Vec::new());
        for event in &events {
            lines.event(&mut json, event).expect("JSON");
        }
        let mut counts = BTreeMap::<String, usize>::new();
        for line in String::from_utf8(json).expect("UTF-8").lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            *counts.entry(value["event"].as_str().expect("a kind").to_owned()).or_default() += 1;
        }
        let relations = counts.remove("relation").unwrap_or_default();
        assert!(relations > 20, "PostgreSQL {major}, {variant}: {relations} relations");
        assert_eq!(counts.values().sum::<usize>(), events.len(), "PostgreSQL {major}, {variant}");
        let inserts =
            events.iter().filter(|event| matches!(event, Event::Change(Change::Insert { .. }))).count();
        assert_eq!(counts["insert"], inserts, "PostgreSQL {major}, {variant}");
    }
}

fn written(events: &[Event]) -> Vec<u8> {
    let (mut lines, mut json) = (Lines::default(), Vec::new());
    for event in events {
        lines.event(&mut json, event).expect("JSON");
    }
    json
}

#[test]
fn every_capture_is_the_same_events_when_its_json_is_read_back() {
    for ((major, variant), path) in captures() {
        let (_, events) = events(&path);
        let json = written(&events);
        let read: Vec<_> = json::Reader::new(json.as_slice()).collect::<Result<_, _>>().expect("events");
        assert!(events.len() > 600, "{} events", events.len());
        assert_eq!(read.len(), events.len(), "PostgreSQL {major}, {variant}");
        let differs = events.iter().zip(&read).position(|(event, read)| event != read);
        assert_eq!(differs, None, "PostgreSQL {major}, {variant}");
        assert_eq!(written(&read), json, "PostgreSQL {major}, {variant}");
    }
}
