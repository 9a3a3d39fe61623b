//! The values of one row. Checked once when decoded, then walked without a copy.

#![expect(
    clippy::inline_always,
    reason = "a row that isn't read in registers takes twice the time: benches/decode.rs"
)]

use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::wire::{DecodeError, DecodeErrorKind, Reader, Write as _};

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
#[derive(Clone)]
pub struct Tuple {
    columns: u16,
    /// Where in the data the values begin.
    start: u16,
    /// Up to its end: kind, and for text and binary a length and as many bytes, per column.
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
        Self { columns, start: 0, data: data.freeze() }
    }

    /// Takes over a message that is of this layout from `start` to its end: [`skip`] has walked it, or it was written just now.
    ///
    /// As it is, where it can be: what is written field by field is slow to move as a whole.
    #[inline]
    pub(crate) fn from_checked(columns: u16, start: usize, mut message: Bytes) -> Self {
        let start = u16::try_from(start).unwrap_or_else(|_| {
            message.advance(start);
            0
        });
        Self { columns, start, data: message }
    }

    /// The values as they stand on the wire.
    #[inline]
    fn values(&self) -> &[u8] {
        self.data.get(self.start.into()..).unwrap_or_default()
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
        Datums { left: self.columns, values: self.values() }
    }

    /// One column, found by walking those before it.
    pub fn get(&self, column: usize) -> Option<Datum<'_>> {
        self.iter().nth(column)
    }

    /// Bytes that its values take on the wire.
    pub fn byte_len(&self) -> usize {
        self.values().len()
    }

    /// A copy with memory of its own, which no longer keeps the read buffer alive.
    #[must_use = "the tuple that was given still keeps its read buffer"]
    pub fn detach(&self) -> Self {
        Self { columns: self.columns, start: 0, data: Bytes::copy_from_slice(self.values()) }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_count_i16(self.columns.into());
        out.put_slice(self.values());
    }
}

impl PartialEq for Tuple {
    fn eq(&self, other: &Self) -> bool {
        (self.columns, self.values()) == (other.columns, other.values())
    }
}

impl Eq for Tuple {}

impl Hash for Tuple {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.columns, self.values()).hash(state);
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
#[inline(always)]
pub(super) fn skip(r: &mut Reader<'_>, columns: u16) -> Result<(), DecodeError> {
    for _ in 0..columns {
        match (r.rest().first(), split(r.rest())) {
            (Some(&kind), Some((_, rest))) if is_kind(kind) => r.move_to(rest),
            _ => return Err(explain(r.clone())),
        }
    }
    Ok(())
}

/// The first column, and what follows it; of bytes that are a column.
#[inline(always)]
fn split(values: &[u8]) -> Option<(Datum<'_>, &[u8])> {
    let (&kind, rest) = values.split_first()?;
    if matches!(kind, b't' | b'b') {
        let (length, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
        Some((if kind == b't' { Datum::Text(value) } else { Datum::Binary(value) }, rest))
    } else {
        Some((if kind == b'u' { Datum::Unchanged } else { Datum::Null }, rest))
    }
}

/// Whether a byte is a column's kind: `b`, `n`, `t` or `u`.
#[inline(always)]
fn is_kind(byte: u8) -> bool {
    const KINDS: u32 = 1 | 1 << (b'n' - b'b') | 1 << (b't' - b'b') | 1 << (b'u' - b'b');
    KINDS.checked_shr(byte.wrapping_sub(b'b').into()).is_some_and(|kinds| kinds & 1 == 1)
}

/// What is wrong with a column.
#[cold]
fn explain(mut r: Reader<'_>) -> DecodeError {
    let kind = r.byte_as("column kind", "n, u, t or b", |byte| is_kind(byte).then_some(byte));
    let value = kind.and_then(|_| r.length("column length")).and_then(|length| r.take(length));
    // Only what isn't a column is explained.
    value.err().unwrap_or_else(|| r.fail(DecodeErrorKind::UnknownMessage))
}

/// The columns of a [`Tuple`], in order.
#[derive(Debug, Clone)]
pub struct Datums<'a> {
    left: u16,
    values: &'a [u8],
}

impl<'a> Iterator for Datums<'a> {
    type Item = Datum<'a>;

    #[inline]
    fn next(&mut self) -> Option<Datum<'a>> {
        // The layout was checked when the tuple was made, so that no step here fails before the last column.
        self.left = self.left.checked_sub(1)?;
        let (datum, rest) = split(self.values)?;
        self.values = rest;
        Some(datum)
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
