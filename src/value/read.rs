//! Which Rust types a value can be read as.

use std::borrow::Cow;

use super::leaf::is_object_name;
use super::view::Either;
use super::{
    Array, Bits, Bool, Bytea, Cidr, Circle, Date, Float4, Float8, GeoBox, Inet, Int2Vector, InternalChar,
    Interval, Item, Jsonb, Jsonpath, Line, LocalDateTime, Lseg, MacAddr, MacAddr8, Money, Multirange,
    Numeric, OidVector, Path, Point, Polygon, Range, Shape, Snapshot, Text, Tid, Time, TimeTz, TsQuery,
    TsVector, Uuid, Value, ValueError, Wire, Xid8, shape,
};
use crate::pgoutput::Datum;
use crate::{Lsn, Oid, Timestamp, Xid};

const OID: Oid = Oid::new(26);

/// A Rust type that values are read as.
///
/// | Rust | PostgreSQL |
/// |---|---|
/// | `bool` | boolean |
/// | `i16`; `i32`; `i64` | smallint; and integer; and bigint: what holds all of the type's values |
/// | `f32`; `f64` | real; and double precision |
/// | [`Oid`] | oid, and in binary form the names of objects, such as regclass |
/// | `&str` | text and its kin, enums, jsonb; of any other type the text as it was sent, if it was sent as text |
/// | `String`, `Cow<str>` | the text of any type, which is exact |
/// | `&[u8]` | bytea in binary form |
/// | `Vec<u8>`, `Cow<[u8]>` | bytea |
/// | `Option<T>` | NULL, too |
/// | `Vec<T>` | arrays of one dimension whose first index is 1, empty ones, int2vector, oidvector |
/// | [`Array`] | arrays |
/// | [`Range<T>`], [`Multirange<T>`] | those |
/// | the types of this module | the type of the same name |
/// | `std::net::IpAddr` | inet without a network |
/// | types of other crates, by the features `with-…` | what they convert from |
/// | [`Value`] | any type, known or not |
///
/// A domain is read as what it is over.
pub trait FromValue<'a>: Sized {
    /// Reads a value that is neither NULL nor unchanged.
    ///
    /// # Errors
    ///
    /// A value of a type that this one is not for, one that it can't hold, and one that isn't what PostgreSQL prints or
    /// sends.
    fn from_value(value: Value<'a>) -> Result<Self, ValueError>;

    /// What stands for NULL; most types have nothing that does.
    fn null() -> Option<Self> {
        None
    }

    /// What stands for a value that wasn't sent because the UPDATE left it alone: only [`Field`](super::Field) has something.
    fn unchanged() -> Option<Self> {
        None
    }
}

#[inline]
fn wire<'a, T: Wire<'a>>(value: Value<'a>) -> Result<T, ValueError> {
    match value.datum() {
        Datum::Binary(bytes) => T::from_binary(bytes),
        _ => text(value),
    }
}

/// Apart from [`wire`], which is small enough then to become part of whoever asks.
fn text<'a, T: Wire<'a>>(value: Value<'a>) -> Result<T, ValueError> {
    match value.either()? {
        Either::Text(text) => T::from_text(text),
        Either::Binary(bytes) => T::from_binary(bytes),
    }
}

macro_rules! from_value {
    ($($type:ty: $name:literal, $($oid:literal)|+ => $wire:ty;)+) => {
        $(impl<'a> FromValue<'a> for $type {
            #[inline]
            fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
                match u32::from(value.base_oid()) {
                    $($oid)|+ => wire::<$wire>(value).map(Self::from),
                    _ => Err(value.mismatch($name)),
                }
            }
        })+
    };
}

from_value! {
    Bool: "Bool", 16 => Bool;
    Bytea<'a>: "Bytea", 17 => Bytea<'a>;
    InternalChar: "InternalChar", 18 => InternalChar;
    i16: "i16", 21 => i16;
    Xid: "Xid", 28 | 29 => Xid;
    Tid: "Tid", 27 => Tid;
    Int2Vector: "Int2Vector", 22 => Int2Vector;
    OidVector: "OidVector", 30 => OidVector;
    Point: "Point", 600 => Point;
    Lseg: "Lseg", 601 => Lseg;
    Path: "Path", 602 => Path;
    GeoBox: "GeoBox", 603 => GeoBox;
    Polygon: "Polygon", 604 => Polygon;
    Line: "Line", 628 => Line;
    Cidr: "Cidr", 650 => Cidr;
    Float4: "Float4", 700 => Float4;
    f32: "f32", 700 => Float4;
    Float8: "Float8", 701 => Float8;
    Circle: "Circle", 718 => Circle;
    MacAddr8: "MacAddr8", 774 => MacAddr8;
    Money: "Money", 790 => Money;
    MacAddr: "MacAddr", 829 => MacAddr;
    Inet: "Inet", 869 => Inet;
    Date: "Date", 1082 => Date;
    Time: "Time", 1083 => Time;
    LocalDateTime: "LocalDateTime", 1114 => LocalDateTime;
    Timestamp: "Timestamp", 1184 => Timestamp;
    Interval: "Interval", 1186 => Interval;
    TimeTz: "TimeTz", 1266 => TimeTz;
    Bits<'a>: "Bits", 1560 | 1562 => Bits<'a>;
    Numeric: "Numeric", 1700 => Numeric;
    Uuid: "Uuid", 2950 => Uuid;
    Snapshot: "Snapshot", 2970 | 5038 => Snapshot;
    Lsn: "Lsn", 3220 => Lsn;
    TsVector<'a>: "TsVector", 3614 => TsVector<'a>;
    TsQuery<'a>: "TsQuery", 3615 => TsQuery<'a>;
    Jsonb<'a>: "Jsonb", 3802 => Jsonb<'a>;
    Jsonpath<'a>: "Jsonpath", 4072 => Jsonpath<'a>;
    Xid8: "Xid8", 5069 => Xid8;
}

/// Itself, whatever its type: for types that aren't known before there is a value.
impl<'a> FromValue<'a> for Value<'a> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        Ok(value)
    }
}

impl<'a> FromValue<'a> for bool {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        value.read::<Bool>().map(|value| value.0).map_err(|error| error.into_target("bool"))
    }
}

impl<'a> FromValue<'a> for i32 {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match u32::from(value.base_oid()) {
            21 => wire::<i16>(value).map(Self::from),
            23 => wire(value),
            _ => Err(value.mismatch("i32")),
        }
    }
}

impl<'a> FromValue<'a> for i64 {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match u32::from(value.base_oid()) {
            21 => wire::<i16>(value).map(Self::from),
            23 => wire::<i32>(value).map(Self::from),
            20 => wire(value),
            _ => Err(value.mismatch("i64")),
        }
    }
}

impl<'a> FromValue<'a> for f64 {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match u32::from(value.base_oid()) {
            700 => wire::<Float4>(value).map(|value| f32::from(value).into()),
            701 => wire::<Float8>(value).map(Self::from),
            _ => Err(value.mismatch("f64")),
        }
    }
}

impl<'a> FromValue<'a> for Oid {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match (value.base_oid(), value.either()?) {
            (OID, _) => wire(value),
            // In text form a name.
            (oid, Either::Binary(bytes)) if is_object_name(oid) => Self::from_binary(bytes),
            _ => Err(value.mismatch("Oid")),
        }
    }
}

impl<'a> FromValue<'a> for &'a str {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match value.to_text()? {
            Cow::Borrowed(text) => Ok(text),
            Cow::Owned(_) => Err(value.mismatch("&str, when it is sent in binary form")),
        }
    }
}

impl<'a> FromValue<'a> for Text<'a> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        value.read().map(Self)
    }
}

impl<'a> FromValue<'a> for Cow<'a, str> {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        value.to_text()
    }
}

impl<'a> FromValue<'a> for String {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        value.to_text().map(Cow::into_owned)
    }
}

impl<'a> FromValue<'a> for Cow<'a, [u8]> {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        value.read::<Bytea<'_>>().map(Bytea::into_cow).map_err(|error| error.into_target("bytes"))
    }
}

impl<'a> FromValue<'a> for Vec<u8> {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        value.read::<Cow<'_, [u8]>>().map(Cow::into_owned)
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match value.read()? {
            Cow::Borrowed(bytes) => Ok(bytes),
            Cow::Owned(_) => Err(value.mismatch("&[u8], when it is sent as text")),
        }
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        T::from_value(value).map(Some)
    }

    fn null() -> Option<Self> {
        Some(None)
    }
}

impl<'a> FromValue<'a> for Array<'a> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match value.shape()? {
            Shape::Array(array) => Ok(array),
            _ => Err(value.mismatch("Array")),
        }
    }
}

/// Elements whose indices don't begin with 1 would lose them: those are read as [`Array`].
impl<'a, T: for<'item> FromValue<'item>> FromValue<'a> for Vec<T> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        let item = |item: Option<Item<'a>>| match item {
            Some(item) => item.value().read(),
            None => T::null().ok_or_else(ValueError::null),
        };
        let elements = shape::elements(value, item)?;
        let (dimensions, elements) = elements.ok_or_else(|| value.mismatch("Vec"))?;
        match dimensions.as_slice() {
            [] => Ok(elements),
            [dimension] if dimension.lower == 1 => Ok(elements),
            // Always begins with 0.
            [_] if value.is_vector() => Ok(elements),
            _ => Err(ValueError::out_of_range(value.type_name(), "a Vec")),
        }
    }
}

impl<'a, T: for<'item> FromValue<'item>> FromValue<'a> for Range<T> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match value.shape()? {
            Shape::Range(range) => range.try_map(|bound| bound.value().read()),
            _ => Err(value.mismatch("Range")),
        }
    }
}

impl<'a, T: for<'item> FromValue<'item>> FromValue<'a> for Multirange<T> {
    fn from_value(value: Value<'a>) -> Result<Self, ValueError> {
        match value.shape()? {
            Shape::Multirange(multirange) => multirange.try_map(|bound| bound.value().read()),
            _ => Err(value.mismatch("Multirange")),
        }
    }
}

#[cfg(test)]
mod tests;
