//! Memory while decoding: none for rows, and never more than the frame for lengths that lie.
//!
//! The counting allocator is a crate of its own, because one needs `unsafe` and this crate forbids it. It counts
//! per thread, so that tests don't disturb each other.

#![expect(clippy::expect_used, reason = "clippy knows only #[test] functions as tests, not what they call")]

#[path = "../benches/common/frames.rs"]
mod frames;

use allocation_counter::{AllocationInfo, measure};
use bytes::{Bytes, BytesMut};
use walferry::assemble::Assembler;
use walferry::capture::{Context, Reader, Writer};
use walferry::frame::{Frame, XLogData};
use walferry::pgoutput::{
    Begin, Column, Datum, Decoder, Delete, Insert, Message, OldTuple, Relation, ReplicaIdentity, StreamStart,
    Tuple, Update,
};
use walferry::value::{Types, Value};
use walferry::{Lsn, Oid, RelationId, Timestamp, Xid};

const RELATION: RelationId = RelationId::new(16_384);
const ROWS: usize = 300;

fn relation(id: RelationId) -> Message {
    let column = |name: &str| Column {
        name: name.to_owned(),
        type_oid: Oid::new(25),
        type_modifier: -1,
        is_key: name == "id",
    };
    let columns = ["id", "body", "note"].map(column).into();
    let replica_identity = ReplicaIdentity::Full;
    Message::Relation(
        None,
        Relation { id, schema: "public".into(), name: "t".into(), replica_identity, columns },
    )
}

/// Rows of every kind of change and value, of two relations in turn.
fn changes(xid: Option<Xid>) -> Vec<Message> {
    let tuple = || Tuple::from_datums([Datum::Text(b"1"), Datum::Binary(&[7; 500]), Datum::Null]);
    let unchanged = || Tuple::from_datums([Datum::Text(b"1"), Datum::Unchanged, Datum::Text(b"")]);
    (0..ROWS)
        .map(|row| {
            let relation_id = RelationId::new(16_384 + u32::from(row % 2 == 1));
            match row % 4 {
                0 => Message::Insert(Insert { xid, relation_id, new: tuple() }),
                1 => Message::Update(Update { xid, relation_id, old: None, new: unchanged() }),
                2 => {
                    let old = Some(OldTuple::Full(tuple()));
                    Message::Update(Update { xid, relation_id, old, new: unchanged() })
                }
                _ => Message::Delete(Delete { xid, relation_id, old: OldTuple::Key(tuple()) }),
            }
        })
        .collect()
}

/// Payloads as the connection's codec cuts them out of its one read buffer.
fn cut_from_one_buffer(messages: &[Message]) -> Vec<Bytes> {
    let (start, end, clock) = (Lsn::new(16), Lsn::new(16), Timestamp::from_micros(0));
    let frames: Vec<Bytes> = messages
        .iter()
        .map(|message| XLogData { start, end, clock, payload: message.encode() }.encode())
        .collect();
    let mut buffer = BytesMut::from(frames.concat().as_slice());
    frames.iter().map(|frame| buffer.split_to(frame.len()).freeze()).collect()
}

fn decoder() -> Decoder {
    let mut decoder = Decoder::new();
    for id in [RELATION, RelationId::new(16_385)] {
        decoder.decode(relation(id).encode()).expect("a relation");
    }
    decoder
}

/// What decoding all of these allocates, kept by `keep` as a consumer would.
fn allocations(mut decoder: Decoder, frames: Vec<Bytes>) -> (AllocationInfo, usize) {
    let mut rows = 0;
    let info = measure(|| {
        for frame in frames {
            let Ok(Frame::XLogData(data)) = Frame::decode(frame) else { continue };
            rows += usize::from(decoder.decode(data.payload).is_ok());
        }
    });
    (info, rows)
}

#[test]
fn the_counter_counts() {
    // Otherwise the tests below would pass by measuring nothing.
    assert_eq!(measure(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(10)))).bytes_max, 10);
}

#[test]
fn decoding_rows_allocates_nothing() {
    let (info, rows) = allocations(decoder(), cut_from_one_buffer(&changes(None)));
    assert_eq!(rows, ROWS);
    assert_eq!((info.count_total, info.bytes_total), (0, 0));
}

/// Row changes, and what stands around each where it is a transaction of its own.
fn is_frequent(message: &Bytes) -> bool {
    message.first().is_some_and(|tag| b"BCIUD".contains(tag))
}

#[test]
fn decoding_any_of_the_shapes_that_are_measured_allocates_nothing() {
    for shape in frames::shapes() {
        let mut decoder = Decoder::new();
        for message in shape.announced {
            decoder.decode(message).expect("a relation");
        }
        let (mut measured, mut most) = (0, 0);
        for message in shape.messages {
            let frequent = is_frequent(&message);
            let info = measure(|| drop(decoder.decode(message).expect("a message")));
            if frequent {
                measured += 1;
                most = most.max(info.count_total);
            }
        }
        assert!(measured > ROWS, "{}: {measured} messages", shape.name);
        assert_eq!(most, 0, "{}: allocations of a message", shape.name);
    }
}

#[test]
fn decoding_rows_in_a_stream_block_allocates_nothing() {
    let mut decoder = decoder();
    let start = StreamStart { xid: Xid::new(7), first_segment: true };
    decoder.decode(Message::StreamStart(start).encode()).expect("a block begins");
    let (info, rows) = allocations(decoder, cut_from_one_buffer(&changes(Some(Xid::new(8)))));
    assert_eq!(rows, ROWS);
    assert_eq!((info.count_total, info.bytes_total), (0, 0));
}

#[test]
fn assembling_rows_allocates_nothing() {
    let (commit_lsn, commit_time, xid) = (Lsn::new(16), Timestamp::from_micros(0), Xid::new(7));
    let mut assembler = Assembler::new();
    let announcements = [RELATION, RelationId::new(16_385)].map(relation);
    let begin = Message::Begin(Begin { commit_lsn, commit_time, xid });
    let mut assemble = |message| {
        assembler.push(message).expect("it can stand here");
        std::iter::from_fn(|| assembler.poll().expect("no file to read"))
            .map(|event| event.byte_len())
            .sum::<usize>()
    };
    for message in [begin].into_iter().chain(announcements).chain(changes(None).drain(..4)) {
        assemble(message);
    }
    let changes = changes(None);
    let mut bytes = 0;
    let info = measure(|| bytes = changes.into_iter().map(assemble).sum());
    assert!(bytes > ROWS);
    assert_eq!((info.count_total, info.bytes_total), (0, 0));
}

#[test]
fn walking_a_row_allocates_nothing() {
    let tuple =
        Tuple::from_datums([Datum::Text(b"1"), Datum::Binary(&[7; 500]), Datum::Null, Datum::Unchanged]);
    let mut bytes = 0;
    let info = measure(|| {
        for datum in &tuple {
            if let Datum::Text(value) | Datum::Binary(value) = datum {
                bytes += value.len();
            }
        }
        bytes += usize::from(tuple.get(2) == Some(Datum::Null));
    });
    assert_eq!((bytes, info.count_total), (502, 0));
}

/// What an error that says where takes by itself.
const ERROR: u64 = 64;

/// pglogical 2.4.8 fixed four CVEs, one of them a tuple's length that was believed.
#[test]
fn museum_28_a_length_that_lies_allocates_no_more_than_the_frame_holds() {
    // Each claims as much as its field can say, and ends there.
    for (claims, name) in [
        (&b"T\x7f\xff\xff\xff\0"[..], "relations of a Truncate"),
        (b"R\0\0\0\x01\0\0d\x7f\xff", "columns of a Relation"),
        (b"M\0\0\0\0\0\0\0\0\0\0\x7f\xff\xff\xff", "content of a Message"),
        (b"I\0\0\x40\0N\0\x03t\x7f\xff\xff\xff", "a column of a row"),
        (b"D\0\0\x40\0K\0\x03b\x7f\xff\xff\xff", "a column of an old row"),
        (b"Y\0\0\0\x01\0", "the name of a Type"),
    ] {
        for padding in [0, 16, 4096] {
            // Bytes that continue no list of columns: their flags are wrong.
            let payload = Bytes::from([claims, &vec![0xFF; padding]].concat());
            let mut decoder = decoder();
            let info = measure(|| assert!(decoder.decode(payload.clone()).is_err(), "{name}"));
            // A column in memory is larger than on the wire, by a fixed factor; and there is the error itself.
            let most = ERROR + 8 * payload.len() as u64;
            assert!(info.bytes_max <= most, "{name}: {} bytes for {}", info.bytes_max, payload.len());
        }
    }
}

/// A record with one field.
fn record(type_oid: u32, field: &[u8]) -> Vec<u8> {
    let length = u32::try_from(field.len()).expect("short");
    [&1_u32.to_be_bytes()[..], &type_oid.to_be_bytes(), &length.to_be_bytes(), field].concat()
}

#[test]
fn a_value_is_no_more_text_than_its_bytes_allow() {
    let quotes = (0..30).fold(record(25, b"\""), |inner, _| record(2249, &inner));
    // 10 bytes that are 131072 digits, 10000 times; and a million elements of which none is there.
    let numbers = [
        b"\0\0\0\x01\0\0\0\0\0\0\x06\xa4\0\0\x27\x10\0\0\0\x01".to_vec(),
        b"\0\0\0\x0a\0\x01\x7f\xff\0\0\0\0\0\x01".repeat(10_000),
    ]
    .concat();
    let claims = b"\0\0\0\x01\0\0\0\0\0\0\x06\xa4\x7f\xff\xff\xff\0\0\0\x01".to_vec();
    let (types, mut most) = (Types::new(), 128 << 20);
    for (type_oid, bytes) in [(2249, quotes), (1231, numbers), (1231, claims)] {
        let value = Value::new(Datum::Binary(&bytes), Oid::new(type_oid), &types).expect("it is there");
        let info = measure(|| assert!(value.to_text().is_err()));
        assert!(info.bytes_max < most, "{} bytes for {}", info.bytes_max, bytes.len());
        most = if type_oid == 1231 { 1 << 10 } else { most };
    }
}

#[test]
fn a_block_that_claims_four_gib_allocates_what_the_file_has() {
    let file = Writer::new(Vec::new(), &Context::default()).expect("a Vec takes all").finish();
    let mut file = file.expect("a Vec takes all");
    file.extend([0xFF; 4096]);
    let info = measure(|| {
        let mut reader = Reader::new(file.as_slice()).expect("a capture");
        assert!(reader.next_record().is_ok_and(|record| record.is_some()));
        assert!(reader.next_record().is_ok_and(|record| record.is_none()));
        assert!(reader.torn_tail().is_some());
    });
    assert!(info.bytes_max < 64 << 10, "{} bytes", info.bytes_max);
}
