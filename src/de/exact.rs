//! Types that read values themselves, beside serde's data model.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::de::value::U32Deserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IntoDeserializer as _, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::error::{Error, raise};
use super::value::Input;
use super::{EXACT, FIELD};
use crate::pgoutput::Datum;
use crate::value::{
    Bool, Cidr, Circle, Date, Field, Float4, Float8, FromValue, GeoBox, Inet, Int2Vector, InternalChar,
    Interval, Line, LocalDateTime, Lseg, MacAddr, MacAddr8, Money, Numeric, OidVector, Path, Point, Polygon,
    Snapshot, Tid, Time, TimeTz, Types, Uuid, Value, ValueError, Wire, Xid8,
};
use crate::{Oid, Timestamp};

/// What `T` reads are values of built-in types: a domain comes as what it is over.
static TYPES: LazyLock<Types> = LazyLock::new(Types::new);

/// Reads a field of a row by [`FromValue`]: for types that serde would read otherwise, such as those of other crates.
///
/// ```
/// use serde::Deserialize;
/// use walferry::value::Numeric;
/// # use std::sync::Arc;
/// # use walferry::pgoutput::{Column, Datum, Relation, ReplicaIdentity, Tuple};
/// # use walferry::{Oid, RelationId, Row};
/// # let column = Column { name: "price".into(), type_oid: Oid::new(1700), type_modifier: -1, is_key: false };
/// # let relation = Arc::new(Relation {
/// #     id: RelationId::new(16384),
/// #     schema: "public".into(),
/// #     name: "goods".into(),
/// #     replica_identity: ReplicaIdentity::Default,
/// #     columns: vec![column],
/// # });
/// # let row = Row::new(relation, Tuple::from_datums([Datum::Text(b"1.50")])).unwrap();
///
/// #[derive(Deserialize)]
/// struct Good {
///     #[serde(deserialize_with = "walferry::de::exact")]
///     price: Option<Numeric>,
/// }
///
/// let good: Good = row.deserialize()?;
/// assert_eq!(good.price.map(|price| price.to_string()).as_deref(), Some("1.50"));
/// # Ok::<(), walferry::RowError>(())
/// ```
///
/// # Errors
///
/// What `T` says; anything but a field of a row, one behind serde's `flatten` included.
pub fn exact<'de, D: Deserializer<'de>, T: for<'a> FromValue<'a>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(EXACT, ExactVisitor(PhantomData))
}

/// The base type's number, and the value, on their way from one end of this module to the other.
pub(super) struct Exact<'de, 'v> {
    type_oid: Option<Result<Oid, ValueError>>,
    input: Input<'de, 'v>,
}

impl<'de, 'v> Exact<'de, 'v> {
    pub(super) fn new(input: Input<'de, 'v>) -> Self {
        let base = |value: Value<'v>| value.base().map(|base| base.oid);
        Self { type_oid: Some(input.value().map_or(Ok(Oid::new(0)), base)), input }
    }
}

impl<'de> SeqAccess<'de> for Exact<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        match self.type_oid.take() {
            Some(type_oid) => {
                let number: U32Deserializer<Error> = u32::from(type_oid?).into_deserializer();
                seed.deserialize(number).map(Some)
            }
            None => seed.deserialize(Raw(self.input)).map(Some),
        }
    }
}

/// A value as it was sent.
struct Raw<'de, 'v>(Input<'de, 'v>);

impl<'de> Deserializer<'de> for Raw<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Input::Null => visitor.visit_none(),
            Input::Unchanged => visitor.visit_unit(),
            input @ (Input::Lent(_) | Input::Held(_)) => {
                let value = input.value()?;
                match value.datum() {
                    Datum::Binary(bytes) => visitor.visit_bytes(bytes),
                    _ => visitor.visit_str(&value.to_text()?),
                }
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct ExactVisitor<T>(PhantomData<T>);

impl<'de, T: for<'a> FromValue<'a>> Visitor<'de> for ExactVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<T, A::Error> {
        let missing = || raise(ValueError::null());
        let type_oid = Oid::new(parts.next_element()?.ok_or_else(missing)?);
        parts.next_element_seed(RawVisitor { type_oid, result: PhantomData })?.ok_or_else(missing)
    }
}

struct RawVisitor<T> {
    type_oid: Oid,
    result: PhantomData<T>,
}

impl<T: for<'a> FromValue<'a>> RawVisitor<T> {
    fn read<E: serde::de::Error>(&self, datum: Datum<'_>) -> Result<T, E> {
        let value = Value::new(datum, self.type_oid, &TYPES).ok_or_else(ValueError::null);
        value.and_then(|value| value.read()).map_err(raise)
    }
}

impl<'de, T: for<'a> FromValue<'a>> DeserializeSeed<'de> for RawVisitor<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: for<'a> FromValue<'a>> Visitor<'_> for RawVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a row")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<T, E> {
        T::null().ok_or_else(|| raise(ValueError::null()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        T::unchanged().ok_or_else(|| raise(ValueError::unchanged()))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        self.read(Datum::Text(text.as_bytes()))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        self.read(Datum::Binary(bytes))
    }
}

/// A type of [`value`](crate::value): from a row by its own reader, from elsewhere by its text.
struct LeafVisitor<T>(PhantomData<T>);

impl<'de, T: for<'a> FromValue<'a> + for<'a> Wire<'a>> Visitor<'de> for LeafVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a row, or its text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<T, A::Error> {
        ExactVisitor(PhantomData).visit_seq(parts)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(raise)
    }
}

macro_rules! leaves {
    ($($type:ty)+) => {
        $(
            /// From a row by its own reader, from elsewhere by its text.
            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_newtype_struct(EXACT, LeafVisitor(PhantomData))
                }
            }

            /// Its text.
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }
        )+
    };
}

leaves! {
    Bool Cidr Circle Date Float4 Float8 GeoBox Inet Int2Vector InternalChar Interval Line LocalDateTime Lseg MacAddr
    MacAddr8 Money Numeric OidVector Path Point Polygon Snapshot Tid Time TimeTz Timestamp Uuid Xid8
}

/// From a row also where nothing was sent. Elsewhere what is there is a value.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldVisitor<T> {
            type Value = Field<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a row, or none")
            }

            fn visit_unit<E>(self) -> Result<Field<T>, E> {
                Ok(Field::Unchanged)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Field<T>, D::Error> {
                T::deserialize(deserializer).map(Field::Value)
            }
        }

        deserializer.deserialize_newtype_struct(FIELD, FieldVisitor(PhantomData))
    }
}
