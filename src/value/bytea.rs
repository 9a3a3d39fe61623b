use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::scan::Text;
use super::{ValueError, Wire};

/// `bytea`: any bytes, printed as `\x` and two hexadecimal digits each (`byteaout` in the server's `varlena.c`).
///
/// The form of `bytea_output = escape` is read too: `\\` for a backslash, `\ooo` for a byte that isn't printable.
/// Read from binary, it borrows; read from text, it owns at most half of the text's length, or all of it when escaped.
///
/// ```
/// use walferry::value::{Bytea, Wire};
///
/// let value = Bytea::from_text("\\xdeadbeef")?;
/// assert_eq!(value.as_bytes(), [0xDE, 0xAD, 0xBE, 0xEF]);
/// assert_eq!(Bytea::from_text("\\000a\\\\")?.to_string(), "\\x00615c");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytea<'a>(Cow<'a, [u8]>);

impl<'a> Bytea<'a> {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, lent where they were sent as they are.
    pub fn into_cow(self) -> Cow<'a, [u8]> {
        self.0
    }

    /// The bytes as their own.
    pub fn into_owned(self) -> Vec<u8> {
        self.0.into_owned()
    }
}

impl<'a> From<&'a [u8]> for Bytea<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl fmt::Display for Bytea<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or_default());
        f.write_str("\\x")?;
        self.0.iter().try_for_each(|&byte| {
            fmt::Write::write_char(f, digit(byte >> 4))?;
            fmt::Write::write_char(f, digit(byte & 15))
        })
    }
}

impl<'a> Wire<'a> for Bytea<'a> {
    fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Text::new("bytea", text);
        let bytes = if cursor.take("\\x") { hex(cursor, text.len() / 2)? } else { escaped(cursor)? };
        Ok(Self(Cow::Owned(bytes)))
    }

    fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        Ok(bytes.into())
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
    }
}

fn hex(mut cursor: Text<'_>, at_most: usize) -> Result<Vec<u8>, ValueError> {
    let mut bytes = Vec::with_capacity(at_most);
    while !cursor.is_done() {
        bytes.push(cursor.hex_byte("two hexadecimal digits in lower case")?);
    }
    Ok(bytes)
}

fn escaped(mut cursor: Text<'_>) -> Result<Vec<u8>, ValueError> {
    let mut bytes = Vec::new();
    loop {
        let start = cursor.clone();
        match cursor.next() {
            None => return Ok(bytes),
            Some(b'\\') if cursor.take("\\") => bytes.push(b'\\'),
            Some(b'\\') => bytes.push(octal(&mut cursor).ok_or_else(|| start.fail("\\\\ or \\ooo"))?),
            Some(byte @ 0x20..=0x7E) => bytes.push(byte),
            Some(_) => return Err(start.fail("a printable ASCII character, \\\\ or \\ooo")),
        }
    }
}

fn octal(cursor: &mut Text<'_>) -> Option<u8> {
    let mut digit = |max| cursor.next().filter(|byte| (b'0'..=max).contains(byte)).map(|byte| byte - b'0');
    Some(digit(b'3')? << 6 | digit(b'7')? << 3 | digit(b'7')?)
}
