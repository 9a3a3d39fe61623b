//! The two vectors of the system catalogues, which are arrays in binary form only.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::parts::{Text, put_length};
use super::{ArrayBinary, Dimension, ValueError, Wire};
use crate::Oid;

macro_rules! vector {
    ($(#[$doc:meta])* $name:ident, $type_name:literal, $item:ty, $element_type:literal,
        $number:ident, $put:ident, $wrap:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub Vec<$item>);

        impl $name {
            fn item(element: &[u8]) -> Option<$item> {
                let bytes = element.try_into().ok()?;
                Some($wrap($number::from_be_bytes(bytes)))
            }
        }

        impl<'a> Wire<'a> for $name {
            fn from_text(text: &'a str) -> Result<Self, ValueError> {
                let mut cursor = Text::new($type_name, text);
                let mut items = Vec::new();
                while cursor.peek().is_some() {
                    if !items.is_empty() {
                        cursor.expect(" ", "a blank")?;
                    }
                    items.push($wrap(cursor.integer("a number")?));
                }
                Ok(Self(items))
            }

            fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
                let wrong = |expected| ValueError::malformed($type_name, 0, expected);
                let array = ArrayBinary::from_binary(bytes)?;
                if array.has_nulls() || array.element_type() != Oid::new($element_type) {
                    return Err(wrong("elements of its own type"));
                }
                if !matches!(array.dimensions(), [Dimension { lower: 0, .. }]) {
                    return Err(wrong("one dimension from 0"));
                }
                let items = array.elements().iter().map(|element| Self::item((*element)?));
                Ok(Self(items.collect::<Option<_>>().ok_or_else(|| wrong("elements of its own size"))?))
            }

            /// `array_send`, with a lower bound of 0.
            fn write_binary(&self, out: &mut BytesMut) {
                for field in [1, 0, $element_type] {
                    out.put_u32(field);
                }
                put_length(out, self.0.len());
                out.put_i32(0);
                for &item in &self.0 {
                    put_length(out, size_of::<$item>());
                    out.$put(item.into());
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (number, item) in self.0.iter().enumerate() {
                    if number > 0 {
                        f.write_str(" ")?;
                    }
                    write!(f, "{item}")?;
                }
                Ok(())
            }
        }
    };
}

vector! {
    /// `int2vector`: column numbers, in the catalogues of indexes (the server's `int.c`).
    ///
    /// ```
    /// use walferry::value::{Int2Vector, Wire};
    ///
    /// let columns = Int2Vector::from_text("3 -1")?;
    /// assert_eq!(columns, Int2Vector(vec![3, -1]));
    /// assert_eq!(columns.to_string(), "3 -1");
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    Int2Vector, "int2vector", i16, 21, i16, put_i16, std::convert::identity
}

vector! {
    /// `oidvector`: object identifiers, in the catalogues of functions (the server's `oid.c`).
    ///
    /// ```
    /// use walferry::Oid;
    /// use walferry::value::{OidVector, Wire};
    ///
    /// let types = OidVector::from_text("25 23")?;
    /// assert_eq!(types, OidVector(vec![Oid::new(25), Oid::new(23)]));
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    OidVector, "oidvector", Oid, 26, u32, put_u32, Oid::new
}

#[cfg(test)]
mod tests;
