//! Lengths and counts that lie.

use super::*;

/// Every length and count: the message it is in, where, how many bytes it has, and its name.
const LENGTHS: &[(u8, usize, usize, &str)] = &[
    (b'R', 15, 2, "number of columns"),
    (b'I', 6, 2, "number of columns"),
    (b'I', 9, 4, "column length"),
    (b'U', 6, 2, "number of columns"),
    (b'U', 9, 4, "column length"),
    (b'U', 15, 2, "number of columns"),
    (b'U', 18, 4, "column length"),
    (b'D', 6, 2, "number of columns"),
    (b'D', 9, 4, "column length"),
    (b'T', 1, 4, "number of relations"),
    (b'M', 12, 4, "content length"),
];

fn with_length(tag: u8, at: usize, width: usize, length: u32) -> Bytes {
    let mut frame = sample(tag).to_vec();
    frame[at..at + width].copy_from_slice(&length.to_be_bytes()[4 - width..]);
    frame.into()
}

#[test]
fn a_negative_length_is_an_error_that_names_the_field() {
    for &(tag, at, width, name) in LENGTHS {
        let highest = 1 << (8 * width - 1);
        for length in [highest, highest | 1, u32::MAX >> (32 - 8 * width)] {
            let error = decoder(1).decode(with_length(tag, at, width, length)).unwrap_err();
            let DecodeErrorKind::NegativeLength { field, found } = error.kind() else {
                panic!("{error}");
            };
            assert_eq!((error.tag(), error.offset(), *field), (tag, at, name));
            assert!(*found < 0, "{error}");
        }
    }
}

#[test]
fn museum_28_a_length_that_is_off_by_any_amount_is_an_error() {
    for &(tag, at, width, _) in LENGTHS {
        let frame = sample(tag);
        let right = frame[at..at + width].iter().fold(0_u32, |length, &byte| length << 8 | u32::from(byte));
        let most = u32::MAX >> (33 - 8 * width);
        for length in (0..300).chain([most / 2, most - 1, most]).filter(|&length| length != right) {
            let decoded = decoder(1).decode(with_length(tag, at, width, length));
            assert!(decoded.is_err(), "{} at {at}: {length}", tag.escape_ascii());
        }
    }
}

#[test]
fn every_prefix_of_every_message_is_an_error() {
    for frame in samples().map(|message| message.encode()) {
        for end in 0..frame.len() {
            assert!(decoder(1).decode(frame.slice(..end)).is_err(), "{:?}", &frame[..end]);
        }
    }
}

#[test]
fn a_tuple_has_as_many_columns_as_its_relation() {
    for (expected, found) in [(0, 1), (1, 0), (2, 3), (1600, 1599)] {
        let new = Tuple::from_datums((0..found).map(|_| Datum::Null));
        let insert = Message::Insert(Insert { xid: None, relation_id: RELATION, new });
        let error = kind(decoder(expected).decode(insert.encode()));
        assert_eq!(error, DecodeErrorKind::ColumnCount { relation_id: RELATION, expected, found });
    }
}

#[test]
fn the_old_and_the_new_row_are_counted_each() {
    let tuple = |columns| Tuple::from_datums((0..columns).map(|_| Datum::Null));
    for (old, new) in [(1, 2), (2, 1)] {
        let (old, new) = (Some(OldTuple::Key(tuple(old))), tuple(new));
        let update = Message::Update(Update { xid: None, relation_id: RELATION, old, new });
        let error = kind(decoder(2).decode(update.encode()));
        assert!(matches!(error, DecodeErrorKind::ColumnCount { expected: 2, found: 1, .. }), "{error}");
    }
}

#[test]
fn rows_of_two_relations_in_turn_have_the_columns_of_each() {
    let other = Relation { id: RelationId::new(99), ..relation(2) };
    let mut decoder = decoder(1);
    decoder.decode(Message::Relation(None, other).encode()).unwrap();
    let insert = |relation_id, columns| {
        let new = Tuple::from_datums((0..columns).map(|_| Datum::Null));
        Message::Insert(Insert { xid: None, relation_id, new })
    };
    for message in [insert(RELATION, 1), insert(RelationId::new(99), 2)].iter().cycle().take(4) {
        assert_eq!(decoder.decode(message.encode()).as_ref(), Ok(message));
    }
    let error = kind(decoder.decode(insert(RELATION, 2).encode()));
    assert!(matches!(error, DecodeErrorKind::ColumnCount { expected: 1, found: 2, .. }), "{error}");
}

#[test]
fn a_row_of_a_relation_that_changed_has_its_new_columns() {
    let mut decoder = decoder(1);
    decoder.decode(sample(b'I')).unwrap();
    decoder.decode(Message::Relation(None, relation(2)).encode()).unwrap();
    let error = kind(decoder.decode(sample(b'I')));
    assert!(matches!(error, DecodeErrorKind::ColumnCount { expected: 2, found: 1, .. }), "{error}");
}

#[test]
fn a_table_may_have_no_columns() {
    let new = Tuple::from_datums([]);
    let insert = Message::Insert(Insert { xid: None, relation_id: RELATION, new });
    assert_eq!(decoder(0).decode(insert.encode()), Ok(insert));
}

#[test]
fn a_name_ends_with_a_zero_byte_and_is_utf8() {
    // Behind the LSN of an Origin.
    let origin = |name: &[u8]| [b"O\0\0\0\0\0\0\0\x10", name].concat().into();
    let error = decoder(1).decode(origin(b"abc")).unwrap_err();
    assert_eq!((error.offset(), error.kind()), (9, &DecodeErrorKind::UnterminatedString));
    let error = decoder(1).decode(origin(b"\xe9t\0")).unwrap_err();
    assert_eq!((error.offset(), error.kind()), (9, &DecodeErrorKind::InvalidUtf8));
    decoder(1).decode(origin(b"\0")).unwrap();
}
