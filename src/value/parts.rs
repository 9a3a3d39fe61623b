//! Cursors over the two forms of a value that is made of parts, and the quoting that its parts share.
//!
//! Nothing here panics or allocates from a length that the value claims.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::ValueError;

/// A length in the 32 signed bits of the binary forms. A value of PostgreSQL is below 1 GiB.
pub(super) fn put_length(out: &mut BytesMut, length: usize) {
    out.put_i32(i32::try_from(length).unwrap_or(i32::MAX));
}

/// A length and as many bytes, or -1 for NULL.
pub(super) fn put_nullable(out: &mut BytesMut, part: Option<&[u8]>) {
    match part {
        None => out.put_i32(-1),
        Some(bytes) => {
            put_length(out, bytes.len());
            out.put_slice(bytes);
        }
    }
}

/// Moves through the text form of a value. Stops only at ASCII, so it always stands at a character's beginning.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    type_name: &'static str,
    len: usize,
    rest: &'a str,
}

impl<'a> Text<'a> {
    pub(super) fn new(type_name: &'static str, text: &'a str) -> Self {
        Self { type_name, len: text.len(), rest: text }
    }

    #[cold]
    pub(super) fn fail(&self, expected: &'static str) -> ValueError {
        ValueError::malformed(self.type_name, self.len - self.rest.len(), expected)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Consumes `literal` if it stands here.
    pub(super) fn eat(&mut self, literal: &str) -> bool {
        let after = self.rest.strip_prefix(literal);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    pub(super) fn expect(&mut self, literal: &str, expected: &'static str) -> Result<(), ValueError> {
        if self.eat(literal) { Ok(()) } else { Err(self.fail(expected)) }
    }

    /// Everything before the first byte that is an `end`; such bytes must be ASCII.
    pub(super) fn until(&mut self, end: impl Fn(u8) -> bool) -> &'a str {
        let count = self.rest.bytes().position(|byte| byte.is_ascii() && end(byte));
        let (head, rest) =
            self.rest.split_at_checked(count.unwrap_or(self.rest.len())).unwrap_or((self.rest, ""));
        self.rest = rest;
        head
    }

    /// A decimal number, spelt as `%d` does.
    pub(super) fn integer<T>(&mut self, expected: &'static str) -> Result<T, ValueError>
    where
        T: std::str::FromStr + ToString,
    {
        let start = self.clone();
        let digits = self.until(|byte| !byte.is_ascii_digit() && byte != b'-');
        let number = digits.parse().ok().filter(|number: &T| number.to_string() == digits);
        number.ok_or_else(|| start.fail(expected))
    }

    /// Text between two `quote`s, without them. A backslash takes the next character as it is; where quotes are
    /// `doubled`, two of them are one.
    pub(super) fn quoted(&mut self, quote: char, doubled: bool) -> Result<Cow<'a, str>, ValueError> {
        let mut characters = self.rest.char_indices();
        if characters.next().is_none_or(|(_, first)| first != quote) {
            return Err(self.fail("a quote"));
        }
        let mut unescaped: Option<String> = None;
        while let Some((at, character)) = characters.next() {
            let next = characters.as_str().chars().next();
            let literal = match character {
                '\\' => next,
                _ if character == quote && !(doubled && next == Some(quote)) => {
                    let borrowed = self.rest.get(quote.len_utf8()..at).unwrap_or_default();
                    self.rest = characters.as_str();
                    return Ok(unescaped.map_or(Cow::Borrowed(borrowed), Cow::Owned));
                }
                _ if character == quote => next,
                _ => {
                    if let Some(text) = &mut unescaped {
                        text.push(character);
                    }
                    continue;
                }
            };
            let before = self.rest.get(quote.len_utf8()..at).unwrap_or_default();
            characters.next();
            unescaped.get_or_insert_with(|| before.to_owned()).extend(literal);
        }
        self.rest = "";
        Err(self.fail("a closing quote"))
    }

    pub(super) fn finish(&self) -> Result<(), ValueError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fail("the end")) }
    }
}

/// What `array_isspace` knows, and `isspace` in the servers' encodings: no character beyond ASCII.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c')
}

/// Prints `text` between quotes: a backslash twice, a quote as `escaped`.
pub(super) fn write_quoted(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    quote: char,
    escaped: &str,
) -> fmt::Result {
    write!(f, "{quote}")?;
    let mut rest = text;
    while let Some((plain, special, after)) = split_special(rest, quote) {
        f.write_str(plain)?;
        f.write_str(if special == '\\' { r"\\" } else { escaped })?;
        rest = after;
    }
    write!(f, "{rest}{quote}")
}

fn split_special(text: &str, quote: char) -> Option<(&str, char, &str)> {
    let (at, special) =
        text.char_indices().find(|&(_, character)| character == quote || character == '\\')?;
    Some((text.get(..at)?, special, text.get(at + special.len_utf8()..)?))
}

/// Prints a column of a composite or a bound of a range: in quotes where it is empty or has a byte that is `special`.
pub(super) fn write_part(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    special: impl Fn(u8) -> bool,
) -> fmt::Result {
    if text.is_empty() || text.bytes().any(special) {
        write_quoted(f, text, '"', "\"\"")
    } else {
        f.write_str(text)
    }
}
