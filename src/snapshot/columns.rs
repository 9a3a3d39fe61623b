//! What a catalogue says of the columns of tables, asked of both servers in the same words.

pub(super) use crate::quote::text::{identifier, literal, qualified};
use std::collections::HashMap;

use tokio_postgres::{Client, Error, Row};

use crate::Oid;
use crate::value::is_portable_in_binary;

/// A column, on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Of a domain, the type that it is over: the forms of its values are that type's.
    pub(super) base: Oid,
    pub(super) is_enum: bool,
    /// Whether it, and what it is made of, can be sent and received in binary.
    pub(super) has_binary: bool,
    /// The type as SQL has it, with its modifier.
    pub(super) type_name: String,
    pub(super) is_generated: bool,
}

const COLUMNS: &str = "WITH RECURSIVE typed(relation, number, oid) AS (\
     SELECT attrelid, attnum, atttypid FROM pg_catalog.pg_attribute \
     WHERE attrelid = ANY ($1) AND attnum > 0 AND NOT attisdropped \
     UNION ALL SELECT y.relation, y.number, t.typbasetype FROM typed y \
     JOIN pg_catalog.pg_type t ON t.oid = y.oid WHERE t.typtype = 'd') \
     SELECT a.attrelid, a.attname::pg_catalog.text, t.oid, t.typtype = 'e', \
     t.typsend <> 0 AND t.typreceive <> 0 AND (e.oid IS NULL OR e.typsend <> 0 AND e.typreceive <> 0), \
     pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated <> '' \
     FROM pg_catalog.pg_attribute a JOIN typed y ON y.relation = a.attrelid AND y.number = a.attnum \
     JOIN pg_catalog.pg_type t ON t.oid = y.oid AND t.typtype <> 'd' \
     LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem \
     ORDER BY a.attrelid, a.attnum";

/// The columns of each of these relations, in their order.
pub(super) async fn columns(client: &Client, relations: &[u32]) -> Result<HashMap<u32, Vec<Column>>, Error> {
    let mut found: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in client.query(COLUMNS, &[&relations]).await? {
        found.entry(row.try_get(0)?).or_default().push(Column::read(&row)?);
    }
    Ok(found)
}

impl Column {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            name: row.try_get(1)?,
            base: Oid::new(row.try_get(2)?),
            is_enum: row.try_get(3)?,
            has_binary: row.try_get(4)?,
            type_name: row.try_get(5)?,
            is_generated: row.try_get(6)?,
        })
    }

    /// Whether the binary form of one means the same to the other. In a user's array, range or composite stand numbers of
    /// types, which are others there; the label of an enum is its text.
    pub(super) fn is_alike_in_binary(&self, other: &Self) -> bool {
        let is_alike =
            self.is_enum && other.is_enum || self.base == other.base && is_portable_in_binary(self.base);
        is_alike && self.has_binary && other.has_binary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(base: u32) -> Column {
        Column {
            name: "a".to_owned(),
            base: Oid::new(base),
            is_enum: false,
            has_binary: true,
            type_name: String::new(),
            is_generated: false,
        }
    }

    #[test]
    fn only_what_means_the_same_on_both_sides_goes_in_binary() {
        let alike = |one: &Column, other: &Column| one.is_alike_in_binary(other);
        // int4, text, int4[], int4range, jsonb
        for base in [23, 25, 1007, 3904, 3802] {
            assert!(alike(&column(base), &column(base)), "{base}");
        }
        assert!(!alike(&column(23), &column(20)), "int4 and int8");
        assert!(!alike(&column(2205), &column(2205)), "a regclass is a number of the source's own");
        assert!(!alike(&column(3615), &column(3615)), "no server reads an empty tsquery in binary");
        assert!(!alike(&column(16400), &column(16400)), "a user's type has another number there");
        let label = |base| Column { is_enum: true, ..column(base) };
        assert!(alike(&label(16400), &label(16999)), "a label is its text");
        assert!(!alike(&label(16400), &column(25)));
        assert!(!alike(&Column { has_binary: false, ..column(23) }, &column(23)));
    }
}
