//! Why a column can't be read.

use std::fmt;

use crate::pgoutput::Column;
use crate::value::ValueError;
use crate::{Oid, Row};

/// A row, or a column of it, can't be read as what was asked for.
///
/// Says which table, column and type, and why; never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    table: String,
    column: Option<String>,
    type_name: Option<String>,
    kind: RowErrorKind,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowErrorKind {
    /// The table has no such column.
    NoSuchColumn,
    /// The column's value isn't of the type asked for.
    Value(ValueError),
    /// What the row is read as has other fields, or refused what is in one.
    Shape {
        /// What was expected, or which field is missing; no value.
        expected: String,
    },
}

impl RowError {
    #[cold]
    pub(crate) fn no_such_column(row: &Row, column: String) -> Self {
        Self { table: table(row), column: Some(column), type_name: None, kind: RowErrorKind::NoSuchColumn }
    }

    #[cold]
    pub(crate) fn value(row: &Row, column: Option<&Column>, source: ValueError) -> Self {
        Self { kind: RowErrorKind::Value(source), ..Self::shape(row, column, String::new()) }
    }

    #[cold]
    pub(crate) fn shape(row: &Row, column: Option<&Column>, expected: String) -> Self {
        Self {
            table: table(row),
            column: column.map(|column| column.name.clone()),
            type_name: column.map(|column| type_name(row, column.type_oid)),
            kind: RowErrorKind::Shape { expected },
        }
    }

    /// The table, `schema.name`.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The column, if it is about one.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// The column's type: its name, or `oid` and its number if it isn't known.
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// Why.
    pub fn kind(&self) -> &RowErrorKind {
        &self.kind
    }
}

fn table(row: &Row) -> String {
    format!("{}.{}", row.relation().schema, row.relation().name)
}

fn type_name(row: &Row, oid: Oid) -> String {
    match row.types().get(oid) {
        Some(known) if known.schema == "pg_catalog" => known.name.to_string(),
        Some(known) => format!("{}.{}", known.schema, known.name),
        None => format!("oid {oid}"),
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.table)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(type_name) = &self.type_name {
            write!(f, " of type {type_name}")?;
        }
        match &self.kind {
            RowErrorKind::NoSuchColumn => f.write_str(": the table has no such column"),
            RowErrorKind::Value(_) => f.write_str(": the value can't be read"),
            RowErrorKind::Shape { expected } => write!(f, ": {expected}"),
        }
    }
}

impl std::error::Error for RowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            RowErrorKind::Value(source) => Some(source),
            RowErrorKind::NoSuchColumn | RowErrorKind::Shape { .. } => None,
        }
    }
}
