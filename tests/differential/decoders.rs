//! The golden frames and the captures of servers 14 to 18, read by published decoders, too.
//!
//! `pg_walstream` reads every message, and each of its fields is compared with ours. `pgoutput` 0.0.7 reads rows, and those
//! are compared. Neither reads anything else than this crate; what they leave to the reader is said where it is made up.

use std::collections::BTreeMap;
use std::fs::{self, File};

use ::pgoutput::events::base::event::BaseEvent;
use ::pgoutput::events::base::tuple_data::{OldDataOrPrimaryKeyTupleData, TupleDataColumn};
use ::pgoutput::events::event::{Event, EventType};
use ::pgoutput::options::{BinaryValueTraitOff, StreamingValueTraitOff};
use bytes::Bytes;
use pg_walstream::protocol::{
    ColumnData, LogicalReplicationMessage as Theirs, LogicalReplicationParser, TupleData,
};
use walferry::capture::{Reader, Record};
use walferry::frame::Frame;
use walferry::pgoutput::{
    AbortInfo, Begin, Column, Commit, CommitPrepared, Datum, Decoder, Delete, Insert, LogicalMessage,
    Message, OldTuple, Origin, Prepare, Relation, ReplicaIdentity, RollbackPrepared, StreamAbort,
    StreamCommit, StreamStart, Truncate, Tuple, Type, Update,
};
use walferry::{Lsn, Oid, RelationId, Timestamp, Xid};

use crate::frames;

/// What one connection sent.
struct Stream {
    place: String,
    parallel: bool,
    messages: Vec<Bytes>,
}

fn streams() -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for golden in frames::golden_frames() {
        if golden.new_case {
            streams.push(Stream { place: golden.place, parallel: golden.parallel, messages: Vec::new() });
        }
        streams.last_mut().expect("the first begins a case").messages.extend(message(golden.copy_data));
    }
    assert!(streams.len() > 50, "{} golden streams", streams.len());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");
    for major in 14..=18 {
        for entry in fs::read_dir(format!("{folder}/pg{major}")).expect("a folder") {
            let path = entry.expect("an entry").path();
            let place = path.display().to_string();
            let parallel = place.ends_with("parallel.walferry");
            let mut reader = Reader::new(File::open(path).expect("a capture")).expect("a capture");
            let mut messages = Vec::new();
            while let Some(record) = reader.next_record().expect("a record") {
                if let Record::Frame { payload, .. } = record {
                    messages.extend(message(payload));
                }
            }
            streams.push(Stream { place, parallel, messages });
        }
    }
    streams
}

fn message(copy_data: Bytes) -> Option<Bytes> {
    match Frame::decode(copy_data).expect("a frame") {
        Frame::XLogData(data) => Some(data.payload),
        _ => None,
    }
}

/// Calls `check` with each message as this crate decodes it, and its bytes; gives how many there were of each tag.
fn for_each_message(mut check: impl FnMut(&Stream, usize, &Bytes, Message)) -> BTreeMap<char, usize> {
    let mut tags = BTreeMap::new();
    for stream in streams() {
        let mut decoder = Decoder::new().parallel_streaming(stream.parallel);
        for (number, bytes) in stream.messages.iter().enumerate() {
            let message = decoder.decode(bytes.clone()).expect(&stream.place);
            *tags.entry(char::from(message.tag())).or_default() += 1;
            check(&stream, number, bytes, message);
        }
    }
    tags
}

#[test]
fn pg_walstream_reads_the_same_from_every_message() {
    let mut parser = LogicalReplicationParser::with_protocol_version(4);
    let mut in_blocks = 0;
    let tags = for_each_message(|stream, number, bytes, ours| {
        if number == 0 {
            parser = LogicalReplicationParser::with_protocol_version(4);
        }
        let parsed = parser.parse_wal_message_bytes(bytes.clone()).expect(&stream.place);
        let theirs = translated(parsed.message, parsed.xid.map(Xid::new));
        in_blocks += usize::from(parsed.is_streaming);
        assert_eq!(theirs, ours, "{} #{number}", stream.place);
    });
    let all: String = tags.keys().collect();
    assert_eq!(all, "ABCDEIKMOPRSTUYbcpr", "every message there is was compared: {tags:?}");
    assert!(in_blocks > 1000, "{in_blocks} messages in stream blocks");
}

/// Their message in our words.
fn translated(message: Theirs, xid: Option<Xid>) -> Message {
    match message {
        Theirs::Begin { final_lsn, timestamp, xid } => Message::Begin(Begin {
            commit_lsn: lsn(final_lsn),
            commit_time: time(timestamp),
            xid: Xid::new(xid),
        }),
        Theirs::Commit { flags: 0, commit_lsn, end_lsn, timestamp } => Message::Commit(Commit {
            commit_lsn: lsn(commit_lsn),
            end_lsn: lsn(end_lsn),
            commit_time: time(timestamp),
        }),
        Theirs::Relation { relation_id, namespace, relation_name, replica_identity, columns } => {
            let column = |column: &pg_walstream::protocol::ColumnInfo| Column {
                name: column.name.to_string(),
                type_oid: Oid::new(column.type_id),
                type_modifier: column.type_modifier,
                is_key: column.flags == 1,
            };
            let columns = columns.iter().map(column).collect();
            let (id, schema) = (RelationId::new(relation_id), in_full(&namespace));
            let (name, replica_identity) = (relation_name.to_string(), identity(replica_identity));
            Message::Relation(xid, Relation { id, schema, name, replica_identity, columns })
        }
        Theirs::Type { type_id, namespace, type_name } => {
            Message::Type(xid, Type { id: Oid::new(type_id), schema: in_full(&namespace), name: type_name })
        }
        Theirs::Origin { origin_lsn, origin_name } => {
            Message::Origin(Origin { commit_lsn: lsn(origin_lsn), name: origin_name })
        }
        Theirs::Insert { relation_id, tuple: new } => {
            Message::Insert(Insert { xid, relation_id: RelationId::new(relation_id), new: tuple(&new) })
        }
        Theirs::Update { relation_id, old_tuple, new_tuple, key_type } => {
            let old = old_tuple.map(|old| old_row(key_type.expect("a kind of old row"), &old));
            let relation_id = RelationId::new(relation_id);
            Message::Update(Update { xid, relation_id, old, new: tuple(&new_tuple) })
        }
        Theirs::Delete { relation_id, old_tuple, key_type } => {
            let old = old_row(key_type, &old_tuple);
            Message::Delete(Delete { xid, relation_id: RelationId::new(relation_id), old })
        }
        Theirs::Truncate { relation_ids, flags } => Message::Truncate(Truncate {
            xid,
            cascade: flags & 1 > 0,
            restart_identity: flags & 2 > 0,
            relation_ids: relation_ids.into_iter().map(RelationId::new).collect(),
        }),
        Theirs::Message { flags, lsn: at, prefix, content } => {
            let transactional = flags == 1;
            Message::Message(LogicalMessage { xid, transactional, lsn: lsn(at), prefix, content })
        }
        other => in_progress(other),
    }
}

/// Transactions that are sent before they end, or are prepared.
fn in_progress(message: Theirs) -> Message {
    match message {
        Theirs::StreamStart { xid, first_segment } => {
            Message::StreamStart(StreamStart { xid: Xid::new(xid), first_segment })
        }
        Theirs::StreamStop => Message::StreamStop,
        Theirs::StreamCommit { xid, flags: 0, commit_lsn, end_lsn, timestamp } => {
            Message::StreamCommit(StreamCommit {
                xid: Xid::new(xid),
                commit_lsn: lsn(commit_lsn),
                end_lsn: lsn(end_lsn),
                commit_time: time(timestamp),
            })
        }
        Theirs::StreamAbort { xid, subtransaction_xid, abort_lsn, abort_timestamp } => {
            let info = abort_lsn.zip(abort_timestamp);
            let info = info.map(|(at, when)| AbortInfo { abort_lsn: lsn(at), abort_time: time(when) });
            Message::StreamAbort(StreamAbort {
                xid: Xid::new(xid),
                subxid: Xid::new(subtransaction_xid),
                info,
            })
        }
        Theirs::BeginPrepare { prepare_lsn, end_lsn, timestamp, xid, gid } => {
            Message::BeginPrepare(prepare(prepare_lsn, end_lsn, timestamp, xid, gid))
        }
        Theirs::Prepare { flags: 0, prepare_lsn, end_lsn, timestamp, xid, gid } => {
            Message::Prepare(prepare(prepare_lsn, end_lsn, timestamp, xid, gid))
        }
        Theirs::StreamPrepare { flags: 0, prepare_lsn, end_lsn, timestamp, xid, gid } => {
            Message::StreamPrepare(prepare(prepare_lsn, end_lsn, timestamp, xid, gid))
        }
        Theirs::CommitPrepared { flags: 0, commit_lsn, end_lsn, timestamp, xid, gid } => {
            Message::CommitPrepared(CommitPrepared {
                commit_lsn: lsn(commit_lsn),
                end_lsn: lsn(end_lsn),
                commit_time: time(timestamp),
                xid: Xid::new(xid),
                gid,
            })
        }
        Theirs::RollbackPrepared {
            flags: 0,
            prepare_end_lsn,
            rollback_end_lsn,
            prepare_timestamp,
            rollback_timestamp,
            xid,
            gid,
        } => Message::RollbackPrepared(RollbackPrepared {
            prepare_end_lsn: lsn(prepare_end_lsn),
            rollback_end_lsn: lsn(rollback_end_lsn),
            prepare_time: time(prepare_timestamp),
            rollback_time: time(rollback_timestamp),
            xid: Xid::new(xid),
            gid,
        }),
        other => panic!("no message with these flags is sent: {other:?}"),
    }
}

fn prepare(prepare_lsn: u64, end_lsn: u64, timestamp: i64, xid: u32, gid: String) -> Prepare {
    let (prepare_lsn, end_lsn) = (lsn(prepare_lsn), lsn(end_lsn));
    Prepare { prepare_lsn, end_lsn, prepare_time: time(timestamp), xid: Xid::new(xid), gid }
}

fn lsn(number: u64) -> Lsn {
    Lsn::new(number)
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// An empty name of a schema is `pg_catalog` (proto.c, `logicalrep_write_namespace`), which they leave to the reader.
fn in_full(schema: &str) -> String {
    if schema.is_empty() { "pg_catalog" } else { schema }.to_owned()
}

fn identity(letter: u8) -> ReplicaIdentity {
    match letter {
        b'd' => ReplicaIdentity::Default,
        b'n' => ReplicaIdentity::Nothing,
        b'f' => ReplicaIdentity::Full,
        b'i' => ReplicaIdentity::Index,
        other => panic!("no replica identity {other}"),
    }
}

fn old_row(marker: char, row: &TupleData) -> OldTuple {
    if marker == 'K' { OldTuple::Key(tuple(row)) } else { OldTuple::Full(tuple(row)) }
}

fn tuple(row: &TupleData) -> Tuple {
    Tuple::from_datums(row.columns.iter().map(|column: &ColumnData| match column.data_type {
        b'n' => Datum::Null,
        b'u' => Datum::Unchanged,
        b't' => Datum::Text(column.as_bytes()),
        b'b' => Datum::Binary(column.as_bytes()),
        other => panic!("no kind of column {other}"),
    }))
}

#[test]
fn pgoutput_reads_the_same_values_from_every_row() {
    let (mut rows, mut refused) = (0, 0);
    for_each_message(|stream, number, bytes, ours| {
        let Some(expected) = texts(&ours).filter(|_| !is_in_block(&ours)) else { return };
        let (tag, fields) = bytes.split_first().expect("a tag");
        let kind = EventType::from_char(*tag).expect("a row");
        let Ok(Event::Base(event)) =
            Event::<BinaryValueTraitOff, StreamingValueTraitOff>::parse(&kind, fields)
        else {
            refused += 1;
            return;
        };
        assert_eq!(their_texts(&event), expected, "{} #{number}", stream.place);
        rows += 1;
    });
    assert!(rows > 2000, "{rows} rows");
    assert_eq!(refused, 0);
}

/// Whether a transaction id stands before the fields, of which it must be told beforehand.
fn is_in_block(message: &Message) -> bool {
    matches!(
        message,
        Message::Insert(Insert { xid: Some(_), .. })
            | Message::Update(Update { xid: Some(_), .. })
            | Message::Delete(Delete { xid: Some(_), .. })
    )
}

/// The columns of a change's rows, the old ones first, where all of them are text.
fn texts(message: &Message) -> Option<Vec<Text>> {
    let row = |old: &OldTuple| match old {
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple.clone(),
    };
    let rows = match message {
        Message::Insert(insert) => vec![insert.new.clone()],
        Message::Update(update) => update.old.iter().map(row).chain([update.new.clone()]).collect(),
        Message::Delete(delete) => vec![row(&delete.old)],
        _ => return None,
    };
    let text = |datum: Datum<'_>| match datum {
        Datum::Text(text) => Some(Text::Is(String::from_utf8_lossy(text).into_owned())),
        Datum::Null => Some(Text::Null),
        Datum::Unchanged => Some(Text::Unchanged),
        Datum::Binary(_) => None,
    };
    rows.iter().flat_map(Tuple::iter).map(text).collect()
}

#[derive(Debug, PartialEq)]
enum Text {
    Is(String),
    Null,
    Unchanged,
}

fn their_texts(event: &BaseEvent<BinaryValueTraitOff, StreamingValueTraitOff>) -> Vec<Text> {
    use OldDataOrPrimaryKeyTupleData::{OldTupleData, PrimaryKeyTupleData};
    let old = |old: &_| match old {
        OldTupleData(columns) | PrimaryKeyTupleData(columns) => texts_of(columns),
    };
    match event {
        BaseEvent::Insert(insert) => texts_of(&insert.data),
        BaseEvent::Update(update) => {
            let old = update.old_data_or_primary_key.as_ref().map(old).unwrap_or_default();
            old.into_iter().chain(texts_of(&update.data)).collect()
        }
        BaseEvent::Delete(delete) => delete.old_data_or_primary_key.as_ref().map(old).unwrap_or_default(),
        other => panic!("no row: {other:?}"),
    }
}

fn texts_of(columns: &[TupleDataColumn<BinaryValueTraitOff>]) -> Vec<Text> {
    let text = |column: &_| match column {
        TupleDataColumn::Value(text) => Text::Is(String::clone(text)),
        TupleDataColumn::PGNull => Text::Null,
        TupleDataColumn::PGUnchangedToastedValue => Text::Unchanged,
    };
    columns.iter().map(text).collect()
}
