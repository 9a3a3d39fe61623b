//! Frames captured from servers 14 to 18, with the fields that an independent decoder read from them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of a test fails the test"
)]

#[path = "golden/frames.rs"]
mod frames;

use bytes::Bytes;
use serde_json::{Value, json};
use walferry::frame::Frame;
use walferry::pgoutput::{Datum, Decoder, Message, OldTuple, Prepare, ReplicaIdentity, Tuple};
use walferry::{Lsn, Oid};

use crate::frames::{Golden, golden_frames};

/// Calls `check` with each frame and the decoder as the frames before it left it.
fn for_each_frame(mut check: impl FnMut(&Golden, &Decoder)) {
    let mut decoder = Decoder::new();
    let mut count = 0;
    for golden in golden_frames() {
        if golden.new_case {
            decoder = Decoder::new().parallel_streaming(golden.parallel);
        }
        check(&golden, &decoder);
        decode(&mut decoder, golden.copy_data.clone()).expect("a golden frame");
        count += 1;
    }
    assert_eq!(count, 681, "every frame of the file was checked");
}

fn decode(decoder: &mut Decoder, copy_data: Bytes) -> Result<Message, walferry::pgoutput::DecodeError> {
    match Frame::decode(copy_data)? {
        Frame::XLogData(data) => decoder.decode(data.payload),
        frame => panic!("golden frames are all XLogData, found {frame:?}"),
    }
}

fn lsn(lsn: Lsn) -> Value {
    let number = u64::from(lsn);
    json!(format!("{:X}/{:08X}", number >> 32, number & 0xFFFF_FFFF))
}

/// `pg_catalog` is an empty name on the wire, and that is what the file recorded.
fn namespace(schema: &str) -> &str {
    if schema == "pg_catalog" { "" } else { schema }
}

fn tuple(tuple: &Tuple) -> Value {
    tuple
        .iter()
        .map(|datum| match datum {
            Datum::Null => json!("n"),
            Datum::Unchanged => json!("u"),
            Datum::Text(text) => json!(["t", String::from_utf8_lossy(text)]),
            Datum::Binary(bytes) => json!(["b", hex(bytes)]),
        })
        .collect()
}

fn hex(bytes: &[u8]) -> Value {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"hex": digits.concat()})
}

fn prepare(prepare: &Prepare, flags: bool) -> Value {
    let mut value = json!({"prepare": lsn(prepare.prepare_lsn), "end": lsn(prepare.end_lsn),
        "ts": prepare.prepare_time.as_micros(), "xid": u32::from(prepare.xid), "gid": prepare.gid});
    if flags {
        value["flags"] = json!(0);
    }
    value
}

fn with_xid(mut value: Value, xid: Option<walferry::Xid>) -> Value {
    if let Some(xid) = xid {
        value["xid"] = json!(u32::from(xid));
    }
    value
}

fn with_old(mut value: Value, old: Option<&OldTuple>) -> Value {
    match old {
        Some(OldTuple::Key(key)) => value["oldK"] = tuple(key),
        Some(OldTuple::Full(full)) => value["oldO"] = tuple(full),
        None => {}
    }
    value
}

fn identity(identity: ReplicaIdentity) -> &'static str {
    match identity {
        ReplicaIdentity::Default => "d",
        ReplicaIdentity::Nothing => "n",
        ReplicaIdentity::Full => "f",
        ReplicaIdentity::Index => "i",
    }
}

/// The message in the words of the file.
fn describe(message: &Message) -> Value {
    match message {
        Message::Begin(m) => {
            json!({"final": lsn(m.commit_lsn), "ts": m.commit_time.as_micros(), "xid": u32::from(m.xid)})
        }
        Message::Commit(m) => json!({"flags": 0, "commit": lsn(m.commit_lsn), "end": lsn(m.end_lsn),
            "ts": m.commit_time.as_micros()}),
        Message::Origin(m) => json!({"lsn": lsn(m.commit_lsn), "name": m.name}),
        Message::Relation(xid, m) => {
            let columns: Value = m
                .columns
                .iter()
                .map(|c| json!([u8::from(c.is_key), c.name, u32::from(c.type_oid), c.type_modifier]))
                .collect();
            with_xid(
                json!({"oid": u32::from(m.id), "ns": namespace(&m.schema), "name": m.name,
                    "ident": identity(m.replica_identity), "cols": columns}),
                *xid,
            )
        }
        Message::Type(xid, m) => {
            with_xid(json!({"oid": u32::from(m.id), "ns": namespace(&m.schema), "name": m.name}), *xid)
        }
        Message::Insert(m) => with_xid(json!({"rel": u32::from(m.relation_id), "new": tuple(&m.new)}), m.xid),
        Message::Update(m) => with_xid(
            with_old(json!({"rel": u32::from(m.relation_id), "new": tuple(&m.new)}), m.old.as_ref()),
            m.xid,
        ),
        Message::Delete(m) => {
            with_xid(with_old(json!({"rel": u32::from(m.relation_id)}), Some(&m.old)), m.xid)
        }
        Message::Truncate(m) => {
            let option = u8::from(m.cascade) + 2 * u8::from(m.restart_identity);
            let ids: Value = m.relation_ids.iter().map(|&id| json!(u32::from(id))).collect();
            with_xid(json!({"opt": option, "rels": ids}), m.xid)
        }
        Message::Message(m) => with_xid(
            json!({"flags": u8::from(m.transactional), "lsn": lsn(m.lsn), "prefix": m.prefix,
                "data": hex(&m.content)}),
            m.xid,
        ),
        Message::StreamStart(m) => json!({"xid": u32::from(m.xid), "first": u8::from(m.first_segment)}),
        Message::StreamStop => json!({}),
        Message::StreamCommit(m) => json!({"xid": u32::from(m.xid), "flags": 0, "commit": lsn(m.commit_lsn),
            "end": lsn(m.end_lsn), "ts": m.commit_time.as_micros()}),
        Message::StreamAbort(m) => {
            let mut value = json!({"xid": u32::from(m.xid), "subxid": u32::from(m.subxid)});
            if let Some(info) = m.info {
                value["abort_lsn"] = lsn(info.abort_lsn);
                value["ts"] = json!(info.abort_time.as_micros());
            }
            value
        }
        Message::BeginPrepare(m) => prepare(m, false),
        Message::Prepare(m) | Message::StreamPrepare(m) => prepare(m, true),
        Message::CommitPrepared(m) => json!({"flags": 0, "commit": lsn(m.commit_lsn), "end": lsn(m.end_lsn),
            "ts": m.commit_time.as_micros(), "xid": u32::from(m.xid), "gid": m.gid}),
        Message::RollbackPrepared(m) => json!({"flags": 0, "prepare_end": lsn(m.prepare_end_lsn),
            "rb_end": lsn(m.rollback_end_lsn), "pts": m.prepare_time.as_micros(),
            "rts": m.rollback_time.as_micros(), "xid": u32::from(m.xid), "gid": m.gid}),
    }
}

#[test]
fn every_golden_frame_decodes_to_the_recorded_fields() {
    for_each_frame(|golden, before| {
        let message = decode(&mut before.clone(), golden.copy_data.clone()).expect(&golden.place);
        assert_eq!(message.tag(), golden.tag, "{}", golden.place);
        assert_eq!(describe(&message), golden.decoded, "{}", golden.place);
    });
}

#[test]
fn every_golden_frame_encodes_back_to_the_same_bytes() {
    for_each_frame(|golden, before| {
        let Frame::XLogData(mut data) = Frame::decode(golden.copy_data.clone()).expect("a frame") else {
            panic!("{}", golden.place)
        };
        data.payload = before.clone().decode(data.payload).expect(&golden.place).encode();
        assert_eq!(data.encode(), golden.copy_data, "{}", golden.place);
    });
}

#[test]
fn every_proper_prefix_of_every_golden_frame_is_an_error() {
    for_each_frame(|golden, before| {
        for end in 0..golden.copy_data.len() {
            let prefix = decode(&mut before.clone(), golden.copy_data.slice(..end));
            assert!(prefix.is_err(), "{} cut at {end}", golden.place);
        }
    });
}

#[test]
fn a_byte_behind_any_golden_frame_is_an_error() {
    for_each_frame(|golden, before| {
        let longer = Bytes::from([&golden.copy_data[..], &[0]].concat());
        assert!(decode(&mut before.clone(), longer).is_err(), "{}", golden.place);
    });
}

#[test]
fn a_flipped_byte_never_panics_and_what_still_decodes_encodes_to_what_was_read() {
    for_each_frame(|golden, before| {
        for at in 25..golden.copy_data.len() {
            for bits in [0x01, 0x80, 0xFF] {
                let mut bytes = golden.copy_data.to_vec();
                bytes[at] ^= bits;
                let Ok(message) = decode(&mut before.clone(), bytes.clone().into()) else { continue };
                assert_eq!(message.encode(), bytes[25..], "{} byte {at} ^ {bits:02x}", golden.place);
            }
        }
    });
}

#[test]
fn the_oid_of_a_type_below_the_first_unpinned_is_never_announced() {
    for_each_frame(|golden, before| {
        if let Ok(Message::Type(_, announced)) = decode(&mut before.clone(), golden.copy_data.clone()) {
            assert!(announced.id >= Oid::FIRST_UNPINNED, "{}", golden.place);
        }
    });
}
