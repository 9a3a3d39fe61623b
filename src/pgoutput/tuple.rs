//! The values of one row. Checked once when decoded, then walked without a copy.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::{DecodeError, Reader, Write as _};

/// One column's value, as the server sent it.
///
/// NULL and "unchanged" are kinds of their own on the wire, never a text: the text `null` is
/// [`Text(b"null")`](Self::Text).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "complete by protocol definition")]
pub enum Datum<'a> {
    /// `n`: NULL; in an old key, also a column that is not part of the key.
    Null,
    /// `u`: a value stored out of line that the UPDATE did not touch. The row has a value; it is not here.
    Unchanged,
    /// `t`: the text form. UTF-8, unless the database's encoding is `SQL_ASCII`, which may hold anything.
    Text(&'a [u8]),
    /// `b`: the binary form of the type's send function.
    Binary(&'a [u8]),
}

impl fmt::Debug for Datum<'_> {
    /// Shows kind and length: a value must not reach a log by accident.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Unchanged => f.write_str("Unchanged"),
            Self::Text(bytes) => write!(f, "Text({} bytes)", bytes.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// The values of one row, in the order of the [`Relation`](super::Relation)'s columns.
///
/// One slice of the received bytes, whose layout was checked when it was decoded. A tuple that is kept keeps the
/// whole read buffer it came in: [`detach`](Self::detach) it to keep it for long.
///
/// ```
/// use walferry::pgoutput::{Datum, Tuple};
///
/// let tuple = Tuple::from_datums([Datum::Text(b"null"), Datum::Null]);
/// assert_eq!(tuple.iter().collect::<Vec<_>>(), [Datum::Text(b"null"), Datum::Null]);
/// assert_eq!(tuple.get(0), Some(Datum::Text(b"null")));
/// assert_eq!(tuple.get(2), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tuple {
    columns: u16,
    /// Behind the number of columns: kind, and for text and binary a length and as many bytes, per column.
    data: Bytes,
}

impl Tuple {
    /// Builds a tuple, for tests and for programs that play the server.
    ///
    /// Holds as many columns as the protocol can say (32767; PostgreSQL allows 1600).
    pub fn from_datums<'a>(datums: impl IntoIterator<Item = Datum<'a>>) -> Self {
        let mut data = BytesMut::new();
        let mut columns = 0;
        for datum in datums.into_iter().take(i16::MAX.unsigned_abs().into()) {
            datum.write(&mut data);
            columns += 1;
        }
        Self { columns, data: data.freeze() }
    }

    /// Takes over bytes of this layout: [`skip`] has walked them, or they were written just now.
    pub(crate) fn from_checked(columns: u16, data: Bytes) -> Self {
        Self { columns, data }
    }

    /// The number of columns.
    #[inline]
    pub fn len(&self) -> usize {
        self.columns.into()
    }

    /// Whether it has no column: a table may have none.
    pub fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// The columns in order.
    #[inline]
    pub fn iter(&self) -> Datums<'_> {
        Datums { left: self.columns, data: &self.data }
    }

    /// One column, found by walking those before it.
    pub fn get(&self, column: usize) -> Option<Datum<'_>> {
        self.iter().nth(column)
    }

    /// Bytes that its values take on the wire.
    pub fn byte_len(&self) -> usize {
        self.data.len()
    }

    /// A copy with memory of its own, which no longer keeps the read buffer alive.
    #[must_use = "the tuple that was given still keeps its read buffer"]
    pub fn detach(&self) -> Self {
        Self { columns: self.columns, data: Bytes::copy_from_slice(&self.data) }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_count_i16(self.columns.into());
        out.put_slice(&self.data);
    }
}

impl fmt::Debug for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a Tuple {
    type Item = Datum<'a>;
    type IntoIter = Datums<'a>;

    fn into_iter(self) -> Datums<'a> {
        self.iter()
    }
}

/// Checks the values of `columns` columns and moves behind them.
#[inline]
pub(super) fn skip(r: &mut Reader<'_>, columns: u16) -> Result<(), DecodeError> {
    for _ in 0..columns {
        let has_value = r.byte_as("column kind", "n, u, t or b", |kind| match kind {
            b't' | b'b' => Some(true),
            b'n' | b'u' => Some(false),
            _ => None,
        })?;
        if has_value {
            let length = r.length("column length")?;
            r.take(length)?;
        }
    }
    Ok(())
}

/// The columns of a [`Tuple`], in order.
#[derive(Debug, Clone)]
pub struct Datums<'a> {
    left: u16,
    data: &'a [u8],
}

impl<'a> Iterator for Datums<'a> {
    type Item = Datum<'a>;

    #[inline]
    fn next(&mut self) -> Option<Datum<'a>> {
        // The layout was checked when the tuple was made, so that no step here fails before the last column.
        self.left = self.left.checked_sub(1)?;
        let (&kind, rest) = self.data.split_first()?;
        match kind {
            b't' | b'b' => {
                let (length, rest) = rest.split_first_chunk()?;
                let (value, rest) =
                    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
                self.data = rest;
                Some(if kind == b't' { Datum::Text(value) } else { Datum::Binary(value) })
            }
            _ => {
                self.data = rest;
                Some(if kind == b'u' { Datum::Unchanged } else { Datum::Null })
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for Datums<'_> {}

impl Datum<'_> {
    fn write(self, out: &mut BytesMut) {
        let (kind, value) = match self {
            Self::Null => return out.put_u8(b'n'),
            Self::Unchanged => return out.put_u8(b'u'),
            Self::Text(value) => (b't', value),
            Self::Binary(value) => (b'b', value),
        };
        out.put_u8(kind);
        out.put_length(value.len());
        out.put_slice(value);
    }
}
