//! Changes of the shapes that decoders are measured on, as a server sends them: one source for benches and tests.
#![allow(dead_code, clippy::allow_attributes, reason = "each program that includes this uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what can't be made fails the program"
)]

use std::fs::File;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use walferry::capture::{Reader, Record};
use walferry::frame::Frame;
use walferry::pgoutput::{
    Begin, Column, Commit, Datum, Insert, Message, OldTuple, Relation, ReplicaIdentity, Tuple, Update,
};
use walferry::value::{Types, Value};
use walferry::{Lsn, Oid, RelationId, Timestamp, Xid};

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/pg18/plain.walferry");

/// Rows of a shape; where each is a transaction of its own, three times as many messages.
pub(crate) const ROWS: u32 = 1024;

/// Messages in the order in which a server sends them.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Of each row.
    pub(crate) columns: usize,
    /// Whether the values are in their binary form.
    pub(crate) binary: bool,
    /// What announces the tables of the messages; those of a capture do so themselves.
    pub(crate) announced: Vec<Bytes>,
    /// As the connection's codec hands them out: slices of one read buffer.
    pub(crate) messages: Vec<Bytes>,
}

/// Nine: eight that are made, and what a server sent of the workload in tests/workload.
pub(crate) fn shapes() -> Vec<Shape> {
    let narrow = |row| insert(TABLE, &three(row));
    let shapes = [
        Shape::new("narrow", 3, narrow),
        Shape::new("four tables", 3, |row| insert(TABLE + row % 4 * 7, &three(row))),
        Shape::new("wide", 30, |row| insert(TABLE, &wide(row))),
        Shape::new("text", 2, |row| insert(TABLE, &vec![Some(row.to_string()), Some(words(row, 3900))])),
        Shape::new("full", 12, full),
        Shape::new("toast", 3, toast),
        oltp(),
        Shape { binary: true, ..Shape::new("wide binary", 30, |row| insert_binary(&wide(row))) },
        captured(),
    ];
    shapes.into()
}

/// The shape of that name.
pub(crate) fn shape(name: &str) -> Shape {
    let found = shapes().into_iter().find(|shape| shape.name == name);
    found.unwrap_or_else(|| panic!("no shape is named {name}"))
}

const TABLE: u32 = 16_384;

/// Values in their text form; `None` is NULL.
type Texts = Vec<Option<String>>;

impl Shape {
    fn new(name: &'static str, columns: usize, message: impl Fn(u32) -> Message) -> Self {
        let announced = (0..4).map(|table| relation(TABLE + table * 7, columns).encode()).collect();
        let messages = slices_of_one_buffer((0..ROWS).map(message).map(|message| message.encode()));
        Self { name, columns, binary: false, announced, messages }
    }
}

/// One-row transactions.
fn oltp() -> Shape {
    let shape = Shape::new("oltp", 3, |row| insert(TABLE, &three(row)));
    let transactions = shape.messages.iter().zip(0..).flat_map(|(insert, row)| {
        let (commit_lsn, end_lsn) =
            (Lsn::new(0x0100_0000 + row * 128), Lsn::new(0x0100_0000 + row * 128 + 48));
        let (commit_time, xid) = (Timestamp::from_micros(848_651_118_010_087), Xid::new(1067));
        let begin = Message::Begin(Begin { commit_lsn, commit_time, xid });
        let commit = Message::Commit(Commit { commit_lsn, end_lsn, commit_time });
        [begin.encode(), insert.clone(), commit.encode()]
    });
    Shape { name: "oltp", messages: slices_of_one_buffer(transactions), ..shape }
}

/// Every message of a capture, announcements included.
fn captured() -> Shape {
    let file = File::open(Path::new(CAPTURE)).expect("a capture");
    let mut reader = Reader::new(file).expect("a capture");
    let mut messages = Vec::new();
    while let Some(record) = reader.next_record().expect("a record") {
        let Record::Frame { payload, .. } = record else { continue };
        if let Frame::XLogData(data) = Frame::decode(payload).expect("a frame") {
            messages.push(data.payload);
        }
    }
    let messages = slices_of_one_buffer(messages.into_iter());
    Shape { name: "capture", columns: 0, binary: false, announced: Vec::new(), messages }
}

pub(crate) fn slices_of_one_buffer(messages: impl Iterator<Item = Bytes>) -> Vec<Bytes> {
    let messages: Vec<Bytes> = messages.collect();
    let mut buffer = BytesMut::from(messages.concat().as_slice());
    messages.iter().map(|message| buffer.split_to(message.len()).freeze()).collect()
}

fn relation(id: u32, columns: usize) -> Message {
    let column = |number| Column {
        name: format!("column_{number}"),
        type_oid: type_of(number),
        type_modifier: -1,
        is_key: number == 0,
    };
    let columns = (0..columns).map(column).collect();
    let (schema, name) = ("public".into(), format!("table_{id}"));
    let replica_identity = ReplicaIdentity::Default;
    Message::Relation(None, Relation { id: RelationId::new(id), schema, name, replica_identity, columns })
}

fn insert(table: u32, texts: &Texts) -> Message {
    Message::Insert(Insert { xid: None, relation_id: RelationId::new(table), new: tuple(texts) })
}

/// The same row as a server sends it with the option `binary`.
fn insert_binary(texts: &Texts) -> Message {
    let types = Types::new();
    let binary = texts.iter().enumerate().map(|(number, text)| {
        let datum = Datum::Text(text.as_deref()?.as_bytes());
        let value = Value::new(datum, type_of(number), &types).expect("not NULL");
        Some(value.to_binary().expect("what a server prints").into_owned())
    });
    let binary: Vec<Option<Vec<u8>>> = binary.collect();
    let new = Tuple::from_datums(binary.iter().map(|value| match value {
        Some(value) => Datum::Binary(value),
        None => Datum::Null,
    }));
    Message::Insert(Insert { xid: None, relation_id: RelationId::new(TABLE), new })
}

/// An update under full identity that changes one column.
fn full(row: u32) -> Message {
    let old: Texts = wide(row).into_iter().take(12).collect();
    let mut new = old.clone();
    new[1] = Some((row * 7).to_string());
    let (old, new) = (Some(OldTuple::Full(tuple(&old))), tuple(&new));
    Message::Update(Update { xid: None, relation_id: RelationId::new(TABLE), old, new })
}

/// An update that leaves a value alone that is stored out of line.
fn toast(row: u32) -> Message {
    let (id, counter) = (row.to_string(), (row * 7).to_string());
    let datums = [Datum::Text(id.as_bytes()), Datum::Text(counter.as_bytes()), Datum::Unchanged];
    let new = Tuple::from_datums(datums);
    Message::Update(Update { xid: None, relation_id: RelationId::new(TABLE), old: None, new })
}

fn tuple(texts: &Texts) -> Tuple {
    Tuple::from_datums(texts.iter().map(|text| match text {
        Some(text) => Datum::Text(text.as_bytes()),
        None => Datum::Null,
    }))
}

fn three(row: u32) -> Texts {
    [row * 977, row % 1000, row * 7].map(|number| Some(number.to_string())).into()
}

/// int4, int8, text, numeric, timestamptz and float8.
const TYPES: [u32; 5] = [20, 25, 1700, 1184, 701];

pub(crate) fn type_of(number: usize) -> Oid {
    Oid::new(if number == 0 { 23 } else { TYPES[number % 5] })
}

/// A key, and five kinds of columns in turn behind it; a quarter of their values is NULL.
fn wide(row: u32) -> Texts {
    let column = |number: u32| match number % 5 {
        0 => (u64::from(row) * 1_000_003 + u64::from(number)).to_string(),
        1 => format!("value {row} of column {number}"),
        2 => format!("{}.{:03}", row * 17 + number, row % 1000),
        3 => format!("2026-01-01 {:02}:{:02}:{:02}.{:06}+00", row % 24, row % 60, number, row * 10 + 1),
        _ => format!("{}.{}", row * 3 + number, number * 2 + 1),
    };
    let value = |number: u32| (!(row + number).is_multiple_of(4)).then(|| column(number));
    [Some(row.to_string())].into_iter().chain((1..30).map(value)).collect()
}

fn words(row: u32, length: usize) -> String {
    format!("text of row {row}; ").chars().cycle().take(length).collect()
}
