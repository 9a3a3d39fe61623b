//! Ranges, whose bounds are values of any type.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;

use serde::de::value::U8Deserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::RANGE;
use super::error::Error;
use super::value::Input;
use crate::value::{Item, Range, Shape, Value};

/// Bounds as this module's two halves name them to each other.
const UNBOUNDED: u8 = 0;
const INCLUDED: u8 = 1;
const EXCLUDED: u8 = 2;

/// Visits the range that `input` is.
pub(super) fn visit<'de, V: Visitor<'de>>(input: Input<'de, '_>, visitor: V) -> Result<V::Value, Error> {
    let value = input.value()?;
    let mismatch = || Error::from(value.mismatch("a range"));
    match input {
        Input::Lent(lent) => match lent.shape()? {
            Shape::Range(range) => RangeOf { range: &range, lend: Item::borrowed }.visit(visitor),
            _ => Err(mismatch()),
        },
        _ => match value.shape()? {
            Shape::Range(range) => RangeOf { range: &range, lend: |_: &Item<'_>| None }.visit(visitor),
            _ => Err(mismatch()),
        },
    }
}

/// A range, as a sequence of each bound's kind and value; none if it is empty.
pub(super) struct RangeOf<'r, 's, L> {
    pub(super) range: &'r Range<Item<'s>>,
    pub(super) lend: L,
}

impl<'s, L> RangeOf<'_, 's, L> {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error>
    where
        L: Fn(&Item<'s>) -> Option<Value<'de>>,
    {
        let mut steps = Vec::new();
        if let Range::Bounds(lower, upper) = self.range {
            for bound in [upper, lower] {
                let (kind, item) = match bound {
                    Bound::Unbounded => (UNBOUNDED, None),
                    Bound::Included(item) => (INCLUDED, Some(item)),
                    Bound::Excluded(item) => (EXCLUDED, Some(item)),
                };
                steps.extend(item.map(|item| Step::Bound(Input::item(Some(item), &self.lend))));
                steps.push(Step::Kind(kind));
            }
        }
        visitor.visit_seq(Steps(steps))
    }
}

enum Step<'de, 'v> {
    Kind(u8),
    Bound(Input<'de, 'v>),
}

/// Last one first.
struct Steps<'de, 'v>(Vec<Step<'de, 'v>>);

impl<'de> SeqAccess<'de> for Steps<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        match self.0.pop() {
            None => Ok(None),
            Some(Step::Kind(kind)) => {
                let kind: U8Deserializer<Error> = kind.into_deserializer();
                seed.deserialize(kind).map(Some)
            }
            Some(Step::Bound(input)) => seed.deserialize(input).map(Some),
        }
    }
}

impl<'de, 's, L: Fn(&Item<'s>) -> Option<Value<'de>>> Deserializer<'de> for RangeOf<'_, 's, L> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::Shape("the ranges of a multirange are read as Range".to_owned()))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == RANGE { self.visit(visitor) } else { visitor.visit_newtype_struct(self) }
    }

    /// There are no NULL ranges in a multirange.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, 's, L: Fn(&Item<'s>) -> Option<Value<'de>>> IntoDeserializer<'de, Error> for RangeOf<'_, 's, L> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// From rows alone.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Range<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RANGE, RangeVisitor(PhantomData))
    }
}

struct RangeVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RangeVisitor<T> {
    type Value = Range<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a range of a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut steps: A) -> Result<Range<T>, A::Error> {
        let Some(kind) = steps.next_element()? else { return Ok(Range::Empty) };
        let lower = bound(kind, &mut steps)?;
        let kind = steps.next_element()?.ok_or_else(|| A::Error::custom("an upper bound is missing"))?;
        Ok(Range::Bounds(lower, bound(kind, &mut steps)?))
    }
}

fn bound<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(kind: u8, steps: &mut A) -> Result<Bound<T>, A::Error> {
    if kind == UNBOUNDED {
        return Ok(Bound::Unbounded);
    }
    let value = steps.next_element()?.ok_or_else(|| A::Error::custom("a bound is missing"))?;
    Ok(if kind == INCLUDED { Bound::Included(value) } else { Bound::Excluded(value) })
}
