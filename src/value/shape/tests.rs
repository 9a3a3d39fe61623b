use super::*;
use crate::pgoutput::Datum;
use crate::value::{Type, Types};

const EMPTY: u32 = 30_000;
const SINGLE: u32 = 30_001;

/// A composite type without columns, and one of one.
fn types() -> Types {
    let made = |oid, fields| Type {
        oid: Oid::new(oid),
        schema: "public".into(),
        name: "made".into(),
        kind: TypeKind::Composite { fields },
    };
    let sole = TypeField { name: "sole".into(), type_oid: Oid::new(25) };
    [made(EMPTY, vec![]), made(SINGLE, vec![sole])].into_iter().collect()
}

fn value<'a>(datum: Datum<'a>, oid: u32, types: &'a Types) -> Value<'a> {
    Value::new(datum, Oid::new(oid), types).expect("a value")
}

fn composite(value: Value<'_>) -> Composite<'_> {
    let Ok(Shape::Composite(composite)) = value.shape() else { panic!("{value:?}") };
    composite
}

#[test]
fn nothing_in_parentheses_is_a_null_unless_the_type_has_no_columns() {
    let types = types();
    assert_eq!(composite(value(Datum::Text(b"()"), EMPTY, &types)).fields.len(), 0);
    let single = composite(value(Datum::Text(b"()"), SINGLE, &types));
    assert!(matches!(single.fields.as_slice(), [None]));
    assert!(value(Datum::Text(b"(a)"), EMPTY, &types).shape().is_err());
}

#[test]
fn fields_have_names_where_their_types_are_the_known_ones() {
    let types = types();
    let names = |value| composite(value).names().map(Iterator::collect::<Vec<_>>);
    assert_eq!(names(value(Datum::Text(b"(a)"), SINGLE, &types)), Some(vec!["sole"]));
    let bytes = b"\0\0\0\x01\0\0\0\x19\0\0\0\x01a";
    assert_eq!(names(value(Datum::Binary(bytes), SINGLE, &types)), Some(vec!["sole"]));
    let changed = b"\0\0\0\x01\0\0\0\x17\0\0\0\x04\0\0\0\x01";
    assert_eq!(names(value(Datum::Binary(changed), SINGLE, &types)), None);
    assert_eq!(names(value(Datum::Text(b"(a)"), 2249, &types)), None, "a record");
}

#[test]
fn a_pseudo_type_other_than_record_has_no_parts() {
    let types = types();
    assert!(matches!(value(Datum::Text(b"(a)"), 2276, &types).shape(), Ok(Shape::Scalar(_))), "any");
}

#[test]
fn what_is_shown_of_a_value_is_its_type_and_its_length() {
    let types = types();
    let shown = "Value { type_oid: 30001, datum: Text(8 bytes) }";
    let outer = value(Datum::Text(b"(secret)"), SINGLE, &types);
    assert_eq!(format!("{outer:?}"), shown);
    assert!(std::ptr::eq(outer.types(), &raw const types));
    let inner = composite(outer).fields.remove(0).expect("a field");
    assert_eq!(format!("{inner:?}"), "Value { type_oid: 25, datum: Text(6 bytes) }");
    assert_eq!(inner.borrowed().map(|value| value.datum()), Some(Datum::Text(b"secret")));
    let escaped = composite(value(Datum::Text(br#"("a""b")"#), SINGLE, &types)).fields.remove(0);
    assert!(escaped.expect("a field").borrowed().is_none(), "it stands nowhere as it is");
}
