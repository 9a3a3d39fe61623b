//! Values: a typed, lazy, fallible view of what a column holds, in both of the server's forms.
//!
//! A value is never changed on its way: a typed value prints back to exactly the text that PostgreSQL prints (under the
//! session settings that a stream pins), and encodes back to exactly the bytes that its send function gives.

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
mod types;
mod builtin;
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
pub use self::float::{Float4, Float8};
pub use self::geometric::{Circle, GeoBox, Line, Lseg, Path, Point, Polygon};
pub use self::network::{Cidr, Inet, MacAddr, MacAddr8};
pub use self::numeric::Numeric;
pub use self::range::{Multirange, Range};
pub use self::scalar::{Bool, InternalChar, Money, Tid, Uuid, Xid8};
pub use self::text::{Jsonb, Jsonpath, Text};
pub use self::tsquery::{QueryItem, TsQuery};
pub use self::tsvector::{Lexeme, Position, TsVector, Weight};
pub use self::types::{Type, TypeField, TypeKind, Types};
pub use self::vector::{Int2Vector, OidVector};

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
