//! Any bytes as a row of COPY's text format, and any values written as one.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use walferry::copy::RowReader;
use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity};
use walferry::value::Types;
use walferry::{Oid, RelationId, quote};
use walferry_fuzz::unquote;

fn reader(columns: usize) -> RowReader {
    let column = Column { name: String::new(), type_oid: Oid::new(25), type_modifier: -1, is_key: false };
    let relation = Relation {
        id: RelationId::new(16384),
        schema: String::new(),
        name: String::new(),
        replica_identity: ReplicaIdentity::Default,
        columns: vec![column; columns],
    };
    RowReader::new(Arc::new(relation), Arc::new(Types::default()))
}

/// The values of a row that is read; none if it isn't.
fn read(columns: usize, line: &[u8]) -> Option<Vec<Option<Vec<u8>>>> {
    let value = |datum: Datum<'_>| match datum {
        Datum::Null => None,
        Datum::Text(text) => Some(text.to_vec()),
        other => panic!("{other:?}"),
    };
    match reader(columns).read(line) {
        Ok(row) => Some(row.tuple().iter().map(value).collect()),
        Err(error) => {
            assert!(error.offset() <= line.len() && error.field() >= 1 && error.row() == 1);
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn written(values: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut line = Vec::new();
    quote::copy_row(&mut line, values.iter().map(Option::as_deref));
    line
}

// The first byte says how many columns; what it says of each value is taken from the second.
fuzz_target!(|input: &[u8]| {
    let [columns, nulls, bytes @ ..] = input else { return };
    let columns = usize::from(columns % 9);

    // What is a row has one form, which a reader that shares no code takes for the same.
    if let Some(values) = read(columns, bytes) {
        assert_eq!(written(&values), bytes);
        let fields = bytes.strip_suffix(b"\n").expect("a row ends").split(|byte| *byte == b'\t');
        let fields: Vec<_> = fields.map(|field| unquote::copy_field(field).expect("a field")).collect();
        assert!(fields == values || columns == 0 && bytes == b"\n");
    }

    // What is written is read, and nothing less of it.
    let width = bytes.len().div_ceil(columns.max(1)).max(1);
    let mut values: Vec<_> = bytes.chunks(width).map(|value| Some(value.to_vec())).collect();
    values.resize(columns, None);
    for (at, value) in values.iter_mut().enumerate() {
        *value = value.take().filter(|_| nulls >> (at % 8) & 1 == 0);
    }
    let line = written(&values);
    assert_eq!(read(columns, &line).as_ref(), Some(&values));
    for end in [0, line.len() / 2, line.len().saturating_sub(1)] {
        assert_eq!(read(columns, &line[..end]), None);
    }
});
