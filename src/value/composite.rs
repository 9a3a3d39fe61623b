//! Composites: rows as values, whatever their columns are.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::ValueError;
use super::parts::{Text, is_space, put_length, put_nullable, write_part};
use super::scan::Binary;
use crate::Oid;

const NAME: &str = "record";

/// A composite in text form, taken apart: what `record_out` prints (the server's `rowtypes.c`).
///
/// Nothing between two commas is NULL, `""` is empty text. `()` is read as one column that is NULL; a type without
/// columns prints the same.
///
/// ```
/// use walferry::value::CompositeText;
///
/// let composite = CompositeText::from_text(r#"(a,,"","say ""hi""")"#)?;
/// let fields: Vec<_> = composite.fields.iter().map(Option::as_deref).collect();
/// assert_eq!(fields, [Some("a"), None, Some(""), Some(r#"say "hi""#)]);
/// assert_eq!(composite.to_string(), r#"(a,,"","say ""hi""")"#);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CompositeText<'a> {
    /// The columns' texts, in order; `None` is NULL.
    pub fields: Vec<Option<Cow<'a, str>>>,
}

impl<'a> CompositeText<'a> {
    /// Takes apart what `record_out` prints. Quotes that aren't needed, and a backslash in them, are read too, as
    /// `record_in` does.
    ///
    /// # Errors
    ///
    /// Anything else, such as a blank outside of quotes.
    pub fn from_text(text: &'a str) -> Result<Self, ValueError> {
        let mut text = Text::new(NAME, text);
        text.expect("(", "`(`")?;
        let mut fields = vec![field(&mut text)?];
        while text.eat(",") {
            fields.push(field(&mut text)?);
        }
        text.expect(")", "`,` or `)`")?;
        text.finish()?;
        Ok(Self { fields })
    }
}

fn field<'a>(text: &mut Text<'a>) -> Result<Option<Cow<'a, str>>, ValueError> {
    if text.peek() == Some(b'"') {
        return text.quoted('"', true).map(Some);
    }
    let field = text.until(is_special);
    Ok((!field.is_empty()).then_some(Cow::Borrowed(field)))
}

/// What `record_out` prints in quotes only.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(byte)
}

impl fmt::Display for CompositeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (number, field) in self.fields.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            if let Some(text) = field {
                write_part(f, text, is_special)?;
            }
        }
        f.write_str(")")
    }
}

/// A column of a composite in binary form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompositeField<'a> {
    /// The column's type, as the sending server numbers it.
    pub type_oid: Oid,
    /// Its bytes; `None` is NULL.
    pub value: Option<&'a [u8]>,
}

/// A composite in binary form, taken apart: what `record_send` sends (the server's `rowtypes.c`).
///
/// Four bytes say how many columns there are; each has four of its type, four of its length (-1 for NULL), and as many
/// bytes. Dropped columns aren't sent.
///
/// ```
/// use walferry::value::CompositeBinary;
///
/// let composite = CompositeBinary::from_binary(b"\0\0\0\x01\0\0\0\x19\0\0\0\x02hi")?;
/// assert_eq!(composite.fields[0].value, Some(b"hi".as_slice()));
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CompositeBinary<'a> {
    /// The columns, in order.
    pub fields: Vec<CompositeField<'a>>,
}

impl<'a> CompositeBinary<'a> {
    /// Takes apart what `record_send` sends.
    ///
    /// # Errors
    ///
    /// Bytes that end early or go on.
    pub fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut bytes = Binary::new(NAME, bytes);
        let count = bytes.count(8, "a number of columns")?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let type_oid = Oid::new(bytes.u32("a column's type")?);
            fields.push(CompositeField { type_oid, value: bytes.nullable("a column")? });
        }
        bytes.finish()?;
        Ok(Self { fields })
    }

    /// Writes what `record_send` sends.
    pub fn write_binary(&self, out: &mut BytesMut) {
        put_length(out, self.fields.len());
        for field in &self.fields {
            out.put_u32(field.type_oid.into());
            put_nullable(out, field.value);
        }
    }
}

#[cfg(test)]
mod tests;
