//! Binary values: the same script as from text, or an error that names what has none.

use super::*;
use crate::value::{Type, TypeKind, Types, Value, ValueErrorKind};

const REGCLASS: u32 = 2205;
const CHAR: u32 = 18;
/// An enum, a composite of an integer and that enum, a domain over `"char"`, a type of an extension; one that is not known.
const MOOD: u32 = 16_400;
const PAIR: u32 = 16_401;
const LETTER: u32 = 16_402;
const CUBE: u32 = 16_403;
const UNKNOWN: u32 = 16_404;

fn types() -> Arc<Types> {
    let field = |name: &str, oid| crate::value::TypeField { name: name.into(), type_oid: Oid::new(oid) };
    let kinds = [
        (MOOD, TypeKind::Enum { labels: vec!["it's".into()] }),
        (PAIR, TypeKind::Composite { fields: vec![field("a", INT4), field("b", MOOD)] }),
        (LETTER, TypeKind::Domain { base: Oid::new(CHAR) }),
        (CUBE, TypeKind::Base),
    ];
    let named = kinds.map(|(oid, kind)| Type {
        oid: Oid::new(oid),
        schema: "s".into(),
        name: format!("type_{oid}").into(),
        kind,
    });
    Arc::new(named.into_iter().collect())
}

/// Two columns that may be the key and one that is not, of one type.
fn relation_of(type_oid: u32, identity: ReplicaIdentity) -> Arc<Relation> {
    let columns = ["k", "l", "v"].map(|name| column(name, type_oid, -1, name != "v"));
    relation(identity, columns.into())
}

fn typed<'a>(relation: &Arc<Relation>, datums: impl IntoIterator<Item = Datum<'a>>) -> Row {
    Row::with_types(Arc::clone(relation), types(), Tuple::from_datums(datums)).unwrap()
}

/// The row that a server sends if it is asked for binary.
fn in_binary(row: &Row) -> Row {
    let value = |(column, datum): (&Column, _)| Value::new(datum, column.type_oid, row.types());
    let bytes: Vec<_> =
        row.iter().map(|cell| value(cell).map(|value| value.to_binary().unwrap().into_owned())).collect();
    let mut bytes = bytes.iter();
    row.map(|datum| bytes.next().unwrap().as_deref().map_or(datum, Datum::Binary))
}

fn old_in_binary(old: OldRow) -> OldRow {
    match old {
        OldRow::Key(row) => OldRow::Key(in_binary(&row)),
        OldRow::Full(row) => OldRow::Full(in_binary(&row)),
    }
}

/// Every kind of change of rows that hold the two texts.
fn changes(type_oid: u32, a: &str, b: &str) -> Vec<Change> {
    let (a, b) = (Text(a.as_bytes()), Text(b.as_bytes()));
    let mut changes = Vec::new();
    for identity in [ReplicaIdentity::Default, ReplicaIdentity::Index, ReplicaIdentity::Full] {
        let relation = relation_of(type_oid, identity);
        let new = || typed(&relation, [a, b, Unchanged]);
        let old = match identity {
            ReplicaIdentity::Full => OldRow::Full(typed(&relation, [a, a, Null])),
            _ => OldRow::Key(typed(&relation, [b, b, Null])),
        };
        changes.push(Change::Insert { new: typed(&relation, [a, b, Null]) });
        changes.push(Change::Snapshot { row: typed(&relation, [a, b, Null]) });
        changes.push(Change::Update { old: Some(old.clone()), new: new() });
        changes.push(Change::Delete { old });
        if identity != ReplicaIdentity::Full {
            changes.push(Change::Update { old: None, new: typed(&relation, [a, b, a]) });
        }
    }
    changes
}

#[test]
fn binary_values_give_the_script_of_text() {
    for (type_oid, a, b) in [
        (INT4, "1", "-2"),
        (NUMERIC, "1.00", "NaN"),
        (TEXT, "it's", "null"),
        (JSON, " {\"a\":1}", ""),
        (1007, "{1,NULL}", "[0:0]={1}"),
        (MOOD, "it's", "other"),
        (PAIR, "(1,it's)", "(,)"),
        (LETTER, r"\351", "a"),
        (CHAR, r"\200", ""),
    ] {
        for always in [&[][..], &["l"], &["v"]] {
            for change in changes(type_oid, a, b) {
                let expected = sql_of(facts(always), change.clone()).unwrap();
                let change = match change {
                    Change::Insert { new } => Change::Insert { new: in_binary(&new) },
                    Change::Snapshot { row } => Change::Snapshot { row: in_binary(&row) },
                    Change::Update { old, new } => {
                        Change::Update { old: old.map(old_in_binary), new: in_binary(&new) }
                    }
                    Change::Delete { old } => Change::Delete { old: old_in_binary(old) },
                    Change::Truncate { .. } => unreachable!(),
                };
                assert_eq!(sql_of(facts(always), change).unwrap(), expected);
            }
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_written_from_binary_too() {
    let sql_of_value = |datum| sql(Change::Insert { new: row(&keyed(), [Text(b"1"), datum, Null]) });
    assert_eq!(sql_of_value(Datum::Binary(b"\xe9t")), sql_of_value(Text(b"\xe9t")));
}

#[test]
fn a_binary_value_without_a_text_is_refused_by_type() {
    for (type_oid, type_name, kind) in [
        (REGCLASS, "pg_catalog.regclass", ValueErrorKind::OneForm),
        (CUBE, "s.type_16403", ValueErrorKind::OneForm),
        (UNKNOWN, "16404", ValueErrorKind::UnknownType { oid: Oid::new(UNKNOWN) }),
    ] {
        let relation = relation_of(type_oid, ReplicaIdentity::Default);
        let new = typed(&relation, [Null, Null, Datum::Binary(b"\0\0\x04\xeb")]);
        let error = sql_of(Catalog::default(), Change::Insert { new }).unwrap_err();
        let told = format!(
            "table public.t, column v: a binary value of type {type_name} that has no text here; \
             ask the server for text, not binary"
        );
        assert_eq!(error.to_string(), told);
        let SqlError::Binary { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), &kind);
    }
}
