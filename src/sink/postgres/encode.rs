//! Values as parameters and as rows of COPY: the bytes that were sent, in the form that they were sent in.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use super::error::{ApplyError, ApplyErrorKind};
use super::plan::{Plan, PlanColumn};
use super::statement::Form;
use crate::pgoutput::{Column, Datum};
use crate::value::Value;
use crate::{Oid, Row, quote};

/// One parameter.
pub(super) struct Parameter {
    format: Format,
    bytes: Option<Vec<u8>>,
}

/// Shows no value: tokio-postgres writes parameters to its log.
impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameter").field("len", &self.bytes.as_ref().map(Vec::len)).finish_non_exhaustive()
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(bytes) = &self.bytes else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        self.format
    }

    to_sql_checked!();
}

impl From<String> for Parameter {
    fn from(text: String) -> Self {
        Self { format: Format::Text, bytes: Some(text.into_bytes()) }
    }
}

/// A value, for a parameter of the column's type; or for one of type text, if `as_text`.
pub(super) fn parameter(column: &PlanColumn, row: &Row, as_text: bool) -> Result<Parameter, ApplyError> {
    let datum = row.tuple().get(column.index).unwrap_or(Datum::Unchanged);
    let (format, bytes) = match datum {
        Datum::Binary(bytes) if column.takes_binary && !as_text => (Format::Binary, Some(bytes.to_vec())),
        Datum::Text(bytes) if !as_text && column.source.type_oid == CHAR && is_char_escape(bytes) => {
            (Format::Binary, Some(char_byte(bytes)))
        }
        _ => (Format::Text, text(column, row, datum)?.map(Cow::into_owned)),
    };
    Ok(Parameter { format, bytes })
}

/// The type `"char"`, in quotes: one byte.
const CHAR: Oid = Oid::new(18);

/// A byte that is not ASCII: in octal from version 15 on, which older ones don't read; before that itself, which is no text in
/// any encoding.
fn is_char_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'\\', _, _, _]) || matches!(bytes, [byte] if !byte.is_ascii())
}

fn char_byte(bytes: &[u8]) -> Vec<u8> {
    match *bytes {
        [b'\\', high, middle, low] => {
            let digit = |digit: u8| digit.wrapping_sub(b'0') & 7;
            vec![(digit(high) << 6) | (digit(middle) << 3) | digit(low)]
        }
        _ => bytes.to_vec(),
    }
}

/// Whether values of this column may go into statements for many rows.
pub(super) fn gathers(column: &Column) -> bool {
    column.type_oid != CHAR
}

/// The text of a value; `None` of NULL.
pub(super) fn text<'a>(
    column: &PlanColumn,
    row: &'a Row,
    datum: Datum<'a>,
) -> Result<Option<Cow<'a, [u8]>>, ApplyError> {
    match datum {
        Datum::Null => Ok(None),
        Datum::Text(bytes) => Ok(Some(Cow::Borrowed(bytes))),
        Datum::Unchanged => {
            Err(ApplyError::new(ApplyErrorKind::MissingValue { column: column.name.clone() }))
        }
        Datum::Binary(_) => {
            let Some(value) = Value::new(datum, column.source.type_oid, row.types()) else { return Ok(None) };
            match value.to_text() {
                Ok(Cow::Borrowed(text)) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
                Ok(Cow::Owned(text)) => Ok(Some(Cow::Owned(text.into_bytes()))),
                Err(source) => {
                    Err(ApplyError::new(ApplyErrorKind::NoText { column: column.name.clone(), source }))
                }
            }
        }
    }
}

/// How the values of a column are given for many rows.
pub(super) fn form(column: &PlanColumn) -> Form {
    if column.target.array.is_some() { Form::Array } else { Form::Texts }
}

/// Columns of many rows, each as an array.
pub(super) struct Arrays<'p> {
    arrays: Vec<Array<'p>>,
    byte_len: usize,
}

struct Array<'p> {
    column: &'p PlanColumn,
    count: i32,
    body: Body,
}

enum Body {
    /// Before the first value, which says which form it is.
    Nulls,
    /// In the text form, of the column's type, with this delimiter.
    Text(Vec<u8>, u8),
    /// In the binary form, behind its header.
    Binary(Vec<u8>),
}

/// The type text.
const TEXT: u32 = 25;

impl<'p> Arrays<'p> {
    pub(super) fn of(columns: impl Iterator<Item = &'p PlanColumn>) -> Self {
        let arrays = columns.map(|column| Array { column, count: 0, body: Body::Nulls }).collect();
        Self { arrays, byte_len: 0 }
    }

    /// Adds a row: its key's columns are taken from one, the others from another.
    pub(super) fn push(&mut self, keys: usize, key: &Row, new: &Row) -> Result<(), ApplyError> {
        for (at, array) in self.arrays.iter_mut().enumerate() {
            self.byte_len += array.push(if at < keys { key } else { new })?;
        }
        Ok(())
    }

    /// Bytes of values.
    pub(super) fn byte_len(&self) -> usize {
        self.byte_len
    }

    pub(super) fn parameters(self) -> Vec<Parameter> {
        self.arrays.into_iter().map(Array::parameter).collect()
    }
}

impl Array<'_> {
    fn push(&mut self, row: &Row) -> Result<usize, ApplyError> {
        let column = self.column;
        let datum = row.tuple().get(column.index).unwrap_or(Datum::Unchanged);
        if matches!(self.body, Body::Nulls) && datum != Datum::Null {
            self.body = Body::of(column, datum, self.count);
        }
        self.count += 1;
        match (&mut self.body, datum) {
            (Body::Nulls, _) => Ok(4),
            (Body::Binary(out), _) if column.target.array.is_some() && !is_same_in_both(column) => {
                let bytes = binary(column, datum)?;
                put_binary(out, bytes);
                Ok(bytes.map_or(4, <[u8]>::len))
            }
            (Body::Binary(out), _) => {
                let text = text(column, row, datum)?;
                put_binary(out, text.as_deref());
                Ok(text.map_or(4, |text| text.len()))
            }
            (Body::Text(out, delimiter), _) => {
                let text = text(column, row, datum)?;
                out.push(*delimiter);
                put_text(out, text.as_deref());
                Ok(text.map_or(4, |text| text.len()))
            }
        }
    }

    fn parameter(self) -> Parameter {
        let Self { column, count, body } = self;
        match body {
            Body::Nulls => Body::of(column, Datum::Null, count).parameter(count),
            body => body.parameter(count),
        }
    }
}

impl Body {
    /// For a column whose first value is this one, behind so many NULLs.
    fn of(column: &PlanColumn, first: Datum<'_>, nulls: i32) -> Self {
        let is_binary = column.takes_binary && matches!(first, Datum::Binary(_)) || is_same_in_both(column);
        match &column.target.array {
            Some(array) if !is_binary => {
                let mut out = Vec::new();
                for _ in 0..nulls {
                    out.push(array.delimiter);
                    put_text(&mut out, None);
                }
                Self::Text(out, array.delimiter)
            }
            array => {
                let element = if array.is_some() { column.target.type_oid.into() } else { TEXT };
                let mut out = array_header(element);
                for _ in 0..nulls {
                    put_binary(&mut out, None);
                }
                Self::Binary(out)
            }
        }
    }

    fn parameter(self, count: i32) -> Parameter {
        match self {
            Self::Nulls => Parameter { format: Format::Text, bytes: None },
            Self::Text(mut out, _) => {
                // In place of the first delimiter.
                match out.first_mut() {
                    Some(first) => *first = b'{',
                    None => out.push(b'{'),
                }
                out.push(b'}');
                Parameter { format: Format::Text, bytes: Some(out) }
            }
            Self::Binary(mut out) => {
                if let Some(place) = out.get_mut(ARRAY_COUNT) {
                    place.copy_from_slice(&count.to_be_bytes());
                }
                Parameter { format: Format::Binary, bytes: Some(out) }
            }
        }
    }
}

/// What stands before the elements of an array in binary: one dimension, perhaps with NULLs, counted from 1.
fn array_header(element: u32) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_i32(1);
    out.put_i32(1);
    out.put_u32(element);
    out.put_i32(0);
    out.put_i32(1);
    out
}

/// Where their number stands in it.
const ARRAY_COUNT: Range<usize> = 12..16;

/// Whether the text of a value is its binary form, too: then an array of them needs no quotes. bpchar, varchar, text, json.
fn is_same_in_both(column: &PlanColumn) -> bool {
    let is_such = |oid: Oid| matches!(u32::from(oid), 25 | 114 | 1042 | 1043);
    is_such(column.target.type_oid) && is_such(column.source.type_oid)
}

/// The bytes of a value that is to go as it is. One in text among binary ones makes the statement fail.
fn binary<'a>(column: &PlanColumn, datum: Datum<'a>) -> Result<Option<&'a [u8]>, ApplyError> {
    match datum {
        Datum::Binary(bytes) => Ok(Some(bytes)),
        Datum::Null => Ok(None),
        Datum::Text(_) | Datum::Unchanged => {
            Err(ApplyError::new(ApplyErrorKind::MissingValue { column: column.name.clone() }))
        }
    }
}

fn put_binary(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(bytes) => {
            // No message of the server's is longer than that.
            out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            out.extend_from_slice(bytes);
        }
        None => out.put_i32(-1),
    }
}

/// An element in quotes, so that none is taken for NULL or for a delimiter.
///
/// Source: PostgreSQL manual, "Array Input and Output Syntax".
fn put_text(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let Some(mut rest) = value else { return out.extend_from_slice(b"NULL") };
    out.push(b'"');
    loop {
        let (plain, special) = rest.split_at(quote::plain_run(rest, |byte| byte == b'"' || byte == b'\\'));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else { break };
        out.extend_from_slice(&[b'\\', byte]);
        rest = behind;
    }
    out.push(b'"');
}

/// The header of COPY's binary format: its signature, no flags, no extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const BINARY_TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Writes rows for COPY.
pub(super) struct CopyRows<'p> {
    plan: &'p Plan,
    columns: i16,
    is_binary: bool,
    out: Vec<u8>,
}

impl<'p> CopyRows<'p> {
    /// For rows that are like this one.
    pub(super) fn like(row: &Row, plan: &'p Plan) -> Self {
        let columns = i16::try_from(plan.inserted().count()).unwrap_or(i16::MAX);
        let is_binary = plan.inserted().all(|(_, column)| column.takes_binary)
            && row.tuple().iter().any(|datum| matches!(datum, Datum::Binary(_)));
        let header = if is_binary { BINARY_HEADER } else { &[] };
        Self { plan, columns, is_binary, out: header.to_vec() }
    }

    pub(super) fn is_binary(&self) -> bool {
        self.is_binary
    }

    pub(super) fn push(&mut self, row: &Row) -> Result<(), ApplyError> {
        let columns =
            self.plan.columns.iter().zip(row.tuple()).filter(|(column, _)| !column.target.is_generated);
        if self.is_binary {
            self.out.put_i16(self.columns);
            for (column, datum) in columns {
                put_binary(&mut self.out, binary(column, datum)?);
            }
            return Ok(());
        }
        for (at, (column, datum)) in columns.enumerate() {
            if at > 0 {
                self.out.push(b'\t');
            }
            match datum {
                Datum::Text(bytes) => quote::copy_text(&mut self.out, Some(bytes)),
                other => quote::copy_text(&mut self.out, text(column, row, other)?.as_deref()),
            }
        }
        self.out.push(b'\n');
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// What was written since this was called last.
    pub(super) fn take(&mut self) -> Bytes {
        let room = Vec::with_capacity(self.out.capacity());
        Bytes::from(std::mem::replace(&mut self.out, room))
    }

    pub(super) fn end(mut self) -> Bytes {
        if self.is_binary {
            self.out.extend_from_slice(&BINARY_TRAILER);
        }
        Bytes::from(self.out)
    }
}

#[cfg(test)]
mod tests;
