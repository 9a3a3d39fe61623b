//! From one of the server's forms to the other.

use std::borrow::Cow;

use bytes::BytesMut;

use super::leaf::{Leaf, is_text, leaf};
use super::{
    Array, ArrayBinary, ArrayText, Composite, CompositeBinary, CompositeField, CompositeText, Item, Shape,
    Text, TypeKind, Value, ValueError, Wire,
};

/// What the server can print at all: `MaxAllocSize` in its `memutils.h`. Each level of types may double the backslashes
/// of the one inside of it.
const MAX_TEXT: usize = 0x3FFF_FFFF;

/// The text of `value`, whose form is binary.
pub(super) fn to_text<'a>(value: &Value<'a>, bytes: &'a [u8]) -> Result<Cow<'a, str>, ValueError> {
    if let Some(scalar) = Scalar::of(value)? {
        return scalar.to_text(bytes);
    }
    let text = match value.shape()? {
        Shape::Scalar(_) => return Err(ValueError::one_form(value.type_name())),
        Shape::Array(Array { delimiter, dimensions, elements, .. }) => {
            ArrayText::new(delimiter, dimensions, texts(&elements)?)?.to_string()
        }
        Shape::Composite(composite) => CompositeText { fields: texts(&composite.fields)? }.to_string(),
        Shape::Range(range) => range.try_map(|bound| text_of(&bound))?.to_string(),
        Shape::Multirange(multirange) => multirange.try_map(|bound| text_of(&bound))?.to_string(),
    };
    if text.len() > MAX_TEXT {
        return Err(ValueError::malformed(value.type_name(), 0, "a value of less than a gigabyte of text"));
    }
    Ok(Cow::Owned(text))
}

fn texts<'a>(items: &[Option<Item<'a>>]) -> Result<Vec<Option<Cow<'a, str>>>, ValueError> {
    items.iter().map(|item| item.as_ref().map(text_of).transpose()).collect()
}

fn text_of<'a>(item: &Item<'a>) -> Result<Cow<'a, str>, ValueError> {
    match item.borrowed() {
        Some(value) => value.to_text(),
        None => item.value().to_text().map(|text| Cow::Owned(text.into_owned())),
    }
}

/// How a value that isn't made of others is turned.
enum Scalar {
    /// Not at all: both forms are the same text.
    Text,
    Leaf(&'static Leaf),
}

impl Scalar {
    fn of(value: &Value<'_>) -> Result<Option<Self>, ValueError> {
        let base = value.base()?;
        let is_text = is_text(base.oid) || matches!(base.kind, TypeKind::Enum { .. });
        Ok(if is_text { Some(Self::Text) } else { leaf(base.oid).map(Self::Leaf) })
    }

    fn to_text<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, str>, ValueError> {
        match self {
            Self::Text => Text::from_binary(bytes).map(|text| Cow::Borrowed(text.0)),
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
            Self::Leaf(leaf) => (leaf.encode)(text, out)?,
        }
        Ok(())
    }
}

/// The binary form of `value`, whose form is text.
pub(super) fn to_binary(value: &Value<'_>, text: &str) -> Result<Vec<u8>, ValueError> {
    let mut out = BytesMut::new();
    if let Some(scalar) = Scalar::of(value)? {
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
