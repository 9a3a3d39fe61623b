//! Values in the forms in which they go.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Oid;
use crate::pgoutput::ReplicaIdentity;
use crate::sink::postgres::tests::{INT4, TEXT as TEXT_OID, column, plan, relation, row, table, target};
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
            // The text of a text is its binary form. Of NULLs alone nobody can tell in which form they came.
            let is_binary = at == 0 || binary && expected.iter().any(Option::is_some);
            prop_assert_eq!(matches!(parameter.format, Format::Binary), is_binary);
            if is_binary {
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
    fn a_row_of_copy_reads_as_the_values_that_were_put_into_it(
        fields in vec([field(), field()], 1..6),
        taken in vec(any::<bool>(), 6),
    ) {
        let (plan, rows) = rows_of(&fields, false);
        let mut lines = CopyRows::like(&rows[0], &plan);
        prop_assert!(!lines.is_binary());
        let mut sent = Vec::new();
        for (row, is_taken) in rows.iter().zip(taken) {
            lines.push(row).unwrap();
            if is_taken {
                let len = lines.len();
                let part = lines.take();
                prop_assert_eq!((part.len(), lines.len()), (len, 0));
                sent.extend(part);
            }
        }
        sent.extend(lines.end());
        let text = String::from_utf8(sent).unwrap();
        let found: Vec<Vec<Field>> = text.strip_suffix('\n').unwrap().split('\n').map(copied).collect();
        prop_assert_eq!(found, fields.iter().map(|fields| fields.to_vec()).collect::<Vec<_>>());
    }
}

#[test]
fn rows_go_in_binary_if_the_first_one_came_so() {
    let (plan, rows) = rows_of(&[[Some("x".into()), None]], true);
    let mut lines = CopyRows::like(&rows[0], &plan);
    lines.push(&rows[0]).unwrap();
    let body = [&[0, 2, 0, 0, 0, 1, b'x', 0xff, 0xff, 0xff, 0xff], &[0xff, 0xff][..]].concat();
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

#[test]
fn a_column_that_is_generated_is_not_copied() {
    let relation =
        relation(ReplicaIdentity::Default, vec![column("a", TEXT_OID, true), column("b", TEXT_OID, false)]);
    let mut table = table(&relation, &[&[0]]);
    table.columns[0].is_generated = true;
    let plan = plan(&relation, table);
    let row = row(&relation, &[Datum::Text(b"x"), Datum::Text(b"y")]);
    let mut lines = CopyRows::like(&row, &plan);
    lines.push(&row).unwrap();
    assert_eq!(lines.end(), b"y\n"[..]);
}

/// Source: `charout` of the server. What is not ASCII is printed in octal from version 15 on, before that as it is.
#[test]
fn each_byte_of_the_type_char_is_that_byte() {
    let relation =
        relation(ReplicaIdentity::Default, vec![column("a", 18, true), column("b", TEXT_OID, false)]);
    let plan = plan(&relation, table(&relation, &[&[0]]));
    assert!(!gathers(&plan.columns[0].source) && gathers(&plan.columns[1].source));
    let given = |text: &[u8], at: usize, as_text| {
        let row = row(&relation, &[Datum::Text(text); 2]);
        let Parameter { format, bytes } = parameter(&plan.columns[at], &row, as_text).unwrap();
        (matches!(format, Format::Binary), bytes.unwrap())
    };
    for byte in 1..=u8::MAX {
        let octal = format!("\\{byte:o}").into_bytes();
        let printed = if byte.is_ascii() { vec![vec![byte]] } else { vec![octal, vec![byte]] };
        for text in printed {
            assert_eq!(given(&text, 0, false), (!byte.is_ascii(), vec![byte]));
            assert_eq!(given(&text, 0, true), (false, text.clone()), "it is asked for as text");
            assert_eq!(given(&text, 1, false), (false, text.clone()), "of another type");
        }
    }
}

const INT8: u32 = 20;

/// An int4 for an int4; for an int8; for one over which there is no array; for a text; and a text for an int4.
fn others() -> (Plan, Row) {
    let types = [INT4, INT4, INT4, INT4, TEXT_OID];
    let columns =
        ["a", "b", "c", "d", "e"].iter().zip(types).map(|(name, oid)| column(name, oid, *name == "a"));
    let relation = relation(ReplicaIdentity::Default, columns.collect());
    let mut table = table(&relation, &[&[0]]);
    for (name, type_oid) in [("b", INT8), ("c", INT4), ("d", TEXT_OID), ("e", INT4)] {
        let at = table.columns.iter().position(|column| column.name == name).unwrap();
        table.columns[at] = target(&column(name, type_oid, false));
    }
    table.columns[2].array = None;
    let seven = Datum::Binary(&[0, 0, 0, 7]);
    (plan(&relation, table), row(&relation, &[seven, seven, seven, seven, Datum::Text(b"7")]))
}

#[test]
fn a_binary_value_goes_as_it_is_to_its_own_type_and_as_text_to_others() {
    let (plan, row) = others();
    let given = |at: usize, as_text| {
        let Parameter { format, bytes } = parameter(&plan.columns[at], &row, as_text).unwrap();
        (matches!(format, Format::Binary), bytes.unwrap())
    };
    assert_eq!(given(0, false), (true, vec![0, 0, 0, 7]));
    assert_eq!(given(0, true), (false, b"7".to_vec()));
    for other in [1, 3, 4] {
        assert_eq!(given(other, false), (false, b"7".to_vec()));
    }
    assert!(!CopyRows::like(&row, &plan).is_binary());
}

#[test]
fn values_of_many_rows_go_in_the_form_that_their_column_reads() {
    let (plan, seven) = others();
    let nulls = row(seven.relation(), &[Datum::Null; 5]);
    let mut arrays = Arrays::of(plan.columns.iter());
    for row in [&nulls, &seven, &nulls] {
        arrays.push(0, row, row).unwrap();
    }
    assert_eq!(arrays.byte_len(), 8 + 10 * 4, "what the values take, and four bytes for a NULL");
    let forms: Vec<Form> = plan.columns.iter().map(form).collect();
    assert_eq!(forms, [Form::Array, Form::Array, Form::Texts, Form::Array, Form::Array]);
    for (at, parameter) in arrays.parameters().into_iter().enumerate() {
        let bytes = parameter.bytes.unwrap();
        let (element, value) = match at {
            0 => (INT4, &[0, 0, 0, 7][..]),
            2 => (TEXT_OID, &b"7"[..]),
            _ => {
                assert!(matches!(parameter.format, Format::Text));
                assert_eq!(bytes, br#"{NULL,"7",NULL}"#);
                continue;
            }
        };
        assert!(matches!(parameter.format, Format::Binary));
        let array = ArrayBinary::from_binary(&bytes).unwrap();
        assert_eq!(array.element_type(), Oid::new(element));
        assert_eq!(array.elements(), [None, Some(value), None]);
    }
}

#[test]
fn the_columns_of_the_key_are_taken_from_the_row_that_is_there() {
    let (plan, rows) =
        rows_of(&[[Some("old".into()), Some("old".into())], [Some("new".into()), Some("new".into())]], false);
    let mut arrays = Arrays::of(plan.columns.iter());
    arrays.push(1, &rows[0], &rows[1]).unwrap();
    let given: Vec<Vec<u8>> =
        arrays.parameters().into_iter().map(|parameter| parameter.bytes.unwrap()).collect();
    assert!(given[0].ends_with(b"old") && given[1] == br#"{"new"}"#);
}

#[test]
fn a_binary_value_that_is_broken_has_no_text() {
    let (plan, row) = others();
    let broken = crate::sink::postgres::tests::row(row.relation(), &[Datum::Binary(&[7]); 5]);
    let error = parameter(&plan.columns[1], &broken, false).unwrap_err();
    assert!(matches!(error.kind(), ApplyErrorKind::NoText { column, .. } if column == "b"), "{error}");
    assert!(error.source().is_some());
}
