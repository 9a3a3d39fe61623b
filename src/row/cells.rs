//! What a row has in its columns, for whoever reads values rather than bytes.

use crate::pgoutput::{Column, Datum};
use crate::value::{FromValue, Value, ValueError};
use crate::{Row, RowError};

/// The columns of a row, and where to find what the row itself doesn't hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells<'a> {
    row: &'a Row,
    /// Only the columns of the replica identity were sent: NULL says nothing of the others.
    key_only: bool,
    /// The whole row as it was, which has what an UPDATE left alone.
    old: Option<&'a Row>,
}

impl<'a> Cells<'a> {
    #[inline]
    pub(crate) fn new(row: &'a Row) -> Self {
        Self { row, key_only: false, old: None }
    }

    pub(crate) fn key_only(self) -> Self {
        Self { key_only: true, ..self }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn filled_from(self, old: &'a Row) -> Self {
        // One change's rows are of one relation.
        Self { old: (old.relation() == self.row.relation()).then_some(old), ..self }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn row(&self) -> &'a Row {
        self.row
    }

    #[cfg(feature = "serde")]
    pub(crate) fn len(&self) -> usize {
        self.row.relation().columns.len()
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Cell<'a>> + use<'a> {
        let Self { row, key_only, old } = *self;
        let mut old = old.map(|old| old.tuple().iter());
        row.iter().map(move |(column, datum)| {
            let before = old.as_mut().and_then(Iterator::next);
            let datum = match datum {
                Datum::Null if key_only && !column.is_key => Datum::Unchanged,
                Datum::Unchanged => before.unwrap_or(Datum::Unchanged),
                sent => sent,
            };
            Cell { row, column, datum }
        })
    }

    #[inline]
    pub(crate) fn read<T: FromValue<'a>>(&self, index: impl ColumnIndex) -> Result<T, RowError> {
        let cell = index.position(self.row).and_then(|position| self.iter().nth(position));
        cell.ok_or_else(|| RowError::no_such_column(self.row, index.name()))?.read()
    }
}

/// A column of a row with what it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) row: &'a Row,
    pub(crate) column: &'a Column,
    pub(crate) datum: Datum<'a>,
}

impl<'a> Cell<'a> {
    #[inline]
    pub(crate) fn value(&self) -> Option<Value<'a>> {
        Value::new(self.datum, self.column.type_oid, self.row.types())
    }

    #[inline]
    fn read<T: FromValue<'a>>(&self) -> Result<T, RowError> {
        match self.value() {
            Some(value) => value.read(),
            None if self.datum == Datum::Null => T::null().ok_or_else(ValueError::null),
            None => T::unchanged().ok_or_else(ValueError::unchanged),
        }
        .map_err(|source| RowError::value(self.row, Some(self.column), source))
    }
}

/// What a column is asked for by: its name, or its position, from 0.
pub trait ColumnIndex: Copy + sealed::Sealed {
    #[doc(hidden)]
    fn position(self, row: &Row) -> Option<usize>;
    #[doc(hidden)]
    fn name(self) -> String;
}

impl ColumnIndex for usize {
    fn position(self, row: &Row) -> Option<usize> {
        (self < row.relation().columns.len()).then_some(self)
    }

    fn name(self) -> String {
        format!("number {self}, counted from 0")
    }
}

impl ColumnIndex for &str {
    fn position(self, row: &Row) -> Option<usize> {
        row.relation().columns.iter().position(|column| column.name == self)
    }

    fn name(self) -> String {
        self.to_owned()
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else implements it")]
    pub trait Sealed {}
    impl Sealed for usize {}
    impl Sealed for &str {}
}
