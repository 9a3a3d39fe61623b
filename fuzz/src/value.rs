//! A value of any type: built-in ones, and a few as users make them.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
use walferry::value::{FromValue, Numeric, Range, Shape, Type, TypeField, TypeKind, Types, Value};
use walferry::{Oid, RelationId, Row};

/// The first of those that users make.
const FIRST: u32 = 20_000;

/// All of these types, some of them in each other, and one in itself.
static TYPES: LazyLock<Arc<Types>> = LazyLock::new(|| {
    let oid = |place: u32| Oid::new(FIRST + place);
    let field = |name: &str, type_oid| TypeField { name: name.to_owned(), type_oid };
    let delimiter = ',';
    let kinds = [
        TypeKind::Enum { labels: vec!["calm".into(), "it's".into()] },
        TypeKind::Composite {
            fields: vec![field("a", Oid::new(23)), field("b", oid(2)), field("c", oid(0))],
        },
        TypeKind::Domain { base: Oid::new(25) },
        TypeKind::Array { element: oid(1), delimiter },
        TypeKind::Range { subtype: oid(1) },
        TypeKind::Multirange { range: oid(4) },
        TypeKind::Domain { base: oid(3) },
        TypeKind::Composite { fields: vec![field("self", oid(7)), field("many", oid(3))] },
        TypeKind::Array { element: oid(8), delimiter },
        TypeKind::Composite { fields: Vec::new() },
    ];
    let made = |(place, kind)| Type { oid: oid(place), schema: "public".into(), name: "made".into(), kind };
    Arc::new((0..).zip(kinds).map(made).collect())
});

#[derive(Deserialize)]
#[allow(dead_code, clippy::allow_attributes, reason = "read, and never looked at")]
struct C<T> {
    c: T,
}

/// The first two bytes choose a type, the rest is the value.
pub fn split(input: &[u8]) -> Option<(Oid, &[u8])> {
    let (choice, value) = input.split_first_chunk()?;
    let built_in = Types::built_in();
    let choice = usize::from(u16::from_be_bytes(*choice)) % (built_in.len() + 12);
    // The last ones are users', and beyond these is none.
    let user = || Oid::new(FIRST + u32::try_from(choice - built_in.len()).expect("a few"));
    Some((built_in.get(choice).map_or_else(user, |known| known.oid), value))
}

/// Reads the value as all that it may be read as.
pub fn read(oid: Oid, datum: Datum<'_>) {
    let column = Column { name: "c".into(), type_oid: oid, type_modifier: -1, is_key: true };
    let relation = Relation {
        id: RelationId::new(16_384),
        schema: "public".into(),
        name: "t".into(),
        replica_identity: ReplicaIdentity::Default,
        columns: vec![column],
    };
    let tuple = Tuple::from_datums([datum]);
    let row = Row::with_types(Arc::new(relation), Arc::clone(&TYPES), tuple).expect("one column, one value");
    let _ = (deserialize::<serde_json::Value>(&row), deserialize::<String>(&row), deserialize::<i64>(&row));
    let _ = (deserialize::<Vec<Option<String>>>(&row), deserialize::<Vec<Vec<u8>>>(&row));
    let _ = (deserialize::<Numeric>(&row), deserialize::<Range<String>>(&row));
    let value = row.read("c").expect("a value");
    let _ = (&String::from_value(value), i64::from_value(value), f64::from_value(value));
    let _ = (Vec::<Option<String>>::from_value(value), Range::<Numeric>::from_value(value));
    walk(value, &mut 100_000);
}

fn deserialize<T: for<'de> Deserialize<'de>>(row: &Row) -> Option<T> {
    row.deserialize::<C<T>>().map(|C { c }| c).map_err(|error| error.to_string()).ok()
}

/// Goes into all parts.
fn walk(value: Value<'_>, steps: &mut u32) {
    *steps = steps.saturating_sub(1);
    let (Ok(shape), 1..) = (value.shape(), *steps) else { return };
    let mut part = |item: &walferry::value::Item<'_>| walk(item.value(), steps);
    match &shape {
        Shape::Array(array) => array.elements.iter().flatten().for_each(part),
        Shape::Composite(composite) => {
            assert!(composite.names().is_none_or(|names| names.len() == composite.fields.len()));
            composite.fields.iter().flatten().for_each(part);
        }
        Shape::Range(range) => drop(range.clone().map(|bound| part(&bound))),
        Shape::Multirange(multirange) => drop(multirange.clone().map(|bound| part(&bound))),
        _ => {}
    }
}

/// The value of this type.
pub fn value(oid: Oid, datum: Datum<'_>) -> Value<'_> {
    Value::new(datum, oid, &TYPES).expect("neither NULL nor unchanged")
}
