//! The types that users made, as the catalogue has them.

use walferry::Oid;
use walferry::value::{Type, TypeField, TypeKind, Types};

use super::Cluster;

/// The catalogue's rows of the types that users made.
pub(crate) fn user_types(cluster: &Cluster) -> Types {
    let sql = "SELECT t.oid, nspname, typname, typtype, typelem, typbasetype, coalesce(r.rngsubtype, 0),
        coalesce(m.rngtypid, 0),
        (SELECT string_agg(atttypid || ' ' || attname, ',' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped),
        (SELECT string_agg(enumlabel, ';' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
        FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace LEFT JOIN pg_range r ON r.rngtypid = t.oid
        LEFT JOIN pg_range m ON m.rngmultitypid = t.oid WHERE t.oid >= 16384";
    cluster.psql("postgres", sql).lines().map(user_type).collect()
}

fn user_type(row: &str) -> Type {
    let columns: Vec<_> = row.split('|').collect();
    let [oid, schema, name, kind, element, base, subtype, range, fields, labels] = columns.as_slice() else {
        panic!("{row}")
    };
    let number = |digits: &str| Oid::new(digits.parse().expect("an oid"));
    let kind = match *kind {
        "b" => TypeKind::Array { element: number(element), delimiter: ',' },
        "c" => TypeKind::Composite { fields: fields.split(',').map(type_field).collect() },
        "d" => TypeKind::Domain { base: number(base) },
        "e" => TypeKind::Enum { labels: labels.split(';').map(str::to_owned).collect() },
        "r" => TypeKind::Range { subtype: number(subtype) },
        "m" => TypeKind::Multirange { range: number(range) },
        other => panic!("{other}"),
    };
    Type { oid: number(oid), schema: (*schema).to_owned().into(), name: (*name).to_owned().into(), kind }
}

fn type_field(field: &str) -> TypeField {
    let (oid, name) = field.split_once(' ').expect("two words");
    TypeField { name: name.to_owned(), type_oid: Oid::new(oid.parse().expect("an oid")) }
}
