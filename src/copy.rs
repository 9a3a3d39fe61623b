//! Rows of COPY's text format, read as what the stream sends of the same rows.
//!
//! A field becomes what a column of a pgoutput tuple is: NULL, or text. So there is one way to look at values,
//! wherever a row came from: [`Row`], [`Datum`](crate::pgoutput::Datum) and all that reads them.
//!
//! The server writes both by the same output functions of the types, so the same stored value is the same bytes here and
//! there. There is no reader of COPY's binary format: it has no row with a column in text beside others in binary, as
//! the stream sends them where a type has no binary form. Text is whole for every type.
//!
//! Source: PostgreSQL manual, COPY, "Text Format", and `CopyAttributeOutText` in the server's `copyto.c`: what that never
//! writes is an error.

mod error;

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};

pub use self::error::{CopyRowError, CopyRowErrorKind};
use crate::Row;
use crate::pgoutput::{Relation, Tuple};
use crate::quote;
use crate::row::Table;
use crate::value::Types;

/// The bytes of a column before its value: kind and length.
const HEADER: usize = 5;

/// How much room small rows share.
const GULP: usize = 64 * 1024;

/// Reads the rows of one table, in the order in which they come.
///
/// ```
/// use std::sync::Arc;
/// use walferry::copy::RowReader;
/// use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity};
/// use walferry::value::Types;
/// use walferry::{Oid, RelationId};
///
/// let column = |name: &str| Column { name: name.into(), type_oid: Oid::new(25), type_modifier: -1, is_key: false };
/// let relation = Arc::new(Relation {
///     id: RelationId::new(16384),
///     schema: "public".into(),
///     name: "notes".into(),
///     replica_identity: ReplicaIdentity::Default,
///     columns: vec![column("title"), column("body")],
/// });
/// let mut reader = RowReader::new(relation, Arc::new(Types::default()));
/// let row = reader.read(b"null\t\\N\n")?;
/// assert_eq!(row.get("title"), Some(Datum::Text(b"null")));
/// assert_eq!(row.get("body"), Some(Datum::Null));
/// let row = reader.read(b"\\\\N\t\n")?;
/// assert_eq!(row.get("title"), Some(Datum::Text(b"\\N")), "an escaped backslash, and no NULL");
/// assert_eq!(row.get("body"), Some(Datum::Text(b"")));
/// # Ok::<(), walferry::copy::CopyRowError>(())
/// ```
#[derive(Debug)]
pub struct RowReader {
    table: Arc<Table>,
    rows: u64,
    buffer: BytesMut,
}

/// A row as far as it was read.
struct Fields<'a> {
    rest: &'a [u8],
    /// The field that is being read, counted from 1.
    field: usize,
}

/// What a field ends with.
#[derive(PartialEq, Eq)]
enum End {
    Field,
    Row,
}

impl RowReader {
    /// A reader of rows that hold the columns of `relation`, in its order, of these types.
    pub fn new(relation: Arc<Relation>, types: Arc<Types>) -> Self {
        Self { table: Arc::new(Table { relation, types }), rows: 0, buffer: BytesMut::with_capacity(GULP) }
    }

    /// The table whose rows they are.
    pub fn relation(&self) -> &Arc<Relation> {
        &self.table.relation
    }

    /// How many rows were read, or tried to.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads the next row, which is one line with its line feed: the payload of one CopyData, as the server frames them.
    ///
    /// Takes as much memory as the line has bytes, and five more for each field; small rows that are read one after the
    /// other share 64 KiB: [`Row::detach`] one to keep it for long.
    ///
    /// # Errors
    ///
    /// What no server writes, with the place. The next row can be read all the same.
    pub fn read(&mut self, line: &[u8]) -> Result<Row, CopyRowError> {
        self.rows += 1;
        self.buffer.clear();
        let mut fields = Fields { rest: line, field: 1 };
        let row = fields.read(self.table.relation.columns.len(), &mut self.buffer).and_then(|columns| {
            let tuple = Tuple::from_checked(columns, 0, self.buffer.split().freeze());
            let expected = self.table.relation.columns.len();
            let count = || CopyRowErrorKind::FieldCount { expected, found: columns.into() };
            Row::of(Arc::clone(&self.table), tuple).ok_or_else(count)
        });
        row.map_err(|kind| {
            let Relation { schema, name, .. } = &*self.table.relation;
            let table = format!("{schema}.{name}");
            CopyRowError::new(table, self.rows, fields.field, line.len() - fields.rest.len(), kind)
        })
    }
}

impl Fields<'_> {
    /// Writes the columns of a tuple, and gives their number.
    fn read(&mut self, expected: usize, out: &mut BytesMut) -> Result<u16, CopyRowErrorKind> {
        // A field is one byte of the row at the least, whatever the table has.
        out.reserve(self.rest.len() + HEADER * expected.min(self.rest.len()));
        if expected == 0 && self.rest == b"\n" {
            return Ok(0);
        }
        let mut end = self.field(out)?;
        while end == End::Field {
            if self.field >= expected {
                let found = self.field + self.rest.split(|byte| *byte == b'\t').count();
                return Err(CopyRowErrorKind::FieldCount { expected, found });
            }
            self.field += 1;
            end = self.field(out)?;
        }
        let found = self.field;
        u16::try_from(found).map_err(|_| CopyRowErrorKind::FieldCount { expected, found })
    }

    fn field(&mut self, out: &mut BytesMut) -> Result<End, CopyRowErrorKind> {
        // NULL is the only field that these two bytes can be: in a text, the backslash is doubled.
        if let Some(rest) = self.rest.strip_prefix(br"\N") {
            out.put_u8(b'n');
            self.rest = rest;
            return self.end();
        }
        out.put_u8(b't');
        out.put_u32(0);
        let begin = out.len();
        self.text(out)?;
        let length = i32::try_from(out.len() - begin).map_err(|_| CopyRowErrorKind::TooLong)?;
        if let Some(header) = out.get_mut(begin - 4..begin) {
            header.copy_from_slice(&length.to_be_bytes());
        }
        self.end()
    }

    /// Writes a text without its escapes, up to what ends it.
    fn text(&mut self, out: &mut BytesMut) -> Result<(), CopyRowErrorKind> {
        loop {
            let plain = quote::plain_run(self.rest, |byte| matches!(byte, b'\x08'..=b'\r' | b'\\'));
            let (plain, special) = self.rest.split_at(plain);
            out.put_slice(plain);
            self.rest = special;
            let Some(behind) = special.strip_prefix(br"\") else { return Ok(()) };
            let (escape, behind) = behind.split_first().ok_or(CopyRowErrorKind::Unterminated)?;
            out.put_u8(quote::copy_unescape(*escape).ok_or(CopyRowErrorKind::UnknownEscape)?);
            self.rest = behind;
        }
    }

    fn end(&mut self) -> Result<End, CopyRowErrorKind> {
        match self.rest {
            [b'\t', rest @ ..] => {
                self.rest = rest;
                Ok(End::Field)
            }
            [b'\n'] => Ok(End::Row),
            [b'\n', ..] => Err(CopyRowErrorKind::BytesBehind),
            [b'\x08'..=b'\r', ..] => Err(CopyRowErrorKind::Unescaped),
            [] => Err(CopyRowErrorKind::Unterminated),
            _ => Err(CopyRowErrorKind::BytesBehindNull),
        }
    }
}

#[cfg(test)]
mod tests;
