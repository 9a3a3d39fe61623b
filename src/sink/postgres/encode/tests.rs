//! Values in the forms in which they go.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Oid;
use crate::pgoutput::ReplicaIdentity;
use crate::sink::postgres::tests::{TEXT as TEXT_OID, column, plan, relation, row, table};
use crate::value::{ArrayBinary, ArrayText};

type Field = Option<String>;

/// Texts with what has a meaning in arrays and in COPY.
fn field() -> impl Strategy<Value = Field> {
    proptest::option::of(prop_oneof![
        "[a\\\\\"{},;\t\n\r\x08\x0b\x0c' ]{0,6}",
        "\\PC{0,6}",
        Just("NULL".to_owned()),
        Just("\\N".to_owned()),
        Just("\\.".to_owned()),
    ])
}

fn datum(field: &Field, binary: bool) -> Datum<'_> {
    match field {
        None => Datum::Null,
        Some(text) if binary => Datum::Binary(text.as_bytes()),
        Some(text) => Datum::Text(text.as_bytes()),
    }
}

const XML: u32 = 142;

/// A table of a text and of what is text that the server looks at, and rows of it.
fn rows_of(fields: &[[Field; 2]], binary: bool) -> (Plan, Vec<Row>) {
    let columns = vec![column("a", TEXT_OID, true), column("b", XML, false)];
    let relation = relation(ReplicaIdentity::Default, columns);
    let rows =
        fields.iter().map(|fields| row(&relation, &[datum(&fields[0], binary), datum(&fields[1], binary)]));
    let rows = rows.collect();
    (plan(&relation, table(&relation, &[&[0]])), rows)
}

/// What COPY reads from a line.
///
/// Source: PostgreSQL manual, COPY, "Text Format".
fn copied(line: &str) -> Vec<Field> {
    line.split('\t')
        .map(|field| {
            if field == "\\N" {
                return None;
            }
            let mut read = String::new();
            let mut rest = field.chars();
            while let Some(char) = rest.next() {
                assert!(char != '\n' && char != '\r', "a line ends once");
                read.push(match char {
                    '\\' => match rest.next() {
                        Some('b') => '\x08',
                        Some('f') => '\x0c',
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('t') => '\t',
                        Some('v') => '\x0b',
                        Some('\\') => '\\',
                        other => panic!("no escape: {other:?}"),
                    },
                    plain => plain,
                });
            }
            Some(read)
        })
        .collect()
}

proptest! {
    #[test]
    fn an_array_reads_as_the_values_that_were_put_into_it(
        fields in vec([field(), field()], 1..6),
        binary in any::<bool>(),
        delimiter in prop_oneof![Just(b','), Just(b';')],
    ) {
        let (mut plan, rows) = rows_of(&fields, binary);
        for column in &mut plan.columns {
            column.target.array.as_mut().unwrap().delimiter = delimiter;
        }
        let mut arrays = Arrays::of(plan.columns.iter());
        for row in &rows {
            arrays.push(1, row, row).unwrap();
        }
        for (at, parameter) in arrays.parameters().into_iter().enumerate() {
            let expected: Vec<Option<&[u8]>> =
                fields.iter().map(|fields| fields[at].as_ref().map(String::as_bytes)).collect();
            let bytes = parameter.bytes.unwrap();
            if matches!(parameter.format, Format::Binary) {
                // The text of a text is its binary form.
                prop_assert!(binary || at == 0);
                let array = ArrayBinary::from_binary(&bytes).unwrap();
                prop_assert_eq!(array.element_type(), Oid::new([TEXT_OID, XML][at]));
                prop_assert_eq!(array.elements(), expected.as_slice());
            } else {
                prop_assert!(at == 1);
                let text = String::from_utf8(bytes).unwrap();
                let array = ArrayText::from_text(&text, delimiter.into()).unwrap();
                let found: Vec<Option<&[u8]>> =
                    array.elements().iter().map(|element| element.as_ref().map(|text| text.as_bytes())).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_row_of_copy_reads_as_the_values_that_were_put_into_it(fields in vec([field(), field()], 1..6)) {
        let (plan, rows) = rows_of(&fields, false);
        let mut lines = CopyRows::like(&rows[0], &plan);
        prop_assert!(!lines.is_binary());
        for row in &rows {
            lines.push(row).unwrap();
        }
        let text = String::from_utf8(lines.end().to_vec()).unwrap();
        let found: Vec<Vec<Field>> = text.strip_suffix('\n').unwrap().split('\n').map(copied).collect();
        prop_assert_eq!(found, fields.iter().map(|fields| fields.to_vec()).collect::<Vec<_>>());
    }
}

#[test]
fn rows_go_in_binary_if_the_first_one_came_so() {
    let (plan, rows) = rows_of(&[[Some("x".into()), None]], true);
    let mut lines = CopyRows::like(&rows[0], &plan);
    lines.push(&rows[0]).unwrap();
    let body = [&[0, 2, 0, 0, 0, 1, b'x', 0xff, 0xff, 0xff, 0xff], &BINARY_TRAILER[..]].concat();
    assert_eq!(lines.end(), [BINARY_HEADER, &body].concat());
}

#[test]
fn a_value_that_was_not_sent_is_an_error_and_not_null() {
    let (plan, rows) = rows_of(&[[Some("x".into()), None]], false);
    let unsent = row(rows[0].relation(), &[Datum::Text(b"x"), Datum::Unchanged]);
    let is_missing =
        |error: &ApplyError| matches!(error.kind(), ApplyErrorKind::MissingValue { column } if column == "b");
    assert!(parameter(&plan.columns[1], &unsent, false).is_err_and(|error| is_missing(&error)));
    assert!(CopyRows::like(&unsent, &plan).push(&unsent).is_err_and(|error| is_missing(&error)));
    assert!(Arrays::of(plan.columns.iter()).push(1, &unsent, &unsent).is_err_and(|error| is_missing(&error)));
}

#[test]
fn a_parameter_shows_no_value() {
    let (plan, rows) = rows_of(&[[Some("secret".into()), None]], false);
    let shown = format!("{:?}", parameter(&plan.columns[0], &rows[0], false).unwrap());
    assert!(shown.contains('6') && !shown.contains("secret"), "{shown}");
}
