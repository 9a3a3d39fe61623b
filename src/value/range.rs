//! Ranges and multiranges, whatever their bounds are.

use std::borrow::Cow;
use std::fmt;
use std::ops::Bound;

use bytes::{BufMut, BytesMut};

use super::ValueError;
use super::parts::{Text, is_space, put_length, put_nullable, write_part};
use super::scan::Binary;

const NAME: &str = "range";
const MULTIRANGE: &str = "multirange";

// The flags of rangetypes.h that are ever stored.
const EMPTY: u8 = 1;
const LOWER_INCLUSIVE: u8 = 2;
const UPPER_INCLUSIVE: u8 = 4;
const LOWER_INFINITE: u8 = 8;
const UPPER_INFINITE: u8 = 16;

/// A range, taken apart: its bounds as text (`Cow<str>`) or in binary form (`&[u8]`).
///
/// The rules are those of `range_out` and `range_send` (the server's `rangetypes.c`). A range that is
/// [`Bound::Unbounded`] on a side has no bound there; one whose bound is the *value* `infinity` has.
///
/// ```
/// use std::ops::Bound;
/// use walferry::value::Range;
///
/// let range = Range::from_text(r#"["a b",)"#)?;
/// assert_eq!(range, Range::Bounds(Bound::Included("a b".into()), Bound::Unbounded));
/// assert_eq!(range.to_string(), r#"["a b",)"#);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "complete by definition: a range is empty or has two sides")]
pub enum Range<T> {
    /// Nothing is in it.
    Empty,
    /// What is between the lower and the upper bound.
    Bounds(Bound<T>, Bound<T>),
}

impl<'a> Range<Cow<'a, str>> {
    /// Takes apart what `range_out` prints. Quotes that aren't needed, and a backslash in them, are read too.
    ///
    /// # Errors
    ///
    /// Anything else, such as a blank outside of quotes.
    pub fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let mut text = Text::new(NAME, text);
        let range = Self::read(&mut text)?;
        text.finish()?;
        Ok(range)
    }

    fn read(text: &mut Text<'a>) -> Result<Self, ValueError> {
        if text.eat("empty") {
            return Ok(Self::Empty);
        }
        let includes_lower = text.eat("[");
        if !includes_lower {
            text.expect("(", "`[`, `(` or `empty`")?;
        }
        let lower = bound_text(text)?;
        if includes_lower && lower.is_none() {
            return Err(text.fail("a bound, which `[` includes"));
        }
        text.expect(",", "`,`")?;
        let upper = bound_text(text)?;
        let includes_upper = upper.is_some() && text.eat("]");
        if !includes_upper {
            text.expect(")", "`)`")?;
        }
        Ok(Self::Bounds(bound(lower, includes_lower), bound(upper, includes_upper)))
    }
}

fn bound<T>(value: Option<T>, is_included: bool) -> Bound<T> {
    match (value, is_included) {
        (None, _) => Bound::Unbounded,
        (Some(value), true) => Bound::Included(value),
        (Some(value), false) => Bound::Excluded(value),
    }
}

fn bound_text<'a>(text: &mut Text<'a>) -> Result<Option<Cow<'a, str>>, ValueError> {
    if text.peek() == Some(b'"') {
        return text.quoted('"', true).map(Some);
    }
    let bound = text.until(is_special);
    Ok((!bound.is_empty()).then_some(Cow::Borrowed(bound)))
}

/// What `range_bound_escape` prints in quotes only.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'(' | b')' | b'[' | b']' | b',') || is_space(byte)
}

impl<T: AsRef<str>> fmt::Display for Range<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Bounds(lower, upper) = self else { return f.write_str("empty") };
        f.write_str(if matches!(lower, Bound::Included(_)) { "[" } else { "(" })?;
        write_bound(f, lower)?;
        f.write_str(",")?;
        write_bound(f, upper)?;
        f.write_str(if matches!(upper, Bound::Included(_)) { "]" } else { ")" })
    }
}

fn write_bound<T: AsRef<str>>(f: &mut fmt::Formatter<'_>, bound: &Bound<T>) -> fmt::Result {
    match bound {
        Bound::Unbounded => Ok(()),
        Bound::Included(text) | Bound::Excluded(text) => write_part(f, text.as_ref(), is_special),
    }
}

impl<'a> Range<&'a [u8]> {
    /// Takes apart what `range_send` sends: flags, and each bound with its length.
    ///
    /// # Errors
    ///
    /// Bytes that end early or go on, and flags that contradict each other.
    pub fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut bytes = Binary::new(NAME, bytes);
        let flags = bytes.u8("flags")?;
        if flags == EMPTY {
            bytes.finish()?;
            return Ok(Self::Empty);
        }
        let lower = bound_bytes(&mut bytes, flags, LOWER_INCLUSIVE, LOWER_INFINITE)?;
        let upper = bound_bytes(&mut bytes, flags, UPPER_INCLUSIVE, UPPER_INFINITE)?;
        bytes.finish()?;
        Ok(Self::Bounds(lower, upper))
    }
}

fn bound_bytes<'a>(
    bytes: &mut Binary<'a>,
    flags: u8,
    inclusive: u8,
    infinite: u8,
) -> Result<Bound<&'a [u8]>, ValueError> {
    let known = LOWER_INCLUSIVE | UPPER_INCLUSIVE | LOWER_INFINITE | UPPER_INFINITE;
    let (includes, unbounded) = (flags & inclusive != 0, flags & infinite != 0);
    if flags & !known != 0 || (includes && unbounded) {
        return Err(bytes.fail("flags of a range"));
    }
    let value = if unbounded { None } else { Some(bytes.part("a bound")?) };
    Ok(bound(value, includes))
}

impl<T: AsRef<[u8]>> Range<T> {
    /// Writes what `range_send` sends.
    pub fn write_binary(&self, out: &mut BytesMut) {
        let Self::Bounds(lower, upper) = self else { return out.put_u8(EMPTY) };
        let flags =
            flags(lower, LOWER_INCLUSIVE, LOWER_INFINITE) | flags(upper, UPPER_INCLUSIVE, UPPER_INFINITE);
        out.put_u8(flags);
        for bound in [lower, upper] {
            if let Bound::Included(value) | Bound::Excluded(value) = bound {
                put_nullable(out, Some(value.as_ref()));
            }
        }
    }
}

fn flags<T>(bound: &Bound<T>, inclusive: u8, infinite: u8) -> u8 {
    match bound {
        Bound::Included(_) => inclusive,
        Bound::Excluded(_) => 0,
        Bound::Unbounded => infinite,
    }
}

/// A multirange, taken apart into its ranges: `multirange_out`, `multirange_send` (the server's `multirangetypes.c`).
///
/// ```
/// use walferry::value::{Multirange, Range};
///
/// let multirange = Multirange::from_text("{[1,3),[5,)}")?;
/// assert_eq!(multirange.ranges[1].to_string(), "[5,)");
/// assert_eq!(multirange.to_string(), "{[1,3),[5,)}");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Multirange<T> {
    /// The ranges, lowest first.
    pub ranges: Vec<Range<T>>,
}

impl<'a> Multirange<Cow<'a, str>> {
    /// Takes apart what `multirange_out` prints.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let mut text = Text::new(MULTIRANGE, text);
        text.expect("{", "`{`")?;
        let mut ranges = Vec::new();
        if text.peek() != Some(b'}') {
            ranges.push(Range::read(&mut text)?);
        }
        while !ranges.is_empty() && text.eat(",") {
            ranges.push(Range::read(&mut text)?);
        }
        text.expect("}", "`,` or `}`")?;
        text.finish()?;
        Ok(Self { ranges })
    }
}

impl<T: AsRef<str>> fmt::Display for Multirange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (number, range) in self.ranges.iter().enumerate() {
            write!(f, "{}{range}", if number > 0 { "," } else { "" })?;
        }
        f.write_str("}")
    }
}

impl<'a> Multirange<&'a [u8]> {
    /// Takes apart what `multirange_send` sends: a count, and each range with its length.
    ///
    /// # Errors
    ///
    /// Bytes that end early or go on, and ranges that aren't.
    pub fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut bytes = Binary::new(MULTIRANGE, bytes);
        let count = bytes.count(5, "a number of ranges")?;
        let mut ranges = Vec::with_capacity(count);
        for _ in 0..count {
            ranges.push(Range::from_binary(bytes.part("a range")?)?);
        }
        bytes.finish()?;
        Ok(Self { ranges })
    }
}

impl<T: AsRef<[u8]>> Multirange<T> {
    /// Writes what `multirange_send` sends.
    pub fn write_binary(&self, out: &mut BytesMut) {
        put_length(out, self.ranges.len());
        let mut part = BytesMut::new();
        for range in &self.ranges {
            part.clear();
            range.write_binary(&mut part);
            put_nullable(out, Some(&part));
        }
    }
}

#[cfg(test)]
mod tests;
