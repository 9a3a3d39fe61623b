//! Values as readers of JSON expect them: the mapping that the module's documentation calls friendly.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::inline::inline;
use super::write::Lossless;
use crate::value::{Array, Composite, Dimension, Item, Shape, TypeKind, Value, ValueError};

/// How deep arrays and objects may lie in a value. Readers commonly end at 128, and the line itself is two of them.
const MAX_DEPTH: usize = 100;

/// Integers up to here are all different as doubles.
const EXACT: u64 = 1 << 53;

/// A value, and how deep what it is made of may lie in it.
pub(super) struct Friendly<'a> {
    value: Value<'a>,
    depth: usize,
}

impl<'a> Friendly<'a> {
    pub(super) fn new(value: Value<'a>) -> Self {
        Self { value, depth: MAX_DEPTH }
    }
}

impl Serialize for Friendly<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Json::of(self.value, self.depth) {
            Ok(Some(Json::Bool(truth))) => serializer.serialize_bool(truth),
            Ok(Some(Json::Raw(raw))) => raw.serialize(serializer),
            Ok(Some(Json::Array(array))) => Elements::of(&array, self.depth).serialize(serializer),
            Ok(Some(Json::Object(composite, names))) => {
                let fields = composite.fields.iter().map(|field| inner(field.as_ref(), self.depth - 1));
                serializer.collect_map(names.into_iter().zip(fields))
            }
            Ok(None) | Err(_) => match self.value.to_text() {
                Ok(text) => serializer.serialize_str(&text),
                Err(_) => Lossless(self.value.datum()).serialize(serializer),
            },
        }
    }
}

/// What a value is, if not a string.
enum Json<'a> {
    Bool(bool),
    /// A number, or a value of type json, in its own words.
    Raw(Cow<'a, RawValue>),
    Array(Array<'a>),
    Object(Composite<'a>, Vec<&'a str>),
}

impl<'a> Json<'a> {
    fn of(value: Value<'a>, depth: usize) -> Result<Option<Self>, ValueError> {
        let base = value.base()?;
        Ok(match (u32::from(base.oid), &base.kind) {
            (16, _) => Some(Self::Bool(value.read()?)),
            // int8, int2, int4, oid, xid, cid, numeric, xid8
            (20 | 21 | 23 | 26 | 28 | 29 | 1700 | 5069, _) => number(value.to_text()?, is_exact),
            // float4, float8
            (700 | 701, _) => number(value.to_text()?, |digits| digits.parse().is_ok_and(f64::is_finite)),
            // json, jsonb
            (114 | 3802, _) => inline(value.to_text()?, depth).map(Self::Raw),
            (_, TypeKind::Array { .. } | TypeKind::Vector { .. } | TypeKind::Composite { .. }) => {
                Self::of_parts(value.shape()?, depth)
            }
            _ => None,
        })
    }

    fn of_parts(shape: Shape<'a>, depth: usize) -> Option<Self> {
        match shape {
            Shape::Array(array) => {
                let begins_with_1 = array.dimensions.iter().all(|dimension| dimension.lower == 1);
                let fits = array.dimensions.len().max(1) <= depth;
                (begins_with_1 && fits).then_some(Self::Array(array))
            }
            Shape::Composite(composite) => {
                let names: Vec<_> = composite.names()?.collect();
                let are_different = names.iter().collect::<HashSet<_>>().len() == names.len();
                (are_different && depth > 0).then_some(Self::Object(composite, names))
            }
            _ => None,
        }
    }
}

/// The server's own digits, where nothing of them is lost.
fn number(digits: Cow<'_, str>, is_exact: impl Fn(&str) -> bool) -> Option<Json<'_>> {
    is_exact(&digits).then(|| raw(digits)).flatten().map(Json::Raw)
}

/// A whole number that a double holds; a point, even before zeros, is not one's.
fn is_exact(digits: &str) -> bool {
    digits.parse::<i64>().is_ok_and(|number| number.unsigned_abs() <= EXACT)
}

/// The text, if it is one value of JSON, without blanks around it.
pub(super) fn raw(text: Cow<'_, str>) -> Option<Cow<'_, RawValue>> {
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(serde_json::from_str(text).ok()?),
        Cow::Owned(text) => Cow::Owned(RawValue::from_string(text).ok()?),
    })
}

fn inner<'a>(item: Option<&'a Item<'_>>, depth: usize) -> Option<Friendly<'a>> {
    item.map(|item| Friendly { value: item.value(), depth })
}

/// Elements that stand in an array, or in arrays in it.
struct Elements<'a> {
    dimensions: &'a [Dimension],
    items: &'a [Option<Item<'a>>],
    depth: usize,
}

impl<'a> Elements<'a> {
    fn of(array: &'a Array<'a>, depth: usize) -> Self {
        Self { dimensions: &array.dimensions, items: &array.elements, depth }
    }
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let depth = self.depth - 1;
        match self.dimensions {
            [] | [_] => serializer.collect_seq(self.items.iter().map(|item| inner(item.as_ref(), depth))),
            [outer, dimensions @ ..] => {
                let each = self.items.len().checked_div(outer.size as usize).unwrap_or_default().max(1);
                let parts = self.items.chunks(each);
                serializer.collect_seq(parts.map(|items| Elements { dimensions, items, depth }))
            }
        }
    }
}
