//! Every byte that has a meaning, against all 256 values.

use super::*;
use crate::frame::{Frame, PrimaryKeepalive, StandbyStatusUpdate};

#[test]
fn an_unknown_tag_is_an_error_that_names_it() {
    let known: Vec<u8> = samples().iter().map(Message::tag).collect();
    assert_eq!(known.len(), 19);
    for tag in (0..=u8::MAX).filter(|tag| !known.contains(tag)) {
        for body in [&[][..], &[0; 64]] {
            let error = decoder(1).decode([&[tag], body].concat().into()).unwrap_err();
            assert_eq!((error.tag(), error.kind()), (tag, &DecodeErrorKind::UnknownMessage));
            let shown = error.to_string();
            assert!(shown.starts_with(&format!("message '{}' ", tag.escape_ascii())), "{shown}");
        }
    }
}

#[test]
fn a_known_tag_alone_is_cut_short_unless_the_message_has_no_fields() {
    for tag in samples().map(|message| message.tag()) {
        match decoder(1).decode(Bytes::copy_from_slice(&[tag])) {
            Ok(message) => assert_eq!(message, Message::StreamStop),
            Err(error) => {
                assert_eq!((error.tag(), error.offset()), (tag, 1));
                assert!(matches!(error.kind(), DecodeErrorKind::Truncated { left: 0, .. }), "{error}");
            }
        }
    }
}

#[test]
fn an_empty_payload_is_cut_short() {
    let truncated = DecodeErrorKind::Truncated { needed: 1, left: 0 };
    assert_eq!(kind(decoder(1).decode(Bytes::new())), truncated);
    assert_eq!(Frame::decode(Bytes::new()).unwrap_err().kind(), &truncated);
}

#[test]
fn an_error_says_where_what_and_what_was_expected() {
    let shown = |message: &[u8]| decoder(1).decode(Bytes::copy_from_slice(message)).unwrap_err().to_string();
    assert_eq!(shown(b"?"), "message '?' at byte 0: expected a message of pgoutput protocol 1 to 4");
    assert_eq!(shown(b"E1"), "message 'E' at byte 1: expected the end of the message, found 1 more bytes");
    assert_eq!(shown(b"B"), "message 'B' at byte 1: a field of 8 bytes is cut short: 0 bytes are left");
    assert_eq!(
        shown(b"S\0\0\0\x01\x02"),
        "message 'S' at byte 5: first segment: expected 0 or 1, found 0x02"
    );
    assert_eq!(
        shown(b"T\xff\xff\xff\xff\0"),
        "message 'T' at byte 1: number of relations: expected 0 or more, found -1"
    );
}

/// Each byte with a closed set of meanings: the message it is in, where, and what it may be.
const CLOSED: &[(u8, usize, &[u8])] = &[
    // Flags that are reserved.
    (b'C', 1, &[0]),
    (b'P', 1, &[0]),
    (b'K', 1, &[0]),
    (b'r', 1, &[0]),
    (b'p', 1, &[0]),
    (b'c', 5, &[0]),
    // Replica identity and column flags, behind the id and two names; the flags also behind a count.
    (b'R', 14, b"dnfi"),
    (b'R', 17, &[0, 1]),
    // Transactional; truncate options; first segment.
    (b'M', 1, &[0, 1]),
    (b'T', 5, &[0, 1, 2, 3]),
    (b'S', 5, &[0, 1]),
    // Tuple markers. The sample UPDATE has a key, so that what would be N here leaves bytes behind.
    (b'I', 5, b"N"),
    (b'U', 5, b"KO"),
    (b'U', 14, b"N"),
    (b'D', 5, b"KO"),
];

#[test]
fn museum_29_every_byte_of_closed_meaning_accepts_exactly_what_is_defined() {
    for &(tag, at, accepted) in CLOSED {
        for value in 0..=u8::MAX {
            let mut frame = sample(tag).to_vec();
            frame[at] = value;
            let message = decoder(1).decode(frame.clone().into());
            let place = format!("{} at {at}: {value:#04x}", tag.escape_ascii());
            match message {
                Ok(message) => {
                    assert!(accepted.contains(&value), "{place} is accepted");
                    assert_eq!(message.encode(), frame, "{place} is kept");
                }
                Err(error) => {
                    assert!(!accepted.contains(&value), "{place} is refused: {error}");
                    assert_eq!(error.tag(), tag);
                }
            }
        }
    }
}

#[test]
fn an_undefined_byte_is_reported_at_its_place() {
    for &(tag, at, accepted) in CLOSED {
        let mut frame = sample(tag).to_vec();
        frame[at] = 0x80;
        assert!(!accepted.contains(&0x80));
        let error = decoder(1).decode(frame.into()).unwrap_err();
        assert_eq!((error.tag(), error.offset()), (tag, at));
        assert!(matches!(error.kind(), DecodeErrorKind::UnexpectedByte { found: 0x80, .. }), "{error}");
    }
}

#[test]
fn an_update_without_an_old_row_begins_with_its_new_one() {
    for marker in 0..=u8::MAX {
        let new = Tuple::from_datums([Datum::Null]);
        let mut frame =
            Message::Update(Update { xid: None, relation_id: RELATION, old: None, new }).encode().to_vec();
        assert_eq!(frame[5], b'N');
        frame[5] = marker;
        // With K or O in its place a new row is missing.
        assert_eq!(decoder(1).decode(frame.into()).is_ok(), marker == b'N', "{marker:#04x}");
    }
}

#[test]
fn a_column_is_null_unchanged_text_or_binary_and_nothing_else() {
    for kind in 0..=u8::MAX {
        let frame = |value: &[u8]| {
            let mut frame = vec![b'I'];
            frame.extend(u32::from(RELATION).to_be_bytes());
            frame.extend([b'N', 0, 1, kind]);
            frame.extend(value);
            Bytes::from(frame)
        };
        let read = |value| match decoder(1).decode(frame(value)) {
            Ok(Message::Insert(insert)) => Some(insert.new),
            _ => None,
        };
        let (alone, with_value) = (read(b""), read(b"\0\0\0\x02hi"));
        let expected = match kind {
            b'n' => (Some(Datum::Null), None),
            b'u' => (Some(Datum::Unchanged), None),
            b't' => (None, Some(Datum::Text(b"hi"))),
            b'b' => (None, Some(Datum::Binary(b"hi"))),
            _ => (None, None),
        };
        let found = [&alone, &with_value].map(|tuple| tuple.as_ref().and_then(|tuple| tuple.get(0)));
        assert_eq!(found, [expected.0, expected.1], "{kind:#04x}");
    }
}

#[test]
fn a_reply_flag_is_0_or_1_in_both_directions() {
    let (lsn, clock) = (Lsn::new(0x10), Timestamp::from_micros(7));
    let keepalive = PrimaryKeepalive { wal_end: lsn, clock, reply_requested: false };
    let status =
        StandbyStatusUpdate { written: lsn, flushed: lsn, applied: lsn, clock, reply_requested: false };
    for flag in 0..=u8::MAX {
        let with_flag = |payload: Bytes| {
            let mut payload = payload.to_vec();
            *payload.last_mut().unwrap() = flag;
            Bytes::from(payload)
        };
        let keepalive = match Frame::decode(with_flag(keepalive.encode())) {
            Ok(Frame::PrimaryKeepalive(keepalive)) => Some(keepalive.reply_requested),
            _ => None,
        };
        let status = StandbyStatusUpdate::decode(&with_flag(status.encode())).ok();
        let expected = [Some(false), Some(true)].get(usize::from(flag)).copied().flatten();
        assert_eq!([keepalive, status.map(|status| status.reply_requested)], [expected; 2], "{flag}");
    }
}

/// pgcopydb #959: a keepalive with an empty timestamp crashed the reader.
#[test]
fn museum_26_a_keepalive_may_have_any_time_and_is_whole_or_refused() {
    for micros in [0, i64::MIN, i64::MAX, -1] {
        let clock = Timestamp::from_micros(micros);
        let keepalive = PrimaryKeepalive { wal_end: Lsn::new(0x10), clock, reply_requested: true };
        let payload = keepalive.encode();
        assert_eq!(Frame::decode(payload.clone()), Ok(Frame::PrimaryKeepalive(keepalive)));
        assert!(!clock.to_string().is_empty());
        for end in 0..payload.len() {
            assert!(Frame::decode(payload.slice(..end)).is_err(), "{end} bytes");
        }
    }
}

#[test]
fn a_frame_of_a_later_protocol_is_named_and_holds_nothing() {
    for tag in (0..=u8::MAX).filter(|tag| !b"wk".contains(tag)) {
        assert_eq!(Frame::decode(vec![tag, 1, 2].into()), Ok(Frame::Unknown { tag }));
    }
}
