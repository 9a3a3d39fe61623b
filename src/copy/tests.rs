use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::pgoutput::{Column, Datum, ReplicaIdentity};
use crate::{Oid, RelationId};

type Values = Vec<Option<Vec<u8>>>;

fn reader(columns: usize) -> RowReader {
    let column =
        |at| Column { name: format!("c{at}"), type_oid: Oid::new(25), type_modifier: -1, is_key: false };
    let relation = Relation {
        id: RelationId::new(16384),
        schema: "s".to_owned(),
        name: "t".to_owned(),
        replica_identity: ReplicaIdentity::Default,
        columns: (0..columns).map(column).collect(),
    };
    RowReader::new(Arc::new(relation), Arc::new(Types::default()))
}

fn line(values: &Values) -> Vec<u8> {
    let mut line = Vec::new();
    quote::copy_row(&mut line, values.iter().map(Option::as_deref));
    line
}

fn datums(values: &Values) -> Vec<Datum<'_>> {
    values.iter().map(|value| value.as_deref().map_or(Datum::Null, Datum::Text)).collect()
}

fn kind(columns: usize, line: &[u8]) -> CopyRowErrorKind {
    reader(columns).read(line).expect_err("no row").kind()
}

fn values() -> impl Strategy<Value = Values> {
    let special = prop::sample::select(br"\NntrbvfxX0.{}'".to_vec());
    let control = prop::sample::select(b"\t\n\r\x08\x0b\x0c\0\x7f\xc3\xa9\xff ".to_vec());
    let byte = prop_oneof![special, control, any::<u8>()];
    vec(
        option::weighted(0.8, prop_oneof![vec(byte, 0..12), Just(br"\N".to_vec()), vec(Just(b'x'), 30..70)]),
        0..6,
    )
}

proptest! {
    #[test]
    fn what_is_written_as_a_row_is_read_as_it_was(rows in vec(values(), 1..4)) {
        for values in rows {
            let mut reader = reader(values.len());
            // One reader, several rows: they may share memory, and nothing of one is in another.
            let (first, second) = (reader.read(&line(&values)).unwrap(), reader.read(&line(&values)).unwrap());
            prop_assert_eq!(first.tuple().iter().collect::<Vec<_>>(), datums(&values));
            prop_assert_eq!(first.tuple(), &Tuple::from_datums(datums(&values)));
            prop_assert_eq!(first, second);
        }
    }

    #[test]
    fn no_proper_prefix_of_a_row_is_a_row(values in values()) {
        let line = line(&values);
        for end in 0..line.len() {
            prop_assert!(reader(values.len()).read(&line[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_row_of_another_number_of_fields_is_an_error(values in values(), columns in 0..8_usize) {
        let read = reader(columns).read(&line(&values));
        // A field that is empty, and none at all, are written alike.
        let is_alike = columns + values.len() == 1 && values.first().is_none_or(|one| one.as_deref() == Some(b""));
        prop_assert_eq!(read.is_ok(), columns == values.len() || is_alike);
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error_and_a_row_has_one_form(bytes in vec(any::<u8>(), 0..40), columns in 0..5_usize) {
        match reader(columns).read(&bytes) {
            Ok(row) => {
                let values = row.tuple().iter().map(|datum| match datum {
                    Datum::Text(text) => Some(text.to_vec()),
                    _ => None,
                });
                prop_assert_eq!(line(&values.collect()), bytes);
            }
            Err(error) => prop_assert!(error.offset() <= bytes.len() && error.field() >= 1),
        }
    }
}

#[test]
fn keeps_the_text_null_and_an_escaped_one_apart_from_null() {
    let mut reader = reader(5);
    let row = reader.read(b"null\t\\N\t\\\\N\t\tNULL\n").expect("a row");
    let expected =
        [Datum::Text(b"null"), Datum::Null, Datum::Text(br"\N"), Datum::Text(b""), Datum::Text(b"NULL")];
    assert_eq!(row.tuple().iter().collect::<Vec<_>>(), expected);
}

#[test]
fn says_where_and_what_and_never_a_value() {
    let mut reader = reader(2);
    reader.read(b"1\tfirst\n").expect("a row");
    let error = reader.read(b"2\tsecret\\x41\n").expect_err("no server writes that");
    assert_eq!((error.row(), error.field(), error.offset()), (2, 2, 8));
    assert_eq!(error.kind(), CopyRowErrorKind::UnknownEscape);
    let expected =
        r"copied row 2 of s.t, field 2, at byte 8: expected one of \, b, f, n, r, t and v behind a backslash";
    assert_eq!(error.to_string(), expected);
    assert!(reader.read(b"3\tthird\n").is_ok(), "what was read of the row before is gone");
    assert_eq!((reader.rows(), reader.relation().name.as_str()), (3, "t"));
}

#[test]
fn a_row_takes_as_much_memory_as_its_line_and_five_bytes_a_field() {
    for columns in [1, 40_000] {
        let line = line(&vec![Some(vec![b'x'; 400_000 / columns]); columns]);
        let mut reader = reader(columns);
        let row = reader.read(&line).expect("a row");
        // What ends the fields has room and isn't kept.
        let room = row.tuple().byte_len() + reader.buffer.capacity();
        assert_eq!(room, line.len() + HEADER * columns);
    }
}

#[test]
fn refuses_what_no_server_writes() {
    assert_eq!(kind(1, b""), CopyRowErrorKind::Unterminated);
    assert_eq!(kind(1, b"a"), CopyRowErrorKind::Unterminated);
    assert_eq!(kind(1, b"a\\"), CopyRowErrorKind::Unterminated);
    assert_eq!(kind(1, b"\\N"), CopyRowErrorKind::Unterminated);
    assert_eq!(kind(1, b"a\nb\n"), CopyRowErrorKind::BytesBehind);
    assert_eq!(kind(1, b"a\r\n"), CopyRowErrorKind::Unescaped);
    assert_eq!(kind(1, b"\\N\x0b\n"), CopyRowErrorKind::Unescaped);
    assert_eq!(kind(1, b"\\Nx\n"), CopyRowErrorKind::BytesBehindNull);
    assert_eq!(kind(1, b"\\N\\N\n"), CopyRowErrorKind::BytesBehindNull);
    assert_eq!(kind(1, b"x\\N\n"), CopyRowErrorKind::UnknownEscape);
    assert_eq!(kind(1, b"\\.\n"), CopyRowErrorKind::UnknownEscape);
    assert_eq!(kind(3, b"a\tb\n"), CopyRowErrorKind::FieldCount { expected: 3, found: 2 });
    assert_eq!(kind(2, b"a\tb\tc\td\n"), CopyRowErrorKind::FieldCount { expected: 2, found: 4 });
    assert_eq!(kind(3, b"a\tb\tc\td\n"), CopyRowErrorKind::FieldCount { expected: 3, found: 4 });
    assert_eq!(kind(0, b"a\n"), CopyRowErrorKind::FieldCount { expected: 0, found: 1 });
    assert!(reader(0).read(b"\n").is_ok_and(|row| row.tuple().is_empty()));
}
