//! A value as whatever a Rust type asks for.

use std::borrow::Cow;

use serde::de::{Deserializer, IntoDeserializer, Visitor};

use super::error::Error;
use super::exact::Exact;
use super::parts::{Asks, visit_shape};
use super::{EXACT, FIELD, RANGE, range};
use crate::pgoutput::Datum;
use crate::row::Cell;
use crate::value::{Item, Numeric, TypeKind, Value, ValueError, Xid8};
use crate::{Oid, Xid};

/// What stands in a column, an element, a field or a bound.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'de: 'v, 'v> {
    Null,
    Unchanged,
    /// Lent by the buffer.
    Lent(Value<'de>),
    /// Lent by text that was unescaped on the way.
    Held(Value<'v>),
}

impl<'de> Input<'de, 'de> {
    #[inline]
    pub(super) fn cell(cell: &Cell<'de>) -> Self {
        match cell.value() {
            Some(value) => Self::Lent(value),
            None if cell.datum == Datum::Null => Self::Null,
            None => Self::Unchanged,
        }
    }
}

impl<'de, 'v> Input<'de, 'v> {
    /// A part of a value; what `lend` finds of it is lent by the buffer.
    pub(super) fn item<'s>(
        item: Option<&'v Item<'s>>,
        lend: impl Fn(&Item<'s>) -> Option<Value<'de>>,
    ) -> Self {
        match item {
            Some(item) => lend(item).map_or_else(|| Self::Held(item.value()), Self::Lent),
            None => Self::Null,
        }
    }

    /// The value, if there is one.
    #[inline]
    #[expect(clippy::match_same_arms, reason = "their lifetimes differ")]
    pub(super) fn value(&self) -> Result<Value<'v>, ValueError> {
        match self {
            Self::Null => Err(ValueError::null()),
            Self::Unchanged => Err(ValueError::unchanged()),
            Self::Lent(value) => Ok(*value),
            Self::Held(value) => Ok(*value),
        }
    }

    fn mismatch(&self, target: &'static str) -> Error {
        self.value().map_or_else(Error::Value, |value| value.mismatch(target).into())
    }

    #[inline]
    fn visit_text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Self::Lent(lent) = self {
            return match lent.to_text()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            };
        }
        match self.value()?.to_text()? {
            Cow::Borrowed(text) => visitor.visit_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn visit_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Self::Lent(lent) = self {
            return match bytes(lent)? {
                Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
                Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
            };
        }
        visitor.visit_byte_buf(bytes(self.value()?)?.into_owned())
    }

    /// An integer of any width that PostgreSQL has.
    fn integer<T: TryFrom<i128>>(&self, target: &'static str) -> Result<T, Error> {
        let value = self.value()?;
        let number = match u32::from(value.base()?.oid) {
            21 | 23 | 20 => Some(i128::from(value.read::<i64>()?)),
            // oid, xid, cid
            26 => Some(u32::from(value.read::<Oid>()?).into()),
            28 | 29 => Some(u32::from(value.read::<Xid>()?).into()),
            5069 => Some(u64::from(value.read::<Xid8>()?).into()),
            1700 => value.read::<Numeric>()?.to_i128().ok(),
            _ => return Err(value.mismatch(target).into()),
        };
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| ValueError::out_of_range(value.type_name(), target).into())
    }

    fn visit_parts<V: Visitor<'de>>(self, asks: Asks, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Lent(lent) => visit_shape(&lent.shape()?, lent, Item::borrowed, asks, visitor),
            Self::Held(value) => visit_shape(&value.shape()?, value, |_| None, asks, visitor),
            Self::Null | Self::Unchanged => Err(self.mismatch("parts")),
        }
    }

    fn visit_by_type<V: Visitor<'de>>(self, value: Value<'v>, visitor: V) -> Result<V::Value, Error> {
        // Text can be had of types that aren't known, too.
        let Ok(base) = value.base() else { return self.visit_text(visitor) };
        match (&base.kind, u32::from(base.oid)) {
            (TypeKind::Array { .. } | TypeKind::Vector { .. } | TypeKind::Composite { .. }, _) => {
                self.visit_parts(Asks::Any, visitor)
            }
            (_, 16) => visitor.visit_bool(value.read()?),
            (_, 17) => self.visit_bytes(visitor),
            (_, 20) => visitor.visit_i64(value.read()?),
            (_, 21) => visitor.visit_i16(value.read()?),
            (_, 23) => visitor.visit_i32(value.read()?),
            (_, 26 | 28 | 29) => visitor.visit_u32(self.integer("u32")?),
            (_, 5069) => visitor.visit_u64(self.integer("u64")?),
            (_, 700) => visitor.visit_f32(value.read()?),
            (_, 701) => visitor.visit_f64(value.read()?),
            _ => self.visit_text(visitor),
        }
    }
}

fn bytes(value: Value<'_>) -> Result<Cow<'_, [u8]>, ValueError> {
    if !value.is_text() {
        return value.read();
    }
    Ok(match value.to_text()? {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

macro_rules! deserialize_integer {
    ($($method:ident $type:ident $visit:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.integer::<$type>(stringify!($type))?)
        })+
    };
}

macro_rules! deserialize_text {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.visit_text(visitor)
        })+
    };
}

impl<'de> Deserializer<'de> for Input<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            Self::Unchanged => Err(ValueError::unchanged().into()),
            Self::Lent(_) | Self::Held(_) => self.visit_by_type(self.value()?, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            Self::Unchanged => Err(ValueError::unchanged().into()),
            Self::Lent(_) | Self::Held(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (name, self) {
            (FIELD, Self::Unchanged) => visitor.visit_unit(),
            (EXACT, _) => visitor.visit_seq(Exact::new(self)),
            (RANGE, _) => range::visit(self, visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.value()?.read()?)
    }

    /// The most common of all, without a detour.
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value()?.read() {
            Ok(number) => visitor.visit_i32(number),
            Err(_) => visitor.visit_i32(self.integer("i32")?),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value()?.read() {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => visitor.visit_i64(self.integer("i64")?),
        }
    }

    deserialize_integer! {
        deserialize_i8 i8 visit_i8
        deserialize_i16 i16 visit_i16
        deserialize_i128 i128 visit_i128
        deserialize_u8 u8 visit_u8
        deserialize_u16 u16 visit_u16
        deserialize_u32 u32 visit_u32
        deserialize_u64 u64 visit_u64
        deserialize_u128 u128 visit_u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(self.value()?.read()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.value()?.read()?)
    }

    deserialize_text! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_parts(Asks::Sequence, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.visit_parts(Asks::Sequence, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit_parts(Asks::Sequence, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_parts(Asks::Names, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit_parts(Asks::Names, visitor)
    }

    /// A label stands for a variant without content.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let value = self.value()?;
        if !value.is_text() {
            return Err(value.mismatch("an enum").into());
        }
        visitor.visit_enum(value.to_text()?.into_deserializer())
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Unchanged | Self::Lent(_) | Self::Held(_) => Err(self.mismatch("()")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

impl<'de> IntoDeserializer<'de, Error> for Input<'de, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
