//! From one of the server's forms to the other.

use std::borrow::Cow;

use bytes::BytesMut;

use super::leaf::{Leaf, leaf};
use super::view::Either;
use super::{
    Array, ArrayBinary, ArrayText, Composite, CompositeBinary, CompositeField, CompositeText, Item, Jsonb,
    Shape, Text, Value, ValueError, Wire,
};
use crate::Oid;

const JSONB: Oid = Oid::new(3802);

/// The text of `value`, whose form is binary.
pub(super) fn to_text<'a>(value: &Value<'a>, bytes: &'a [u8]) -> Result<Cow<'a, str>, ValueError> {
    Printer::of(bytes).text(value, bytes)
}

/// Prints a value and what is in it, within a limit for all of them together.
///
/// A few bytes may be much text: ten of a numeric are up to 131072 digits, and each level of types doubles the quotes of
/// the one inside of it, which makes gigabytes of 500 bytes. So what is printed is bounded by what was sent.
struct Printer {
    left: usize,
}

impl Printer {
    /// Whatever the bytes are.
    const ALWAYS: usize = 32 << 20;
    /// For each of the bytes: more than eight times itself, on eight levels.
    const PER_BYTE: usize = 64;

    fn of(bytes: &[u8]) -> Self {
        Self { left: bytes.len().saturating_mul(Self::PER_BYTE).saturating_add(Self::ALWAYS) }
    }

    fn text<'a>(&mut self, value: &Value<'a>, bytes: &'a [u8]) -> Result<Cow<'a, str>, ValueError> {
        let text = match Scalar::of(value) {
            Some(scalar) => scalar.to_text(bytes)?,
            None => self.parts(value)?.into(),
        };
        let left = self.left.checked_sub(text.len());
        self.left = left.ok_or_else(|| ValueError::out_of_range(value.type_name(), "64 times its bytes"))?;
        Ok(text)
    }

    fn parts(&mut self, value: &Value<'_>) -> Result<String, ValueError> {
        Ok(match value.shape()? {
            Shape::Scalar(_) => return Err(ValueError::one_form(value.type_name())),
            Shape::Array(Array { delimiter, dimensions, elements, .. }) => {
                ArrayText::new(delimiter, dimensions, self.items(&elements)?)?.to_string()
            }
            Shape::Composite(composite) => {
                CompositeText { fields: self.items(&composite.fields)? }.to_string()
            }
            Shape::Range(range) => range.try_map(|bound| self.owned(&bound))?.to_string(),
            Shape::Multirange(multirange) => multirange.try_map(|bound| self.owned(&bound))?.to_string(),
        })
    }

    fn items<'i>(&mut self, items: &'i [Option<Item<'_>>]) -> Result<Vec<Option<Cow<'i, str>>>, ValueError> {
        items.iter().map(|item| item.as_ref().map(|item| self.item(item)).transpose()).collect()
    }

    fn owned(&mut self, item: &Item<'_>) -> Result<String, ValueError> {
        self.item(item).map(Cow::into_owned)
    }

    fn item<'i>(&mut self, item: &'i Item<'_>) -> Result<Cow<'i, str>, ValueError> {
        let value = item.value();
        match value.either()? {
            Either::Text(text) => Ok(text.into()),
            Either::Binary(bytes) => self.text(&value, bytes),
        }
    }
}

/// How a value that isn't made of others is turned.
enum Scalar {
    /// Not at all: both forms are the same text.
    Text,
    /// Text behind a version.
    Jsonb,
    /// By its own reader.
    Leaf(&'static Leaf),
}

impl Scalar {
    fn of(value: &Value<'_>) -> Option<Self> {
        match value.base_oid() {
            _ if value.is_text() => Some(Self::Text),
            JSONB => Some(Self::Jsonb),
            oid => leaf(oid).map(Self::Leaf),
        }
    }

    fn to_text<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, str>, ValueError> {
        match self {
            Self::Text => Text::from_binary(bytes).map(|text| Cow::Borrowed(text.0)),
            Self::Jsonb => Jsonb::from_binary(bytes).map(|text| Cow::Borrowed(text.0)),
            Self::Leaf(leaf) => {
                let mut out = String::new();
                (leaf.print)(bytes, &mut out)?;
                Ok(Cow::Owned(out))
            }
        }
    }

    fn write_binary(&self, text: &str, out: &mut BytesMut) -> Result<(), ValueError> {
        match self {
            Self::Text => Text(text).write_binary(out),
            Self::Jsonb => Jsonb(text).write_binary(out),
            Self::Leaf(leaf) => (leaf.encode)(text, out)?,
        }
        Ok(())
    }
}

/// The binary form of `value`, whose form is text.
pub(super) fn to_binary(value: &Value<'_>, text: &str) -> Result<Vec<u8>, ValueError> {
    let mut out = BytesMut::new();
    if let Some(scalar) = Scalar::of(value) {
        scalar.write_binary(text, &mut out)?;
        return Ok(out.into());
    }
    match value.shape()? {
        Shape::Scalar(_) => return Err(ValueError::one_form(value.type_name())),
        Shape::Array(Array { element_type, dimensions, elements, .. }) => {
            let parts = parts(&elements)?;
            let elements = parts.iter().map(Option::as_deref).collect();
            ArrayBinary::new(element_type, dimensions, elements)?.write_binary(&mut out);
        }
        Shape::Composite(Composite { fields, field_types, .. }) => {
            let parts = parts(&fields)?;
            let values = parts.iter().map(Option::as_deref);
            let fields = field_types.into_iter().zip(values);
            let fields = fields.map(|(type_oid, value)| CompositeField { type_oid, value }).collect();
            CompositeBinary { fields }.write_binary(&mut out);
        }
        Shape::Range(range) => range.try_map(|bound| bytes_of(&bound))?.write_binary(&mut out),
        Shape::Multirange(multirange) => {
            multirange.try_map(|bound| bytes_of(&bound))?.write_binary(&mut out);
        }
    }
    Ok(out.into())
}

fn parts(items: &[Option<Item<'_>>]) -> Result<Vec<Option<Vec<u8>>>, ValueError> {
    items.iter().map(|item| item.as_ref().map(bytes_of).transpose()).collect()
}

fn bytes_of(item: &Item<'_>) -> Result<Vec<u8>, ValueError> {
    item.value().to_binary().map(Cow::into_owned)
}

#[cfg(test)]
mod tests;
