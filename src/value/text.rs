//! Types whose value is text: as it is, or behind a version.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::scan::Binary;
use super::{ValueError, Wire};

fn utf8<'a>(type_name: &'static str, offset: usize, bytes: &'a [u8]) -> Result<&'a str, ValueError> {
    std::str::from_utf8(bytes)
        .map_err(|error| ValueError::malformed(type_name, offset + error.valid_up_to(), "UTF-8"))
}

/// Text that is the same in both forms: `text`, `varchar`, `bpchar` with its blanks, `name`, `json`, `xml`, `unknown`,
/// `refcursor`, and the labels of enums.
///
/// ```
/// use walferry::value::{Text, Wire};
///
/// assert_eq!(Text::from_text("null")?, Text::from_binary(b"null")?);
/// assert_eq!(Text::from_binary(b"null")?.to_string(), "null", "the text, not NULL");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<'a>(pub &'a str);

impl<'a> Wire<'a> for Text<'a> {
    fn from_text(text: &'a str) -> Result<Self, ValueError> {
        Ok(Self(text))
    }

    fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        utf8("text", 0, bytes).map(Self)
    }

    fn write_binary(&self, out: &mut BytesMut) {
        out.put_slice(self.0.as_bytes());
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! versioned {
    ($(#[$doc:meta])* $name:ident, $type_name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<'a>(pub &'a str);

        impl<'a> Wire<'a> for $name<'a> {
            fn from_text(text: &'a str) -> Result<Self, ValueError> {
                Ok(Self(text))
            }

            fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
                let mut cursor = Binary::new($type_name, bytes);
                if cursor.u8("a version")? != 1 {
                    return Err(cursor.fail_behind(1, "version 1"));
                }
                utf8($type_name, 1, cursor.take(cursor.left(), "text")?).map(Self)
            }

            fn write_binary(&self, out: &mut BytesMut) {
                out.put_u8(1);
                out.put_slice(self.0.as_bytes());
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
    };
}

versioned! {
    /// `jsonb`: its text as the server normalised it, in binary form behind the version 1 (the server's `jsonb.c`).
    ///
    /// ```
    /// use walferry::value::{Jsonb, Wire};
    ///
    /// assert_eq!(Jsonb::from_binary(b"\x01{\"a\": null}")?.to_string(), r#"{"a": null}"#);
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    Jsonb, "jsonb"
}

versioned! {
    /// `jsonpath`: its text, in binary form behind the version 1 (the server's `jsonpath.c`).
    ///
    /// ```
    /// use walferry::value::{Jsonpath, Wire};
    ///
    /// assert_eq!(Jsonpath::from_binary(b"\x01$.\"a\"")?.0, r#"$."a""#);
    /// # Ok::<(), walferry::value::ValueError>(())
    /// ```
    Jsonpath, "jsonpath"
}

#[cfg(test)]
mod tests;
