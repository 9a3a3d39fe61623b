//! Binary values as text, the only form that SQL literals have.

use std::borrow::Cow;

use super::SqlError;
use crate::Row;
use crate::event::{Change, OldRow};
use crate::pgoutput::{Column, Datum};
use crate::value::{Value, ValueError};

/// The change with all values as text: itself, if none of them is binary.
pub(super) fn in_text(change: &Change) -> Result<Cow<'_, Change>, SqlError> {
    let is_binary = |datum| matches!(datum, Datum::Binary(_));
    if !change.rows().any(|row| row.tuple().iter().any(is_binary)) {
        return Ok(Cow::Borrowed(change));
    }
    Ok(Cow::Owned(match change {
        Change::Snapshot { row } => Change::Snapshot { row: row_in_text(row)? },
        Change::Insert { new } => Change::Insert { new: row_in_text(new)? },
        Change::Update { old, new } => {
            Change::Update { old: old.as_ref().map(old_in_text).transpose()?, new: row_in_text(new)? }
        }
        Change::Delete { old } => Change::Delete { old: old_in_text(old)? },
        Change::Truncate { .. } => change.clone(),
    }))
}

fn old_in_text(old: &OldRow) -> Result<OldRow, SqlError> {
    Ok(match old {
        OldRow::Key(row) => OldRow::Key(row_in_text(row)?),
        OldRow::Full(row) => OldRow::Full(row_in_text(row)?),
    })
}

fn row_in_text(row: &Row) -> Result<Row, SqlError> {
    let mut texts = Vec::with_capacity(row.tuple().len());
    for (column, datum) in row.iter() {
        let text = Value::new(datum, column.type_oid, row.types()).map(text_of).transpose();
        texts.push(text.map_err(|source| no_text(row, column, source))?.flatten());
    }
    let mut texts = texts.iter();
    Ok(row.map(|datum| texts.next().and_then(Option::as_deref).map_or(datum, Datum::Text)))
}

/// Bytes, for in a database in `SQL_ASCII` text need not be UTF-8.
fn text_of(value: Value<'_>) -> Result<Option<Cow<'_, [u8]>>, ValueError> {
    let Datum::Binary(bytes) = value.datum() else { return Ok(None) };
    if value.is_text() {
        return Ok(Some(Cow::Borrowed(bytes)));
    }
    Ok(Some(match value.to_text()? {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }))
}

#[cold]
fn no_text(row: &Row, column: &Column, source: ValueError) -> SqlError {
    let relation = row.relation();
    let type_name = match row.types().get(column.type_oid) {
        Some(known) => format!("{}.{}", known.schema, known.name),
        None => column.type_oid.to_string(),
    };
    SqlError::Binary {
        table: format!("{}.{}", relation.schema, relation.name),
        column: column.name.clone(),
        type_name,
        source,
    }
}
