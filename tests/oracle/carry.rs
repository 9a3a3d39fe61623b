//! The ways from a source to a target.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::pending;
use std::io::Seek;
use std::sync::Arc;

use walferry::capture::{self, Events, Writer};
use walferry::catalog::Catalog;
use walferry::event::{Change, Event, OldRow};
use walferry::pgoutput::Datum;
use walferry::sink::Memory;
use walferry::sink::json::{Lines, Reader};
use walferry::sink::sql::{Script, SqlError};
use walferry::{Config, Connection, Pipeline, Row, StreamOptions};

use super::Schema;
use crate::support::Cluster;

/// What a stream has brought.
#[derive(Debug, PartialEq)]
pub(crate) struct Carried {
    events: Vec<Event>,
    catalog: Catalog,
}

/// Streams everything up to now, through a capture too.
pub(crate) async fn stream(cluster: &Cluster, database: &str, slot: &str, binary: bool) -> Carried {
    let config: Config = cluster.conninfo(database).parse().expect("a conninfo");
    let mut connection = Connection::connect(&config).await.expect("a connection");
    let end = connection.identify_system().await.expect("a position").wal_flushed;
    let options = StreamOptions::new(slot.parse().expect("a slot name")).publication("all").binary(binary);
    let mut stream = connection.start_replication(options).await.expect("a stream");
    stream.stop_at(end);
    let mut file = tempfile::tempfile().expect("a file");
    let writer = Writer::new(file.try_clone().expect("a file"), stream.context()).expect("a capture");
    let catalog = stream.context().catalog.clone();
    stream.record(writer);
    let memory = Memory::default();
    Pipeline::new(memory.clone()).run(stream, pending()).await.expect("all that there is");
    let carried = Carried { events: memory.take(), catalog };

    file.rewind().expect("a file");
    let captured = Events::new(capture::Reader::new(file).expect("a capture")).expect("a context");
    let mut captured = captured.stop_at(end);
    let events: Vec<_> = captured.by_ref().collect::<Result<_, _>>().expect("events of the capture");
    assert!(events == carried.events, "the capture gives other events");
    assert!(captured.context().catalog == carried.catalog, "the capture gives another catalogue");
    carried
}

impl Carried {
    /// As JSON Lines and back.
    pub(crate) fn through_json(&self) -> Self {
        let (mut lines, mut json) = (Lines::default(), Vec::new());
        for event in &self.events {
            lines.event(&mut json, event).expect("a line");
        }
        let reader = Reader::new(json.as_slice()).types(Arc::clone(self.catalog.types()));
        let events = reader.collect::<Result<_, _>>().expect("events of the lines");
        Self { events, catalog: self.catalog.clone() }
    }

    pub(crate) fn sql(&self) -> Result<Vec<u8>, SqlError> {
        let (mut script, mut sql) = (Script::new(self.catalog.clone()), Vec::new());
        for event in &self.events {
            script.event(&mut sql, event)?;
        }
        Ok(sql)
    }

    /// What the rows hold in the end, as [`Schema::on_the_wire`] has it.
    pub(crate) fn rows(&self, schema: &Schema) -> String {
        let mut rows = BTreeMap::new();
        for event in &self.events {
            if let Event::Change(change) = event {
                follow(&mut rows, schema, change);
            }
        }
        rows.iter().fold(String::new(), |mut lines, ((table, id), values)| {
            for (at, value) in values.iter().enumerate().skip(1) {
                let value = value.as_deref().map_or("NULL".to_owned(), hex);
                writeln!(lines, "{table}|{id}|{at}|{value}").expect("a String takes all");
            }
            lines
        })
    }
}

type Rows = BTreeMap<(usize, i32), Vec<Option<Vec<u8>>>>;

fn follow(rows: &mut Rows, schema: &Schema, change: &Change) {
    let key = |row: &Row| (schema.position(&row.relation().name), id(row));
    let (old, new) = match change {
        Change::Insert { new } => (None, Some(new)),
        Change::Update { old, new } => (Some(old.as_ref().map_or(new, OldRow::row)), Some(new)),
        Change::Delete { old } => (Some(old.row()), None),
        other => panic!("{other:?}"),
    };
    let before = old.map(|old| rows.remove(&key(old)).expect("a row that is there"));
    let Some(new) = new else { return };
    let value = |(at, (_, datum)): (usize, (&_, Datum<'_>))| match datum {
        Datum::Null => None,
        Datum::Unchanged => before.as_ref().expect("an update")[at].clone(),
        Datum::Text(bytes) | Datum::Binary(bytes) => Some(bytes.to_vec()),
    };
    let after = new.iter().enumerate().map(value).collect();
    assert!(rows.insert(key(new), after).is_none(), "a row that isn't there");
}

fn id(row: &Row) -> i32 {
    match row.get("id").expect("an id") {
        Datum::Text(digits) => String::from_utf8_lossy(digits).parse().expect("a number"),
        Datum::Binary(bytes) => i32::from_be_bytes(bytes.try_into().expect("four bytes")),
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).expect("a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
