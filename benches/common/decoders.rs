//! Who decodes, and what each sees: a walk over the length fields that builds nothing, this crate, and published decoders.
#![allow(dead_code, clippy::allow_attributes, reason = "each program that includes this uses a part of it")]

use std::ops::{Add, AddAssign};

use ::pgoutput::events::base::event::BaseEvent;
use ::pgoutput::events::base::tuple_data::{OldDataOrPrimaryKeyTupleData, PGValue, TupleDataColumn};
use ::pgoutput::events::event::{Event, EventType};
use ::pgoutput::options::{BinaryValueTraitOff, BinaryValueTraitOn, StreamingValueTraitOff};
use bytes::Bytes;
use pg_walstream::protocol::{LogicalReplicationMessage, LogicalReplicationParser, TupleData};
use walferry::pgoutput::{Datum, Decoder, Message, OldTuple, Tuple};

use crate::frames::Shape;

/// What a visit of every column found: the same, whoever decodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bytes: usize,
    pub(crate) nulls: usize,
}

impl Add for Seen {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, nulls: self.nulls + other.nulls }
    }
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// Sees each row's columns, in messages as they come off the connection: takes them out, and lets go of each.
pub(crate) type Decode = Box<dyn FnMut(&mut Vec<Bytes>) -> Seen>;

pub(crate) const FLOOR: &str = "floor";
pub(crate) const OURS: &str = "walferry";

/// All of them, ready for the messages of the shape: the floor, this crate, then the others.
pub(crate) fn all(shape: &Shape) -> Vec<(&'static str, Decode)> {
    let theirs =
        if shape.binary { pgoutput::<BinaryValueTraitOn>() } else { pgoutput::<BinaryValueTraitOff>() };
    vec![(FLOOR, floor()), (OURS, ours(shape)), ("pg_walstream", pg_walstream()), ("pgoutput", theirs)]
}

/// A bounds-checked walk over the length fields.
pub(crate) fn floor() -> Decode {
    Box::new(|messages| messages.drain(..).map(|message| walk_message(&message).expect("a message")).sum())
}

fn walk_message(message: &[u8]) -> Option<Seen> {
    let mut seen = Seen::default();
    if matches!(message.first()?, b'I' | b'U' | b'D') {
        let (_, mut rest) = message.split_at_checked(5)?;
        while let Some((_, tuple)) = rest.split_first() {
            rest = walk(tuple, &mut seen)?;
        }
    }
    Some(seen)
}

/// Sees a tuple's values and moves behind it.
fn walk<'a>(bytes: &'a [u8], seen: &mut Seen) -> Option<&'a [u8]> {
    let (columns, mut rest) = bytes.split_first_chunk()?;
    for _ in 0..u16::from_be_bytes(*columns) {
        let (kind, behind) = rest.split_first()?;
        rest = behind;
        if matches!(kind, b't' | b'b') {
            let (length, behind) = rest.split_first_chunk()?;
            let length = u32::from_be_bytes(*length) as usize;
            rest = behind.get(length..)?;
            seen.bytes += length;
        } else {
            seen.nulls += usize::from(*kind == b'n');
        }
    }
    Some(rest)
}

/// Message, relation lookup, and one visit of every column.
pub(crate) fn ours(shape: &Shape) -> Decode {
    let mut decoder = Decoder::new();
    for relation in &shape.announced {
        decoder.decode(relation.clone()).expect("a relation");
    }
    Box::new(move |messages| messages.drain(..).map(|message| decode(&mut decoder, message)).sum())
}

fn decode(decoder: &mut Decoder, message: Bytes) -> Seen {
    match decoder.decode(message).expect("a message") {
        Message::Insert(insert) => visit(&insert.new),
        Message::Update(update) => {
            update.old.as_ref().map_or_else(Seen::default, visit_old) + visit(&update.new)
        }
        Message::Delete(delete) => visit_old(&delete.old),
        _ => Seen::default(),
    }
}

fn visit_old(old: &OldTuple) -> Seen {
    match old {
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => visit(tuple),
    }
}

/// What stands in a tuple.
pub(crate) fn visit(tuple: &Tuple) -> Seen {
    let mut seen = Seen::default();
    for datum in tuple {
        match datum {
            Datum::Text(value) | Datum::Binary(value) => seen.bytes += value.len(),
            Datum::Null => seen.nulls += 1,
            Datum::Unchanged => {}
        }
    }
    seen
}

/// Its parser, which gives values without names; its events, which have them, take twice the time.
fn pg_walstream() -> Decode {
    let mut parser = LogicalReplicationParser::with_protocol_version(1);
    Box::new(move |messages| {
        let parse = |message| match parser.parse_wal_message_bytes(message).expect("a message").message {
            LogicalReplicationMessage::Insert { tuple, .. } => visit_theirs(&tuple),
            LogicalReplicationMessage::Update { old_tuple, new_tuple, .. } => {
                old_tuple.as_ref().map_or_else(Seen::default, visit_theirs) + visit_theirs(&new_tuple)
            }
            LogicalReplicationMessage::Delete { old_tuple, .. } => visit_theirs(&old_tuple),
            _ => Seen::default(),
        };
        messages.drain(..).map(parse).sum()
    })
}

fn visit_theirs(tuple: &TupleData) -> Seen {
    let mut seen = Seen::default();
    for column in &tuple.columns {
        if column.is_null() {
            seen.nulls += 1;
        } else {
            seen.bytes += column.as_bytes().len();
        }
    }
    seen
}

/// A message that it refuses, though a server sends it, counts as one without a row.
fn pgoutput<Binary>() -> Decode
where
    Binary: PGValue + std::fmt::Debug + 'static,
    Binary::Type: AsRef<[u8]>,
{
    Box::new(|messages| {
        let parse = |message: Bytes| {
            let (tag, fields) = message.split_first().expect("a tag");
            let kind = EventType::from_char(*tag).expect("a message");
            match Event::<Binary, StreamingValueTraitOff>::parse(&kind, fields) {
                Ok(Event::Base(BaseEvent::Insert(insert))) => visit_columns(&insert.data),
                Ok(Event::Base(BaseEvent::Update(update))) => {
                    visit_either(update.old_data_or_primary_key.as_ref()) + visit_columns(&update.data)
                }
                Ok(Event::Base(BaseEvent::Delete(delete))) => {
                    visit_either(delete.old_data_or_primary_key.as_ref())
                }
                _ => Seen::default(),
            }
        };
        messages.drain(..).map(parse).sum()
    })
}

fn visit_either<Binary: PGValue + std::fmt::Debug>(old: Option<&OldDataOrPrimaryKeyTupleData<Binary>>) -> Seen
where
    Binary::Type: AsRef<[u8]>,
{
    use OldDataOrPrimaryKeyTupleData::{OldTupleData, PrimaryKeyTupleData};
    match old {
        Some(OldTupleData(columns) | PrimaryKeyTupleData(columns)) => visit_columns(columns),
        None => Seen::default(),
    }
}

fn visit_columns<Binary: PGValue + std::fmt::Debug>(columns: &[TupleDataColumn<Binary>]) -> Seen
where
    Binary::Type: AsRef<[u8]>,
{
    let mut seen = Seen::default();
    for column in columns {
        match column {
            TupleDataColumn::Value(value) => seen.bytes += value.as_ref().len(),
            TupleDataColumn::PGNull => seen.nulls += 1,
            TupleDataColumn::PGUnchangedToastedValue => {}
        }
    }
    seen
}
