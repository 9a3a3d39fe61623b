//! Elements, fields and ranges.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::error::Error;
use super::range::RangeOf;
use super::value::Input;
use crate::value::{Array, Bytea, Composite, Dimension, Item, Shape, Value, ValueError};

/// What a Rust type asks of something that has parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Sequence,
    Names,
    Any,
}

/// Visits the parts of `value`; what `lend` finds of a part is lent by the buffer.
pub(super) fn visit_shape<'de, 's, V: Visitor<'de>>(
    shape: &Shape<'s>,
    value: Value<'_>,
    lend: impl Fn(&Item<'s>) -> Option<Value<'de>> + Copy,
    asks: Asks,
    visitor: V,
) -> Result<V::Value, Error> {
    match (shape, asks) {
        (Shape::Composite(composite), _) => visit_composite(composite, lend, asks, visitor),
        (Shape::Array(array), Asks::Sequence | Asks::Any) => {
            let items = array.elements.iter().map(|item| Input::item(item.as_ref(), lend));
            let inputs: Vec<_> = items.collect();
            Elements { dimensions: indexed_from_one(array, value)?, inputs: &inputs }.deserialize_any(visitor)
        }
        (Shape::Multirange(multirange), Asks::Sequence) => {
            visit_all(multirange.ranges.iter().map(|range| RangeOf { range, lend }), visitor)
        }
        (Shape::Scalar(_), Asks::Sequence) => {
            let bytes: Bytea<'_> = value.read().map_err(|_| value.mismatch("a sequence"))?;
            visit_all(bytes.as_bytes().iter().copied(), visitor)
        }
        (_, Asks::Names) => Err(value.mismatch("a struct or map").into()),
        _ => Err(value.mismatch("a sequence").into()),
    }
}

/// A sequence has no place for other indices. Those of int2vector and oidvector always begin with 0.
fn indexed_from_one<'a>(array: &'a Array<'_>, value: Value<'_>) -> Result<&'a [Dimension], ValueError> {
    let expected = i32::from(!value.is_vector());
    if array.dimensions.iter().all(|dimension| dimension.lower == expected) {
        Ok(&array.dimensions)
    } else {
        Err(ValueError::out_of_range(value.type_name(), "a sequence"))
    }
}

fn visit_composite<'de, 's, V: Visitor<'de>>(
    composite: &Composite<'s>,
    lend: impl Fn(&Item<'s>) -> Option<Value<'de>> + Copy,
    asks: Asks,
    visitor: V,
) -> Result<V::Value, Error> {
    let fields = composite.fields.iter().map(|field| Input::item(field.as_ref(), lend));
    match composite.names() {
        Some(names) if asks != Asks::Sequence => {
            let mut map = MapDeserializer::new(names.map(Name).zip(fields));
            let value = visitor.visit_map(&mut map)?;
            map.end()?;
            Ok(value)
        }
        None if asks == Asks::Names => {
            Err(Error::Shape("expected a composite whose fields are known".to_owned()))
        }
        _ => visit_all(fields, visitor),
    }
}

/// Visits a sequence to its end: what a tuple has no place for is not dropped.
fn visit_all<'de, V, I>(items: I, visitor: V) -> Result<V::Value, Error>
where
    V: Visitor<'de>,
    I: Iterator<Item: IntoDeserializer<'de, Error>>,
{
    let mut sequence = SeqDeserializer::new(items);
    let value = visitor.visit_seq(&mut sequence)?;
    sequence.end()?;
    Ok(value)
}

/// A field's name, which belongs to the types and not to the row.
struct Name<'s>(&'s str);

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0).map_err(|error: Error| error.about(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Name<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The elements of an array, or of one level of it.
struct Elements<'e, 'de, 'v> {
    dimensions: &'e [Dimension],
    inputs: &'e [Input<'de, 'v>],
}

impl<'de> Deserializer<'de> for Elements<'_, 'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.dimensions {
            [] | [_] => visit_all(self.inputs.iter().copied(), visitor),
            [outer, inner @ ..] => {
                let each = (self.inputs.len() / (outer.size as usize).max(1)).max(1);
                let levels = self.inputs.chunks(each);
                visit_all(levels.map(|inputs| Elements { dimensions: inner, inputs }), visitor)
            }
        }
    }

    /// There are NULL elements, but no NULL levels.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Elements<'_, 'de, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
