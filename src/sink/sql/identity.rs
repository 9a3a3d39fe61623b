//! Which row an UPDATE or DELETE means.

use super::SqlError;
use super::statement::Statement;
use crate::event::OldRow;
use crate::pgoutput::{Column, Datum, ReplicaIdentity};
use crate::sink::equality::Equality;
use crate::value::{holds_object_names, is_object_name};
use crate::{Oid, Row, quote};

/// What tells the row.
pub(super) enum Identity<'a> {
    /// Its key, which the table holds once.
    Key(&'a Row),
    /// All its columns, which the table may hold more than once.
    Full(&'a Row),
}

impl<'a> Identity<'a> {
    /// The row that an UPDATE changes. Without an old row the key was not changed, and the new row has it.
    pub(super) fn of_update(
        statement: &Statement<'_>,
        old: Option<&'a OldRow>,
        new: &'a Row,
    ) -> Result<Self, SqlError> {
        match old {
            Some(old) => Self::of_old(statement, old),
            None if new.relation().replica_identity == ReplicaIdentity::Full => Err(statement.no_identity()),
            None => Self::key(statement, new),
        }
    }

    pub(super) fn of_old(statement: &Statement<'_>, old: &'a OldRow) -> Result<Self, SqlError> {
        match old {
            OldRow::Full(row) => Ok(Self::Full(row)),
            OldRow::Key(row) => Self::key(statement, row),
        }
    }

    fn key(statement: &Statement<'_>, row: &'a Row) -> Result<Self, SqlError> {
        if row.relation().columns.iter().any(|column| column.is_key) {
            Ok(Self::Key(row))
        } else {
            Err(statement.no_identity())
        }
    }

    /// Writes ` WHERE …`, which matches the row alone.
    pub(super) fn where_clause(&self, statement: &Statement<'_>, out: &mut Vec<u8>) -> Result<(), SqlError> {
        out.extend_from_slice(b" WHERE ");
        match self {
            Self::Key(row) => {
                let compare = match row.relation().replica_identity {
                    ReplicaIdentity::Index => equal_and_same_text,
                    _ => equal,
                };
                conjunction(statement, out, row.iter().filter(|(column, _)| column.is_key), compare)
            }
            Self::Full(row) => {
                // One of several equal rows. A ctid is unique only inside one partition.
                out.extend_from_slice(b"(tableoid, ctid) = (SELECT tableoid, ctid FROM ");
                statement.target(out);
                out.extend_from_slice(b" WHERE ");
                conjunction(statement, out, row.iter(), same_text)?;
                out.extend_from_slice(b" LIMIT 1)");
                Ok(())
            }
        }
    }
}

fn conjunction<'a>(
    statement: &Statement<'_>,
    out: &mut Vec<u8>,
    columns: impl Iterator<Item = (&'a Column, Datum<'a>)>,
    compare: fn(&Statement<'_>, &mut Vec<u8>, &Column, &[u8]),
) -> Result<(), SqlError> {
    let mut separator: &[u8] = b"";
    for (column, datum) in columns {
        out.extend_from_slice(separator);
        separator = b" AND ";
        match datum {
            Datum::Null => is_null(out, column),
            Datum::Text(text) => compare(statement, out, column, text),
            Datum::Binary(_) | Datum::Unchanged => return Err(statement.missing_value(column)),
        }
    }
    if separator.is_empty() {
        // A table without columns: any row is the row.
        out.extend_from_slice(b"true");
    }
    Ok(())
}

/// Not `IS NULL`, which a composite of NULLs satisfies too.
fn is_null(out: &mut Vec<u8>, column: &Column) {
    quote::identifier(out, &column.name);
    out.extend_from_slice(b" IS NOT DISTINCT FROM NULL");
}

/// The type's own equality, by which the key is unique.
fn equal(statement: &Statement<'_>, out: &mut Vec<u8>, column: &Column, text: &[u8]) {
    quote::identifier(out, &column.name);
    out.extend_from_slice(b" = ");
    if column.type_oid < Oid::FIRST_UNPINNED && !is_object_name(column.type_oid) {
        return statement.literal(out, column, text);
    }
    // A bare literal becomes an oid beside a regclass, and a record beside a composite. Here it takes the column's
    // type, whatever that is called, and an index still finds it.
    typed_as_column(statement, out, column, text);
}

fn typed_as_column(statement: &Statement<'_>, out: &mut Vec<u8>, column: &Column, text: &[u8]) {
    out.extend_from_slice(b"(SELECT ");
    quote::identifier(out, &column.name);
    out.extend_from_slice(b" FROM ");
    statement.target(out);
    out.extend_from_slice(b" WHERE false UNION ALL SELECT ");
    statement.literal(out, column, text);
    out.push(b')');
}

/// An index that is not a primary key's may tell apart what `=` doesn't, by a collation or operator class of its own.
/// `=` is there for the indexes that know it.
fn equal_and_same_text(statement: &Statement<'_>, out: &mut Vec<u8>, column: &Column, text: &[u8]) {
    equal(statement, out, column, text);
    if !matches!(Equality::of(column), Equality::Exact) {
        out.extend_from_slice(b" AND ");
        same_text(statement, out, column, text);
    }
}

/// The same text: 1.0 is not 1.00, -0 is not 0, and json, xml and point have no equality at all.
fn same_text(statement: &Statement<'_>, out: &mut Vec<u8>, column: &Column, text: &[u8]) {
    match Equality::of(column) {
        Equality::Exact => equal(statement, out, column, text),
        Equality::ExactInBytes => {
            quote::identifier(out, &column.name);
            out.extend_from_slice(b" COLLATE \"C\" = ");
            quote::literal(out, text);
        }
        Equality::Other => {
            // `format` prints with the type's output function, as the server does; casts to text differ for some.
            // It prints nothing for NULL.
            if text.is_empty() {
                quote::identifier(out, &column.name);
                out.extend_from_slice(b" IS DISTINCT FROM NULL AND ");
            }
            out.extend_from_slice(b"format('%s', ");
            quote::identifier(out, &column.name);
            out.extend_from_slice(b") COLLATE \"C\" = ");
            if holds_object_names(column.type_oid) {
                // Printed here too, for here the `search_path` may be another one.
                out.extend_from_slice(b"format('%s', ");
                typed_as_column(statement, out, column, text);
                out.push(b')');
            } else {
                quote::literal(out, text);
            }
        }
    }
}
