//! Values: a typed, lazy, fallible view of what a column holds, in both of the server's forms.
//!
//! A value is never changed on its way: a typed value prints back to exactly the text that PostgreSQL prints (under the
//! session settings that a stream pins), and encodes back to exactly the bytes that its send function gives.
//!
//! # Types of other crates
//!
//! Each behind a feature, by `TryFrom`, or `From` where nothing can be refused, in both directions. What comes back is
//! what went. What a type can't hold is [`ValueErrorKind::OutOfRange`]: nothing is rounded, and no other value is put
//! in its place.
//!
//! | value | type | of the value it can't hold | of the type the value can't hold |
//! |---|---|---|---|
//! | [`Date`] | `chrono::NaiveDate` | infinities, years above 262142 | before 4714-11-24 BC |
//! | [`Time`] | `chrono::NaiveTime` | 24:00:00 | leap seconds, nanoseconds |
//! | [`LocalDateTime`] | `chrono::NaiveDateTime` | as the date | as the date and the time |
//! | [`Timestamp`](crate::Timestamp) | `chrono::DateTime`, to UTC, from any zone | as the date | as the date and the time; the offset is left behind |
//! | [`Interval`] | `chrono::TimeDelta` | months, days | nanoseconds, above 64 bits of microseconds |
//! | [`Date`] | `jiff::civil::Date` | infinities, years above 9999 | before 4714-11-24 BC |
//! | [`Time`] | `jiff::civil::Time` | 24:00:00 | nanoseconds |
//! | [`LocalDateTime`] | `jiff::civil::DateTime` | as the date | as the date and the time |
//! | [`Timestamp`](crate::Timestamp) | `jiff::Timestamp` | infinities, after 9999-12-30 22:00 | before 4714-11-24 BC, nanoseconds |
//! | [`Interval`] | `jiff::Span` | parts of unlike sign; above 239976 months, 7304484 days, 631107417600 seconds | nanoseconds; other units come back as months, days and microseconds of the same length |
//! | [`Date`], [`Time`], [`LocalDateTime`] | `time::{Date, Time, PrimitiveDateTime}` | as of jiff | as of jiff |
//! | [`Timestamp`](crate::Timestamp) | `time::OffsetDateTime` | infinities, years above 9999 | before 4714-11-24 BC, nanoseconds; the offset is left behind |
//! | [`Interval`] | `time::Duration` | months, days | nanoseconds, above 64 bits of microseconds |
//! | [`Numeric`] | `rust_decimal::Decimal` | NaN, infinities, above 96 bits of digits, above 28 of them behind the point | `-0` |
//! | [`Numeric`] | `bigdecimal::BigDecimal` | NaN, infinities | above 131072 digits before the point and 16383 behind it, a scale below zero |
//! | [`Uuid`] | `uuid::Uuid` | | |
//! | [`Inet`] | `ipnetwork::IpNetwork` | | |
//! | [`Cidr`] | `ipnetwork::IpNetwork` | | bits behind the prefix |
//! | [`Inet`] | [`std::net::IpAddr`], of no feature | a prefix that isn't all bits | |
//! | [`Bits`] | `bit_vec::BitVec` | | above 2147483647 bits |
//! | [`Point`] | `geo_types::{Point, Coord}` | | |
//! | [`Lseg`] | `geo_types::Line` | | |
//! | [`GeoBox`] | `geo_types::Rect` | corners in another order than `high` and `low` | |
//! | [`Path`] | `geo_types::LineString` | closed paths | no points |
//!
//! What the feature `large-dates` of time adds, [`Date`] holds within its own limits. JSON stays text here: what a
//! reader of it makes of large numbers and of a name that comes twice is for its caller to choose.
//!
//! ```
//! # #[cfg(feature = "with-rust_decimal-1")] {
//! use rust_decimal::Decimal;
//! use walferry::value::{Numeric, Wire};
//!
//! let price = Numeric::from_text("120.00")?;
//! assert_eq!(Decimal::try_from(&price)?.to_string(), "120.00");
//! assert!(Decimal::try_from(Numeric::from_text("NaN")?).is_err());
//! # }
//! # Ok::<(), walferry::value::ValueError>(())
//! ```

mod error;
mod scan;
mod scalar;
mod bytea;
mod float;
mod numeric;
mod datetime;
mod network;
mod bits;
mod parts;
mod text;
mod array;
mod vector;
mod composite;
mod range;
mod geometric;
mod tsvector;
mod tsquery;
mod snapshot;
mod types;
mod builtin;
mod leaf;
mod view;
mod shape;
mod transcode;
mod read;
mod field;
mod foreign;
#[cfg(test)]
mod checks;

use bytes::BytesMut;

pub use self::array::{ArrayBinary, ArrayText, Dimension, MAX_DIMENSIONS};
pub use self::bits::Bits;
pub use self::bytea::Bytea;
pub use self::composite::{CompositeBinary, CompositeField, CompositeText};
pub use self::datetime::{Date, Interval, LocalDateTime, Time, TimeTz};
pub use self::error::{ValueError, ValueErrorKind};
pub use self::field::Field;
pub use self::float::{Float4, Float8};
pub use self::geometric::{Circle, GeoBox, Line, Lseg, Path, Point, Polygon};
#[cfg(feature = "postgres")]
pub(crate) use self::leaf::is_portable_in_binary;
#[cfg(feature = "net")]
pub(crate) use self::leaf::{holds_object_names, is_object_name};
pub use self::network::{Cidr, Inet, MacAddr, MacAddr8};
pub use self::numeric::Numeric;
pub use self::range::{Multirange, Range};
pub use self::read::FromValue;
pub use self::scalar::{Bool, InternalChar, Money, Tid, Uuid, Xid8};
pub use self::shape::{Array, Composite, Shape};
pub use self::snapshot::Snapshot;
pub use self::text::{Jsonb, Jsonpath, Text};
pub use self::tsquery::{QueryItem, TsQuery};
pub use self::tsvector::{Lexeme, Position, TsVector, Weight};
pub use self::types::{Type, TypeField, TypeKind, Types};
pub use self::vector::{Int2Vector, OidVector};
pub use self::view::{Item, Value};

/// A type of PostgreSQL in both of its forms. Its text is what `Display` prints.
///
/// For every text that PostgreSQL prints and all bytes that it sends: what is read prints and writes the same again.
pub trait Wire<'a>: Sized + std::fmt::Display {
    /// Reads the text form.
    ///
    /// # Errors
    ///
    /// Anything that PostgreSQL doesn't print for the type.
    fn from_text(text: &'a str) -> Result<Self, ValueError>;

    /// Reads the binary form.
    ///
    /// # Errors
    ///
    /// Anything that the type's send function doesn't send.
    fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError>;

    /// Writes the binary form.
    fn write_binary(&self, out: &mut BytesMut);
}

#[cfg(test)]
mod tests;
