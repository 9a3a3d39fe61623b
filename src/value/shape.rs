//! What a value is made of.

use std::borrow::Cow;
use std::ops::Bound;

use super::view::Either;
use super::{
    ArrayBinary, ArrayText, CompositeBinary, CompositeText, Dimension, Item, Multirange, Range, Type,
    TypeField, TypeKind, Value, ValueError,
};
use crate::Oid;

/// `record`: a composite whose columns only its binary form names.
const RECORD: Oid = Oid::new(2249);
/// `unknown`: text that nobody gave a type.
const UNKNOWN: Oid = Oid::new(705);

/// The parts of a value.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Shape<'a> {
    /// None: it is a value of itself.
    Scalar(Value<'a>),
    /// Elements.
    Array(Array<'a>),
    /// Fields.
    Composite(Composite<'a>),
    /// Bounds.
    Range(Range<Item<'a>>),
    /// Ranges.
    Multirange(Multirange<Item<'a>>),
}

/// An array, whatever its form.
#[derive(Debug, Clone)]
pub struct Array<'a> {
    /// The elements' type.
    pub element_type: Oid,
    /// The dimensions, outermost first; none for the empty array.
    pub dimensions: Vec<Dimension>,
    /// The elements; `None` is NULL. The last dimension's index moves fastest.
    pub elements: Vec<Option<Item<'a>>>,
    pub(super) delimiter: char,
}

/// A composite, whatever its form.
#[derive(Debug, Clone)]
pub struct Composite<'a> {
    /// Its fields, in order; `None` is NULL.
    pub fields: Vec<Option<Item<'a>>>,
    /// Their types, as numbered by who sent it.
    pub field_types: Vec<Oid>,
    known: &'a [TypeField],
}

impl<'a> Composite<'a> {
    /// The fields' names; `None` if they aren't known: of a `record`, or of a type that was changed since its fields
    /// were read. That is told by the fields' types, which the binary form names; text tells no more than how many
    /// there are, so that one field in place of another, after the types were read, goes unseen.
    pub fn names(&self) -> Option<impl ExactSizeIterator<Item = &'a str> + use<'a>> {
        let known_types = self.known.iter().map(|field| field.type_oid);
        known_types
            .eq(self.field_types.iter().copied())
            .then(|| self.known.iter().map(|field| field.name.as_str()))
    }
}

impl<'a> Shape<'a> {
    /// The shape of `value`, whose type is `base`.
    pub(super) fn of(value: Value<'a>, base: &'a Type) -> Result<Self, ValueError> {
        match &base.kind {
            &TypeKind::Array { element: element_type, delimiter } => {
                let (dimensions, elements) = array(value, element_type, delimiter, Ok)?;
                Ok(Self::Array(Array { element_type, dimensions, elements, delimiter }))
            }
            &TypeKind::Vector { element: element_type } => {
                let (dimensions, elements) = vector(value, element_type, Ok)?;
                Ok(Self::Array(Array { element_type, dimensions, elements, delimiter: ' ' }))
            }
            &TypeKind::Range { subtype } => range(value, subtype).map(Self::Range),
            &TypeKind::Multirange { range } => multirange(value, range).map(Self::Multirange),
            TypeKind::Composite { fields } => composite(value, Some(fields)).map(Self::Composite),
            TypeKind::Pseudo if base.oid == RECORD => composite(value, None).map(Self::Composite),
            TypeKind::Base | TypeKind::Pseudo | TypeKind::Enum { .. } | TypeKind::Domain { .. } => {
                Ok(Self::Scalar(value))
            }
        }
    }
}

/// Dimensions, and as many elements as they say.
type Elements<T> = (Vec<Dimension>, Vec<T>);

/// The dimensions of an array or vector, and what `turn` makes of each of its elements; `None` of other types.
pub(super) fn elements<'a, T>(
    value: Value<'a>,
    turn: impl FnMut(Option<Item<'a>>) -> Result<T, ValueError>,
) -> Result<Option<Elements<T>>, ValueError> {
    match value.base()?.kind {
        TypeKind::Array { element, delimiter } => array(value, element, delimiter, turn).map(Some),
        TypeKind::Vector { element } => vector(value, element, turn).map(Some),
        _ => Ok(None),
    }
}

fn array<'a, T>(
    value: Value<'a>,
    element_type: Oid,
    delimiter: char,
    mut turn: impl FnMut(Option<Item<'a>>) -> Result<T, ValueError>,
) -> Result<Elements<T>, ValueError> {
    match value.either()? {
        Either::Text(text) => {
            let array = ArrayText::from_text(text, delimiter)?;
            let dimensions = array.dimensions().to_vec();
            let texts = array.into_elements();
            let mut elements = Vec::with_capacity(texts.len());
            for element in texts {
                elements.push(turn(element.map(|text| Item::text(value, text, element_type)))?);
            }
            Ok((dimensions, elements))
        }
        Either::Binary(bytes) => {
            let array = ArrayBinary::from_binary(bytes)?;
            if array.element_type() != element_type {
                let expected = "elements of the type that the array's type has";
                return Err(ValueError::malformed("array", 8, expected));
            }
            let mut elements = Vec::with_capacity(array.elements().len());
            for element in array.elements() {
                elements.push(turn(element.map(|bytes| Item::binary(value, bytes, element_type)))?);
            }
            Ok((array.dimensions().to_vec(), elements))
        }
    }
}

/// In text form blanks are between the elements, which are numbers, and the first one's index is 0.
fn vector<'a, T>(
    value: Value<'a>,
    element_type: Oid,
    mut turn: impl FnMut(Option<Item<'a>>) -> Result<T, ValueError>,
) -> Result<Elements<T>, ValueError> {
    let Either::Text(text) = value.either()? else { return array(value, element_type, ' ', turn) };
    let items = text.split(' ').filter(|_| !text.is_empty());
    let items = items.map(|item| turn(Some(Item::text(value, item.into(), element_type))));
    let elements: Vec<_> = items.collect::<Result<_, _>>()?;
    let size = u32::try_from(elements.len())
        .map_err(|_| ValueError::malformed(value.type_name(), 0, "elements that can be counted"))?;
    Ok((vec![Dimension { size, lower: 0 }], elements))
}

fn range(value: Value<'_>, subtype: Oid) -> Result<Range<Item<'_>>, ValueError> {
    Ok(match value.either()? {
        Either::Text(text) => Range::from_text(text)?.map(|bound| Item::text(value, bound, subtype)),
        Either::Binary(bytes) => Range::from_binary(bytes)?.map(|bound| Item::binary(value, bound, subtype)),
    })
}

fn multirange(value: Value<'_>, range_type: Oid) -> Result<Multirange<Item<'_>>, ValueError> {
    let Some(&TypeKind::Range { subtype }) = value.types().base(range_type).map(|range| &range.kind) else {
        return Err(ValueError::unknown_type(range_type));
    };
    Ok(match value.either()? {
        Either::Text(text) => {
            Multirange::from_text(text)?.map(|bound: Cow<'_, str>| Item::text(value, bound, subtype))
        }
        Either::Binary(bytes) => {
            Multirange::from_binary(bytes)?.map(|bound| Item::binary(value, bound, subtype))
        }
    })
}

fn composite<'a>(value: Value<'a>, known: Option<&'a [TypeField]>) -> Result<Composite<'a>, ValueError> {
    match value.either()? {
        Either::Binary(bytes) => {
            let fields = CompositeBinary::from_binary(bytes)?.fields;
            Ok(Composite {
                field_types: fields.iter().map(|field| field.type_oid).collect(),
                fields: fields
                    .iter()
                    .map(|field| field.value.map(|bytes| Item::binary(value, bytes, field.type_oid)))
                    .collect(),
                known: known.unwrap_or_default(),
            })
        }
        Either::Text(text) => {
            let mut texts = CompositeText::from_text(text)?.fields;
            // `()` is a type without columns, too.
            if known.is_some_and(<[_]>::is_empty) && texts.as_slice() == [None] {
                texts.clear();
            }
            let field_types: Vec<_> = match known {
                Some(known) => known.iter().map(|field| field.type_oid).collect(),
                None => vec![UNKNOWN; texts.len()],
            };
            if field_types.len() != texts.len() {
                return Err(ValueError::malformed(
                    "composite",
                    0,
                    "as many fields as its type is known to have",
                ));
            }
            let fields = texts.into_iter().zip(&field_types);
            let fields = fields.map(|(text, &oid)| text.map(|text| Item::text(value, text, oid))).collect();
            Ok(Composite { fields, field_types, known: known.unwrap_or_default() })
        }
    }
}

impl<T> Range<T> {
    /// The same range with its bounds turned into something else.
    pub fn map<U>(self, mut turn: impl FnMut(T) -> U) -> Range<U> {
        let Self::Bounds(lower, upper) = self else { return Range::Empty };
        let lower = lower.map(&mut turn);
        Range::Bounds(lower, upper.map(turn))
    }

    /// The same, where turning may fail.
    ///
    /// # Errors
    ///
    /// What `turn` says.
    pub fn try_map<U, E>(self, mut turn: impl FnMut(T) -> Result<U, E>) -> Result<Range<U>, E> {
        let mut bound = |bound: Bound<T>| {
            Ok(match bound {
                Bound::Included(value) => Bound::Included(turn(value)?),
                Bound::Excluded(value) => Bound::Excluded(turn(value)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        Ok(match self {
            Self::Empty => Range::Empty,
            Self::Bounds(lower, upper) => Range::Bounds(bound(lower)?, bound(upper)?),
        })
    }
}

impl<T> Multirange<T> {
    /// The same ranges with their bounds turned into something else.
    pub fn map<U>(self, mut turn: impl FnMut(T) -> U) -> Multirange<U> {
        Multirange { ranges: self.ranges.into_iter().map(|range| range.map(&mut turn)).collect() }
    }

    /// The same, where turning may fail.
    ///
    /// # Errors
    ///
    /// What `turn` says.
    pub fn try_map<U, E>(self, mut turn: impl FnMut(T) -> Result<U, E>) -> Result<Multirange<U>, E> {
        let ranges = self.ranges.into_iter().map(|range| range.try_map(&mut turn));
        Ok(Multirange { ranges: ranges.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests;
